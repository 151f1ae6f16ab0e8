//! Cloudflare D1, by wrangler: every flat `.sql` file, called by its whole name, ordered by the number that it begins with.

use std::collections::HashMap;

use super::folder::Folder;
use super::known::{self, Known, KnownSet, Rules, Transaction};
use super::ledger::{self, Declared, Ledger};
use super::{Definition, Dialect, Key, Response};

pub(super) const D1: Definition = Definition {
    dialect: Dialect::D1,
    name: "D1",
    ledgers: &[Ledger {
        name: "d1_migrations",
        columns: &[
            Declared::new("id", &["INTEGER"]).key(),
            Declared::new("name", &["TEXT"]).read(),
            Declared::new("applied_at", &["TIMESTAMP"]).not_null(),
        ],
        // Three columns that anybody may think of: banger's have the same names.
        known_by_columns: false,
    }],
    reader: |rows| ledger::names(rows, "name", key),
    rules: Rules {
        looks: |folder| {
            let is_down = |name: String| name.ends_with(".down.sql");
            known::is_flat_and_plain(folder) && !folder.flat().any(|file| is_down(file.name()))
        },
        read: |folder| Ok(migrations(folder)),
    },
    // They cannot be switched off there: `defer_foreign_keys` only puts the check off, and stops no cascade.
    foreign_keys: true,
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    // A name is its own version.
    twice: Response::Runs,
};

/// wrangler sorts the names, and then again by the number before the first underscore.
fn key(name: &str) -> Key {
    Key::numbered(known::digits(name).parse().ok(), name)
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(Dialect::D1);
    for file in folder.flat() {
        let name = file.name();
        if name.ends_with(".sql") {
            // The file and the row for the ledger go to D1 together.
            set.known
                .push(Known::new(key(&name), name.clone(), file, known::whole(file, Transaction::Each)));
        }
    }
    set.known.sort_by_key(|known| known.key.clone());
    // Of two files with one number, the code belongs to the later.
    let keys: HashMap<i128, &Key> =
        set.known.iter().filter_map(|known| Some((known.key.as_number()?, &known.key))).collect();
    let beside = known::code_beside(folder.flat(), |digits| keys.get(&digits.parse().ok()?).copied().cloned());
    set.beside = beside;
    set
}
