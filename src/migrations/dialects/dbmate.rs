//! dbmate: flat `N….sql` with marked sections; one row for each; the version is the digits of the file's name, as text.

use super::Dialect;
use super::Response;
use crate::application::{File, Folder};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};
use crate::migrations::sections;

pub(in crate::migrations) static DBMATE: Dialect = Dialect {
    name: "dbmate",
    ledgers: &[LedgerTable {
        name: "schema_migrations",
        columns: &[DeclaredColumn::new("version", &["VARCHAR(128)", "VARCHAR(255)"]).key().read()],
        known_by_columns: false,
        fit: Fit::Exact,
    }],
    reader: |rows| ledger::names(rows, "version", |version| MigrationKey::text(version)),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| known::first_is_marked(folder, "migrate:up"),
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    foreign_keys: false,
    own_tables: &[],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    // The second cannot be written into the ledger.
    twice: Response::Refuses,
};

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&DBMATE);
    let is_migration = |file: &&File| file.name().ends_with(".sql") && !digits(&file.name()).is_empty();
    // The folder's files are ordered by their names already, as dbmate has them.
    for file in folder.flat().filter(is_migration) {
        let name = file.name();
        let version = digits(&name);
        let title = name
            .get(version.len()..)
            .unwrap_or_default()
            .trim_start_matches('_')
            .trim_end_matches(".sql");
        let script = known::marked(file, sections::dbmate);
        set.known.push(KnownMigration::new(MigrationKey::text(version), title, file, script));
    }
    let key = |digits: &str| (!digits.is_empty()).then(|| MigrationKey::text(digits));
    set.beside = known::code_beside(folder.flat(), key);
    set
}
