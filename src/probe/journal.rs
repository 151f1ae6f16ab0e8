//! The rollback journal, read by ourselves.
//!
//! Source: "The Rollback Journal" in SQLite's Database File Format,
//! <https://www.sqlite.org/fileformat2.html#the_rollback_journal>, and `pager.c` for the super-journal's name.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::Sidecar;
use super::header::{be32, is_page_size, lock_page};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;

/// What each journal header begins with.
pub(crate) const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The longest name of a super-journal, in bytes (`os_unix.c`, `MAX_PATHNAME`).
const LONGEST_NAME: u32 = 512;

/// The count of records in a journal that is never synced (`synchronous=OFF`): as many as there are. They end with the file, or
/// with the first that does not fit: `journal_mode=PERSIST` writes over an older journal, and a writer may be killed in the
/// middle of a record (`pager.c`, `pager_playback`).
const NEVER_SYNCED: u32 = u32::MAX;

/// What a rollback journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalScan {
    /// Pages that will be put back.
    pub pages: u64,
    /// What is wrong, where something is: the pages from there on will not be put back.
    pub fault: Option<String>,
}

/// One segment's header.
struct Segment {
    records: u32,
    nonce: u32,
    sector: u32,
    page_size: u32,
}

impl Segment {
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.starts_with(&MAGIC).then(|| Self {
            records: be32(bytes, 8),
            nonce: be32(bytes, 12),
            sector: be32(bytes, 20),
            page_size: be32(bytes, 24),
        })
    }
}

/// How many pages the database had when the journal was begun; `None` where its first bytes are not a journal's.
pub(super) fn pages_at_its_beginning(head: &[u8]) -> Option<u32> {
    (head.len() >= 28 && head.starts_with(&MAGIC)).then(|| be32(head, 16))
}

