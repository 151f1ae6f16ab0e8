//! The rollback journal that lies beside a database: how many pages SQLite will put back from it, and what keeps others from it.

use std::fs::File;
use std::io;

use sqlite_format::header::is_page_size;
use sqlite_format::journal::{HEADER_LEN, SegmentHeader};
use sqlite_format::source::ReadAt;

use super::Sidecar;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;

/// What a rollback journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalScan {
    /// Pages that will be put back.
    pub pages: u64,
    /// What is wrong, where something is: the pages from there on will not be put back.
    pub fault: Option<String>,
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
    let (mut head, mut first) = ([0; HEADER_LEN], None);
    while at + HEADER_LEN as u64 <= length {
        // A segment need not hold a record, and there is room for millions of such.
        stop.check()?;
        file.read_exact_at(&mut head, at).map_err(io)?;
        let shared = SegmentHeader::read_fields(&head).shared_fields();
        let Some(mut segment) = SegmentHeader::parse(&head) else {
            if at == 0 {
                out.fault = Some("it does not begin like a rollback journal".to_owned());
            } else if head[0] != 0 && first == Some(shared) {
                // What an older journal left here has a zero in its first byte, which SQLite puts there.
                out.fault = Some(format!("the header at byte {at} is damaged"));
            }
            return Ok(out);
        };
        first.get_or_insert(shared);
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
        let (pages, fault) = read_segment(&file, &segment, at, length, stop).map_err(|ended| match ended {
            Ended::Io(error) => io(error),
            Ended::Stopped(why) => Error::Stopped(why),
        })?;
        out.pages += pages;
        if fault.is_some() || segment.records == SegmentHeader::NEVER_SYNCED {
            out.fault = fault;
            return Ok(out);
        }
        at = segment.next_at(at, pages);
    }
    if at == 0 {
        out.fault = Some(format!("it is cut short at {length} bytes, within its header"));
    }
    Ok(out)
}

enum Ended {
    Io(io::Error),
    Stopped(crate::limits::stop::Stopped),
}

/// Reads a segment's records. Returns how many SQLite puts back, and what is wrong with the first that it does not.
fn read_segment(
    file: &File,
    segment: &SegmentHeader,
    at: u64,
    length: u64,
    stop: &Stop,
) -> Result<(u64, Option<String>), Ended> {
    let fit = segment.records_that_fit(at, length);
    let is_never_synced = segment.records == SegmentHeader::NEVER_SYNCED;
    let records = if is_never_synced { fit } else { segment.records.into() };
    let mut misfit = None;
    for (n, record) in (0..).zip(segment.records(file, at, records.min(fit))) {
        stop.check().map_err(Ended::Stopped)?;
        let record = record.map_err(Ended::Io)?;
        match (record.fault, misfit) {
            (None, None) => {}
            // What follows in a journal that counts nothing is an older one's, unless it is this one's all the same.
            (Some(_), _) if is_never_synced => misfit = misfit.or(Some(n)),
            (_, first) => {
                let first = first.unwrap_or(n);
                return Ok((first, Some(format!("the checksum of record {} of {records} is wrong", first + 1))));
            }
        }
    }
    if records > fit {
        return Ok((fit, Some(format!("it should hold {records} pages and holds {fit}"))));
    }
    Ok((misfit.unwrap_or(records), None))
}

#[cfg(test)]
mod tests;
