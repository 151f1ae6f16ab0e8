//! What `page-structure` says of full-text and spatial indexes, which are made from rows.

use std::fs;

use insta::assert_snapshot;

use crate::support::Place;
use crate::support::asking::{commands, type_command};
use crate::support::damage::{leaves, overwrite_page, root};
use crate::support::needs;

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
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "INSERT INTO [found]([found]) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE found_by USING fts3(body); INSERT INTO found_by SELECT body FROM notes;
        UPDATE found_by_content SET c0body = 'other' WHERE docid = 3"), @r#"
    fail: the full-text index of found_by is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "found_by": malformed inverted index for FTS3 table main.found_by
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "INSERT INTO found_by(found_by) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE found USING fts4(content='notes', body); INSERT INTO found(found) VALUES ('rebuild');
        UPDATE notes SET body = 'other' WHERE id = 3"), @r#"
    fail: the full-text index of found is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "found": malformed inverted index for FTS4 table main.found
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "INSERT INTO [found]([found]) VALUES('rebuild')" && doctor --any fixed/state.db
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
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "INSERT INTO f(f) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said(&format!("{made} UPDATE f_data SET block = x'00000000ff' WHERE id = 10")), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": fts5: corrupt structure record for table "f"
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "UPDATE f_data SET block=x'00000000000000' WHERE id=10; INSERT INTO f(f) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE f USING fts5(body, content=''); INSERT INTO f(rowid, body) SELECT id, body FROM notes;
        UPDATE f_data SET block = zeroblob(length(block)) WHERE id > 10"), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": fts5: corruption found reading blob 137438953473 from table "f"
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Drop the index, which cannot be rebuilt from what is there, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Then let the program that made the table make it anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db 'DROP TABLE f' && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said("CREATE VIRTUAL TABLE f USING fts4(content='notes', body); INSERT INTO f(f) VALUES ('rebuild');
        DROP TABLE notes"), @r#"
    fail: the full-text index of f cannot be checked, because the table notes, from which it is made, is gone: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "f": the table notes, whose rows it indexes, is gone
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Drop the index, which cannot be rebuilt from what is there, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Then let the program that made the table make it anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db 'DROP TABLE f' && doctor --any fixed/state.db
    "#);
    // A name that cannot be typed safely is in no command.
    assert_snapshot!(said("CREATE VIRTUAL TABLE \"a'$(x)\" USING fts4(body); INSERT INTO \"a'$(x)\" VALUES ('b');
        UPDATE \"a'$(x)_content\" SET c0body = 'c'"), @r#"
    fail: the full-text index of a'$(x) is out of step with its rows: no row of an ordinary table is lost
      count 1, kind "full-text-index", table "a'$(x)": malformed inverted index for FTS4 table main.a'$(x)
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, as the manual of its module says (INSERT INTO, with the word rebuild).
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
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
        assert!(said.contains("Do not rebuild the index") && !said.contains("no row"), "{module}: {said}");
    }
}

