//! Knex: code in the order of its names; one row for each, with the name of the file.

use super::{Dialect, Response, code};
use crate::migrations::dialects::named::LockTable;
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};

pub(in crate::migrations) static KNEX: Dialect = Dialect {
    name: "Knex",
    ledgers: &[LedgerTable {
        name: "knex_migrations",
        columns: &[
            DeclaredColumn::new("id", &[]),
            DeclaredColumn::new("name", &[]).read(),
            DeclaredColumn::new("batch", &[]),
            DeclaredColumn::new("migration_time", &[]),
        ],
        known_by_columns: true,
        fit: Fit::Names,
    }],
    reader: |rows| ledger::names(rows, "name", |name| MigrationKey::text(stem(name))),
    settled_by: Some("knex migrate:unlock"),
    lock: Some(LockTable {
        name: "knex_migrations_lock",
        columns: &["is_locked"],
        held: "is_locked IN (1, '1')",
    }),
    rules: FolderRules {
        looks: |folder| code::looks(folder, |name| parse(name).filter(|_| !digits(name).is_empty())),
        read: |folder| Ok(code::migrations(&KNEX, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &["knex_migrations_lock"],
    gap: Response::Runs,
    unknown: Response::Refuses,
    edited: Response::Ignores,
    twice: Response::Runs,
};

/// The ends of the names of the files that it loads, and that may be compiled one into the other.
const ENDS: &[&str] = &[".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"];

/// Returns a name without its end: where TypeScript is compiled, the ledger has another one than the folder.
fn stem(name: &str) -> &str {
    ENDS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Returns a migration's name.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    let stem = stem(name);
    let title = stem.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['_', '-']);
    (stem.len() < name.len() && stem != "index").then(|| (MigrationKey::text(stem), title.to_owned()))
}
