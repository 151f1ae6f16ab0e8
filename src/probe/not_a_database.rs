//! Looks into a file that does not begin like a database, or does not have the length of one: what it went through, and how much of a
//! database is in it.
//!
//! Everything here reads a bounded part of the file, in order, and says how much that was ([`Contents::examined`]).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sqlite_format::header::{HeaderFields, MAGIC};

use super::first_bytes::{GIT_LFS, NOISE, TAR};
use super::{PathKind, Probe, open_plain, words};
use crate::application::{Conversion, FirstPage, NoStore};
use crate::limits::stop::Stop;
use crate::text::words::{plural, thousands};

/// The facts about a file after one pass over it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The number of bytes that were read, from the beginning.
    pub examined: u64,
    /// The file ended within them.
    pub complete: bool,
    /// The first bytes of the file, 200 at most.
    pub head: Vec<u8>,
    /// The number of zero bytes at the beginning.
    pub leading_zeros: u64,
    /// The offset of a database further on, by its header.
    pub database_at: Option<DatabaseAt>,
    /// The pages of a database that are in it, by their form.
    pub pages: Option<Pages>,
}

/// A database's header that stands further on in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DatabaseAt {
    /// Its offset in bytes.
    pub offset: u64,
    /// The size of the database in bytes, where the header vouches for it.
    pub size: Option<u64>,
}

/// The pages that have the form of a database's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    /// Their size in bytes.
    pub page_size: u32,
    /// The number of whole pages of that size that were read.
    pub examined: u64,
    /// The number of those that have the form of a page of a table or an index; the first only if it has it behind a header.
    pub trees: u64,
    /// The first page has the form of a database's first page, but for the header.
    pub is_first_tree: bool,
    /// The number of the page that the first page equals.
    pub copied: Option<u64>,
}

impl Contents {
    /// Returns true if every byte that was looked at is zero.
    pub(crate) fn is_all_zero(&self) -> bool {
        self.leading_zeros == self.examined
    }
}

/// The largest page, which is also the piece in which a file is read.
const PIECE: usize = 65_536;

/// The most bytes of a file that are read, without holes.
const MOST: u64 = 256 << 20;

/// The fewest signs from which a conversion is told.
const FEWEST: u64 = 16;

/// Reads at most `most` bytes of a file and says what is in them. Holes are zero bytes, and need no reading: `skip` goes behind one
/// that begins at an offset, and returns its length in bytes, a multiple of [`PIECE`]. Ends earlier when it is time to stop.
///
/// # Errors
/// Fails if the file cannot be read.
fn examine(mut file: impl Read, skip: impl Fn(u64) -> io::Result<u64>, most: u64, stop: &Stop) -> io::Result<Contents> {
    let mut out = Contents::default();
    let mut left = most;
    let mut sizes: Vec<Pages> = (9..=16)
        .map(|bits| Pages {
            page_size: 1 << bits,
            ..Pages::default()
        })
        .collect();
    // The end of the piece before stands in front of each piece: a header may lie across two.
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * PIECE);
    let mut first = Vec::new();
    while stop.reason().is_none() {
        let hole = skip(out.examined)?;
        if hole > 0 {
            if first.is_empty() {
                first = vec![0; PIECE];
            }
            if out.leading_zeros == out.examined {
                out.leading_zeros += hole;
            }
            for size in &mut sizes {
                size.examined += hole / u64::from(size.page_size);
            }
            out.examined += hole;
            buffer.clear();
        }
        let kept = buffer.len();
        (&mut file).take(left.min(PIECE as u64)).read_to_end(&mut buffer)?;
        let piece = &buffer[kept..];
        if piece.is_empty() {
            break;
        }
        left -= piece.len() as u64;
        if first.is_empty() {
            first = piece.to_vec();
            out.head = piece[..piece.len().min(200)].to_vec();
        }
        if out.leading_zeros == out.examined {
            out.leading_zeros += piece.iter().take_while(|byte| **byte == 0).count() as u64;
        }
        for size in &mut sizes {
            size.take(piece, &first);
        }
        if out.database_at.is_none() {
            let begins = out.examined - kept as u64;
            out.database_at = find_header(&buffer, begins);
        }
        out.examined += piece.len() as u64;
        let keep = buffer.len().min(100);
        buffer.drain(..buffer.len() - keep);
    }
    out.complete = file.take(1).read_to_end(&mut Vec::new())? == 0;
    // Where two sizes have as many, the larger is right: each page begins where pages of half the size do too.
    out.pages = sizes
        .into_iter()
        .filter(|size| size.trees >= 2 || size.trees == 1 && size.examined <= 3)
        .max_by_key(|size| (size.trees, size.page_size));
    Ok(out)
}

