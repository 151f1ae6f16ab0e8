//! What `page-structure` looks at, and what it says of that at which it cannot look.

use std::fs;

use insta::assert_snapshot;

use crate::support::Place;

const CHECK: &str = "page-structure";

fn said(place: &Place) -> String {
    place.said(CHECK, &[])
}

/// Whether the row passes, and what it says was not checked.
fn not_checked(place: &Place) -> (bool, String) {
    let row = place.row(CHECK, &[]);
    let detail = row["detail"].as_str().unwrap();
    let words = detail.split_once("not checked: ").map_or("", |(_, words)| words);
    (row["status"] == "pass", words.to_owned())
}

/// A value that a CHECK constraint forbids.
const FORBIDDEN: &str = "CREATE TABLE z(a CHECK (a > 5)); PRAGMA ignore_check_constraints=ON; INSERT INTO z VALUES (1)";

#[test]
fn a_value_that_a_check_constraint_forbids_is_found() {
    let place = Place::with(1, 3);
    place.sql(FORBIDDEN);
    assert_snapshot!(said(&place), @r#"
    fail: rows hold values that their columns or a unique index forbid: no data is lost
      count 1, kind "constraint": CHECK constraint failed in z
      1 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Give these rows a value that banger would write. 3. Where two rows have the same name or address, let banger remove one.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn the_verdict_is_the_same_while_somebody_writes() {
    let place = Place::with(1, 3);
    place.sql(FORBIDDEN);
    let writer = place.open();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE vms SET state = 'running'").unwrap();
    assert_eq!(place.row(CHECK, &[])["status"], "fail", "in a transaction");
    drop(writer);
    let writer = place.open();
    writer.execute_batch("PRAGMA journal_mode=WAL; UPDATE vms SET state = 'running'").unwrap();
    assert_eq!(place.row(CHECK, &[])["status"], "fail", "live in WAL mode");
    drop(writer);
    assert_eq!(place.row(CHECK, &[])["status"], "fail", "closed");
}

#[test]
fn in_a_large_store_it_is_found_in_the_private_folder_or_said_not_to_be_looked_at() {
    let place = Place::with(1, 3);
    place.sql(FORBIDDEN);
    place.sql("CREATE TABLE filler(x); INSERT INTO filler VALUES (zeroblob(9000000))");
    assert!(fs::metadata(place.store()).unwrap().len() > 8 << 20);
    assert_eq!(place.row(CHECK, &[])["status"], "fail");

    let doctor = place.doctor().env("TMPDIR", "/nowhere");
    let ran = doctor.args(["--only", CHECK, "--format", "json"]).arg(place.store()).run();
    let row = ran.row(CHECK);
    assert_eq!(row["status"], "pass", "{row}");
    let detail = row["detail"].as_str().unwrap();
    assert!(
        detail.contains("; not checked: CHECK constraints (they need a private copy: "),
        "{detail}"
    );
}

#[test]
fn check_constraints_that_hold_pass_without_a_word() {
    let place = Place::with(1, 3);
    let uuid = ["[0-9a-f]"; 36].join("");
    place.sql(&format!(
        "CREATE TABLE z(id TEXT CHECK (id GLOB '{uuid}' AND length(id) = 36), last_check);
         INSERT INTO z VALUES ('{}', 1)",
        "a".repeat(36)
    ));
    assert_eq!(not_checked(&place), (true, String::new()));
}

#[test]
fn a_check_constraint_that_calls_a_function_that_is_not_here_is_not_checked_and_all_else_is() {
    let place = Place::with(1, 3);
    place.sql(
        "CREATE TABLE z(a CHECK (a > 5)); CREATE INDEX i ON z(a); INSERT INTO z VALUES (7);
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'a > 5', 'vat_id(a)') WHERE name = 'z'",
    );
    assert_eq!(
        not_checked(&place),
        (true, "CHECK constraints (unknown function: vat_id() [1])".to_owned())
    );
    // The index lacks a row.
    place.sql(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'vat_id(a)', '1') WHERE name = 'z';
         DELETE FROM sqlite_schema WHERE name = 'i'",
    );
    place.sql("INSERT INTO z VALUES (8)");
    place.sql(
        "CREATE INDEX i ON z(a); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (1)', 'CHECK (vat_id(a))') WHERE name = 'z';
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_vms_1') WHERE name = 'i'",
    );
    assert!(!not_checked(&place).0);
}

