//! Migrations: the known ones, the ledger of those that were applied, where a store is among them, and whether the pending ones succeed.
//!
//! 1. `dialects` has one file for each migration tool: its ledger, its files, its order, its checksums.
//! 2. `recognise` identifies a ledger's tool by the table's columns with their declared types first, then by its name.
//! 3. `ledger` turns a ledger's rows into the applied migrations. A row that cannot be one makes the ledger malformed: the message has row and
//!    column, never a value. `discovery` finds ledgers through a handle and reads them in bounds.
//! 4. `folder` reads a folder in bounds and knows no tool; `known` makes a tool's migrations of it, in the tool's order, split and
//!    wrapped as the tool does it. A file that is not SQL for SQLite keeps its place in the order, with the reason.
//! 5. Folder and ledger are independent: drizzle's files may be applied under D1's ledger. The ledger decides which tool ran.
//! 6. `diff` compares the known migrations with the applied ones and records what the tool itself would do about each difference;
//!    `agreement` puts the differences into sentences, for the report and the gate alike.
//! 7. `driver` has one line for each driver of a tool: in what its SQLite differs from the one in which migrations are rehearsed.
//! 8. `status` chooses the ledger that counts and holds all of this for one store; `shape` replays migrations and compares the schema;
//!    `rehearsal` runs the pending ones on a private copy.

pub(crate) mod agreement;
pub(crate) mod checksum;
pub(crate) mod daemon;
pub(crate) mod dialects;
pub(crate) mod diff;
pub(crate) mod discovery;
pub(crate) mod driver;
pub(crate) mod folder;
mod foreign;
pub(crate) mod key;
pub(crate) mod known;
pub(crate) mod ledger;
pub(crate) mod missing_rows;
pub(crate) mod position;
pub(crate) mod recognise;
pub(crate) mod rehearsal;
mod replay;
pub(crate) mod replayed;
pub(crate) mod runner;
pub(crate) mod schema_state;
mod sections;
pub(crate) mod shape;
mod sql_text;
pub(crate) mod status;
pub(crate) mod steps;
mod toml;
mod tool_runner;
