//! Stores that the reader calls sound are "ok" to SQLite's integrity check: on healthy stores, on damaged ones, on every byte.

use proptest::prelude::*;
use sqlite_format::answer::Answer;
use sqlite_format::cross_check::CrossCheck;
use sqlite_format::interrupt::Never;
use sqlite_format::reader::pages_there;
use sqlite_format::schema::Unsupported;

use super::damage::damage;
use super::random::Random;
use super::sqlite::{answers, hold_against_sqlite, hold_changed_bytes_against_sqlite, verdict_of};
use super::stores::{Shape, make};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_healthy_store_is_sound_or_not_understood(seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        for shape in [Shape::Understood, Shape::Any] {
            let path = folder.path().join("made.db");
            make(seed, shape, &path);
            let bytes = std::fs::read(&path).unwrap();
            let held = hold_against_sqlite(&bytes, &folder.path().join("asked.db"));
            let (verdict, store, _) = held.map_err(TestCaseError::fail)?;
            prop_assert!(verdict.sound, "SQLite does not take its own store");
            prop_assert!(!matches!(store, Answer::PerhapsNot(_)), "{store:?}");
        }
    }

    #[test]
    fn nothing_is_wrong_between_the_indexes_tables_and_pages_of_a_healthy_store(seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        for shape in [Shape::Understood, Shape::Any] {
            let path = folder.path().join("made.db");
            make(seed, shape, &path);
            let bytes = std::fs::read(&path).unwrap();
            let (header, source) = pages_there(&bytes, None).unwrap();
            let facts = CrossCheck::read(&header, &source, &Never).unwrap();
            prop_assert!(facts.all_rows_read() && !facts.has_wrong_pages(), "{facts:#?}");
            for index in facts.tables.iter().flat_map(|table| &table.indexes) {
                let wrong = [&index.keys_without_rows, &index.rows_without_keys, &index.differing];
                prop_assert!(wrong.iter().all(|named| named.count == 0) && index.duplicates.is_empty(), "{index:#?}");
            }
        }
    }

    #[test]
    fn a_damaged_store_is_sound_only_where_sqlite_says_so(seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.db");
        make(seed, Shape::Any, &path);
        let healthy = std::fs::read(&path).unwrap();
        let mut random = Random(seed);
        for _ in 0..16 {
            let mut bytes = healthy.clone();
            damage(&mut bytes, &mut random, None);
            hold_against_sqlite(&bytes, &path).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn text_that_only_looks_like_a_number_is_left_to_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE t(a INTEGER); INSERT INTO t VALUES ('1e'), ('1.2.3')")
        .unwrap();
    drop(conn);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(answers(&bytes, true).0, Answer::NotUnderstood(Unsupported::NumberAsText));
}

/// A healthy store of an application's: two tables, each with an index for a key of text, and a foreign key.
fn application(encoding: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(&format!("PRAGMA encoding='{encoding}'")).unwrap();
    conn.execute_batch(
        "CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL);
         INSERT INTO schema_migrations VALUES (1, 'first', 'x'), (2, 'second', 'x');
         CREATE TABLE images (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, managed INTEGER NOT NULL DEFAULT 0,
                              rootfs_path TEXT NOT NULL, kernel_path TEXT NOT NULL, created_at TEXT NOT NULL,
                              updated_at TEXT NOT NULL);
         CREATE TABLE vms (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image_id TEXT NOT NULL, guest_ip TEXT NOT NULL UNIQUE,
                           state TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
                           last_touched_at TEXT NOT NULL, spec_json TEXT NOT NULL, runtime_json TEXT NOT NULL,
                           stats_json TEXT NOT NULL DEFAULT '{}',
                           FOREIGN KEY(image_id) REFERENCES images(id) ON DELETE RESTRICT);
         INSERT INTO images(id, name, managed, rootfs_path, kernel_path, created_at, updated_at)
             VALUES ('i', 'image-0', 1, '/r', '/k', 'x', 'x');
         WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json,
                         runtime_json, stats_json)
             SELECT hex(randomblob(18)), 'vm-' || i, 'i', '10.0.0.' || i, 'running', 'x', 'x', 'x', '{}', '{}', '{}' FROM n;",
    )
    .unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

#[test]
fn an_applications_store_is_sound() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let bytes = application(encoding);
        assert_eq!(answers(&bytes, false), (Answer::Sound, Answer::Sound), "{encoding}");
    }
}

#[test]
fn no_changed_byte_is_called_sound_where_sqlite_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.db");
    for encoding in ["UTF-8", "UTF-16le"] {
        let healthy = application(encoding);
        let mut sound = 0_u32;
        let mut seen = 0_u32;
        for at in (0..healthy.len()).step_by(53) {
            for mask in [0x01, 0x20, 0x80, 0xff] {
                let mut bytes = healthy.clone();
                bytes[at] ^= mask;
                let (verdict, store, _) =
                    hold_against_sqlite(&bytes, &path).unwrap_or_else(|why| panic!("byte {at} ^ {mask}: {why}"));
                sound += u32::from(store.is_sound());
                seen += u32::from(!verdict.sound);
            }
        }
        // Most bytes are free space or letters in values, where a change harms no structure.
        assert!(sound > 500 && seen > 50, "{sound} sound, {seen} seen by SQLite");
    }
}