/// Goes behind a hole of a file that begins at this offset, where it reads zero bytes, and returns its length in whole pieces.
fn skip_hole(mut file: &File, from: u64) -> io::Result<u64> {
    let next = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(next) => next,
        // There is nothing but a hole up to the end.
        Err(rustix::io::Errno::NXIO) => file.metadata()?.len().max(from),
        // A file system that knows no holes.
        Err(_) => from,
    };
    let hole = (next - from) / PIECE as u64 * PIECE as u64;
    file.seek(SeekFrom::Start(from + hole))?;
    Ok(hole)
}

/// Reads a file as long as it can have been converted, and tells the conversion if it was: of most files, the first piece.
fn find_conversion(file: impl Read, stop: &Stop) -> io::Result<Option<Conversion>> {
    Ok(count_text(file, stop)?.and_then(|text| text.conclude()))
}

/// Reads a file as long as it can have been converted, and counts what of text is in it; `None` where it was not.
fn count_text(mut file: impl Read, stop: &Stop) -> io::Result<Option<Text>> {
    let mut text = Text::default();
    let mut piece = Vec::with_capacity(PIECE);
    while text.can_be_converted() && text.size < MOST && stop.reason().is_none() {
        piece.clear();
        (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(Some(text));
        }
        if text.head.is_empty() {
            text.head.extend_from_slice(&piece[..piece.len().min(200)]);
        }
        text.size += piece.len() as u64;
        text.take(&piece);
    }
    Ok(None)
}

/// Returns the place of a database's header in the bytes, which begin at this offset of the file; at the very beginning is one place
/// of many.
fn find_header(bytes: &[u8], begins: u64) -> Option<DatabaseAt> {
    let mut from = 0;
    loop {
        let found = bytes.get(from..)?.iter().position(|byte| *byte == MAGIC[0])? + from;
        let offset = begins + found as u64;
        if offset > 0
            && bytes[found..].starts_with(MAGIC)
            && let Some(header) = HeaderFields::parse(&bytes[found..])
            && header.faults().is_empty()
        {
            let size = header.vouched_pages().map(|pages| u64::from(pages) * u64::from(header.page_size));
            return Some(DatabaseAt { offset, size });
        }
        from = found + 1;
    }
}

impl Pages {
    /// Counts the pages of a piece, which begins where a page of any size does. `first` is the first piece.
    fn take(&mut self, piece: &[u8], first: &[u8]) {
        let first_page = first.get(..self.page_size as usize).filter(|page| page.iter().any(|byte| *byte != 0));
        for page in piece.chunks_exact(self.page_size as usize) {
            self.examined += 1;
            if self.examined == 1 {
                self.is_first_tree = has_form_of_tree_at(page, 100);
                self.trees += u64::from(self.is_first_tree);
                continue;
            }
            self.trees += u64::from(has_form_of_tree_at(page, 0));
            if self.copied.is_none() && Some(page) == first_page {
                self.copied = Some(self.examined);
            }
        }
    }
}

/// Returns true if a page has the form of a page of a table or an index: its kind, as many cell pointers as it has cells,
/// and all of them between the pointers and the end ("B-tree Pages").
pub(crate) fn has_form_of_tree_at(page: &[u8], at: usize) -> bool {
    let word = |at: usize| page.get(at..at + 2).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]));
    let pointers = at
        + match page.get(at) {
            Some(2 | 5) => 12,
            Some(10 | 13) => 8,
            _ => return false,
        };
    let cells = word(at + 3);
    let content = match word(at + 5) {
        0 => 65_536,
        content => content,
    };
    let end = pointers + 2 * cells;
    let inside = |cell: usize| (content..page.len()).contains(&word(pointers + 2 * cell));
    cells > 0 && end <= content && content <= page.len() && (0..cells).all(inside)
}

