//! Entity Framework Core: `Migrations/TIME_Name.cs`; one row for each, with that name.

use super::{Dialect, Response, code};
use crate::migrations::dialects::named::LockTable;
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::FolderRules;
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};

pub(in crate::migrations) static EF_CORE: Dialect = Dialect {
    name: "EF Core",
    ledgers: &[LedgerTable {
        name: "__EFMigrationsHistory",
        columns: &[
            DeclaredColumn::new("MigrationId", &[]).read(),
            DeclaredColumn::new("ProductVersion", &[]),
        ],
        known_by_columns: false,
        fit: Fit::SomeNames,
    }],
    reader: |rows| ledger::names(rows, "MigrationId", |name| MigrationKey::text(name)),
    settled_by: Some("DELETE FROM __EFMigrationsLock"),
    lock: Some(LockTable {
        // Its one row is deleted when the lock is released.
        name: "__EFMigrationsLock",
        columns: &["Id", "Timestamp"],
        held: "TRUE",
    }),
    rules: FolderRules {
        looks: |folder| code::looks(folder, parse),
        read: |folder| Ok(code::migrations(&EF_CORE, folder, parse)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &["__EFMigrationsLock"],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

/// Returns a migration's name: that of its file, which begins with a time. Its designer's file beside it is none.
fn parse(name: &str) -> Option<(MigrationKey, String)> {
    const TIME: usize = 14;
    let stem = name.strip_suffix(".cs")?;
    let title = stem.get(TIME..)?.strip_prefix('_')?;
    (digits(stem).len() == TIME && !title.contains('.')).then(|| (MigrationKey::text(stem), title.to_owned()))
}
