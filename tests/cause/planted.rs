//! Each sign is told where its mechanism was at work.

use std::fs;

use rusqlite::Connection;

use super::{PAGE, fill, read, store, told};
use crate::support::Place;
use crate::support::damage::{change, leaves, root};

/// A store with these bytes instead of its own.
fn with_bytes(bytes: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Place {
    let place = store();
    let before = read(&place);
    fs::write(place.store(), bytes(before)).unwrap();
    place
}

/// Noise that is the same in each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

fn zero_pages(place: &Place, pages: std::ops::RangeInclusive<usize>) {
    change(&place.store(), |bytes| bytes[(pages.start() - 1) * PAGE..pages.end() * PAGE].fill(0));
}

#[test]
fn a_file_that_was_taken_for_text_is_told() {
    let latin = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect::<String>().into_bytes();
    let replaced = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned().into_bytes();
    let seven = |bytes: Vec<u8>| bytes.into_iter().map(|byte| if byte > 127 { b'?' } else { byte }).collect();
    let wide = |bytes: Vec<u8>| [vec![0xff, 0xfe], bytes.into_iter().flat_map(|byte| [byte, 0]).collect()].concat();
    let marked = |bytes: Vec<u8>| [b"\xef\xbb\xbf".to_vec(), latin(bytes)].concat();
    assert_eq!(told(&with_bytes(latin)), ["text-conversion certain"]);
    assert_eq!(told(&with_bytes(replaced)), ["text-conversion certain"]);
    assert_eq!(told(&with_bytes(seven)), ["text-conversion certain"]);
    assert_eq!(told(&with_bytes(wide)), ["text-conversion certain"]);
    assert_eq!(told(&with_bytes(marked)), ["text-conversion certain"]);
}

#[test]
fn converted_ends_of_lines_are_told() {
    let added = |bytes: Vec<u8>| -> Vec<u8> {
        bytes
            .into_iter()
            .flat_map(|byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] })
            .collect()
    };
    let lost = |bytes: Vec<u8>| bytes.into_iter().filter(|byte| *byte != b'\r').collect();
    // As `dos2unix` does: pairs that lay in the rows.
    let pairs_lost = |bytes: Vec<u8>| {
        let mut bytes = bytes;
        let at = 20 * PAGE;
        bytes[at + 2000..at + 2002].copy_from_slice(b"\r\n");
        let text: Vec<u8> = bytes
            .iter()
            .zip(bytes.iter().skip(1).chain([&0]))
            .filter(|(byte, next)| **byte != b'\r' || **next != b'\n')
            .map(|(byte, _)| *byte)
            .collect();
        text
    };
    assert_eq!(told(&with_bytes(pairs_lost)), ["line-ends-converted certain"]);
    assert_eq!(told(&with_bytes(added)), ["line-ends-converted certain"]);
    assert_eq!(told(&with_bytes(lost)), ["line-ends-converted certain"]);
}

#[test]
fn what_became_of_the_beginning_is_told() {
    let lines = "2026-03-01 10:22:31 worker: try 1, no answer\n".repeat(20).into_bytes();
    let over = |mut bytes: Vec<u8>| {
        bytes[..lines.len()].copy_from_slice(&lines);
        bytes
    };
    assert_eq!(told(&with_bytes(over)), ["text-over-start certain"]);
    let before = |head: &'static [u8]| with_bytes(move |bytes| [head.to_vec(), bytes].concat());
    assert_eq!(told(&before(b"\xef\xbb\xbf")), ["bytes-before-start certain"]);
    assert_eq!(told(&before(b"HTTP/1.1 200 OK\r\n\r\n")), ["bytes-before-start certain"]);
    assert_eq!(told(&before(&[0; 512])), ["bytes-before-start certain"]);
    for late in [1, 16, 512, 1000, PAGE, 2 * PAGE, 2 * PAGE + 7] {
        let place = with_bytes(|bytes| bytes[late..].to_vec());
        // Where no interior page is left, no number says how many pages are missing.
        let certainty = if late == 2 * PAGE { "likely" } else { "certain" };
        assert_eq!(told(&place), [format!("start-cut {certainty}")], "{late}");
    }
}

#[test]
fn a_file_that_ends_early_is_told() {
    for left in [50, 3 * PAGE, 10 * PAGE + 17] {
        let place = with_bytes(|bytes| bytes[..left].to_vec());
        assert_eq!(told(&place), ["file-cut certain"], "{left}");
    }
}

#[test]
fn another_file_in_its_place_is_named() {
    for (bytes, sign) in [
        (b"".to_vec(), "empty certain"),
        ([b"\x1f\x8b\x08\0".to_vec(), noise(9000)].concat(), "other-file certain"),
        ([b"\x89PNG\r\n\x1a\n".to_vec(), noise(9000)].concat(), "other-file certain"),
        (b"<!DOCTYPE html>\n<title>502</title>\n".to_vec(), "other-file certain"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n".to_vec(),
            "other-file certain",
        ),
        (b"BEGIN TRANSACTION;\nCREATE TABLE a(b);\nCOMMIT;\n".to_vec(), "other-file certain"),
    ] {
        assert_eq!(told(&with_bytes(|_| bytes)), [sign]);
    }
}

