//! Each way of writing, statement by statement: through the whole handle, and through each guard alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::OpenFlags;
use rusqlite::fallible_iterator::FallibleIterator;
use tempfile::TempDir;

use super::*;
use crate::sandbox::Sandbox;
use crate::store::ReadOnly;
use crate::store::read_write::Store;

/// A guard that is asked to hold by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// SQLite: opened `mode=ro`, bounded and defensive, `query_only`.
    Driver,
    /// The authorizer, on a connection opened for writing.
    Authorizer,
    /// The kernel, around a connection opened for writing.
    Kernel,
}

use Guard::{Authorizer, Driver, Kernel};

const ALL: &[Guard] = &[Driver, Authorizer, Kernel];

/// Ways of writing, and the guards that refuse each by themselves.
///
/// A guard that is not named lets the statement through because, behind that guard, it writes nothing to the store: the
/// test holds every guard to that as well, by the bytes of the whole folder.
const WAYS_TO_WRITE: &[(&str, &[Guard])] = &[
    ("INSERT INTO t VALUES (9, 'x')", ALL),
    ("INSERT INTO t SELECT a + 10, b FROM t", ALL),
    ("UPDATE t SET b = 'x'", ALL),
    ("DELETE FROM t", ALL),
    ("REPLACE INTO t VALUES (1, 'x')", ALL),
    ("CREATE TABLE n(x)", ALL),
    ("CREATE TABLE n AS SELECT * FROM t", ALL),
    ("CREATE INDEX n ON t(b)", ALL),
    ("CREATE VIEW n AS SELECT * FROM t", ALL),
    ("CREATE TRIGGER n AFTER INSERT ON t BEGIN DELETE FROM t; END", ALL),
    ("CREATE VIRTUAL TABLE n USING fts5(x)", ALL),
    ("ALTER TABLE t RENAME TO n", ALL),
    ("ALTER TABLE t ADD COLUMN c", ALL),
    ("ALTER TABLE t DROP COLUMN b", ALL),
    ("DROP TABLE t", ALL),
    ("DROP INDEX t_b", ALL),
    ("VACUUM", ALL),
    ("VACUUM INTO 'n.db'", ALL),
    ("REINDEX", ALL),
    ("ANALYZE", ALL),
    ("BEGIN IMMEDIATE; UPDATE t SET b = 'x'; COMMIT", ALL),
    ("ATTACH 'n.db' AS n", ALL),
    ("PRAGMA user_version = 7", ALL),
    ("PRAGMA application_id = 7", ALL),
    ("PRAGMA journal_mode = WAL", ALL),
    ("PRAGMA journal_mode = TRUNCATE", ALL),
    ("PRAGMA wal_checkpoint(TRUNCATE)", ALL),
    ("PRAGMA incremental_vacuum", ALL),
    ("PRAGMA optimize", ALL),
    ("PRAGMA writable_schema = ON", ALL),
    ("UPDATE sqlite_schema SET sql = 'x'", ALL),
    ("PRAGMA query_only = OFF", ALL),
    ("CREATE TEMP TABLE n(x)", ALL),
    ("CREATE TEMP TABLE n(x); INSERT INTO n VALUES (1)", ALL),
    ("SELECT load_extension('n.so')", ALL),
];

/// A store in rollback mode or in WAL mode, whose log then holds something.
fn store(folder: &Path, wal: bool) -> PathBuf {
    let path = folder.join("state.db");
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("state.db");
    let conn = open(&source, OpenFlags::default());
    let mode = if wal { "WAL" } else { "DELETE" };
    let sql =
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX t_b ON t(b); INSERT INTO t VALUES (1, 'a'), (2, 'b')";
    conn.execute_batch(&format!("PRAGMA journal_mode={mode}; {sql}")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let from = scratch.path().join(format!("state.db{suffix}"));
        if from.exists() {
            fs::copy(from, folder.join(format!("state.db{suffix}"))).unwrap();
        }
    }
    path
}

