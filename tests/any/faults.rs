//! What is wrong in every store is found without knowing whose it is.

use super::{made, rows, said};
use crate::support::Place;

#[test]
fn what_needs_no_knowledge_is_looked_at_and_the_rest_is_skipped_with_the_reason() {
    let place = made("CREATE TABLE t(a); INSERT INTO t VALUES ('x')");
    let shown: Vec<String> = rows(&place)
        .1
        .iter()
        .map(|row| format!("{} {}", row["check"].as_str().unwrap(), row["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            "file pass",
            "journal pass",
            "in-use pass",
            "read-only pass",
            "page-structure pass",
            "schema-state skip",
            "unknown-ids skip",
            "migration-history skip",
            "schema-shape skip",
            "migration-rehearsal skip",
            "foreign-keys pass",
            "row-values pass",
            "artifacts skip",
        ]
    );
    for check in [
        "unknown-ids",
        "migration-history",
        "schema-shape",
        "migration-rehearsal",
    ] {
        let reason = "skip: it is not known which migrations the application has";
        assert_eq!(said(&place, check), reason, "{check}");
        // Also where nobody asks for the row that it otherwise needs.
        let alone = place.ask(&["--any", "--only", check, "--format", "json"]);
        assert_eq!((alone.code, alone.row(check)["status"].as_str()), (Some(0), Some("skip")), "{check}");
    }
    assert_eq!(
        said(&place, "artifacts"),
        "skip: it is not known which files the application names in its store"
    );
    let asked = place.ask(&["--any", "--artifacts", "--only", "artifacts"]);
    assert!(asked.stdout.contains("it is not known which files"), "{}", asked.stdout);
}

#[test]
fn text_that_is_not_in_the_stores_encoding_is_named_and_never_shown() {
    let place = made(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, Title TEXT, b BLOB); CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
         INSERT INTO t VALUES (1, 'größer', x'ff'), (7, CAST(x'67f6737e' AS TEXT), x'ff'), (9, char(7), 1.5);
         INSERT INTO w VALUES ('k', CAST(x'ff' AS TEXT)), ('l', 3)",
    );
    let (code, rows) = rows(&place);
    assert_eq!(code, Some(1));
    let row = rows.iter().find(|row| row["check"] == "row-values").unwrap();
    let text = place.text(row);
    assert_eq!(
        text,
        "fail: 2 values of text that are not UTF-8, in t.title (1), w.v (1)\n  \
           column \"title\", kind \"wrong-value\", row 7, table \"t\": text that is not UTF-8\n  \
           column \"v\", kind \"wrong-value\", table \"w\": text that is not UTF-8\n  \
           2 in all\n  \
           -> 1. Some programs write the bytes of another encoding as text. If the application shows these values as it should, leave them. 2. If it does not, keep a copy of all files of the store. 3. Suspect the disk, or whatever else wrote to the store, and restore a backup.\n     \
              $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept\n"
    );
}

#[test]
fn long_text_is_read_to_its_end_also_beside_a_generated_column() {
    let long = "CAST(CAST(hex(zeroblob(600000)) AS BLOB) || x'ff' AS TEXT)";
    let place = made(&format!("CREATE TABLE t(a); INSERT INTO t VALUES ({long}), (zeroblob(2000000))"));
    assert_eq!(said(&place, "row-values"), "fail: 1 value of text that is not UTF-8, in t.a (1)");
    let place = made(&format!(
        "CREATE TABLE t(a, b AS (1)); INSERT INTO t VALUES ({long}), (zeroblob(2000000))"
    ));
    assert_eq!(
        said(&place, "row-values"),
        "pass: the text in 2 rows of 1 table is in the store's encoding, UTF-8; 1 value was too long to look at"
    );
}

#[test]
fn a_row_that_refers_to_nothing_and_a_damaged_page_fail() {
    let place = made(
        "CREATE TABLE a(x INTEGER PRIMARY KEY); CREATE TABLE b(x REFERENCES a(x)); INSERT INTO a VALUES (1); INSERT INTO b VALUES (3), (1);
         CREATE TABLE long(x); INSERT INTO long VALUES (zeroblob(20000)), ('y')",
    );
    assert!(said(&place, "foreign-keys").starts_with("fail: 1 row refers to a row"));
    let root: i64 = place
        .open()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'long'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = std::fs::read(place.store()).unwrap();
    let page = usize::try_from(root - 1).unwrap() * 4096;
    bytes[page..page + 100].fill(0xee);
    std::fs::write(place.store(), bytes).unwrap();
    assert!(said(&place, "page-structure").starts_with("fail: "));
}

#[test]
fn what_is_no_database_fails_and_names_no_application() {
    let place = Place::new();
    std::fs::write(
        place.store(),
        "just some text, and more of it than a header has: ................................................",
    )
    .unwrap();
    let ran = place.ask(&["--any"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.stdout.contains("banger") && ran.stdout.contains("the application"), "{}", ran.stdout);
}

#[test]
fn several_stores_are_examined_at_once() {
    let place = made("CREATE TABLE t(a); INSERT INTO t VALUES ('x')");
    let other = made("CREATE TABLE b(x REFERENCES b(y), y UNIQUE); INSERT INTO b VALUES (3, 4)");
    let ran = place
        .doctor()
        .args(["--any", "--format", "json"])
        .arg(place.store())
        .arg(other.store())
        .run();
    let verdicts: Vec<bool> = ran.stdout.lines().map(|line| line.contains("\"verdict\":\"pass\"")).collect();
    assert_eq!((ran.code, verdicts), (Some(1), vec![true, false]), "{}", ran.stdout);
}

#[test]
fn a_schema_of_many_and_long_names_takes_little_memory_and_time() {
    let columns: Vec<String> = (0..400).map(|n| format!("c{n}")).collect();
    let columns = columns.join(",");
    let many: String = (0..60).map(|n| format!("CREATE TABLE t{n}({columns});")).collect();
    let ledgers: String = (0..300).map(|n| format!("CREATE TABLE l{n}(version uint64,dirty bool);")).collect();
    let place = made(&format!("BEGIN; {many} {ledgers} COMMIT"));
    assert_eq!(rows(&place).0, Some(0));
    let said = said(&place, "schema-state");
    assert!(said.contains("golang-migrate's ledger `l3` and 96 more"), "{said}");
}
