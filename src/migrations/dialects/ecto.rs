//! Ecto: `priv/repo/migrations/N_name.exs`; one row for each, with the number.

use super::{Dialect, Response, code};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};

pub(in crate::migrations) static ECTO: Dialect = Dialect {
    name: "Ecto",
    ledgers: &[LedgerTable {
        name: "schema_migrations",
        columns: &[
            DeclaredColumn::new("version", &["INTEGER", "BIGINT"]).read(),
            DeclaredColumn::new("inserted_at", &[]),
        ],
        known_by_columns: false,
        fit: Fit::Names,
    }],
    reader: |rows| ledger::numbers(rows, "version"),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| code::looks(folder, parse),
        read: |folder| Ok(code::migrations(&ECTO, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

/// Returns a migration's number and name: `N_name.exs`.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    let number = digits(name);
    let title = name.get(number.len()..)?.strip_prefix('_')?.strip_suffix(".exs")?;
    let number: i64 = number.parse().ok()?;
    Some((MigrationKey::number(number), title.to_owned()))
}
