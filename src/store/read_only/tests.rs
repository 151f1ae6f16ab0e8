//! The view of a handle while other connections write, and the time for which it waits for them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::*;
use crate::limits::stop::Stopped;

/// A database with one row, in this journal mode.
fn database(folder: &Path, mode: &str) -> (PathBuf, Connection) {
    let path = folder.join("t.db");
    let conn = writer(&path);
    conn.execute_batch(&format!("PRAGMA journal_mode={mode}; CREATE TABLE t(x); INSERT INTO t VALUES (1)"))
        .unwrap();
    (path, conn)
}

fn writer(path: &Path) -> Connection {
    #[expect(clippy::disallowed_methods, reason = "the test plays the daemon")]
    Connection::open(path).unwrap()
}

fn open(path: &Path, stop: &Stop) -> Result<ReadOnly> {
    ReadOnly::open(&format!("file:{}?mode=ro", path.display()), false, false, None, stop)
}

const ROWS: &str = "SELECT count(*) FROM t";

#[test]
fn a_handle_sees_the_store_of_one_moment_beside_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (path, conn) = database(folder.path(), "WAL");
    let handle = open(&path, &Stop::never()).unwrap();
    // Before its first look at the table, after it, and after a statement that failed.
    conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(handle.number(ROWS).unwrap(), 1);
    conn.execute_batch("INSERT INTO t VALUES (3); CREATE TABLE u(x)").unwrap();
    assert!(handle.number("SELECT count(*) FROM u").is_err());
    assert_eq!(handle.number(ROWS).unwrap(), 1);
    assert_eq!(open(&path, &Stop::never()).unwrap().number(ROWS).unwrap(), 3);
}

#[test]
fn a_copy_is_of_the_same_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (path, conn) = database(folder.path(), "WAL");
    let handle = open(&path, &Stop::never()).unwrap();
    conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    let mut copy = Connection::open_in_memory().unwrap();
    handle.back_up_to(&mut copy).unwrap();
    assert_eq!(copy.query_row(ROWS, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn who_waits_for_a_lock_is_told_to_stop_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (path, conn) = database(folder.path(), "DELETE");
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let limit = Duration::from_millis(100);
    let begun = Instant::now();
    let stopped = open(&path, &Stop::after(limit, Arc::default())).unwrap_err();
    assert_eq!(stopped.stopped(), Some(Stopped::TimeLimit(limit)), "{stopped}");
    assert!(begun.elapsed() < Duration::from_millis(guards::BUSY_TIMEOUT_MS.into()));
    let interrupted = Stop::after(Duration::MAX, Arc::new(AtomicBool::new(true)));
    let stopped = open(&path, &interrupted).unwrap_err();
    assert_eq!(stopped.stopped(), Some(Stopped::Interrupted), "{stopped}");
}

#[test]
fn a_lock_that_nobody_lets_go_is_an_error_after_as_long_as_a_daemon_would_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (path, conn) = database(folder.path(), "DELETE");
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let locked = open(&path, &Stop::never()).unwrap_err();
    assert_eq!(locked.sqlite_code(), Some(ffi::ErrorCode::DatabaseBusy), "{locked}");
    assert!(begun.elapsed() >= Duration::from_millis(guards::BUSY_TIMEOUT_MS.into()));
}

#[test]
fn what_waited_for_a_lock_may_hold_it_for_as_long_as_what_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let (path, conn) = database(folder.path(), "DELETE");
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let most = Duration::from_secs(2);
    let stop = Stop::never().holding(most);
    let handle = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| open(&path, &stop));
        std::thread::sleep(most + Duration::from_millis(200));
        conn.execute_batch("COMMIT").unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(handle.unwrap().number(ROWS).unwrap(), 1);
    assert!(!stop.hold_ran_out());
}

#[test]
fn a_uri_spells_out_every_byte_that_could_mean_something_in_it() {
    assert_eq!(
        uri(Path::new("/a b?mode=rwc#%41&'é/s.db"), "?mode=ro"),
        "file:///a%20b%3fmode%3drwc%23%2541%26%27%c3%a9/s.db?mode=ro"
    );
}

#[test]
fn what_sqlite_could_not_open_it_does_not_name() {
    for path in ["/home/quentinuser/\u{f6}/state.db", "/nowhere/\u{f6}.db"] {
        let uri = uri(Path::new(path), "?mode=ro");
        let error = ReadOnly::open(&uri, false, false, None, &Stop::never()).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "SQLite says: unable to open database file [14] (while running: open)");
    }
}
