//! `read-only`: how the store was read. What that leaves behind, and when, is held in `tests/read_only/`.

use crate::support::Place;
use crate::support::stores::Lies;

const CHECK: &str = "read-only";

#[test]
fn it_says_how_the_store_was_read_and_what_held_the_program() {
    for (lies, way) in [
        (
            Lies::Closed,
            "no -wal lies beside it; read in place without a lock, then checked for changes; sandbox: ",
        ),
        (
            Lies::Rollback,
            "closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: ",
        ),
        (
            Lies::Crashed,
            "; read in place without a lock, its WAL indexed in memory, then checked for changes; sandbox: ",
        ),
        (
            Lies::HotJournal,
            "; read from a private copy, in which SQLite recovered what was unfinished; sandbox: ",
        ),
    ] {
        let place = Place::new();
        let daemon = lies.make(&place.store());
        let row = place.row(CHECK, &[]);
        assert_eq!(row["status"], "pass", "{lies:?}: {row}");
        assert!(row["detail"].as_str().unwrap().contains(way), "{lies:?}: {row}");
        drop(daemon);
    }
}

#[test]
fn a_store_that_cannot_be_read_without_a_trace_is_not_read() {
    let place = Place::new();
    Lies::HotJournal.make(&place.store());
    let doctor = place.doctor().env("TMPDIR", "/nowhere");
    let ran = doctor.args(["--format", "json"]).arg(place.store()).run();
    let row = ran.row(CHECK);
    assert_eq!(row["status"], "fail", "{row}");
    assert!(row["remedy"].as_str().unwrap().starts_with("point TMPDIR at a folder"), "{row}");
    // Three rows need no SQLite.
    let report = ran.report();
    let passed = report["rows"].as_array().unwrap().iter().filter(|row| row["status"] == "pass");
    let passed: Vec<&str> = passed.map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(passed, ["file", "journal", "in-use"]);
}

/// The rows `read-only` and `page-structure` of a store of which SQLite refuses the schema after this change.
fn refused(change: &str) -> String {
    let place = Place::new();
    place.sql("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX by_name ON items(name); CREATE VIEW recent AS SELECT * FROM items");
    place.sql(&format!("PRAGMA writable_schema=ON; {change}"));
    ["read-only", "page-structure"]
        .map(|check| place.said(check, &["--any", "--only", "read-only,page-structure"]))
        .concat()
}

#[test]
fn an_object_that_sqlite_refuses_is_named_and_the_pages_are_looked_at() {
    insta::assert_snapshot!(refused("UPDATE sqlite_schema SET sql = 'CREATE VIEW recent AS SELEKT * FROM items' WHERE name = 'recent'"), @r#"
    fail: SQLite refuses the schema because of the view recent: near "SELEKT": syntax error; no program can open the store until that is mended, and no row is lost by it
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then take the object out of the schema, first in a second copy: sqlite3 -safe -cmd '.dbconfig defensive off' STORE "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=3"; examine it again, and let the application make the object anew
    pass: 3 pages checked
    "#);
    insta::assert_snapshot!(refused("INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'by_name'"), @r#"
    fail: SQLite refuses the schema because of the index by_name, which is there twice: index by_name already exists; no program can open the store until that is mended, and no row is lost by it
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then take the object out of the schema, first in a second copy: sqlite3 -safe -cmd '.dbconfig defensive off' STORE "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=4"; examine it again, and let the application make the object anew
    pass: 3 pages checked; not checked: whether every page is used (the tables were checked one by one)
    "#);
    insta::assert_snapshot!(refused("UPDATE sqlite_schema SET sql = replace(sql, '(name)', '(nme)') WHERE name = 'by_name'"), @r#"
    fail: SQLite refuses the schema because of the index by_name: no such column: nme; no program can open the store until that is mended, and no row is lost by it
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then take the object out of the schema, first in a second copy: sqlite3 -safe -cmd '.dbconfig defensive off' STORE "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=2"; then give its pages back: sqlite3 -safe STORE VACUUM; examine it again, and let the application make the object anew
    pass: 3 pages checked
    "#);
    insta::assert_snapshot!(refused("UPDATE sqlite_schema SET sql = sql || ' FROZEN' WHERE name = 'items'"), @r#"
    fail: SQLite refuses the schema because of the table items: unknown table option: FROZEN; no program can open the store until that is mended, and no row is lost by it
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; the rows of a table are found by its row in the schema, so do not delete that: write the definition that it had in its place (another store of the same version of the application has it), first in a second copy
    pass: 3 pages checked
    "#);
}

#[test]
fn a_store_of_a_newer_sqlite_is_not_called_damaged() {
    let place = Place::new();
    place.sql("CREATE TABLE items(id INTEGER PRIMARY KEY); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' FROZEN'");
    crate::support::damage::change(&place.store(), |bytes| {
        bytes[96..100].copy_from_slice(&3_060_000_u32.to_be_bytes());
    });
    insta::assert_snapshot!(place.said("read-only", &["--any"]), @r#"
    fail: the store was last written by SQLite 3.60.0, and this doctor has 3.54.1: SQLite refuses the schema because of the table items: unknown table option: FROZEN; what a newer SQLite writes need not be damage
      -> examine the store with a doctor, or a sqlite3, that has SQLite 3.60.0 or later; until then keep a copy of the store, and do not write it anew with an older one, which leaves out what it does not know
    "#);
}