#[test]
fn a_sound_full_text_table_passes_and_a_broken_one_fails() {
    let place = Place::with(1, 3);
    place.sql("CREATE VIRTUAL TABLE notes USING fts5(a); INSERT INTO notes VALUES ('hello world')");
    assert_eq!(not_checked(&place), (true, String::new()));
    place.sql("CREATE VIRTUAL TABLE older USING fts4(a); INSERT INTO older VALUES ('hello world')");
    place.sql("CREATE VIRTUAL TABLE places USING rtree(id, a, b, +c); INSERT INTO places VALUES (1, 2, 3, 4)");
    assert_eq!(not_checked(&place), (true, String::new()));
    place.sql("DELETE FROM notes_content");
    assert!(!not_checked(&place).0);
}

/// Puts something into the schema that SQLite here would not make.
fn plant(place: &Place, kind: &str, name: &str, sql: &str) {
    let conn = place.open();
    conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
    conn.execute("INSERT INTO sqlite_schema VALUES (?1, ?2, ?2, 0, ?3)", [kind, name, sql])
        .unwrap();
}

#[test]
fn a_module_that_is_not_here_is_said_once_and_is_no_failure() {
    let place = Place::with(1, 3);
    plant(&place, "table", "v1", "CREATE VIRTUAL TABLE v1 USING vec0(a float[3])");
    plant(&place, "table", "v2", "create virtual table [v2] using \"Vec0\"(a)");
    plant(&place, "table", "s", "CREATE VIRTUAL TABLE s USING spellfix1");
    assert_eq!(
        not_checked(&place),
        (
            true,
            "s (no such module: spellfix1); not checked: v1 and 1 table more (no such module: vec0)".to_owned()
        )
    );
}

