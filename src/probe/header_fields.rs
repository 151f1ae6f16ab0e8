//! Fields of the header that are wrong and whose right value the rest of the file tells: a file format that no SQLite has had when
//! the file was written, a page size with which the pages do not add up, a text encoding that the schema is not in.

use std::os::unix::fs::FileExt;

use rusqlite::{version, version_number};
use sqlite_format::encoding::Encoding;
use sqlite_format::first_page;
use sqlite_format::header::{HeaderFault, HeaderFields, Layout};

use super::{Probe, Situation, open_plain};

/// A header of which one or more fields are wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongFields {
    /// A description, as a sentence.
    pub words: String,
    /// The bytes that are right, with the offset of the first of them.
    pub right: Vec<(u32, Vec<u8>)>,
    /// The version of the newer SQLite that the fields are of, if they may be right.
    pub newer: Option<String>,
}

/// Returns the fields of a header that are wrong, when the file tells the right value of each. In the middle of a transaction
/// nothing is told: the first page may be half another.
pub(crate) fn find_wrong_fields(probe: &Probe) -> Option<WrongFields> {
    let header = probe.header()?;
    let is_moving = matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive | Situation::WriteLocked);
    if is_moving {
        return None;
    }
    let faults = header.faults();
    let formats = wrong_formats(probe, header, &faults);
    let page_size = wrong_page_size(probe, header);
    let encoding = wrong_encoding(probe, header);
    let explained = |fault: &HeaderFault| match fault {
        HeaderFault::WriteVersion(_) | HeaderFault::ReadVersion(_) | HeaderFault::SchemaFormat(_) => formats.is_some(),
        HeaderFault::PageSize(_) => page_size.is_some(),
        HeaderFault::Encoding(_) => encoding.is_some(),
        _ => false,
    };
    if !faults.iter().all(explained) {
        return None;
    }
    let mut found = [formats, page_size, encoding].into_iter().flatten();
    let mut all = found.next()?;
    for more in found {
        all.words = format!("{}; {}", all.words, more.words);
        all.right.extend(more.right);
        // With another field that is wrong, it is damage.
        all.newer = None;
    }
    Some(all)
}

/// Returns the write version, the read version and the schema format, where they are higher than any that SQLite has had.
fn wrong_formats(probe: &Probe, header: &HeaderFields, faults: &[HeaderFault]) -> Option<WrongFields> {
    let (mut named, mut right) = (Vec::new(), Vec::new());
    // The other of the two versions, and a log, tell which of the two formats it was.
    let is_wal = probe.wal.has_content() || header.read_version == 2 || header.write_version == 2;
    let version_byte = if is_wal { 2 } else { 1 };
    for fault in faults {
        match fault {
            HeaderFault::WriteVersion(version @ 3..) => {
                named.push(format!("write version {version}"));
                right.push((18, vec![version_byte]));
            }
            HeaderFault::ReadVersion(version @ 3..) => {
                named.push(format!("read version {version}"));
                right.push((19, vec![version_byte]));
            }
            HeaderFault::SchemaFormat(format) => {
                named.push(format!("schema format {format}"));
                right.push((44, 4_u32.to_be_bytes().to_vec()));
            }
            _ => {}
        }
    }
    if named.is_empty() {
        return None;
    }
    let format = format!("the header announces a newer SQLite (file format: {})", named.join(", "));
    let wrote = header.sqlite_version;
    let own = u32::try_from(version_number()).unwrap_or(u32::MAX);
    let is_newer = wrote > own && wrote < 4_000_000;
    let by = version_name(wrote);
    Some(WrongFields {
        words: match wrote {
            _ if is_newer => format!("{format}, and SQLite {by} wrote it last: this doctor has {}", version()),
            0 => format!("{format} than this doctor's {}: if none wrote it, these bytes are damaged", version()),
            _ => format!("{format}, but SQLite {by} wrote it last, which has no such format: these bytes are damaged"),
        },
        right,
        newer: is_newer.then_some(by),
    })
}

/// Returns the page size, where the first page adds up with another only.
fn wrong_page_size(probe: &Probe, header: &HeaderFields) -> Option<WrongFields> {
    // A first page in a log replaces that of the file.
    if probe.wal.has_content() {
        return None;
    }
    let file = open_plain(&probe.path).ok()?;
    let actual =
        first_page::page_size(&file, header.page_size, header.reserved).filter(|actual| *actual != header.page_size)?;
    // 65,536 is written as 1.
    let field = u16::try_from(actual).unwrap_or(1).to_be_bytes();
    Some(WrongFields {
        words: format!(
            "the header gives a page size of {} bytes, and the first page, with all that it holds, has {actual}",
            header.page_size
        ),
        right: vec![(16, field.to_vec())],
        newer: None,
    })
}

/// Returns the text encoding, where the schema is in another.
fn wrong_encoding(probe: &Probe, header: &HeaderFields) -> Option<WrongFields> {
    if probe.wal.has_content() {
        return None;
    }
    let file = open_plain(&probe.path).ok()?;
    let page_size = first_page::page_size(&file, header.page_size, header.reserved)?;
    let layout = Layout::new(page_size as usize, header.reserved.into())?;
    let stated = Encoding::from_number(header.encoding);
    let read = |number: u32, into: &mut Vec<u8>| {
        into.resize(layout.page_size, 0);
        let at = u64::from(number).saturating_sub(1) * u64::from(page_size);
        file.read_exact_at(into, at).is_ok()
    };
    let actual = first_page::encoding(layout, &read).filter(|actual| stated != Some(*actual))?;
    let name = |encoding: Encoding| encoding.pragma_name().unwrap_or("UTF-8");
    let stated = match stated {
        Some(stated) => name(stated).to_owned(),
        None => format!("an encoding {} that there is not", header.encoding),
    };
    Some(WrongFields {
        words: format!(
            "the header says that text is in {stated}, and the text of the schema is in {}",
            name(actual)
        ),
        right: vec![(56, actual.number().to_be_bytes().to_vec())],
        newer: None,
    })
}

/// Returns a version number of SQLite as it is written.
pub(crate) fn version_name(number: u32) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
}