/// Counts over bytes taken as text.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// The first bytes, 200 at most.
    pub(crate) head: Vec<u8>,
    /// The number of bytes.
    pub(crate) size: u64,
    pub(crate) line_feeds: u64,
    /// Line feeds behind a carriage return.
    pub(crate) after_return: u64,
    /// Carriage returns.
    pub(crate) returns: u64,
    before: u8,
    /// The bytes are not UTF-8.
    broken: bool,
    characters: u64,
    /// Characters from U+0080 to U+00FF.
    pub(crate) latin: u64,
    /// Characters above U+00FF, but for U+FFFD.
    pub(crate) beyond: u64,
    /// Characters U+FFFD.
    pub(crate) replacements: u64,
    /// A character that is cut at the end of a piece.
    rest: Vec<u8>,
}

impl Text {
    fn take(&mut self, piece: &[u8]) {
        for byte in piece {
            self.returns += u64::from(*byte == b'\r');
            if *byte == b'\n' {
                self.line_feeds += 1;
                self.after_return += u64::from(self.before == b'\r');
            }
            self.before = *byte;
        }
        if self.broken {
            return;
        }
        self.rest.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => {
                self.broken = error.error_len().is_some();
                error.valid_up_to()
            }
        };
        for character in std::str::from_utf8(&self.rest[..whole]).unwrap_or_default().chars() {
            self.characters += 1;
            match character {
                '\0'..='\u{7f}' => {}
                '\u{80}'..='\u{ff}' => self.latin += 1,
                char::REPLACEMENT_CHARACTER => self.replacements += 1,
                _ => self.beyond += 1,
            }
        }
        self.rest.drain(..whole);
    }

    /// Returns true if the bytes so far are those of a converted file.
    fn can_be_converted(&self) -> bool {
        !self.broken || self.line_feeds == self.after_return || self.returns == 0
    }

    /// Returns true if all bytes are UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }

    /// Tells the conversion, of a file that still begins like a database.
    fn conclude(&self) -> Option<Conversion> {
        let (head, size) = (&self.head[..], self.size);
        if !head.starts_with(MAGIC) {
            return None;
        }
        let is_utf8 = self.is_utf8();
        if is_utf8 && self.replacements >= FEWEST {
            return Some(Conversion::Replaced {
                count: self.replacements,
            });
        }
        if is_utf8 && self.latin >= FEWEST && self.beyond + self.replacements == 0 {
            return Some(Conversion::Latin1ToUtf8 {
                original_size: self.characters,
            });
        }
        // The page size stands before any byte that can be a line feed there: 0x0a is in none.
        let header = HeaderFields::parse(head).filter(HeaderFields::has_valid_page_size)?;
        let page_size = header.page_size;
        let original = size - self.after_return;
        let counted = header.vouched_pages().map(|pages| u64::from(pages) * u64::from(page_size));
        if (self.line_feeds >= FEWEST || self.line_feeds > 0 && counted == Some(original))
            && self.after_return == self.line_feeds
            && original.is_multiple_of(page_size.into())
        {
            return Some(Conversion::CarriageReturnsAdded {
                count: self.after_return,
            });
        }
        // The schema's root is a leaf, or leads to leaves: every whole database of two pages has this byte.
        let is_odd = !size.is_multiple_of(page_size.into()) || head.get(100) != Some(&5);
        (self.returns == 0 && size >= 2 * u64::from(page_size) && is_odd).then_some(Conversion::CarriageReturnsLost)
    }
}

/// A file in which no database can be opened as it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// A description, as a sentence with `it` as its subject.
    pub words: String,
    /// The kind as a value.
    pub what: NoStore,
}

