//! The reader of SQLite's file format: held against SQLite on the same bytes, and against stores that nobody made in good
//! faith.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod computed;
mod damage;
mod differential;
mod foreign_keys;
mod fuzz;
mod hostile;
mod journal;
mod log;
mod pass;
mod random;
mod spatial;
mod sqlite;
mod stores;
mod targets;
mod values;
mod wal;
