//! Logs made by hand, frame by frame, and logs of arbitrary bytes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sqlite_format::bytes::read_u32_or_zero;
use sqlite_format::wal::{FRAME_HEADER_LEN, MAGIC, VERSION, checksum};
use tempfile::TempDir;

use super::*;

const PAGE: u32 = 512;

/// A log as a writer of this machine makes it.
#[derive(Clone)]
struct Log {
    bytes: Vec<u8>,
    sum: [u32; 2],
    big_endian: bool,
}

impl Log {
    fn new(page_size: u32) -> Self {
        Self::begun_with(MAGIC, VERSION, page_size)
    }

    /// A log with a header of which the checksum is right, whatever else is.
    fn begun_with(magic: u32, version: u32, page_size: u32) -> Self {
        let mut bytes = Vec::new();
        for number in [magic, version, page_size, 0, 7, 8] {
            bytes.extend(number.to_be_bytes());
        }
        let big_endian = magic == MAGIC + 1;
        let sum = checksum(big_endian, [0, 0], &bytes);
        for half in sum {
            bytes.extend(half.to_be_bytes());
        }
        Self { bytes, sum, big_endian }
    }

    /// Appends a frame; `commit` is the database's size in pages where it ends a transaction, otherwise 0.
    fn frame(mut self, page: u32, commit: u32) -> Self {
        let page_size = read_u32_or_zero(&self.bytes, 8) as usize;
        let mut frame = Vec::with_capacity(FRAME_HEADER_LEN + page_size);
        for number in [page, commit, 7, 8, 0, 0] {
            frame.extend(number.to_be_bytes());
        }
        frame.resize(FRAME_HEADER_LEN + page_size, page.to_le_bytes()[0]);
        let head = checksum(self.big_endian, self.sum, &frame[..8]);
        self.sum = checksum(self.big_endian, head, &frame[FRAME_HEADER_LEN..]);
        frame[16..20].copy_from_slice(&self.sum[0].to_be_bytes());
        frame[20..24].copy_from_slice(&self.sum[1].to_be_bytes());
        self.bytes.extend(frame);
        self
    }

    /// Changes a byte of a frame's page, counted from 0, after its checksum was computed.
    fn damage(self, frame: usize) -> Self {
        self.flip(frame, FRAME_HEADER_LEN)
    }

    /// Makes a frame, counted from 0, one of another generation: its checksum does not go over the salts.
    fn of_another_generation(self, frame: usize) -> Self {
        self.flip(frame, 8)
    }

    fn flip(mut self, frame: usize, at: usize) -> Self {
        self.bytes[HEADER_LEN + frame * (FRAME_HEADER_LEN + PAGE as usize) + at] ^= 1;
        self
    }

    /// Appends the frames of another log from this one on, as they are.
    fn then(mut self, other: &Self, frame: usize) -> Self {
        let at = HEADER_LEN + frame * (FRAME_HEADER_LEN + PAGE as usize);
        self.bytes.extend(&other.bytes[at..]);
        self
    }

    fn scan(&self, file_pages: u64) -> WalScan {
        scan_bytes(&self.bytes, file_pages).unwrap().unwrap()
    }
}

/// Scans a log with these bytes; `None` where they do not begin as one.
fn scan_bytes(bytes: &[u8], file_pages: u64) -> Option<Result<WalScan>> {
    scan_with_index(bytes, Vec::new(), file_pages)
}

/// Judges the log beside a `-shm` that begins with `index`.
fn scan_with_index(bytes: &[u8], index: Vec<u8>, file_pages: u64) -> Option<Result<WalScan>> {
    let header = WalHeader::parse(bytes).ok()??;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db-wal");
    std::fs::write(&path, bytes).unwrap();
    let (wal, shm) = (sidecar(path, Vec::new()), sidecar(PathBuf::new(), index));
    Some(scan(&wal, &shm, &header, file_pages, &Stop::never()))
}

