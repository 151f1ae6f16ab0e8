//! Journals made by hand, and journals of arbitrary bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sqlite_format::journal::MAGIC;
use tempfile::TempDir;

use super::*;

/// A segment's header, as long as its sector.
fn segment(records: u32, sector: u32, page_size: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in [records, 99, 9, sector, page_size] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.resize(bytes.len().max(sector as usize), 0);
    bytes
}

/// The header of a segment whose nonce is that of `segment`.
const NONCE: SegmentHeader = SegmentHeader {
    records: 0,
    nonce: 99,
    database_pages: 9,
    sector_size: 0,
    page_size: 0,
};

/// A record of this page, filled with one byte.
fn record(page: u32, page_size: u32, fill: u8) -> Vec<u8> {
    let content = vec![fill; page_size as usize];
    let mut bytes = page.to_be_bytes().to_vec();
    let sum = NONCE.checksum(&content);
    bytes.extend(content);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn scan_file(path: &Path, page_size: u32, stop: &Stop) -> Result<JournalScan> {
    let journal = Sidecar {
        path: path.to_path_buf(),
        stamp: None,
        head: Vec::new(),
        unreadable: None,
    };
    scan(&journal, page_size, stop)
}

fn scan_bytes(bytes: &[u8], page_size: u32, stop: &Stop) -> Result<JournalScan> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db-journal");
    std::fs::write(&path, bytes).unwrap();
    scan_file(&path, page_size, stop)
}

#[test]
fn a_journal_of_two_segments_is_read_to_its_end() {
    let mut bytes = [segment(1, 512, 512), record(2, 512, 7)].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend([segment(2, 512, 512), record(3, 512, 8), record(4, 512, 9)].concat());
    let scan = scan_bytes(&bytes, 512, &Stop::never()).unwrap();
    assert_eq!((scan.pages, scan.fault), (3, None));
}

#[test]
fn a_journal_that_is_never_synced_ends_with_its_last_record_whatever_an_older_one_left_behind_it() {
    let scan = |parts: &[Vec<u8>]| scan_bytes(&parts.concat(), 512, &Stop::never()).unwrap();
    let (begin, good) = (segment(SegmentHeader::NEVER_SYNCED, 512, 512), |page| record(page, 512, 7));
    let mut old = good(4);
    // One of the bytes that are added up.
    old[316] ^= 1;
    let two = JournalScan {
        pages: 2,
        page_size: 512,
        size: StatedSize {
            header: 9,
            greatest: 3,
            ..StatedSize::default()
        },
        ..JournalScan::default()
    };
    assert_eq!(scan(&[begin.clone(), good(2), good(3)]), two);
    assert_eq!(scan(&[begin.clone(), good(2), good(3), old.clone(), old.clone()]), two);
    assert_eq!(scan(&[begin.clone(), good(2), good(3), vec![0; 520]]), two);
    // Behind its last record stands no header of its own.
    let left = [segment(1, 512, 512), old.clone()].concat();
    assert_eq!(scan(&[begin.clone(), good(2), good(3), vec![0; 496], left]), two);
    // A record of its own behind one that does not fit was written later.
    let scan = scan(&[begin, good(2), old, good(5)]);
    assert_eq!(scan.pages, 1);
    assert_eq!(scan.fault.as_deref(), Some("the checksum of record 2 of 3 is wrong"));
}

#[test]
fn what_no_journal_of_sqlites_holds_is_damage() {
    let fault = |parts: &[Vec<u8>]| scan_bytes(&parts.concat(), 512, &Stop::never()).unwrap().fault.unwrap_or_default();
    let good = |page| record(page, 512, 7);
    let padded = |records: u32| [segment(records, 512, 512), good(2), good(3), vec![0; 496]].concat();
    assert_eq!(
        fault(&[segment(2, 512, 512), good(2), good(10)]),
        "record 2 of 2 is of page 10, and the store had 9 pages when the transaction began"
    );
    assert_eq!(
        fault(&[segment(SegmentHeader::NEVER_SYNCED, 512, 512), good(10)]),
        "record 1 of 1 is of page 10, and the store had 9 pages when the transaction began"
    );
    assert_eq!(fault(&[padded(2), segment(1, 512, 512), good(3)]), "it holds page 3 twice");
    let second = [segment(1, 512, 512), good(4)].concat();
    assert_eq!(fault(&[padded(2), second.clone()]), "");
    assert_eq!(
        fault(&[padded(0), second.clone()]),
        "the header at byte 0 counts 0 records, and 2 more lie before the next header"
    );
    assert_eq!(
        fault(&[padded(1), second]),
        "the header at byte 0 counts 1 record, and 1 more lies before the next header"
    );
    // These were written after the last sync, and need not be put back.
    assert_eq!(fault(&[padded(0)]), "");
}

