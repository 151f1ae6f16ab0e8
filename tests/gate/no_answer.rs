//! Stores of which the gate cannot tell: it never guesses.

use std::fs::{self};

use insta::assert_snapshot;
use rusqlite::Connection;

use super::{ask, assert_one_plain_line, gate, store_with};
use crate::support::Place;
use crate::support::damage::{change, overwrite_page, root};
use crate::support::stores::Lies;

#[test]
fn what_is_not_a_ledger_of_banger_gets_no_answer() {
    let other = |sql: &str| {
        let place = Place::new();
        Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
        ask(&place)
    };
    assert_snapshot!(other("CREATE TABLE schema_migrations(version varchar NOT NULL PRIMARY KEY)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: its columns are not id, name and applied_at"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: its columns are not id, name and applied_at
    --- exit 3 ---
    "#);
    // It would count for ever.
    assert_snapshot!(other("CREATE VIEW schema_migrations AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
        SELECT id, 'x' AS name, 'y' AS applied_at FROM n"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a view"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a view
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE VIRTUAL TABLE schema_migrations USING fts5(id, name, applied_at)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a virtual table"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a virtual table
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE TABLE schema_migrations(id TEXT PRIMARY KEY, name TEXT, applied_at TEXT)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: id is not its integer primary key"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: id is not its integer primary key
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at AS (zeroblob(1e9)))"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: one of its columns is generated"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: one of its columns is generated
    --- exit 3 ---
    "#);
}

#[test]
fn what_cannot_be_read_gets_no_answer() {
    let place = Place::new();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: there is no such file"}
    cannot tell: [PLACE]/store/state.db: there is no such file
    --- exit 3 ---
    "#);
    fs::write(place.store(), "this is not a database\n").unwrap();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)"}
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)
    --- exit 3 ---
    "#);
    let place = Place::new();
    Lies::NotAWal.make(&place.store());
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: something is wrong with the store's -wal file: it does not begin like a write-ahead log"}
    cannot tell: [PLACE]/store/state.db: something is wrong with the store's -wal file: it does not begin like a write-ahead log
    --- exit 3 ---
    "#);
}

#[test]
fn a_ledger_on_a_damaged_page_gets_no_answer() {
    let place = store_with("");
    overwrite_page(&place.store(), root(&place.store(), "schema_migrations"), 0xff);
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(schema_migrations))"}
    cannot tell: [PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(schema_migrations))
    --- exit 3 ---
    "#);
}

#[test]
fn what_takes_longer_than_the_time_limit_gets_no_answer() {
    let place = store_with(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO schema_migrations SELECT i, 'm', 'x' FROM n",
    );
    let ran = gate(&place).args(["--time-limit", "0.000001"]).run();
    assert_one_plain_line(&ran);
    assert_snapshot!(ran.text(), @"
    cannot tell: [PLACE]/store/state.db: the time limit of 0.000001 s ran out
    --- exit 3 ---
    ");
}

#[test]
fn a_ledger_in_which_an_id_stands_twice_gives_no_answer() {
    let place = store_with("");
    change(&place.store(), |bytes| {
        let name = b"add_vm_workspace";
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        // Before the name stand the record's header (its length, and a type for each of three columns) and the row's number.
        assert_eq!(bytes[at - 5..at - 2], [3, 4, 0]);
        bytes[at - 5] = 2;
    });
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
}

#[test]
fn a_ledger_of_which_a_wrong_byte_hides_a_row_gives_no_answer() {
    let place = store_with("");
    let ledger = root(&place.store(), "schema_migrations");
    change(&place.store(), |bytes| {
        let page = &mut bytes[(ledger - 1) * 4096..];
        // A leaf of a table, no free block, three rows.
        assert_eq!(page[..5], [13, 0, 0, 0, 3]);
        page[4] = 2;
    });
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("database disk image is malformed [11]"), "{ran:?}");
}
