//! `row-values`: each kind of fault, and what is none.

use insta::assert_snapshot;

use crate::support::Place;
use crate::support::damage::{leaves, overwrite_page};
use crate::support::rows::uuid;

/// Stands in every planted value; no report may ever show it.
pub(super) const MARK: &str = "XYZZY";

pub(super) fn said(place: &Place) -> String {
    place.said("row-values", &[])
}

/// Sets one cell to these bytes, as text.
pub(super) fn plant(place: &Place, table: &str, column: &str, rowid: i64, text: impl AsRef<[u8]>) {
    plant_as("CAST(?1 AS TEXT)", place, table, column, rowid, text.as_ref());
}

pub(super) fn plant_as(expression: &str, place: &Place, table: &str, column: &str, rowid: i64, bytes: &[u8]) {
    let sql = format!("UPDATE {table} SET {column} = {expression} WHERE rowid = ?2");
    assert_eq!(place.open().execute(&sql, (bytes, rowid)).unwrap(), 1);
}

#[test]
fn a_healthy_store_passes_and_says_how_much_was_looked_at() {
    assert_snapshot!(said(&Place::with(3, 12)), @"pass: every value of 15 rows in 25 columns looks like banger's");
    assert_snapshot!(said(&Place::with(0, 0)), @"pass: every value of 0 rows in 25 columns looks like banger's");
}

