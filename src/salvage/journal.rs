//! The pages that a hot rollback journal gives a salvage: as they were before the transaction that was never finished. Damage to
//! one record costs its page and no other.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::view::MOST_PAGES;
use super::{Result, SalvageError};
use crate::limits::stop::Stop;
use sqlite_format::header::HeaderFields;
use sqlite_format::journal::{HEADER_LEN, Record, RecordFault, SegmentHeader, StatedSize};
use sqlite_format::source::{Overlay, ReadAt};

/// The pages of a journal.
#[derive(Debug, Default)]
pub struct Before {
    /// The page size.
    pub page_size: usize,
    /// Each page's number, and the offset of its content.
    pub pages: BTreeMap<u32, u64>,
    /// The number of pages that the database had.
    pub size: u32,
    /// Records that are damaged.
    pub damaged: u64,
    /// Pages of which only the content of the unfinished transaction is there.
    pub stale: BTreeSet<u32>,
    /// True if a header is damaged, or records that it counts are not there: then it is not known which pages are not put back.
    pub is_cut: bool,
}

/// Reads a segment's header, if it is one. `own` is the page size of the store, if known.
fn read_segment(head: &[u8; HEADER_LEN], own: Option<usize>) -> Option<SegmentHeader> {
    let is_plausible = |segment: &SegmentHeader| {
        let is_own = own.is_none_or(|own| own == segment.page_size as usize);
        segment.has_valid_page_size() && segment.has_valid_sector_size() && is_own
    };
    SegmentHeader::parse(head).filter(is_plausible)
}

/// Guesses a damaged header: with the store's own page size, and a sector size behind which a record verifies.
fn guess_segment(journal: &dyn ReadAt, head: &[u8; HEADER_LEN], at: u64, own: Option<usize>) -> Option<SegmentHeader> {
    let fields = SegmentHeader::read_fields(head);
    let page_size = own.map_or(Some(fields.page_size), |own| u32::try_from(own).ok())?;
    let mut segments = (5..=16).map(|power| SegmentHeader {
        sector_size: 1 << power,
        page_size,
        ..fields
    });
    segments.find(|segment| segment.has_valid_page_size() && leads_to_a_record(journal, segment, at))
}

/// Returns true if the first record of a segment verifies.
fn leads_to_a_record(journal: &dyn ReadAt, segment: &SegmentHeader, at: u64) -> bool {
    let first = segment.records(journal, at, 1).next();
    first.is_some_and(|record| record.is_ok_and(|record| is_whole(&record)))
}

/// Returns true if a record is whole, and its page not beyond the most pages.
fn is_whole(record: &Record) -> bool {
    matches!(record.fault, None | Some(RecordFault::LockBytePage)) && record.page <= MOST_PAGES
}

/// Reads a hot journal. `own` is the page size of the store, if known, and `file` the database file.
///
/// The size of the database in the first header, to which SQLite would cut the file, is believed only where nothing contradicts it.
///
/// # Errors
/// Fails if it is time to stop.
pub fn read_journal(journal: &dyn ReadAt, file: &dyn ReadAt, own: Option<usize>, stop: &Stop) -> Result<Before> {
    let (before, stated) = read_with(journal, own, None, stop)?;
    let mut head = [0; 100];
    let header = file.read_exact_at(&mut head, 0).ok().and_then(|()| HeaderFields::parse(&head));
    let file_pages = file.size()? / (before.page_size as u64).max(1);
    let Some(size) = stated.contradiction(header.and_then(|header| header.vouched_pages()), file_pages) else {
        return Ok(before);
    };
    let (mut before, _) = read_with(journal, own, Some(size), stop)?;
    before.damaged = before.damaged.max(1);
    Ok(before)
}