#[test]
fn a_count_of_a_journal_that_is_never_synced_before_a_further_header_is_damage() {
    let good = |page| record(page, 512, 7);
    let scan = |pages: &[u32]| {
        let padded = [
            segment(SegmentHeader::NEVER_SYNCED, 512, 512),
            good(2),
            good(3),
            vec![0; 496],
        ]
        .concat();
        let records: Vec<u8> = pages.iter().flat_map(|page| good(*page)).collect();
        let count = u32::try_from(pages.len()).unwrap();
        let bytes = [padded, segment(count, 512, 512), records].concat();
        scan_bytes(&bytes, 512, &Stop::never()).unwrap()
    };
    let damaged = scan(&[4, 5]);
    assert_eq!(damaged.pages, 2);
    assert_eq!(
        damaged.fault.as_deref(),
        Some(
            "the header at byte 0 counts no records, as that of a journal that was never synced, and behind its 2 records lies a further header, which such a journal does not have and SQLite does not read"
        )
    );
    // No journal holds a page twice: the header is an older journal's.
    assert_eq!(scan(&[4, 3]).fault, None);
    assert_eq!(scan(&[]).fault, None);
}

#[test]
fn a_header_is_held_against_all_else_that_states_the_size() {
    let stated = |header, next_header, first_page, greatest, beyond| StatedSize {
        header,
        next_header,
        first_page,
        greatest,
        beyond,
    };
    for (size, file, file_pages, contradicted) in [
        // All agree; a file that is longer than its first page says; a VACUUM that was ended behind its cut.
        (stated(9, Some(9), Some(9), 9, 0), Some(9), 9, None),
        (stated(12, Some(12), Some(9), 9, 0), Some(9), 12, None),
        (stated(90, Some(90), Some(90), 90, 0), Some(9), 9, None),
        // The transaction has made the file longer.
        (stated(9, None, None, 4, 0), Some(9), 20, None),
        (stated(9, None, Some(9), 12, 1), Some(20), 20, None),
        (stated(3, None, Some(9), 2, 0), Some(9), 9, Some(9)),
        (stated(3, Some(9), None, 2, 0), Some(9), 9, Some(9)),
        (stated(3, None, None, 8, 4), Some(9), 9, Some(9)),
        (stated(0, None, None, 8, 4), Some(9), 9, Some(9)),
        // Nothing tells.
        (stated(3, None, None, 8, 4), None, 9, None),
        (stated(3, None, None, 80, 1), Some(9), 9, None),
        (stated(3000, Some(9), None, 8, 0), Some(9), 9, Some(9)),
    ] {
        assert_eq!(size.contradiction(file, file_pages), contradicted, "{size:?}");
    }
}

#[test]
fn a_page_size_that_no_store_has_is_said_and_divides_nothing() {
    for page_size in [0, 1, 100, 513, 131_072] {
        let bytes = [segment(1, 512, page_size), record(2, 512, 7)].concat();
        let scan = scan_bytes(&bytes, page_size, &Stop::never()).unwrap();
        let fault = scan.fault.unwrap();
        assert!(fault.contains(&format!("a page size of {page_size} bytes")), "{fault}");
    }
}

#[test]
fn segments_without_records_are_read_no_longer_than_there_is_time() {
    let bytes = segment(0, 32, 512).repeat(1000);
    assert_eq!(scan_bytes(&bytes, 512, &Stop::never()).unwrap().fault, None);
    let no_time = Stop::after(Duration::ZERO, Arc::default());
    let ended = scan_bytes(&bytes, 512, &no_time);
    assert!(matches!(ended, Err(Error::Stopped(_))), "{ended:?}");
}

proptest! {
    #[test]
    fn a_journal_of_arbitrary_bytes_ends(
        bytes in proptest::collection::vec(any::<u8>(), 0..4000),
        page_size in any::<u32>(),
    ) {
        scan_bytes(&bytes, page_size, &Stop::never()).unwrap();
    }

    #[test]
    fn hostile_headers_put_back_no_more_pages_than_the_journal_has_room_for(
        segments in proptest::collection::vec((any::<u32>(), 0u32..18, any::<u32>(), any::<bool>(), any::<bool>()), 1..40),
        page_size in prop_oneof![Just(0u32), Just(512), Just(1024), Just(65_536), any::<u32>()],
        cut in any::<usize>(),
    ) {
        let mut bytes = Vec::new();
        for (records, sector, own_page_size, fits, id_list) in segments {
            let records = if id_list { records % 3 } else { records };
            bytes.extend(segment(records, (1 << sector).min(4096), if fits { page_size } else { own_page_size }));
            if id_list && is_page_size(page_size) && page_size < 4096 {
                (0..records).for_each(|n| bytes.extend(record(n + 2, page_size, 1)));
            }
        }
        bytes.truncate(cut % (bytes.len() + 1));
        let scan = scan_bytes(&bytes, page_size, &Stop::never()).unwrap();
        prop_assert!(scan.pages * u64::from(page_size) <= bytes.len() as u64);
    }
}