#[test]
fn every_kind_of_fault_in_images_is_found() {
    let place = Place::with(20, 0);
    place.loosen();
    place.sql(
        "UPDATE images SET name = '' WHERE rowid = 1;
         UPDATE images SET name = CAST(x'58595a5a59ff' AS TEXT) WHERE rowid = 2;
         UPDATE images SET name = 'XYZZY' || char(10) WHERE rowid = 3;
         UPDATE images SET name = CAST('XYZZY' AS BLOB) WHERE rowid = 4;
         UPDATE images SET name = 7 WHERE rowid = 5;
         UPDATE images SET name = NULL WHERE rowid = 6;
         UPDATE images SET managed = 2 WHERE rowid = 7;
         UPDATE images SET managed = NULL WHERE rowid = 8;
         UPDATE images SET managed = 'XYZZY' WHERE rowid = 9;
         UPDATE images SET artifact_dir = 1.5 WHERE rowid = 10;
         UPDATE images SET rootfs_path = '/XYZZY' || char(0) WHERE rowid = 11;
         UPDATE images SET work_seed_path = CAST(x'c328' AS TEXT) WHERE rowid = 12;
         UPDATE images SET kernel_path = NULL WHERE rowid = 13;
         UPDATE images SET initrd_path = x'00' WHERE rowid = 14;
         UPDATE images SET modules_dir = char(127) WHERE rowid = 15;
         UPDATE images SET build_size = char(0x9b) WHERE rowid = 16;
         UPDATE images SET seeded_ssh_public_key_fingerprint = 'XYZZY' || char(9) WHERE rowid = 17;
         UPDATE images SET created_at = 'XYZZY' WHERE rowid = 18;
         UPDATE images SET updated_at = 1777401691 WHERE rowid = 19;",
    );
    assert_snapshot!(said(&place), @r#"
    fail: 19 values that banger never writes, in images.artifact_dir (1), images.build_size (1), images.created_at (1), images.initrd_path (1), images.kernel_path (1), images.managed (3), images.modules_dir (1), images.name (6), images.rootfs_path (1), images.seeded_ssh_public_key_fingerprint (1), images.updated_at (1), images.work_seed_path (1)
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000001", kind "wrong-value", row 1, table "images": empty text where a value is required
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000002", kind "wrong-value", row 2, table "images": text that is not UTF-8
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000003", kind "wrong-value", row 3, table "images": a control character in text
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000004", kind "wrong-value", row 4, table "images": a blob where text belongs
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000005", kind "wrong-value", row 5, table "images": a number where text belongs
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000006", kind "wrong-value", row 6, table "images": NULL where text belongs
      column "managed", key "6f9c2f0e-5a53-4d0b-9001-000000000007", kind "wrong-value", row 7, table "images": a flag that is neither 0 nor 1
      column "managed", key "6f9c2f0e-5a53-4d0b-9001-000000000008", kind "wrong-value", row 8, table "images": NULL where a flag belongs
      column "managed", key "6f9c2f0e-5a53-4d0b-9001-000000000009", kind "wrong-value", row 9, table "images": not an integer where a flag belongs
      column "artifact_dir", key "6f9c2f0e-5a53-4d0b-9001-00000000000a", kind "wrong-value", row 10, table "images": a number where text belongs
      column "rootfs_path", key "6f9c2f0e-5a53-4d0b-9001-00000000000b", kind "wrong-value", row 11, table "images": a control character in text
      column "work_seed_path", key "6f9c2f0e-5a53-4d0b-9001-00000000000c", kind "wrong-value", row 12, table "images": text that is not UTF-8
      column "kernel_path", key "6f9c2f0e-5a53-4d0b-9001-00000000000d", kind "wrong-value", row 13, table "images": NULL where text belongs
      column "initrd_path", key "6f9c2f0e-5a53-4d0b-9001-00000000000e", kind "wrong-value", row 14, table "images": a blob where text belongs
      column "modules_dir", key "6f9c2f0e-5a53-4d0b-9001-00000000000f", kind "wrong-value", row 15, table "images": a control character in text
      column "build_size", key "6f9c2f0e-5a53-4d0b-9001-000000000010", kind "wrong-value", row 16, table "images": a control character in text
      column "seeded_ssh_public_key_fingerprint", key "6f9c2f0e-5a53-4d0b-9001-000000000011", kind "wrong-value", row 17, table "images": a control character in text
      column "created_at", key "6f9c2f0e-5a53-4d0b-9001-000000000012", kind "wrong-value", row 18, table "images": not a time in RFC 3339 format
      column "updated_at", key "6f9c2f0e-5a53-4d0b-9001-000000000013", kind "wrong-value", row 19, table "images": a number where text belongs
      19 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Check the disk, and find out whether another program wrote to the store. 3. Restore a backup, or let banger re-create the named VMs and images.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn every_kind_of_fault_in_vms_is_found() {
    let place = Place::with(1, 20);
    place.loosen();
    place.sql(
        "UPDATE vms SET name = char(27) || '[31mXYZZY' WHERE rowid = 1;
         UPDATE vms SET name = '' WHERE rowid = 2;
         UPDATE vms SET image_id = CAST('XYZZY' AS BLOB) WHERE rowid = 3;
         UPDATE vms SET guest_ip = '10.77.0.400' WHERE rowid = 4;
         UPDATE vms SET guest_ip = '' WHERE rowid = 5;
         UPDATE vms SET guest_ip = CAST(x'31302e37372eff' AS TEXT) WHERE rowid = 6;
         UPDATE vms SET state = '' WHERE rowid = 7;
         UPDATE vms SET state = 1 WHERE rowid = 8;
         UPDATE vms SET created_at = '2026-02-30T00:00:00Z' WHERE rowid = 9;
         UPDATE vms SET updated_at = '2026-04-28 18:41:31' WHERE rowid = 10;
         UPDATE vms SET last_touched_at = NULL WHERE rowid = 11;
         UPDATE vms SET spec_json = '[\"XYZZY\"]' WHERE rowid = 12;
         UPDATE vms SET spec_json = '{\"a\":\"XYZZY' WHERE rowid = 13;
         UPDATE vms SET runtime_json = '' WHERE rowid = 14;
         UPDATE vms SET runtime_json = '{}XYZZY' WHERE rowid = 15;
         UPDATE vms SET stats_json = CAST(x'7b2261223a22ff227d' AS TEXT) WHERE rowid = 16;
         UPDATE vms SET stats_json = CAST('{}' AS BLOB) WHERE rowid = 17;
         UPDATE vms SET workspace_json = '{\"a\":\"XYZZY' || char(0) || '\"}' WHERE rowid = 18;
         UPDATE vms SET workspace_json = 7 WHERE rowid = 19;",
    );
    assert_snapshot!(said(&place), @r#"
    fail: 19 values that banger never writes, in vms.created_at (1), vms.guest_ip (3), vms.image_id (1), vms.last_touched_at (1), vms.name (2), vms.runtime_json (2), vms.spec_json (2), vms.state (2), vms.stats_json (2), vms.updated_at (1), vms.workspace_json (2)
      column "name", key "6f9c2f0e-5a53-4d0b-9002-000000000001", kind "wrong-value", row 1, table "vms": a control character in text
      column "name", key "6f9c2f0e-5a53-4d0b-9002-000000000002", kind "wrong-value", row 2, table "vms": empty text where a value is required
      column "image_id", key "6f9c2f0e-5a53-4d0b-9002-000000000003", kind "wrong-value", row 3, table "vms": a blob where text belongs
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000004", kind "wrong-value", row 4, table "vms": not an IP address
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000005", kind "wrong-value", row 5, table "vms": not an IP address
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000006", kind "wrong-value", row 6, table "vms": not an IP address
      column "state", key "6f9c2f0e-5a53-4d0b-9002-000000000007", kind "wrong-value", row 7, table "vms": empty text where a value is required
      column "state", key "6f9c2f0e-5a53-4d0b-9002-000000000008", kind "wrong-value", row 8, table "vms": a number where text belongs
      column "created_at", key "6f9c2f0e-5a53-4d0b-9002-000000000009", kind "wrong-value", row 9, table "vms": not a time in RFC 3339 format
      column "updated_at", key "6f9c2f0e-5a53-4d0b-9002-00000000000a", kind "wrong-value", row 10, table "vms": not a time in RFC 3339 format
      column "last_touched_at", key "6f9c2f0e-5a53-4d0b-9002-00000000000b", kind "wrong-value", row 11, table "vms": NULL where text belongs
      column "spec_json", key "6f9c2f0e-5a53-4d0b-9002-00000000000c", kind "wrong-value", row 12, table "vms": not one JSON object
      column "spec_json", key "6f9c2f0e-5a53-4d0b-9002-00000000000d", kind "wrong-value", row 13, table "vms": not one JSON object
      column "runtime_json", key "6f9c2f0e-5a53-4d0b-9002-00000000000e", kind "wrong-value", row 14, table "vms": not one JSON object
      column "runtime_json", key "6f9c2f0e-5a53-4d0b-9002-00000000000f", kind "wrong-value", row 15, table "vms": not one JSON object
      column "stats_json", key "6f9c2f0e-5a53-4d0b-9002-000000000010", kind "wrong-value", row 16, table "vms": text that is not UTF-8
      column "stats_json", key "6f9c2f0e-5a53-4d0b-9002-000000000011", kind "wrong-value", row 17, table "vms": a blob where text belongs
      column "workspace_json", key "6f9c2f0e-5a53-4d0b-9002-000000000012", kind "wrong-value", row 18, table "vms": not one JSON object
      column "workspace_json", key "6f9c2f0e-5a53-4d0b-9002-000000000013", kind "wrong-value", row 19, table "vms": a number where text belongs
      19 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Check the disk, and find out whether another program wrote to the store. 3. Restore a backup, or let banger re-create the named VMs and images.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_flag_that_a_later_migration_drops_is_looked_at_while_it_is_there() {
    let place = Place::made_by("PRAGMA encoding='UTF-8'", 1, 3, 1);
    place.sql(
        "UPDATE images SET docker = -1 WHERE rowid = 1;
         UPDATE images SET docker = 'XYZZY' WHERE rowid = 2;",
    );
    assert_snapshot!(said(&place), @r#"
    fail: 2 values that banger never writes, in images.docker (2)
      column "docker", key "6f9c2f0e-5a53-4d0b-9001-000000000001", kind "wrong-value", row 1, table "images": a flag that is neither 0 nor 1
      column "docker", key "6f9c2f0e-5a53-4d0b-9001-000000000002", kind "wrong-value", row 2, table "images": not an integer where a flag belongs
      2 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Check the disk, and find out whether another program wrote to the store. 3. Restore a backup, or let banger re-create the named VMs and images.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_primary_key_is_named_only_where_it_is_a_uuid() {
    let place = Place::with(4, 0);
    place.loosen();
    place.sql(
        "UPDATE images SET managed = 9;
         UPDATE images SET id = 'XYZZY' WHERE rowid = 1;
         UPDATE images SET id = NULL WHERE rowid = 2;
         UPDATE images SET id = CAST(id AS BLOB) WHERE rowid = 3;",
    );
    let row = place.row("row-values", &[]);
    let keys: Vec<&serde_json::Value> = row["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["column"] == "managed")
        .map(|finding| &finding["key"])
        .collect();
    let null = serde_json::Value::Null;
    assert_eq!(keys, [&null, &null, &null, &serde_json::Value::from(uuid(1, 4))]);
}

#[test]
fn no_cells_value_is_ever_printed_in_any_format() {
    let place = Place::with(3, 3);
    place.loosen();
    place.sql(
        "UPDATE images SET id = 'XYZZY-' || rowid, name = 'XYZZY' || char(10) || rowid, managed = 'XYZZY',
             created_at = 'XYZZY', rootfs_path = 'XYZZY', artifact_dir = 'XYZZY' || char(0);
         UPDATE vms SET id = 'XYZZY-' || rowid, name = CAST(x'58595a5a59ff' AS TEXT) || rowid, guest_ip = 'XYZZY' || rowid,
             state = CAST('XYZZY' AS BLOB), updated_at = 'XYZZY', spec_json = '{\"XYZZY\":XYZZY}', stats_json = 'XYZZY';",
    );
    for format in ["table", "markdown", "json"] {
        let ran = place.doctor().args(["--artifacts", "--format", format]).arg(place.store()).run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let all = ran.stdout + &ran.stderr;
        assert!(all.contains("guest_ip"), "it names the column: {all}");
        assert!(!all.contains(MARK), "{format}: {all}");
    }
}

#[test]
fn the_table_names_the_places() {
    let place = Place::with(1, 3);
    place.sql("UPDATE vms SET guest_ip = 'XYZZY' WHERE rowid = 3");
    assert_snapshot!(place.ask(&["--only", "row-values"]).shown_stdout(), @"
    [PLACE]/store/state.db

    FAIL  row-values  1 value that banger never writes, in vms.guest_ip (1)
                      · vms row 3 (6f9c2f0e-5a53-4d0b-9002-000000000003) guest_ip: not an IP address

    FAIL: 1 of 1 checks failed (row-values)

    What to do (row-values):
      1. Stop banger, and keep a copy of all files of the store:
         umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
      2. Check the disk, and find out whether another program wrote to the store.
      3. Restore a backup, or let banger re-create the named VMs and images.

    More: doctor --explain row-values
    ");
}

#[test]
fn more_faults_than_are_kept_are_counted() {
    let place = Place::with(1, 300);
    place.sql("UPDATE vms SET guest_ip = 'XYZZY' || rowid; UPDATE images SET managed = 3");
    let row = place.row("row-values", &[]);
    assert_eq!(row["findings"].as_array().unwrap().len(), 100);
    assert_eq!(row["findings_total"], 301);
    assert_snapshot!(row["detail"].as_str().unwrap(), @"301 values that banger never writes, in images.managed (1), vms.guest_ip (300)");
}

#[test]
fn depth_is_no_fault_in_json() {
    let place = Place::with(1, 2);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(9_000), "]".repeat(9_000));
    plant(&place, "vms", "spec_json", 1, deep);
    assert_snapshot!(said(&place), @"pass: every value of 3 rows in 25 columns looks like banger's");
}

#[test]
fn text_does_not_end_at_a_nul() {
    let place = Place::with(1, 2);
    plant(&place, "vms", "name", 1, "vm\0XYZZY");
    plant(&place, "vms", "spec_json", 2, "{}\0");
    assert_snapshot!(said(&place), @r#"
    fail: 2 values that banger never writes, in vms.name (1), vms.spec_json (1)
      column "name", key "6f9c2f0e-5a53-4d0b-9002-000000000001", kind "wrong-value", row 1, table "vms": a control character in text
      column "spec_json", key "6f9c2f0e-5a53-4d0b-9002-000000000002", kind "wrong-value", row 2, table "vms": not one JSON object
      2 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Check the disk, and find out whether another program wrote to the store. 3. Restore a backup, or let banger re-create the named VMs and images.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

/// Zeroes a leaf in the middle of the table, as a disk does that lost a write.
fn lose_a_page(place: &Place, table: &str) {
    let leaves = leaves(&place.store(), table);
    assert!(leaves.len() > 4, "{leaves:?}");
    overwrite_page(&place.store(), leaves[leaves.len() / 2], 0);
}

#[test]
fn a_damaged_page_ends_the_look_and_it_says_how_far_it_came() {
    let place = Place::with(2, 400);
    lose_a_page(&place, "vms");
    assert_snapshot!(said(&place), @r#"
    fail: vms could not be read to its end: after 204 rows, SQLite says: database disk image is malformed [11] (while running: SELECT rowid, "id", "name", "image_id", "guest_ip", "state", "created_at", "updated_at", "last_touched_at", "spec_json", "runtime_json", "stats_json", "workspace_json" FROM "vms" NOT INDEXED)
      kind "could-not-look", table "vms": could not be read to its end
      1 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Restore a backup, if there is one that is new enough. Otherwise save what can still be read, and examine that. 3. If that is as it should be, put it in the store's place while banger is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && doctor --salvage kept/state.db > saved.sql
         $ umask 077 && sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    "#);
    place.sql("UPDATE vms SET guest_ip = 'XYZZY' WHERE rowid = 1; UPDATE images SET managed = 2 WHERE rowid = 1");
    assert_snapshot!(said(&place), @r#"
    fail: at least 2 values that banger never writes, in images.managed (1), vms.guest_ip (1); vms could not be read to its end: after 204 rows, SQLite says: database disk image is malformed [11] (while running: SELECT rowid, "id", "name", "image_id", "guest_ip", "state", "created_at", "updated_at", "last_touched_at", "spec_json", "runtime_json", "stats_json", "workspace_json" FROM "vms" NOT INDEXED)
      column "managed", key "6f9c2f0e-5a53-4d0b-9001-000000000001", kind "could-not-look", row 1, table "images": a flag that is neither 0 nor 1
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000001", kind "could-not-look", row 1, table "vms": not an IP address
      kind "could-not-look", table "vms": could not be read to its end
      at least 3 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Restore a backup, if there is one that is new enough. Otherwise save what can still be read, and examine that. 3. If that is as it should be, put it in the store's place while banger is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && doctor --salvage kept/state.db > saved.sql
         $ umask 077 && sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    "#);
}

#[test]
fn one_damaged_table_does_not_hide_the_other() {
    let place = Place::with(400, 3);
    lose_a_page(&place, "images");
    place.sql("UPDATE vms SET guest_ip = 'XYZZY' WHERE rowid = 3");
    assert_snapshot!(said(&place), @r#"
    fail: at least 1 value that banger never writes, in vms.guest_ip (1); images could not be read to its end: after 196 rows, SQLite says: database disk image is malformed [11] (while running: SELECT rowid, "id", "name", "managed", "artifact_dir", "rootfs_path", "work_seed_path", "kernel_path", "initrd_path", "modules_dir", "build_size", "seeded_ssh_public_key_fingerprint", "created_at", "updated_at" FROM "images" NOT INDEXED)
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000003", kind "could-not-look", row 3, table "vms": not an IP address
      kind "could-not-look", table "images": could not be read to its end
      at least 2 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Restore a backup, if there is one that is new enough. Otherwise save what can still be read, and examine that. 3. If that is as it should be, put it in the store's place while banger is stopped. Move the old files away; do not delete them.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ umask 077 && doctor --salvage kept/state.db > saved.sql
         $ umask 077 && sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
    "#);
}

#[test]
fn what_is_not_bangers_is_not_looked_at() {
    let place = Place::with(1, 2);
    place.sql(
        "ALTER TABLE vms ADD COLUMN somebodys;
         UPDATE vms SET somebodys = x'00ff';
         CREATE TABLE other(created_at TEXT, spec_json TEXT);
         INSERT INTO other VALUES ('XYZZY', 'XYZZY');",
    );
    assert_snapshot!(said(&place), @"pass: every value of 3 rows in 25 columns looks like banger's; not looked at: 1 other column");
}

#[test]
fn what_is_missing_is_another_checks_business() {
    let place = Place::with(1, 2);
    place.sql("ALTER TABLE vms DROP COLUMN workspace_json; ALTER TABLE images DROP COLUMN managed");
    assert_snapshot!(said(&place), @"pass: every value of 3 rows in 23 columns looks like banger's");
    place.sql("DROP TABLE vms");
    assert_snapshot!(said(&place), @"pass: every value of 1 row in 12 columns looks like banger's");
    let shape = place.row("schema-shape", &[]);
    assert_eq!(shape["status"], "fail", "{shape}");
}

#[test]
fn a_view_under_a_tables_name_is_not_looked_at() {
    let place = Place::with(1, 2);
    place.sql(
        "ALTER TABLE vms RENAME TO moved;
         CREATE VIEW vms AS SELECT 'XYZZY' AS guest_ip, 'XYZZY' AS spec_json, '' AS id;",
    );
    assert_snapshot!(said(&place), @"pass: every value of 1 row in 13 columns looks like banger's");
}

#[test]
fn counters_of_autoincrement_that_sqlite_never_writes_are_notes() {
    let said = |change: &str| {
        let place = Place::new();
        place.sql("CREATE TABLE items(id INTEGER PRIMARY KEY AUTOINCREMENT, name); INSERT INTO items(name) VALUES ('a'), ('b')");
        place.sql(change);
        place.said("row-values", &["--any"])
    };
    insta::assert_snapshot!(said("INSERT INTO sqlite_sequence VALUES ('items', 7)"), @r#"
    pass: the text in 2 rows of 1 table is in the store's encoding, UTF-8; the AUTOINCREMENT counter of items in sqlite_sequence is there 2 times, of which SQLite takes one: rowids of deleted rows may be given again
      kind "counter-wrong", table "items": the AUTOINCREMENT counter of items in sqlite_sequence is there 2 times, of which SQLite takes one: rowids of deleted rows may be given again
      1 in all
    "#);
    insta::assert_snapshot!(said("UPDATE sqlite_sequence SET seq = 'seven'"), @r#"
    pass: the text in 2 rows of 1 table is in the store's encoding, UTF-8; the AUTOINCREMENT counter of items in sqlite_sequence is no integer, and SQLite takes the number with which it begins, or 0: rowids of deleted rows may be given again
      kind "counter-wrong", table "items": the AUTOINCREMENT counter of items in sqlite_sequence is no integer, and SQLite takes the number with which it begins, or 0: rowids of deleted rows may be given again
      1 in all
    "#);
    insta::assert_snapshot!(said("UPDATE sqlite_sequence SET seq = 9223372036854775807"), @r#"
    pass: the text in 2 rows of 1 table is in the store's encoding, UTF-8; the AUTOINCREMENT counter of items in sqlite_sequence is at its end, so that no row can be inserted
      kind "counter-at-end", table "items": the AUTOINCREMENT counter of items in sqlite_sequence is at its end, so that no row can be inserted
      1 in all
    "#);
    // An INSERT of no row leaves NULL, and a name of no table counts for nothing.
    assert!(
        !said("UPDATE sqlite_sequence SET seq = NULL; INSERT INTO sqlite_sequence VALUES ('x', 'y'), ('x', 'z')")
            .contains("kind")
    );
}
