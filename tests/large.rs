//! Large stores, which the reader reads on two threads. The verdicts are those of a small store.

use std::fs;

use crate::support::asking::all_checks;
use crate::support::damage::{PAGE_SIZE, change, leaves};
use crate::support::rows::{Ids, Rows};
use crate::support::stores::of_age;
use crate::support::{Place, needs};

/// More than the 8 MiB from which a store is large.
const VMS: u32 = 20_000;

/// A store large enough.
fn large() -> Place {
    let place = Place::new();
    let rows = Rows {
        padding: 400,
        ids: Ids::Scattered,
        ..Rows::of(3, VMS)
    };
    of_age(&place.store(), "", usize::MAX, rows);
    assert!(fs::metadata(place.store()).unwrap().len() > 8 << 20);
    place
}

/// Changes the first place where these bytes stand in the pages of a tree.
fn change_in(place: &Place, tree: &str, from: &[u8], to: &[u8]) {
    let pages = leaves(&place.store(), tree);
    change(&place.store(), |bytes| {
        let at = pages.iter().map(|page| (page - 1) * PAGE_SIZE).find_map(|begin| {
            let page = &bytes[begin..begin + PAGE_SIZE];
            page.windows(from.len()).position(|window| window == from).map(|at| begin + at)
        });
        let at = at.unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
    });
}

/// The row's status and detail, and each finding.
fn said(place: &Place) -> String {
    let row = place.row("page-structure", &[]);
    let mut out = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().unwrap() {
        out += &format!("{} ({} times)\n", finding["what"].as_str().unwrap(), finding["count"]);
    }
    out
}

#[test]
fn a_healthy_large_store_passes_every_check_in_the_registrys_order() {
    let place = large();
    let ran = place.ask(&["--format", "json"]);
    let report = ran.report();
    let rows = report["rows"].as_array().unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    assert!(ids.len() > 10, "{ids:?}");
    assert_eq!(ids, all_checks(), "{report}");
    assert_eq!(ran.code, Some(0), "{report}");
}

#[test]
fn an_entry_that_is_not_the_rows_is_found_in_an_index() {
    let place = large();
    change_in(&place, "sqlite_autoindex_vms_2", b"vm-15000", b"vm-1500x");
    insta::assert_snapshot!(said(&place), @"
    fail: only an index is wrong: no data is lost
    row 15000 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn a_row_that_is_not_its_index_entries_is_found() {
    let place = large();
    change_in(&place, "vms", b"vm-12345", b"vm-1234x");
    insta::assert_snapshot!(said(&place), @"
    fail: an index and its table hold different keys for 1 row: one of the two is older, and nothing tells which
    the index and the table hold different keys for this row (null times)
    row 12345 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn rows_that_a_unique_index_forbids_are_found() {
    let place = large();
    place.sql(
        "UPDATE vms SET state = name;
         UPDATE vms SET state = 'vm-7' WHERE name = 'vm-8';
         CREATE INDEX states ON vms(state);
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX states ON vms(state)' WHERE name = 'states';",
    );
    insta::assert_snapshot!(said(&place), @"
    fail: rows hold values that their columns or a unique index forbid: no data is lost
    non-unique entry in index states (1 times)
    ");
}

/// A table of pairs with an index, in which one entry is not its row's.
fn with_a_wrong_entry(schema: &str, rows: &str, index: &str, from: &[u8], to: &[u8]) -> String {
    let place = large();
    place.sql(schema);
    place.sql(rows);
    assert_eq!(place.row("page-structure", &[])["status"], "pass");
    change_in(&place, index, from, to);
    said(&place)
}

#[test]
fn an_entry_is_found_whose_copy_of_the_integer_key_is_wrong() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX both ON pairs (a, id)",
        "INSERT INTO pairs VALUES (21, 'k21'), (22, 'k22'), (23, 'k23')",
        "both",
        b"k22\x16\x16",
        b"k22\x18\x16",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index both (1 times)
    ");
}

#[test]
fn an_entry_is_found_that_leads_to_another_row_where_a_column_is_called_as_the_rowid_is() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (a TEXT, RowID INTEGER); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs (_rowid_, a, rowid) VALUES (21, 'k21', 7), (22, 'k22', 7), (23, 'k23', 7)",
        "a",
        b"k22\x16",
        b"k22\x17",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index a (1 times)
    ");
}

#[test]
fn a_wrong_index_is_found_on_a_table_that_bears_a_name_of_sqlites_own() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs_ (a TEXT); CREATE INDEX a ON pairs_ (a);",
        "INSERT INTO pairs_ VALUES ('k21'), ('k22'), ('k23');
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET name = replace(name, 'pairs_', 'sqlite_pairs'), tbl_name = 'sqlite_pairs',
             sql = replace(sql, 'pairs_', 'sqlite_pairs') WHERE tbl_name = 'pairs_'",
        "a",
        b"k22",
        b"k2x",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index a (2 times)
    ");
}

#[test]
fn entries_of_one_key_that_stand_in_another_order_than_their_rows_are_found() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs VALUES (21, 'same'), (22, 'same'), (23, 'same')",
        "a",
        // Entries are written from the page's end: these are those of the rows 23, 22 and 21.
        b"same\x17\x08\x03\x15\x01same\x16\x08\x03\x15\x01same\x15",
        b"same\x15\x08\x03\x15\x01same\x16\x08\x03\x15\x01same\x17",
    );
    assert!(said.starts_with("fail: only an index is wrong: no data is lost\n"), "{said}");
}

