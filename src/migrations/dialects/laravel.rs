//! Laravel: `database/migrations/YYYY_MM_DD_hhmmss_name.php`; one row for each, with the name.

use super::{Dialect, Response, code};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};

pub(in crate::migrations) static LARAVEL: Dialect = Dialect {
    name: "Laravel",
    ledgers: &[LedgerTable {
        name: "migrations",
        columns: &[
            DeclaredColumn::new("id", &[]),
            DeclaredColumn::new("migration", &[]).read(),
            DeclaredColumn::new("batch", &[]),
        ],
        known_by_columns: false,
        fit: Fit::Names,
    }],
    reader: |rows| ledger::names(rows, "migration", |name| MigrationKey::text(name)),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| code::looks(folder, parse),
        read: |folder| Ok(code::migrations(&LARAVEL, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Ignores,
};

/// Returns a migration's name: that of its file, which begins with a date.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    let stem = name.strip_suffix(".php")?;
    let of_digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = stem.splitn(5, '_');
    let is_dated = [4, 2, 2, 6]
        .into_iter()
        .all(|count| parts.next().is_some_and(|part| of_digits(part, count)));
    let title = parts.next().filter(|_| is_dated)?;
    Some((MigrationKey::text(stem), title.to_owned()))
}
