//! Whatever lies at a path: one clear answer, and nothing created or changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::footprint::names;
use crate::support::stores::{crashed, healthy};
use crate::support::{Doctor, Place};

/// What the doctor and the gate say of a store that is none. Nothing is created or changed.
fn look_as(doctor: impl Fn() -> Doctor, place: &Place) -> String {
    let before = place.footprint();
    let report = doctor().args(["--only", "file,read-only"]).arg(place.store()).run();
    let gate = doctor().arg("--check-migrations").arg(place.store()).run();
    before.assert_same(&place.footprint(), "a bad store");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    format!("{}\n{}", report.text(), gate.text())
}

fn look(place: &Place) -> String {
    look_as(|| place.doctor(), place)
}

/// What is said of a file with this content.
fn look_at(content: &[u8]) -> String {
    let place = Place::new();
    fs::write(place.store(), content).unwrap();
    look(&place)
}

#[test]
fn nothing_there_is_said_to_be_missing() {
    assert_snapshot!(look(&Place::new()), @"
    [PLACE]/store/state.db

    FAIL  file       there is no such file, so nothing could be examined
                     → check the path; if banger has never run here, start it once, and it makes its store; if it has, the store was moved or deleted: restore state.db from a backup
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: there is no such file
    --- exit 3 ---
    ");
}

#[test]
fn a_missing_folder_is_not_made() {
    let place = Place::new();
    fs::remove_dir(place.folder()).unwrap();
    let ran = place.doctor().args(["--only", "file"]).arg(place.store()).run();
    assert_eq!(ran.code, Some(1));
    assert_eq!(names(place.root()), ["home", "tmp"]);
}

#[test]
fn a_folder_is_refused() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a folder, not a regular file, so it cannot be a store
                     → give the path of the file state.db itself
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a folder, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.store()).status().unwrap();
    assert!(made.success());
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a pipe (FIFO), not a regular file, so it cannot be a store
                     → give the path of the file state.db itself
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a pipe (FIFO), not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_a_device_is_refused() {
    let place = Place::new();
    symlink("/dev/zero", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a device, not a regular file, so it cannot be a store
                     → give the path of the file state.db itself
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a device, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_socket_is_refused() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a socket, not a regular file, so it cannot be a store
                     → give the path of the file state.db itself
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a socket, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_nothing_is_told_from_nothing() {
    let place = Place::new();
    symlink("nowhere.db", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a symbolic link whose target does not exist, so nothing could be examined
                     → point the link at the store, or give the store's own path
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a symbolic link whose target does not exist
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_itself_is_refused() {
    let place = Place::new();
    symlink("state.db", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it cannot be read: Too many levels of symbolic links (os error 40); nothing is known about its data
                     → run the doctor as the store's owner (for the system store: sudo doctor --system), or copy state.db, state.db-wal and state.db-shm together to where you may read them
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it cannot be read: Too many levels of symbolic links (os error 40)
    --- exit 3 ---
    ");
}

#[test]
fn a_store_that_the_user_may_not_read_is_told_from_a_broken_one() {
    let place = Place::new();
    healthy(&place.store());
    fs::set_permissions(place.store(), Permissions::from_mode(0o000)).unwrap();
    assert_snapshot!(look_as(|| place.doctor_of_nobody(), &place), @"
    [PLACE]/store/state.db

    FAIL  file       it cannot be read: Permission denied (os error 13); nothing is known about its data
                     → run the doctor as the store's owner (for the system store: sudo doctor --system), or copy state.db, state.db-wal and state.db-shm together to where you may read them
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it cannot be read: Permission denied (os error 13)
    --- exit 3 ---
    ");
}

#[test]
fn a_folder_that_the_user_may_not_enter_is_told_from_a_missing_store() {
    let place = Place::new();
    healthy(&place.store());
    let before = place.footprint();
    fs::set_permissions(place.folder(), Permissions::from_mode(0o600)).unwrap();
    let ran = place.doctor_of_nobody().args(["--only", "file"]).arg(place.store()).run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    FAIL  file  it cannot be read: Permission denied (os error 13); nothing is known about its data
                → run the doctor as the store's owner (for the system store: sudo doctor --system), or copy state.db, state.db-wal and state.db-shm together to where you may read them

    FAIL: 1 of 1 checks failed (file)
    --- exit 1 ---
    ");
    fs::set_permissions(place.folder(), Permissions::from_mode(0o755)).unwrap();
    // The folder's own ctime is the test's doing.
    let now = place.footprint();
    before
        .without(&place.folder())
        .assert_same(&now.without(&place.folder()), "a closed folder");
}

#[test]
fn a_wal_that_the_user_may_not_read_is_not_passed_over() {
    let place = Place::new();
    crashed(&place.store());
    fs::set_permissions(place.folder().join("state.db-wal"), Permissions::from_mode(0o000)).unwrap();
    assert_snapshot!(look_as(|| place.doctor_of_nobody(), &place), @"
    [PLACE]/store/state.db

    pass  file       an SQLite database, 9 pages of 4096 bytes
    FAIL  read-only  could not look: [PLACE]/store/state.db-wal cannot be read: Permission denied (os error 13)
                     → remove the cause that this row names and run the doctor again; the store itself was not changed

    FAIL: 1 of 2 checks failed (read-only)
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: [PLACE]/store/state.db-wal cannot be read: Permission denied (os error 13)
    --- exit 3 ---
    ");
}

#[test]
fn sidecars_that_are_not_files_are_not_opened() {
    for suffix in ["-wal", "-shm", "-journal"] {
        let place = Place::new();
        healthy(&place.store());
        let fifo = place.folder().join(format!("state.db{suffix}"));
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        let before = place.footprint();
        let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let detail = ran.row("journal")["detail"].clone();
        assert_eq!(
            detail,
            format!("something is wrong with the {suffix} file: it cannot be read: it is a pipe (FIFO)")
        );
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(gate.code, Some(3), "{gate:?}");
        before.assert_same(&place.footprint(), suffix);
    }
}

#[test]
fn a_file_of_no_bytes_fails_and_may_be_taken_over() {
    assert_snapshot!(look_at(b""), @r"
    [PLACE]/store/state.db

    FAIL  file       it is empty (0 bytes): there is no data in it
                     → if this store ever held data, that data is not in this file: restore a backup before banger starts; if banger never used it, start banger, which makes a new store of it
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    migrations needed: pending [1 2 3] (binary will apply on first Open)
    --- exit 1 ---
    ");
}

#[test]
fn a_file_cut_within_its_header_says_so() {
    let place = Place::new();
    healthy(&place.store());
    let bytes = fs::read(place.store()).unwrap();
    assert_snapshot!(look_at(&bytes[..60]), @"
    [PLACE]/store/state.db

    FAIL  file       it is cut short within its header, at 60 bytes: no data is left in it
                     → copy the store again, whole; if the original is as short, its data is lost: restore a backup
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is cut short within its header, at 60 bytes
    --- exit 3 ---
    ");
}

#[test]
fn what_is_not_a_database_is_named_where_it_is_known() {
    assert_snapshot!(look_at(b"this is not a database\n"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but text (23 bytes): no store can be read from it
                     → give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup, or save the rows that are still in it: doctor --salvage STORE > saved.sql; then: sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but gzip data (10 bytes): no store can be read from it
                     → give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup, or save the rows that are still in it: doctor --salvage STORE > saved.sql; then: sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but gzip data (10 bytes)
    --- exit 3 ---
    ");
    let garbage: Vec<u8> = (0u32..20_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    assert_snapshot!(look_at(&garbage), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but random bytes, or an encrypted database (20000 bytes): no store can be read from it
                     → give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup, or save the rows that are still in it: doctor --salvage STORE > saved.sql; then: sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but random bytes, or an encrypted database (20000 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(&[0; 8192]), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but only zero bytes (8192 bytes): no store can be read from it
                     → give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup, or save the rows that are still in it: doctor --salvage STORE > saved.sql; then: sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but only zero bytes (8192 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(b"\x01\x02\x03"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database (3 bytes): no store can be read from it
                     → give the path of banger's state.db, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup, or save the rows that are still in it: doctor --salvage STORE > saved.sql; then: sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    skip  read-only  needs `file`

    FAIL: 1 of 2 checks failed (file), 1 skipped
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database (3 bytes)
    --- exit 3 ---
    ");
}

#[test]
fn a_database_of_another_application_is_not_taken_for_a_store_without_content() {
    let place = Place::new();
    let sql = "CREATE TABLE schema_migrations(version varchar NOT NULL PRIMARY KEY); INSERT INTO schema_migrations VALUES ('2026')";
    Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
    let before = place.footprint();
    let ran = place
        .doctor()
        .args(["--only", "file,journal,read-only,schema-state,unknown-ids"])
        .arg(place.store())
        .run();
    before.assert_same(&place.footprint(), "another application's database");
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file          an SQLite database, 3 pages of 4096 bytes
    pass  journal       nothing is waiting to be written back
    pass  read-only     closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    FAIL  schema-state  could not look: schema_migrations is not banger's ledger: its columns are not id, name and applied_at
                        → this may be another program's database: check the path; if it is banger's store, do not delete it, keep a copy and restore a backup; `doctor --any` examines the database of any application
    skip  unknown-ids   needs `schema-state`

    FAIL: 1 of 5 checks failed (schema-state), 1 skipped
    --- exit 1 ---
    ");
}
