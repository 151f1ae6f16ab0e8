//! `TypeORM`: `TIME-Name.ts`, in milliseconds since 1970; one row for each, with the time and the name of its class.

use super::{Dialect, Response, code};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};

pub(in crate::migrations) static TYPEORM: Dialect = Dialect {
    name: "TypeORM",
    ledgers: &[LedgerTable {
        name: "migrations",
        columns: &[
            DeclaredColumn::new("id", &["INTEGER"]),
            DeclaredColumn::new("timestamp", &["BIGINT"]).read(),
            DeclaredColumn::new("name", &["VARCHAR"]),
        ],
        known_by_columns: true,
        fit: Fit::Names,
    }],
    reader: |rows| ledger::numbers(rows, "timestamp"),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| code::looks(folder, parse),
        read: |folder| Ok(code::migrations(&TYPEORM, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &["typeorm_metadata"],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Runs,
};

/// Returns a migration's time and name: `TIME-Name.ts`, or `NameTIME.ts` as its class is called.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    /// The fewest digits of a time in milliseconds.
    const SHORTEST: usize = 10;
    let (stem, end) = name.rsplit_once('.')?;
    if !matches!(end, "ts" | "mts" | "cts" | "js" | "mjs" | "cjs") {
        return None;
    }
    let first = digits(stem);
    let title = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let last = stem.get(title.len()..)?;
    let (time, title) = if first.len() >= SHORTEST {
        (first, stem.get(first.len()..)?.trim_start_matches(['-', '_']))
    } else if last.len() >= SHORTEST {
        (last, title)
    } else {
        return None;
    };
    let time: i64 = time.parse().ok()?;
    Some((MigrationKey::number(time), title.to_owned()))
}
