//! golang-migrate: flat `N_name.up.sql`; one row, which holds the latest version alone, and a flag while it is at work.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerRows, LedgerState, LedgerTable, MalformedLedger, Reach,
};
use crate::migrations::sql_text::{self, First};
use crate::migrations::steps::Transaction;

pub(in crate::migrations) static GOLANG_MIGRATE: Dialect = Dialect {
    name: "golang-migrate",
    ledgers: &[LedgerTable {
        name: "schema_migrations",
        columns: &[
            DeclaredColumn::new("version", &["UINT64"]).read(),
            DeclaredColumn::new("dirty", &["BOOL"]).read(),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: applied,
    settled_by: Some("migrate force VERSION"),
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            // sqlx takes files with a direction among others; this tool passes the others over.
            let mut numbered = folder
                .flat()
                .filter(|file| file.name().ends_with(".sql") && !digits(&file.name()).is_empty());
            let leads_up = |file: &File| parse(&file.name()).is_some_and(|(_, _, up)| up);
            folder.flat().any(leads_up) && numbered.all(|file| parse(&file.name()).is_some())
        },
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    // mattn/go-sqlite3 and modernc.org/sqlite leave them off unless the address says otherwise.
    foreign_keys: false,
    own_tables: &[],
    // Only the latest version is kept: a migration before it that never ran leaves no trace.
    gap: Response::Ignores,
    unknown: Response::Refuses,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut read = rows.iter();
    let Some(first) = read.next() else {
        return Ok(Applied::nothing());
    };
    let several = read.next().is_some();
    // A second row was made by hand. The tool reads any one of them, so one that is dirty is the one that matters.
    let dirty = rows.iter().find(|row| row.flag("dirty").unwrap_or(false));
    let row = dirty.unwrap_or(first);
    if several && dirty.is_none() {
        return Err(MalformedLedger::whole(format!(
            "it has {} rows, and golang-migrate keeps one",
            rows.len()
        )));
    }
    let version = row.integer("version")?;
    let dirty = row.flag("dirty")?;
    // The way down from the first version ended half-way: -1 stands for "no version".
    if version < 0 && !(version == -1 && dirty) {
        return Err(row.wrong("version is below 0"));
    }
    let key = MigrationKey::number(version);
    let (entries, state) = if dirty {
        (Vec::new(), LedgerState::Dirty(key))
    } else {
        (vec![AppliedEntry::of(key)], LedgerState::Clean)
    };
    Ok(Applied {
        entries,
        reach: Reach::UpTo,
        state,
        ..Applied::nothing()
    })
}

/// Returns a file's version, its name, and whether it leads up: `^([0-9]+)_(.*)\.(down|up)\.(.*)$`, of which the last `.up.` counts.
fn parse(name: &str) -> Option<(u64, &str, bool)> {
    let digits = digits(name);
    let rest = name.get(digits.len()..)?.strip_prefix('_')?;
    if rest.contains('\n') {
        return None;
    }
    let up = rest.rfind(".up.");
    let down = rest.rfind(".down.");
    let end = up.max(down)?;
    Some((digits.parse().ok()?, rest.get(..end)?, up > down))
}

/// The files of one version.
struct Version<'a> {
    /// Those that lead up to it, with their titles.
    up: Vec<(&'a File, String)>,
    first: &'a Path,
}

fn migrations(folder: &Folder) -> KnownSet {
    // A version is there as soon as a file leads up to it or down from it.
    let mut versions: BTreeMap<u64, Version<'_>> = BTreeMap::new();
    for file in folder.flat() {
        let name = file.name();
        if let Some((version, title, up)) = parse(&name) {
            let version = versions.entry(version).or_insert_with(|| Version {
                up: Vec::new(),
                first: &file.path,
            });
            if up {
                version.up.push((file, title.to_owned()));
            }
        }
    }
    let mut set = KnownSet::new(&GOLANG_MIGRATE);
    for (version, Version { up, first }) in versions {
        let key = MigrationKey::number(version);
        if up.is_empty() {
            // It runs nothing, and writes the version all the same.
            let script = Script::Sql {
                batches: Vec::new(),
                transaction: Transaction::None,
            };
            set.known.push(KnownMigration {
                script,
                ..KnownMigration::missing(key.clone(), "", first, SkipReason::Missing("file that leads up"))
            });
        }
        for (file, title) in up {
            set.known
                .push(KnownMigration::new(key.clone(), title, file, known::whole(file, Transaction::Each)));
        }
    }
    set_transactions(&mut set);
    set.beside = known::code_beside(folder.flat(), |digits| {
        digits.parse().ok().map(|version: u64| MigrationKey::number(version))
    });
    set
}

/// Sets where transactions begin and end. The application decides whether files are wrapped, and no file says so. But one that begins a transaction of its own
/// cannot have been wrapped, and one that first commits must have been: it leaves the tool's transaction. The others are as these.
fn set_transactions(set: &mut KnownSet) {
    let first = |known: &KnownMigration| match &known.script {
        Script::Sql { batches, .. } => batches.iter().find_map(|sql| sql_text::first_of_transactions(sql)),
        Script::NotReplayable(_) => None,
    };
    let firsts: Vec<Option<First>> = set.known.iter().map(first).collect();
    let others = if firsts.contains(&Some(First::Begins)) && !firsts.contains(&Some(First::Commits)) {
        Transaction::None
    } else {
        Transaction::Each
    };
    for (known, first) in set.known.iter_mut().zip(firsts) {
        let Script::Sql { batches, transaction } = &mut known.script else {
            continue;
        };
        *transaction = match first {
            Some(First::Begins) => Transaction::OwnInFile,
            Some(First::Commits) => Transaction::Each,
            None if batches.is_empty() => Transaction::None,
            None => others,
        };
    }
}
