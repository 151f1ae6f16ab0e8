//! `foreign-keys`: rows that refer to what is not there, and what keeps the check from looking.

use insta::assert_snapshot;

use crate::support::Place;
use crate::support::damage::{leaves, overwrite_page};

/// The row without its remedy.
fn said(place: &Place) -> String {
    let text = place.said("foreign-keys", &[]);
    text.lines()
        .filter(|line| !line.starts_with("  -> "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn keys_that_hold_are_counted() {
    assert_snapshot!(said(&Place::with(2, 5)), @"pass: 1 foreign key holds");
    assert_snapshot!(said(&Place::new().after("CREATE TABLE t(x); INSERT INTO t VALUES (1)")), @"pass: no table has a foreign key");
}

#[test]
fn a_row_whose_parent_is_gone_is_found_in_any_table() {
    let place = Place::with(2, 5).after(
        "UPDATE vms SET image_id = 'XYZZY' WHERE rowid IN (2, 4);
         CREATE TABLE extra(a, b, vm TEXT REFERENCES vms(id), FOREIGN KEY(a, b) REFERENCES pairs(a, b));
         CREATE TABLE pairs(a, b, PRIMARY KEY(a, b));
         INSERT INTO pairs VALUES (1, 2);
         INSERT INTO extra VALUES (1, 2, NULL), (2, 1, NULL), (NULL, 3, 'XYZZY');",
    );
    let text = said(&place);
    assert!(!text.contains("XYZZY"), "no value is printed: {text}");
    assert_snapshot!(text, @r#"
    fail: 4 rows refer to rows that are not there: deleted, or lost
      column "image_id", kind "dangling-reference", row 2, table "vms": refers to a row of images that is not there
      column "image_id", kind "dangling-reference", row 4, table "vms": refers to a row of images that is not there
      column "a, b", kind "dangling-reference", row 2, table "extra": refers to a row of pairs that is not there
      column "vm", kind "dangling-reference", row 3, table "extra": refers to a row of vms that is not there
      4 in all
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn more_rows_than_are_kept_are_counted() {
    let place = Place::with(1, 250).after("DELETE FROM images");
    let row = place.row("foreign-keys", &[]);
    assert_eq!(row["findings"].as_array().unwrap().len(), 100);
    assert_snapshot!(row["detail"].as_str().unwrap(), @"250 rows refer to rows that are not there: deleted, or lost");
}

#[test]
fn a_key_that_cannot_hold_does_not_hide_the_others() {
    let place = Place::with(1, 2).after(
        "CREATE TABLE mismatched(a REFERENCES images(rootfs_path));
         INSERT INTO mismatched VALUES ('/nowhere');
         UPDATE vms SET image_id = 'XYZZY' WHERE rowid = 1;",
    );
    assert_snapshot!(said(&place), @r#"
    fail: at least 1 row refers to a row that is not there: deleted, or lost; mismatched could not be checked: SQLite says: foreign key mismatch - "mismatched" referencing "images" [1] (while running: PRAGMA foreign_key_check("mismatched"))
      column "image_id", kind "dangling-reference", row 1, table "vms": refers to a row of images that is not there
      kind "dangling-reference", table "mismatched": could not be checked
      at least 2 in all
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_table_that_cannot_be_read_does_not_hide_the_others() {
    let place = Place::with(1, 400)
        .after("CREATE TABLE extra(vm TEXT REFERENCES vms(name)); INSERT INTO extra VALUES ('XYZZY')");
    let leaves = leaves(&place.store(), "vms");
    overwrite_page(&place.store(), leaves[leaves.len() / 2], 0);
    assert_snapshot!(said(&place), @r#"
    fail: at least 1 row refers to a row that is not there: deleted, or lost; vms could not be checked: SQLite says: database disk image is malformed [11] (while running: PRAGMA foreign_key_check("vms"))
      column "vm", kind "dangling-reference", row 1, table "extra": refers to a row of vms that is not there
      kind "dangling-reference", table "vms": could not be checked
      at least 2 in all
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

/// What is said with `--any` of a table `seen` that refers to `cards`, which has the cards 1 to 9.
fn said_of_any(sql: &str) -> String {
    let place = Place::new().after(&format!(
        "CREATE TABLE cards(id INTEGER PRIMARY KEY); CREATE TABLE seen(id INTEGER PRIMARY KEY, card INTEGER REFERENCES cards(id));
         INSERT INTO cards VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9); {sql}"
    ));
    place.said("foreign-keys", &["--any"])
}

#[test]
fn a_key_that_no_application_had_enforced_is_a_note() {
    assert_snapshot!(said_of_any("INSERT INTO seen(card) VALUES (11), (12), (NULL)"), @r#"
    pass: no other foreign key; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: all 2 rows of seen.card refer to rows of cards that are not there
      column "card", count 2, kind "key-not-enforced", table "seen": all 2 rows of seen.card refer to rows of cards that are not there
      1 in all
    "#);
    assert_snapshot!(said_of_any("INSERT INTO seen(card) VALUES (1), (0), (2), (-1)"), @r#"
    pass: no other foreign key; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: seen.card holds 0, '' or -1 for no row of cards (2 rows)
      column "card", count 2, kind "key-not-enforced", table "seen": seen.card holds 0, '' or -1 for no row of cards (2 rows)
      1 in all
    "#);
    assert_snapshot!(said_of_any("DELETE FROM cards; INSERT INTO seen(card) VALUES (1), (2)"), @r#"
    pass: no other foreign key; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: seen.card (2 rows) refers to cards, which is empty
      column "card", count 2, kind "key-not-enforced", table "seen": seen.card (2 rows) refers to cards, which is empty
      1 in all
    "#);
    assert_snapshot!(said_of_any("INSERT INTO seen(card) VALUES (1); CREATE TABLE t(a REFERENCES \"no such\"(b)); INSERT INTO t VALUES (7)"), @r#"
    pass: 1 foreign key holds; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: t.a (1 row) refers to the table no such, which does not exist
      column "a", count 1, kind "key-not-enforced", table "t": t.a (1 row) refers to the table no such, which does not exist
      1 in all
    "#);
}

#[test]
fn some_rows_of_many_that_dangle_are_a_loss_beside_a_key_that_was_never_enforced() {
    assert_snapshot!(said_of_any("INSERT INTO seen(card) VALUES (1), (77), (0);
        CREATE TABLE t(card REFERENCES cards(id)); INSERT INTO t VALUES (11), (12)"), @r#"
    fail: 2 rows refer to rows that are not there: deleted, or lost; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: all 2 rows of t.card refer to rows of cards that are not there
      column "card", kind "dangling-reference", row 2, table "seen": refers to a row of cards that is not there
      column "card", kind "dangling-reference", row 3, table "seen": refers to a row of cards that is not there
      2 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Restore the rows that are missing, or let the application remove what refers to them. Do not delete rows with SQL.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}
