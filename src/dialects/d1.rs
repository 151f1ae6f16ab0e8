//! Cloudflare D1, by wrangler: one row for each file, called by its whole name and ordered by the number that it begins with.

use super::Dialect;
use super::key::Key;
use super::ledger::{self, Declared, Ledger};

pub(super) const D1: Dialect = Dialect {
    name: "D1",
    ledgers: &[Ledger {
        name: "d1_migrations",
        columns: &[
            Declared::new("id", &["INTEGER"]).key(),
            Declared::new("name", &["TEXT"]).read(),
            Declared::new("applied_at", &["TIMESTAMP"]).not_null(),
        ],
        // Three columns that anybody may think of: another application's ledger has the same names.
        known_by_columns: false,
    }],
    reader: |rows| ledger::names(rows, "name", Key::numbered),
    settled_by: None,
};
