//! Stores with text in UTF-16: every row comes back, in a store of the same encoding.

use rusqlite::Connection;

use super::random::Random;
use super::saved::save;
use super::stores::{begin, insert, open, rows};

fn made(encoding: &str, sql: &str) -> (Vec<u8>, Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    open(&path)
        .execute_batch(&format!("PRAGMA encoding='{encoding}'; CREATE TABLE first(x); DROP TABLE first"))
        .unwrap();
    begin(&path);
    let connection = open(&path);
    connection.execute_batch("PRAGMA journal_mode=delete; PRAGMA foreign_keys=OFF").unwrap();
    let mut random = Random(5);
    for number in 1..=300 {
        insert(&connection, &mut random, number);
    }
    connection.execute_batch(sql).unwrap();
    (std::fs::read(&path).unwrap(), connection, folder)
}

fn encoding(connection: &Connection) -> String {
    connection.query_row("PRAGMA encoding", [], |row| row.get(0)).unwrap()
}

/// The bytes of a value as the store holds them.
fn stored(connection: &Connection, sql: &str) -> Vec<u8> {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn every_row_of_a_healthy_store_comes_back_in_its_encoding() {
    for name in ["UTF-16le", "UTF-16be"] {
        let (bytes, store, _folder) = made(
            name,
            "UPDATE vms SET name = 'na\u{ef}ve \u{1f980} it''s' WHERE rowid = 3; UPDATE vms SET state = 'a' || char(0x202e) || 'b' WHERE rowid = 4;
             DELETE FROM vms WHERE rowid = 7",
        );
        let saved = save(&bytes, None);
        assert!(saved.account.is_complete(), "{:?}", saved.account);
        let loaded = saved.load();
        assert_eq!((rows(&loaded), encoding(&loaded).as_str()), (rows(&store), name));
    }
}

#[test]
fn without_the_first_page_the_rows_show_the_encoding() {
    for name in ["UTF-16le", "UTF-16be", "UTF-8"] {
        let (mut bytes, store, _folder) = made(name, "");
        bytes[..4096].fill(0);
        let saved = save(&bytes, None);
        let of = saved.of_vms();
        assert_eq!((of.whole(), of.flagged.count), (300, 0), "{name}");
        let loaded = saved.load();
        assert_eq!((rows(&loaded), encoding(&loaded).as_str()), (rows(&store), name));
    }
}

#[test]
fn lost_rows_are_named_and_the_others_come_back() {
    let (mut bytes, store, _folder) = made("UTF-16le", "");
    let id = stored(&store, "SELECT CAST(id AS BLOB) FROM vms WHERE rowid = 100");
    let page = bytes
        .chunks_exact(4096)
        .position(|page| page[0] == 13 && page.windows(id.len()).any(|there| there == id))
        .unwrap();
    bytes[page * 4096..(page + 1) * 4096].fill(0);
    let saved = save(&bytes, None);
    let of = saved.of_vms();
    let mut kept = rows(&store);
    for lost in &of.lost.rows {
        assert!(kept.remove(&lost.rowid.unwrap()).is_some() && lost.id.is_some(), "{lost:?}");
    }
    assert!(of.lost.rows.iter().any(|lost| lost.rowid == Some(100)));
    assert_eq!(saved.vms(), kept);
}

#[test]
fn text_that_is_no_utf_16_comes_back_byte_for_byte_and_is_flagged() {
    let (bytes, store, _folder) = made(
        "UTF-16le",
        "UPDATE vms SET state = CAST(x'410000d84200' AS TEXT) WHERE rowid = 9; UPDATE vms SET state = CAST(x'41000a00' AS TEXT) WHERE rowid = 10",
    );
    let saved = save(&bytes, None);
    let flagged: Vec<Option<i64>> = saved.of_vms().flagged.rows.iter().map(|row| row.rowid).collect();
    assert_eq!(flagged, [Some(9), Some(10)]);
    let loaded = saved.load();
    for rowid in [9, 10] {
        let sql = format!("SELECT CAST(state AS BLOB) FROM vms WHERE rowid = {rowid}");
        assert_eq!(stored(&loaded, &sql), stored(&store, &sql));
    }
}
