//! What a file claims to hold costs no more than what it holds.

use std::time::{Duration, Instant};

use super::random::Random;
use super::saved::save;
use super::stores::{begin, insert, open};

/// A checksum of a log as SQLite computes it, with the numbers in the order of little-endian machines.
fn sums([mut s0, mut s1]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| u32::from_le_bytes(pair[at..at + 4].try_into().unwrap());
        s0 = s0.wrapping_add(word(0)).wrapping_add(s1);
        s1 = s1.wrapping_add(word(4)).wrapping_add(s0);
    }
    [s0, s1]
}

/// A log of one frame, which commits a page of zeros.
fn log(page: u32, pages: u32) -> Vec<u8> {
    let be = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    let mut out = be(&[0x377f_0682, 3_007_000, 4096, 0, 7, 8]);
    let header = sums([0, 0], &out);
    out.extend(be(&header));
    let frame = be(&[page, pages]);
    let content = [0; 4096];
    let carried = sums(sums(header, &frame), &content);
    out.extend([frame, be(&[7, 8]), be(&carried), content.to_vec()].concat());
    out
}

#[test]
fn a_log_that_claims_millions_of_pages_costs_no_more_than_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    begin(&path);
    let connection = open(&path);
    connection.execute_batch("PRAGMA journal_mode=delete; PRAGMA foreign_keys=OFF").unwrap();
    for number in 1..=40 {
        insert(&connection, &mut Random(number as u64), number);
    }
    drop(connection);
    let bytes = std::fs::read(&path).unwrap();
    for log in [log(500, 8_000_000), log(8_000_000, 8_000_000), log(8_000_000, u32::MAX)] {
        let begun = Instant::now();
        let saved = save(&bytes, Some(&log));
        assert_eq!(saved.of_vms().given, 40);
        // Gigabytes of pages would take minutes.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
