//! Prisma Migrate: a folder for each migration, `NAME/migration.sql`; one row for each attempt; SHA-256, of any line ends.

use std::collections::BTreeMap;

use super::Dialect;
use super::Response;
use crate::application::{Content, Folder};
use crate::migrations::checksum::{self, Checksums};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, FolderRules, KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::ledger::{
    Applied, AppliedEntry, DeclaredColumn, Fit, LedgerNote, LedgerRows, LedgerState, LedgerTable, MalformedLedger,
};
use crate::migrations::steps::Transaction;
use crate::migrations::toml;

pub(in crate::migrations) static PRISMA: Dialect = Dialect {
    name: "Prisma",
    ledgers: &[LedgerTable {
        name: "_prisma_migrations",
        columns: &[
            DeclaredColumn::new("id", &["TEXT"]).not_null().key(),
            DeclaredColumn::new("checksum", &["TEXT"]).not_null().read(),
            DeclaredColumn::new("finished_at", &["DATETIME"]).read(),
            DeclaredColumn::new("migration_name", &["TEXT"]).not_null().read(),
            DeclaredColumn::new("logs", &["TEXT"]),
            DeclaredColumn::new("rolled_back_at", &["DATETIME"]).read(),
            DeclaredColumn::new("started_at", &["DATETIME"]).not_null(),
            DeclaredColumn::new("applied_steps_count", &["INTEGER UNSIGNED"]).not_null(),
        ],
        known_by_columns: true,
        fit: Fit::Exact,
    }],
    reader: applied,
    settled_by: Some("prisma migrate resolve"),
    lock: None,
    rules: FolderRules {
        looks: |folder| {
            let is_drizzles = |path: &std::path::Path| folder.file(path.join("snapshot.json")).is_some();
            folder
                .names_of_folders()
                .any(|(path, _)| folder.file(path.join("migration.sql")).is_some() && !is_drizzles(path))
        },
        read: |folder| Ok(migrations(folder)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    gap: Response::Runs,
    // `migrate deploy` goes on; `migrate status` says that the histories diverge.
    unknown: Response::Ignores,
    // `migrate deploy` and `migrate status` name it in a warning.
    edited: Response::Warns,
    twice: Response::Refuses,
};

/// The result of the attempts at one migration.
#[derive(Default)]
struct Attempts {
    applied: bool,
    checksum: Option<String>,
    failed: bool,
}

fn applied(rows: &LedgerRows<'_>) -> Result<Applied, MalformedLedger> {
    let mut attempts: BTreeMap<MigrationKey, Attempts> = BTreeMap::new();
    for row in rows.iter() {
        let attempts = attempts.entry(MigrationKey::text(row.name("migration_name")?)).or_default();
        match (row.is_null("finished_at"), row.is_null("rolled_back_at")) {
            (false, true) => {
                attempts.applied = true;
                attempts.checksum = row.checksum("checksum");
            }
            (true, true) => attempts.failed = true,
            // It was marked as rolled back: it counts as never tried.
            (_, false) => {}
        }
    }
    let mut entries = Vec::new();
    let mut rolled_back = 0;
    let mut state = LedgerState::Clean;
    for (key, attempts) in attempts {
        if attempts.failed && state == LedgerState::Clean {
            state = LedgerState::Failed(key.clone());
        }
        rolled_back += usize::from(!attempts.applied && !attempts.failed);
        if attempts.applied && !attempts.failed {
            entries.push(AppliedEntry::with_checksum(key, attempts.checksum));
        }
    }
    let notes = if rolled_back > 0 {
        vec![LedgerNote::RolledBack(rolled_back)]
    } else {
        Vec::new()
    };
    Ok(Applied {
        state,
        notes,
        ..Applied::each(entries)
    })
}

fn migrations(folder: &Folder) -> KnownSet {
    let mut set = KnownSet::new(&PRISMA);
    let lock = folder.file("migration_lock.toml").and_then(|file| file.text());
    let elsewhere = match lock.map(|text| toml::string(text, "provider")) {
        None | Some(Ok(None | Some("sqlite"))) => None,
        Some(Ok(Some("postgresql" | "cockroachdb"))) => Some(SkipReason::OtherDatabase("PostgreSQL")),
        Some(Ok(Some("mysql"))) => Some(SkipReason::OtherDatabase("MySQL")),
        Some(Ok(Some(_)) | Err(_)) => Some(SkipReason::OtherDatabase("a database that is not SQLite")),
    };
    for (path, name) in folder.names_of_folders() {
        let sql = path.join("migration.sql");
        let key = MigrationKey::text(name.clone());
        // Without a number before it, the whole name is the title.
        let title = name.split_once('_').map_or(name.as_str(), |(_, title)| title);
        let Some(file) = folder.file(&sql) else {
            set.known
                .push(KnownMigration::missing(key, title, &sql, SkipReason::Missing("migration.sql")));
            continue;
        };
        let mut known = KnownMigration::new(key, title, file, known::whole(file, Transaction::None));
        known.checksums = checksums(&file.content);
        if let Some(why) = &elsewhere {
            known.script = Script::NotReplayable(why.clone());
        }
        set.known.push(known);
    }
    if !set.known.iter().any(|known| folder.file(&known.file).is_some()) {
        set.known.clear();
    }
    set.known.sort_by_key(|known| known.key.clone());
    set.beside = known::code_within(folder, &set.known);
    set
}

/// Returns the checksums, as older versions wrote them too; Prisma itself takes other line ends for the same script.
fn checksums(content: &Content) -> Checksums {
    let both = |text: &str| vec![checksum::sha256(text), checksum::sha256_without_zeros(text)];
    let sums = match content {
        // It does not read such a file.
        Content::NotUtf8(_) => Checksums::default(),
        _ => Checksums::of_file(content, both, |sums| sums.sha256.clone()),
    };
    Checksums {
        tool_takes_other_line_ends: true,
        ..sums
    }
}
