//! `row-values` on values that are too long to be held at once: they are read in pieces.

use insta::assert_snapshot;

use crate::checks::row_values::{MARK, plant, plant_as, said};
use crate::support::Place;

/// A length that no value is read whole at: more than 1 MiB.
const LONG: usize = (1 << 20) + 17;

/// An object of about so many bytes.
fn long_object(length: usize) -> Vec<u8> {
    let filling = MARK.repeat(length / MARK.len());
    format!("{{\"a\":\"{filling}\"}}").into_bytes()
}

#[test]
fn long_values_that_banger_could_have_written_pass() {
    let place = Place::with(2, 3);
    plant(&place, "vms", "spec_json", 1, long_object(3 * LONG));
    plant(
        &place,
        "vms",
        "workspace_json",
        2,
        [b" \t\r\n".repeat(LONG / 4), long_object(100)].concat(),
    );
    plant(&place, "images", "name", 1, "é".repeat(LONG));
    plant(&place, "images", "build_size", 2, MARK.repeat(LONG));
    assert_snapshot!(said(&place), @"pass: every value of 5 rows in 25 columns looks like banger's");
}

#[test]
fn long_values_that_no_banger_wrote_are_found() {
    let place = Place::with(9, 9);
    place.loosen();
    let mut cut = long_object(LONG);
    cut.truncate(LONG - 2);
    let mut not_utf8 = long_object(LONG);
    not_utf8[LONG / 2] = 0xff;
    let mut control = MARK.repeat(LONG).into_bytes();
    control[LONG] = b'\n';
    let mut cut_character = "é".repeat(LONG).into_bytes();
    cut_character.pop();
    plant(&place, "vms", "spec_json", 1, &cut);
    plant(&place, "vms", "runtime_json", 2, &not_utf8);
    plant(&place, "vms", "stats_json", 3, [long_object(LONG), b"{}".to_vec()].concat());
    plant(&place, "vms", "workspace_json", 4, "[".repeat(LONG));
    plant(&place, "vms", "guest_ip", 5, "1".repeat(LONG));
    plant(&place, "vms", "created_at", 6, "2".repeat(LONG));
    plant_as("?1", &place, "vms", "state", 7, &long_object(LONG));
    plant(&place, "vms", "guest_ip", 8, "a short one beside the long ones");
    plant(&place, "images", "name", 1, &control);
    plant(&place, "images", "rootfs_path", 2, &cut_character);
    plant(&place, "images", "managed", 3, "1".repeat(LONG));
    plant(&place, "images", "kernel_path", 4, [MARK.repeat(LONG).into_bytes(), vec![0]].concat());
    assert_snapshot!(said(&place), @r#"
    fail: 12 values that banger never writes, in images.kernel_path (1), images.managed (1), images.name (1), images.rootfs_path (1), vms.created_at (1), vms.guest_ip (2), vms.runtime_json (1), vms.spec_json (1), vms.state (1), vms.stats_json (1), vms.workspace_json (1)
      column "name", key "6f9c2f0e-5a53-4d0b-9001-000000000001", kind "wrong-value", row 1, table "images": a control character in text
      column "rootfs_path", key "6f9c2f0e-5a53-4d0b-9001-000000000002", kind "wrong-value", row 2, table "images": text that is not UTF-8
      column "managed", key "6f9c2f0e-5a53-4d0b-9001-000000000003", kind "wrong-value", row 3, table "images": not an integer where a flag belongs
      column "kernel_path", key "6f9c2f0e-5a53-4d0b-9001-000000000004", kind "wrong-value", row 4, table "images": a control character in text
      column "spec_json", key "6f9c2f0e-5a53-4d0b-9002-000000000001", kind "wrong-value", row 1, table "vms": not one JSON object
      column "runtime_json", key "6f9c2f0e-5a53-4d0b-9002-000000000002", kind "wrong-value", row 2, table "vms": text that is not UTF-8
      column "stats_json", key "6f9c2f0e-5a53-4d0b-9002-000000000003", kind "wrong-value", row 3, table "vms": not one JSON object
      column "workspace_json", key "6f9c2f0e-5a53-4d0b-9002-000000000004", kind "wrong-value", row 4, table "vms": not one JSON object
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000005", kind "wrong-value", row 5, table "vms": not an IP address
      column "created_at", key "6f9c2f0e-5a53-4d0b-9002-000000000006", kind "wrong-value", row 6, table "vms": not a time in RFC 3339 format
      column "state", key "6f9c2f0e-5a53-4d0b-9002-000000000007", kind "wrong-value", row 7, table "vms": a blob where text belongs
      column "guest_ip", key "6f9c2f0e-5a53-4d0b-9002-000000000008", kind "wrong-value", row 8, table "vms": not an IP address
      12 in all
      -> 1. Stop banger, and keep a copy of all files of the store. 2. Check the disk, and find out whether another program wrote to the store. 3. Restore a backup, or let banger re-create the named VMs and images.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn a_long_value_in_utf_16_is_said_to_be_left_out() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let place = Place::made_by(&format!("PRAGMA encoding='{encoding}'"), 3, 1, 3);
        place
            .open()
            .execute("UPDATE vms SET spec_json = ?1 WHERE rowid = 1", [long_text()])
            .unwrap();
        insta::allow_duplicates! {
            assert_snapshot!(said(&place), @"pass: every value of 4 rows in 25 columns looks like banger's; 1 value was too long to look at");
        }
        // The others are looked at all the same.
        place.sql("UPDATE vms SET guest_ip = 'XYZZY' WHERE rowid = 2");
        let row = place.row("row-values", &[]);
        assert_eq!(row["findings"].as_array().unwrap().len(), 1, "{row}");
        assert_eq!(row["findings"][0]["column"], "guest_ip");
    }
}

fn long_text() -> String {
    String::from_utf8(long_object(LONG)).unwrap()
}
