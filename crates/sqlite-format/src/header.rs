//! The database header, which the first 100 bytes of a database file are, and what follows from it for every page.
//!
//! Source: "The Database Header", <https://www.sqlite.org/fileformat2.html#the_database_header>.

use super::bytes::{read_u16, read_u32_or_zero};
use super::damage::{Damage, Result};
use super::encoding::Encoding;
use super::page::Kind;

/// The length of the header, in bytes.
pub const HEADER_LEN: usize = 100;

/// The bytes that every database file begins with.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The offset of the byte with which SQLite's locks begin. No WAL and no journal ever holds the page around it.
const LOCK_BYTE: u32 = 0x4000_0000;

/// The type of a table's leaf page, the first byte of its b-tree header.
const TABLE_LEAF: u8 = 13;

/// The type of a table's interior page.
const TABLE_INTERIOR: u8 = 5;

/// Returns `true` when a page can have so many bytes: a power of two from 512 to 65,536.
pub fn is_page_size(bytes: u32) -> bool {
    (512..=65_536).contains(&bytes) && bytes.is_power_of_two()
}

/// Returns the number of the page at the lock byte, 1 GiB into the file, which holds SQLite's locks and nothing else.
pub fn lock_byte_page(page_size: u32) -> u32 {
    LOCK_BYTE / page_size.max(1) + 1
}

/// The fields of the header as the file holds them, in range or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFields {
    /// The page size in bytes (offset 16); 1 stands for 65,536 and is given as that.
    pub page_size: u32,
    /// The write version (offset 18): 1 rollback journal, 2 WAL.
    pub write_version: u8,
    /// The read version (offset 19): 1 rollback journal, 2 WAL.
    pub read_version: u8,
    /// The version number of the SQLite that wrote the file last (offset 96), such as 3054001; 0 in files before 3.7.0.
    pub sqlite_version: u32,
    /// The number of bytes reserved at the end of each page (offset 20).
    pub reserved: u8,
    /// The payload fractions (offsets 21, 22, 23): always 64, 32, 32.
    pub fractions: [u8; 3],
    /// The file change counter (offset 24).
    pub change_counter: u32,
    /// The size in pages (offset 28); only right where `valid_for` equals `change_counter`.
    pub pages: u32,
    /// The first freelist trunk page (offset 32), 0 for none.
    pub freelist_trunk: u32,
    /// The number of pages in the freelist (offset 36).
    pub freelist_pages: u32,
    /// The number of changes of the schema (offset 40).
    pub schema_cookie: u32,
    /// The schema format number (offset 44): 1 to 4, or 0 in a database without a schema.
    pub schema_format: u32,
    /// `true` when page 1, which begins with this header, holds no row of the schema.
    pub schema_is_empty: bool,
    /// The type of the schema's root page (offset 100), where the bytes reach that far: 13 or 5.
    pub schema_page_type: Option<u8>,
    /// The largest root page (offset 52) in an auto-vacuum database, otherwise 0.
    pub largest_root: u32,
    /// The text encoding (offset 56): 1 UTF-8, 2 UTF-16le, 3 UTF-16be, or 0 in a database without a schema.
    pub encoding: u32,
    /// Not 0 in a database with incremental vacuum (offset 64), which needs `largest_root`.
    pub incremental_vacuum: u32,
    /// `true` when the bytes reserved for expansion (offset 72 to 91) are zero, as they must be.
    pub expansion_is_zero: bool,
    /// The change counter for which `pages` is right (offset 92).
    pub valid_for: u32,
}

/// A field of the header that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The page size is none that SQLite has.
    #[error("page size {0} is not a power of two between 512 and 65536")]
    PageSize(u32),
    /// The write version is unknown.
    #[error("write version {0} is neither 1 nor 2")]
    WriteVersion(u8),
    /// The read version is unknown.
    #[error("read version {0} is neither 1 nor 2")]
    ReadVersion(u8),
    /// One version says WAL and the other does not.
    #[error("write version {write} and read version {read} differ")]
    VersionsDiffer {
        /// The write version.
        write: u8,
        /// The read version.
        read: u8,
    },
    /// Too few bytes of a page are usable.
    #[error("{0} reserved bytes leave fewer than 480 in a page")]
    Reserved(u8),
    /// The payload fractions are not the fixed ones.
    #[error("payload fractions are {0:?}, not [64, 32, 32]")]
    Fractions([u8; 3]),
    /// The schema format is unknown.
    #[error("schema format {0} is above 4")]
    SchemaFormat(u32),
    /// The text encoding is unknown.
    #[error("text encoding {0} is above 3")]
    Encoding(u32),
    /// Only one of the schema format and the text encoding says that there is no schema.
    #[error("schema format {schema_format} and text encoding {encoding} contradict each other")]
    FormatWithoutEncoding {
        /// The schema format.
        schema_format: u32,
        /// The text encoding.
        encoding: u32,
    },
    /// Incremental vacuum needs auto-vacuum.
    #[error("incremental vacuum is on without auto-vacuum")]
    IncrementalVacuum,
    /// Bytes that must be zero are not.
    #[error("bytes 72 to 91, reserved for expansion, are not zero")]
    Expansion,
}

