//! Damage to an index says nothing against the rows that it names; damage to a row does.

use super::random::Random;
use super::saved::save;
use super::stores::{Row, id};
use super::stores::{begin, insert, open, rows};
use std::collections::BTreeMap;

const PAGE: usize = 4096;

/// A store of 300 rows, and what is in it.
fn made() -> (Vec<u8>, BTreeMap<i64, Row>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    begin(&path);
    let connection = open(&path);
    connection
        .execute_batch(
            "PRAGMA journal_mode=delete; PRAGMA foreign_keys=OFF;
             INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at)
             VALUES ('11111111-2222-4333-8444-555555555555', 'image', '/r', '/k', '2026-04-28T18:41:31Z', '2026-05-28T18:41:31Z')",
        )
        .unwrap();
    let mut random = Random(7);
    for number in 1..=300 {
        insert(&connection, &mut random, number);
    }
    let rows = rows(&connection);
    drop(connection);
    (std::fs::read(&path).unwrap(), rows)
}

/// Where the text of a row lies in pages of this kind, once.
fn place(bytes: &[u8], kind: u8, text: &str) -> usize {
    let found: Vec<usize> = bytes
        .chunks_exact(PAGE)
        .enumerate()
        .filter(|(_, page)| page[0] == kind)
        .flat_map(|(number, page)| {
            let starts = page.windows(text.len()).enumerate().filter(|(_, there)| *there == text.as_bytes());
            starts.map(move |(at, _)| number * PAGE + at)
        })
        .collect();
    assert_eq!(found.len(), 1, "{text} in {found:?}");
    found[0]
}

const LEAF_OF_AN_INDEX: u8 = 10;
const LEAF_OF_A_TABLE: u8 = 13;

/// Every row is given as it was, and nothing is said against any.
fn holds_all(bytes: &Vec<u8>, live: &BTreeMap<i64, Row>, what: &str) {
    let saved = save(bytes, None);
    assert_eq!(&saved.vms(), live, "{what}");
    let of = saved.of_vms();
    let against = [of.flagged.count, of.lost.count, of.doubtful.count, of.renumbered];
    assert_eq!((against, of.whole()), ([0; 4], 300), "{what}: {of:?}");
}

#[test]
fn an_entry_with_another_rows_number_costs_nothing() {
    let (bytes, live) = made();
    // The number of row 200 is 0x00c8 in two bytes behind the text: another row's, or nobody's.
    for text in [id(&live[&200]), "vm-200".to_owned(), "10.0.0.200".to_owned()] {
        let at = place(&bytes, LEAF_OF_AN_INDEX, &text) + text.len();
        assert_eq!(bytes[at..at + 2], [0, 200], "{text}");
        for number in [[0, 201], [0, 150], [0x70, 3], [0x80, 0]] {
            let mut bytes = bytes.clone();
            bytes[at..at + 2].copy_from_slice(&number);
            holds_all(&bytes, &live, &format!("{text}: {number:?}"));
        }
    }
}

#[test]
fn an_entry_of_noise_costs_nothing() {
    let (bytes, live) = made();
    for text in [id(&live[&200]), "vm-200".to_owned(), "10.0.0.200".to_owned()] {
        let mut bytes = bytes.clone();
        let at = place(&bytes, LEAF_OF_AN_INDEX, &text);
        bytes[at + 2] = 0xff;
        holds_all(&bytes, &live, &text);
    }
}

#[test]
fn a_letter_in_a_row_that_its_index_has_otherwise_is_flagged() {
    let (mut bytes, _) = made();
    let at = place(&bytes, LEAF_OF_A_TABLE, "vm-200");
    bytes[at] = b'w';
    let saved = save(&bytes, None);
    let of = saved.of_vms();
    let flagged: Vec<Option<i64>> = of.flagged.rows.iter().map(|row| row.rowid).collect();
    assert_eq!((flagged, of.given, of.whole()), (vec![Some(200)], 300, 299));
}

#[test]
fn a_row_whose_number_is_damaged_is_given_under_the_one_that_its_indexes_name() {
    let (mut bytes, live) = made();
    let record = place(&bytes, LEAF_OF_A_TABLE, &id(&live[&200]));
    // The number stands before the record's header: 200 is 0x81 0x48.
    let at = (record - 24..record).find(|at| bytes[*at..*at + 2] == [0x81, 0x48]).unwrap();
    bytes[at + 1] = 0x7f;
    let saved = save(&bytes, None);
    assert_eq!(saved.vms(), live);
    let of = saved.of_vms();
    assert_eq!((of.renumbered, of.whole(), of.lost.count, of.flagged.count), (1, 299, 0, 0));
}
