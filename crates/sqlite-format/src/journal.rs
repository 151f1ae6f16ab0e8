//! The rollback journal: its segments, their records one by one, each valid or not and why not, and the name of the
//! super-journal.
//!
//! A journal holds pages as they were before a transaction, so that they can be put back. It consists of segments, each a
//! header that fills a sector and the records behind it.
//!
//! Sources: "The Rollback Journal", <https://www.sqlite.org/fileformat2.html#the_rollback_journal>, and `pager.c`.

use std::io;

use super::bytes::read_u32_or_zero;
use super::header::{HeaderFields, is_page_size, lock_byte_page};
use super::source::{Blocks, ReadAt};

/// The bytes that each segment begins with.
pub const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The length of a segment's header, in bytes, without the padding that fills its sector.
pub const HEADER_LEN: usize = 28;

/// The longest name of a super-journal, in bytes (`os_unix.c`, `MAX_PATHNAME`).
const MAX_NAME: u32 = 512;

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The number of records, or [`Self::NEVER_SYNCED`].
    pub records: u32,
    /// The number with which each record's checksum begins.
    pub nonce: u32,
    /// The database's size in pages before the transaction.
    pub database_pages: u32,
    /// The number of bytes that the header fills, and of which the next segment's offset is a multiple.
    pub sector_size: u32,
    /// The page size in bytes. Very old journals have 0 here in segments after the first.
    pub page_size: u32,
}

impl SegmentHeader {
    /// The count of records in a journal that is never synced (`synchronous=OFF`): as many as there are. They end with the file,
    /// or with the first invalid record: `journal_mode=PERSIST` writes over an older journal, and a writer may be killed in the
    /// middle of a record (`pager.c`, `pager_playback`).
    pub const NEVER_SYNCED: u32 = u32::MAX;

    /// Sets the database's size in the bytes of a header, in pages.
    pub fn set_database_pages(bytes: &mut [u8; HEADER_LEN], pages: u32) {
        if let Some(field) = bytes.get_mut(16..20) {
            field.copy_from_slice(&pages.to_be_bytes());
        }
    }

