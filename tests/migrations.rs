//! The library's promises about migrations: the runner, the daemon's store, and the state of a store.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![expect(
    clippy::disallowed_methods,
    reason = "stores are made here, as a daemon and as others make them"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use banger_doctor::application::{Ledger, Migration};
use banger_doctor::banger::APPLICATION;
use banger_doctor::schema::runner::migrate;
use banger_doctor::values::timestamp;
use banger_doctor::{Compatibility, Error, Store, inspect_schema_state};
use rusqlite::Connection;
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    (folder, path)
}

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

fn has_table(conn: &Connection, name: &str) -> bool {
    conn.table_exists(None, name).unwrap()
}

fn migration(id: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration::new(id, name, sql)
}

#[test]
fn a_fresh_file_gets_all_three_and_opening_it_again_changes_nothing() {
    let (_folder, path) = folder();
    assert_eq!(Store::open(&path).unwrap().migrated(), [1, 2, 3]);
    let conn = Connection::open(&path).unwrap();
    let rows = ledger(&conn);
    let names: Vec<(i64, &str)> = rows.iter().map(|(id, name, _)| (*id, name.as_str())).collect();
    assert_eq!(names, [(1, "baseline"), (2, "drop_images_docker"), (3, "add_vm_workspace")]);
    for (_, _, applied_at) in &rows {
        assert!(timestamp::is_rfc3339(applied_at.as_bytes()) && applied_at.ends_with('Z'), "{applied_at}");
    }
    assert!(conn.column_exists(None, "vms", "workspace_json").unwrap());
    assert!(!conn.column_exists(None, "images", "docker").unwrap());

    let before = fs::read(&path).unwrap();
    assert!(Store::open(&path).unwrap().migrated().is_empty());
    assert_eq!(ledger(&conn), rows);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn applied_ids_are_skipped_and_the_others_run_in_the_order_of_ids() {
    let mut conn = Connection::open_in_memory().unwrap();
    let third = migration(3, "third", "INSERT INTO t VALUES (3)");
    let first = migration(1, "first", "CREATE TABLE t(x)");
    let second = migration(2, "second", "INSERT INTO t VALUES (2)");
    assert_eq!(migrate(&mut conn, &Ledger::usual(), &[third.clone(), first.clone()]).unwrap(), [1, 3]);
    assert_eq!(
        migrate(&mut conn, &Ledger::usual(), &[second.clone(), third.clone(), first.clone()]).unwrap(),
        [2]
    );
    assert_eq!(
        migrate(&mut conn, &Ledger::usual(), &[second.clone(), third.clone(), first.clone()]).unwrap(),
        [0_i64; 0]
    );
    let rows: String = conn.query_row("SELECT group_concat(x) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, "3,2");
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_a_later_run_resumes_there() {
    let mut conn = Connection::open_in_memory().unwrap();
    let first = migration(1, "first", "CREATE TABLE kept(x)");
    let broken = migration(
        2,
        "broken",
        "CREATE TABLE half(x); INSERT INTO kept VALUES (1); INSERT INTO nowhere VALUES (1)",
    );
    let third = migration(3, "third", "CREATE TABLE later(x)");
    let error = migrate(&mut conn, &Ledger::usual(), &[first.clone(), broken.clone(), third.clone()]).unwrap_err();
    assert!(matches!(&error, Error::Migration { id: 2, name, .. } if name == "broken"), "{error:?}");
    assert_eq!(
        error.to_string(),
        "migration 2 (broken) failed and was rolled back: SQLite says: no such table: nowhere [1] (while running: CREATE TABLE half(x); INSERT INTO kept VALUES (1); INSERT INTO nowhere VALUES (1))"
    );
    assert!(!has_table(&conn, "half") && !has_table(&conn, "later"));
    assert_eq!(ledger(&conn).iter().map(|row| row.0).collect::<Vec<_>>(), [1]);
    let kept: i64 = conn.query_row("SELECT count(*) FROM kept", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);

    let mended = migration(2, "broken", "CREATE TABLE half(x)");
    assert_eq!(
        migrate(&mut conn, &Ledger::usual(), &[first.clone(), mended.clone(), third.clone()]).unwrap(),
        [2, 3]
    );
    assert!(has_table(&conn, "half") && has_table(&conn, "later"));
}

#[test]
fn a_ledger_row_that_cannot_be_written_takes_its_migration_with_it() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate(&mut conn, &Ledger::usual(), &[]).unwrap();
    conn.execute_batch("CREATE TRIGGER no BEFORE INSERT ON schema_migrations BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    migrate(&mut conn, &Ledger::usual(), &[migration(1, "first", "CREATE TABLE t(x)")]).unwrap_err();
    assert!(!has_table(&conn, "t"));
}

#[test]
fn duplicate_ids_are_rejected_by_name_before_anything_is_touched() {
    let mut conn = Connection::open_in_memory().unwrap();
    let twice = [
        migration(1, "first", "CREATE TABLE a(x)"),
        migration(2, "here", "CREATE TABLE b(x)"),
        migration(2, "there", "CREATE TABLE c(x)"),
    ];
    let error = migrate(&mut conn, &Ledger::usual(), &twice).unwrap_err();
    assert_eq!(error.to_string(), "migration id 2 is given twice: here and there");
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(objects, 0);
}

#[test]
fn a_row_of_another_version_stays_and_ours_are_still_applied() {
    let (_folder, path) = folder();
    let mut conn = Connection::open(&path).unwrap();
    migrate(&mut conn, APPLICATION.ledger(), &APPLICATION.migrations()[..2]).unwrap();
    conn.execute_batch("INSERT INTO schema_migrations VALUES (9001, 'alien', 'whenever')")
        .unwrap();
    drop(conn);
    assert_eq!(Store::open(&path).unwrap().migrated(), [3]);
    let rows = ledger(&Connection::open(&path).unwrap());
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3], (9001, "alien".to_owned(), "whenever".to_owned()));
}

#[test]
fn what_is_not_a_database_is_left_as_it_was() {
    let (folder, path) = folder();
    fs::write(&path, "this is not a database\n".repeat(50)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("file is not a database"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_state_of_a_store() {
    let (_folder, path) = folder();
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
    let (folder, path) = folder();
    assert_eq!(why_not(&path), "there is no such file");
    assert_eq!(why_not(folder.path()), "it is a folder, not a regular file");
    fs::write(&path, "text").unwrap();
    assert_eq!(why_not(&path), "it is not an SQLite database, but text (4 bytes)");
    fs::remove_file(&path).unwrap();

    drop(Store::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    let root: u32 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'schema_migrations'", [], |row| {
            row.get(0)
        })
        .unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("state.db{suffix}")));
    }
    let mut damaged = whole;
    damaged[(root as usize - 1) * 4096..root as usize * 4096].fill(0xff);
    fs::write(&path, damaged).unwrap();
    let error = inspect_schema_state(&path).unwrap_err();
    assert!(error.is_damage(), "{error}");

    // Root reads everything.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_err() {
        assert!(why_not(&path).starts_with("it cannot be read: Permission denied"), "{}", why_not(&path));
    }
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
        let (_folder, path) = folder();
        sql(&path, made_by);
        let error = inspect_schema_state(&path).unwrap_err();
        assert!(matches!(error, Error::Ledger(_)), "{made_by}: {error}");
        assert_eq!(error.to_string(), format!("schema_migrations is not banger's ledger: {why}"), "{made_by}");
    }
}
