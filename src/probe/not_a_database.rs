//! Looks into a file that does not begin like a database, or does not end like one: what it is instead, what it went through,
//! and how much of a database is in it.
//!
//! Everything here reads a bounded part of the file, in order, and says how much that was ([`Contents::examined`]).

use std::io::{self, Read};

use sqlite_format::header::{HeaderFields, MAGIC};

/// The kinds of file that have something to do with a store and that a few bytes at a fixed place tell.
const KINDS: &[(usize, &[u8], &str)] = &[
    (0, b"version https://git-lfs.github.com/spec/", "a Git LFS pointer"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document"),
    (12, b"\x62\x31\x05\x00", "a Berkeley DB file (b-tree)"),
    (12, b"\x00\x05\x31\x62", "a Berkeley DB file (b-tree)"),
    (12, b"\x61\x15\x06\x00", "a Berkeley DB file (hash)"),
    (12, b"\x00\x06\x15\x61", "a Berkeley DB file (hash)"),
    (0, b"\x00\x06\x15\x61", "a Berkeley DB file (hash, version 1.85)"),
    (0, b"\x61\x15\x06\x00", "a Berkeley DB file (hash, version 1.85)"),
    (16, b"\xed\xda\x0c\xed", "a BoltDB (bbolt) file"),
    (16, b"\xde\xc0\xef\xbe", "an LMDB file"),
    (4, b"\xef\xcd\xab\x89", "an ESE database"),
    (4, b"Standard Jet DB", "a Microsoft Access database"),
    (4, b"Standard ACE DB", "a Microsoft Access database"),
    (8, b"DUCK", "a DuckDB database"),
    (0, b"\x13\x57\x9a\xce", "a GNU dbm file"),
    (0, b"\xce\x9a\x57\x13", "a GNU dbm file"),
];

/// Names what a file is whose first bytes are not a database's, where they tell.
pub(crate) fn recognise(head: &[u8]) -> Option<&'static str> {
    let has = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if let Some((.., what)) = KINDS.iter().find(|(at, magic, _)| has(*at, magic)) {
        return Some(what);
    }
    let text = head.trim_ascii_start();
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Some("a web page (HTML)");
    }
    if begins(b"<?xml") {
        return Some("an XML document");
    }
    let is_json = text.starts_with(b"{") || text.starts_with(b"[");
    let is_text = head.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    (is_json && is_text).then_some("text: JSON")
}

/// A conversion that a file went through as if it were text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// A carriage return was put before each line feed: undone exactly by taking away those.
    CarriageReturnsAdded {
        /// How many there are.
        count: u64,
    },
    /// Each byte was taken for a Latin-1 character and written as UTF-8: undone exactly.
    Latin1ToUtf8 {
        /// How many bytes the file had.
        original_size: u64,
    },
    /// What is not UTF-8 was replaced by U+FFFD: cannot be undone.
    Replaced {
        /// How many replacement characters there are.
        count: u64,
    },
    /// No carriage return is left in the file, without which no page of a table can begin: cannot be undone.
    CarriageReturnsLost,
}

/// What is known of a file after one pass over it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// How many bytes were looked at, from the beginning.
    pub examined: u64,
    /// The file ended within them.
    pub complete: bool,
    /// How many bytes at the beginning are zero.
    pub leading_zeros: u64,
    /// How many of the bytes are zero.
    pub zeros: u64,
    /// Where a database begins further on, by its header.
    pub database_at: Option<u64>,
    /// The conversion that it went through, where the whole file was looked at.
    pub conversion: Option<Conversion>,
    /// The pages of a database that are in it, by their form.
    pub pages: Option<Pages>,
}

/// The pages that have the form of a database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    /// Their size in bytes.
    pub page_size: u32,
    /// How many whole pages of that size were looked at.
    pub examined: u64,
    /// How many of them have the form of a page of a table or an index.
    pub trees: u64,
    /// How many of them hold only zero bytes.
    pub zero: u64,
}

impl Contents {
    /// Returns whether every byte that was looked at is zero.
    pub(crate) fn is_all_zero(&self) -> bool {
        self.zeros == self.examined
    }
}

/// The largest page, which is also the piece in which a file is read.
const PIECE: usize = 65_536;

