//! `doctor --salvage --any`: stores of applications of which nothing is known.

use std::fs;

use rusqlite::{Connection, types::Value};

use crate::support::damage::overwrite_page;
use crate::support::{Place, Ran};

/// A schema with what `.recover` and a plain shell cannot do: a collation of the application's own, generated columns, keys of all kinds, full-text
/// search and an R-tree.
const SCHEMA: &str = "
    CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, heading TEXT NOT NULL UNIQUE, size INT, half AS (size / 2), twice AS (size * 2) STORED, body TEXT);
    CREATE TABLE label (name TEXT PRIMARY KEY, colour INT) WITHOUT ROWID;
    CREATE TABLE strict_one (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c ANY) STRICT;
    CREATE TABLE down (a INTEGER PRIMARY KEY DESC, e);
    CREATE TABLE \"odd \"\"name\" (\"select\" TEXT, x REAL DEFAULT (1 + 1));
    CREATE INDEX note_size ON note (size, body); CREATE UNIQUE INDEX note_lower ON note (lower(heading)) WHERE size IS NOT NULL;
    CREATE VIRTUAL TABLE words USING fts5(body); CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1);
    CREATE VIRTUAL TABLE found USING fts5(body, content = 'note', content_rowid = 'id');
    CREATE VIEW long_ones AS SELECT heading FROM note WHERE size > 10;
    CREATE TRIGGER note_made AFTER INSERT ON note BEGIN INSERT INTO label VALUES (new.heading, 1); END;";

