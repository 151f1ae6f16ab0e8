//! References are answered in the same pass: held only where each row's parent is certainly there.

use sqlite_format::answer::Answer;
use sqlite_format::row::NoVisitor;

use super::sqlite::{hold_against_sqlite, visited};

/// Returns true if the foreign keys of a store that is made by this SQL hold.
fn holds(sql: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(&format!("PRAGMA foreign_keys=OFF; BEGIN; {sql}; COMMIT")).unwrap();
    drop(conn);
    let bytes = std::fs::read(&path).unwrap();
    hold_against_sqlite(&bytes, &path).unwrap();
    let one = visited(&bytes, None, true, &NoVisitor, Some(1)).unwrap();
    let three = visited(&bytes, None, true, &NoVisitor, Some(3)).unwrap();
    assert_eq!(one.foreign_keys, three.foreign_keys);
    assert!(!matches!(one.store, Answer::PerhapsNot(_)));
    one.foreign_keys.is_sound()
}

const NUMBERS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";

#[test]
fn rows_that_refer_to_rowids_hold_where_these_are_there() {
    let parents = format!("CREATE TABLE p(id INTEGER PRIMARY KEY, x); {NUMBERS} INSERT INTO p SELECT i * 2, i FROM n");
    let child = "CREATE TABLE c(p INT REFERENCES p)";
    let all = format!("{parents}; {child}; {NUMBERS} INSERT INTO c SELECT i * 2 FROM n; INSERT INTO c VALUES (NULL)");
    assert!(holds(&all));
    assert!(!holds(&format!("{all}; INSERT INTO c VALUES (7)")));
    assert!(!holds(&format!("{all}; INSERT INTO c VALUES (6002)")));
    assert!(!holds(&format!("{all}; INSERT INTO c VALUES (-2)")));
    assert!(!holds(&format!("{all}; INSERT INTO c VALUES ('x')")));
    assert!(holds(&format!("{parents}; {child}")));
    // Rowids so far apart that no bits are kept for them.
    let sparse =
        "INSERT INTO p VALUES (-5, 0), (9223372036854775807, 0); INSERT INTO c VALUES (-5), (9223372036854775807)";
    assert!(holds(&format!("{all}; {sparse}")));
    assert!(!holds(&format!("{all}; {sparse}; INSERT INTO c VALUES (7)")));
}

#[test]
fn rows_that_refer_to_keys_hold_where_these_are_there() {
    let parents = format!(
        "CREATE TABLE p(id TEXT PRIMARY KEY, a, b REAL, UNIQUE(b, a)); {NUMBERS} INSERT INTO p SELECT 'key-' || i, i, i * 2 FROM n"
    );
    let by_text = format!(
        "{parents}; CREATE TABLE c(p TEXT REFERENCES p(id)); {NUMBERS} INSERT INTO c SELECT 'key-' || i FROM n"
    );
    assert!(holds(&by_text));
    assert!(!holds(&format!("{by_text}; INSERT INTO c VALUES ('key-0')")));
    assert!(!holds(&format!("{by_text}; INSERT INTO c VALUES (x'6b65792d31')")));
    assert!(!holds(&format!("{by_text}; DELETE FROM p WHERE a = 1500")));
    let by_two = format!(
        "{parents}; CREATE TABLE c(x, y REAL, FOREIGN KEY(x, y) REFERENCES p(a, b)); {NUMBERS} INSERT INTO c SELECT i, i * 2 FROM n"
    );
    assert!(holds(&by_two));
    assert!(holds(&format!("{by_two}; INSERT INTO c VALUES (NULL, 1), (1, NULL)")));
    assert!(!holds(&format!("{by_two}; INSERT INTO c VALUES (1, 4)")));
}

