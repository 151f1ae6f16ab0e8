//! Migrations: the known ones, the ledger of those that were applied, where a store is among them, and whether the pending ones succeed.

pub(crate) mod daemon;
pub(crate) mod dialects;
pub(crate) mod schema;