    /// Reads the header of a segment. Returns `None` when the bytes do not begin with [`MAGIC`] or are too few.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk().filter(|bytes| bytes.starts_with(&MAGIC))?;
        Some(Self::read_fields(bytes))
    }

    /// Reads the fields where they lie, whatever the magic is.
    pub fn read_fields(bytes: &[u8; HEADER_LEN]) -> Self {
        let word = |at| read_u32_or_zero(bytes, at);
        Self {
            records: word(8),
            nonce: word(12),
            database_pages: word(16),
            sector_size: word(20),
            page_size: word(24),
        }
    }

    /// Returns `true` when the sector size is a power of two from 32 to 65,536, as SQLite demands.
    pub fn has_valid_sector_size(&self) -> bool {
        (32..=65_536).contains(&self.sector_size) && self.sector_size.is_power_of_two()
    }

    /// Returns `true` when the page size is a power of two from 512 to 65,536.
    pub fn has_valid_page_size(&self) -> bool {
        is_page_size(self.page_size)
    }

    /// Returns the fields that all segments of one journal share: the database's size, the sector size and the page size.
    pub fn shared_fields(&self) -> [u32; 3] {
        [self.database_pages, self.sector_size, self.page_size]
    }

    /// Returns the length of a record: the page's number, the page, a checksum.
    fn record_len(&self) -> u64 {
        u64::from(self.page_size) + 8
    }

    /// Returns the number of whole records that a file of `length` bytes has room for, behind a header at offset `at`.
    pub fn records_that_fit(&self, at: u64, length: u64) -> u64 {
        length.saturating_sub(at + u64::from(self.sector_size)) / self.record_len()
    }

    /// Returns the offset of the segment behind this one, whose header is at `at` and which has so many records.
    pub fn next_at(&self, at: u64, records: u64) -> u64 {
        let end = at
            .saturating_add(u64::from(self.sector_size))
            .saturating_add(records.saturating_mul(self.record_len()));
        end.checked_next_multiple_of(u64::from(self.sector_size)).unwrap_or(end)
    }

    /// Returns the number of records that the segment holds beyond the ones that it counts; 0 when the count may be right.
    ///
    /// SQLite writes the header of a further segment only after the records before it were counted and synced (`pager.c`,
    /// `syncJournal`). So where valid records go on behind the last that is counted, and a header of the same journal follows
    /// them, the count is damaged. Without that header the records were written after the last sync, and need not be counted.
    /// A segment that says [`Self::NEVER_SYNCED`] counts none, and is the only one of its journal.
    ///
    /// # Errors
    /// Fails with the error of reading the journal.
    pub fn uncounted_records(&self, journal: &dyn ReadAt, at: u64, length: u64) -> io::Result<u64> {
        let counted = if self.records == Self::NEVER_SYNCED {
            0
        } else {
            u64::from(self.records)
        };
        let fit = self.records_that_fit(at, length);
        if counted >= fit {
            return Ok(0);
        }
        let mut pages = Vec::new();
        for record in self.records_between(journal, at, counted, fit) {
            let record = record?;
            if record.fault.is_some() {
                break;
            }
            pages.push(record.page);
        }
        let held = counted + pages.len() as u64;
        let next = self.next_at(at, held);
        if held <= counted || next + HEADER_LEN as u64 > length {
            return Ok(0);
        }
        let mut bytes = [0; HEADER_LEN];
        journal.read_exact_at(&mut bytes, next)?;
        let Some(header) = Self::parse(&bytes).filter(|header| header.shared_fields() == self.shared_fields()) else {
            return Ok(0);
        };
        // Behind a journal that is never synced, `journal_mode=PERSIST` may leave a header of an older one.
        let is_older = self.records == Self::NEVER_SYNCED && !header.continues(journal, next, length, pages)?;
        Ok(if is_older { 0 } else { held - counted })
    }

    /// Returns `true` when the records behind the header at `at` can belong to a journal whose records before hold `pages`: the
    /// first is valid, and none holds a page that is held before.
    fn continues(&self, journal: &dyn ReadAt, at: u64, length: u64, mut pages: Vec<u32>) -> io::Result<bool> {
        pages.sort_unstable();
        let count = self.records_that_fit(at, length).min(self.records.into());
        let mut has_first = false;
        for record in self.records(journal, at, count) {
            let record = record?;
            if record.fault.is_some() {
                break;
            }
            if pages.binary_search(&record.page).is_ok() {
                return Ok(false);
            }
            has_first = true;
        }
        Ok(has_first)
    }

    /// Reads the first `count` records of the segment whose header is at offset `at`.
    pub fn records<'a>(&self, journal: &'a dyn ReadAt, at: u64, count: u64) -> Records<'a> {
        self.records_between(journal, at, 0, count)
    }

    /// Reads the records from number `from` up to number `to`, without that one, counted from 0.
    fn records_between<'a>(&self, journal: &'a dyn ReadAt, at: u64, from: u64, to: u64) -> Records<'a> {
        let offset =
            |number: u64| (at + u64::from(self.sector_size)).saturating_add(number.saturating_mul(self.record_len()));
        let (begin, end) = (offset(from), offset(to));
        // A length that does not fit into this machine's memory belongs to no valid page size.
        let len = usize::try_from(self.record_len()).unwrap_or(usize::MAX);
        Records {
            segment: *self,
            blocks: Blocks::new(journal, begin, end, len),
        }
    }

    /// Computes a record's checksum: the nonce and every 200th byte, counted from the page's end.
    pub fn checksum(&self, page: &[u8]) -> u32 {
        let places =
            std::iter::successors(page.len().checked_sub(200), |at| at.checked_sub(200)).take_while(|at| *at > 0);
        let bytes = places.filter_map(|at| page.get(at));
        bytes.fold(self.nonce, |sum, byte| sum.wrapping_add(u32::from(*byte)))
    }
}

/// The size of the database before the transaction, in pages, by each part of a journal that states it.
///
/// SQLite believes the first header alone, which is in no checksum, and sets the file to that size before it puts any page back
/// (`pager.c`, `pager_playback`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatedSize {
    /// The size by the first header.
    pub header: u32,
    /// The size by the second header, until a further one repeats what the first says.
    pub next_header: Option<u32>,
    /// The size that the first page vouches for, as it was before the transaction, where the journal holds that page.
    pub first_page: Option<u32>,
    /// The number of the greatest page in records whose checksum is right.
    pub greatest: u32,
    /// The number of these records whose page is beyond the size by the first header.
    pub beyond: u64,
}

impl StatedSize {
    /// Takes the header of a segment, in order.
    pub fn see_header(&mut self, segment: &SegmentHeader, is_first: bool) {
        if is_first {
            self.header = segment.database_pages;
            self.next_header = None;
        } else if segment.database_pages == self.header {
            self.next_header = Some(self.header);
        } else {
            self.next_header = self.next_header.or(Some(segment.database_pages));
        }
    }

