//! The reader of SQLite's file format beside SQLite itself, on the same bytes.
#![no_main]

#[path = "../../crates/sqlite-format/tests/format/sqlite.rs"]
#[allow(dead_code, reason = "what only the tests ask")]
mod sqlite;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sqlite::hold_any_bytes(bytes));
