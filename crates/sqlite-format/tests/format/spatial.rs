//! Spatial indexes: sound only where their module finds nothing.

use rusqlite::Connection;
use sqlite_format::answer::Answer;

use super::sqlite::{answers, hold_against_sqlite, hold_changed_bytes_against_sqlite};

/// Makes a store with two spatial indexes, of several levels of nodes, and returns its bytes.
fn made(more: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "PRAGMA page_size=512; CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1);
         CREATE VIRTUAL TABLE span USING rtree_i32(id, low, high); CREATE VIRTUAL TABLE none USING rtree(id, low, high);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
         INSERT INTO box SELECT i, i % 17 / 3.0, i % 17 / 3.0 + 1, -i % 13, i % 13 FROM n;
         WITH RECURSIVE n(i) AS (SELECT -20 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
         INSERT INTO span SELECT i, -i * i, i * i FROM n; {more}"
    ))
    .unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

#[test]
fn a_store_with_spatial_indexes_is_sound() {
    assert_eq!(answers(&made(""), true), (Answer::Sound, Answer::Sound));
    assert_eq!(answers(&made("DELETE FROM box WHERE id % 3 = 0"), true), (Answer::Sound, Answer::Sound));
    assert!(!answers(&made("CREATE VIRTUAL TABLE more USING rtree(id, a, b, +c)"), true).0.is_sound());
}

#[test]
fn what_the_module_finds_wrong_is_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.db");
    for wrong in [
        "DELETE FROM box_rowid WHERE rowid = 7",
        "INSERT INTO box_rowid VALUES (1000, 1)",
        "UPDATE box_rowid SET nodeno = nodeno + 1 WHERE rowid = 7",
        "DELETE FROM box_parent WHERE nodeno = 2",
        "UPDATE box_parent SET parentnode = 3 WHERE nodeno = 2",
        "INSERT INTO span_parent VALUES (1000, 1)",
        "DELETE FROM span_node WHERE nodeno = 3",
        "UPDATE span_node SET data = (SELECT data FROM span_node WHERE nodeno = 3) WHERE nodeno = 2",
        "UPDATE none_node SET data = zeroblob(3)",
        "UPDATE none_node SET data = x'00290000' || zeroblob(500)",
        "UPDATE none_node SET data = x'0000ffff' || zeroblob(500)",
        "DELETE FROM none_node",
        "DROP TABLE none_rowid",
        // The upper coordinate of the first cell of a leaf becomes the least number there is.
        "UPDATE span_node SET data = substr(data, 1, 16) || x'80000000' || substr(data, 21) WHERE nodeno = 2",
        "UPDATE span_node SET data = substr(data, 1, 12) || x'80000000' || substr(data, 17) WHERE nodeno = 2",
    ] {
        let (verdict, store, _) =
            hold_against_sqlite(&made(&format!("PRAGMA writable_schema=ON; {wrong}")), &path).unwrap();
        assert!(!verdict.sound && !store.is_sound(), "{wrong}: {store:?}, {verdict:?}");
    }
}

#[test]
fn no_changed_byte_of_it_is_called_sound_where_sqlite_sees_it() {
    let healthy = made("");
    let (sound, seen) = hold_changed_bytes_against_sqlite(&healthy, 61).unwrap();
    assert!(sound > 25 && seen > 250, "{sound} sound, {seen} seen by SQLite");
}
