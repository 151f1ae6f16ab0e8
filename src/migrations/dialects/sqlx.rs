//! sqlx: flat `N_name.sql` or `N_name.up.sql`, each in a transaction unless its first bytes say no; one row for each migration,
//! with SHA-384 of the whole file and a flag whether it succeeded.

use super::{Dialect, Response};
use crate::application::Folder;
use crate::migrations::checksum::{self, Checksums};
use crate::migrations::key::Key;
use crate::migrations::known::{self, Known, KnownSet, NotFor, Rules};
use crate::migrations::ledger::{Applied, Declared, Entry, Ledger, Malformed, Rows, State, once};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static SQLX: Dialect = Dialect {
    name: "sqlx",
    ledgers: &[Ledger {
        name: "_sqlx_migrations",
        columns: &[
            Declared::new("version", &["BIGINT"]).key().read(),
            Declared::new("description", &["TEXT"]).not_null(),
            Declared::new("installed_on", &["TIMESTAMP"]).not_null(),
            Declared::new("success", &["BOOLEAN"]).not_null().read(),
            Declared::new("checksum", &["BLOB"]).not_null().read(),
            Declared::new("execution_time", &["BIGINT"]).not_null(),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: None,
    rules: Rules {
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

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut entries = Vec::new();
    let mut failed: Option<Key> = None;
    for row in rows.iter() {
        let key = Key::number(row.integer("version")?);
        if row.flag("success")? {
            entries.push(Entry::with_checksum(key, row.checksum("checksum")));
        } else if failed.as_ref().is_none_or(|lowest| key < *lowest) {
            failed = Some(key);
        }
    }
    once(&entries)?;
    Ok(Applied {
        state: failed.map_or(State::Clean, State::Failed),
        ..Applied::each(entries)
    })
}

/// A file's version, where a number stands there, and what follows it; none where sqlx passes the file over.
fn parse(name: &str) -> Option<(Option<i64>, &str)> {
    let (version, rest) = name.split_once('_').filter(|(_, rest)| rest.ends_with(".sql"))?;
    Some((version.parse().ok(), rest))
}

fn migrations(folder: &Folder) -> Result<KnownSet, NotFor> {
    let mut set = KnownSet::new(&SQLX);
    for file in folder.flat() {
        let name = file.name();
        let Some((version, rest)) = parse(&name) else {
            continue;
        };
        let version = version.ok_or_else(|| NotFor {
            dialect: &SQLX,
            file: Some(file.path.clone()),
            what: "before its first underscore stands no number",
        })?;
        if rest.ends_with(".down.sql") {
            continue;
        }
        let end = if rest.ends_with(".up.sql") { ".up.sql" } else { ".sql" };
        let description = rest.trim_end_matches(end).replace('_', " ");
        let text = file.text().unwrap_or_default();
        let bare = text.starts_with("-- no-transaction");
        let transaction = if bare { Transaction::None } else { Transaction::Each };
        set.known.push(Known {
            checksums: Checksums::of(text, |text| vec![checksum::sqlx(text)]),
            ..Known::new(Key::number(version), description, file, known::whole(file, transaction))
        });
    }
    // Of one version, the file without a direction comes first.
    set.known
        .sort_by_key(|known| (known.key.clone(), known.file.to_string_lossy().ends_with(".up.sql")));
    set.beside =
        known::code_beside(folder.flat(), |digits| digits.parse().ok().map(|version: i64| Key::number(version)));
    Ok(set)
}
