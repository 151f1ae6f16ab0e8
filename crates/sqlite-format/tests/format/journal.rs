//! Rollback journals made by hand: what makes a record invalid, and which super-journal is named.

use proptest::prelude::*;
use sqlite_format::journal::{HEADER_LEN, MAGIC, RecordFault, SegmentHeader, read_super_journal};

/// The longest name of a super-journal, in bytes.
const LONGEST_NAME: usize = 512;

const SEGMENT: SegmentHeader = SegmentHeader {
    records: 3,
    nonce: 99,
    database_pages: 5,
    sector_size: 512,
    page_size: 512,
};

/// A segment's header as long as its sector, and the records of these pages.
fn journal(pages: &[u32]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let numbers = [
        SEGMENT.records,
        SEGMENT.nonce,
        SEGMENT.database_pages,
        SEGMENT.sector_size,
        SEGMENT.page_size,
    ];
    bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    bytes.resize(512, 0);
    for page in pages {
        let content = [page.to_le_bytes()[0]; 512];
        bytes.extend(page.to_be_bytes());
        bytes.extend(content);
        bytes.extend(SEGMENT.checksum(&content).to_be_bytes());
    }
    bytes
}

#[test]
fn a_segment_is_read_and_damage_to_a_record_makes_no_other_invalid() {
    let lock_byte_page = 0x4000_0000 / 512 + 1;
    let mut bytes = journal(&[2, 0, lock_byte_page, 4]);
    assert_eq!(SegmentHeader::parse(&bytes), Some(SEGMENT));
    assert_eq!(SegmentHeader::parse(&bytes[..HEADER_LEN - 1]), None);
    let length = bytes.len() as u64;
    assert_eq!((SEGMENT.records_that_fit(0, length), SEGMENT.next_at(0, 4)), (4, 3072));
    let faults = |bytes: &Vec<u8>| SEGMENT.records(bytes, 0, 4).map(|record| record.unwrap().fault).collect::<Vec<_>>();
    let (page, lock) = (Some(RecordFault::PageNumber), Some(RecordFault::LockBytePage));
    assert_eq!(faults(&bytes), [None, page, lock, None]);
    // One of the bytes that are added up.
    bytes[512 + 4 + 312] ^= 1;
    assert_eq!(faults(&bytes), [Some(RecordFault::Checksum), page, lock, None]);
    // Records that are cut off are errors, each for itself.
    bytes.truncate(512 + 520 + 7);
    let read: Vec<_> = SEGMENT.records(&bytes, 0, 3).map(|record| record.is_ok()).collect();
    assert_eq!(read, [true, false, false]);
}

#[test]
fn a_record_of_a_page_that_the_database_did_not_have_is_not_valid() {
    let bytes = journal(&[5, 6, 1]);
    let faults: Vec<_> = SEGMENT.records(&bytes, 0, 3).map(|record| record.unwrap().fault).collect();
    assert_eq!(faults, [None, Some(RecordFault::PageBeyond), None]);
}

#[test]
fn records_beyond_the_count_are_damage_only_before_another_header() {
    let first = journal(&[1, 2, 3]);
    let counting = |records: u32, rest: &[u8]| {
        let segment = SegmentHeader { records, ..SEGMENT };
        let mut bytes = first.clone();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(rest);
        segment.uncounted_records(&bytes, 0, bytes.len() as u64).unwrap()
    };
    let next = journal(&[4]);
    assert_eq!(counting(0, &next), 3);
    assert_eq!(counting(2, &next), 1);
    assert_eq!(counting(3, &next), 0);
    assert_eq!(counting(0, &[]), 0);
    // What follows is an older journal's, of a database of another size.
    let mut older = next.clone();
    older[19] ^= 1;
    assert_eq!(counting(0, &older), 0);
    // A journal that is never synced has one header; a further one is an older journal's, if its records may be.
    assert_eq!(counting(SegmentHeader::NEVER_SYNCED, &next), 3);
    assert_eq!(counting(SegmentHeader::NEVER_SYNCED, &journal(&[3])), 0);
    assert_eq!(counting(SegmentHeader::NEVER_SYNCED, &journal(&[])), 0);
}

#[test]
fn a_header_of_zeros_divides_nothing() {
    let zeros = SegmentHeader::read_fields(&[0; HEADER_LEN]);
    assert!(!zeros.has_valid_page_size() && !zeros.has_valid_sector_size());
    assert_eq!((zeros.records_that_fit(8, 24), zeros.next_at(8, 2)), (2, 24));
}

#[test]
fn to_sqlite_the_name_of_a_super_journal_ends_at_its_first_zero() {
    let named = |name: &[u8]| {
        let mut bytes = vec![1; 40];
        bytes.extend(name);
        bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.iter().map(|byte| u32::from(*byte)).sum::<u32>().to_be_bytes());
        bytes.extend(MAGIC);
        read_super_journal(&bytes).unwrap()
    };
    // The record begins with the number of the page at the lock byte, before the name.
    assert_eq!(named(b"/mj"), Some((b"/mj".to_vec(), 36)));
    assert_eq!(named(b"/mj\0left"), Some((b"/mj".to_vec(), 36)));
    assert_eq!(named(b"\0/mj"), None);
}

proptest! {
    #[test]
    fn the_end_of_any_file_names_a_super_journal_within_it_or_none(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        name_len in any::<u32>(),
        short in any::<bool>(),
    ) {
        let mut bytes = bytes;
        let name_len = if short { name_len % 600 } else { name_len };
        let from = bytes.len().saturating_sub(name_len as usize);
        let sum = bytes[from..].iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        bytes.extend(name_len.to_be_bytes());
        bytes.extend(sum.to_be_bytes());
        bytes.extend(MAGIC);
        if let Some((name, at)) = read_super_journal(&bytes).unwrap() {
            prop_assert!(at < bytes.len() as u64 && name.len() <= LONGEST_NAME);
        }
    }
}