/// The fewest signs from which a conversion is told.
const FEWEST: u64 = 16;

/// Reads at most `most` bytes of a file and says what is in them.
///
/// # Errors
/// What the system says where it cannot be read.
pub(crate) fn examine(mut file: impl Read, most: u64) -> io::Result<Contents> {
    let mut out = Contents::default();
    let mut text = Text::default();
    let mut sizes: Vec<Pages> = (9..=16)
        .map(|bits| Pages {
            page_size: 1 << bits,
            examined: 0,
            trees: 0,
            zero: 0,
        })
        .collect();
    let mut still_zero = true;
    // The end of the piece before stands in front of each piece: a header may lie across two.
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * PIECE);
    let mut head = Vec::new();
    loop {
        let kept = buffer.len();
        let left = most.saturating_sub(out.examined).min(PIECE as u64);
        (&mut file).take(left).read_to_end(&mut buffer)?;
        let piece = &buffer[kept..];
        if piece.is_empty() {
            break;
        }
        if head.is_empty() {
            head = piece[..piece.len().min(200)].to_vec();
        }
        if still_zero {
            let leading = piece.iter().take_while(|byte| **byte == 0).count();
            out.leading_zeros += leading as u64;
            still_zero = leading == piece.len();
        }
        out.zeros += piece.iter().map(|byte| u64::from(*byte == 0)).sum::<u64>();
        text.take(piece);
        for size in &mut sizes {
            size.take(piece, out.examined == 0);
        }
        if out.database_at.is_none() {
            let begins = out.examined - kept as u64;
            out.database_at = find_header(&buffer).map(|at| begins + at as u64).filter(|at| *at > 0);
        }
        out.examined += piece.len() as u64;
        let keep = buffer.len().min(100);
        buffer.drain(..buffer.len() - keep);
    }
    out.complete = file.take(1).read_to_end(&mut Vec::new())? == 0;
    // Where two sizes have as many, the larger is right: each page begins where pages of half the size do too.
    out.pages = sizes
        .into_iter()
        .filter(|size| size.trees >= 2)
        .max_by_key(|size| (size.trees, size.page_size));
    if out.complete {
        out.conversion = text.conclude(&head, out.examined);
    }
    Ok(out)
}

/// Returns where a database's header stands in the bytes; at the very beginning is one place of many.
fn find_header(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let found = bytes.get(from..)?.iter().position(|byte| *byte == MAGIC[0])? + from;
        if bytes[found..].starts_with(MAGIC)
            && let Some(header) = HeaderFields::parse(&bytes[found..])
            && header.has_valid_page_size()
        {
            return Some(found);
        }
        from = found + 1;
    }
}

impl Pages {
    /// Counts the pages of a piece, which begins where a page of any size does.
    fn take(&mut self, piece: &[u8], first: bool) {
        for (index, page) in piece.chunks_exact(self.page_size as usize).enumerate() {
            self.examined += 1;
            if page.iter().all(|byte| *byte == 0) {
                self.zero += 1;
            } else if has_form_of_tree(page) || first && index == 0 && has_form_of_tree_at(page, 100) {
                self.trees += 1;
            }
        }
    }
}

fn has_form_of_tree(page: &[u8]) -> bool {
    has_form_of_tree_at(page, 0)
}

