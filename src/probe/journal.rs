//! The rollback journal that lies beside a database: how many pages SQLite will put back from it, and what keeps others from it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sqlite_format::header::is_page_size;
use sqlite_format::journal::{HEADER_LEN, Record, RecordFault, SegmentHeader, read_super_journal};
use sqlite_format::source::ReadAt;

use super::whose_log::FirstPage;
use super::{Probe, Sidecar};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::text::words::plural;

/// The content of a rollback journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JournalScan {
    /// Pages that will be put back.
    pub pages: u64,
    /// The fault, if any: the pages from there on will not be put back.
    pub fault: Option<String>,
    /// The page size in its header, in bytes; 0 without a header.
    pub page_size: u32,
    /// The database's size in pages when the transaction began.
    pub original_pages: u32,
    /// A page in it that the database did not have then.
    pub page_beyond: Option<u32>,
    /// The first page as it was when the transaction began, when the journal holds it.
    pub first_page: Option<FirstPage>,
}

/// The most numbers of pages that are kept, to see that none is in the journal twice.
const MOST_NUMBERS: usize = 1 << 22;

/// Reads a whole journal that must be rolled back, as SQLite would.
///
/// # Errors
/// Fails if the journal cannot be read, or at the time limit.
pub(crate) fn scan(journal: &Sidecar, page_size: u32, stop: &Stop) -> Result<JournalScan> {
    let io = |error| Error::io("read", &journal.path)(error);
    let file = super::open_plain(&journal.path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut out = JournalScan::default();
    let mut numbers = Vec::new();
    if !is_page_size(page_size) {
        out.fault = Some(format!("the store's header gives a page size of {page_size} bytes, which no store has"));
        return Ok(out);
    }
    let mut at = 0;
    let (mut head, mut first, mut last) = ([0; HEADER_LEN], None, None);
    let uncounted = |last: Option<(SegmentHeader, u64)>| match last {
        Some((segment, at)) => segment.uncounted_records(&file, at, length).map_err(io).map(|uncounted| {
            let more = plural(uncounted, "more lies", "more lie");
            let counted = plural(segment.records.into(), "record", "records");
            (uncounted > 0)
                .then(|| format!("the header at byte {at} counts {counted}, and {more} before the next header"))
        }),
        None => Ok(None),
    };
    while at + HEADER_LEN as u64 <= length {
        // A segment need not hold a record, and there is room for millions of such.
        stop.check()?;
        file.read_exact_at(&mut head, at).map_err(io)?;
        let shared = SegmentHeader::read_fields(&head).shared_fields();
        let Some(mut segment) = SegmentHeader::parse(&head) else {
            out.fault = uncounted(last)?;
            if out.fault.is_some() {
                return Ok(out);
            }
            if at == 0 {
                out.fault = Some("it does not begin like a rollback journal".to_owned());
            } else if head[0] != 0 && first == Some(shared) {
                // What an older journal left here has a zero in its first byte, which SQLite puts there.
                out.fault = Some(format!("the header at byte {at} is damaged"));
            }
            out.fault = out.fault.or_else(|| twice(&mut numbers));
            return Ok(out);
        };
        if first.is_none() {
            first = Some(shared);
            (out.page_size, out.original_pages) = (segment.page_size, segment.database_pages);
        }
        // A page size of 0 stands in headers after the first in very old journals.
        if segment.page_size != page_size && (at == 0 || segment.page_size != 0) {
            out.fault = Some(format!(
                "it holds pages of {} bytes, and the store's pages have {page_size}",
                segment.page_size
            ));
            return Ok(out);
        }
        segment.page_size = page_size;
        if !segment.has_valid_sector_size() {
            out.fault =
                Some(format!("its sector size is {}, not a power of two from 32 to 65536", segment.sector_size));
            return Ok(out);
        }
        let (pages, fault) = read_segment(&file, &segment, at, length, stop, &mut |record| {
            if record.fault.is_some() {
                out.page_beyond = Some(record.page);
                return;
            }
            if numbers.len() < MOST_NUMBERS {
                numbers.push(record.page);
            }
            let mut bytes = [0; 100];
            if record.page == 1 && file.read_exact_at(&mut bytes, record.page_at).is_ok() {
                out.first_page = out.first_page.or_else(|| FirstPage::parse(&bytes));
            }
        })
        .map_err(|ended| match ended {
            Ended::Io(error) => io(error),
            Ended::Stopped(why) => Error::Stopped(why),
        })?;
        out.pages += pages;
        if fault.is_some() || segment.records == SegmentHeader::NEVER_SYNCED {
            out.fault = fault.or_else(|| twice(&mut numbers));
            return Ok(out);
        }
        last = Some((segment, at));
        at = segment.next_at(at, pages);
    }
    if at == 0 {
        out.fault = Some(format!("it is cut short at {length} bytes, within its header"));
    } else {
        out.fault = uncounted(last)?.or_else(|| twice(&mut numbers));
    }
    Ok(out)
}

/// Returns the fault of a journal that holds a page twice, which SQLite never writes: it puts the first of them back.
fn twice(numbers: &mut [u32]) -> Option<String> {
    numbers.sort_unstable();
    let pair = numbers.windows(2).find(|pair| pair.first() == pair.last())?;
    Some(format!("it holds page {} twice", pair.first()?))
}

/// Returns the number of bytes of the journal that are to be played back; `None` for none.
///
/// A journal of a transaction over several databases ends with the name of its super-journal. SQLite would look at that path,
/// anywhere on this machine, and remove it. So it is looked for here, with a plain `stat`: where the super-journal is gone the
/// transaction was committed and the journal counts for nothing; where it is there, the journal is played back without its
/// name. (`pager.c`, `pager_playback`.)
///
/// # Errors
/// Fails if the journal cannot be read.
pub(crate) fn length_to_play(probe: &Probe) -> Result<Option<u64>> {
    let path = &probe.journal.path;
    if !probe.journal.has_content() {
        return Ok(None);
    }
    let file = super::open_plain(path).map_err(Error::io("read", path))?;
    match read_super_journal(&file).map_err(Error::io("read", path))? {
        None => Ok(Some(u64::MAX)),
        Some((name, at)) => Ok(counts_as_there(Path::new(OsStr::from_bytes(&name))).then_some(at)),
    }
}

/// Returns true when a super-journal exists for SQLite, to which an empty file is none (`os_unix.c`, `unixAccess`).
fn counts_as_there(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| !meta.is_file() || meta.len() > 0)
}

