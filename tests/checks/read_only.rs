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
    assert!(row["remedy"].as_str().unwrap().starts_with("Set TMPDIR to a folder"), "{row}");
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
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Take the object out of the schema, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Let the application make the object anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db 'PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=3' && doctor --any fixed/state.db
    pass: 3 pages checked
    "#);
    insta::assert_snapshot!(refused("INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'by_name'"), @"
    fail: SQLite refuses the schema because of the index by_name, which is there twice: index by_name already exists; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Take the object out of the schema, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Let the application make the object anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db 'PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=4' && doctor --any fixed/state.db
    pass: 3 pages checked; not checked: whether every page is used (the tables were checked one by one)
    ");
    insta::assert_snapshot!(refused("UPDATE sqlite_schema SET sql = replace(sql, '(name)', '(nme)') WHERE name = 'by_name'"), @"
    fail: SQLite refuses the schema because of the index by_name: no such column: nme; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Take the object out of the schema, and give its pages back, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Let the application make the object anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db 'PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=2' && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && doctor --any fixed/state.db
    pass: 3 pages checked
    ");
    insta::assert_snapshot!(refused("UPDATE sqlite_schema SET sql = sql || ' FROZEN' WHERE name = 'items'"), @"
    fail: SQLite refuses the schema because of the table items: unknown table option: FROZEN; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Do not delete the table's row in the schema: the rows of the table are found by it. 3. Write the definition that it had in its place, in a second copy. Another store of the same version of the application has it.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    pass: 3 pages checked
    ");
}

#[test]
fn a_store_of_a_newer_sqlite_is_not_called_damaged() {
    let place = Place::new();
    place.sql("CREATE TABLE items(id INTEGER PRIMARY KEY); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' FROZEN'");
    crate::support::damage::change(&place.store(), |bytes| {
        bytes[96..100].copy_from_slice(&3_060_000_u32.to_be_bytes());
    });
    insta::assert_snapshot!(place.said("read-only", &["--any"]), @"
    fail: the store was last written by SQLite 3.60.0, and this doctor has 3.54.1: SQLite refuses the schema because of the table items: unknown table option: FROZEN; what a newer SQLite writes need not be damage
      -> Examine the store with a doctor, or a sqlite3, that has SQLite 3.60.0 or later. Until then keep it as it is, and do not write it anew with an older SQLite, which leaves out what it does not know.
    ");
}

#[test]
fn counters_of_autoincrement_that_are_there_twice_or_are_another_thing_are_named() {
    let said = |change: &str| {
        let place = Place::new();
        place.sql(
            "CREATE TABLE items(id INTEGER PRIMARY KEY AUTOINCREMENT, name); INSERT INTO items(name) VALUES ('a')",
        );
        place.sql(&format!("PRAGMA writable_schema=ON; {change}"));
        let said = ["read-only", "page-structure"].map(|check| {
            let said = place.said(check, &["--any", "--only", "read-only,page-structure"]);
            let passed = said.split_once("; sandbox: ").filter(|_| said.starts_with("pass"));
            passed.map_or(said.clone(), |(before, _)| format!("{before}; sandbox: [SANDBOX]\n"))
        });
        said.concat()
    };
    let own = "WHERE name = 'sqlite_sequence'";
    // Twice, with one page, and with the page of another table.
    insta::assert_snapshot!(said(&format!("INSERT INTO sqlite_schema SELECT * FROM sqlite_schema {own}")), @"
    fail: SQLite refuses the schema because of the table sqlite_sequence, which is there twice: table sqlite_sequence already exists; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Take the object out of the schema, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Let the application make the object anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db 'PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=3' && doctor --any fixed/state.db
    pass: 3 pages checked
    ");
    insta::assert_snapshot!(said(&format!("INSERT INTO sqlite_schema SELECT type, name, tbl_name, 2, sql FROM sqlite_schema {own}")), @"
    fail: SQLite refuses the schema because of the table sqlite_sequence, which is there twice: table sqlite_sequence already exists; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Take the object out of the schema, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Let the application make the object anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db 'PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=3' && doctor --any fixed/state.db
    pass: 3 pages checked
    ");
    insta::assert_snapshot!(said(&format!("UPDATE sqlite_schema SET type = 'text' {own}")), @r#"
    fail: SQLite refuses the schema because row 2 of sqlite_schema, sqlite_sequence, has a type that SQLite never writes; no program can open the store until that is mended, and no row is lost by it
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Do not run VACUUM or .dump on the store: they may leave these objects out. 3. Put the rows of the schema right, in a second copy. 4. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET type='table' WHERE rowid=2" && doctor --any fixed/state.db
    fail: 1 row of sqlite_schema is not what SQLite writes: it reads the objects all the same, and whatever asks the schema for tables by type and name, as VACUUM and .dump do, may leave them out
      kind "schema-row", row 2, table "sqlite_schema": has a type that SQLite never writes
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Do not run VACUUM or .dump on the store: they may leave these objects out. 3. Put the rows of the schema right, in a second copy. 4. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET type='table' WHERE rowid=2" && doctor --any fixed/state.db
    "#);
    insta::assert_snapshot!(said(&format!("UPDATE sqlite_schema SET sql = 'CREATE TABLE sqlite_sequence(name,seq,more)' {own}")), @r#"
    pass: closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    fail: 1 row of sqlite_schema is not what SQLite writes: it reads the objects all the same, and whatever asks the schema for tables by type and name, as VACUUM and .dump do, may leave them out
      kind "schema-row", row 2, table "sqlite_schema": is sqlite_sequence, and not the table of two columns in which AUTOINCREMENT counts: no row can be inserted into a table with it
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Do not run VACUUM or .dump on the store: they may leave these objects out. 3. Put the rows of the schema right, in a second copy. 4. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET type='table',sql='CREATE TABLE sqlite_sequence(name,seq)' WHERE rowid=2" && doctor --any fixed/state.db
    "#);
    insta::assert_snapshot!(said(&format!("UPDATE sqlite_schema SET type = 'view', rootpage = 0, sql = 'CREATE VIEW sqlite_sequence AS SELECT 1 AS name, 2 AS seq' {own}")), @r#"
    pass: closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    fail: 1 page that nothing leads to holds 1 row that no table has: rows are out of reach, or were deleted; 1 row of sqlite_schema is not what SQLite writes: it reads the objects all the same, and whatever asks the schema for tables by type and name, as VACUUM and .dump do, may leave them out
      count 1, kind "rows-out-of-reach", page 3: nothing leads to these pages, which hold 1 row that no table has
      kind "schema-row", row 2, table "sqlite_schema": is sqlite_sequence, and not the table of two columns in which AUTOINCREMENT counts: no row can be inserted into a table with it
      2 in all
      -> 1. Rows may be lost. Stop the application before it writes, and keep a copy of all files of the store. 2. Compare the copy with a backup, or restore the backup. 3. Do not rebuild an index, and do not write the store anew: what an index or a page out of reach still holds is nowhere else.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}