#[test]
fn noise_from_the_start_or_at_even_distances_is_told() {
    let all = |bytes: Vec<u8>| noise(bytes.len());
    let leading = |mut bytes: Vec<u8>| {
        bytes[..16 * PAGE].copy_from_slice(&noise(16 * PAGE));
        bytes
    };
    let third = |mut bytes: Vec<u8>| {
        for (page, noise) in bytes.chunks_mut(PAGE).zip(noise(400 * PAGE).chunks(PAGE)).step_by(3) {
            page.copy_from_slice(noise);
        }
        bytes
    };
    // As SQLCipher leaves it with a header in plain text.
    let with_header = |mut bytes: Vec<u8>| {
        let noise = noise(bytes.len());
        bytes[32..].copy_from_slice(&noise[32..]);
        bytes
    };
    assert_eq!(told(&with_bytes(all)), ["encrypted-blocks certain"]);
    assert_eq!(told(&with_bytes(leading)), ["encrypted-blocks certain"]);
    assert_eq!(told(&with_bytes(third)), ["encrypted-blocks certain"]);
    assert!(told(&with_bytes(with_header)).contains(&"encrypted-blocks certain".to_owned()));
}

#[test]
fn zeros_are_told_by_their_places() {
    let place = store();
    // 64 KiB at a multiple of 16 KiB, which holds pages of the table.
    zero_pages(&place, 17..=32);
    assert_eq!(told(&place), ["zero-pieces likely"]);

    let place = store();
    let pages = read(&place).len() / PAGE;
    zero_pages(&place, pages / 2..=pages);
    assert_eq!(told(&place), ["zero-tail likely"]);

    let place = store();
    let leaf = leaves(&place.store(), "notes")[3];
    zero_pages(&place, leaf..=leaf);
    assert_eq!(told(&place), ["zero-blocks class"]);

    let place = store();
    change(&place.store(), |bytes| bytes[(leaf - 1) * PAGE..][..512].fill(0));
    assert_eq!(told(&place), ["zero-blocks class"]);

    let place = store();
    zero_pages(&place, 1..=1);
    assert_eq!(told(&place), ["zero-blocks class"]);
}

#[test]
fn single_pages_are_told_by_what_stands_there() {
    let notes = |place: &Place, n: usize| leaves(&place.store(), "notes")[n];
    let put = |place: &Place, page: usize, at: usize, content: &[u8]| {
        change(&place.store(), |bytes| {
            bytes[(page - 1) * PAGE + at..][..content.len()].copy_from_slice(content);
        });
    };

    let place = store();
    let text = "key_17 = value\n".repeat(300).into_bytes();
    put(&place, notes(&place, 2), 0, &text[..PAGE]);
    assert_eq!(told(&place), ["other-content class"]);

    let place = store();
    let page = notes(&place, 2);
    change(&place.store(), |bytes| bytes[(page - 1) * PAGE + 3 + 1] ^= 4);
    assert_eq!(told(&place), ["bit-flipped likely"]);

    let place = store();
    put(&place, notes(&place, 2), 0, &noise(40));
    assert_eq!(told(&place), ["page-overwritten class"]);

    let place = store();
    let (from, to) = (notes(&place, 5), notes(&place, 2));
    let copy = read(&place)[(from - 1) * PAGE..from * PAGE].to_vec();
    put(&place, to, 0, &copy);
    assert_eq!(told(&place), ["page-copied likely"]);

    let place = store();
    let other = Place::new();
    Connection::open(other.store())
        .unwrap()
        .execute_batch(
            "CREATE TABLE other(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO other SELECT i, 'other ' || i FROM n",
        )
        .unwrap();
    let page = leaves(&other.store(), "other")[9];
    let foreign = read(&other)[(page - 1) * PAGE..page * PAGE].to_vec();
    put(&place, notes(&place, 2), 0, &foreign);
    assert_eq!(told(&place), ["page-of-another class"]);
}

#[test]
fn a_header_of_which_a_part_is_something_else_is_told() {
    let place = store();
    change(&place.store(), |bytes| bytes[21] ^= 2);
    assert_eq!(told(&place), ["bit-flipped likely"]);
    let place = store();
    change(&place.store(), |bytes| bytes[3] ^= 32);
    assert_eq!(told(&place), ["bit-flipped likely"]);
    let place = store();
    change(&place.store(), |bytes| bytes[16..24].copy_from_slice(&noise(8)));
    assert_eq!(told(&place), ["page-overwritten class"]);
}