#[test]
fn a_wrong_number_in_an_index_is_found() {
    // 1.5 and 2.5 as they stand in an index; the number of the row behind them tells them from the row itself.
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a REAL); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs VALUES (21, 0.5), (22, 1.5), (23, 3.5)",
        "a",
        b"\x3f\xf8\0\0\0\0\0\0\x16",
        b"\x40\x04\0\0\0\0\0\0\x16",
    );
    assert!(said.starts_with("fail: an index and its table hold different keys for 1 row: "), "{said}");
}

#[test]
fn an_index_in_utf_16_is_held_to_the_order_of_its_own_bytes() {
    let place = Place::new();
    // In UTF-16le the bytes of \u{100} come before those of the letter a, in UTF-8 behind them.
    place.sql(
        "PRAGMA encoding='UTF-16le'; CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX a ON pairs (a);
         INSERT INTO pairs VALUES (21, char(256)), (22, 'a'); CREATE TABLE pad (x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
         INSERT INTO pad SELECT zeroblob(900000) FROM n",
    );
    assert_eq!(place.row("page-structure", &[])["status"], "pass");
    change_in(&place, "a", b"a\0\x16\x06\x03\x11\x01\0\x01\x15", b"\0\x01\x15\x06\x03\x11\x01a\0\x16");
    let said = said(&place);
    assert!(said.starts_with("fail: only an index is wrong: no data is lost\n"), "{said}");
}

/// A disk that stops to read in the middle of a rehearsal says nothing about the migrations.
#[test]
fn a_disk_that_fails_while_migrations_are_rehearsed_is_no_reason_for_incompatible() {
    needs!("strace");
    let place = large();
    place.sql("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3");
    let gate = |inject: &str| {
        let doctor = place.traced_doctor(&["-qq", "-e", "trace=pread64", "-e", inject]);
        let ran = doctor.args(["--check-migrations", "--rehearse"]).arg(place.store()).run();
        (ran.code, ran.stdout, place.trace().lines().count())
    };
    let (code, line, reads) = gate("trace=pread64");
    assert_eq!(code, Some(1), "{line}");
    // SQLite's check of the migrated copy is what reads last, and most.
    for after in [reads / 4, reads / 2, reads * 3 / 4, reads * 7 / 8, reads * 15 / 16] {
        let (code, line, _) = gate(&format!("inject=pread64:error=EIO:when={after}"));
        assert!(
            code == Some(3) || (code == Some(1) && line.starts_with("migrations needed")),
            "{after}: {line}"
        );
    }
}