/// Returns whether a page has the form of a page of a table or an index: its kind, as many cell pointers as it has cells,
/// and all of them between the pointers and the end ("B-tree Pages").
fn has_form_of_tree_at(page: &[u8], at: usize) -> bool {
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
#[derive(Default)]
struct Text {
    line_feeds: u64,
    after_return: u64,
    returns: u64,
    before: u8,
    /// The bytes are not UTF-8.
    broken: bool,
    characters: u64,
    /// Characters from U+0080 to U+00FF.
    latin: u64,
    /// Characters above U+00FF.
    beyond: u64,
    replacements: u64,
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

    /// Tells the conversion, of a file that still begins like a database.
    fn conclude(&self, head: &[u8], size: u64) -> Option<Conversion> {
        if !head.starts_with(MAGIC) {
            return None;
        }
        let is_utf8 = !self.broken && self.rest.is_empty();
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
        let page_size = HeaderFields::parse(head).filter(HeaderFields::has_valid_page_size)?.page_size;
        let original = size - self.after_return;
        if self.line_feeds >= FEWEST
            && self.after_return == self.line_feeds
            && original.is_multiple_of(page_size.into())
        {
            return Some(Conversion::CarriageReturnsAdded {
                count: self.after_return,
            });
        }
        let pages = size / u64::from(page_size);
        (self.returns == 0 && pages >= 2 && !size.is_multiple_of(page_size.into()))
            .then_some(Conversion::CarriageReturnsLost)
    }
}

/// Returns how many bytes lie behind the last page of a database that has all of its pages; `None` where one is missing.
pub(crate) fn bytes_behind(size: u64, page_size: u32, pages: u32) -> Option<u64> {
    size.checked_sub(u64::from(page_size) * u64::from(pages))
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

    const MOST: u64 = 64 << 20;

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
        examine(bytes, MOST).unwrap()
    }

    #[test]
    fn a_lost_first_page_leaves_the_others_and_their_size() {
        for page_size in [512, 1024, 4096, 16_384] {
            let mut bytes = database(page_size);
            let total = bytes.len() as u64 / u64::from(page_size);
            bytes[..page_size as usize].fill(0);
            let found = look(&bytes);
            let pages = found.pages.unwrap();
            assert_eq!((pages.page_size, pages.examined, pages.zero), (page_size, total, 1));
            assert_eq!(pages.trees, total - 1, "{page_size}");
            assert!(found.leading_zeros >= page_size.into() && !found.is_all_zero());
        }
    }

    #[test]
    fn a_sound_database_shows_nothing_odd() {
        let bytes = database(4096);
        let found = look(&bytes);
        assert_eq!((found.conversion, found.database_at, found.leading_zeros), (None, None, 0));
        assert_eq!(found.pages.unwrap().trees, bytes.len() as u64 / 4096);
        assert!(found.complete);
    }

    #[test]
    fn a_database_behind_other_bytes_is_found() {
        let bytes = database(4096);
        for before in [3, 59, 512, PIECE - 8, PIECE + 5] {
            let mut moved = vec![b'x'; before];
            moved.extend_from_slice(&bytes);
            assert_eq!(look(&moved).database_at, Some(before as u64));
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
        assert_eq!(look(&with_returns).conversion, Some(added));
        let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let original_size = bytes.len() as u64;
        assert_eq!(look(latin.as_bytes()).conversion, Some(Conversion::Latin1ToUtf8 { original_size }));
        let replaced = String::from_utf8_lossy(&bytes);
        assert!(matches!(look(replaced.as_bytes()).conversion, Some(Conversion::Replaced { .. })));
        let without: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        assert_eq!(look(&without).conversion, Some(Conversion::CarriageReturnsLost));
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
        let found = examine(io::repeat(7), 100_000).unwrap();
        assert_eq!((found.examined, found.complete), (100_000, false));
    }

    #[test]
    fn other_files_are_named() {
        let mut bolt = vec![0; 64];
        bolt[16..20].copy_from_slice(&0xed0c_daed_u32.to_le_bytes());
        let mut berkeley = vec![0; 64];
        berkeley[12..16].copy_from_slice(&0x0005_3162_u32.to_le_bytes());
        for (head, what) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..],
                Some("a Git LFS pointer"),
            ),
            (b"\n<!DOCTYPE html>\n<html>", Some("a web page (HTML)")),
            (b"{\"error\": 404}", Some("text: JSON")),
            (&bolt, Some("a BoltDB (bbolt) file")),
            (&berkeley, Some("a Berkeley DB file (b-tree)")),
            (b"[\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(recognise(head), what);
        }
    }

    #[test]
    fn sizes_speak() {
        assert_eq!(bytes_behind(4096 * 3 + 16, 4096, 3), Some(16));
        assert_eq!(bytes_behind(4096 * 2 + 16, 4096, 3), None);
        assert_eq!(name_size_limit(2_147_483_647), Some("2 GiB"));
        assert_eq!(name_size_limit(4_294_967_296), Some("4 GiB"));
        assert_eq!(name_size_limit(4096), None);
    }
}