#[expect(clippy::disallowed_methods, reason = "writing is what is tried")]
fn open(path: &Path, flags: OpenFlags) -> Connection {
    Connection::open_with_flags(path, flags).unwrap()
}

/// Every file of a folder with its bytes, but for the wal-index: readers mark in it what they read.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// A connection behind one guard alone.
fn behind(guard: Guard, path: &Path) -> Connection {
    match guard {
        Driver => {
            let mut conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
            bound(&mut conn, &Stop::never()).unwrap();
            query_only(&conn).unwrap();
            conn
        }
        Authorizer => {
            let mut conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
            authorize_reads_alone(&mut conn).unwrap();
            conn
        }
        Kernel => open(path, OpenFlags::SQLITE_OPEN_READ_WRITE),
    }
}

/// Runs a batch to its end, rows and all. Whether it was refused.
fn is_refused(conn: &Connection, sql: &str) -> bool {
    let mut rest = rusqlite::Batch::new(conn, sql);
    loop {
        match rest.next() {
            Ok(None) => return false,
            Ok(Some(mut statement)) => {
                let mut run = || -> Result<()> {
                    let mut rows = statement.raw_query();
                    while rows.next()?.is_some() {}
                    Ok(())
                };
                if run().is_err() {
                    return true;
                }
            }
            Err(_) => return true,
        }
    }
}

/// Tries every way of writing, each with a connection of its own behind this guard. Which ones were refused.
fn refused_by(guard: Guard, wal: bool) -> Vec<&'static str> {
    let try_all = move || {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), wal);
        let before = content(folder.path());
        if guard == Kernel {
            // For this thread alone, and for good.
            let sandbox = Sandbox::enter(None);
            assert!(sandbox.holds(), "this test needs a kernel with Landlock: {sandbox}");
        }
        let refused = |(sql, _): &&(&'static str, _)| {
            is_refused(&behind(guard, &path), &sql.replace("n.db", &in_folder(&folder)))
        };
        let refused = WAYS_TO_WRITE.iter().filter(refused).map(|(sql, _)| *sql).collect();
        assert!(before == content(folder.path()), "{guard:?}: something was written");
        // The thread may no longer be allowed to remove it.
        (refused, folder)
    };
    let (refused, _folder) = thread::spawn(try_all).join().unwrap();
    refused
}

fn in_folder(folder: &TempDir) -> String {
    folder.path().join("n.db").to_str().unwrap().to_owned()
}

#[test]
fn each_guard_alone_refuses_what_would_write_and_lets_nothing_be_written() {
    for guard in ALL {
        for wal in [false, true] {
            let expected = WAYS_TO_WRITE.iter().filter(|(_, guards)| guards.contains(guard));
            let expected: Vec<&str> = expected.map(|(sql, _)| *sql).collect();
            assert_eq!(refused_by(*guard, wal), expected, "{guard:?}, WAL: {wal}");
        }
    }
}

#[test]
fn the_whole_handle_refuses_every_way_of_writing() {
    for wal in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), wal);
        let before = content(folder.path());
        for (sql, _) in WAYS_TO_WRITE {
            let uri = format!("file:{}?mode=ro", path.display());
            let handle = ReadOnly::open(&uri, false, None, &Stop::never()).unwrap();
            assert!(is_refused(handle.connection(), sql), "{sql}");
        }
        assert!(before == content(folder.path()), "something was written");
    }
}

#[test]
fn without_a_guard_the_same_statements_do_write() {
    // What none of them needs to be refused would prove nothing.
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(&folder.path().join("other.db")));
    for (sql, _) in WAYS_TO_WRITE.iter().filter(|(sql, _)| !sql.contains("load_extension")) {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), false);
        let conn = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let refused = is_refused(&conn, &sql.replace("n.db", &in_folder(&folder)));
        assert!(!refused || sql.contains("sqlite_schema"), "{sql}");
    }
}
