//! The write-ahead log, read by ourselves: SQLite stops at the first frame that does not fit, and does not say so.
//!
//! Source: "The Write-Ahead Log" in SQLite's Database File Format,
//! <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>, and "WAL-mode File Format",
//! <https://www.sqlite.org/walformat.html>, for the wal-index.

mod committed;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

pub(crate) use committed::{Committed, committed};

use super::Sidecar;
use super::header::{be32, is_page_size, lock_page};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;

/// The length of the log's header, in bytes.
pub(crate) const HEADER_LEN: usize = 32;

/// The length of a frame's header, in bytes; a page follows it.
const FRAME_HEADER_LEN: usize = 24;

/// What a log begins with; the lowest bit says that checksums read numbers as big-endian.
pub(crate) const MAGIC: u32 = 0x377f_0682;

/// The only format version there is.
const VERSION: u32 = 3_007_000;

/// The log's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WalHeader {
    /// The page size in bytes.
    pub page_size: u32,
    /// The two salts: each frame of this generation carries them.
    pub salts: [u32; 2],
    big_endian: bool,
    checksum: [u32; 2],
}

/// What is wrong with a log's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It does not begin like a WAL.
    Magic,
    /// Its format version is another.
    Version(u32),
    /// Its page size is not one that SQLite has.
    PageSize(u32),
    /// Its checksum is wrong.
    Checksum,
}

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WalScan {
    /// Commits that SQLite reads.
    pub commits: u64,
    /// Frames up to the last commit that SQLite reads.
    pub committed_frames: u64,
    /// The database's size in pages after the last commit; 0 without one.
    pub pages: u32,
    /// Whether the committed frames hold every page of the database past `file_pages`.
    pub holds_the_rest: bool,
    /// The first frame (counted from 1) whose checksum or salts are wrong, if commits of the same generation follow it.
    pub damaged_at: Option<u64>,
    /// Commits after the damaged frame, which SQLite ignores.
    pub commits_beyond: u64,
    /// Frames of the same generation after the damaged one.
    pub frames_beyond: u64,
    /// Frames that the wal-index counts as committed and that are not in the log.
    pub frames_missing: u64,
}

impl WalHeader {
    /// Reads and checks the header. `Ok(None)` where the log is too short to hold one: it is empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(head: &[u8]) -> Result<Option<Self>, HeaderFault> {
        let Some(bytes) = head.get(..HEADER_LEN) else {
            return Ok(None);
        };
        let magic = be32(bytes, 0);
        if magic & !1 != MAGIC {
            return Err(HeaderFault::Magic);
        }
        let header = Self {
            page_size: be32(bytes, 8),
            salts: [be32(bytes, 16), be32(bytes, 20)],
            big_endian: magic & 1 == 1,
            checksum: [be32(bytes, 24), be32(bytes, 28)],
        };
        if checksum(header.big_endian, [0, 0], &bytes[..24]) != header.checksum {
            return Err(HeaderFault::Checksum);
        }
        if be32(bytes, 4) != VERSION {
            return Err(HeaderFault::Version(be32(bytes, 4)));
        }
        if !is_page_size(header.page_size) {
            return Err(HeaderFault::PageSize(header.page_size));
        }
        Ok(Some(header))
    }
}

/// The log's running checksum over bytes whose length is a multiple of 8.
fn checksum(big_endian: bool, seed: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let [mut s0, mut s1] = seed;
    let number = if big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    for pair in bytes.chunks_exact(8) {
        let (a, b) = pair.split_at(4);
        let word = |four: &[u8]| four.try_into().map_or(0, number);
        s0 = s0.wrapping_add(word(a)).wrapping_add(s1);
        s1 = s1.wrapping_add(word(b)).wrapping_add(s0);
    }
    [s0, s1]
}

/// One frame as it stands in the log.
struct Frame {
    page: u32,
    /// The database's size in pages where this frame ends a transaction, otherwise 0.
    commit: u32,
    salts: [u32; 2],
    stored: [u32; 2],
}