/// A healthy store with tables WITHOUT ROWID: keys of one and several columns, in another order than that of the columns, indexes that
/// hold parts of the key, and values on overflow pages.
fn without_rowid() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA page_size=512;
         CREATE TABLE names (auth TEXT NOT NULL, code TEXT, name TEXT COLLATE NOCASE, at REAL, PRIMARY KEY (code, auth)) WITHOUT ROWID;
         CREATE INDEX of_names ON names (name); CREATE UNIQUE INDEX of_both ON names (auth, name, code);
         CREATE TABLE counted (id INTEGER PRIMARY KEY, x UNIQUE, up REFERENCES names2(id)) WITHOUT ROWID;
         CREATE TABLE names2 (id INTEGER PRIMARY KEY);
         CREATE TABLE down (a, b, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         INSERT INTO names SELECT 'EPSG', i, 'Name ' || (i % 7), i / 2.0 FROM n;
         INSERT INTO names VALUES ('x', 'long', hex(randomblob(900)), 1), ('x', 'null', NULL, NULL);
         INSERT INTO names2 VALUES (1), (2);
         INSERT INTO counted VALUES (1, 'a', 1), (2, NULL, 2), (-3, 2.5, NULL);
         INSERT INTO down VALUES (1, 'x'), (2, 'y'), ('t', x'00');
         ALTER TABLE counted ADD COLUMN late DEFAULT 'later';",
    )
    .unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

#[test]
fn no_changed_byte_of_tables_without_rowids_is_called_sound_where_sqlite_sees_it() {
    let healthy = without_rowid();
    assert_eq!(answers(&healthy, true), (Answer::Sound, Answer::Sound));
    let (sound, seen) = hold_changed_bytes_against_sqlite(&healthy, 17).unwrap();
    assert!(sound > 100 && seen > 500, "{sound} sound, {seen} seen by SQLite");
}

#[test]
fn what_is_wrong_with_a_table_without_rowids_is_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    for (sql, sound) in [
        ("CREATE TABLE t(a, b, PRIMARY KEY(a)) WITHOUT ROWID; INSERT INTO t VALUES (1, 2)", true),
        // The integer key is made behind all others, and not twice.
        ("CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c UNIQUE) WITHOUT ROWID; INSERT INTO t VALUES (1, 2, 3)", true),
        ("CREATE TABLE t(a INTEGER PRIMARY KEY UNIQUE, b UNIQUE) WITHOUT ROWID; INSERT INTO t VALUES (1, 2)", true),
        ("CREATE TABLE t(a, b, c, PRIMARY KEY(c, b), UNIQUE(b, a), UNIQUE(c)) WITHOUT ROWID; INSERT INTO t VALUES (1, 2, 3)", true),
        // The schema says another order of the key than the rows have.
        (
            "CREATE TABLE t(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID; INSERT INTO t VALUES (1, 9), (2, 8), (3, 7);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(a, b)', '(b, a)') WHERE name = 't'",
            true,
        ),
        (
            "CREATE TABLE t(a, b, PRIMARY KEY(a)) WITHOUT ROWID; INSERT INTO t VALUES (1, 9), (2, 8), (3, 7);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'KEY(a', 'KEY(a DESC') WHERE name = 't'",
            false,
        ),
        (
            "CREATE TABLE t(a COLLATE BINARY, b, PRIMARY KEY(a)) WITHOUT ROWID; INSERT INTO t VALUES ('A', 9), ('a', 8);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'BINARY', 'NOCASE') WHERE name = 't'",
            false,
        ),
        (
            "CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES (1, NULL), (2, NULL);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'b)', 'b NOT NULL)') WHERE name = 't'",
            false,
        ),
        (
            "CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES (1, 5), (2, 5); CREATE INDEX i ON t(b);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'INDEX', 'UNIQUE INDEX') WHERE name = 'i'",
            false,
        ),
        (
            "CREATE TABLE t(a PRIMARY KEY, b, c) WITHOUT ROWID; INSERT INTO t VALUES (1, 5, 6), (2, 6, 7); CREATE INDEX i ON t(b);
             PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '(b)', '(c)') WHERE name = 'i'",
            false,
        ),
    ] {
        let _ = std::fs::remove_file(&path);
        #[expect(clippy::disallowed_methods, reason = "a store is made")]
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch(sql).unwrap();
        drop(conn);
        let bytes = std::fs::read(&path).unwrap();
        let (verdict, store, _) = hold_against_sqlite(&bytes, &path).unwrap();
        assert_eq!((verdict.sound, store.is_sound()), (sound, sound), "{sql}: {store:?}");
    }
}

#[test]
fn a_store_in_which_sqlite_finds_no_schema_is_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [vec![], vec![0; 100], b"SQLite format 3\0".to_vec(), vec![0xff; 4096]] {
        let verdict = verdict_of(&bytes, &folder.path().join("asked.db"));
        assert!(!answers(&bytes, verdict.loads).0.is_sound());
    }
}

#[test]
fn an_index_that_cannot_be_held_is_not_understood_rather_than_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE t(a); CREATE INDEX i ON t(a, a DESC); INSERT INTO t VALUES (1), (hex(zeroblob(40000)))",
    )
    .unwrap();
    drop(conn);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(answers(&bytes, true).0, Answer::NotUnderstood(Unsupported::LongEntry));
}