/// Makes a store with this schema and so many notes.
fn make(place: &Place, notes: i64, pragmas: &str) {
    let store = Connection::open(place.store()).unwrap();
    store
        .execute_batch(&format!("{pragmas}; PRAGMA user_version=7; PRAGMA application_id=42; {SCHEMA}"))
        .unwrap();
    store.execute_batch("BEGIN").unwrap();
    for id in 1..=notes {
        let body = format!("lamp number {id}\n.quit it's {}", "x".repeat(usize::try_from(id % 300).unwrap()));
        store
            .execute(
                "INSERT INTO note (id, heading, size, body) VALUES (?1, ?2, ?1, ?3)",
                (id, format!("note {id}"), &body),
            )
            .unwrap();
        store
            .execute(
                "INSERT INTO strict_one VALUES (?1, ?2, ?3)",
                (id * 7, &body, f64::from(i32::try_from(id).unwrap()) / 3.0),
            )
            .unwrap();
        store.execute("INSERT INTO words (rowid, body) VALUES (?1, ?2)", (id, &body)).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        store.execute("INSERT INTO box VALUES (?1, ?2, ?2 + 1, 0, 2.5)", (id, id as f64)).unwrap();
    }
    store.execute_batch("INSERT INTO down VALUES (5, 'x'), (3, NULL); INSERT INTO \"odd \"\"name\" VALUES ('1.0', 9e999), (x'00ff', -0.0);
                         INSERT INTO found (found) VALUES ('rebuild'); COMMIT").unwrap();
}

/// Every row of every table, and the number of hits of a word.
fn content(store: &Connection) -> Vec<String> {
    let tables = [
        "note",
        "label",
        "strict_one",
        "down",
        "\"odd \"\"name\"",
        "words",
        "box",
        "sqlite_sequence",
    ];
    let mut out: Vec<String> = tables
        .iter()
        .map(|table| {
            let rowid = if *table == "label" || *table == "sqlite_sequence" {
                "0"
            } else {
                "rowid"
            };
            let mut statement = store.prepare(&format!("SELECT {rowid}, * FROM {table} ORDER BY 1, 2")).unwrap();
            let width = statement.column_count();
            let rows = statement
                .query_map([], |row| (0..width).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>());
            format!("{table}: {:?}", rows.unwrap().map(Result::unwrap).collect::<Vec<_>>())
        })
        .collect();
    let hits: i64 = store
        .query_row("SELECT count(*) FROM found WHERE found MATCH 'lamp'", [], |row| row.get(0))
        .unwrap();
    out.push(format!("hits: {hits}"));
    out
}

fn loaded(ran: &Ran) -> Connection {
    let memory = Connection::open_in_memory().unwrap();
    memory
        .execute_batch(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", ran.stderr));
    assert!(ran.stdout.ends_with("\nCOMMIT;\n") && !ran.stdout.contains("\n."));
    memory
}

#[test]
fn a_sound_store_of_any_application_comes_back_to_the_row_and_the_object() {
    for pragmas in [
        "PRAGMA page_size=1024",
        "PRAGMA encoding='UTF-16le'",
        "PRAGMA auto_vacuum=1",
    ] {
        let place = Place::new();
        make(&place, 400, pragmas);
        let before = content(&Connection::open(place.store()).unwrap());
        let ran = place.ask(&["--salvage", "--any"]);
        assert_eq!(ran.code, Some(0), "{pragmas}: {}", ran.stderr);
        let after = loaded(&ran);
        assert_eq!(content(&after), before, "{pragmas}");
        let number =
            |pragma: &str| after.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((number("user_version"), number("application_id")), (7, 42));
        let kinds: Vec<String> = after
            .prepare("SELECT type || ' ' || name FROM sqlite_schema WHERE name IN ('note_size', 'note_lower', 'long_ones', 'note_made') ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // A trigger is a comment unless it is asked for.
        assert_eq!(kinds, ["view long_ones", "index note_lower", "index note_size"]);
        assert!(ran.stdout.contains(
            "\n-- not made anew, triggers are only made with --with-triggers: trigger note_made: CREATE TRIGGER"
        ));
        let live = loaded(&place.ask(&["--salvage", "--any", "--with-triggers"]));
        assert_eq!(content(&live), before, "a trigger comes behind the rows");
    }
}

#[test]
fn without_its_first_page_a_store_takes_the_schema_of_another_one() {
    let place = Place::new();
    make(&place, 300, "PRAGMA page_size=4096");
    let before = content(&Connection::open(place.store()).unwrap());
    let other = place.root().join("other.db");
    let fresh = Connection::open(&other).unwrap();
    fresh.execute_batch(SCHEMA).unwrap();
    drop(fresh);
    overwrite_page(&place.store(), 1, 0);
    let ran = place.ask(&["--salvage", "--any", "--like", other.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let after = content(&loaded(&ran));
    assert_eq!(after, before, "{}", ran.stderr);
}

#[test]
fn nothing_that_stands_in_a_statement_is_executed_as_it_stands() {
    let plant = |sql: &str| {
        let place = Place::new();
        place.sql("CREATE TABLE kept (id INTEGER PRIMARY KEY, t); INSERT INTO kept VALUES (1, 'a'), (2, 'b'); CREATE TABLE z (a, b); INSERT INTO z VALUES (1, 2)");
        let conn = place.open();
        conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
        conn.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'z'", [sql]).unwrap();
        drop(conn);
        place.ask(&["--salvage", "--any"])
    };
    for sql in [
        "CREATE TABLE z(a, b)\n.shell touch RAN\n",
        "CREATE TABLE z(a, b); ATTACH 'RAN' AS g",
        "COMMIT; CREATE TABLE z(a, b)",
        "CREATE TABLE z(a CHECK(writefile('RAN', a)), b)",
        "CREATE TABLE z(a, b, c AS (zeroblob(400000000)) STORED)",
        "CREATE TABLE z(a UNIQUE, b NOT NULL",
        "CREATE VIRTUAL TABLE z USING csv(filename='/etc/passwd')",
        "CREATE TABLE temp.z(a, b)",
        "CREATE TABLE kept(a, b)",
        "CREATE TABLE \"z\n.shell x\"(a, b)",
        "garbage",
        "",
    ] {
        let ran = plant(sql);
        assert!(ran.code.is_some_and(|code| code <= 1), "{sql}: {ran:?}");
        let memory = loaded(&ran);
        let kept: i64 = memory.query_row("SELECT count(*) FROM kept", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 2, "{sql}");
        let live = ran.stdout.lines().filter(|line| !line.starts_with("--"));
        for line in live {
            let begins = ["PRAGMA ", "BEGIN;", "CREATE TABLE ", "INSERT ", "COMMIT;"];
            assert!(
                begins.iter().any(|begin| line.starts_with(begin)) && !line.contains("RAN") && !line.contains("csv"),
                "{sql}: {line}"
            );
        }
    }
}

#[test]
fn rows_whose_statement_cannot_be_used_are_given_without_a_name() {
    let place = Place::new();
    place.sql("CREATE TABLE z (a, b); INSERT INTO z VALUES (1, 'x'), (2, NULL)");
    place.rewritten_all("garbage");
    let ran = place.ask(&["--salvage", "--any"]);
    assert_eq!(ran.code, Some(1));
    let rows: String = loaded(&ran)
        .query_row("SELECT group_concat(rowid || c0 || ifnull(c1, '-')) FROM lost_1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, "11x,22-");
    assert!(ran.stderr.contains("lost_1"), "{}", ran.stderr);
}

impl Place {
    /// Puts a text in the place of every definition, which SQLite never allows.
    fn rewritten_all(&self, sql: &str) {
        let conn = self.open();
        conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
        conn.execute("UPDATE sqlite_schema SET sql = ?1", [sql]).unwrap();
    }
}

#[test]
fn a_page_size_that_is_not_the_pages_own_costs_nothing() {
    let place = Place::new();
    make(&place, 300, "PRAGMA page_size=4096");
    let before = content(&Connection::open(place.store()).unwrap());
    let mut bytes = fs::read(place.store()).unwrap();
    bytes[16..18].copy_from_slice(&[2, 0]);
    fs::write(place.store(), bytes).unwrap();
    let ran = place.ask(&["--salvage", "--any"]);
    assert_eq!(content(&loaded(&ran)), before, "{}", ran.stderr);
}
