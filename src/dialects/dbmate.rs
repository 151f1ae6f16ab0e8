//! dbmate: one row for each migration; the version is the digits of its file's name, as text.

use super::Dialect;
use super::key::Key;
use super::ledger::{self, Declared, Ledger};

pub(super) const DBMATE: Dialect = Dialect {
    name: "dbmate",
    ledgers: &[Ledger {
        name: "schema_migrations",
        columns: &[Declared::new("version", &["VARCHAR(128)", "VARCHAR(255)"]).key().read()],
        known_by_columns: false,
    }],
    reader: |rows| ledger::names(rows, "version", |version| Key::text(version)),
    settled_by: None,
};
