//! sql-migrate (rubenv): flat `.sql` files with marked sections; one row for each, called by its whole name and ordered by the number that
//! it begins with.

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};
use crate::migrations::sections;

pub(in crate::migrations) static SQL_MIGRATE: Dialect = Dialect {
    name: "sql-migrate",
    ledgers: &[LedgerTable {
        name: "gorp_migrations",
        columns: &[
            DeclaredColumn::new("id", &["VARCHAR(255)"]).read(),
            DeclaredColumn::new("applied_at", &["DATETIME"]),
        ],
        known_by_columns: false,
        fit: Fit::Names,
    }],
    reader: |rows| ledger::names(rows, "id", MigrationKey::numbered),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| known::first_is_marked(folder, "+migrate"),
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    // mattn/go-sqlite3 leaves them off unless the address says otherwise.
    foreign_keys: false,
    own_tables: &[],
    // It catches up with them first.
    gap: Response::Runs,
    unknown: Response::Refuses,
    edited: Response::Ignores,
    // A name is its own version.
    twice: Response::Runs,
};

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&SQL_MIGRATE);
    let is_migration = |file: &&File| file.name().ends_with(".sql");
    for file in folder.flat().filter(is_migration) {
        let name = file.name();
        let script = known::marked(file, sections::sql_migrate);
        set.known.push(KnownMigration::new(MigrationKey::numbered(&name), name, file, script));
    }
    set.known.sort_by_key(|known| known.key.clone());
    set
}