impl Frame {
    fn of(bytes: &[u8]) -> Self {
        Self {
            page: be32(bytes, 0),
            commit: be32(bytes, 4),
            salts: [be32(bytes, 8), be32(bytes, 12)],
            stored: [be32(bytes, 16), be32(bytes, 20)],
        }
    }
}

/// The checksum that a frame ought to carry, after one that carries `seed`.
fn frame_checksum(header: &WalHeader, seed: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let seed = checksum(header.big_endian, seed, &bytes[..8]);
    checksum(header.big_endian, seed, &bytes[FRAME_HEADER_LEN..])
}

/// Reads a whole log: the commits that SQLite reads, and those after a damaged frame.
///
/// SQLite stops at the first frame whose checksum or salts are wrong. That is normal after a crash: after it there may be frames of
/// an older generation (other salts), or of a transaction that was never committed. But a commit frame of the same generation whose
/// checksum follows from that of the frame before it was committed once, and is lost.
///
/// `file_pages` is the database file's length in whole pages.
///
/// # Errors
/// Where the log cannot be read, or the time is up.
pub(crate) fn scan(wal: &Sidecar, shm: &Sidecar, header: &WalHeader, file_pages: u64, stop: &Stop) -> Result<WalScan> {
    let io = |error| Error::io("read", &wal.path)(error);
    let file = super::open_plain(&wal.path).map_err(io)?;
    let mut scan = WalScan::default();
    let mut beyond = PagesBeyond::new(file_pages, header.page_size);
    let mut good = header.checksum; // the running checksum of the valid frames
    let mut before = header.checksum; // the checksum that the frame before carries, right or wrong
    let mut damaged = None;
    let mut number = 0;
    for_each_frame(&file, header.page_size, stop, &mut |bytes| {
        number += 1;
        let frame = Frame::of(bytes);
        if frame.salts == header.salts {
            if damaged.is_none() && frame.page != 0 && frame_checksum(header, good, bytes) == frame.stored {
                good = frame.stored;
                beyond.see(frame.page);
                if frame.commit != 0 {
                    scan.commits += 1;
                    scan.committed_frames = number;
                    scan.pages = frame.commit;
                    scan.holds_the_rest = beyond.all_up_to(frame.commit);
                }
            } else {
                let first = *damaged.get_or_insert(number);
                if number > first && frame.page != 0 && frame_checksum(header, before, bytes) == frame.stored {
                    scan.frames_beyond += 1;
                    scan.commits_beyond += u64::from(frame.commit != 0);
                }
            }
        } else {
            damaged.get_or_insert(number);
        }
        before = frame.stored;
    })
    .map_err(|why| match why {
        Ended::Io(error) => io(error),
        Ended::Stopped(why) => Error::Stopped(why),
    })?;
    if scan.commits_beyond > 0 {
        scan.damaged_at = damaged;
    } else {
        scan.frames_beyond = 0;
    }
    if let Some(plural) = frames_in_index(&shm.head, header) {
        scan.frames_missing = u64::from(plural).saturating_sub(scan.committed_frames);
    }
    Ok(scan)
}

enum Ended {
    Io(io::Error),
    Stopped(crate::limits::stop::Stopped),
}

/// Hands out each whole frame; a frame cut at the end of the file is not one.
fn for_each_frame(file: &File, page_size: u32, stop: &Stop, each: &mut dyn FnMut(&[u8])) -> Result<(), Ended> {
    let mut frame = vec![0; FRAME_HEADER_LEN + page_size as usize];
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut skipped = [0; HEADER_LEN];
    reader.read_exact(&mut skipped).map_err(Ended::Io)?;
    loop {
        match reader.read_exact(&mut frame) {
            Ok(()) => each(&frame),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(Ended::Io(error)),
        }
        stop.check().map_err(Ended::Stopped)?;
    }
}