#[test]
fn rows_that_refer_to_tables_without_rowids_hold_where_these_have_their_keys() {
    let parents = format!(
        "CREATE TABLE p(x, a TEXT, b INT, u UNIQUE, PRIMARY KEY(b, a)) WITHOUT ROWID; {NUMBERS} INSERT INTO p SELECT 'x', 'key-' || i, i, -i FROM n"
    );
    for (child, row, none) in [
        ("c(y, z, FOREIGN KEY(y, z) REFERENCES p)", "i, 'key-' || i", "7, 'key-8'"),
        ("c(y, z, FOREIGN KEY(y, z) REFERENCES p(a, b))", "'key-' || i, i", "'key-8', 7"),
        ("c(y REFERENCES p(u), z)", "-i, NULL", "1, 'key-1'"),
    ] {
        let all = format!("{parents}; CREATE TABLE {child}; {NUMBERS} INSERT INTO c SELECT {row} FROM n");
        assert!(holds(&all), "{child}");
        assert!(holds(&format!("{all}; INSERT INTO c VALUES (NULL, 1)")), "{child}");
        assert!(!holds(&format!("{all}; INSERT INTO c VALUES ({none})")), "{child}");
        assert!(!holds(&format!("{all}; DELETE FROM p WHERE b = 1500")), "{child}");
    }
    assert!(holds("CREATE TABLE p(a PRIMARY KEY) WITHOUT ROWID; CREATE TABLE c(p REFERENCES p(a))"));
    assert!(!holds(
        "CREATE TABLE p(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID; CREATE TABLE c(p REFERENCES p(a))"
    ));
    // Under NOCASE, what SQLite takes for equal is left to it.
    let no_case = "CREATE TABLE p(a TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID; INSERT INTO p VALUES ('Key');
        CREATE TABLE c(p REFERENCES p)";
    assert!(holds(&format!("{no_case}; INSERT INTO c VALUES ('Key')")));
    assert!(!holds(&format!("{no_case}; INSERT INTO c VALUES ('KEY')")));
}

#[test]
fn a_key_that_is_equal_to_sqlite_alone_is_left_to_sqlite() {
    let no_case = "CREATE TABLE p(id TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO p VALUES ('Key')";
    assert!(holds(&format!(
        "{no_case}; CREATE TABLE c(p TEXT REFERENCES p); INSERT INTO c VALUES ('Key')"
    )));
    assert!(!holds(&format!(
        "{no_case}; CREATE TABLE c(p TEXT REFERENCES p); INSERT INTO c VALUES ('KEY')"
    )));
}

#[test]
fn a_table_that_refers_to_itself_is_read_once() {
    let own =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, up REFERENCES t(id)); INSERT INTO t VALUES (1, NULL), (2, 1), (3, 3)";
    assert!(holds(own));
    assert!(!holds(&format!("{own}; INSERT INTO t VALUES (4, 5)")));
}

#[test]
fn definitions_that_sqlite_refuses_hold_nothing() {
    assert!(!holds("CREATE TABLE c(p REFERENCES nobody); INSERT INTO c VALUES (1)"));
    assert!(!holds("CREATE TABLE p(a); CREATE TABLE c(p REFERENCES p(a))"));
    assert!(!holds(
        "CREATE TABLE p(a); CREATE UNIQUE INDEX i ON p(a COLLATE NOCASE); CREATE TABLE c(p REFERENCES p(a))"
    ));
    assert!(!holds("CREATE TABLE p(a, b, UNIQUE(a, b)); CREATE TABLE c(p REFERENCES p(a))"));
    // Nor does a statement that is not taken apart, which may have foreign keys of any kind.
    assert!(!holds("CREATE TABLE c(a INTEGER, PRIMARY KEY(a DESC))"));
}

#[test]
fn nothing_holds_in_a_schema_that_sqlite_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO p VALUES (1);
         CREATE TABLE other(a); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'other';",
    )
    .unwrap();
    drop(conn);
    let bytes = std::fs::read(&path).unwrap();
    let (verdict, store, keys) = hold_against_sqlite(&bytes, &path).unwrap();
    assert!(!verdict.loads && !store.is_sound() && !keys.is_sound());
}
