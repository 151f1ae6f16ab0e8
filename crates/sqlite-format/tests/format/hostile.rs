//! Stores that nobody made in good faith: no panic, no endless way, no memory that a number in a file asks for, and never
//! "sound".

use std::time::{Duration, Instant};

use rusqlite::Connection;
use sqlite_format::answer::Answer;
use sqlite_format::damage::Damage;

use super::sqlite::{answers, hold_against_sqlite};

/// A store made by this SQL, with pages of this size.
pub fn made(page_size: usize, sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!("PRAGMA page_size={page_size}; PRAGMA journal_mode=OFF; {sql}"))
        .unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

/// Holds the store against SQLite, and gives what the reader finds; it takes no time to speak of.
fn odd(bytes: &Vec<u8>) -> Damage {
    let begun = Instant::now();
    let (store, _) = answers(bytes, true);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let folder = tempfile::tempdir().unwrap();
    hold_against_sqlite(bytes, &folder.path().join("asked.db")).unwrap();
    let Answer::PerhapsNot(fault) = store else {
        unreachable!("it is odd, and understood: {store:?}")
    };
    fault.damage
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

fn two(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

const ROWS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)";

/// Page 2 is the root of a table with children.
fn with_children() -> Vec<u8> {
    made(512, &format!("CREATE TABLE t(a); {ROWS} INSERT INTO t SELECT hex(zeroblob(20)) FROM n"))
}

const PAGE_2: usize = 512;

#[test]
fn the_stores_below_are_sound_before_they_are_changed() {
    assert_eq!(answers(&with_children(), false).0, Answer::Sound);
    for page_size in [512, 1024, 4096, 65_536] {
        let sql = format!(
            "PRAGMA auto_vacuum=1; CREATE TABLE t(a UNIQUE, b); {ROWS} INSERT INTO t SELECT i, zeroblob(i * 700) FROM n;
             DELETE FROM t WHERE a % 4 = 0"
        );
        assert_eq!(answers(&made(page_size, &sql), false).0, Answer::Sound, "{page_size}");
    }
}

#[test]
fn a_page_that_is_its_own_parent() {
    let mut bytes = with_children();
    put(&mut bytes, PAGE_2 + 8, &2_u32.to_be_bytes());
    assert_eq!(odd(&bytes), Damage::UsedTwice);
    let first = PAGE_2 + two(&bytes, PAGE_2 + 12);
    put(&mut bytes, first, &2_u32.to_be_bytes());
    assert_eq!(odd(&bytes), Damage::TooDeep);
}

#[test]
fn an_interior_cell_that_points_past_the_end() {
    let healthy = with_children();
    let [first, second] = [12, 14].map(|pointer| PAGE_2 + two(&healthy, PAGE_2 + pointer));
    for page in [0, u32::try_from(healthy.len() / 512).unwrap() + 1, u32::MAX] {
        let mut bytes = healthy.clone();
        put(&mut bytes, first, &page.to_be_bytes());
        assert_eq!(odd(&bytes), Damage::PageNumber, "{page}");
        // Not on the way to the first leaf.
        let mut bytes = healthy.clone();
        put(&mut bytes, second, &page.to_be_bytes());
        assert_eq!(odd(&bytes), Damage::PageNumber, "{page}");
    }
}

#[test]
fn twelve_levels_whose_pages_all_point_to_one_child() {
    let mut bytes = made(512, "CREATE TABLE t(a)");
    for level in 2..14_u32 {
        let mut page = vec![0; 512];
        put(&mut page, 0, &[5, 0, 0, 0, 40, 0, 0, 0]);
        put(&mut page, 8, &(level + 1).to_be_bytes());
        for cell in 0..40_u16 {
            let at = 512 - 5 * (usize::from(cell) + 1);
            put(&mut page, 12 + 2 * usize::from(cell), &u16::try_from(at).unwrap().to_be_bytes());
            put(&mut page, at, &(level + 1).to_be_bytes());
            page[at + 4] = u8::try_from(cell + 1).unwrap();
        }
        put(&mut page, 5, &312_u16.to_be_bytes());
        let at = 512 * (usize::try_from(level).unwrap() - 1);
        bytes.resize(bytes.len().max(at + 512), 0);
        put(&mut bytes, at, &page);
    }
    let leaf = bytes.len();
    bytes.resize(leaf + 512, 0);
    put(&mut bytes, leaf, &[13, 0, 0, 0, 0, 2, 0, 0]);
    let pages = u32::try_from(bytes.len() / 512).unwrap();
    put(&mut bytes, 28, &pages.to_be_bytes());
    assert!(matches!(odd(&bytes), Damage::UsedTwice | Damage::CellCount | Damage::RowidOrder));
}

#[test]
fn overflow_chains_in_circles_and_of_other_lengths() {
    let healthy = made(512, "CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(3000)), (zeroblob(3000))");
    let chained =
        (2..healthy.len() / 512).filter(|page| two(&healthy, page * 512) == 0 && healthy[page * 512 + 3] != 0);
    let pages: Vec<usize> = chained.collect();
    assert!(pages.len() > 6);
    for page in &pages {
        for next in [0, 1, 2, u32::try_from(*page).unwrap() + 1, u32::MAX] {
            let mut bytes = healthy.clone();
            if bytes[page * 512..page * 512 + 4] == next.to_be_bytes() {
                continue;
            }
            put(&mut bytes, page * 512, &next.to_be_bytes());
            assert!(matches!(
                odd(&bytes),
                Damage::ChainLength | Damage::UsedTwice | Damage::PageNumber | Damage::NeverUsed
            ));
        }
    }
}

#[test]
fn payloads_of_impossible_sizes() {
    let healthy = made(
        512,
        "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'some text here'), (2, 'some text here')",
    );
    let first = PAGE_2 + two(&healthy, PAGE_2 + 8);
    for size in [
        &[0x7f][..],
        &[0x87, 0xff, 0xff, 0xff, 0x7f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xc0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    ] {
        let mut bytes = healthy.clone();
        put(&mut bytes, first, size);
        odd(&bytes);
    }
}

#[test]
fn cells_that_share_bytes_and_leave_as_many_free() {
    // Two rows of the same size: the first pointer is put one byte further, which a sum of sizes does not show.
    let healthy = made(512, "CREATE TABLE t(a); INSERT INTO t VALUES ('aaaaaaaa'), ('bbbbbbbb')");
    let mut bytes = healthy.clone();
    let second = two(&bytes, PAGE_2 + 10);
    put(&mut bytes, PAGE_2 + 8, &u16::try_from(second).unwrap().to_be_bytes());
    assert!(matches!(odd(&bytes), Damage::Overlap | Damage::RowidOrder));
    for at in 0..8 {
        for value in [0, 1, 7, 0xff] {
            let mut bytes = healthy.clone();
            if bytes[PAGE_2 + at] != value {
                bytes[PAGE_2 + at] = value;
                odd(&bytes);
            }
        }
    }
}

#[test]
fn a_freelist_that_is_a_tree_or_a_circle_or_counts_too_many() {
    let healthy = made(
        512,
        &format!("CREATE TABLE t(a); {ROWS} INSERT INTO t SELECT zeroblob(90) FROM n; DELETE FROM t WHERE rowid > 20"),
    );
    assert_eq!(answers(&healthy, false).0, Answer::Sound);
    let trunk = usize::try_from(u32::from_be_bytes(healthy[32..36].try_into().unwrap())).unwrap();
    let own = u32::try_from(trunk).unwrap().to_be_bytes();
    let at = (trunk - 1) * 512;
    for (place, number) in [
        (32, 2_u32.to_be_bytes()),
        (32, [0; 4]),
        (36, [0; 4]),
        (36, [0xff; 4]),
        (at, own),
        (at, [0xff; 4]),
        (at + 4, 127_u32.to_be_bytes()),
        (at + 4, [0xff; 4]),
        (at + 8, own),
        (at + 8, [0; 4]),
        (at + 8, 2_u32.to_be_bytes()),
    ] {
        let mut bytes = healthy.clone();
        put(&mut bytes, place, &number);
        odd(&bytes);
    }
}

#[test]
fn a_pointer_map_that_lies() {
    let sql = format!("PRAGMA auto_vacuum=2; CREATE TABLE t(a); {ROWS} INSERT INTO t SELECT zeroblob(i * 9) FROM n");
    let healthy = made(512, &sql);
    assert_eq!(answers(&healthy, false).0, Answer::Sound);
    let pages = healthy.len() / 512;
    for page in [3, 4, 50, 100, 104, pages.min(200)] {
        let map = (page - 2) / 103 * 103 + 2;
        if map == page {
            continue;
        }
        let entry = (map - 1) * 512 + 5 * (page - map - 1);
        for (place, value) in [
            (entry, 9),
            (entry, healthy[entry] % 5 + 1),
            (entry + 4, healthy[entry + 4] ^ 1),
        ] {
            let mut bytes = healthy.clone();
            bytes[place] = value;
            assert_eq!(odd(&bytes), Damage::PointerMap, "page {page}");
        }
    }
    let mut bytes = healthy;
    bytes[55] ^= 1;
    assert_eq!(odd(&bytes), Damage::LargestRoot);
}

#[test]
fn an_index_that_holds_other_keys_than_its_table() {
    let sql = "CREATE TABLE t(a TEXT, b); CREATE INDEX i ON t(a); INSERT INTO t(rowid, a) VALUES (5, 'aaa'), (6, 'bbb'), (7, 'ccc')";
    let healthy = made(512, sql);
    let root = 1024;
    let at = root + healthy[root..].windows(3).position(|three| three == b"bbb").unwrap();
    let mut bytes = healthy.clone();
    put(&mut bytes, at, b"bbx");
    assert_eq!(odd(&bytes), Damage::Disagree);
    put(&mut bytes, at, b"zzz");
    assert_eq!(odd(&bytes), Damage::EntryOrder);
    let mut bytes = healthy.clone();
    put(&mut bytes, at, b"aaa");
    assert_eq!(odd(&bytes), Damage::Disagree);
    // Two entries that are each other's.
    let one = root + healthy[root..].windows(3).position(|three| three == b"aaa").unwrap();
    let mut bytes = healthy;
    (bytes[one + 3], bytes[at + 3]) = (bytes[at + 3], bytes[one + 3]);
    assert_eq!(odd(&bytes), Damage::Disagree);
}
