//! What each check says, through the real binary: a file for each, named after it.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the daemon and the vandal: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

#[path = "../support/mod.rs"]
mod support;

mod artifacts;
mod file;
mod foreign_keys;
mod journal;
mod migration_history;
mod migration_rehearsal;
mod page_structure;
mod remedies;
mod row_values;
mod schema_shape;
mod strangers;
