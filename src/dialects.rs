//! What other migration tools write into a store: whose ledger a table is, and where it says that the store stands.
//!
//! 1. A tool is one file in `dialects/` and one line in [`TOOLS`]. Those whose migrations are code stand in `named`.
//! 2. `recognise` tells whose ledger a table is: by its columns with their declared types first, then by its name.
//! 3. `ledger` makes [`Applied`] of a ledger's rows. One that cannot be one is [`Malformed`](ledger::Malformed): row and column, never a value.
//! 4. `in_store` looks for ledgers through a handle and reads them, in bounds. Nothing else here touches a store.

mod in_store;
mod key;
mod ledger;
mod named;
mod recognise;

mod d1;
mod dbmate;
mod diesel;
mod drizzle;
mod golang_migrate;
mod goose;
mod prisma;
mod refinery;
mod sqlx;

pub(crate) use in_store::{applied, count, ledgers};
pub(crate) use key::Key;
pub(crate) use ledger::{Applied, Note, Reach, State};
pub(crate) use recognise::{Recognised, Tool};

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
}

/// Every tool that is understood, in the order in which they are tried.
const TOOLS: &[&Dialect] = &[
    &sqlx::SQLX,
    &golang_migrate::GOLANG_MIGRATE,
    &drizzle::DRIZZLE,
    &prisma::PRISMA,
    &goose::GOOSE,
    &d1::D1,
    &diesel::DIESEL,
    &refinery::REFINERY,
    &dbmate::DBMATE,
];

#[cfg(test)]
mod tests;
