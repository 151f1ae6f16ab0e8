//! Migration tools: the ledgers that each writes, the files that are its migrations, and what it does where the two disagree.
//!
//! A tool is one file in `dialects/` and one line in [`TOOLS`]. Of tools whose migrations are code, names are compared, and `code` has what
//! they share. Tools whose folder is not read have a line in `named` alone.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the tools themselves take names to the letter"
)]

pub(super) mod alembic;
pub(crate) mod built_in;
mod code;
pub(super) mod d1;
pub(super) mod dbmate;
pub(super) mod diesel;
pub(super) mod django;
pub(super) mod drizzle;
pub(super) mod ecto;
pub(super) mod ef_core;
pub(super) mod golang_migrate;
pub(super) mod goose;
pub(super) mod knex;
pub(super) mod laravel;
pub(super) mod maragudk;
pub(crate) mod named;
pub(super) mod prisma;
pub(super) mod rails;
pub(super) mod refinery;
pub(super) mod sql_migrate;
pub(super) mod sqlx;
pub(super) mod typeorm;
pub(super) mod user_version;

use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{LedgerReader, LedgerTable};

/// A migration tool whose ledger is understood: a line of [`TOOLS`].
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The name as its users write it: `golang-migrate`.
    pub(crate) name: &'static str,
    /// The ledgers that its versions write.
    pub(super) ledgers: &'static [LedgerTable],
    /// Turns a ledger's rows into what was applied.
    pub(super) reader: LedgerReader,
    /// The command that tells the tool what became of a migration that failed, or releases its lock.
    pub(crate) settled_by: Option<&'static str>,
    /// The table that keeps two programs from migrating at once.
    pub(crate) lock: Option<named::LockTable>,
    /// The rules by which files are its migrations.
    pub(super) rules: FolderRules,
    /// True if foreign keys are enforced while it migrates, unless the application sets it otherwise.
    pub(crate) foreign_keys: bool,
    /// Tables that it keeps in a store beside its ledger.
    pub(super) own_tables: &'static [&'static str],
    /// The response to a migration that was never applied though a later one was.
    pub(super) gap: Response,
    /// The response to an applied migration that is not in the folder.
    pub(crate) unknown: Response,
    /// The response to an applied migration whose file was changed.
    pub(super) edited: Response,
    /// The response to two files of one version.
    pub(super) twice: Response,
}

/// A tool is its name.
impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

/// The response of a tool to a difference between its ledger and the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Response {
    /// It runs the migration.
    Runs,
    /// It ends with an error and runs nothing.
    Refuses,
    /// It warns and goes on.
    Warns,
    /// It goes on without it and without a message.
    Ignores,
}

impl Dialect {
    /// Returns the tool of this name, whatever the case of its letters.
    pub(crate) fn of_name(name: &str) -> Option<&'static Self> {
        let found = TOOLS.iter().copied().find(|tool| tool.name.eq_ignore_ascii_case(name));
        // Whoever names it says that it counts the files, whatever their numbers look like.
        found.map(|tool| {
            if tool == &user_version::USER_VERSION {
                &user_version::USER_VERSION_BY_NAME
            } else {
                tool
            }
        })
    }

    /// Returns the names of all tools.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TOOLS.iter().map(|tool| tool.name)
    }
}

/// Every tool that is understood, in the order in which they are tried. Of a folder that fits several, it is the first: those whose
/// files no other tool has come before those that take any numbered file.
pub(super) static TOOLS: &[&Dialect] = &[
    &drizzle::DRIZZLE,
    &prisma::PRISMA,
    &goose::GOOSE,
    &sql_migrate::SQL_MIGRATE,
    &dbmate::DBMATE,
    &diesel::DIESEL,
    &refinery::REFINERY,
    &golang_migrate::GOLANG_MIGRATE,
    &sqlx::SQLX,
    &d1::D1,
    &maragudk::MARAGUDK,
    &user_version::USER_VERSION,
    // Their migrations are code: no more is known of them than their names.
    &rails::RAILS,
    &django::DJANGO,
    &alembic::ALEMBIC,
    &laravel::LARAVEL,
    &ecto::ECTO,
    &ef_core::EF_CORE,
    &typeorm::TYPEORM,
    &knex::KNEX,
];

#[cfg(test)]
mod tests;
