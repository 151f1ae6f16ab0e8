//! Each way of writing, statement by statement: through the whole handle, and through each guard alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::*;
use crate::store::ReadOnly;
use crate::store::sandbox::Sandbox;
use crate::store::{PrivateFolder, Purpose};
use rusqlite::OpenFlags;
use rusqlite::fallible_iterator::FallibleIterator;

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

/// Ways of writing.
const WAYS_TO_WRITE: &[&str] = &[
    "INSERT INTO t(b) VALUES ('x')",
    "INSERT INTO t SELECT a + 10, b, c FROM t",
    "UPDATE t SET b = 'x'",
    "DELETE FROM t",
    "REPLACE INTO t(a) VALUES (1)",
    "CREATE TABLE n(x)",
    "CREATE TABLE n AS SELECT * FROM t",
    "CREATE INDEX n ON t(b)",
    "CREATE VIEW n AS SELECT * FROM t",
    "CREATE TRIGGER n AFTER INSERT ON t BEGIN DELETE FROM t; END",
    "CREATE VIRTUAL TABLE n USING fts5(x)",
    "ALTER TABLE t RENAME TO n",
    "ALTER TABLE t ADD COLUMN d",
    "ALTER TABLE t DROP COLUMN c",
    "DROP TABLE t",
    "DROP INDEX t_b",
    "VACUUM",
    "VACUUM INTO 'n.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE; UPDATE t SET b = 'x'; COMMIT",
    "ATTACH 'n.db' AS n",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode = TRUNCATE; UPDATE t SET b = 'x'",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA incremental_vacuum",
    "PRAGMA optimize",
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'",
    "PRAGMA query_only = OFF; DELETE FROM t",
    "CREATE TEMP TABLE n(x)",
    "CREATE TEMP TABLE n(x); INSERT INTO n VALUES (1)",
    "SELECT load_extension('n.so')",
];

/// Statements that a guard alone does not refuse, in rollback mode (`false`) or in WAL mode (`true`), because there is nothing to
/// write: a store in rollback mode has no log to check-point, one in WAL mode is in WAL mode already, and the kernel does
/// not see a small temporary table, which stays in memory. That nothing is written is held against these as well, by the
/// bytes of the whole folder.
const NOTHING_TO_WRITE: &[(Guard, bool, &str)] = &[
    (Driver, false, "PRAGMA wal_checkpoint(TRUNCATE)"),
    (Driver, true, "PRAGMA journal_mode = WAL"),
    (Kernel, false, "PRAGMA wal_checkpoint(TRUNCATE)"),
    (Kernel, false, "CREATE TEMP TABLE n(x)"),
    (Kernel, false, "CREATE TEMP TABLE n(x); INSERT INTO n VALUES (1)"),
    (Kernel, true, "PRAGMA journal_mode = WAL"),
    (Kernel, true, "CREATE TEMP TABLE n(x)"),
    (Kernel, true, "CREATE TEMP TABLE n(x); INSERT INTO n VALUES (1)"),
];

/// A store in rollback mode or in WAL mode, whose log then holds something.
fn store(folder: &Path, wal: bool) -> PathBuf {
    let path = folder.join("state.db");
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("state.db");
    let conn = open(&source, OpenFlags::default());
    let mode = if wal { "WAL" } else { "DELETE" };
    let sql = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX t_b ON t(b); INSERT INTO t(a, b) VALUES (1, 'a'), (2, 'b')";
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
            bound(&mut conn, false, &Stop::never()).unwrap();
            query_only(&conn).unwrap();
            conn
        }
        Authorizer => {
            let mut conn = open(path, OpenFlags::default());
            // What SQLite writes as it closes a connection is no statement, and not the authorizer's to refuse.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
            authorize_reads_alone(&mut conn, Arc::default()).unwrap();
            conn
        }
        Kernel => open(path, OpenFlags::default()),
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

/// Tries every way of writing, each with a connection of its own behind this guard. Those that were not refused.
fn let_through(guard: Guard, wal: bool) -> Vec<&'static str> {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), wal);
    let before = content(folder.path());
    let try_all = move || {
        if guard == Kernel {
            // For this thread alone, and for good.
            let sandbox = Sandbox::enter(&PrivateFolder::for_stores::<&Path>(&[]), Purpose::default());
            assert!(
                matches!(sandbox, Sandbox::Landlock { .. }),
                "this test needs a kernel with Landlock: {sandbox}"
            );
        }
        let accepted = |sql: &&&str| !is_refused(&behind(guard, &path), &in_folder_of(&path, sql));
        WAYS_TO_WRITE.iter().filter(accepted).copied().collect()
    };
    let through = thread::spawn(try_all).join().unwrap();
    assert!(before == content(folder.path()), "{guard:?}, WAL: {wal}: something was written");
    through
}

