//! Logs made by hand, frame by frame, and logs of arbitrary bytes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const PAGE: u32 = 512;

/// A log as a writer of this machine makes it.
struct Log {
    bytes: Vec<u8>,
    sum: [u32; 2],
}

impl Log {
    fn new(page_size: u32) -> Self {
        let mut bytes = Vec::new();
        for number in [MAGIC, VERSION, page_size, 0, 7, 8] {
            bytes.extend(number.to_be_bytes());
        }
        let sum = checksum(false, [0, 0], &bytes);
        for half in sum {
            bytes.extend(half.to_be_bytes());
        }
        Self { bytes, sum }
    }

    /// Appends a frame; `commit` is the database's size in pages where it ends a transaction, otherwise 0.
    fn frame(mut self, page: u32, commit: u32) -> Self {
        let page_size = be32(&self.bytes, 8) as usize;
        let mut frame = Vec::with_capacity(FRAME_HEADER_LEN + page_size);
        for number in [page, commit, 7, 8, 0, 0] {
            frame.extend(number.to_be_bytes());
        }
        frame.resize(FRAME_HEADER_LEN + page_size, page.to_le_bytes()[0]);
        self.sum = checksum(false, checksum(false, self.sum, &frame[..8]), &frame[FRAME_HEADER_LEN..]);
        frame[16..20].copy_from_slice(&self.sum[0].to_be_bytes());
        frame[20..24].copy_from_slice(&self.sum[1].to_be_bytes());
        self.bytes.extend(frame);
        self
    }

    /// Changes a byte of a frame's page, counted from 0, after its checksum was computed.
    fn damage(mut self, frame: usize) -> Self {
        let at = HEADER_LEN + frame * (FRAME_HEADER_LEN + PAGE as usize) + FRAME_HEADER_LEN;
        self.bytes[at] ^= 1;
        self
    }

    fn scan(&self, file_pages: u64) -> WalScan {
        scan_bytes(&self.bytes, file_pages).unwrap().unwrap()
    }
}

/// Scans a log with these bytes; `None` where they do not begin as one.
fn scan_bytes(bytes: &[u8], file_pages: u64) -> Option<Result<WalScan>> {
    let header = WalHeader::parse(bytes).ok()??;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db-wal");
    std::fs::write(&path, bytes).unwrap();
    let sidecar = |path: PathBuf| Sidecar {
        path,
        stamp: None,
        head: Vec::new(),
        unreadable: None,
    };
    Some(scan(&sidecar(path), &sidecar(PathBuf::new()), &header, file_pages, &Stop::never()))
}

#[test]
fn a_commit_mark_behind_damage_counts_only_with_its_checksum() {
    let log = Log::new(PAGE).frame(2, 2).frame(3, 3).frame(4, 4);
    let lost = log.damage(1).scan(4);
    assert_eq!((lost.commits, lost.damaged_at, lost.commits_beyond), (1, Some(2), 1));
    // A crash in the middle of a transaction leaves any number of frames that were not written whole.
    let torn = Log::new(PAGE).frame(2, 2).frame(3, 3).frame(4, 4).damage(1).damage(2).scan(4);
    assert_eq!((torn.commits, torn.damaged_at, torn.commits_beyond, torn.frames_beyond), (1, None, 0, 0));
}

#[test]
fn a_frame_of_no_page_ends_the_log_as_it_does_for_sqlite() {
    let scan = Log::new(PAGE).frame(2, 2).frame(0, 3).frame(3, 3).scan(4);
    assert_eq!((scan.commits, scan.damaged_at, scan.commits_beyond), (1, Some(2), 1));
}

#[test]
fn the_log_holds_the_rest_only_where_it_holds_each_page_past_the_files_end() {
    // Pages come in any order, and not all with the commit that counts them.
    let log = Log::new(PAGE).frame(5, 0).frame(3, 0).frame(4, 5);
    assert!(log.scan(2).holds_the_rest);
    assert!(!log.scan(1).holds_the_rest, "page 2 is nowhere");
    let gap = Log::new(PAGE).frame(3, 3).frame(5, 5);
    assert!(!gap.scan(2).holds_the_rest, "page 4 is nowhere");
    assert!(gap.frame(4, 5).scan(2).holds_the_rest, "it came later");
    // A database that shrank in its log misses nothing.
    assert!(Log::new(PAGE).frame(1, 1).scan(9).holds_the_rest);
}

#[test]
fn the_page_of_sqlites_locks_is_in_no_log_and_is_not_missed() {
    const LARGEST: u32 = 65_536;
    let lock_page = u32::try_from(lock_page(LARGEST)).unwrap();
    assert_eq!(lock_page, 16_385);
    let around = Log::new(LARGEST).frame(lock_page - 1, 0).frame(lock_page + 1, lock_page + 1);
    assert!(around.scan(u64::from(lock_page) - 2).holds_the_rest);
    // Also where it is the first page past the file's end, or the last.
    assert!(
        Log::new(LARGEST)
            .frame(lock_page + 1, lock_page + 1)
            .scan(u64::from(lock_page) - 1)
            .holds_the_rest
    );
    assert!(Log::new(LARGEST).frame(2, lock_page).scan(u64::from(lock_page) - 1).holds_the_rest);
    assert!(!Log::new(LARGEST).frame(2, lock_page + 1).scan(u64::from(lock_page) - 1).holds_the_rest);
}

#[test]
fn to_ask_after_each_commit_takes_one_look_at_each_page() {
    let mut beyond = PagesBeyond::new(1, PAGE);
    let begun = Instant::now();
    for page in 2..60_000 {
        beyond.see(page);
        assert!(beyond.all_up_to(page));
    }
    // A look at all pages for each commit would be two billion looks.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn the_watermark_says_what_a_look_at_every_page_says(
        file_pages in 0u64..70,
        steps in proptest::collection::vec((1u32..200, 0u32..220), 0..120),
    ) {
        let mut beyond = PagesBeyond::new(file_pages, PAGE);
        let mut seen = std::collections::BTreeSet::new();
        for (page, asked) in steps {
            beyond.see(page);
            seen.insert(page);
            let whole = (1..=asked).all(|page| u64::from(page) <= file_pages || seen.contains(&page));
            prop_assert_eq!(beyond.all_up_to(asked), whole);
        }
    }

    #[test]
    fn arbitrary_bytes_behind_a_whole_header_are_scanned_to_their_end(
        tail in proptest::collection::vec(any::<u8>(), 0..3000),
        frames in proptest::collection::vec((any::<u32>(), any::<u32>()), 0..4),
        change in any::<(usize, u8)>(),
        file_pages in any::<u32>(),
    ) {
        let log = frames.iter().fold(Log::new(PAGE), |log, (page, commit)| log.frame(*page, *commit));
        let mut bytes = log.bytes;
        bytes.extend(tail);
        let at = change.0 % bytes.len();
        bytes[at] ^= change.1;
        if let Some(scan) = scan_bytes(&bytes, file_pages.into()) {
            let scan = scan.unwrap();
            let frames = (bytes.len() / (FRAME_HEADER_LEN + PAGE as usize)) as u64;
            prop_assert!(scan.commits <= scan.committed_frames && scan.committed_frames <= frames);
            prop_assert!(scan.committed_frames + scan.frames_beyond <= frames);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_header_or_one_of_a_valid_page_size(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(Some(header)) = WalHeader::parse(&bytes) {
            prop_assert!(is_page_size(header.page_size));
        }
    }
}
