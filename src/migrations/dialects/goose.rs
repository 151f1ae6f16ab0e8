//! goose: flat `N_name.sql` with marked sections, and `N_name.go` among them; one row for each time something was applied, or, in
//! old versions, taken back.

use std::collections::BTreeMap;

use super::Dialect;
use super::Response;
use crate::application::{File, Folder};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerNote, LedgerRows, LedgerTable, MalformedLedger,
};
use crate::migrations::sections;

pub(in crate::migrations) static GOOSE: Dialect = Dialect {
    name: "goose",
    ledgers: &[LedgerTable {
        name: "goose_db_version",
        columns: &[
            DeclaredColumn::new("id", &["INTEGER"]).key().read(),
            DeclaredColumn::new("version_id", &["INTEGER"]).not_null().read(),
            DeclaredColumn::new("is_applied", &["INTEGER"]).not_null().read(),
            DeclaredColumn::new("tstamp", &["TIMESTAMP"]),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| known::first_is_marked(folder, "+goose"),
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    foreign_keys: false,
    own_tables: &[],
    gap: Response::Refuses,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    // Of a version's rows, the newest says whether it is applied.
    let mut newest: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
    for row in rows.iter() {
        let (id, version) = (row.integer("id")?, row.integer("version_id")?);
        let is_applied = row.flag("is_applied")?;
        let seen = newest.entry(version).or_insert((id, is_applied));
        if seen.0 < id {
            *seen = (id, is_applied);
        }
    }
    // The row that goose makes with the table: no migration.
    let mut notes = Vec::new();
    if newest.remove(&0).is_none() && rows.len() > 0 {
        notes.push(LedgerNote::NoZeroRow);
    }
    let all = newest.len();
    let applied = newest.into_iter().filter(|(_, (_, is_applied))| *is_applied);
    let entries: Vec<AppliedEntry> =
        applied.map(|(version, _)| AppliedEntry::of(MigrationKey::number(version))).collect();
    if all > entries.len() {
        notes.push(LedgerNote::RolledBack(all - entries.len()));
    }
    Ok(Applied {
        notes,
        ..Applied::each(entries)
    })
}

/// Returns the version of a file: a number above 0 before the first underscore. Tests of Go are no migrations.
fn version(name: &str) -> Option<i64> {
    let (number, _) = name.split_once('_').filter(|_| !name.ends_with("_test.go"))?;
    number.parse().ok().filter(|version| *version > 0)
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&GOOSE);
    let mut files: Vec<(i64, &File)> = folder.flat().filter_map(|file| Some((version(&file.name())?, file))).collect();
    files.sort_by_key(|(version, _)| *version);
    for (version, file) in files {
        let name = file.name();
        let script = if name.ends_with(".sql") {
            known::marked(file, sections::goose)
        } else if name.ends_with(".go") {
            Script::NotReplayable(SkipReason::Code("Go"))
        } else {
            continue;
        };
        let title = name
            .split_once('_')
            .map(|(_, rest)| rest.trim_end_matches(".sql").trim_end_matches(".go"));
        set.known.push(KnownMigration::new(
            MigrationKey::number(version),
            title.unwrap_or_default(),
            file,
            script,
        ));
    }
    set
}