/// Reads a whole journal that must be rolled back, as SQLite would.
///
/// # Errors
/// Where the journal cannot be read, or the time is up.
pub(crate) fn scan(journal: &Sidecar, page_size: u32, stop: &Stop) -> Result<JournalScan> {
    let io = |error| Error::io("read", &journal.path)(error);
    let file = super::open_plain(&journal.path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut out = JournalScan { pages: 0, fault: None };
    if !is_page_size(page_size) {
        out.fault = Some(format!("the store's header gives a page size of {page_size} bytes, which no store has"));
        return Ok(out);
    }
    let mut at = 0;
    let (mut head, mut first) = ([0; 28], None);
    while at + 28 <= length {
        // A segment need not hold a record, and there is room for millions of such.
        stop.check()?;
        file.read_exact_at(&mut head, at).map_err(io)?;
        let Some(segment) = Segment::parse(&head) else {
            if at == 0 {
                out.fault = Some("it does not begin like a rollback journal".to_owned());
            } else if head[0] != 0 && first == Some(of_all_segments(&head)) {
                // What an older journal left here has a zero in its first byte, which SQLite puts there.
                out.fault = Some(format!("the header at byte {at} is damaged"));
            }
            return Ok(out);
        };
        first.get_or_insert(of_all_segments(&head));
        // A page size of 0 stands in headers after the first in very old journals.
        if segment.page_size != page_size && (at == 0 || segment.page_size != 0) {
            out.fault = Some(format!(
                "it holds pages of {} bytes, and the store's pages have {page_size}",
                segment.page_size
            ));
            return Ok(out);
        }
        if !(32..=65_536).contains(&segment.sector) || !segment.sector.is_power_of_two() {
            out.fault = Some(format!("its sector size is {}, not a power of two from 32 to 65536", segment.sector));
            return Ok(out);
        }
        at += u64::from(segment.sector);
        match read_segment(&file, &segment, page_size, at, length, stop).map_err(|ended| match ended {
            Ended::Io(error) => io(error),
            Ended::Stopped(why) => Error::Stopped(why),
        })? {
            (pages, None) => {
                out.pages += pages;
                if segment.records == NEVER_SYNCED {
                    return Ok(out);
                }
                at += pages * (u64::from(page_size) + 8);
                at = at.next_multiple_of(u64::from(segment.sector));
            }
            (pages, Some(fault)) => {
                out.pages += pages;
                out.fault = Some(fault);
                return Ok(out);
            }
        }
    }
    if at == 0 {
        out.fault = Some(format!("it is cut short at {length} bytes, within its header"));
    }
    Ok(out)
}

/// The part of a header that all segments of a journal share: the database's size, the sector size, the page size.
fn of_all_segments(head: &[u8; 28]) -> [u32; 3] {
    [be32(head, 16), be32(head, 20), be32(head, 24)]
}

enum Ended {
    Io(io::Error),
    Stopped(crate::limits::stop::Stopped),
}

/// Reads a segment's records: how many fit, and what is wrong with the first that does not.
fn read_segment(
    file: &File,
    segment: &Segment,
    page_size: u32,
    start: u64,
    length: u64,
    stop: &Stop,
) -> Result<(u64, Option<String>), Ended> {
    let record_len = u64::from(page_size) + 8;
    let page_end = 4 + page_size as usize;
    let fit = length.saturating_sub(start) / record_len;
    let records = match segment.records {
        NEVER_SYNCED => fit,
        records => records.into(),
    };
    let fits = |record: &[u8]| {
        let number = be32(record, 0);
        let is_page = number != 0 && u64::from(number) != lock_page(page_size);
        is_page && checksum(segment.nonce, &record[4..page_end]) == be32(record, page_end)
    };
    let mut record = vec![0; page_end + 4];
    let mut misfit = None;
    for n in 0..records {
        if n >= fit {
            return Ok((n, Some(format!("it should hold {records} pages and holds {fit}"))));
        }
        stop.check().map_err(Ended::Stopped)?;
        file.read_exact_at(&mut record, start + n * record_len).map_err(Ended::Io)?;
        match (fits(&record), misfit) {
            (true, None) => {}
            // What follows in a journal that counts nothing is an older one's, unless it is this one's all the same.
            (false, _) if segment.records == NEVER_SYNCED => misfit = misfit.or(Some(n)),
            (_, first) => {
                let first = first.unwrap_or(n);
                return Ok((first, Some(format!("the checksum of record {} of {records} is wrong", first + 1))));
            }
        }
    }
    Ok((misfit.unwrap_or(records), None))
}

/// A record's checksum: the nonce and every 200th byte, counted from the page's end.
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let mut sum = nonce;
    let mut at = page.len().checked_sub(200);
    while let Some(n) = at.filter(|n| *n > 0) {
        sum = sum.wrapping_add(u32::from(page[n]));
        at = n.checked_sub(200);
    }
    sum
}

/// The super-journal that a journal names, and where in the journal that record begins.
///
/// A journal of a transaction over several databases ends with: the lock page's number, the name, its length,
/// its checksum, and the magic. Where they do not fit together there is no name, for SQLite as for us
/// (`pager.c`, `readSuperJournal`).
///
/// # Errors
/// What the system says.
pub(crate) fn super_journal(file: &File) -> io::Result<Option<(PathBuf, u64)>> {
    let length = file.metadata()?.len();
    let mut tail = [0; 16];
    let Some(at) = length.checked_sub(16) else {
        return Ok(None);
    };
    file.read_exact_at(&mut tail, at)?;
    let name_len = be32(&tail, 0);
    let begins = at.checked_sub(u64::from(name_len) + 4);
    let (Some(begins), 1..=LONGEST_NAME) = (begins, name_len) else {
        return Ok(None);
    };
    if tail[8..] != MAGIC {
        return Ok(None);
    }
    let mut name = vec![0; name_len as usize];
    file.read_exact_at(&mut name, begins + 4)?;
    if !carries_checksum(&name, be32(&tail, 4)) {
        return Ok(None);
    }
    // To SQLite the name ends at the first zero byte.
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    if name.is_empty() {
        return Ok(None);
    }
    Ok(Some((OsString::from_vec(name).into(), begins)))
}

/// Whether the bytes of a name add up to this. SQLite adds them as C's `char`, which has a sign on some machines.
fn carries_checksum(name: &[u8], sum: u32) -> bool {
    let with_sign = name.iter().fold(0u32, |sum, byte| sum.wrapping_add_signed(byte.cast_signed().into()));
    let without = name.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    sum == with_sign || sum == without
}

#[cfg(test)]
mod tests;