    /// Takes a record whose checksum is right, and the beginning of its page.
    pub fn see_record(&mut self, page: u32, content: Option<&[u8]>) {
        self.greatest = self.greatest.max(page);
        self.beyond += u64::from(page > self.header);
        if page == 1 && self.first_page.is_none() {
            self.first_page = content.and_then(HeaderFields::parse).and_then(|header| header.vouched_pages());
        }
    }

    /// Returns the size by all but the first header, where that contradicts it. `file` is the size that the first page in the
    /// file vouches for, and `file_pages` the file's length.
    ///
    /// A file may be longer than its first page says, and then so is the size in the header. A VACUUM may have made it shorter.
    pub fn contradiction(&self, file: Option<u32>, file_pages: u64) -> Option<u32> {
        // The first page of the file is as it was before the transaction until the journal holds it.
        let by_file = || file.filter(|pages| self.beyond > 0 && *pages >= self.greatest);
        let stated = self.first_page.or(self.next_header).or_else(by_file)?;
        let is_too_long = u64::from(self.header) > file_pages && file_pages >= stated.into();
        (stated > self.header || (stated < self.header && is_too_long)).then_some(stated)
    }
}

/// One record of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The number of the page that it holds.
    pub page: u32,
    /// The offset in the journal at which the page begins.
    pub page_at: u64,
    /// The reason why the record is not valid; `None` for a valid record.
    pub fault: Option<RecordFault>,
}

/// The reason why a record is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFault {
    /// Its checksum is wrong.
    Checksum,
    /// It names page 0, which no database has.
    PageNumber,
    /// It names the page at the lock byte, which SQLite never writes.
    LockBytePage,
    /// It names a page that the database did not have when the transaction began, of which SQLite keeps none
    /// (`pager.c`, `pager_write`). Neither that number nor the database's size is in a checksum.
    PageBeyond,
}

/// The records of a segment, in order. Each carries a checksum of its own, so that damage to one makes no other invalid.
///
/// An error is that of one record: the records behind it follow.
pub struct Records<'a> {
    segment: SegmentHeader,
    blocks: Blocks<'a>,
}

impl Iterator for Records<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.blocks.next()?;
        let read = block.map(|(at, bytes)| {
            let page = read_u32_or_zero(bytes, 0);
            let end = bytes.len().saturating_sub(4);
            let content = bytes.get(4..end).unwrap_or_default();
            let fault = if self.segment.checksum(content) != read_u32_or_zero(bytes, end) {
                Some(RecordFault::Checksum)
            } else if page == 0 {
                Some(RecordFault::PageNumber)
            } else if page == lock_byte_page(self.segment.page_size) {
                Some(RecordFault::LockBytePage)
            } else if page > self.segment.database_pages {
                Some(RecordFault::PageBeyond)
            } else {
                None
            };
            Record {
                page,
                page_at: at + 4,
                fault,
            }
        });
        Some(read)
    }
}

/// Reads the name of the super-journal that a journal of a transaction over several databases ends with, and returns it with
/// the offset at which that last record begins.
///
/// The record holds the number of the page at the lock byte, the name, its length, its checksum and the magic. When these do
/// not fit together the journal names none, as for SQLite (`pager.c`, `readSuperJournal`).
///
/// # Errors
/// Fails with the error of reading the journal.
pub fn read_super_journal(journal: &dyn ReadAt) -> io::Result<Option<(Vec<u8>, u64)>> {
    let length = journal.size()?;
    let mut tail = [0; 16];
    let Some(at) = length.checked_sub(16) else {
        return Ok(None);
    };
    journal.read_exact_at(&mut tail, at)?;
    let name_len = read_u32_or_zero(&tail, 0);
    let begins = at.checked_sub(u64::from(name_len) + 4);
    let (Some(begins), 1..=MAX_NAME) = (begins, name_len) else {
        return Ok(None);
    };
    if !tail.ends_with(&MAGIC) {
        return Ok(None);
    }
    let mut name = vec![0; name_len as usize];
    journal.read_exact_at(&mut name, begins + 4)?;
    if !carries_checksum(&name, read_u32_or_zero(&tail, 4)) {
        return Ok(None);
    }
    // To SQLite the name ends at the first zero byte.
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    Ok((!name.is_empty()).then_some((name, begins)))
}

/// Returns `true` when the bytes of a name add up to `sum`. SQLite adds them as C's `char`, which has a sign on some machines.
fn carries_checksum(name: &[u8], sum: u32) -> bool {
    let with_sign = name.iter().fold(0u32, |sum, byte| sum.wrapping_add_signed(byte.cast_signed().into()));
    let without = name.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    sum == with_sign || sum == without
}
