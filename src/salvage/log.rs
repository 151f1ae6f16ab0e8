//! The pages that a write-ahead log gives a salvage: damage to one frame costs that frame, and not all commits behind it.

use std::collections::{BTreeMap, BTreeSet};

use super::view::MOST_PAGES;
use super::{Result, SalvageError};
use crate::limits::stop::Stop;
use sqlite_format::source::{Overlay, ReadAt};
use sqlite_format::wal::{self, HEADER_LEN, WalHeader};

/// The pages of a log.
#[derive(Debug, Default)]
pub struct LogPages {
    /// The page size.
    pub page_size: usize,
    /// Each page's number, and the offset of its newest committed content.
    pub pages: BTreeMap<u32, u64>,
    /// The number of pages of the database after the last commit.
    pub size: Option<u32>,
    /// Frames that are damaged, up to the last commit.
    pub damaged: u64,
    /// Pages whose newest frame is damaged, so that an older state of them counts.
    pub stale: BTreeSet<u32>,
}

/// Returns true if bytes are a log at all: fewer than its header are an empty one, cut off when it was begun.
pub fn is_log(log: &dyn ReadAt) -> bool {
    WalHeader::read_damaged(log).is_some() || log.size().is_ok_and(|size| size < HEADER_LEN as u64)
}

/// Returns true if a log was torn before its first frame, so that no commit is lost with it. `own` is the page size of the
/// store, if known.
pub fn was_torn(log: &dyn ReadAt, own: Option<usize>) -> bool {
    let mut head = [0; HEADER_LEN];
    let is_damaged = log.read_exact_at(&mut head, 0).is_ok() && WalHeader::parse(&head).is_err();
    let own = own.and_then(|own| u32::try_from(own).ok());
    is_damaged && own.is_some_and(|own| wal::has_no_frame(log, own).unwrap_or(false))
}

/// Reads a log; `None` when it is none, or holds no commit and no damage. `own` is the page size of the store, if known.
///
/// # Errors
/// Fails if it is time to stop.
pub fn read_log(log: &dyn ReadAt, own: Option<usize>, stop: &Stop) -> Result<Option<LogPages>> {
    let Some(header) = WalHeader::read_damaged(log) else {
        return Ok(None);
    };
    let mut out = read_frames(log, &header, stop)?;
    if header.checksum.is_none() {
        // What is damaged of the header may be the byte order or the page size.
        let own = own.and_then(|own| u32::try_from(own).ok());
        for (is_big_endian, page_size) in [(true, header.page_size), (false, header.page_size)]
            .into_iter()
            .chain(own.into_iter().flat_map(|own| [(true, own), (false, own)]))
        {
            if out.pages.is_empty() {
                let other = WalHeader {
                    page_size,
                    is_big_endian,
                    ..header
                };
                let by_other = read_frames(log, &other, stop)?;
                out = if by_other.pages.is_empty() { out } else { by_other };
            }
        }
        out.damaged = out.damaged.max(1);
    }
    Ok((!out.pages.is_empty() || out.damaged > 0).then_some(out))
}

/// Returns true if the end of a page was never written, as after a crash in the middle of a write: its last sector is zero. A page of
/// a database is filled from its end.
fn was_torn_page(log: &dyn ReadAt, page_at: u64, page_size: usize) -> bool {
    let mut sector = [0; 512];
    let at = page_at + page_size.saturating_sub(sector.len()) as u64;
    log.read_exact_at(&mut sector, at).is_ok() && sector.iter().all(|byte| *byte == 0)
}

/// Reads the frames by what the header says.
fn read_frames(log: &dyn ReadAt, header: &WalHeader, stop: &Stop) -> Result<LogPages> {
    let mut out = LogPages {
        page_size: header.page_size as usize,
        ..LogPages::default()
    };
    // What a commit will take over: a damaged frame has no offset.
    let mut pending: BTreeMap<u32, Option<u64>> = BTreeMap::new();
    let mut damaged = 0;
    let mut zeroed = 0;
    // The largest page of commits whose last frame is damaged, since one whose is not.
    let mut largest = 0;
    for (place, frame) in (0_u64..).zip(wal::Frames::new(log, header)?) {
        if place.is_multiple_of(8) {
            stop.check()?;
        }
        let Ok(frame) = frame else {
            // Bytes that cannot be read are as good as zeros.
            zeroed += 1;
            damaged += 1;
            continue;
        };
        let page = frame.page;
        zeroed += u64::from(page == 0);
        let ours = frame.is_of_this_generation();
        let whole = frame.is_valid() && page <= MOST_PAGES;
        if whole {
            pending.insert(page, Some(frame.page_at));
        } else {
            damaged += 1;
            if ours && page != 0 && page <= MOST_PAGES {
                pending.insert(page, None);
            }
        }
        if pending.len() + out.pages.len() > Overlay::MOST_PAGES {
            return Err(SalvageError::LimitExceeded("the log holds more pages than are kept account of"));
        }
        // Where the frame that ends a transaction is damaged, its number of pages is not believed; that it ends one is. If it was not
        // written to its end, the transaction was never committed, unless a later one was.
        let ends = frame.commit.filter(|_| ours);
        if let Some(commit) = ends.filter(|_| whole || !was_torn_page(log, frame.page_at, out.page_size)) {
            for (page, offset) in std::mem::take(&mut pending) {
                match offset {
                    Some(offset) => {
                        out.stale.remove(&page);
                        largest = largest.max(page);
                        out.pages.insert(page, offset);
                    }
                    None => {
                        out.stale.insert(page);
                    }
                }
            }
            out.damaged = damaged;
            if whole {
                out.size = Some(commit);
                largest = 0;
            }
        }
    }
    out.size = out.size.map(|size| size.max(largest));
    // Frames of an older generation are all that a log may hold that was begun anew; none of them has no page.
    if out.pages.is_empty() && out.damaged == 0 {
        out.damaged = zeroed;
    }
    Ok(out)
}
