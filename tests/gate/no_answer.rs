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

/// A store in which banger's tables are after this change to the rows of the schema.
fn with_schema(change: &str) -> Place {
    let place = store_with("INSERT INTO schema_migrations VALUES (99, 'later', '2026-04-28T18:41:31Z')");
    place.sql(&format!("PRAGMA writable_schema=ON; {change}"));
    place
}

#[test]
fn a_schema_that_says_something_else_than_sqlite_reads_gets_no_answer() {
    for (change, what) in [
        (
            "UPDATE sqlite_schema SET type = 'tAble' WHERE name = 'schema_migrations'",
            "type that SQLite never writes",
        ),
        (
            "UPDATE sqlite_schema SET type = x'7461626c65' WHERE name = 'schema_migrations'",
            "type that is not text",
        ),
        (
            "UPDATE sqlite_schema SET name = x'736368656d615f6d6967726174696f6e73' WHERE name = 'schema_migrations'",
            "name that is not text",
        ),
    ] {
        let place = with_schema(change);
        let said = ask(&place);
        assert!(
            said.contains("cannot tell: ") && said.contains(what) && said.contains("exit 3"),
            "{change}: {said}"
        );
        // The report names the row, and whatever looks at tables says that it did not.
        for options in [&[][..], &["--any"]] {
            let row = place.said("page-structure", options);
            assert!(row.starts_with("fail: ") && row.contains(what), "{change}: {row}");
            for other in ["schema-state", "foreign-keys", "row-values"] {
                let said = place.said(other, options);
                assert!(!said.starts_with("pass: "), "{change}: {other}: {said}");
            }
        }
    }
}

#[test]
fn what_is_wrong_in_the_schema_is_put_right_by_the_remedy() {
    let place = with_schema(
        "UPDATE sqlite_schema SET type = 'tAble', name = 'schema_migrations' WHERE name = 'schema_migrations'",
    );
    assert_snapshot!(place.said("page-structure", &[]), @r#"
    fail: 1 row of sqlite_schema is not what SQLite writes: it reads the objects all the same, and whatever asks the schema for tables by type and name, as VACUUM and .dump do, may leave them out
      kind "schema-row", row 1, table "sqlite_schema": has a type that SQLite never writes
      1 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Do not run VACUUM or .dump on the store: they may leave these objects out. 3. Put the rows of the schema right, in a second copy. 4. If the doctor passes the second copy, put that in the store's place while banger is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET type='table' WHERE rowid=1" && doctor fixed/state.db
    "#);
    place.sql("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET type='table' WHERE rowid=1");
    assert!(ask(&place).contains("unknown [99]"));
}

#[test]
fn a_damaged_first_page_gets_no_answer() {
    // No cell is left on it, and with them no table.
    let place = store_with("INSERT INTO schema_migrations VALUES (99, 'later', '2026-04-28T18:41:31Z')");
    change(&place.store(), |bytes| bytes[103..105].fill(0));
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(sqlite_schema))"}
    cannot tell: [PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(sqlite_schema))
    --- exit 3 ---
    "#);
}

