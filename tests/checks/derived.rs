//! What `page-structure` says of full-text and spatial indexes, which are made from rows.

use insta::assert_snapshot;

use crate::support::Place;

const CHECK: &str = "page-structure";

/// Rows of an ordinary table, and of which a full-text index can be made.
const NOTES: &str = "CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
    INSERT INTO notes SELECT i, 'word' || i || ' hello' FROM n;";

fn said(sql: &str) -> String {
    let place = Place::with(1, 2);
    place.sql(&format!("{NOTES} {sql}"));
    place.said(CHECK, &["--any"])
}

#[test]
fn a_full_text_index_that_does_not_match_its_rows_is_no_loss_of_rows() {
    assert_snapshot!(said("CREATE VIRTUAL TABLE found USING fts5(body); INSERT INTO found SELECT body FROM notes;
        UPDATE found_content SET c0 = 'other' WHERE id = 3"), @r#"
    fail: the full-text index of found is damaged or out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "found": malformed inverted index for FTS5 table main.found
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe STORE "INSERT INTO [found]([found]) VALUES('rebuild')"
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE found_by USING fts3(body); INSERT INTO found_by SELECT body FROM notes;
        UPDATE found_by_content SET c0body = 'other' WHERE docid = 3"), @r#"
    fail: the full-text index of found_by is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "found_by": malformed inverted index for FTS3 table main.found_by
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe STORE "INSERT INTO found_by(found_by) VALUES('rebuild')"
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE found USING fts4(content='notes', body); INSERT INTO found(found) VALUES ('rebuild');
        UPDATE notes SET body = 'other' WHERE id = 3"), @r#"
    fail: the full-text index of found is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "found": malformed inverted index for FTS4 table main.found
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe STORE "INSERT INTO [found]([found]) VALUES('rebuild')"
    "#);
}

#[test]
fn a_full_text_index_that_was_never_filled_is_no_fault() {
    assert_snapshot!(said("CREATE VIRTUAL TABLE found USING fts4(content='notes', body)"), @r#"
    pass: 15 pages checked; the full-text index of found is empty and so does not match the rows of notes: its program fills it when it needs it, or never did; no row is lost
      kind "full-text-index", table "found": the full-text index of found is empty and so does not match the rows of notes: its program fills it when it needs it, or never did; no row is lost
      1 in all
    "#);
}

#[test]
fn a_damaged_full_text_index_has_the_remedy_that_its_damage_allows() {
    let made = "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f SELECT body FROM notes;";
    assert_snapshot!(said(&format!("{made} UPDATE f_data SET block = zeroblob(length(block)) WHERE id > 10")), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": fts5: corruption found reading blob 137438953473 from table "f"
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe STORE "INSERT INTO f(f) VALUES('rebuild')"
    "#);
    assert_snapshot!(said(&format!("{made} UPDATE f_data SET block = x'00000000ff' WHERE id = 10")), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": fts5: corrupt structure record for table "f"
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe -cmd '.dbconfig defensive off' STORE "UPDATE f_data SET block=x'00000000000000' WHERE id=10; INSERT INTO f(f) VALUES('rebuild')"
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE f USING fts5(body, content=''); INSERT INTO f(rowid, body) SELECT id, body FROM notes;
        UPDATE f_data SET block = zeroblob(length(block)) WHERE id > 10"), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": fts5: corruption found reading blob 137438953473 from table "f"
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then drop the index, which cannot be rebuilt from what is there, first in a second copy, and let the program that made the table make it anew: sqlite3 -safe STORE "DROP TABLE f"
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE f USING fts4(content='notes', body); INSERT INTO f(f) VALUES ('rebuild');
        DROP TABLE notes"), @r#"
    fail: the full-text index of f cannot be checked, because the table notes, from which it is made, is gone: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": the table notes, whose rows it indexes, is gone
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then drop the index, which cannot be rebuilt from what is there, first in a second copy, and let the program that made the table make it anew: sqlite3 -safe STORE "DROP TABLE f"
    "#);
    // A name that cannot be typed safely is in no command.
    assert_snapshot!(said("CREATE VIRTUAL TABLE \"a'$(x)\" USING fts4(body); INSERT INTO \"a'$(x)\" VALUES ('b');
        UPDATE \"a'$(x)_content\" SET c0body = 'c'"), @r#"
    fail: the full-text index of a'$(x) is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "a'$(x)": malformed inverted index for FTS4 table main.a'$(x)
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, as the manual of its module says (INSERT INTO, with the word rebuild)
    "#);
}

#[test]
fn rows_that_only_a_full_text_index_names_are_lost() {
    for module in ["fts3(body)", "fts4(body)", "fts4(body, matchinfo=fts3)", "fts5(body)"] {
        let key = if module.starts_with("fts5") { "id" } else { "docid" };
        let said = said(&format!(
            "CREATE VIRTUAL TABLE f USING {module}; INSERT INTO f(rowid, body) SELECT id, body FROM notes;
             DELETE FROM f WHERE rowid IN (4, 5); UPDATE f SET body = 'moved' WHERE rowid = 6;
             DELETE FROM f_content WHERE {key} IN (7, 90)"
        ));
        assert!(
            said.contains("the full-text index of f names 2 rows that f_content does not have"),
            "{module}: {said}"
        );
        assert!(said.contains("do not rebuild the index") && !said.contains("no row"), "{module}: {said}");
    }
}

#[test]
fn a_spatial_index_that_disagrees_with_its_own_tables_is_made_anew_from_itself() {
    let made = "CREATE VIRTUAL TABLE geo USING rtree(id, x0, x1); INSERT INTO geo SELECT id, id, id + 1 FROM notes;";
    assert_snapshot!(said(&format!("{made} UPDATE geo_rowid SET nodeno = 1 WHERE rowid = 7")), @r#"
    fail: the spatial index of geo disagrees with its own tables: no row of an ordinary table is lost
      count 1, kind "spatial-index", table "geo": Found (7 -> 1) in geo_rowid table, expected (7 -> 3)
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then rebuild the index, first in a second copy: sqlite3 -safe STORE "BEGIN; CREATE TABLE kept_entries AS SELECT * FROM [geo]; DROP TABLE [geo]; CREATE VIRTUAL TABLE [geo] USING rtree(id, x0, x1); INSERT INTO [geo] SELECT * FROM kept_entries; DROP TABLE kept_entries; COMMIT"
    "#);
    assert_snapshot!(said(&format!("{made} DELETE FROM geo_node WHERE nodeno = 2")), @r#"
    fail: the spatial index of geo is damaged: no row of an ordinary table is lost
      count 2, kind "spatial-index", table "geo": Node 2 missing from database; Wrong number of entries in geo_rowid table - expected 83, actual 100
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then drop the index, which cannot be rebuilt from what is there, first in a second copy, and let the program that made the table make it anew: sqlite3 -safe STORE "DROP TABLE [geo]"
    "#);
    assert_snapshot!(said(&format!("{made} DROP TABLE geo_node")), @r#"
    fail: the spatial index of geo is incomplete, because its own table geo_node is gone: no row of an ordinary table is lost
      count 1, kind "spatial-index", table "geo": its own table geo_node is gone
      1 in all
      -> stop the application, keep a copy of the store with its -wal, -shm and -journal; then let the program that made the table make it anew: nothing else can
    "#);
}

#[test]
fn the_tables_of_an_index_that_are_gone_are_named() {
    assert_snapshot!(said("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f SELECT body FROM notes;
        PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name LIKE 'f~_%' ESCAPE '~'"), @r#"
    fail: 3 pages that nothing leads to hold 103 rows that no table has: rows are out of reach, or were deleted
      count 3, kind "rows-out-of-reach", page 11: nothing leads to these pages, which hold 103 rows that no table has
      count 2, kind "rows-out-of-reach", page 12: nothing leads to these pages, which hold entries of an index
      count 5, kind "full-text-index", table "f": its own tables f_data, f_idx, f_docsize, f_config, f_content are gone
      3 in all
      -> rows may be lost: stop the application before it writes, and keep a copy of the store with its -wal, -shm and -journal; then compare the copy with a backup, or restore the backup; do not rebuild an index and do not write the store anew: what an index or a page out of reach still holds is nowhere else
    "#);
}