/// Reads a hot journal, with this size of the database in place of the one in its first header, if given.
fn read_with(journal: &dyn ReadAt, own: Option<usize>, size: Option<u32>, stop: &Stop) -> Result<(Before, StatedSize)> {
    let length = journal.size()?;
    let mut out = Before {
        is_cut: length < HEADER_LEN as u64,
        ..Before::default()
    };
    let mut at = 0;
    let mut head = [0; HEADER_LEN];
    let mut first: Option<([u32; 3], usize)> = None;
    let mut stated = StatedSize::default();
    while at + HEADER_LEN as u64 <= length && journal.read_exact_at(&mut head, at).is_ok() {
        stop.check()?;
        if let Some(size) = size.filter(|_| at == 0) {
            SegmentHeader::set_database_pages(&mut head, size);
        }
        let page_size = first.map(|(_, page_size)| page_size).or(own);
        let read = read_segment(&head, page_size).filter(|segment| {
            // Where its records begin elsewhere than it says, it is damaged.
            segment.records == 0
                || leads_to_a_record(journal, segment, at)
                || guess_segment(journal, &head, at, page_size).is_none()
        });
        let segment = read.or_else(|| {
            // What an older journal left has a zero in its first byte, or another database's size.
            let is_of_this = first
                .is_none_or(|(shared, _)| head[0] != 0 && shared == SegmentHeader::read_fields(&head).shared_fields());
            out.is_cut |= is_of_this;
            is_of_this.then(|| guess_segment(journal, &head, at, page_size)).flatten()
        });
        let Some(segment) = segment else { break };
        if first.is_none() {
            first = Some((SegmentHeader::read_fields(&head).shared_fields(), segment.page_size as usize));
            (out.size, out.page_size) = (segment.database_pages, segment.page_size as usize);
        }
        stated.see_header(&segment, at == 0);
        let records = out.records(journal, &segment, at, length, &mut stated, stop)?;
        at = segment.next_at(at, records);
    }
    Ok((out, stated))
}

impl Before {
    /// Returns true if it puts anything back.
    pub fn has_pages(&self) -> bool {
        self.size > 0 && !self.pages.is_empty()
    }

    /// Takes a segment's records, as many as fit into the file of this length; returns their number.
    fn records(
        &mut self,
        journal: &dyn ReadAt,
        segment: &SegmentHeader,
        at: u64,
        length: u64,
        stated: &mut StatedSize,
        stop: &Stop,
    ) -> Result<u64> {
        let fit = segment.records_that_fit(at, length);
        let uncounted = segment.uncounted_records(journal, at, length).unwrap_or_default();
        self.is_cut |= uncounted > 0;
        let counted = match (segment.records, uncounted) {
            (SegmentHeader::NEVER_SYNCED, 0) => fit,
            (SegmentHeader::NEVER_SYNCED, uncounted) => uncounted,
            (records, uncounted) => u64::from(records) + uncounted,
        };
        self.is_cut |= counted > fit;
        let records = counted.min(fit);
        for (number, record) in (0_u64..).zip(segment.records(journal, at, records)) {
            if number.is_multiple_of(64) {
                stop.check()?;
            }
            let record = record.ok();
            let page = record.map_or(0, |record| record.page);
            if let Some(record) = record.filter(|record| matches!(record.fault, None | Some(RecordFault::PageBeyond))) {
                let mut bytes = [0; 100];
                let is_read = page == 1 && journal.read_exact_at(&mut bytes, record.page_at).is_ok();
                stated.see_record(page, is_read.then_some(&bytes[..]));
            }
            match record.filter(is_whole) {
                None => {
                    self.damaged += 1;
                    if (1..=self.size).contains(&page) && page <= MOST_PAGES && !self.pages.contains_key(&page) {
                        self.stale.insert(page);
                    }
                }
                Some(record) if page <= self.size => match self.pages.entry(page) {
                    Entry::Vacant(place) => {
                        place.insert(record.page_at);
                    }
                    // SQLite keeps each page once: the number of one of the two is damaged.
                    Entry::Occupied(_) => self.damaged += 1,
                },
                Some(_) => self.damaged += 1,
            }
            if self.pages.len() > Overlay::MOST_PAGES {
                return Err(SalvageError::LimitExceeded("the journal holds more pages than are kept account of"));
            }
        }
        Ok(records)
    }
}
