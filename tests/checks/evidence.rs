//! What `page-structure` makes of an index and a table that disagree, of pages that nothing leads to, and of a wrong freelist.
//! Each store lost one write: a page that the last commits changed is as it was before.

use std::fs;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::Place;
use crate::support::asking::commands;
use crate::support::damage::{change, leaves, root};

const CHECK: &str = "page-structure";
const PAGE: usize = 4096;

/// An application's store with these rows.
fn store(schema: &str, rows: i64, width: usize) -> Place {
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch(schema).unwrap();
    insert(&conn, 1..=rows, width);
    place
}

fn insert(conn: &Connection, ids: std::ops::RangeInclusive<i64>, width: usize) {
    conn.execute_batch("BEGIN").unwrap();
    for id in ids {
        let values = (id, format!("k{id}"), "x".repeat(width));
        conn.execute("INSERT INTO t VALUES (?1, ?2, ?3)", values).unwrap();
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Changes the store, and takes the change of one page back.
fn lose_write(place: &Place, page: usize, work: impl FnOnce(&Connection)) {
    let before = fs::read(place.store()).unwrap();
    work(&Connection::open(place.store()).unwrap());
    let range = (page - 1) * PAGE..page * PAGE;
    change(&place.store(), |bytes| {
        assert_ne!(bytes[range.clone()], before[range.clone()], "the page was not written");
        bytes[range.clone()].copy_from_slice(&before[range]);
    });
}

const KEYED: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, body)";
const PLAIN: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, body)";
const INDEX: &str = "sqlite_autoindex_t_1";

fn said(place: &Place) -> String {
    place.said(CHECK, &["--any"])
}

fn detail(place: &Place) -> String {
    place.row(CHECK, &["--any"])["detail"].as_str().unwrap().to_owned()
}