#[test]
fn a_collation_that_is_not_here_leaves_out_its_table_and_no_other() {
    let place = Place::with(1, 3);
    place.sql(
        "CREATE TABLE authors(name TEXT); INSERT INTO authors VALUES ('a'); CREATE INDEX by_name ON authors(name COLLATE NOCASE);
         CREATE TABLE plain(a NOT NULL); INSERT INTO plain VALUES (1);
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'pynocase') WHERE name = 'by_name'",
    );
    assert_eq!(
        not_checked(&place),
        (true, "the order of authors (the collation pynocase is the application's)".to_owned())
    );
    place.sql(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'a NOT NULL', 'a') WHERE name = 'plain'",
    );
    place.sql("UPDATE plain SET a = NULL");
    place.sql(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(a)', '(a NOT NULL)') WHERE name = 'plain'",
    );
    assert_snapshot!(said(&place), @r#"
    fail: rows hold values that their columns or a unique index forbid: no data is lost; not checked: the order of authors (the collation pynocase is the application's)
      count 1, kind "constraint": NULL value in plain.a
      1 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Give these rows a value that banger would write. 3. Where two rows have the same name or address, let banger remove one.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_virtual_table_that_its_module_refuses_says_nothing_of_lost_data() {
    let place = Place::with(1, 3);
    place.sql("CREATE VIRTUAL TABLE books USING fts5(a); INSERT INTO books VALUES ('hello')");
    place.sql(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(a)', '(a, tokenize=''calibre'')') WHERE name = 'books'",
    );
    assert_snapshot!(said(&place), @r#"
    fail: a virtual table could not be checked, because its own module refuses it: it is not known whether it is damaged
      count 1, kind "virtual-table-refused", table "books": a function or a virtual table of the store fails [1]
      1 in all
      -> 1. The ordinary tables were checked. Keep a copy of all files of the store. 2. Let the program that made this table open it: it may have what the doctor lacks (a tokenizer, an option). 3. If that program refuses it as well, let it rebuild the table.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_name_that_is_not_utf8_keeps_nobody_from_looking() {
    let place = Place::with(1, 3);
    place.sql(
        "CREATE TABLE z(a TEXT NOT NULL DEFAULT (0)); INSERT INTO z VALUES ('a'); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = CAST(replace(CAST(sql AS BLOB), x'44454641554C5420283029', x'44454641554C542028FD28302929') AS TEXT)
           WHERE name = 'z'",
    );
    assert_eq!(not_checked(&place), (true, String::new()));
}

#[test]
fn a_name_of_several_mebibytes_is_checked_in_its_index() {
    let place = Place::with(1, 3);
    place.sql("UPDATE vms SET name = hex(zeroblob(3000000)) WHERE rowid = 2");
    assert_eq!(place.row("page-structure", &[])["status"], "pass");
    assert_eq!(place.row("row-values", &[])["status"], "pass");
}

#[test]
fn a_name_longer_than_there_is_memory_for_is_said_to_be_that() {
    let place = Place::with(1, 3);
    place.sql("UPDATE vms SET name = hex(zeroblob(25000000)) WHERE rowid = 2");
    assert_snapshot!(place.said("page-structure", &[]), @"
    fail: could not look: SQLite says: out of memory: a value or the schema needs more memory than the doctor may use [7] (while running: PRAGMA integrity_check(1000))
      -> 1. This does not mean that the store is damaged. Run the doctor on this store alone. 2. If that does not help, keep a copy of all files of the store, and let sqlite3 check that.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ sqlite3 -readonly kept/state.db 'PRAGMA integrity_check'
    ");
}

#[test]
fn long_values_that_sqlites_own_checks_compare_are_no_fault_of_a_store_with_pending_migrations() {
    let place = Place::made_by("PRAGMA encoding='UTF-8'", 2, 1, 3);
    place.sql(
        "UPDATE vms SET name = hex(zeroblob(3000000)) WHERE rowid = 2;
         UPDATE images SET id = hex(zeroblob(1000000)) WHERE rowid = 1;
         UPDATE vms SET image_id = (SELECT id FROM images)",
    );
    for check in ["page-structure", "foreign-keys", "migration-rehearsal"] {
        assert_eq!(place.row(check, &[])["status"], "pass", "{}", place.said(check, &[]));
    }
}

#[test]
fn a_line_end_in_a_name_is_a_part_of_the_name() {
    let index = "by\nTree 2 page 2: btreeInitPage() returns error code 11";
    let place = Place::with(1, 3);
    // A row that the index does not see.
    place.sql(&format!(
        "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); CREATE INDEX \"{index}\" ON t(a);
         CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE type = 'index' AND tbl_name = 't';
         PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE type = 'index' AND tbl_name = 't'",
    ));
    place.sql("INSERT INTO t VALUES (3); PRAGMA writable_schema=ON; INSERT INTO sqlite_schema SELECT * FROM kept");
    assert_snapshot!(place.said(CHECK, &["--any"]), @r#"
    fail: only an index is wrong: no data is lost
      count 2, index "by\\nTree 2 page 2: btreeInitPage() returns error code 11", kind "index-only", table "t": wrong # of entries in index by\nTree 2 page 2: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db REINDEX && doctor --any fixed/state.db
    "#);

    let place = Place::with(1, 3).after("CREATE TABLE \"my\nitems\"(a); INSERT INTO \"my\nitems\" VALUES (NULL)");
    let place = place.rewritten("my\nitems", "(a)", "(a NOT NULL)");
    assert_snapshot!(place.said(CHECK, &["--any"]), @r#"
    fail: rows hold values that their columns or a unique index forbid: no data is lost
      count 1, kind "constraint": NULL value in my\nitems.a
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Give these rows a value that the application would write. 3. Where two rows have the same name or address, let the application remove one.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}
