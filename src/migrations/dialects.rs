//! What other migration tools write into a store and keep in a folder: whose a ledger is and where it says that the store stands,
//! which files are a tool's migrations, and how the two agree.
//!
//! 1. A tool is one file in `dialects/` and one line in [`TOOLS`]: its ledger, its files, its order, its checksums. Tools whose
//!    migrations are code stand in `named`.
//! 2. `recognise` tells whose ledger a table is: by its columns with their declared types first, then by its name.
//! 3. `ledger` makes [`Applied`] of a ledger's rows. One that cannot be one is [`Malformed`](ledger::Malformed): row and column, never a value.
//! 4. `folder` reads a folder in bounds, and knows of no tool; `known` makes a tool's migrations of it, in the tool's order, split and
//!    wrapped as the tool does it. What is not SQL for SQLite keeps its place in the order, with the reason.
//! 5. Folder and ledger are independent: drizzle's files lie under D1's ledger somewhere. The ledger decides who ran.
//! 6. `standing` holds what is known against what was applied, and says what the tool itself would do about each difference; `agreement`
//!    puts the differences into sentences, for the report and the gate alike.
//! 7. `in_store` looks for ledgers through a handle and reads them, in bounds; `stands` says which of them counts, and where the store
//!    stands; `replayed` holds that against the store's own tables; `steps` and `rehearsed` hand the migrations to the engine that runs them on a copy. All the rest is made of plain values.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the tools themselves take names to the letter"
)]

mod agreement;
mod checksum;
pub(crate) mod folder;
mod in_store;
mod key;
mod known;
mod ledger;
mod named;
mod recognise;
mod rehearsed;
mod replayed;
mod sections;
mod sql_text;
mod standing;
mod stands;
mod steps;
mod toml;

mod d1;
mod dbmate;
mod diesel;
mod drizzle;
mod golang_migrate;
mod goose;
mod prisma;
mod refinery;
mod sqlx;
mod user_version;

pub(crate) use checksum::Difference;
pub(crate) use in_store::{applied, count, ledgers};
pub(crate) use key::Key;
pub(crate) use known::{Known, KnownSet, Script};
pub(crate) use ledger::{Applied, Note, Reach, State};
pub(crate) use recognise::{Recognised, Tool};
pub(crate) use rehearsed::{Tried, rehearse};
pub(crate) use standing::{Edited, NeverRun, NeverRunWhy, Twice};
pub(crate) use stands::{NOBODYS, Stands, candidates, whose};
pub(crate) use steps::shown_file;

use known::Rules;
use ledger::{Ledger, Reader};

/// A migration tool whose ledger is understood: a line of [`TOOLS`].
#[derive(Debug)]
pub(crate) struct Dialect {
    /// How people write it: `golang-migrate`.
    pub(crate) name: &'static str,
    /// The ledgers that its versions write.
    ledgers: &'static [Ledger],
    /// What a ledger's rows say.
    reader: Reader,
    /// The command that tells the tool what became of a migration that failed.
    pub(crate) settled_by: Option<&'static str>,
    /// Which files are its migrations.
    rules: Rules,
    /// Whether foreign keys hold while it migrates, unless the application says otherwise.
    pub(crate) foreign_keys: bool,
    /// Tables that it keeps in a store beside its ledger.
    own_tables: &'static [&'static str],
    /// What it does about a migration that was never applied though a later one was.
    gap: Response,
    /// What it does about an applied migration that is not in the folder.
    pub(crate) unknown: Response,
    /// What it does about an applied migration whose file was changed.
    edited: Response,
    /// What it does about two files of one version.
    twice: Response,
}

/// A tool is its name.
impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

/// What a tool does when the ledger and the folder do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Response {
    /// It runs the migration.
    Runs,
    /// It ends with an error and runs nothing.
    Refuses,
    /// It says so, and goes on all the same.
    Warns,
    /// It says nothing and goes on without it.
    Ignores,
}

impl Dialect {
    /// The tool of this name, in capitals or not.
    pub(crate) fn of_name(name: &str) -> Option<&'static Self> {
        TOOLS.iter().copied().find(|tool| tool.name.eq_ignore_ascii_case(name))
    }

    /// How all of them are called.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TOOLS.iter().map(|tool| tool.name)
    }
}

/// Every tool that is understood, in the order in which they are tried. Of a folder that fits several, it is the first: those whose
/// files no other tool has come before those that take any numbered file.
static TOOLS: &[&Dialect] = &[
    &drizzle::DRIZZLE,
    &prisma::PRISMA,
    &goose::GOOSE,
    &dbmate::DBMATE,
    &diesel::DIESEL,
    &refinery::REFINERY,
    &golang_migrate::GOLANG_MIGRATE,
    &sqlx::SQLX,
    &d1::D1,
    &user_version::USER_VERSION,
];

#[cfg(test)]
mod tests;