enum Ended {
    Io(io::Error),
    Stopped(crate::limits::stop::Stopped),
}

/// Reads a segment's records, and hands to `see` each valid one and the first of a page that the database did not have. Returns
/// how many SQLite puts back, and what is wrong with the first that it does not.
fn read_segment(
    file: &File,
    segment: &SegmentHeader,
    at: u64,
    length: u64,
    stop: &Stop,
    see: &mut dyn FnMut(&Record),
) -> Result<(u64, Option<String>), Ended> {
    let fit = segment.records_that_fit(at, length);
    let is_never_synced = segment.records == SegmentHeader::NEVER_SYNCED;
    let records = if is_never_synced { fit } else { segment.records.into() };
    let mut misfit: Option<(u64, u32, RecordFault)> = None;
    for (n, record) in (0..).zip(segment.records(file, at, records.min(fit))) {
        stop.check().map_err(Ended::Stopped)?;
        let record = record.map_err(Ended::Io)?;
        match (record.fault, misfit) {
            (None, None) => see(&record),
            // Its checksum is right, so that it is no older journal's.
            (Some(fault @ RecordFault::PageBeyond), _) => {
                see(&record);
                return Ok((n, Some(describe(n, records, record.page, fault, segment))));
            }
            // What follows in a journal that counts nothing is an older one's, unless it is this one's all the same.
            (Some(fault), first) if is_never_synced => misfit = first.or(Some((n, record.page, fault))),
            (Some(fault), _) => return Ok((n, Some(describe(n, records, record.page, fault, segment)))),
            (None, Some((n, page, fault))) => {
                return Ok((n, Some(describe(n, records, page, fault, segment))));
            }
        }
    }
    if records > fit {
        return Ok((fit, Some(format!("it should hold {records} pages and holds {fit}"))));
    }
    Ok((misfit.map_or(records, |(n, ..)| n), None))
}

/// Describes what is wrong with record `n` of `records`, counted from 0.
fn describe(n: u64, records: u64, page: u32, fault: RecordFault, segment: &SegmentHeader) -> String {
    let number = n + 1;
    match fault {
        RecordFault::PageBeyond => {
            let pages = plural(segment.database_pages.into(), "page", "pages");
            format!(
                "record {number} of {records} is of page {page}, and the store had {pages} when the transaction began"
            )
        }
        _ => format!("the checksum of record {number} of {records} is wrong"),
    }
}

#[cfg(test)]
mod tests;
