//! Write-ahead logs made by hand: what makes a header or a frame invalid.

use proptest::prelude::*;
use sqlite_format::header::is_page_size;
use sqlite_format::interrupt::Never;
use sqlite_format::wal::{
    Committed, FRAME_HEADER_LEN, FrameFault, Frames, HEADER_LEN, MAGIC, VERSION, WalHeader, WalHeaderFault, checksum,
    has_no_frame,
};

const PAGE: u32 = 512;
const FRAME: usize = FRAME_HEADER_LEN + PAGE as usize;

/// A log of frames, each of a page and the database's size in pages where it ends a transaction.
fn log(magic: u32, version: u32, page_size: u32, frames: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [magic, version, page_size, 0, 7, 8] {
        bytes.extend(number.to_be_bytes());
    }
    let is_big_endian = magic & 1 == 1;
    let mut sum = checksum(is_big_endian, [0, 0], &bytes);
    bytes.extend(sum.iter().flat_map(|half| half.to_be_bytes()));
    for (page, commit) in frames {
        let head = [page.to_be_bytes(), commit.to_be_bytes()].concat();
        let content = vec![page.to_le_bytes()[0]; page_size as usize];
        sum = checksum(is_big_endian, checksum(is_big_endian, sum, &head), &content);
        bytes.extend(head);
        for number in [7, 8, sum[0], sum[1]] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(content);
    }
    bytes
}

fn faults(bytes: &Vec<u8>) -> Vec<Option<FrameFault>> {
    let header = WalHeader::parse(bytes).unwrap().unwrap();
    Frames::new(bytes, &header).unwrap().map(|frame| frame.unwrap().fault).collect()
}

#[test]
fn a_header_is_refused_for_what_is_wrong_with_it() {
    let fault = |bytes: Vec<u8>| WalHeader::parse(&bytes).unwrap_err();
    assert_eq!(fault(log(MAGIC + 2, VERSION, PAGE, &[])), WalHeaderFault::Magic);
    assert_eq!(fault(log(MAGIC, VERSION + 1, PAGE, &[])), WalHeaderFault::Version(VERSION + 1));
    assert_eq!(fault(log(MAGIC, VERSION, 513, &[])), WalHeaderFault::PageSize(513));
    let mut bytes = log(MAGIC, VERSION, PAGE, &[]);
    bytes[HEADER_LEN - 1] ^= 1;
    assert_eq!(fault(bytes), WalHeaderFault::Checksum);
    assert_eq!(WalHeader::parse(&log(MAGIC, VERSION, PAGE, &[])[..HEADER_LEN - 1]), Ok(None));
}

#[test]
fn damage_to_a_frame_makes_no_other_invalid() {
    let whole = log(MAGIC, VERSION, PAGE, &[(2, 0), (3, 3), (4, 4), (5, 5)]);
    assert_eq!(faults(&whole), [None; 4]);
    let damaged = |at: usize| {
        let mut bytes = whole.clone();
        bytes[HEADER_LEN + FRAME + at] ^= 1;
        faults(&bytes)
    };
    assert_eq!(damaged(FRAME_HEADER_LEN), [None, Some(FrameFault::Checksum), None, None]);
    assert_eq!(damaged(8), [None, Some(FrameFault::Salts), None, None]);
    // The next frame goes on from the sums that are computed over this one.
    assert_eq!(damaged(16), [None, Some(FrameFault::Checksum), None, None]);
    assert_eq!(damaged(23), [None, Some(FrameFault::Checksum), None, None]);
    // Of two damaged frames, each may have its content or its checksum damaged.
    for (second, third) in [(16, 16), (16, 400), (400, 16), (400, 400)] {
        let mut bytes = whole.clone();
        bytes[HEADER_LEN + FRAME + second] ^= 1;
        bytes[HEADER_LEN + 2 * FRAME + third] ^= 1;
        let both = Some(FrameFault::Checksum);
        assert_eq!(faults(&bytes), [None, both, both, None], "{second} {third}");
    }
    let no_page = log(MAGIC, VERSION, PAGE, &[(2, 2), (0, 3), (4, 4)]);
    assert_eq!(faults(&no_page), [None, Some(FrameFault::PageNumber), None]);
}

#[test]
fn a_frame_tells_where_its_page_lies_and_what_it_commits() {
    let mut bytes = log(MAGIC + 1, VERSION, 1024, &[(9, 0), (3, 12)]);
    bytes.extend([1; 700]);
    let header = WalHeader::parse(&bytes).unwrap().unwrap();
    let frames: Vec<_> = Frames::new(&bytes, &header).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        frames.iter().map(|frame| (frame.number, frame.page, frame.commit)).collect::<Vec<_>>(),
        [(1, 9, None), (2, 3, Some(12))]
    );
    assert!(
        frames
            .iter()
            .all(|frame| bytes[usize::try_from(frame.page_at).unwrap()] == frame.page.to_le_bytes()[0])
    );
}

#[test]
fn the_committed_frames_end_before_the_first_that_is_invalid() {
    let mut bytes = log(MAGIC, VERSION, PAGE, &[(2, 2), (3, 0), (4, 4), (5, 5)]);
    let header = WalHeader::parse(&bytes).unwrap().unwrap();
    let read = |bytes: &Vec<u8>, most| Committed::read(bytes, &header, most, &Never).unwrap();
    let pages = |committed: &Committed| committed.frames.iter().map(|(page, _)| *page).collect::<Vec<_>>();
    let all = read(&bytes, 4).unwrap();
    assert_eq!((all.pages, pages(&all)), (5, vec![2, 3, 4, 5]));
    assert_eq!(read(&bytes, 3), None);
    bytes[HEADER_LEN + 2 * FRAME + FRAME_HEADER_LEN] ^= 1;
    let some = read(&bytes, 4).unwrap();
    assert_eq!((some.pages, pages(&some)), (2, vec![2]));
    assert!(Committed::read(&bytes, &header, 4, &|| true).is_err());
}

#[test]
fn a_damaged_header_leaves_all_frames_but_the_first_verified() {
    let mut bytes = log(MAGIC, VERSION, PAGE, &[(2, 2), (3, 3), (4, 4)]);
    bytes[17] ^= 0xff;
    assert_eq!(WalHeader::parse(&bytes), Err(WalHeaderFault::Checksum));
    let header = WalHeader::read_damaged(&bytes).unwrap();
    let faults: Vec<_> = Frames::new(&bytes, &header).unwrap().map(|frame| frame.unwrap().fault).collect();
    assert_eq!(faults, [Some(FrameFault::Checksum), None, None]);
}

#[test]
fn a_log_too_short_for_a_frame_or_of_zeros_holds_none() {
    let empty = log(MAGIC, VERSION, PAGE, &[]);
    let one = log(MAGIC, VERSION, PAGE, &[(2, 2)]);
    let zeros = [&empty[..16], &vec![0; 300_000]].concat();
    for (bytes, of, expected) in [
        (empty.clone(), PAGE, true),
        (one[..one.len() - 1].to_vec(), PAGE, true),
        (one.clone(), PAGE, false),
        (one, 1024, true),
        (zeros.clone(), PAGE, true),
        ([zeros, vec![1]].concat(), PAGE, false),
        (b"some other text".to_vec(), PAGE, false),
    ] {
        assert_eq!(has_no_frame(&bytes, of).unwrap(), expected, "{} bytes", bytes.len());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_header_or_one_of_a_valid_page_size(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(Some(header)) = WalHeader::parse(&bytes) {
            prop_assert!(is_page_size(header.page_size));
        }
    }
}
