//! diesel: a folder for each migration, `VERSION_name/up.sql`; one row for each; the version is text, without its hyphens.

use std::path::Path;

use super::Dialect;
use super::Response;
use crate::application::{Content, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{self, DeclaredColumn, Fit, LedgerTable};
use crate::migrations::steps::Transaction;
use crate::migrations::toml;

pub(in crate::migrations) static DIESEL: Dialect = Dialect {
    name: "diesel",
    ledgers: &[LedgerTable {
        name: "__diesel_schema_migrations",
        columns: &[
            DeclaredColumn::new("version", &["VARCHAR(50)", "VARCHAR"]).not_null().key().read(),
            DeclaredColumn::new("run_on", &["TIMESTAMP"]).not_null(),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: |rows| ledger::names(rows, "version", |version| MigrationKey::text(version)),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            // Any name will do for diesel; a date is what its command gives.
            let is_dated = |name: &str| {
                name.split('_')
                    .next()
                    .is_some_and(|date| date.replace('-', "").parse::<u128>().is_ok_and(|date| date > 9_999_999))
            };
            folder
                .names_of_folders()
                .any(|(path, name)| is_dated(&name) && folder.file(path.join("up.sql")).is_some())
        },
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    // It keeps one of them and forgets the other.
    twice: Response::Ignores,
};

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&DIESEL);
    for (path, name) in folder.names_of_folders() {
        let version = name.split('_').next().unwrap_or_default().replace('-', "");
        let title = name.split_once('_').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        let key = MigrationKey::text(version);
        let up = path.join("up.sql");
        let Some(file) = folder.file(&up) else {
            set.known.push(KnownMigration::missing(key, title, &up, SkipReason::Missing("up.sql")));
            continue;
        };
        let script = match transaction(folder, path) {
            _ if file.text() == Some("") => Script::NotReplayable(SkipReason::ToolRefuses("it is empty")),
            Some(transaction) => known::whole(file, transaction),
            None => Script::NotReplayable(SkipReason::Metadata),
        };
        set.known.push(KnownMigration::new(key, title, file, script));
    }
    // A folder of folders without a single up.sql is another tool's.
    if !set.known.iter().any(|known| folder.file(&known.file).is_some()) {
        set.known.clear();
    }
    set.known.sort_by_key(|known| known.key.clone());
    set.beside = known::code_within(folder, &set.known);
    set
}

/// Returns the transaction that `metadata.toml` asks for. Where the file is there without the key, diesel takes that for "no"; none where the file is not
/// understood.
fn transaction(folder: &Folder, path: &Path) -> Option<Transaction> {
    let of = |in_transaction| {
        if in_transaction {
            Transaction::Each
        } else {
            Transaction::None
        }
    };
    match folder.file(path.join("metadata.toml")).map(|file| &file.content) {
        None => Some(Transaction::Each),
        Some(Content::Text(text)) => toml::flag(text, "run_in_transaction").ok().map(|flag| of(flag.unwrap_or(false))),
        Some(_) => None,
    }
}
