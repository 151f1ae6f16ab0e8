//! What other migration tools write into a store and keep in a folder. Plain values in, plain values out: nothing here
//! opens a database or prints.
//!
//! 1. A tool is one file in `dialects/` and one line in [`TOOLS`]: its ledger, its files, its order, its checksums.
//! 2. [`recognise`] tells whose ledger a table is: by its columns with their declared types first, then by its name.
//! 3. [`Recognised::select`] is the statement that reads a ledger, in bounds; [`Recognised::read`] makes [`Applied`] of its rows.
//! 4. [`folder::read`] reads a folder in bounds, and knows of no tool: paths and texts, and what could not be read.
//! 5. [`KnownSet::of`] makes a tool's migrations of a folder: in the tool's order, split and wrapped as the tool does it.
//! 6. Folder and ledger are independent: drizzle's files lie under D1's ledger somewhere. The ledger decides who ran.
//! 7. A [`Key`] is text with its tool's order. A checksum is text too, as the ledger has it, or in lower-case hex.
//! 8. What is not SQL for SQLite keeps its place in the order, as [`Script::NotReplayable`] with the reason.
//! 9. [`compare`] holds a known set against what was applied, and says what the tool itself would do about each difference.
//! 10. A ledger that cannot be one is [`Malformed`]: it names row and column, never a value. No input makes any of it panic.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the tools themselves take names to the letter"
)]

pub mod checksum;
pub mod folder;
pub mod key;
pub mod known;
pub mod ledger;
pub mod named;
pub mod recognise;
mod sections;
pub mod sql_text;
pub mod standing;
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

pub use folder::Folder;
pub use key::Key;
pub use known::{Known, KnownSet, NotFor, NotReplayable, Script, Transaction, Why};
pub use ledger::{Applied, Malformed, State, Value};
pub use recognise::{Column, Facts, Recognised, Table, Tool, recognise};
pub use standing::{Standing, compare};

use known::Rules;
use ledger::Reader;

/// A migration tool whose ledger and files are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// sqlx, of Rust.
    Sqlx,
    /// golang-migrate.
    GolangMigrate,
    /// drizzle, of TypeScript: the layout with a journal, and the one with a folder for each migration.
    Drizzle,
    /// Prisma Migrate.
    Prisma,
    /// goose, of Go; its files in SQL.
    Goose,
    /// Cloudflare D1, by wrangler.
    D1,
    /// diesel, of Rust.
    Diesel,
    /// No table: `PRAGMA user_version` counts the migrations, as `rusqlite_migration` does it.
    UserVersion,
    /// refinery, of Rust.
    Refinery,
    /// dbmate.
    Dbmate,
}

/// What a tool does when the ledger and the folder do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// It runs the migration.
    Runs,
    /// It ends with an error and runs nothing.
    Refuses,
    /// It says nothing and goes on without it.
    Ignores,
}

/// Everything that is known of a tool: a line of [`TOOLS`].
#[derive(Debug)]
pub(crate) struct Definition {
    dialect: Dialect,
    /// How people write it.
    name: &'static str,
    /// The ledgers that it writes, and how their rows are read; none where it has no table.
    ledgers: &'static [ledger::Ledger],
    reader: Reader,
    /// Which files are its migrations.
    rules: Rules,
    /// Whether foreign keys are on while it migrates, unless the application says otherwise.
    foreign_keys: bool,
    /// A migration that was never applied though a later one was.
    gap: Response,
    /// An applied migration that is not in the folder.
    unknown: Response,
    /// An applied migration whose file was changed.
    edited: Response,
    /// Two files of one version.
    twice: Response,
}

/// Every tool that is understood. The order is the one in which they are tried and named.
const TOOLS: &[&Definition] = &[
    &sqlx::SQLX,
    &golang_migrate::GOLANG_MIGRATE,
    &drizzle::DRIZZLE,
    &prisma::PRISMA,
    &goose::GOOSE,
    &d1::D1,
    &diesel::DIESEL,
    &refinery::REFINERY,
    &dbmate::DBMATE,
    &user_version::USER_VERSION,
];

impl Dialect {
    /// Every dialect.
    pub fn all() -> impl Iterator<Item = Self> {
        TOOLS.iter().map(|tool| tool.dialect)
    }

    /// The dialect of this name, as [`Dialect::name`] spells it, in capitals or not.
    pub fn of_name(name: &str) -> Option<Self> {
        TOOLS.iter().find(|tool| tool.name.eq_ignore_ascii_case(name)).map(|tool| tool.dialect)
    }

    /// How people write it: `golang-migrate`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Whether foreign keys are on while it migrates, unless the application says otherwise.
    pub fn foreign_keys(self) -> bool {
        self.definition().foreign_keys
    }

    /// What it does about a migration that was never applied though a later one was.
    pub fn on_gap(self) -> Response {
        self.definition().gap
    }

    /// What it does about an applied migration that is not in the folder.
    pub fn on_unknown(self) -> Response {
        self.definition().unknown
    }

    /// What it does about an applied migration whose file was changed.
    pub fn on_edited(self) -> Response {
        self.definition().edited
    }

    /// What it does about two files of one version.
    pub fn on_twice(self) -> Response {
        self.definition().twice
    }

    fn definition(self) -> &'static Definition {
        // Every variant has its line, which a test holds; the first stands in so that nothing here can panic.
        TOOLS.iter().find(|tool| tool.dialect == self).copied().unwrap_or(&sqlx::SQLX)
    }
}
