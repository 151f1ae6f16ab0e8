//! diesel: one row for each migration; the version is text, a date without its hyphens.

use super::Dialect;
use super::key::Key;
use super::ledger::{self, Declared, Ledger};

pub(super) const DIESEL: Dialect = Dialect {
    name: "diesel",
    ledgers: &[Ledger {
        name: "__diesel_schema_migrations",
        columns: &[
            Declared::new("version", &["VARCHAR(50)", "VARCHAR"]).not_null().key().read(),
            Declared::new("run_on", &["TIMESTAMP"]).not_null(),
        ],
        known_by_columns: true,
    }],
    reader: |rows| ledger::names(rows, "version", |version| Key::text(version)),
    settled_by: None,
};
