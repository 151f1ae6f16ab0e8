//! Each migration lands whole or not at all, whatever the migrations are.

use super::*;
use crate::application::Ledger;
use crate::error::Error;

fn ledger(conn: &Connection) -> Vec<i64> {
    let mut rows = conn.prepare("SELECT id FROM schema_migrations ORDER BY id").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn has_table(conn: &Connection, name: &str) -> bool {
    conn.table_exists(None, name).unwrap()
}

fn migration(id: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration::new(id, name, sql)
}

#[test]
fn applied_ids_are_skipped_and_the_others_run_in_the_order_of_ids() {
    let mut conn = Connection::open_in_memory().unwrap();
    let third = migration(3, "third", "INSERT INTO t VALUES (3)");
    let first = migration(1, "first", "CREATE TABLE t(x)");
    let second = migration(2, "second", "INSERT INTO t VALUES (2)");
    assert_eq!(
        migrate(&mut conn, &Ledger::default_table(), &[third.clone(), first.clone()]).unwrap(),
        [1, 3]
    );
    assert_eq!(
        migrate(&mut conn, &Ledger::default_table(), &[second.clone(), third.clone(), first.clone()]).unwrap(),
        [2]
    );
    assert_eq!(
        migrate(&mut conn, &Ledger::default_table(), &[second.clone(), third.clone(), first.clone()]).unwrap(),
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
    let error =
        migrate(&mut conn, &Ledger::default_table(), &[first.clone(), broken.clone(), third.clone()]).unwrap_err();
    assert!(matches!(&error, Error::Migration { id: 2, name, .. } if name == "broken"), "{error:?}");
    assert_eq!(
        error.to_string(),
        "migration 2 (broken) failed and was rolled back: SQLite says: no such table: nowhere [1] (while running: CREATE TABLE half(x); INSERT INTO kept VALUES (1); INSERT INTO nowhere VALUES (1))"
    );
    assert!(!has_table(&conn, "half") && !has_table(&conn, "later"));
    assert_eq!(ledger(&conn), [1]);
    let kept: i64 = conn.query_row("SELECT count(*) FROM kept", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);

    let mended = migration(2, "broken", "CREATE TABLE half(x)");
    assert_eq!(
        migrate(&mut conn, &Ledger::default_table(), &[first.clone(), mended.clone(), third.clone()]).unwrap(),
        [2, 3]
    );
    assert!(has_table(&conn, "half") && has_table(&conn, "later"));
}

#[test]
fn a_ledger_row_that_cannot_be_written_takes_its_migration_with_it() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate(&mut conn, &Ledger::default_table(), &[]).unwrap();
    conn.execute_batch("CREATE TRIGGER no BEFORE INSERT ON schema_migrations BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    migrate(&mut conn, &Ledger::default_table(), &[migration(1, "first", "CREATE TABLE t(x)")]).unwrap_err();
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
    let error = migrate(&mut conn, &Ledger::default_table(), &twice).unwrap_err();
    assert_eq!(error.to_string(), "migration id 2 is given twice: here and there");
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(objects, 0);
}
