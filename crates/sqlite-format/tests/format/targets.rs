//! The bodies of the fuzz targets `header`, `wal` and `journal`, here and in `fuzz/`: each takes any bytes, asserts what must be true of
//! every input, and neither panics nor loops.

use sqlite_format::bytes::read_u32;
use sqlite_format::header::{Header, HeaderFault, HeaderFields};
use sqlite_format::interrupt::Never;
use sqlite_format::journal::{HEADER_LEN as SEGMENT_LEN, SegmentHeader, read_super_journal};
use sqlite_format::wal::{
    Committed, FRAME_HEADER_LEN, Frames, HEADER_LEN, WalHeader, WalIndexHeader, rewrite_checksums,
};

/// The header of a database: its fields are those of the file, its faults are found, and a sound one can be opened.
pub fn header(bytes: &[u8]) {
    let Some(header) = HeaderFields::parse(bytes) else {
        return;
    };
    assert_eq!(Some(header.pages), read_u32(bytes, 28), "the page count is the number at offset 28");
    let faults = header.faults();
    let is_page_size_named = faults.iter().any(|fault| matches!(fault, HeaderFault::PageSize(_)));
    assert_eq!(
        is_page_size_named,
        !header.has_valid_page_size(),
        "an impossible page size is named: {faults:?}"
    );
    let opened = bytes.first_chunk().map(Header::parse);
    assert!(
        !faults.is_empty() || matches!(opened, Some(Ok(_))),
        "a header without faults is read: {header:?}"
    );
}

/// A write-ahead log. Its first byte chooses whether the checksums are made right first, so that more than the first frame is ever
/// valid.
pub fn write_ahead_log(bytes: &[u8]) {
    let Some((choice, log)) = bytes.split_first() else {
        return;
    };
    let mut log = log.to_vec();
    if choice & 1 == 1 {
        rewrite_checksums(&mut log, usize::from(choice >> 1));
    }
    WalIndexHeader::parse(&log);
    let headers = [WalHeader::parse(&log).ok().flatten(), WalHeader::read_damaged(&log)];
    for header in headers.iter().flatten() {
        let room = (log.len() - HEADER_LEN) / (header.page_size as usize + FRAME_HEADER_LEN);
        let frames: Vec<_> = Frames::new(&log, header).into_iter().flatten().collect();
        assert_eq!(frames.len(), room, "each whole frame is handed out once");
        let frames: Vec<_> = frames.into_iter().flatten().collect();
        assert_eq!(frames.len(), room, "each frame in memory can be read");
        let valid = frames.iter().take_while(|frame| frame.is_valid()).count();
        let committed = frames.iter().take(valid).rposition(|frame| frame.commit.is_some()).map_or(0, |at| at + 1);
        let read = Committed::read(&log, header, room, &Never).ok().flatten();
        assert_eq!(
            read.map(|read| read.frames.len()),
            Some(committed),
            "the commits are those before the first fault"
        );
    }
}

/// A rollback journal; its first byte is the logarithm of the page size.
pub fn rollback_journal(bytes: &[u8]) {
    let Some((size, journal)) = bytes.split_first() else {
        return;
    };
    let (journal, length) = (journal.to_vec(), journal.len() as u64);
    let mut at = 0;
    while let Some(head) = usize::try_from(at).ok().and_then(|at| journal.get(at..)?.first_chunk::<SEGMENT_LEN>()) {
        let segment = SegmentHeader {
            page_size: 512_u32 << (size % 8),
            ..SegmentHeader::read_fields(head)
        };
        if SegmentHeader::parse(head).is_none() || !segment.has_valid_sector_size() {
            break;
        }
        let count = u64::from(segment.records).min(segment.records_that_fit(at, length));
        let records: Vec<_> = segment.records(&journal, at, count).collect();
        assert!(records.iter().all(Result::is_ok), "each record that fits can be read");
        assert_eq!(records.len() as u64, count, "each record is handed out once");
        let next = segment.next_at(at, count);
        assert!(next > at, "segments follow one another");
        at = next;
    }
    if let Ok(Some((name, begins))) = read_super_journal(&journal) {
        assert!(begins < length && !name.is_empty(), "a super-journal's name lies in the file");
    }
}
