//! sqlx: flat `N_name.sql` or `N_name.up.sql`, each in a transaction unless its first bytes say no; one row for each migration,
//! with SHA-384 of the whole file and a flag whether it succeeded.

use super::{Dialect, Response};
use crate::application::{Content, Folder};
use crate::migrations::checksum::{self, Checksums};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderMismatch, FolderRules, KnownMigration, KnownSet};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerRows, LedgerState, LedgerTable, MalformedLedger,
    reject_duplicates,
};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static SQLX: Dialect = Dialect {
    name: "sqlx",
    ledgers: &[LedgerTable {
        name: "_sqlx_migrations",
        columns: &[
            DeclaredColumn::new("version", &["BIGINT"]).key().read(),
            DeclaredColumn::new("description", &["TEXT"]).not_null(),
            DeclaredColumn::new("installed_on", &["TIMESTAMP"]).not_null(),
            DeclaredColumn::new("success", &["BOOLEAN"]).not_null().read(),
            DeclaredColumn::new("checksum", &["BLOB"]).not_null().read(),
            DeclaredColumn::new("execution_time", &["BIGINT"]).not_null(),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            let is_one = |name: String| parse(&name).is_some_and(|(version, _)| version.is_some());
            known::is_flat_and_plain(folder) && folder.flat().any(|file| is_one(file.name()))
        },
        read: migrations,
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Runs,
    unknown: Response::Refuses,
    edited: Response::Refuses,
    twice: Response::Refuses,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut entries = Vec::new();
    let mut failed: Option<MigrationKey> = None;
    for row in rows.iter() {
        let key = MigrationKey::number(row.integer("version")?);
        if row.flag("success")? {
            entries.push(AppliedEntry::with_checksum(key, row.checksum("checksum")));
        } else if failed.as_ref().is_none_or(|lowest| key < *lowest) {
            failed = Some(key);
        }
    }
    reject_duplicates(&entries)?;
    Ok(Applied {
        state: failed.map_or(LedgerState::Clean, LedgerState::Failed),
        ..Applied::each(entries)
    })
}

/// Returns a file's version, where a number stands there, and what follows it; none where sqlx passes the file over.
fn parse(name: &str) -> Option<(Option<i64>, &str)> {
    let (version, rest) = name.split_once('_').filter(|(_, rest)| rest.ends_with(".sql"))?;
    Some((version.parse().ok(), rest))
}

fn migrations(folder: &Folder) -> Result<KnownSet, FolderMismatch> {
    let mut set = KnownSet::new(&SQLX);
    for file in folder.flat() {
        let name = file.name();
        let Some((version, rest)) = parse(&name) else {
            continue;
        };
        let version = version.ok_or_else(|| FolderMismatch {
            dialect: &SQLX,
            file: Some(file.path.clone()),
            what: "before its first underscore stands no number",
        })?;
        if rest.ends_with(".down.sql") {
            continue;
        }
        let end = if rest.ends_with(".up.sql") { ".up.sql" } else { ".sql" };
        let description = rest.trim_end_matches(end).replace('_', " ");
        let bare = file.text().is_some_and(|text| text.starts_with("-- no-transaction"));
        let transaction = if bare { Transaction::None } else { Transaction::Each };
        set.known.push(KnownMigration {
            checksums: checksums(&file.content),
            ..KnownMigration::new(MigrationKey::number(version), description, file, known::whole(file, transaction))
        });
    }
    // Of one version, the file without a direction comes first.
    set.known
        .sort_by_key(|known| (known.key.clone(), known.file.to_string_lossy().ends_with(".up.sql")));
    set.beside = known::code_beside(folder.flat(), |digits| {
        digits.parse().ok().map(|version: i64| MigrationKey::number(version))
    });
    Ok(set)
}

/// Returns the checksums of a file. One that is not UTF-8 has none: sqlx does not read it.
fn checksums(content: &Content) -> Checksums {
    match content {
        Content::NotUtf8(_) => Checksums::default(),
        _ => Checksums::of_file(content, |text| vec![checksum::sqlx(text)], |sums| sums.sha384.clone()),
    }
}
