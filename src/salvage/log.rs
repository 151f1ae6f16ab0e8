//! The write-ahead log, frame by frame: damage to one frame costs that frame, and not all commits behind it.
//!
//! Each frame stores the running checksum up to and with itself. So a frame behind a damaged one is whole where its checksum
//! goes on from the sums that the frame before it stores, whatever became of that frame's content.
//!
//! Source: "The Write-Ahead Log", <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::{BTreeMap, BTreeSet};

use super::ended::{Ended, Result};
use super::view::MOST_PAGES;
use crate::limits::stop::Stop;
use sqlite_format::source::{Overlay, ReadAt};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What a log gives.
#[derive(Debug, Default)]
pub struct Frames {
    /// The page size.
    pub page_size: usize,
    /// Each page's number, and the offset of its newest committed content.
    pub pages: BTreeMap<u32, u64>,
    /// How many pages the database has after the last commit.
    pub size: Option<u32>,
    /// Frames that are damaged, up to the last commit.
    pub damaged: u64,
    /// Pages whose newest frame is damaged, so that an older state of them counts.
    pub behind: BTreeSet<u32>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

fn sums(big_endian: bool, [mut s0, mut s1]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let number = if big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    for pair in bytes.chunks_exact(8) {
        let (a, b) = pair.split_at(4);
        let value = |four: &[u8]| four.try_into().map_or(0, number);
        s0 = s0.wrapping_add(value(a)).wrapping_add(s1);
        s1 = s1.wrapping_add(value(b)).wrapping_add(s0);
    }
    [s0, s1]
}

/// The checksum that a frame ought to carry, after one that carries `before`.
fn frame_sums(big_endian: bool, before: [u32; 2], frame: &[u8]) -> [u32; 2] {
    let first = sums(big_endian, before, frame.get(..8).unwrap_or_default());
    sums(big_endian, first, frame.get(FRAME_HEADER..).unwrap_or_default())
}

/// The header, as far as it is needed.
#[derive(Clone, Copy)]
struct Head {
    page_size: usize,
    salts: [u32; 2],
    big_endian: bool,
    /// The sums with which the first frame's go on; none where the header is damaged, and that frame cannot be verified.
    sums: Option<[u32; 2]>,
}

impl Head {
    /// The header; where its checksum does not fit, what can be believed of it: each frame is verified by itself anyway.
    fn read(log: &dyn ReadAt) -> Option<Self> {
        let mut bytes = [0; HEADER];
        log.read_exact_at(&mut bytes, 0).ok()?;
        let magic = word(&bytes, 0);
        let page_size = word(&bytes, 8) as usize;
        let plausible = magic & !1 == 0x377f_0682 && page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        let big_endian = magic & 1 == 1;
        let stored = [word(&bytes, 24), word(&bytes, 28)];
        let whole = sums(big_endian, [0, 0], bytes.get(..24).unwrap_or_default()) == stored;
        let mut salts = [word(&bytes, 16), word(&bytes, 20)];
        if !whole {
            // Each frame of this generation carries them too.
            let mut frame = [0; FRAME_HEADER];
            log.read_exact_at(&mut frame, HEADER as u64).ok()?;
            salts = [word(&frame, 8), word(&frame, 12)];
        }
        plausible.then_some(Self {
            page_size,
            salts,
            big_endian,
            sums: whole.then_some(stored),
        })
    }
}

/// Whether bytes are a log at all: fewer than its header are an empty one, cut off when it was begun.
pub fn is_one(log: &dyn ReadAt) -> bool {
    Head::read(log).is_some() || log.size().is_ok_and(|size| size < HEADER as u64)
}

/// Reads a log; `None` where it is none, or holds no commit and no damage. `own`: the page size of the store, where that is known.
///
/// # Errors
/// When it is time to stop.
pub fn frames(log: &dyn ReadAt, own: Option<usize>, stop: &Stop) -> Result<Option<Frames>> {
    let Some(head) = Head::read(log) else {
        return Ok(None);
    };
    let mut out = frames_by(log, head, stop)?;
    if head.sums.is_none() {
        // What is damaged of the header may be the byte order or the page size.
        for (big_endian, page_size) in [(true, head.page_size), (false, head.page_size)]
            .into_iter()
            .chain(own.into_iter().flat_map(|own| [(true, own), (false, own)]))
        {
            if out.pages.is_empty() {
                let other = Head {
                    page_size,
                    big_endian,
                    ..head
                };
                let by_other = frames_by(log, other, stop)?;
                out = if by_other.pages.is_empty() { out } else { by_other };
            }
        }
        out.damaged = out.damaged.max(1);
    }
    Ok((!out.pages.is_empty() || out.damaged > 0).then_some(out))
}

/// Reads the frames by what the header says.
fn frames_by(log: &dyn ReadAt, head: Head, stop: &Stop) -> Result<Frames> {
    let size = log.size()?;
    let frame_len = FRAME_HEADER + head.page_size;
    let mut out = Frames {
        page_size: head.page_size,
        ..Frames::default()
    };
    let mut bytes = vec![0; frame_len];
    // What a commit will take over: a damaged frame has no offset.
    let mut pending: BTreeMap<u32, Option<u64>> = BTreeMap::new();
    let mut damaged = 0;
    let mut zeroed = 0;
    let mut before = head.sums;
    // The largest page of commits whose last frame is damaged, since one whose is not.
    let mut largest = 0;
    let mut at = HEADER as u64;
    while at + frame_len as u64 <= size {
        if at.is_multiple_of(64) {
            stop.check()?;
        }
        if log.read_exact_at(&mut bytes, at).is_err() {
            bytes.fill(0);
        }
        let (page, commit) = (word(&bytes, 0), word(&bytes, 4));
        let stored = [word(&bytes, 16), word(&bytes, 20)];
        zeroed += u64::from(page == 0);
        let ours = [word(&bytes, 8), word(&bytes, 12)] == head.salts;
        let whole = ours
            && page != 0
            && page <= MOST_PAGES
            && before.is_some_and(|before| frame_sums(head.big_endian, before, &bytes) == stored);
        if whole {
            pending.insert(page, Some(at + FRAME_HEADER as u64));
        } else {
            damaged += 1;
            if ours && page != 0 && page <= MOST_PAGES {
                pending.insert(page, None);
            }
        }
        if pending.len() + out.pages.len() > Overlay::MOST_PAGES {
            return Err(Ended::TooMuch("the log holds more pages than are kept account of"));
        }
        // Where the frame that ends a transaction is damaged, its number of pages is not believed; that it ends one is.
        if commit != 0 && ours {
            for (page, offset) in std::mem::take(&mut pending) {
                match offset {
                    Some(offset) => {
                        out.behind.remove(&page);
                        largest = largest.max(page);
                        out.pages.insert(page, offset);
                    }
                    None => {
                        out.behind.insert(page);
                    }
                }
            }
            out.damaged = damaged;
            if whole {
                out.size = Some(commit);
                largest = 0;
            }
        }
        before = Some(stored);
        at += frame_len as u64;
    }
    out.size = out.size.map(|size| size.max(largest));
    // Frames of an older generation are all that a log may hold that was begun anew; none of them has no page.
    if out.pages.is_empty() && out.damaged == 0 {
        out.damaged = zeroed;
    }
    Ok(out)
}