#[test]
fn a_spatial_index_that_disagrees_with_its_own_tables_is_made_anew_from_itself() {
    let made = "CREATE VIRTUAL TABLE geo USING rtree(id, x0, x1); INSERT INTO geo SELECT id, id, id + 1 FROM notes;";
    assert_snapshot!(said(&format!("{made} UPDATE geo_rowid SET nodeno = 1 WHERE rowid = 7")), @r#"
    fail: the spatial index of geo disagrees with its own tables: no row of an ordinary table is lost
      count 1, kind "spatial-index", table "geo": Found (7 -> 1) in geo_rowid table, expected (7 -> 3)
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db 'BEGIN; CREATE TABLE kept_entries AS SELECT * FROM [geo]; DROP TABLE [geo]; CREATE VIRTUAL TABLE [geo] USING rtree(id, x0, x1); INSERT INTO [geo] SELECT * FROM kept_entries; DROP TABLE kept_entries; COMMIT' && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said(&format!("{made} DELETE FROM geo_node WHERE nodeno = 2")), @r#"
    fail: the spatial index of geo is damaged: no row of an ordinary table is lost
      count 2, kind "spatial-index", table "geo": Node 2 missing from database; Wrong number of entries in geo_rowid table - expected 83, actual 100
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Drop the index, which cannot be rebuilt from what is there, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Then let the program that made the table make it anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db 'DROP TABLE [geo]' && doctor --any fixed/state.db
    "#);
    assert_snapshot!(said(&format!("{made} DROP TABLE geo_node")), @r#"
    fail: the spatial index of geo is incomplete, because its own table geo_node is gone: no row of an ordinary table is lost
      count 1, kind "spatial-index", table "geo": its own table geo_node is gone
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Let the program that made the table make it anew: nothing else can.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
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
      -> 1. Rows may be lost. Stop the application before it writes, and keep a copy of all files of the store. 2. Compare the copy with a backup, or restore the backup. 3. Do not rebuild an index, and do not write the store anew: what an index or a page out of reach still holds is nowhere else.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

/// Rows of an ordinary table, enough of them for an index of several pages.
const MANY_NOTES: &str = "CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
    INSERT INTO notes SELECT i, 'word' || i || ' hello' || (i * 7919 % 10007) FROM n;";

const FULL_TEXT: [&str; 3] = ["fts3(body)", "fts4(body)", "fts5(body)"];

/// A store with an index of these notes, in which the last leaf of one of its own trees, or its only page, is zeroes.
fn zeroed(sql: &str, tree: &str) -> Place {
    let place = Place::new();
    place.sql(&format!("{MANY_NOTES} {sql}"));
    let page = *leaves(&place.store(), tree).last().unwrap();
    overwrite_page(&place.store(), page, 0);
    place
}

fn full_text(module: &str) -> String {
    format!("CREATE VIRTUAL TABLE f USING {module}; INSERT INTO f(rowid, body) SELECT id, body FROM notes;")
}

const SPATIAL: &str = "CREATE VIRTUAL TABLE f USING rtree(id, x0, x1); INSERT INTO f SELECT id, id, id + 1 FROM notes;";

#[test]
fn a_damaged_page_of_an_indexs_own_table_is_damage_to_the_index() {
    assert_snapshot!(zeroed(&full_text("fts5(body)"), "f_data").said(CHECK, &["--any"]), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 1, kind "full-text-index", page 84, table "f": f_data: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE tbl_name IN ('f_data'); PRAGMA writable_schema=RESET; CREATE TABLE f_data(id INTEGER PRIMARY KEY, block BLOB); INSERT INTO f_data VALUES(10, x'00000000000000')" && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && sqlite3 -safe fixed/state.db "INSERT INTO f(f) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(zeroed(&full_text("fts4(body)"), "f_segdir").said(CHECK, &["--any"]), @r#"
    fail: the full-text index of f is damaged: no row of an ordinary table is lost
      count 2, kind "full-text-index", page 31, table "f": f_segdir: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE tbl_name IN ('f_segdir'); PRAGMA writable_schema=RESET; CREATE TABLE f_segdir(level INTEGER, idx INTEGER, start_block INTEGER, leaves_end_block INTEGER, end_block INTEGER, root BLOB, PRIMARY KEY(level, idx))" && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && sqlite3 -safe fixed/state.db "INSERT INTO f(f) VALUES('rebuild')" && doctor --any fixed/state.db
    "#);
    assert_snapshot!(zeroed(SPATIAL, "f_node").said(CHECK, &["--any"]), @r#"
    fail: the spatial index of f is damaged: no row of an ordinary table is lost
      count 1, kind "spatial-index", page 103, table "f": f_node: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Drop the index, which cannot be rebuilt from what is there, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them. 4. Then let the program that made the table make it anew.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE tbl_name IN ('f','f_node','f_rowid','f_parent')" && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && doctor --any fixed/state.db
    "#);
    assert_snapshot!(zeroed(SPATIAL, "f_parent").said(CHECK, &["--any"]), @r#"
    fail: the spatial index of f is damaged: no row of an ordinary table is lost
      count 1, kind "spatial-index", page 31, table "f": f_parent: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Rebuild the index, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "BEGIN; CREATE TABLE kept_entries AS SELECT * FROM f; PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE tbl_name IN ('f','f_node','f_rowid','f_parent'); PRAGMA writable_schema=RESET; CREATE VIRTUAL TABLE f USING rtree(id, x0, x1); INSERT INTO f SELECT * FROM kept_entries; DROP TABLE kept_entries; COMMIT" && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && doctor --any fixed/state.db
    "#);
    assert_snapshot!(zeroed("CREATE INDEX i ON notes(body); ANALYZE", "sqlite_stat1").said(CHECK, &["--any"]), @r#"
    fail: the table sqlite_stat1, with statistics for the query planner, is damaged: no row of an ordinary table is lost
      count 1, kind "planner-statistics", page 55, table "sqlite_stat1": sqlite_stat1: btreeInitPage() returns error code 11
      1 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Make the statistics anew, in a second copy. 3. If the doctor passes the second copy, put that in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe -cmd '.dbconfig defensive off' fixed/state.db "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE tbl_name IN ('sqlite_stat1')" && sqlite3 -cmd 'PRAGMA trusted_schema=OFF' fixed/state.db VACUUM && sqlite3 -safe fixed/state.db ANALYZE && doctor --any fixed/state.db
    "#);
}

#[test]
fn a_damaged_page_of_a_full_text_tables_own_rows_is_a_loss_of_rows() {
    for module in FULL_TEXT {
        let row = zeroed(&full_text(module), "f_content").row(CHECK, &["--any"]);
        assert!(
            row["detail"].as_str().unwrap().starts_with("pages that hold rows are damaged"),
            "{module}: {row}"
        );
        assert_ne!(row["data_lost"], "no", "{module}: {row}");
    }
    // A spatial index keeps the columns beside its coordinates in its table of rowids.
    let kept =
        "CREATE VIRTUAL TABLE f USING rtree(id, x0, x1, +body); INSERT INTO f SELECT id, id, id + 1, body FROM notes;";
    let row = zeroed(kept, "f_rowid").row(CHECK, &["--any"]);
    assert!(row["detail"].as_str().unwrap().starts_with("pages that hold rows are damaged"), "{row}");
}

/// Types the commands of a row's remedy into a shell, and puts what they make in the store's place.
fn type_commands_of(place: &Place) {
    let row = place.row(CHECK, &["--any"]);
    let typed = commands(&row);
    assert_eq!(typed.len(), 2, "{row}");
    for command in typed {
        let output = type_command(place.root(), command);
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
    }
    fs::copy(place.root().join("fixed/state.db"), place.store()).unwrap();
    for folder in ["kept", "fixed"] {
        fs::remove_dir_all(place.root().join(folder)).unwrap();
    }
}

#[test]
fn the_commands_for_damaged_pages_of_an_index_mend_it_and_keep_every_row() {
    needs!("sqlite3");
    let one = |place: &Place, sql: &str| -> i64 {
        rusqlite::Connection::open(place.store())
            .unwrap()
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    };
    let mut cases: Vec<(String, &str, &str)> = Vec::new();
    let found = "SELECT count(*) FROM f WHERE f MATCH 'word4000'";
    for (module, trees) in [
        ("fts3(body)", &["f_segments", "f_segdir"][..]),
        ("fts4(body)", &["f_segments", "f_segdir", "f_docsize", "f_stat"]),
        ("fts5(body)", &["f_data", "f_idx", "f_docsize", "f_config"]),
    ] {
        cases.extend(trees.iter().map(|tree| (full_text(module), *tree, found)));
    }
    let of_notes = "CREATE VIRTUAL TABLE f USING fts5(body, content=notes, content_rowid=id); INSERT INTO f(f) VALUES ('rebuild');";
    cases.push((of_notes.to_owned(), "f_data", found));
    for tree in ["f_rowid", "f_parent"] {
        cases.push((SPATIAL.to_owned(), tree, "SELECT x0 = 4000 FROM f WHERE id = 4000"));
    }
    let gone = "SELECT count(*) = 0 FROM sqlite_schema WHERE name LIKE 'f%'";
    cases.push((SPATIAL.to_owned(), "f_node", gone));
    let bare =
        "CREATE VIRTUAL TABLE f USING fts5(body, content=''); INSERT INTO f(rowid, body) SELECT id, body FROM notes;";
    cases.push((bare.to_owned(), "f_data", gone));
    let statistics = "CREATE INDEX i ON notes(body); ANALYZE";
    cases.push((statistics.to_owned(), "sqlite_stat1", "SELECT count(*) FROM sqlite_stat1"));
    for (sql, tree, mended) in cases {
        let place = zeroed(&sql, tree);
        type_commands_of(&place);
        assert_eq!(one(&place, mended), 1, "{tree} of {sql}");
        assert_eq!(
            one(
                &place,
                "SELECT count(*) FROM notes WHERE body = 'word' || id || ' hello' || (id * 7919 % 10007)"
            ),
            4_000
        );
        let row = place.row(CHECK, &["--any"]);
        assert_eq!(row["status"], "pass", "{tree} of {sql}: {row}");
    }
}

#[test]
fn pages_of_an_index_that_its_damaged_page_led_to_are_not_called_rows() {
    let place = Place::new();
    place.sql(&format!("{MANY_NOTES} {}", full_text("fts5(body)")));
    overwrite_page(&place.store(), root(&place.store(), "f_data"), 0);
    let row = place.row(CHECK, &["--any"]);
    let detail = row["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the full-text index of f is damaged: no row of an ordinary table is lost"),
        "{row}"
    );
    assert!(detail.contains("they may be the index's own"), "{row}");
}
