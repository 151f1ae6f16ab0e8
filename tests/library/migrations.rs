//! The library's promises about migrations: the daemon's store, and the state of a store.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use banger_doctor::{
    Application, CheckId, Compatibility, ErrorKind, Examination, Migration, Status, Store, inspect_schema_state,
};
use rusqlite::Connection;

use crate::support::Place;
use crate::support::damage::{overwrite_page, root};
use crate::support::footprint::names;

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn ledger(conn: &Connection) -> Vec<(i64, String, String)> {
    let mut rows = conn.prepare("SELECT id, name, applied_at FROM schema_migrations ORDER BY id").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn a_fresh_file_gets_all_three_and_opening_it_again_changes_nothing() {
    let place = Place::new();
    let path = place.store();
    assert_eq!(Store::open(&path).unwrap().migrated(), [1, 2, 3]);
    let conn = Connection::open(&path).unwrap();
    let rows = ledger(&conn);
    let names: Vec<(i64, &str)> = rows.iter().map(|(id, name, _)| (*id, name.as_str())).collect();
    assert_eq!(names, [(1, "baseline"), (2, "drop_images_docker"), (3, "add_vm_workspace")]);
    let in_utc = "SELECT count(*) FROM schema_migrations WHERE applied_at = strftime('%Y-%m-%dT%H:%M:%SZ', applied_at)";
    let dated: i64 = conn.query_row(in_utc, [], |row| row.get(0)).unwrap();
    assert_eq!(dated, 3, "{rows:?}");
    assert!(conn.column_exists(None, "vms", "workspace_json").unwrap());
    assert!(!conn.column_exists(None, "images", "docker").unwrap());

    let before = fs::read(&path).unwrap();
    assert!(Store::open(&path).unwrap().migrated().is_empty());
    assert_eq!(ledger(&conn), rows);
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// The definitions in a store, and its ledger without the times.
fn schema(path: &Path) -> Vec<[Option<String>; 3]> {
    let conn = Connection::open(path).unwrap();
    let sql = "SELECT type, name, sql FROM sqlite_schema UNION ALL SELECT 'migration', CAST(id AS TEXT), name FROM schema_migrations ORDER BY 1, 2";
    let mut rows = conn.prepare(sql).unwrap();
    rows.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A migration that was released is never edited.
#[test]
fn a_store_made_now_is_to_the_letter_what_the_released_migrations_made() {
    let (now, then) = (Place::new(), Place::with(0, 0));
    drop(Store::open(&now.store()).unwrap());
    let why = "a new migration belongs into HISTORY in tests/support/history.rs too; an old one is never edited";
    assert_eq!(schema(&now.store()), schema(&then.store()), "{why}");
}

#[test]
fn a_row_of_another_version_stays_and_ours_are_still_applied() {
    let place = Place::of_age(2).after("INSERT INTO schema_migrations VALUES (9001, 'alien', 'whenever')");
    let path = place.store();
    assert_eq!(Store::open(&path).unwrap().migrated(), [3]);
    let rows = ledger(&Connection::open(&path).unwrap());
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3], (9001, "alien".to_owned(), "whenever".to_owned()));
}

#[test]
fn what_is_not_a_database_is_left_as_it_was() {
    let place = Place::new();
    let path = place.store();
    fs::write(&path, "this is not a database\n".repeat(50)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(
        error.kind() == ErrorKind::Damaged && error.to_string().contains("file is not a database"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(&place.folder()), ["state.db"]);
}

#[test]
fn the_state_of_a_store() {
    let place = Place::new();
    let path = place.store();
    drop(Store::open(&path).unwrap());
    let state = inspect_schema_state(&path).unwrap();
    assert_eq!(state.compatibility, Compatibility::Compatible);
    assert_eq!((state.applied, state.known_max), (vec![1, 2, 3], 3));

    sql(&path, "DELETE FROM schema_migrations WHERE id > 1");
    let state = inspect_schema_state(&path).unwrap();
    assert_eq!(state.compatibility, Compatibility::MigrationsNeeded);
    assert_eq!((state.applied, state.pending, state.unknown), (vec![1], vec![2, 3], vec![]));

    sql(
        &path,
        "INSERT INTO schema_migrations VALUES (-1, 'a', 'b'), (9223372036854775807, 'c', 'd')",
    );
    let state = inspect_schema_state(&path).unwrap();
    assert_eq!(state.compatibility, Compatibility::Incompatible);
    assert_eq!((state.pending, state.unknown), (vec![2, 3], vec![-1, i64::MAX]));

    sql(&path, "DROP TABLE schema_migrations");
    let state = inspect_schema_state(&path).unwrap();
    assert_eq!(state.compatibility, Compatibility::MigrationsNeeded);
    assert_eq!((state.applied, state.pending), (vec![], vec![1, 2, 3]));
}

fn why_not(path: &Path) -> String {
    inspect_schema_state(path).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_a_state() {
    let place = Place::new();
    let path = place.store();
    assert_eq!(why_not(&path), "there is no such file");
    assert_eq!(why_not(&place.folder()), "it is a folder, not a regular file");
    fs::write(&path, "text").unwrap();
    assert_eq!(why_not(&path), "it is not an SQLite database, but text (4 bytes)");
    fs::remove_file(&path).unwrap();

    drop(Store::open(&path).unwrap());
    overwrite_page(&path, root(&path, "schema_migrations"), 0xff);
    let error = inspect_schema_state(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");

    // Not even root reads this.
    fs::remove_file(&path).unwrap();
    symlink("state.db", &path).unwrap();
    assert!(
        why_not(&path).starts_with("it cannot be read: Too many levels of symbolic links"),
        "{}",
        why_not(&path)
    );
}

#[test]
fn a_ledger_that_is_not_bangers_is_an_error() {
    let ledgers = [
        (
            "CREATE TABLE schema_migrations(version TEXT PRIMARY KEY)",
            "its columns are not id, name and applied_at",
        ),
        (
            "CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name, applied_at, extra)",
            "its columns are not id, name and applied_at",
        ),
        (
            "CREATE VIEW schema_migrations AS SELECT 1 AS id, 'a' AS name, 'b' AS applied_at",
            "it is a view",
        ),
        (
            "CREATE VIRTUAL TABLE schema_migrations USING fts5(id, name, applied_at)",
            "it is a virtual table",
        ),
        (
            "CREATE TABLE schema_migrations(id TEXT PRIMARY KEY, name, applied_at); INSERT INTO schema_migrations VALUES ('one', 'a', 'b')",
            "id is not its integer primary key",
        ),
        (
            "CREATE TABLE schema_migrations(id INTEGER, name, applied_at, PRIMARY KEY(name, id))",
            "id is not its integer primary key",
        ),
        (
            "CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY DESC, name, applied_at); INSERT INTO schema_migrations VALUES ('one', 'a', 'b')",
            "an id in it is not an integer",
        ),
        (
            "CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name, applied_at AS ('now'))",
            "one of its columns is generated",
        ),
    ];
    for (made_by, why) in ledgers {
        let place = Place::new();
        let path = place.store();
        sql(&path, made_by);
        let error = inspect_schema_state(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignLedger, "{made_by}: {error}");
        assert_eq!(error.to_string(), format!("schema_migrations is not banger's ledger: {why}"), "{made_by}");
    }
}

#[test]
fn a_store_of_another_application_stands_among_its_own_migrations() {
    let place = Place::new();
    sql(
        &place.store(),
        "CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL);
         INSERT INTO schema_migrations VALUES (9001, 'rides', '2026-04-28T18:41:31Z');
         CREATE TABLE rides(id INTEGER PRIMARY KEY)",
    );
    let ferry = Application::new(
        "ferry",
        vec![
            Migration::new(9001, "rides", "CREATE TABLE rides(id INTEGER PRIMARY KEY)"),
            Migration::new(9002, "tolls", "CREATE TABLE tolls(ride REFERENCES rides(id))"),
        ],
    );
    let examination = Examination::new(place.store()).application(ferry);
    let state = examination.schema_state().unwrap();
    assert_eq!((state.compatibility, state.pending), (Compatibility::MigrationsNeeded, vec![9002]));
    assert_eq!(examination.rehearse().unwrap().failure(), None);
    let report = examination.run();
    assert!(!report.failed(), "{report:?}");
    assert_eq!(report.row(CheckId::RowValues).unwrap().status(), Status::Skip, "{report:?}");
}
