//! Indexes over expressions and over some of the rows, and CHECK constraints: evaluated as SQLite evaluates them.

use rusqlite::Connection;
use sqlite_format::answer::Answer;

use super::sqlite::{answers, hold_against_sqlite, hold_changed_bytes_against_sqlite};

/// Makes a store and returns its bytes.
fn made(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

const USERS: &str = "PRAGMA page_size=512;
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL COLLATE NOCASE, active INT CHECK (active IN (0, 1, 2)), at REAL,
                        note, CHECK (at > 0 OR at IS NULL), CHECK (length(email) < 500 OR 1));
    CREATE INDEX of_active ON users (email) WHERE active = 1;
    CREATE UNIQUE INDEX of_lower ON users (lower(email), id DESC);
    CREATE INDEX of_note ON users (note, coalesce(note, at) DESC) WHERE note IS NOT NULL AND active > 0 OR at BETWEEN 3 AND 9.5;
    CREATE INDEX of_upper ON users (upper(note)) WHERE note NOT IN ('a', 7) AND email <> 'USER-3@x';
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
    INSERT INTO users SELECT i, 'User-' || i || '@x', i % 3, nullif(i % 11, 0) / 2.0,
        CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'Note ' || i WHEN 2 THEN i ELSE 'a' END FROM n;";

#[test]
fn a_store_with_conditions_and_expressions_is_sound() {
    let sound = USERS.replace(", CHECK (length(email) < 500 OR 1)", "");
    assert_eq!(answers(&made(&sound), true), (Answer::Sound, Answer::Sound));
    // One constraint that is not evaluated leaves the table to SQLite.
    assert!(matches!(answers(&made(USERS), true).0, Answer::NotUnderstood(_)));
}

#[test]
fn no_changed_byte_of_it_is_called_sound_where_sqlite_sees_it() {
    let healthy = made(&USERS.replace(", CHECK (length(email) < 500 OR 1)", ""));
    let (sound, seen) = hold_changed_bytes_against_sqlite(&healthy, 19).unwrap();
    assert!(sound > 100 && seen > 500, "{sound} sound, {seen} seen by SQLite");
}

#[test]
fn a_condition_that_came_later_than_the_entries_is_no_more_sound_than_sqlite_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.db");
    for (was, is, sound) in [
        ("WHERE a = 1", "WHERE a = 1", true),
        ("WHERE a = 1", "WHERE a <> 1", false),
        ("WHERE a = 1", "WHERE a = '1'", false),
        ("WHERE a IN (1, 2)", "WHERE a < 3", true),
        ("WHERE a IN (1, 2)", "WHERE a < 2", false),
        ("WHERE a IS NULL", "WHERE b IS NULL", false),
        ("WHERE b = 'x'", "WHERE b = 'X'", false),
        ("WHERE b = 'X' COLLATE NOCASE", "WHERE b = 'x'", false),
        ("(lower(b))", "(upper(b))", false),
        ("(coalesce(a, 0))", "(coalesce(a, 7))", false),
        ("CHECK (a < 9)", "CHECK (a < 2)", false),
        ("CHECK (a < 9)", "CHECK (a < 9 AND 1)", true),
    ] {
        let (index, check) = if was.starts_with("CHECK") {
            (String::new(), was)
        } else if was.starts_with("WHERE") {
            (format!("CREATE INDEX i ON t(b) {was}"), "")
        } else {
            (format!("CREATE INDEX i ON t{was}"), "")
        };
        let last = if check.is_empty() {
            "('1', 'x', 0)"
        } else {
            "(8, 'x', 0)"
        };
        let bytes = made(&format!(
            "CREATE TABLE t(a, b TEXT, c {check}); {index};
             INSERT INTO t VALUES (1, 'x', 0), (2, 'X', 0), (NULL, 'y', 0), (1, NULL, 0), {last};
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, {}, {})",
            quoted(was),
            quoted(is)
        ));
        let (verdict, store, _) = hold_against_sqlite(&bytes, &path).unwrap();
        assert_eq!(store.is_sound(), sound, "{was} -> {is}: {store:?}, SQLite: {verdict:?}");
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
