//! drizzle, in both layouts. Up to 0.4x: flat `NNNN_name.sql` in the order of `meta/_journal.json`, called by the time in it; what
//! is older than the newest applied one is never run. From 1.0 on: `YYYYMMDDhhmmss_name/migration.sql`, called by the folder's name.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Dialect, Response};
use crate::application::{File, Folder};
use crate::migrations::checksum::{self, Checksums};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::known::{self, FolderMismatch, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerNote, LedgerRows, LedgerTable, LedgerValue, MalformedLedger,
};
use crate::migrations::steps::{SqlText, Transaction};

/// Not the rowid's alias: in every row that was written with the first of these types, it is NULL.
const ID: DeclaredColumn = DeclaredColumn::new("id", &["SERIAL"]).key();
const ID_SINCE_1: DeclaredColumn = DeclaredColumn::new("id", &["SERIAL", "INTEGER"]).key();
const HASH: DeclaredColumn = DeclaredColumn::new("hash", &["TEXT"]).not_null().read();
const CREATED_AT: DeclaredColumn = DeclaredColumn::new("created_at", &["NUMERIC"]).read();

pub(in crate::migrations) static DRIZZLE: Dialect = Dialect {
    name: "drizzle",
    ledgers: &[
        LedgerTable {
            name: "__drizzle_migrations",
            columns: &[ID, HASH, CREATED_AT],
            known_by_columns: true,
            fit: Fit::Exact,
        },
        LedgerTable {
            name: "__drizzle_migrations",
            columns: &[
                ID_SINCE_1,
                HASH,
                CREATED_AT,
                DeclaredColumn::new("name", &["TEXT"]).read(),
                DeclaredColumn::new("applied_at", &["TEXT"]),
            ],
            known_by_columns: true,
            fit: Fit::Exact,
        },
    ],
    reader: applied,
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            let is_one = |(path, name): (&Path, String)| {
                folder.file(path.join("migration.sql")).is_some() && when_of_name(&name).is_some()
            };
            let prismas = folder.file("migration_lock.toml").is_some();
            folder.file(JOURNAL).is_some() || (!prismas && folder.names_of_folders().any(is_one))
        },
        read: migrations,
        aligned: Some(aligned),
    },
    foreign_keys: true,
    own_tables: &[],
    // With a journal; where folders are called by their names, it is run: see [`by_folders`].
    gap: Response::Ignores,
    unknown: Response::Ignores,
    // The hash is written and never compared.
    edited: Response::Ignores,
    twice: Response::Ignores,
};

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut entries = Vec::new();
    let mut nameless = 0;
    for row in rows.iter() {
        // A number in JavaScript may be stored as either kind.
        let when = match row.value("created_at") {
            LedgerValue::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => whole(*real),
            _ => row.integer("created_at")?,
        };
        nameless += usize::from(row.is_null("name"));
        let key = if row.is_null("name") {
            MigrationKey::number(when)
        } else {
            MigrationKey::text(row.name("name")?)
        };
        entries.push(AppliedEntry {
            when: Some(when),
            ..AppliedEntry::with_checksum(key, row.checksum("hash"))
        });
    }
    // All rows are nameless in the old layout; in the new one, none should be.
    let notes = if nameless > 0 && nameless < entries.len() {
        vec![LedgerNote::Nameless(nameless)]
    } else {
        Vec::new()
    };
    let mut seen = HashSet::new();
    entries.retain(|entry| seen.insert(entry.key.clone()));
    Ok(Applied {
        notes,
        ..Applied::each(entries)
    })
}

/// Returns the whole number that a floating-point value holds exactly.
fn whole(real: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the caller saw that it is whole and small enough"
    )]
    let whole = real as i64;
    whole
}

const JOURNAL: &str = "meta/_journal.json";

const BREAKPOINT: &str = "--> statement-breakpoint";

fn is_called_by_name(known: &KnownMigration) -> bool {
    known.key.as_number().is_none()
}

#[derive(Deserialize)]
struct Journal {
    dialect: Option<String>,
    entries: Vec<JournalEntry>,
}

#[derive(Deserialize)]
struct JournalEntry {
    when: f64,
    tag: String,
}

fn migrations(folder: &Folder) -> Result<KnownSet, FolderMismatch> {
    match folder.file(JOURNAL) {
        Some(file) => by_journal(folder, file),
        None => Ok(by_folders(folder)),
    }
}