/// Reads a file that does not begin like a database, and says what it is. Of anything else, only the kind of the path is said.
pub(crate) fn describe(probe: &Probe, stop: &Stop) -> Option<Description> {
    let PathKind::NotSqlite(what) = &probe.kind else {
        return None;
    };
    let contents = look(probe, stop)?;
    Some(conclude(&contents, *what, probe.size()).unwrap_or_else(|| Description {
        words: words(&probe.kind, probe.size()),
        what: match what {
            Some(GIT_LFS) => NoStore::GitLfsPointer,
            Some(NOISE) => NoStore::Noise,
            _ => NoStore::NotSqlite,
        },
    }))
}

/// Says which conversion of text a file went through that begins like a database.
pub(crate) fn describe_conversion(probe: &Probe, stop: &Stop) -> Option<Description> {
    let conversion = find_conversion(open_plain(&probe.path).ok()?, stop).ok()??;
    if !probe.file_is_unchanged() {
        return None;
    }
    Some(Description {
        words: describe_converted(conversion),
        what: NoStore::Converted(conversion),
    })
}

/// Counts what of text is in a file that can have been converted, behind a byte order mark if there is one.
pub(crate) fn count_text_of(probe: &Probe, stop: &Stop) -> Option<Text> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let mut file = open_plain(&probe.path).ok()?;
    let mut begin = [0; BYTE_ORDER_MARK.len()];
    file.read_exact(&mut begin).ok()?;
    if begin != BYTE_ORDER_MARK {
        file.seek(SeekFrom::Start(0)).ok()?;
    }
    count_text(file, stop).ok()?.filter(|_| probe.file_is_unchanged())
}

/// Says what a file is in which no store can be opened, for a message of one line.
pub(crate) fn words_of(probe: &Probe, stop: &Stop) -> String {
    describe(probe, stop).map_or_else(|| words(&probe.kind, probe.size()), |found| found.words)
}

/// Returns the kind of content of the file, if it can be read and does not change meanwhile.
fn look(probe: &Probe, stop: &Stop) -> Option<Contents> {
    let file = open_plain(&probe.path).ok()?;
    let contents = examine(&file, |from| skip_hole(&file, from), MOST, stop).ok()?;
    probe.file_is_unchanged().then_some(contents)
}

/// Says what is left of a database in a file, or that it is zero bytes; `None` where it is only what its first bytes announce.
fn conclude(contents: &Contents, announced: Option<&'static str>, size: u64) -> Option<Description> {
    let is_most = |pages: &Pages| 2 * pages.trees >= pages.examined;
    let pages = contents
        .pages
        .filter(|pages| announced != Some(TAR) && (announced.is_none_or(is_weak) || is_most(pages)));
    // A header further on is a row's where the pages around it are a database's themselves, and its own does not fill the file.
    let fills =
        |at: &DatabaseAt| at.size.is_some_and(|own| (0..PIECE as u64).contains(&size.wrapping_sub(at.offset + own)));
    let before = contents
        .database_at
        .filter(|at| announced.is_none_or(is_weak) && (fills(at) || !pages.as_ref().is_some_and(is_most)));
    if let Some(at) = before {
        let is_whole = at.size.is_some_and(|own| own <= size - at.offset);
        return Some(Description {
            words: format!(
                "it does not begin like an SQLite database, but one begins further on in it, at offset {}, behind other bytes: do not delete it",
                at.offset
            ),
            what: NoStore::BytesBefore {
                bytes: at.offset,
                is_whole,
            },
        });
    }
    if let Some(pages) = pages {
        return Some(describe_pages(contents, &pages, size));
    }
    let zeros = thousands(contents.leading_zeros);
    let not_found = "no page of a database was found";
    let words = match contents.leading_zeros {
        _ if contents.is_all_zero() && contents.complete => {
            format!("it is not an SQLite database, but only zero bytes ({size} bytes)")
        }
        _ if contents.is_all_zero() => format!(
            "it is not an SQLite database ({size} bytes): its first {zeros} bytes are zero, and the rest was not looked at"
        ),
        512.. if contents.complete => format!(
            "it is not an SQLite database ({size} bytes): its first {zeros} bytes are zero, and {not_found} behind them"
        ),
        512.. => format!(
            "it is not an SQLite database ({size} bytes): its first {zeros} bytes are zero, and {not_found} in the {} bytes that were looked at",
            thousands(contents.examined)
        ),
        _ => return None,
    };
    Some(Description {
        words,
        what: NoStore::NotSqlite,
    })
}