#[test]
fn rows_of_another_table_are_no_ledger() {
    let root_of = |tree: &str| format!("(SELECT rootpage FROM sqlite_schema WHERE name = '{tree}')");
    let place = with_schema(&format!(
        "UPDATE sqlite_schema SET rootpage = {} WHERE name = 'schema_migrations'",
        root_of("images")
    ));
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: the schema cannot be relied on: another object of the schema has the ledger's root page"}
    cannot tell: [PLACE]/store/state.db: the schema cannot be relied on: another object of the schema has the ledger's root page
    --- exit 3 ---
    "#);
    // A page of a larger tree, whose root is another page: the records are longer than a ledger's can be.
    let place = store_with("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO vms SELECT 'v' || i, 'n' || i, (SELECT id FROM images), '10.1.' || (i / 200) || '.' || i, 'running', '2026-04-28T18:41:31Z',
        '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '{}', '{}', '{}', '{}' FROM n");
    let leaf = crate::support::damage::leaves(&place.store(), "vms")[0];
    place.sql(&format!(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = {leaf} WHERE name = 'schema_migrations'"
    ));
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: the schema cannot be relied on: the records in the ledger's pages are longer than its columns can be"}
    cannot tell: [PLACE]/store/state.db: the schema cannot be relied on: the records in the ledger's pages are longer than its columns can be
    --- exit 3 ---
    "#);
    // The rowid's column holds a value, which SQLite never stores there.
    let place = store_with(
        "CREATE TABLE log(n INT, what TEXT, at TEXT); INSERT INTO log VALUES (7000, 'a', 'b'), (8000, 'c', 'd')",
    );
    place.sql(&format!(
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = {} WHERE name = 'schema_migrations'; DELETE FROM sqlite_schema WHERE name = 'log'",
        root_of("log")
    ));
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: the schema cannot be relied on: the records in the ledger's pages are longer than its columns can be"}
    cannot tell: [PLACE]/store/state.db: the schema cannot be relied on: the records in the ledger's pages are longer than its columns can be
    --- exit 3 ---
    "#);
}

#[test]
fn a_definition_longer_than_any_value_that_is_read_is_no_fault() {
    let long = format!("CREATE VIEW long AS SELECT '{}' AS a", "x".repeat(1_500_000));
    assert!(ask(&store_with(&long)).contains("compatible: all 3 migrations applied"));
}

#[test]
fn another_applications_store_gets_no_answer() {
    let other = |sql: &str| {
        let place = Place::new();
        Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
        place
    };
    // A table of the same name has not banger's columns.
    let tiles = other("CREATE TABLE images(tile_data BLOB, tile_id TEXT); PRAGMA application_id = 0x4d504258");
    assert_snapshot!(ask(&tiles), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: not banger's store: 1 table is in it, and none of them is banger's (images, vms); it looks like a tile set (MBTiles), by its application_id (doctor --any examines any application's database)"}
    cannot tell: [PLACE]/store/state.db: not banger's store: 1 table is in it, and none of them is banger's (images, vms); it looks like a tile set (MBTiles), by its application_id (doctor --any examines any application's database)
    --- exit 3 ---
    "#);
    assert_snapshot!(tiles.said("schema-state", &[]), @"
    fail: could not look: not banger's store: 1 table is in it, and none of them is banger's (images, vms); it looks like a tile set (MBTiles), by its application_id (doctor --any examines any application's database)
      -> 1. This may be another program's database: check the path. 2. This examines the database of any application. 3. If it is banger's store, do not delete it. Keep a copy of all its files, and restore a backup.
         $ doctor --any [PLACE]/store/state.db
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    ");
    assert_snapshot!(ask(&other("CREATE TABLE django_migrations(id INTEGER PRIMARY KEY, app, name, applied); CREATE TABLE notes(x)")), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: not banger's store: 2 tables are in it, and none of them is banger's (images, vms); it looks like another application's, as it has Django's ledger `django_migrations` (doctor --any examines any application's database)"}
    cannot tell: [PLACE]/store/state.db: not banger's store: 2 tables are in it, and none of them is banger's (images, vms); it looks like another application's, as it has Django's ledger `django_migrations` (doctor --any examines any application's database)
    --- exit 3 ---
    "#);
    assert_snapshot!(ask(&other("CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url)")), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: not banger's store: 1 table is in it, and none of them is banger's (images, vms); it looks like a Mozilla browser's bookmarks and history, by its table moz_places (doctor --any examines any application's database)"}
    cannot tell: [PLACE]/store/state.db: not banger's store: 1 table is in it, and none of them is banger's (images, vms); it looks like a Mozilla browser's bookmarks and history, by its table moz_places (doctor --any examines any application's database)
    --- exit 3 ---
    "#);
    // What another program keeps beside banger's tables makes no other store of it.
    assert!(
        ask(&other("CREATE TABLE _litestream_seq(id INTEGER PRIMARY KEY, seq INTEGER)")).contains("pending [1 2 3]")
    );
    // Nor does a column that is gone, nor an empty database.
    assert!(
        ask(&store_with(
            "PRAGMA foreign_keys=OFF; DROP TABLE schema_migrations; ALTER TABLE vms DROP COLUMN stats_json; DROP TABLE images"
        ))
        .contains("exit 1")
    );
    assert!(ask(&other("CREATE TABLE t(x INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE t")).contains("exit 1"));
}

#[test]
fn a_row_that_is_gone_from_the_ledger_is_told_from_a_migration_that_did_not_run() {
    for gone in ["id = 2", "id = 3", "id IN (2, 3)", "TRUE"] {
        let place = store_with(&format!("DELETE FROM schema_migrations WHERE {gone}"));
        let said = ask(&place);
        // The ids decide; a rehearsal says that what is pending fails.
        assert!(said.contains("migrations needed: pending") && said.contains("exit 1"), "{gone}: {said}");
        assert_eq!(gate(&place).arg("--rehearse").run().code, Some(2), "{gone}");
        let shape = place.said("schema-shape", &[]);
        assert!(shape.starts_with("fail: the tables are as after migrations 1 to 3"), "{shape}");
    }
    let place = store_with("DELETE FROM schema_migrations WHERE id = 2");
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"migrations-needed","applied":[1,3],"known_max":3,"pending":[2],"unknown":[]}
    migrations needed: pending [2] (binary will apply on first Open)
    --- exit 1 ---
    "#);
    assert_snapshot!(place.said("migration-history", &[]), @r#"
    fail: the tables are as after migrations 1 to 3; only the ledger's row 2 is gone
      id 2, kind "ledger-wrong": the ledger's row is missing, and the tables show that the migration ran
      1 in all
      -> 1. No data is lost; until this is mended, banger may fail to start. Stop banger, and keep a copy of all files of the store. 2. Put back what is gone, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while banger is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "INSERT INTO schema_migrations(id,name,applied_at) VALUES(2,'drop_images_docker',strftime('%Y-%m-%dT%H:%M:%SZ','now'))" && doctor fixed/state.db
    "#);
    assert_snapshot!(place.said("schema-state", &[]), @"pass: 2 applied, pending [2]: the tables are as after migrations 1 to 3; only the ledger's row 2 is gone; banger will run what is done a second time, which fails");
    place.sql("INSERT INTO schema_migrations(id,name,applied_at) VALUES(2,'drop_images_docker',strftime('%Y-%m-%dT%H:%M:%SZ','now'))");
    place.assert_healthy("the row is back");
    // To create a table that is there changes nothing: the runner does it again.
    let baseline =
        store_with(&format!("{}; DELETE FROM schema_migrations", super::ONLY_BASELINE.trim_end_matches(';')));
    let said = ask(&baseline);
    assert!(said.contains("migrations needed: pending [1 2 3]"), "{said}");
    // Where the tables show something else, nothing is concluded.
    let other = store_with("DELETE FROM schema_migrations WHERE id = 2; ALTER TABLE images ADD COLUMN more TEXT");
    assert!(ask(&other).contains("migrations needed"));
}

#[test]
fn a_damaged_header_is_no_answer() {
    let place = Place::new();
    Lies::Rollback.make(&place.store());
    let mut bytes = fs::read(place.store()).unwrap();
    // A write version that this SQLite only reads: no daemon could apply a migration.
    bytes[18] = 3;
    fs::write(place.store(), bytes).unwrap();
    let ran = place.ask(&["--check-migrations"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let words = "the header announces a newer SQLite (file format: write version 3)";
    assert!(ran.stdout.contains(words), "{ran:?}");
}