fn by_journal(folder: &Folder, file: &File) -> Result<KnownSet, FolderMismatch> {
    let wrong = |what| FolderMismatch {
        dialect: &DRIZZLE,
        file: Some(PathBuf::from(JOURNAL)),
        what,
    };
    let text = file.text().ok_or_else(|| wrong("it could not be read"))?;
    let journal: Journal =
        serde_json::from_str(text).map_err(|_| wrong("it is not a journal as drizzle-kit writes it"))?;
    let elsewhere = match journal.dialect.as_deref() {
        None | Some("sqlite" | "turso") => None,
        Some("postgresql" | "pg") => Some("PostgreSQL"),
        Some("mysql") => Some("MySQL"),
        Some(_) => Some("a database that is not SQLite"),
    };
    let mut set = KnownSet::new(&DRIZZLE);
    let mut listed = HashSet::new();
    for entry in journal.entries {
        if entry.when.fract() != 0.0 || entry.when.abs() >= 9e15 {
            return Err(wrong("a time in it is no whole number"));
        }
        let when = whole(entry.when);
        let path = PathBuf::from(format!("{}.sql", entry.tag));
        let title = entry.tag.get(digits(&entry.tag).len()..).unwrap_or_default().trim_start_matches('_');
        let mut known = match folder.file(&path).filter(|file| file.is_flat()) {
            Some(file) => migration(MigrationKey::number(when), title, file),
            None => KnownMigration::missing(MigrationKey::number(when), title, &path, SkipReason::NotThere),
        };
        if let (Some(whose), Script::Sql { .. }) = (elsewhere, &known.script) {
            known.script = Script::NotReplayable(SkipReason::OtherDatabase(whose));
        }
        known.when = Some(when);
        set.known.push(known);
        listed.insert(path);
    }
    // drizzle-kit numbers its files; a file without a number is not its own.
    let numbered = |name: String| name.ends_with(".sql") && !digits(&name).is_empty();
    let sql = folder.flat().filter(|file| numbered(file.name()));
    set.unlisted = sql.map(|file| file.path.clone()).filter(|path| !listed.contains(path)).collect();
    Ok(set)
}

fn by_folders(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&DRIZZLE);
    set.on_gap = Response::Runs;
    for (path, name) in folder.names_of_folders() {
        // A folder without the file is passed over.
        let Some(file) = folder.file(path.join("migration.sql")) else {
            continue;
        };
        let title = name.split_once('_').map_or("", |(_, title)| title);
        set.known.push(KnownMigration {
            when: when_of_name(&name),
            ..migration(MigrationKey::text(name.clone()), title, file)
        });
    }
    // The names begin with digits; where two differ only behind them, drizzle asks the locale, which is not known here.
    set.known.sort_by_key(|known| known.key.clone());
    set.beside = known::code_within(folder, &set.known);
    set
}

fn migration(key: MigrationKey, title: &str, file: &File) -> KnownMigration {
    let script = known::split_as_node(file, |text| {
        Ok(Script::Sql {
            batches: SqlText::split(text, BREAKPOINT),
            transaction: Transaction::AllPending,
        })
    });
    KnownMigration {
        checksums: Checksums::of_file(&file.content, |text| vec![checksum::sha256(text)], |sums| sums.sha256.clone()),
        ..KnownMigration::new(key, title, file, script)
    }
}

/// Returns the time in a folder's name, `YYYYMMDDhhmmss`, in milliseconds since 1970.
fn when_of_name(name: &str) -> Option<i64> {
    let digits = name.get(..14).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let time = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Returns the applied migrations under the names of this set. A ledger and a folder may be of different layouts: the old migrator reads
/// the times of a new ledger; the new one gives the rows of an old ledger names, by their time to the second, and by their
/// hash where that does not tell.
pub(in crate::migrations) fn aligned(set: &KnownSet, mut applied: Applied) -> Applied {
    let by_time = !set.known.iter().any(is_called_by_name);
    let mut by_second: HashMap<i64, Vec<&KnownMigration>> = HashMap::new();
    let mut by_hash: HashMap<&str, &KnownMigration> = HashMap::new();
    for known in set.known.iter().filter(|_| !by_time) {
        by_second.entry(known.when.unwrap_or_default().div_euclid(1000)).or_default().push(known);
        by_hash.extend(known.checksums.own.iter().map(|hash| (hash.as_str(), known)));
    }
    for entry in &mut applied.entries {
        let Some(when) = entry.when else { continue };
        if by_time {
            entry.key = MigrationKey::number(when);
        } else if entry.key.as_number().is_some() {
            let hash = entry.checksum.as_deref().unwrap_or_default();
            let same_second = by_second.get(&when.div_euclid(1000)).map(Vec::as_slice).unwrap_or_default();
            let found = match same_second {
                [one] => Some(*one),
                [] => by_hash.get(hash).copied(),
                several => several.iter().find(|known| known.checksums.own.iter().any(|own| own == hash)).copied(),
            };
            if let Some(known) = found {
                entry.key = known.key.clone();
            }
        }
    }
    applied.entries.sort_by(|a, b| a.key.cmp(&b.key));
    applied
}