#[test]
fn pages_of_two_moments_are_told() {
    let place = store();
    let before = read(&place);
    Connection::open(place.store()).unwrap().execute_batch("DELETE FROM tags").unwrap();
    Connection::open(place.store())
        .unwrap()
        .execute_batch("INSERT INTO notes(title, body) SELECT 'new ' || id, body FROM notes WHERE id < 90")
        .unwrap();
    // A copy that was made while a program wrote: its first page is older, and with it the freelist.
    change(&place.store(), |bytes| bytes[..PAGE].copy_from_slice(&before[..PAGE]));
    let told = told(&place);
    assert!(told.contains(&"mixed-moments class".to_owned()), "{told:?}");
    assert!(told.iter().all(|sign| sign.ends_with(" class")), "{told:?}");
}

#[test]
fn an_index_that_lost_a_write_is_told_with_who_wrote_last() {
    let place = store();
    let before = read(&place);
    let page = root(&place.store(), "by_body");
    Connection::open(place.store())
        .unwrap()
        .execute_batch("UPDATE notes SET body = 'changed' WHERE id = 5")
        .unwrap();
    let leaf = leaves(&place.store(), "by_body")
        .into_iter()
        .find(|leaf| read(&place)[(leaf - 1) * PAGE..leaf * PAGE] != before[(leaf - 1) * PAGE..leaf * PAGE]);
    let leaf = leaf.unwrap_or(page);
    change(&place.store(), |bytes| {
        bytes[(leaf - 1) * PAGE..leaf * PAGE].copy_from_slice(&before[(leaf - 1) * PAGE..leaf * PAGE]);
    });
    assert_eq!(told(&place), ["index-and-table-differ class"]);
}

#[test]
fn a_log_that_is_none_or_anothers_is_told() {
    let place = Place::new();
    fill(&place.store(), "PRAGMA journal_mode = WAL");
    let wal = place.store().with_extension("db-wal");
    fs::write(&wal, "# moved to the archive\n".repeat(400)).unwrap();
    assert_eq!(told(&place), ["not-a-log certain"]);

    // A store that was put back beside the log of a later time.
    let conn = Connection::open(place.store());
    drop(conn);
    let _ = fs::remove_file(&wal);
    let before = read(&place);
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch(
        "INSERT INTO tags SELECT 'more ' || id, zeroblob(900) FROM notes; PRAGMA wal_checkpoint(TRUNCATE);
         PRAGMA wal_autocheckpoint = 0; UPDATE tags SET pad = 'x' WHERE name LIKE 'more 1%'",
    )
    .unwrap();
    let log = fs::read(&wal).unwrap();
    drop(conn);
    fs::write(place.store(), before).unwrap();
    fs::write(&wal, log).unwrap();
    assert_eq!(told(&place), ["log-of-another certain"]);
}

#[test]
fn what_does_no_harm_is_told_beside_what_does() {
    let place = store();
    let leaf = leaves(&place.store(), "notes")[3];
    zero_pages(&place, leaf..=leaf);
    change(&place.store(), |bytes| bytes.extend([0; 5000]));
    assert_eq!(told(&place), ["zero-blocks class", "zeros-behind-end certain"]);
    change(&place.store(), |bytes| bytes[92] ^= 1);
    assert!(told(&place).contains(&"counters-differ certain".to_owned()), "{:?}", told(&place));
}

#[test]
fn an_index_whose_rule_of_order_changed_is_told() {
    let place = store();
    Connection::open(place.store())
        .unwrap()
        .execute_batch(
            "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX by_name ON people(name);
             INSERT INTO people(name) SELECT iif(id % 2, 'Name ', 'name ') || (id * 7919 % 1000) FROM notes;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX by_name ON people(name COLLATE NOCASE)' WHERE name = 'by_name'",
        )
        .unwrap();
    assert_eq!(told(&place), ["index-order likely"]);
}

#[test]
fn the_signs_stand_once_after_the_verdict_in_every_format() {
    let place = store();
    let leaf = leaves(&place.store(), "notes")[3];
    zero_pages(&place, leaf..=leaf);
    for format in ["table", "markdown", "html"] {
        let ran = place.doctor().args(["--any", "--format", format]).arg(place.store()).run();
        assert_eq!(ran.stdout.matches("How it came to this").count(), 1, "{format}: {}", ran.stdout);
        assert!(ran.stdout.contains("zero-blocks"), "{format}");
    }
    let html = place.doctor().args(["--any", "--format", "html"]).arg(place.store()).run().stdout;
    assert!(html.contains("; zeros\">"), "the page's cell on the map says what it shows");
    let report = place.doctor().args(["--any", "--format", "json"]).arg(place.store()).run().report();
    assert_eq!(report["cause"][0]["pages"], serde_json::json!([{"first": leaf, "last": leaf}]));
    let table = place.doctor().arg("--any").arg(place.store()).run();
    let last = table.shown_stdout().split("\n\n").last().unwrap().trim_end().to_owned();
    insta::assert_snapshot!(last, @"More: doctor --explain page-structure");
}