/// The statement, with its new file beside the store.
fn in_folder_of(store: &Path, sql: &str) -> String {
    sql.replace("n.db", store.with_file_name("n.db").to_str().unwrap())
}

#[test]
fn each_guard_alone_refuses_every_way_of_writing() {
    for guard in [Driver, Authorizer, Kernel] {
        for wal in [false, true] {
            let nothing_to_write = NOTHING_TO_WRITE.iter().filter(|(g, w, _)| (*g, *w) == (guard, wal));
            let expected: Vec<&str> = nothing_to_write.map(|(.., sql)| *sql).collect();
            assert_eq!(let_through(guard, wal), expected, "{guard:?}, WAL: {wal}");
        }
    }
}

#[test]
fn the_whole_handle_refuses_every_way_of_writing() {
    for wal in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), wal);
        let before = content(folder.path());
        for sql in WAYS_TO_WRITE {
            let uri = format!("file:{}?mode=ro", path.display());
            let handle = ReadOnly::open(&uri, false, false, None, &Stop::never()).unwrap();
            assert!(is_refused(handle.connection(), &in_folder_of(&path, sql)), "{sql}");
        }
        assert!(before == content(folder.path()), "WAL: {wal}: something was written");
    }
}

#[test]
fn without_a_guard_the_same_statements_are_accepted() {
    // What is refused for another reason would prove nothing. Extensions are left out of SQLite when it is built.
    for sql in WAYS_TO_WRITE.iter().filter(|sql| !sql.contains("load_extension")) {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), true);
        assert!(!is_refused(&open(&path, OpenFlags::default()), &in_folder_of(&path, sql)), "{sql}");
    }
}

#[test]
fn without_the_authorizer_the_other_guards_still_hold() {
    for wal in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), wal);
        let before = content(folder.path());
        for sql in WAYS_TO_WRITE {
            let uri = format!("file:{}?mode=ro", path.display());
            let handle = ReadOnly::open(&uri, false, false, None, &Stop::never())
                .unwrap()
                .without_authorizer()
                .unwrap();
            let refused = is_refused(handle.connection(), &in_folder_of(&path, sql));
            let nothing_to_write = NOTHING_TO_WRITE.contains(&(Driver, wal, *sql));
            assert!(refused || nothing_to_write, "WAL: {wal}: {sql}");
        }
        assert!(before == content(folder.path()), "WAL: {wal}: something was written");
    }
}

#[test]
fn what_fts5_asks_for_is_allowed_and_no_more() {
    let pragma = |pragma_value| AuthAction::Pragma {
        pragma_name: "data_version",
        pragma_value,
    };
    assert!(only_reads(&pragma(None)) && !only_reads(&pragma(Some("1"))));
}

#[test]
fn a_strangers_store_is_opened_with_every_defence_that_sqlite_has() {
    use DbConfig::{
        SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_ENABLE_TRIGGER,
        SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        SQLITE_DBCONFIG_WRITABLE_SCHEMA,
    };
    let mut conn = Connection::open_in_memory().unwrap();
    bound(&mut conn, false, &Stop::never()).unwrap();
    for on in [
        SQLITE_DBCONFIG_DEFENSIVE,
        SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        SQLITE_DBCONFIG_ENABLE_FKEY,
    ] {
        assert!(conn.db_config(on).unwrap(), "{on:?}");
    }
    for off in [
        SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        SQLITE_DBCONFIG_ENABLE_TRIGGER,
        SQLITE_DBCONFIG_ENABLE_VIEW,
        SQLITE_DBCONFIG_WRITABLE_SCHEMA,
    ] {
        assert!(!conn.db_config(off).unwrap(), "{off:?}");
    }
    for limit in [
        Limit::SQLITE_LIMIT_ATTACHED,
        Limit::SQLITE_LIMIT_TRIGGER_DEPTH,
        Limit::SQLITE_LIMIT_WORKER_THREADS,
    ] {
        assert!(conn.limit(limit).unwrap() <= 1, "{limit:?}");
    }
    assert!(conn.limit(Limit::SQLITE_LIMIT_VDBE_OP).unwrap() <= 5_000_000);
    let numbers = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((numbers("PRAGMA cell_size_check"), numbers("PRAGMA temp_store")), (1, 2));

    let mut copy = Connection::open_in_memory().unwrap();
    prepare_rehearsal(&mut copy, true, &Stop::never()).unwrap();
    assert!(
        copy.db_config(SQLITE_DBCONFIG_DEFENSIVE).unwrap() && !copy.db_config(SQLITE_DBCONFIG_TRUSTED_SCHEMA).unwrap()
    );
    assert_eq!(copy.limit(Limit::SQLITE_LIMIT_ATTACHED).unwrap(), 0);
}
