//! The library in a process that has the store open itself: it must not take that process's locks away.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_doctor::{CheckId, Compatibility, ErrorKind, Status, Store, examine, inspect_schema_state};
use rusqlite::Connection;

const STORE: &str = "OWN_LOCKS_STORE";

/// A store of banger's in this journal mode.
fn store(folder: &Path, mode: &str) -> PathBuf {
    let path = folder.join("state.db");
    drop(Store::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.query_row(&format!("PRAGMA journal_mode={mode}"), [], |_| Ok(())).unwrap();
    path
}

/// Whether another process can begin to write to a store.
fn others_can_write(path: &Path) -> bool {
    let other = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "library::own_locks::another_process_that_writes",
            "--ignored",
        ])
        .env(STORE, path)
        .output()
        .unwrap();
    other.status.success()
}

#[test]
#[ignore = "the other process of other tests, not a test"]
fn another_process_that_writes() {
    let path = std::env::var_os(STORE).unwrap();
    let conn = Connection::open(path).unwrap();
    conn.busy_timeout(std::time::Duration::ZERO).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE; DELETE FROM schema_migrations; COMMIT").unwrap();
}

#[test]
fn a_lock_that_this_process_holds_is_still_held_after_the_library_was_asked() {
    for mode in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path(), mode);
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(!others_can_write(&path), "{mode}: the lock was never held");

        let state = inspect_schema_state(&path);
        assert!(!others_can_write(&path), "{mode}: the gate's question took the lock away: {state:?}");
        assert_eq!(state.as_ref().unwrap_err().kind(), ErrorKind::OpenHere, "{mode}: {state:?}");

        let report = examine(&path);
        assert!(!others_can_write(&path), "{mode}: the examination took the lock away: {report:?}");
        let told = report.row(CheckId::ReadOnly).unwrap();
        assert_eq!(told.status(), Status::Fail, "{mode}: {report:?}");
        assert!(told.detail().contains("this process has"), "{mode}: {}", told.detail());
        assert!(report.rows().iter().all(|row| row.status() != Status::Pass), "{mode}: {report:?}");

        drop(conn);
        assert!(others_can_write(&path), "{mode}");
    }
}

#[test]
fn a_store_that_is_closed_again_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), "WAL");
    assert_eq!(inspect_schema_state(&path).unwrap().compatibility, Compatibility::Compatible);
    assert_eq!(examine(&path).verdict(), "pass");
}

#[test]
fn an_open_sidecar_or_another_name_of_the_store_counts_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), "WAL");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let hard = folder.path().join("hard.db");
    std::fs::hard_link(&path, &hard).unwrap();
    let wal = folder.path().join("state.db-wal");
    std::fs::write(&wal, "").unwrap();
    for (open, asked) in [(&wal, &path), (&path, &link), (&link, &path), (&hard, &path)] {
        let held = File::open(open).unwrap();
        let state = inspect_schema_state(asked);
        assert_eq!(state.as_ref().unwrap_err().kind(), ErrorKind::OpenHere, "{open:?}, {asked:?}: {state:?}");
        drop(held);
        inspect_schema_state(asked).unwrap();
    }
}
