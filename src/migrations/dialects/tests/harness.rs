//! Ledgers as their tools wrote them, loaded into memory, and copies of the folders that they were made from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use tempfile::TempDir;

use crate::application::Folder;
use crate::limits::stop::Stop;
use crate::migrations::dialects::d1::D1;
use crate::migrations::dialects::dbmate::DBMATE;
use crate::migrations::dialects::diesel::DIESEL;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::golang_migrate::GOLANG_MIGRATE;
use crate::migrations::dialects::goose::GOOSE;
use crate::migrations::dialects::prisma::PRISMA;
use crate::migrations::dialects::refinery::REFINERY;
use crate::migrations::dialects::sqlx::SQLX;
use crate::migrations::dialects::user_version::USER_VERSION;
use crate::migrations::dialects::{Dialect, user_version};
use crate::migrations::diff::{LedgerDiff, compare};
use crate::migrations::discovery::{ledgers, read_ledger};
use crate::migrations::folder::{self, FolderLimits};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::KnownSet;
use crate::migrations::ledger::Applied;
use crate::migrations::recognise::Tool;
use crate::store::ReadOnly;

/// Every pair of a folder and a ledger that a tool made of it, with what was applied: all but the last migration.
pub(super) static WRITTEN: &[(&str, &str, &Dialect)] = &[
    ("sqlx", "ledger", &SQLX),
    ("golang-migrate", "ledger", &GOLANG_MIGRATE),
    ("drizzle", "ledger", &DRIZZLE),
    ("drizzle", "ledger-libsql", &DRIZZLE),
    ("drizzle-folders", "ledger", &DRIZZLE),
    ("drizzle-upgraded", "ledger", &DRIZZLE),
    ("prisma", "ledger", &PRISMA),
    ("goose", "ledger", &GOOSE),
    ("d1", "ledger", &D1),
    ("diesel", "ledger", &DIESEL),
    ("refinery", "ledger", &REFINERY),
    ("refinery", "ledger-int8", &REFINERY),
    ("dbmate", "ledger", &DBMATE),
    ("rusqlite_migration", "ledger", &USER_VERSION),
];

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialects")
}

/// A store in memory.
pub(super) struct Store(Connection);

impl Store {
    pub(super) fn of(sql: &str) -> Self {
        let store = Self(Connection::open_in_memory().unwrap());
        store.run(sql);
        store
    }

    /// A ledger as its tool wrote it: `sqlx/ledger`.
    pub(super) fn written(name: &str) -> Self {
        Self::of(&fs::read_to_string(fixtures().join(format!("{name}.sql"))).unwrap())
    }

    pub(super) fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Its tables, ordered.
    pub(super) fn tables(&self) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        self.handle().collect(sql, [], |row| row.get(0)).unwrap()
    }

    fn handle(&self) -> ReadOnly {
        let mut copy = Connection::open_in_memory().unwrap();
        Backup::new(&self.0, &mut copy)
            .unwrap()
            .run_to_completion(100, Duration::ZERO, None)
            .unwrap();
        ReadOnly::guarded(copy, None, &Stop::never()).unwrap()
    }

    /// Its ledger's table; none where `user_version` is all there is.
    pub(super) fn ledger(&self) -> Option<String> {
        ledgers(&self.handle()).unwrap().into_iter().next().map(|ledger| ledger.table)
    }

    pub(super) fn applied(&self) -> Applied {
        let handle = self.handle();
        let Some(ledger) = ledgers(&handle).unwrap().into_iter().next() else {
            return user_version::applied(handle.number("PRAGMA user_version").unwrap()).unwrap();
        };
        match ledger.tool {
            Tool::Understood(dialect, layout) => read_ledger(&handle, dialect, layout, &ledger.table).unwrap().unwrap(),
            Tool::Named(named) => panic!("{}", named.name),
        }
    }
}

/// A copy of a folder of migrations, to be changed.
pub(super) struct Migrations {
    root: TempDir,
}

impl Migrations {
    /// The folder that a ledger was made from.
    pub(super) fn of(tool: &str) -> Self {
        let copy = Self::empty();
        copy_all(&fixtures().join(tool).join("migrations"), copy.root.path());
        copy
    }

    pub(super) fn empty() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with these files.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::empty();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Takes a migration out: its file, or its whole folder where it has one.
    pub(super) fn remove(&self, path: &Path) {
        let whole = self.root.path().join(path);
        if path.ends_with("up.sql") || path.ends_with("migration.sql") {
            fs::remove_dir_all(whole.parent().unwrap()).unwrap();
        } else {
            fs::remove_file(whole).unwrap();
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) {
        fs::rename(self.root.path().join(from), self.root.path().join(to)).unwrap();
    }

    /// Changes the text of a file.
    pub(super) fn edit(&self, path: &Path, change: impl Fn(&str) -> String) {
        let path = self.root.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(&text)).unwrap();
    }

    pub(super) fn read(&self) -> Folder {
        folder::read(self.root.path(), &FolderLimits::default()).unwrap()
    }

    pub(super) fn known(&self, dialect: &'static Dialect) -> KnownSet {
        KnownSet::of(&self.read(), dialect).unwrap()
    }

    pub(super) fn diff(&self, dialect: &'static Dialect, store: &Store) -> LedgerDiff {
        compare(&self.known(dialect), &store.applied())
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Text with every line ending in `\r\n`.
pub(super) fn windows(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// The keys as text.
pub(super) fn texts(keys: &[MigrationKey]) -> Vec<std::borrow::Cow<'_, str>> {
    keys.iter().map(MigrationKey::as_text).collect()
}