/// Returns true if the first bytes prove nothing about the rest.
fn is_weak(announced: &'static str) -> bool {
    announced == NOISE
        || announced.starts_with("text")
        || matches!(announced, "only zero bytes" | "a web page (HTML)" | "an XML document")
}

/// Says how many pages of a database are in a file, and what became of the first.
fn describe_pages(contents: &Contents, pages: &Pages, size: u64) -> Description {
    let page_size = u64::from(pages.page_size);
    let intact = match pages.is_first_tree {
        true if has_whole_fields(&contents.head, pages.page_size) => FirstPage::AllButMagic,
        true => FirstPage::AllButHeader,
        false => FirstPage::Nothing,
    };
    let zero_pages = contents.leading_zeros / page_size;
    let first = match (intact, pages.copied) {
        (FirstPage::Nothing, _) if zero_pages > 1 => {
            format!("its first {} are gone (only zero bytes)", plural(zero_pages, "page", "pages"))
        }
        (FirstPage::Nothing, _) if zero_pages == 1 => "its first page is gone (only zero bytes)".to_owned(),
        (FirstPage::Nothing, Some(copied)) => format!("its first page is gone (a copy of page {copied})"),
        (FirstPage::Nothing, None) => "its first page is gone (it is not a page of a database)".to_owned(),
        _ => "its header is overwritten".to_owned(),
    };
    let of = if contents.complete {
        format!("{} pages of {} bytes", thousands(size / page_size), thousands(page_size))
    } else {
        format!(
            "the {} pages of {} bytes that were looked at",
            thousands(pages.examined),
            thousands(page_size)
        )
    };
    Description {
        words: format!(
            "it does not begin like an SQLite database: {first}, but {} of {of} have the form of a database's: do not delete it",
            thousands(pages.trees)
        ),
        what: NoStore::FirstPageGone {
            intact,
            page_size: pages.page_size,
            pages: u32::try_from(size / page_size).unwrap_or(u32::MAX),
        },
    }
}

/// Returns true if the fields behind the magic and the page size are a sound header's.
fn has_whole_fields(head: &[u8], page_size: u32) -> bool {
    let mut mended = head.to_vec();
    // 65,536 is written as 1.
    let size = u16::try_from(page_size).unwrap_or(1).to_be_bytes();
    for (slot, byte) in mended.iter_mut().zip(MAGIC.iter().chain(&size)) {
        *slot = *byte;
    }
    HeaderFields::parse(&mended).is_some_and(|header| header.faults().is_empty())
}

fn describe_converted(conversion: Conversion) -> String {
    let how = match conversion {
        Conversion::CarriageReturnsAdded { count } => format!(
            "a carriage return stands before each of its {} (CR LF), which can be undone exactly, so that no byte is lost by that",
            plural(count, "line feed", "line feeds")
        ),
        Conversion::Latin1ToUtf8 { original_size } => format!(
            "each of its bytes above 127 was taken for a Latin-1 character and written as UTF-8, which can be undone exactly, so that none of its {} bytes is lost by that",
            thousands(original_size)
        ),
        Conversion::Replaced { count } => format!(
            "what is not UTF-8 in it was replaced by U+FFFD, {}, which cannot be undone",
            plural(count, "time", "times")
        ),
        Conversion::CarriageReturnsLost => {
            "not one carriage return (byte 0x0d) is left in it, with which each page of a table begins, and this cannot be undone".to_owned()
        }
    };
    format!("it was copied as if it were text: {how}")
}