impl HeaderFields {
    /// Reads the fields of the first page, or of as much of it as is given. Returns `None` when the bytes do not begin with
    /// [`MAGIC`] or are fewer than [`HEADER_LEN`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let word = |at| read_u32_or_zero(head, at);
        let size = u32::from(u16::from_be_bytes([head[16], head[17]]));
        head.starts_with(MAGIC).then(|| Self {
            page_size: if size == 1 { 65_536 } else { size },
            write_version: head[18],
            read_version: head[19],
            sqlite_version: word(96),
            reserved: head[20],
            fractions: [head[21], head[22], head[23]],
            change_counter: word(24),
            pages: word(28),
            freelist_trunk: word(32),
            freelist_pages: word(36),
            schema_cookie: word(40),
            schema_format: word(44),
            // The header of the schema's b-tree: its page type, and the number of its cells.
            schema_is_empty: bytes.get(100) == Some(&TABLE_LEAF) && read_u16(bytes, 103) == Some(0),
            schema_page_type: bytes.get(100).copied(),
            largest_root: word(52),
            encoding: word(56),
            incremental_vacuum: word(64),
            expansion_is_zero: head[72..92].iter().all(|byte| *byte == 0),
            valid_for: word(92),
        })
    }

    /// Returns `true` when the page size is a power of two from 512 to 65,536.
    pub fn has_valid_page_size(&self) -> bool {
        is_page_size(self.page_size)
    }

    /// Returns `true` when the header says that the database is in WAL mode.
    pub fn is_wal(&self) -> bool {
        self.read_version == 2
    }

    /// Returns `true` when the schema's root page is one of a table, as far as it is known.
    pub fn has_schema_page(&self) -> bool {
        self.schema_page_type.is_none_or(|kind| matches!(kind, TABLE_LEAF | TABLE_INTERIOR))
    }

    /// Returns the size in pages, if the header vouches for it.
    pub fn vouched_pages(&self) -> Option<u32> {
        (self.pages > 0 && self.change_counter == self.valid_for).then_some(self.pages)
    }

    /// Returns all fields that are out of range.
    pub fn faults(&self) -> Vec<HeaderFault> {
        let mut out = Vec::new();
        let mut report = |is_wrong: bool, fault: HeaderFault| {
            if is_wrong {
                out.push(fault);
            }
        };
        let usable = self.page_size.saturating_sub(u32::from(self.reserved));
        let (write, read) = (self.write_version, self.read_version);
        let (schema_format, encoding) = (self.schema_format, self.encoding);
        report(!self.has_valid_page_size(), HeaderFault::PageSize(self.page_size));
        report(!matches!(write, 1 | 2), HeaderFault::WriteVersion(write));
        report(!matches!(read, 1 | 2), HeaderFault::ReadVersion(read));
        report(matches!((write, read), (1, 2) | (2, 1)), HeaderFault::VersionsDiffer { write, read });
        report(
            self.has_valid_page_size() && usable < Layout::LEAST_USABLE,
            HeaderFault::Reserved(self.reserved),
        );
        report(self.fractions != [64, 32, 32], HeaderFault::Fractions(self.fractions));
        report(schema_format > 4, HeaderFault::SchemaFormat(schema_format));
        report(encoding > 3, HeaderFault::Encoding(encoding));
        // VACUUM of a database whose last table was dropped writes format 0 and keeps the encoding.
        let is_emptied = schema_format == 0 && self.schema_is_empty;
        report(
            (schema_format == 0) != (encoding == 0) && !is_emptied,
            HeaderFault::FormatWithoutEncoding {
                schema_format,
                encoding,
            },
        );
        report(self.incremental_vacuum != 0 && self.largest_root == 0, HeaderFault::IncrementalVacuum);
        report(!self.expansion_is_zero, HeaderFault::Expansion);
        out
    }
}

/// The header of a database that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The layout of every page.
    pub layout: Layout,
    /// The size in pages, where the header vouches for it.
    pub pages: Option<u32>,
    /// The first trunk page of the freelist, or 0.
    pub freelist_trunk: u32,
    /// The number of pages in the freelist.
    pub freelist_pages: u32,
    /// The schema format number: 1 to 4, or 0 in a database without a schema.
    pub schema_format: u32,
    /// The largest root page; not 0 in a database with pointer maps (auto-vacuum).
    pub largest_root: u32,
    /// `true` when incremental vacuum is on.
    pub incremental_vacuum: bool,
    /// The text encoding.
    pub encoding: Encoding,
}

