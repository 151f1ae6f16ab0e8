//! Rails: `db/migrate/N_name.rb`; one row for each, with the number as text.

use super::{Dialect, Response, code};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{Applied, AppliedEntry, DeclaredColumn, Fit, LedgerRows, LedgerTable, MalformedLedger};

pub(in crate::migrations) static RAILS: Dialect = Dialect {
    name: "Rails",
    ledgers: &[LedgerTable {
        name: "schema_migrations",
        columns: &[DeclaredColumn::new("version", &["VARCHAR", "VARCHAR(255)"]).read()],
        known_by_columns: false,
        fit: Fit::Names,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| code::looks(folder, parse),
        read: |folder| Ok(code::migrations(&RAILS, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &["ar_internal_metadata"],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let entries: Result<Vec<AppliedEntry>, MalformedLedger> = rows
        .iter()
        .map(|row| {
            let number: i64 = row.text("version")?.parse().map_err(|_| row.wrong("version is no number"))?;
            Ok(AppliedEntry::of(MigrationKey::number(number)))
        })
        .collect();
    Ok(Applied::each(entries?))
}

/// Returns a migration's number and name: `([0-9]+)_([_a-z0-9]*)\.?([_a-z0-9]*)?\.rb`.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    let number = digits(name);
    let title = name.get(number.len()..)?.strip_prefix('_')?.strip_suffix(".rb")?;
    let number: i64 = number.parse().ok()?;
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    title.chars().all(is_word).then(|| (MigrationKey::number(number), title.to_owned()))
}