/// Names the limit at which a copy ends that a program, a file system or a protocol with 31 or 32 bits made.
pub(crate) fn name_size_limit(size: u64) -> Option<&'static str> {
    const GIB: u64 = 1 << 30;
    match size {
        _ if size == 2 * GIB || size == 2 * GIB - 1 => Some("2 GiB"),
        _ if size == 4 * GIB || size == 4 * GIB - 1 => Some("4 GiB"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a database of some dozen pages of this size.
    #[expect(clippy::disallowed_methods, reason = "the test makes the store that it damages")]
    fn database(page_size: u32) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "page_size", page_size).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB); CREATE INDEX i ON t(a);
                 WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k+1 FROM n WHERE k<4000)
                 INSERT INTO t(a, b) SELECT 'value ' || k || char(10), randomblob(20) FROM n",
            )
            .unwrap();
        drop(connection);
        std::fs::read(path).unwrap()
    }

    fn look(bytes: &[u8]) -> Contents {
        examine(bytes, |_| Ok(0), MOST, &Stop::never()).unwrap()
    }

    fn converted(bytes: &[u8]) -> Option<Conversion> {
        find_conversion(bytes, &Stop::never()).unwrap()
    }

    #[test]
    fn a_lost_first_page_leaves_the_others_and_their_size() {
        for page_size in [512, 1024, 4096, 16_384] {
            let mut bytes = database(page_size);
            let total = bytes.len() as u64 / u64::from(page_size);
            bytes[..page_size as usize].fill(0);
            let found = look(&bytes);
            let pages = found.pages.unwrap();
            assert_eq!((pages.page_size, pages.examined), (page_size, total));
            assert_eq!(pages.trees, total - 1, "{page_size}");
            assert!(found.leading_zeros >= page_size.into() && !found.is_all_zero());
        }
    }

    #[test]
    fn a_sound_database_shows_nothing_odd() {
        let bytes = database(4096);
        let found = look(&bytes);
        assert_eq!((converted(&bytes), found.database_at, found.leading_zeros), (None, None, 0));
        assert_eq!(found.pages.unwrap().trees, bytes.len() as u64 / 4096);
        assert!(found.complete);
    }

    #[test]
    fn a_database_behind_other_bytes_is_found() {
        let bytes = database(4096);
        for before in [3, 59, 512, PIECE - 8, PIECE + 5] {
            let mut moved = vec![b'x'; before];
            moved.extend_from_slice(&bytes);
            assert_eq!(look(&moved).database_at.map(|at| at.offset), Some(before as u64));
        }
        assert_eq!(look(b"The header of SQLite format 3\0 is 100 bytes long").database_at, None);
    }

    #[test]
    fn conversions_of_text_are_told_apart() {
        let bytes = database(4096);
        let feeds = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        let with_returns: Vec<u8> = bytes
            .iter()
            .flat_map(|byte| {
                if *byte == b'\n' {
                    vec![b'\r', b'\n']
                } else {
                    vec![*byte]
                }
            })
            .collect();
        let added = Conversion::CarriageReturnsAdded { count: feeds };
        assert_eq!(converted(&with_returns), Some(added));
        let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let original_size = bytes.len() as u64;
        assert_eq!(converted(latin.as_bytes()), Some(Conversion::Latin1ToUtf8 { original_size }));
        let replaced = String::from_utf8_lossy(&bytes);
        assert!(matches!(converted(replaced.as_bytes()), Some(Conversion::Replaced { .. })));
        let without: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        assert_eq!(converted(&without), Some(Conversion::CarriageReturnsLost));
    }

    #[test]
    fn zero_bytes_only_are_told_from_zero_bytes_in_front() {
        let found = look(&vec![0; 200_000]);
        assert!(found.is_all_zero() && found.pages.is_none());
        assert_eq!(found.leading_zeros, 200_000);
        let mut front = vec![0; 70_000];
        front.push(1);
        let found = look(&front);
        assert_eq!((found.leading_zeros, found.is_all_zero()), (70_000, false));
    }

    #[test]
    fn no_more_is_read_than_was_allowed() {
        let found = examine(io::repeat(7), |_| Ok(0), 100_000, &Stop::never()).unwrap();
        assert_eq!((found.examined, found.complete), (100_000, false));
    }

    #[test]
    fn sizes_speak() {
        assert_eq!(name_size_limit(2_147_483_647), Some("2 GiB"));
        assert_eq!(name_size_limit(4_294_967_296), Some("4 GiB"));
        assert_eq!(name_size_limit(4096), None);
    }
}