impl Header {
    /// Reads and checks the header, as strictly as SQLite does when it opens a database, or more.
    ///
    /// # Errors
    /// Fails with [`Damage::Header`].
    pub fn parse(head: &[u8; HEADER_LEN]) -> Result<Self> {
        let fields = HeaderFields::parse(head)
            .filter(HeaderFields::has_valid_page_size)
            .ok_or(Damage::Header)?;
        let layout = Layout::new(fields.page_size as usize, usize::from(fields.reserved)).ok_or(Damage::Header)?;
        let encoding = Encoding::from_number(fields.encoding).ok_or(Damage::Header)?;
        let is_readable = matches!((fields.write_version, fields.read_version), (1 | 2, 1 | 2))
            && fields.fractions == [64, 32, 32]
            && fields.schema_format <= 4
            && (fields.incremental_vacuum == 0 || fields.largest_root != 0);
        if !is_readable {
            return Err(Damage::Header);
        }
        Ok(Self {
            layout,
            pages: fields.vouched_pages(),
            freelist_trunk: fields.freelist_trunk,
            freelist_pages: fields.freelist_pages,
            schema_format: fields.schema_format,
            largest_root: fields.largest_root,
            incremental_vacuum: fields.incremental_vacuum != 0,
            encoding,
        })
    }
}

/// The layout that all pages of a database share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The page size in bytes.
    pub page_size: usize,
    /// The page size without the bytes reserved at each page's end.
    pub usable: usize,
    /// The most bytes of a payload that lie in a cell of a table.
    most_in_table: usize,
    /// The most bytes of a payload that lie in a cell of an index.
    most_in_index: usize,
    /// The fewest bytes of a payload with overflow pages that lie in a cell.
    least: usize,
}

impl Layout {
    /// The fewest bytes of a page that may be usable.
    const LEAST_USABLE: u32 = 480;

    /// Creates the layout of pages of this size. Returns `None` when fewer than 480 bytes are usable.
    pub fn new(page_size: usize, reserved: usize) -> Option<Self> {
        let usable = page_size.checked_sub(reserved).filter(|usable| *usable >= Self::LEAST_USABLE as usize)?;
        Some(Self {
            page_size,
            usable,
            most_in_table: usable - 35,
            most_in_index: (usable - 12) * 64 / 255 - 23,
            least: (usable - 12) * 32 / 255 - 23,
        })
    }

    /// Returns the number of bytes of a payload of this length that are in its cell; the rest is on overflow pages.
    #[inline]
    pub fn local(&self, kind: Kind, payload: usize) -> usize {
        let most = if kind.is_table() {
            self.most_in_table
        } else {
            self.most_in_index
        };
        if payload <= most {
            return payload;
        }
        let surplus = self.least + (payload - self.least) % (self.usable - 4);
        if surplus <= most { surplus } else { self.least }
    }

    /// Returns the number of the page at the lock byte, which holds nothing.
    pub fn lock_byte_page(&self) -> u32 {
        lock_byte_page(u32::try_from(self.page_size).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> [u8; 100] {
        let mut head = [0; 100];
        head[..16].copy_from_slice(MAGIC);
        head[16..18].copy_from_slice(&4096_u16.to_be_bytes());
        head[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
        head[28..32].copy_from_slice(&7_u32.to_be_bytes());
        head
    }

    #[test]
    fn a_header_is_read_and_one_out_of_range_is_not() {
        let header = Header::parse(&head()).unwrap();
        assert_eq!((header.layout.page_size, header.layout.usable, header.pages), (4096, 4096, Some(7)));
        for (at, byte) in [
            (0, b'T'),
            (16, 3),
            (18, 3),
            (19, 0),
            (21, 65),
            (47, 5),
            (59, 4),
            (67, 1),
        ] {
            let mut bad = head();
            bad[at] = byte;
            assert_eq!(Header::parse(&bad), Err(Damage::Header), "byte {at}");
        }
    }

    #[test]
    fn payloads_are_cut_where_the_format_says() {
        let layout = Layout::new(4096, 0).unwrap();
        assert_eq!(layout.local(Kind::TableLeaf, 4061), 4061);
        assert_eq!(layout.local(Kind::TableLeaf, 4062), 489);
        assert_eq!(layout.local(Kind::TableLeaf, 4092 + 489 + 1), 490);
        assert_eq!(layout.local(Kind::IndexLeaf, 1002), 1002);
        assert_eq!(layout.local(Kind::IndexLeaf, 1003), 489);
    }
}
