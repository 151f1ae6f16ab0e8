//! The rollback journal that lies beside a database: how many pages SQLite will put back from it, and what keeps others from it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sqlite_format::header::is_page_size;
use sqlite_format::journal::{HEADER_LEN, Record, RecordFault, SegmentHeader, StatedSize, read_super_journal};
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
    pub size: StatedSize,
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
    let (mut beyond, mut damaged_header) = (None, None);
    let uncounted = |segment: &SegmentHeader, at: u64| -> Result<Option<String>> {
        let uncounted = segment.uncounted_records(&file, at, length).map_err(io)?;
        Ok((uncounted > 0).then(|| describe_uncounted(segment, at, uncounted)))
    };
    while at + HEADER_LEN as u64 <= length {
        // A segment need not hold a record, and there is room for millions of such.
        stop.check()?;
        file.read_exact_at(&mut head, at).map_err(io)?;
        let shared = SegmentHeader::read_fields(&head).shared_fields();
        let Some(mut segment) = SegmentHeader::parse(&head) else {
            if at == 0 {
                out.fault = Some("it does not begin like a rollback journal".to_owned());
                return Ok(out);
            }
            // What an older journal left here has a zero in its first byte, which SQLite puts there.
            if head[0] != 0 && first == Some(shared) {
                damaged_header = Some(format!("the header at byte {at} is damaged"));
            }
            break;
        };
        if first.is_none() {
            out.page_size = segment.page_size;
        }
        out.size.see_header(&segment, first.is_none());
        first = first.or(Some(shared));
        // SQLite takes the size from the first header.
        segment.database_pages = out.size.header;
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
        let (records, faults) = read_segment(&file, &segment, at, length, stop, &mut |record| {
            let mut bytes = [0; 100];
            let content =
                (record.page == 1 && file.read_exact_at(&mut bytes, record.page_at).is_ok()).then_some(&bytes[..]);
            out.size.see_record(record.page, content);
            // SQLite skips a page that the database did not have.
            if record.fault.is_some() {
                return;
            }
            out.pages += 1;
            if numbers.len() < MOST_NUMBERS {
                numbers.push(record.page);
            }
            out.first_page = out.first_page.or_else(|| FirstPage::parse(content?));
        })
        .map_err(|ended| match ended {
            Ended::Io(error) => io(error),
            Ended::Stopped(why) => Error::Stopped(why),
        })?;
        beyond = beyond.or(faults.beyond);
        last = Some((segment, at));
        if faults.end.is_some() {
            out.fault = beyond.or(faults.end);
            return Ok(out);
        }
        if segment.records == SegmentHeader::NEVER_SYNCED {
            break;
        }
        at = segment.next_at(at, records);
    }
    out.fault = match last {
        None => Some(format!("it is cut short at {length} bytes, within its header")),
        Some((segment, at)) => beyond.or(uncounted(&segment, at)?).or(damaged_header).or_else(|| twice(&mut numbers)),
    };
    Ok(out)
}

/// Describes the records that a segment holds and does not count.
fn describe_uncounted(segment: &SegmentHeader, at: u64, uncounted: u64) -> String {
    if segment.records == SegmentHeader::NEVER_SYNCED {
        let records = plural(uncounted, "record", "records");
        return format!(
            "the header at byte {at} counts no records, as that of a journal that was never synced, and behind its {records} lies a further header, which such a journal does not have and SQLite does not read"
        );
    }
    let counted = plural(segment.records.into(), "record", "records");
    let more = plural(uncounted, "more lies", "more lie");
    format!("the header at byte {at} counts {counted}, and {more} before the next header")
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

/// What is wrong with the records of a segment.
#[derive(Default)]
struct Faults {
    /// The first record of a page that the database did not have, over which SQLite goes on.
    beyond: Option<String>,
    /// The record at which SQLite ends.
    end: Option<String>,
}

/// Reads a segment's records as far as SQLite goes, and hands those whose checksum is right to `see`. Returns their number, and
/// what is wrong.
fn read_segment(
    file: &File,
    segment: &SegmentHeader,
    at: u64,
    length: u64,
    stop: &Stop,
    see: &mut dyn FnMut(&Record),
) -> Result<(u64, Faults), Ended> {
    let fit = segment.records_that_fit(at, length);
    let is_never_synced = segment.records == SegmentHeader::NEVER_SYNCED;
    let records = if is_never_synced { fit } else { segment.records.into() };
    let mut faults = Faults::default();
    let mut misfit: Option<(u64, u32, RecordFault)> = None;
    for (n, record) in (0..).zip(segment.records(file, at, records.min(fit))) {
        stop.check().map_err(Ended::Stopped)?;
        let record = record.map_err(Ended::Io)?;
        let end = match (record.fault, misfit) {
            (None, None) => {
                see(&record);
                None
            }
            // Its checksum is right, so that it is no older journal's.
            (Some(fault @ RecordFault::PageBeyond), None) => {
                see(&record);
                faults.beyond.get_or_insert_with(|| describe(n, records, record.page, fault, segment));
                None
            }
            // What follows in a journal that counts nothing is an older one's, unless it is this one's all the same.
            (Some(fault), first) if is_never_synced && fault != RecordFault::PageBeyond => {
                misfit = first.or(Some((n, record.page, fault)));
                None
            }
            (_, Some(first)) => Some(first),
            (Some(fault), None) => Some((n, record.page, fault)),
        };
        if let Some((n, page, fault)) = end {
            faults.end = Some(describe(n, records, page, fault, segment));
            return Ok((n, faults));
        }
    }
    if records > fit {
        faults.end = Some(format!("it should hold {records} pages and holds {fit}"));
        return Ok((fit, faults));
    }
    Ok((misfit.map_or(records, |(n, ..)| n), faults))
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