/// A sidecar that began with these bytes when it was probed.
fn sidecar(path: PathBuf, head: Vec<u8>) -> Sidecar {
    Sidecar {
        path,
        stamp: None,
        head,
        unreadable: None,
    }
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

/// Commits that stand; the first frame that does not fit; commits and frames that are lost behind it.
fn lost(log: &Log) -> (u64, Option<u64>, u64, u64) {
    let scan = log.scan(9);
    (scan.commits, scan.damaged_at, scan.commits_beyond, scan.frames_beyond)
}

#[test]
fn of_the_frames_behind_damage_those_that_end_a_transaction_are_commits() {
    let log = Log::new(PAGE).frame(2, 2).frame(3, 0).frame(4, 0).frame(5, 5).frame(6, 0);
    assert_eq!(lost(&log), (2, None, 0, 0));
    assert_eq!(lost(&log.damage(1)), (1, Some(2), 1, 3));
    // A transaction that was never committed is no loss.
    let begun = Log::new(PAGE).frame(2, 2).frame(3, 0).frame(4, 0).damage(1);
    assert_eq!(lost(&begun), (1, None, 0, 0));
}

#[test]
fn a_frame_of_page_0_ends_what_sqlite_reads_and_is_no_commit() {
    let log = Log::new(PAGE).frame(2, 2).frame(0, 3).frame(4, 4);
    assert_eq!(lost(&log), (1, Some(2), 1, 1));
    let behind = Log::new(PAGE).frame(2, 2).frame(3, 3).frame(0, 4);
    assert_eq!(lost(&behind.damage(1)), (1, None, 0, 0));
}

#[test]
fn behind_a_frame_that_does_not_fit_nothing_stands_that_follows_from_those_before_it() {
    let first = Log::new(PAGE).frame(2, 2);
    let log = first.clone().frame(3, 3);
    // Something else lies between the two.
    let between = Log::new(PAGE).frame(5, 5).frame(6, 6);
    let split = first.clone().then(&between, 1).then(&log, 1);
    assert_eq!(lost(&split), (1, None, 0, 0));
    let older = first.then(&between.of_another_generation(1), 1).then(&log, 1);
    assert_eq!(lost(&older), (1, None, 0, 0));
}

#[test]
fn a_frame_of_another_generation_does_not_fit_though_its_checksum_does() {
    let log = Log::new(PAGE).frame(2, 2).frame(3, 3).frame(4, 4);
    assert_eq!(lost(&log.clone().of_another_generation(1)), (1, Some(2), 1, 1));
    assert_eq!(lost(&log.of_another_generation(2)), (2, None, 0, 0));
}

#[test]
fn a_log_of_a_machine_of_the_other_byte_order_is_read() {
    let log = Log::begun_with(MAGIC + 1, VERSION, PAGE).frame(2, 2).frame(3, 3).frame(4, 4);
    assert_eq!(lost(&log), (3, None, 0, 0));
    assert_eq!(lost(&log.damage(1)), (1, Some(2), 1, 1));
}

/// One copy of an index's header, with its checksum: `change` comes before that.
fn index_header(frames: u32, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = vec![0; 48];
    bytes[..4].copy_from_slice(&VERSION.to_ne_bytes());
    bytes[12] = 1;
    bytes[16..20].copy_from_slice(&frames.to_ne_bytes());
    bytes[32..36].copy_from_slice(&7_u32.to_be_bytes());
    bytes[36..40].copy_from_slice(&8_u32.to_be_bytes());
    change(&mut bytes);
    let sum = checksum(cfg!(target_endian = "big"), [0, 0], &bytes[..40]);
    for (at, half) in [40, 44].into_iter().zip(sum) {
        bytes[at..at + 4].copy_from_slice(&half.to_ne_bytes());
    }
    bytes
}

#[test]
fn frames_that_only_a_whole_index_of_this_generation_counts_are_missing() {
    let log = Log::new(PAGE).frame(2, 2).frame(3, 3).frame(4, 0);
    let missing = |index: Vec<u8>| scan_with_index(&log.bytes, index, 9).unwrap().unwrap().frames_missing;
    let whole = |frames| index_header(frames, |_| ()).repeat(2);
    assert_eq!([0, 1, 2, 3, 5].map(|frames| missing(whole(frames))), [0, 0, 0, 1, 3]);
    let changed = |change: &dyn Fn(&mut [u8])| index_header(5, change).repeat(2);
    let cases = [
        ("none", Vec::new()),
        ("one copy alone", index_header(5, |_| ())),
        ("two that differ", [index_header(5, |_| ()), index_header(4, |_| ())].concat()),
        ("not made ready", changed(&|bytes| bytes[12] = 0)),
        ("of another version", changed(&|bytes| bytes[0] ^= 1)),
        ("of another generation", changed(&|bytes| bytes[39] ^= 1)),
        ("of the generation before", changed(&|bytes| bytes[35] ^= 1)),
        ("written half", {
            let mut half = index_header(5, |_| ());
            half[24] ^= 1;
            half.repeat(2)
        }),
    ];
    for (what, index) in cases {
        assert_eq!(missing(index), 0, "{what}");
    }
}

#[test]
fn a_log_that_was_begun_anew_is_of_another_generation() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db-wal");
    let log = Log::new(PAGE).frame(2, 2);
    let then = sidecar(path.clone(), log.bytes[..HEADER_LEN].to_vec());
    assert!(!same_generation(&then), "it is not there");
    for (bytes, same) in [
        (&log.bytes[..], true),
        (&log.clone().frame(3, 3).bytes, true),
        (&log.bytes[..HEADER_LEN], true),
        (&log.bytes[..HEADER_LEN - 1], false),
        (&Log::new(2 * PAGE).frame(2, 2).bytes, false),
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(same_generation(&then), same, "{} bytes", bytes.len());
    }
    assert!(!same_generation(&sidecar(path, Vec::new())), "it was empty then");
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
    let lock_page = lock_byte_page(LARGEST);
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
}
