//! Values that are long and stand in an index, which SQLite must read whole to compare them.

use crate::harness::Place;

#[test]
fn a_name_of_several_mebibytes_is_checked_in_its_index() {
    let place = Place::with(1, 3);
    place.sql("UPDATE vms SET name = hex(zeroblob(3000000)) WHERE rowid = 2");
    assert_eq!(place.row("page-structure", &[])["status"], "pass");
    assert_eq!(place.row("row-values", &[])["status"], "pass");
}

#[test]
fn a_name_longer_than_there_is_memory_for_is_said_to_be_that() {
    let place = Place::with(1, 3);
    place.sql("UPDATE vms SET name = hex(zeroblob(25000000)) WHERE rowid = 2");
    insta::assert_snapshot!(place.said("page-structure", &[]), @r"
    fail: could not look: SQLite says: out of memory: a value or the schema is larger than the doctor has memory for [7] (while running: PRAGMA integrity_check(1000))
      -> this says nothing against the store: run the doctor on it alone; where that is no better, look by hand at a copy: sqlite3 -readonly COPY 'PRAGMA integrity_check'
    ");
}

#[test]
fn long_values_that_sqlites_own_checks_compare_are_no_fault_of_a_store_with_pending_migrations() {
    let place = Place::made_by("PRAGMA encoding='UTF-8'", 2, 1, 3);
    place.sql(
        "UPDATE vms SET name = hex(zeroblob(3000000)) WHERE rowid = 2;
         UPDATE images SET id = hex(zeroblob(1000000)) WHERE rowid = 1;
         UPDATE vms SET image_id = (SELECT id FROM images)",
    );
    for check in ["page-structure", "foreign-keys", "migration-rehearsal"] {
        assert_eq!(place.row(check, &[])["status"], "pass", "{}", place.said(check, &[]));
    }
}
