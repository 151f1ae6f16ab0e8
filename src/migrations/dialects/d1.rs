//! Cloudflare D1, by wrangler: every flat `.sql` file; one row for each, called by its whole name and ordered by the number that it
//! begins with.

use std::collections::HashMap;

use super::{Dialect, Response};
use crate::application::Folder;
use crate::migrations::driver;
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet, Script};
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static D1: Dialect = Dialect {
    name: "D1",
    ledgers: &[LedgerTable {
        name: "d1_migrations",
        columns: &[
            DeclaredColumn::new("id", &["INTEGER"]).key(),
            DeclaredColumn::new("name", &["TEXT"]).read(),
            DeclaredColumn::new("applied_at", &["TIMESTAMP"]).not_null(),
        ],
        // Three common names: another application's ledger may have the same columns.
        known_by_columns: false,
        fit: Fit::Exact,
    }],
    reader: |rows| ledger::names(rows, "name", MigrationKey::numbered),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            let is_down = |name: String| name.ends_with(".down.sql");
            known::is_flat_and_plain(folder) && !folder.flat().any(|file| is_down(file.name()))
        },
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    // They cannot be switched off there: `defer_foreign_keys` only puts the check off, and stops no cascade.
    foreign_keys: true,
    // The emulator keeps its own things in the same file.
    own_tables: &["_cf_ALARM", "_cf_KV", "_cf_METADATA"],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    // A name is its own version.
    twice: Response::Runs,
};

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&D1);
    for file in folder.flat() {
        let name = file.name();
        if name.ends_with(".sql") {
            // The file and the row for the ledger go to D1 together.
            set.known.push(KnownMigration::new(
                MigrationKey::numbered(&name),
                name.clone(),
                file,
                known::split_as_node(file, |text| {
                    Ok(Script::Sql {
                        batches: vec![driver::d1::trim(text).into()],
                        transaction: Transaction::Each,
                    })
                }),
            ));
        }
    }
    set.known.sort_by_key(|known| known.key.clone());
    // Of two files with one number, the code belongs to the later.
    let keys: HashMap<i128, &MigrationKey> =
        set.known.iter().filter_map(|known| Some((known.key.as_number()?, &known.key))).collect();
    let beside = known::code_beside(folder.flat(), |digits| keys.get(&digits.parse().ok()?).copied().cloned());
    set.beside = beside;
    set
}