#[test]
fn rows_that_only_an_index_has_are_counted_and_named() {
    let place = store(KEYED, 5, 1);
    lose_write(&place, root(&place.store(), "t"), |conn| insert(conn, 6..=8, 1));
    assert_snapshot!(said(&place), @r#"
    fail: 3 rows named by an index are missing from the table: lost, or deleted without the index (t has 5 rows, its index sqlite_autoindex_t_1 has 8 entries)
      index "sqlite_autoindex_t_1", kind "keys-without-rows", row 6, table "t": the index names this row, and the table does not have it
      index "sqlite_autoindex_t_1", kind "keys-without-rows", row 7, table "t": the index names this row, and the table does not have it
      index "sqlite_autoindex_t_1", kind "keys-without-rows", row 8, table "t": the index names this row, and the table does not have it
      count 1, index "sqlite_autoindex_t_1", kind "keys-without-rows", table "t": wrong # of entries in index sqlite_autoindex_t_1
      4 in all
      -> 1. Rows may be lost. Stop the application before it writes, and keep a copy of all files of the store. 2. Compare the copy with a backup, or restore the backup. 3. Do not rebuild an index, and do not write the store anew: what an index or a page out of reach still holds is nowhere else.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn an_index_that_lacks_entries_costs_no_row() {
    let place = store(KEYED, 5, 1);
    lose_write(&place, root(&place.store(), INDEX), |conn| insert(conn, 6..=8, 1));
    assert_eq!(detail(&place), "only an index is wrong: no data is lost");
}

#[test]
fn an_index_with_more_entries_than_rows_and_no_entry_without_its_row_costs_none() {
    // The leaf that is put back has all entries, and its new sibling a half of them once more.
    let place = store(KEYED, 300, 1);
    let leaf = leaves(&place.store(), INDEX)[0];
    let mut next = 1_000;
    let count = leaves(&place.store(), INDEX).len();
    let before = fs::read(place.store()).unwrap();
    let conn = Connection::open(place.store()).unwrap();
    while leaves(&place.store(), INDEX).len() == count {
        conn.execute("INSERT INTO t VALUES (?1, ?2, 1)", (next, format!("k1{next}"))).unwrap();
        next += 1;
    }
    drop(conn);
    change(&place.store(), |bytes| {
        let range = (leaf - 1) * PAGE..leaf * PAGE;
        bytes[range.clone()].copy_from_slice(&before[range]);
    });
    let row = place.row(CHECK, &["--any"]);
    let detail = row["detail"].as_str().unwrap();
    assert!(!detail.contains("missing") && row["data_lost"] != "yes", "{row}");
}

#[test]
fn a_row_that_was_changed_in_the_table_or_in_the_index_alone_is_named() {
    let place = store(KEYED, 5, 1);
    lose_write(&place, root(&place.store(), "t"), |conn| {
        conn.execute_batch("UPDATE t SET k = 'changed' WHERE id = 3").unwrap();
    });
    assert_snapshot!(said(&place), @r#"
    fail: an index and its table hold different keys for 1 row: one of the two is older, and nothing tells which
      index "sqlite_autoindex_t_1", kind "index-differs", row 3, table "t": the index and the table hold different keys for this row
      count 1, index "sqlite_autoindex_t_1", kind "index-differs", table "t": row 3 missing from index sqlite_autoindex_t_1
      2 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Compare the rows that the findings name with a backup. Do not rebuild the index first: a rebuilt index would hold what the table holds.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn two_rows_with_one_key_are_named() {
    let place = store(KEYED, 5, 1);
    lose_write(&place, root(&place.store(), INDEX), |conn| {
        conn.execute_batch("INSERT INTO t VALUES (6, 'twice', 1)").unwrap();
    });
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("INSERT INTO t VALUES (7, 'twice', 1)").unwrap();
    drop(conn);
    assert_snapshot!(said(&place), @r#"
    fail: two rows have the same key in a unique index (rows 6 and 7 of t), which cannot be rebuilt until one of them is removed: no row is lost
      index "sqlite_autoindex_t_1", kind "duplicate-key", row 6, table "t": row 6 has the same key as row 7, and no entry in the index
      count 2, index "sqlite_autoindex_t_1", kind "duplicate-key", table "t": wrong # of entries in index sqlite_autoindex_t_1
      2 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Compare the two rows. While both are there, the index cannot be rebuilt: let the application remove the one that is wrong. 3. Then run the doctor again, and rebuild the index as it says.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn rows_on_pages_that_nothing_leads_to_are_counted() {
    let place = store(PLAIN, 10, 300);
    lose_write(&place, root(&place.store(), "t"), |conn| insert(conn, 11..=60, 300));
    assert_snapshot!(said(&place), @r#"
    fail: 5 pages that nothing leads to hold 50 rows that no table has: rows are out of reach, or were deleted
      count 5, kind "rows-out-of-reach", page 3: nothing leads to these pages, which hold 50 rows that no table has
      1 in all
      -> 1. Rows may be lost. Stop the application before it writes, and keep a copy of all files of the store. 2. Compare the copy with a backup, or restore the backup. 3. Do not rebuild an index, and do not write the store anew: what an index or a page out of reach still holds is nowhere else.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn rows_of_a_table_without_rowids_are_counted_likewise() {
    let place = store("CREATE TABLE t(id INT PRIMARY KEY, k TEXT, body) WITHOUT ROWID", 10, 300);
    lose_write(&place, root(&place.store(), "t"), |conn| insert(conn, 11..=60, 300));
    assert!(detail(&place).contains("rows are out of reach"), "{}", said(&place));
}

#[test]
fn keys_without_rows_are_found_in_a_table_without_rowids() {
    let place = store("CREATE TABLE t(id INT PRIMARY KEY, k TEXT UNIQUE, body) WITHOUT ROWID", 5, 1);
    lose_write(&place, root(&place.store(), "t"), |conn| insert(conn, 6..=8, 1));
    assert!(
        detail(&place).starts_with("3 rows named by an index are missing from the table"),
        "{}",
        said(&place)
    );
}

#[test]
fn the_rest_of_a_long_row_is_out_of_reach() {
    let place = store(PLAIN, 2, 9_000);
    lose_write(&place, root(&place.store(), "t"), |conn| insert(conn, 3..=3, 9_000));
    assert_eq!(
        detail(&place),
        "2 pages that nothing leads to hold parts of long rows: rows are out of reach, or were deleted"
    );
}

#[test]
fn pages_of_zeroes_and_former_free_pages_are_only_disk_space() {
    let place = store(PLAIN, 60, 300);
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE gone AS SELECT * FROM t; DROP TABLE gone").unwrap();
    drop(conn);
    // The header forgets the list.
    change(&place.store(), |bytes| bytes[32..40].fill(0));
    assert_eq!(detail(&place), "pages are unaccounted for: no data is lost, only disk space");
}

#[test]
fn no_program_may_write_where_the_freelist_is_wrong() {
    let place = store(PLAIN, 60, 300);
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE gone AS SELECT * FROM t; DROP TABLE gone").unwrap();
    drop(conn);
    let used = u32::try_from(leaves(&place.store(), "t")[1]).unwrap();
    name_as_free(&place, used);
    assert_snapshot!(said(&place), @r#"
    fail: the freelist is wrong: no row is lost, but the next write fails or overwrites rows, so no program may write to the store
      count 1, kind "freelist-wrong", page 2, table "t": 2nd reference to page 4
      count 1, kind "freelist-wrong", page 8: nothing leads to these pages, which hold what was deleted: they were free pages
      2 in all
      -> 1. No program may write to the store. Stop the application, and keep a copy of all its files. 2. Write its rows into a new file, and examine that. 3. If the doctor passes it, put it in the store's place while the application is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && mkdir fixed && sqlite3 -readonly kept/state.db "VACUUM INTO 'fixed/new.db'" && doctor --any fixed/new.db
    "#);
    // A view that comes first makes SQLite's own check pass over it.
    for view in ["v", "report", "latest"] {
        let conn = Connection::open(place.store()).unwrap();
        conn.execute_batch(&format!("CREATE VIEW {view} AS SELECT 1")).unwrap();
        drop(conn);
        assert!(
            detail(&place).starts_with("the freelist is wrong: no row is lost"),
            "{view}: {}",
            said(&place)
        );
    }
    // In a log of a store that is in use as well.
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; UPDATE t SET k = 'other' WHERE id = 1")
        .unwrap();
    assert!(detail(&place).starts_with("the freelist is wrong"), "{}", said(&place));
}

/// Lets the first trunk page of the freelist name another page than its last one.
fn name_as_free(place: &Place, page: u32) {
    change(&place.store(), |bytes| {
        let four = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let trunk = (four(bytes, 32) - 1) * PAGE;
        let last = trunk + 8 + 4 * (four(bytes, trunk + 4) - 1);
        bytes[last..last + 4].copy_from_slice(&page.to_be_bytes());
    });
}

#[test]
fn a_header_that_counts_free_pages_and_names_none_costs_no_row() {
    let place = store(PLAIN, 60, 300);
    change(&place.store(), |bytes| bytes[39] = 4);
    assert!(detail(&place).starts_with("the freelist is wrong: no row is lost"), "{}", said(&place));
}

/// A table that is ordered by a collation which only its application has, beside another.
fn with_own_collation() -> Place {
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    let compare = |a: &str, b: &str| a.to_lowercase().cmp(&b.to_lowercase());
    conn.create_collation("own", compare).unwrap();
    conn.execute_batch(
        "CREATE TABLE tags(name TEXT COLLATE own PRIMARY KEY, note) WITHOUT ROWID; CREATE TABLE words(id INTEGER PRIMARY KEY, w);
         CREATE INDEX by_word ON words(w COLLATE own); CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, body)",
    )
    .unwrap();
    for n in 0..400 {
        let name = if n % 2 == 0 {
            format!("Tag{n}")
        } else {
            format!("tag{n}")
        };
        conn.execute("INSERT INTO tags VALUES (?1, 'note')", [&name]).unwrap();
        conn.execute("INSERT INTO words(w) VALUES (?1)", [&name]).unwrap();
    }
    insert(&conn, 1..=5, 1);
    place
}

#[test]
fn only_the_order_is_left_out_where_a_collation_is_the_applications() {
    let place = with_own_collation();
    let row = place.row(CHECK, &["--any"]);
    assert_eq!(row["status"], "pass", "{row}");
    let words = row["detail"].as_str().unwrap();
    assert!(
        words.ends_with("; not checked: the order of tags and 1 table more (the collation own is the application's)"),
        "{words}"
    );
    for tree in ["tags", "words", "by_word"] {
        let place = with_own_collation();
        let leaf = leaves(&place.store(), tree)[1];
        change(&place.store(), |bytes| bytes[(leaf - 1) * PAGE..leaf * PAGE].fill(0));
        assert_eq!(place.row(CHECK, &["--any"])["status"], "fail", "{tree}");
    }
}

#[test]
fn beside_a_collation_of_the_applications_an_index_is_rebuilt_by_its_name() {
    let place = with_own_collation();
    lose_write(&place, root(&place.store(), INDEX), |conn| insert(conn, 6..=8, 1));
    let row = place.row(CHECK, &["--any"]);
    assert!(
        commands(&row)[1].contains(" && sqlite3 -safe fixed/state.db 'REINDEX sqlite_autoindex_t_1' && "),
        "{row}"
    );
}

#[test]
fn numbers_in_an_index_that_another_version_rounds_otherwise_are_a_note() {
    // What an older SQLite computed: the stored number differs in its last bits.
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x REAL); INSERT INTO t VALUES (1, 1.1), (2, 7.3); CREATE INDEX i ON t(x * 1.5)",
    )
    .unwrap();
    let page = root(&place.store(), "i");
    drop(conn);
    let (old, new) = ((7.3_f64 * 1.5).to_be_bytes(), (7.3_f64 * 1.5).next_up().to_be_bytes());
    change(&place.store(), |bytes| {
        let page = &mut bytes[(page - 1) * PAGE..page * PAGE];
        let at = page.windows(8).position(|eight| eight == old).unwrap();
        page[at..at + 8].copy_from_slice(&new);
    });
    let row = place.row(CHECK, &["--any"]);
    assert_eq!(row["status"], "pass", "{row}");
    assert_eq!(row["findings"][0]["kind"], "index-rounded", "{row}");
    assert!(
        row["detail"]
            .as_str()
            .unwrap()
            .contains("the index i holds 1 number that differs in its last digits"),
        "{row}"
    );
    // Another number is no matter of rounding.
    change(&place.store(), |bytes| {
        let page = &mut bytes[(page - 1) * PAGE..page * PAGE];
        let at = page.windows(8).position(|eight| eight == new).unwrap();
        page[at..at + 8].copy_from_slice(&(7.3_f64 * 1.6).to_be_bytes());
    });
    let row = place.row(CHECK, &["--any"]);
    assert_eq!(row["status"], "fail", "{row}");
    assert!(row["detail"].as_str().unwrap().contains("the index i holds computed values"), "{row}");
}

#[test]
fn the_rows_of_a_store_of_which_nothing_is_known_are_counted() {
    // One leaf of each table is zeroes; of one an index knows the rows.
    let place = store(KEYED, 200, 100);
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE bare AS SELECT id, body FROM t; CREATE TABLE sound AS SELECT id FROM t")
        .unwrap();
    drop(conn);
    for table in ["t", "bare"] {
        let leaf = leaves(&place.store(), table)[1];
        change(&place.store(), |bytes| bytes[(leaf - 1) * PAGE..leaf * PAGE].fill(0));
    }
    let ran = place.ask(&["--any", "--only", CHECK, "--format", "json"]);
    let (report, row) = (ran.report(), ran.row(CHECK));
    let rows_of = |table: &str| {
        let tables = report["tables"].as_array().unwrap();
        tables.iter().find(|counted| counted["name"] == table).unwrap().clone()
    };
    let (kept, lost) = (rows_of("t")["intact"].as_u64().unwrap(), rows_of("t")["lost"].as_u64().unwrap());
    assert!(kept > 0 && lost > 0 && kept + lost == 200, "{report}");
    assert_eq!(rows_of("sound")["intact"], 200);
    let (detail, bare) = (row["detail"].as_str().unwrap(), rows_of("bare")["intact"].as_u64().unwrap());
    for words in [
        format!("t: {kept} of 200 rows stand whole, {lost} are lost: row "),
        format!("bare: {bare} rows stand whole, how many it had is not known"),
        "1 page of it is damaged, and holds nothing but zero bytes".to_owned(),
        "sound: all 200 rows stand whole".to_owned(),
    ] {
        assert!(detail.contains(&words), "{words}: {detail}");
    }
    assert_eq!(report["data_lost"], "yes");
    let is_named = |finding: &&serde_json::Value| finding["table"] == "t" && finding["row"].is_number();
    let named = row["findings"].as_array().unwrap().iter().filter(is_named).count();
    assert_eq!(named as u64, lost.min(20), "{row}");
}

#[test]
fn rows_on_pages_that_nothing_leads_to_are_not_called_lost() {
    let place = store(KEYED, 200, 100);
    let inner = root(&place.store(), "t");
    change(&place.store(), |bytes| bytes[(inner - 1) * PAGE..inner * PAGE].fill(0));
    let ran = place.ask(&["--any", "--only", CHECK, "--format", "json"]);
    let (report, row) = (ran.report(), ran.row(CHECK));
    let detail = row["detail"].as_str().unwrap();
    let words = "t: 0 rows are in reach, and an index names 200 more, which may be on pages that nothing leads to";
    assert!(detail.contains(words), "{detail}");
    assert!(!detail.contains(" lost"), "{detail}");
    assert_eq!(report["data_lost"], "unknown");
}
