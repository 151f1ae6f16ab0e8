//! The database header: the first 100 bytes of a database file.
//!
//! Source: "The Database Header" in SQLite's Database File Format, <https://www.sqlite.org/fileformat2.html#the_database_header>.

/// The length of the header, in bytes.
pub(crate) const HEADER_LEN: usize = 100;

/// What each database file begins with.
pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The page that begins at this byte holds SQLite's locks and nothing else: no WAL and no journal ever holds it.
const LOCK_BYTE: u64 = 0x4000_0000;

/// The type of a table's leaf page, the first byte of its b-tree header.
const TABLE_LEAF: u8 = 13;

/// The header's fields, as they stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The page size in bytes (offset 16); 1 stands for 65,536 and is given as that.
    pub page_size: u32,
    /// Write version (offset 18): 1 rollback journal, 2 WAL.
    pub write_version: u8,
    /// Read version (offset 19): 1 rollback journal, 2 WAL.
    pub read_version: u8,
    /// Bytes reserved at the end of each page (offset 20).
    pub reserved: u8,
    /// The payload fractions (offsets 21, 22, 23): always 64, 32, 32.
    pub fractions: [u8; 3],
    /// The file change counter (offset 24).
    pub change_counter: u32,
    /// The size in pages (offset 28); only right where `valid_for` equals `change_counter`.
    pub pages: u32,
    /// The first freelist trunk page (offset 32), 0 for none.
    pub freelist_trunk: u32,
    /// How many pages the freelist holds (offset 36).
    pub freelist_pages: u32,
    /// The schema format number (offset 44): 1 to 4, or 0 in a database without a schema.
    pub schema_format: u32,
    /// Whether page 1, which begins with this header, holds no row of the schema.
    pub schema_is_empty: bool,
    /// The largest root page (offset 52) in an auto-vacuum database, otherwise 0.
    pub largest_root: u32,
    /// The text encoding (offset 56): 1 UTF-8, 2 UTF-16le, 3 UTF-16be, or 0 in a database without a schema.
    pub encoding: u32,
    /// Whether incremental vacuum is on (offset 64); it needs `largest_root`.
    pub incremental_vacuum: u32,
    /// Whether the bytes reserved for expansion (offset 72 to 91) are zero, as they must be.
    pub expansion_is_zero: bool,
    /// The change counter for which `pages` is right (offset 92).
    pub valid_for: u32,
}

/// A big-endian 32-bit number at an offset of bytes known to be long enough.
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Whether a page can have so many bytes: a power of two between 512 and 65,536.
pub(super) fn is_page_size(bytes: u32) -> bool {
    (512..=65_536).contains(&bytes) && bytes.is_power_of_two()
}

/// The number of the page that holds SQLite's locks, in a database with pages of this size.
pub(super) fn lock_page(page_size: u32) -> u64 {
    LOCK_BYTE / u64::from(page_size.max(1)) + 1
}

impl Header {
    /// Reads the fields; `None` where the magic is not there or the bytes are too few.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_LEN || &bytes[..16] != MAGIC {
            return None;
        }
        let size = u16::from_be_bytes([bytes[16], bytes[17]]);
        Some(Self {
            page_size: if size == 1 { 65_536 } else { u32::from(size) },
            write_version: bytes[18],
            read_version: bytes[19],
            reserved: bytes[20],
            fractions: [bytes[21], bytes[22], bytes[23]],
            change_counter: be32(bytes, 24),
            pages: be32(bytes, 28),
            freelist_trunk: be32(bytes, 32),
            freelist_pages: be32(bytes, 36),
            schema_format: be32(bytes, 44),
            // The header of the schema's b-tree: its page type, and the number of its cells.
            schema_is_empty: bytes.get(100) == Some(&TABLE_LEAF) && bytes.get(103..105) == Some(&[0, 0]),
            largest_root: be32(bytes, 52),
            encoding: be32(bytes, 56),
            incremental_vacuum: be32(bytes, 64),
            expansion_is_zero: bytes[72..92].iter().all(|byte| *byte == 0),
            valid_for: be32(bytes, 92),
        })
    }

    /// Whether the page size is a power of two between 512 and 65,536.
    pub(crate) fn page_size_is_valid(&self) -> bool {
        is_page_size(self.page_size)
    }

    /// Whether the header says that the database is in WAL mode.
    pub(crate) fn is_wal(&self) -> bool {
        self.read_version == 2
    }

    /// The size in pages that the header vouches for, if it does.
    pub(crate) fn vouched_pages(&self) -> Option<u32> {
        (self.pages > 0 && self.change_counter == self.valid_for).then_some(self.pages)
    }

    /// What is out of range, in words that name the field and the value.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut wrong = |is: bool, what: String| {
            if is {
                out.push(what);
            }
        };
        let usable = self.page_size.saturating_sub(u32::from(self.reserved));
        wrong(
            !self.page_size_is_valid(),
            format!("page size {} is not a power of two between 512 and 65536", self.page_size),
        );
        wrong(
            !matches!(self.write_version, 1 | 2),
            format!("write version {} is neither 1 nor 2", self.write_version),
        );
        wrong(
            !matches!(self.read_version, 1 | 2),
            format!("read version {} is neither 1 nor 2", self.read_version),
        );
        wrong(
            matches!(self.write_version, 1 | 2)
                && matches!(self.read_version, 1 | 2)
                && self.write_version != self.read_version,
            format!("write version {} and read version {} differ", self.write_version, self.read_version),
        );
        wrong(
            self.page_size_is_valid() && usable < 480,
            format!("{} reserved bytes leave fewer than 480 in a page", self.reserved),
        );
        wrong(
            self.fractions != [64, 32, 32],
            format!("payload fractions are {:?}, not [64, 32, 32]", self.fractions),
        );
        wrong(self.schema_format > 4, format!("schema format {} is above 4", self.schema_format));
        wrong(self.encoding > 3, format!("text encoding {} is above 3", self.encoding));
        // VACUUM of a database whose last table was dropped writes format 0 and keeps the encoding.
        let emptied = self.schema_format == 0 && self.schema_is_empty;
        wrong(
            (self.schema_format == 0) != (self.encoding == 0) && !emptied,
            format!(
                "schema format {} and text encoding {} contradict each other",
                self.schema_format, self.encoding
            ),
        );
        wrong(
            self.incremental_vacuum != 0 && self.largest_root == 0,
            "incremental vacuum is on without auto-vacuum".to_owned(),
        );
        wrong(
            (self.freelist_trunk == 0) != (self.freelist_pages == 0),
            format!(
                "the freelist's first page is {} and its length is {} pages",
                self.freelist_trunk, self.freelist_pages
            ),
        );
        wrong(!self.expansion_is_zero, "bytes 72 to 91, reserved for expansion, are not zero".to_owned());
        out
    }
}
