//! Values that are long and stand in an index, which SQLite must read whole to compare them.

use crate::support::Place;

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
    fail: could not look: an indexed value is longer than the doctor has memory for; this says nothing against the store
      -> look by hand, at a copy: sqlite3 COPY 'PRAGMA integrity_check'
    ");
}
