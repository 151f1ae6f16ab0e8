//! The commits of a write-ahead log: those that SQLite reads, and those that it ignores because a frame before them is damaged.
//! SQLite stops at the first invalid frame and does not say so.

use std::os::unix::fs::FileExt;

use sqlite_format::header::lock_byte_page;
use sqlite_format::wal::{Frames, HEADER_LEN, WalHeader, WalIndexHeader};

use super::Sidecar;
use super::whose_log::FirstPage;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;

/// The content of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WalScan {
    /// Commits that SQLite reads.
    pub commits: u64,
    /// Frames up to the last commit that SQLite reads.
    pub committed_frames: u64,
    /// The database's size in pages after the last commit; 0 without one.
    pub pages: u32,
    /// True if the committed frames hold every page of the database past `file_pages`.
    pub holds_the_rest: bool,
    /// The first frame (counted from 1) whose checksum or salts are wrong, if commits of the same generation follow it.
    pub damaged_at: Option<u64>,
    /// Commits after the damaged frame, which SQLite ignores.
    pub commits_beyond: u64,
    /// Frames of the same generation after the damaged one.
    pub frames_beyond: u64,
    /// Frames that the wal-index counts as committed and that are not in the log.
    pub frames_missing: u64,
    /// The numbers of the pages in the frames that SQLite reads, ascending, each once; `None` when there are too many to be kept.
    pub page_numbers: Option<Vec<u32>>,
    /// The first page as the last of these frames has it, when one of them holds it.
    pub first_page: Option<FirstPage>,
}

/// The most frames whose page numbers are kept.
const MOST_NUMBERS: usize = 1 << 22;

/// Reads a whole log: the commits that SQLite reads, and those after a damaged frame.
///
/// SQLite stops at the first frame whose checksum or salts are wrong. That is normal after a crash: after it there may be frames of
/// an older generation (other salts), or of a transaction that was never committed. But a commit frame of the same generation whose
/// checksum follows from that of the frame before it was committed once, and is lost.
///
/// `file_pages` is the database file's length in whole pages.
///
/// # Errors
/// Fails if the log cannot be read, or at the time limit.
pub(crate) fn scan(wal: &Sidecar, shm: &Sidecar, header: &WalHeader, file_pages: u64, stop: &Stop) -> Result<WalScan> {
    let io = |error| Error::io("read", &wal.path)(error);
    let file = super::open_plain(&wal.path).map_err(io)?;
    let mut scan = WalScan::default();
    let mut beyond = PagesBeyond::new(file_pages, header.page_size);
    let mut damaged_at = None;
    let (mut numbers, mut committed) = (Vec::new(), 0);
    let (mut first_page_at, mut committed_first_page_at) = (None, None);
    for frame in Frames::new(&file, header).map_err(io)? {
        let frame = match frame {
            Ok(frame) => frame,
            // The log was restarted and cut off while it was read.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(io(error)),
        };
        match (frame.is_valid(), damaged_at) {
            (true, None) => {
                beyond.see(frame.page);
                if numbers.len() <= MOST_NUMBERS {
                    numbers.push(frame.page);
                }
                if frame.page == 1 {
                    first_page_at = Some(frame.page_at);
                }
                if let Some(pages) = frame.commit {
                    scan.commits += 1;
                    scan.committed_frames = frame.number;
                    scan.pages = pages;
                    scan.holds_the_rest = beyond.all_up_to(pages);
                    committed = numbers.len();
                    committed_first_page_at = first_page_at;
                }
            }
            (true, Some(_)) => {
                scan.frames_beyond += 1;
                scan.commits_beyond += u64::from(frame.commit.is_some());
            }
            (false, first) => damaged_at = first.or(Some(frame.number)),
        }
        stop.check()?;
    }
    numbers.truncate(committed);
    scan.page_numbers = (numbers.len() <= MOST_NUMBERS).then(|| {
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    });
    let mut bytes = [0; 100];
    scan.first_page = committed_first_page_at
        .filter(|at| file.read_exact_at(&mut bytes, *at).is_ok())
        .and_then(|_| FirstPage::parse(&bytes));
    if scan.commits_beyond > 0 {
        scan.damaged_at = damaged_at;
    } else {
        scan.frames_beyond = 0;
    }
    if let Some(index) = WalIndexHeader::parse(&shm.head).filter(|index| index.salts == header.salts) {
        scan.frames_missing = u64::from(index.frames).saturating_sub(scan.committed_frames);
    }
    Ok(scan)
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
    /// The maximum number of pages that are remembered. If a database grew by more in one log, the rest is taken to be there.
    const MOST: u64 = 1 << 24;

    fn new(file_pages: u64, page_size: u32) -> Self {
        Self {
            file_pages,
            lock_page: lock_byte_page(page_size).into(),
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

    /// Returns true if a page past the file's end is there, or is the one that need not be.
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

/// Returns true if the log still begins with the same bytes: it was not restarted.
pub(crate) fn same_generation(wal: &Sidecar) -> bool {
    let mut now = [0; HEADER_LEN];
    let Some(then) = wal.head.get(..now.len()) else {
        return false;
    };
    super::open_plain(&wal.path).is_ok_and(|file| file.read_exact_at(&mut now, 0).is_ok()) && now == then
}

#[cfg(test)]
mod tests;