/// How many frames the wal-index counts as committed, where the index is whole and of this generation.
///
/// The index begins with two copies of its header, 48 bytes each, in the machine's own byte order.
fn frames_in_index(shm: &[u8], header: &WalHeader) -> Option<u32> {
    let (first, second) = (shm.get(..48)?, shm.get(48..96)?);
    let number = |at: usize| first.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let sum = checksum(cfg!(target_endian = "big"), [0, 0], &first[..40]);
    let initialised = first[12] == 1;
    // The index holds the salts in the same byte order as the log.
    let salts = [be32(first, 32), be32(first, 36)];
    let whole = first == second
        && initialised
        && number(0) == Some(VERSION)
        && [number(40), number(44)] == [Some(sum[0]), Some(sum[1])]
        && salts == header.salts;
    if whole { number(16) } else { None }
}

/// Which pages past the end of the database file the log holds.
struct PagesBeyond {
    file_pages: u64,
    /// The page that no log holds.
    lock_page: u64,
    /// A bit for each page past the file's end.
    seen: Vec<u64>,
    /// Every page up to this one is in the file or in the log. It only moves forward, so that to ask after each commit
    /// costs no more than one look at each page.
    whole_up_to: u64,
}

impl PagesBeyond {
    /// How many pages are remembered. If a database grew by more in one log, the rest is taken to be there.
    const MOST: u64 = 1 << 24;

    fn new(file_pages: u64, page_size: u32) -> Self {
        Self {
            file_pages,
            lock_page: lock_page(page_size),
            seen: Vec::new(),
            whole_up_to: file_pages,
        }
    }

    fn see(&mut self, page: u32) {
        let Some(past) = u64::from(page).checked_sub(self.file_pages + 1) else {
            return;
        };
        if past < Self::MOST {
            let word = (past / 64) as usize;
            if self.seen.len() <= word {
                self.seen.resize(word + 1, 0);
            }
            self.seen[word] |= 1 << (past % 64);
        }
    }

    /// Whether a page past the file's end is there, or is the one that need not be.
    fn has(&self, page: u64) -> bool {
        let past = page - self.file_pages - 1;
        let bit = |word: &u64| word >> (past % 64) & 1 == 1;
        page == self.lock_page || self.seen.get((past / 64) as usize).is_some_and(bit)
    }

    fn all_up_to(&mut self, pages: u32) -> bool {
        let last = u64::from(pages).min(self.file_pages + Self::MOST);
        while self.whole_up_to < last && self.has(self.whole_up_to + 1) {
            self.whole_up_to += 1;
        }
        self.whole_up_to >= last
    }
}

/// Makes the checksums of a log right, its header's and those of the first `frames` frames, whatever they hold: for fuzzing,
/// which would not come past the first frame otherwise.
pub(crate) fn mend_checksums(log: &mut [u8], frames: usize) {
    if log.len() < HEADER_LEN {
        return;
    }
    log[..4].copy_from_slice(&MAGIC.to_be_bytes());
    log[4..8].copy_from_slice(&VERSION.to_be_bytes());
    log[8..12].copy_from_slice(&512_u32.to_be_bytes());
    let put = |bytes: &mut [u8], sums: [u32; 2]| {
        bytes[..4].copy_from_slice(&sums[0].to_be_bytes());
        bytes[4..8].copy_from_slice(&sums[1].to_be_bytes());
    };
    let mut sums = checksum(false, [0, 0], &log[..24]);
    put(&mut log[24..32], sums);
    let (header, rest) = log.split_at_mut(HEADER_LEN);
    for frame in rest.chunks_exact_mut(FRAME_HEADER_LEN + 512).take(frames) {
        frame[8..16].copy_from_slice(&header[16..24]);
        sums = checksum(false, checksum(false, sums, &frame[..8]), &frame[FRAME_HEADER_LEN..]);
        put(&mut frame[16..24], sums);
    }
}

/// Whether the log still begins with the same bytes: it was not restarted.
pub(crate) fn same_generation(wal: &Sidecar) -> bool {
    let mut now = [0; HEADER_LEN];
    let Some(then) = wal.head.get(..now.len()) else {
        return false;
    };
    super::open_plain(&wal.path).is_ok_and(|file| file.read_exact_at(&mut now, 0).is_ok()) && now == then
}

#[cfg(test)]
mod tests;
