//! A hot rollback journal: the pages as they were before the transaction that was never finished, laid over the file.
//!
//! Each record carries a checksum of its own, so that a damaged one costs its page and no other.
//!
//! Source: "The Rollback Journal", <https://www.sqlite.org/fileformat2.html#the_rollback_journal>, and `pager.c`.

use std::collections::{BTreeMap, BTreeSet};

use super::ended::{Ended, Result};
use super::view::MOST_PAGES;
use crate::limits::stop::Stop;
use sqlite_format::source::{Overlay, ReadAt};

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What a journal gives.
#[derive(Debug, Default)]
pub struct Before {
    /// The page size.
    pub page_size: usize,
    /// Each page's number, and the offset of its content.
    pub pages: BTreeMap<u32, u64>,
    /// How many pages the database had.
    pub size: u32,
    /// Records that are damaged.
    pub damaged: u64,
    /// Pages of which only the content of the unfinished transaction is there.
    pub behind: BTreeSet<u32>,
    /// Whether a header is damaged, or records that it counts are not there: then nobody knows which pages are not put back.
    pub is_cut: bool,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

/// A record's checksum: the nonce and every 200th byte, counted from the page's end.
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let places = std::iter::successors(page.len().checked_sub(200), |at| at.checked_sub(200)).take_while(|at| *at > 0);
    let bytes = places.filter_map(|at| page.get(at));
    bytes.fold(nonce, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}

/// The part of a header that all segments of a journal share: the database's size, the sector size, the page size.
fn of_all_segments(head: &[u8; 28]) -> [u32; 3] {
    [word(head, 16), word(head, 20), word(head, 24)]
}

/// A segment's header.
#[derive(Clone, Copy)]
struct Segment {
    records: u32,
    nonce: u32,
    size: u32,
    sector: u64,
    page_size: usize,
}

impl Segment {
    /// What a header says, where it is one. `own`: the page size of the store, where that is known.
    fn read(head: &[u8; 28], own: Option<usize>) -> Option<Self> {
        let segment = Self::believed(head, u64::from(word(head, 20)), word(head, 24) as usize);
        let is_one = head.starts_with(&MAGIC) && segment.is_plausible();
        (is_one && own.is_none_or(|own| own == segment.page_size)).then_some(segment)
    }

    fn believed(head: &[u8; 28], sector: u64, page_size: usize) -> Self {
        Self {
            records: word(head, 8),
            nonce: word(head, 12),
            size: word(head, 16),
            sector,
            page_size,
        }
    }

    fn is_plausible(&self) -> bool {
        let page_sizes = 512..=65_536;
        self.page_size.is_power_of_two()
            && page_sizes.contains(&self.page_size)
            && self.sector.is_power_of_two()
            && (32..=65_536).contains(&self.sector)
    }

    /// What a damaged header may have said: with the store's own page size, and a sector size behind which a record verifies.
    fn guess(journal: &dyn ReadAt, head: &[u8; 28], at: u64, own: Option<usize>) -> Option<Self> {
        let page_size = own.unwrap_or(word(head, 24) as usize);
        let mut segments = (5..=16).map(|power| Self::believed(head, 1 << power, page_size));
        segments.find(|segment| segment.is_plausible() && segment.leads_to_a_record(journal, at))
    }

    /// Whether its first record verifies.
    fn leads_to_a_record(&self, journal: &dyn ReadAt, at: u64) -> bool {
        let mut record = vec![0; self.page_size + 8];
        journal.read_exact_at(&mut record, at + self.sector).is_ok() && self.verifies(&record)
    }

    /// Whether a record is whole.
    fn verifies(&self, record: &[u8]) -> bool {
        let content = record.get(4..4 + self.page_size).unwrap_or_default();
        (1..=MOST_PAGES).contains(&word(record, 0)) && checksum(self.nonce, content) == word(record, 4 + self.page_size)
    }
}

/// Reads a hot journal. `own`: the page size of the store, where that is known.
///
/// # Errors
/// When it is time to stop.
pub fn before(journal: &dyn ReadAt, own: Option<usize>, stop: &Stop) -> Result<Before> {
    let length = journal.size()?;
    let mut out = Before {
        is_cut: length < 28,
        ..Before::default()
    };
    let mut at = 0;
    let mut head = [0; 28];
    let mut first: Option<([u32; 3], usize)> = None;
    while at + 28 <= length && journal.read_exact_at(&mut head, at).is_ok() {
        stop.check()?;
        let page_size = first.map(|(_, page_size)| page_size).or(own);
        let read = Segment::read(&head, page_size).filter(|segment| {
            // Where its records begin elsewhere than it says, it is damaged.
            segment.records == 0
                || segment.leads_to_a_record(journal, at)
                || Segment::guess(journal, &head, at, page_size).is_none()
        });
        let segment = read.or_else(|| {
            // What an older journal left has a zero in its first byte, or another database's size.
            let is_of_this = first.is_none_or(|(shared, _)| head[0] != 0 && shared == of_all_segments(&head));
            out.is_cut |= is_of_this;
            is_of_this.then(|| Segment::guess(journal, &head, at, page_size)).flatten()
        });
        let Some(segment) = segment else { break };
        if first.is_none() {
            first = Some((of_all_segments(&head), segment.page_size));
            (out.size, out.page_size) = (segment.size, segment.page_size);
        }
        at += segment.sector;
        let record_len = segment.page_size as u64 + 8;
        let records = out.records(journal, segment, at, length.saturating_sub(at) / record_len, stop)?;
        at = (at + records * record_len).next_multiple_of(segment.sector);
    }
    Ok(out)
}

impl Before {
    /// Whether it puts anything back.
    pub fn has_pages(&self) -> bool {
        self.size > 0 && !self.pages.is_empty()
    }

    /// Takes a segment's records, of which so many fit into the file; says how many there are.
    fn records(&mut self, journal: &dyn ReadAt, segment: Segment, at: u64, fit: u64, stop: &Stop) -> Result<u64> {
        let record_len = segment.page_size as u64 + 8;
        // 0xffffffff: as many as there are, where the journal is never synced.
        let counted = if segment.records == u32::MAX {
            fit
        } else {
            u64::from(segment.records)
        };
        self.is_cut |= counted > fit;
        let records = counted.min(fit);
        let mut record = vec![0; segment.page_size + 8];
        for number in 0..records {
            if number.is_multiple_of(64) {
                stop.check()?;
            }
            let place = at + number * record_len;
            let is_whole = journal.read_exact_at(&mut record, place).is_ok() && segment.verifies(&record);
            let page = word(&record, 0);
            if !is_whole {
                self.damaged += 1;
                if (1..=self.size).contains(&page) && page <= MOST_PAGES && !self.pages.contains_key(&page) {
                    self.behind.insert(page);
                }
            } else if page <= self.size {
                self.pages.entry(page).or_insert(place + 4);
            }
            if self.pages.len() > Overlay::MOST_PAGES {
                return Err(Ended::TooMuch("the journal holds more pages than are kept account of"));
            }
        }
        Ok(records)
    }
}
