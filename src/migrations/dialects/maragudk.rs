//! maragudk/migrate: flat `NAME.up.sql` in the order of the names; one row, which holds the latest name alone.

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerRows, LedgerTable, MalformedLedger, Reach,
};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static MARAGUDK: Dialect = Dialect {
    name: "maragudk/migrate",
    ledgers: &[LedgerTable {
        name: "migrations",
        columns: &[DeclaredColumn::new("version", &["TEXT"]).read()],
        known_by_columns: false,
        fit: Fit::Names,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            // sqlx takes files without a direction among others.
            let has_direction = |file: &File| {
                let name = file.name();
                name.ends_with(".up.sql") || name.ends_with(".down.sql")
            };
            let mut all = folder.flat().filter(|file| file.name().ends_with(".sql"));
            known::is_flat_and_plain(folder) && all.all(has_direction) && !migrations(folder).known.is_empty()
        },
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    foreign_keys: false,
    own_tables: &[],
    // Only the latest name is kept, and what is not behind it is passed over.
    gap: Response::Ignores,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Runs,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut read = rows.iter();
    let version = match read.next() {
        None => "",
        Some(row) => row.text("version")?,
    };
    if read.next().is_some() {
        return Err(MalformedLedger::whole(format!("it has {} rows, and the tool keeps one", rows.len())));
    }
    // It begins with a row of no version.
    let entries = (!version.is_empty()).then(|| AppliedEntry::of(MigrationKey::text(version)));
    Ok(Applied {
        entries: entries.into_iter().collect(),
        reach: Reach::UpTo,
        ..Applied::nothing()
    })
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&MARAGUDK);
    for file in folder.flat() {
        let name = file.name();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let Some(version) = name.strip_suffix(".up.sql").filter(|version| version.chars().all(is_word)) else {
            continue;
        };
        set.known.push(KnownMigration::new(
            MigrationKey::text(version),
            version,
            file,
            known::whole(file, Transaction::Each),
        ));
    }
    set.known.sort_by_key(|known| known.key.clone());
    set.beside = known::code_beside(folder.flat(), |_| None);
    set
}
