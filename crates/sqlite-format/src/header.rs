//! The database header, as far as reading needs it, and what follows from it for every page.
//!
//! Source: "The Database Header", <https://www.sqlite.org/fileformat2.html#the_database_header>.

use super::damage::{Damage, Result};
use super::encoding::Encoding;
use super::page::Kind;
use super::varint::{be16, be32};

/// What every database file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows for every page.
    pub layout: Layout,
    /// The size in pages, where the header vouches for it.
    pub pages: Option<u32>,
    /// The first trunk page of the freelist, or 0.
    pub freelist_trunk: u32,
    /// How many pages the freelist holds.
    pub freelist_pages: u32,
    /// 1 to 4; 0 in a database without a schema.
    pub schema_format: u32,
    /// The largest root page; not 0 in a store with pointer maps (auto-vacuum).
    pub largest_root: u32,
    /// Incremental vacuum is on.
    pub incremental_vacuum: bool,
    /// The text encoding.
    pub encoding: Encoding,
}

impl Header {
    /// Reads and checks the header, as strictly as SQLite does when it opens a database, or more.
    ///
    /// # Errors
    /// [`Damage::Header`].
    pub fn parse(head: &[u8; 100]) -> Result<Self> {
        let byte = |at: usize| head.get(at).copied().unwrap_or(0);
        let word = |at: usize| be32(head, at).unwrap_or(0);
        let page_size = match be16(head, 16) {
            Some(1) => 65_536,
            Some(size) if size >= 512 && size.is_power_of_two() => size,
            _ => return Err(Damage::Header),
        };
        let layout = Layout::new(page_size, usize::from(byte(20))).ok_or(Damage::Header)?;
        let encoding = Encoding::from_number(word(56)).ok_or(Damage::Header)?;
        let good = head.starts_with(MAGIC)
            && matches!((byte(18), byte(19)), (1 | 2, 1 | 2))
            && [byte(21), byte(22), byte(23)] == [64, 32, 32]
            && word(44) <= 4
            && (word(64) == 0 || word(52) != 0);
        if !good {
            return Err(Damage::Header);
        }
        Ok(Self {
            layout,
            pages: Some(word(28)).filter(|pages| *pages > 0 && word(24) == word(92)),
            freelist_trunk: word(32),
            freelist_pages: word(36),
            schema_format: word(44),
            largest_root: word(52),
            incremental_vacuum: word(64) != 0,
            encoding,
        })
    }
}

/// How the pages of a store are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The page size.
    pub page_size: usize,
    /// The page size without the bytes reserved at each page's end.
    pub usable: usize,
    /// The most bytes of a payload that lie in a cell of a table.
    most_in_table: usize,
    /// The same of an index.
    most_in_index: usize,
    /// The fewest bytes of a payload with overflow pages that lie in a cell.
    least: usize,
}

impl Layout {
    /// The layout of pages of this size; `None` where fewer than 480 bytes are usable.
    pub fn new(page_size: usize, reserved: usize) -> Option<Self> {
        let usable = page_size.checked_sub(reserved).filter(|usable| *usable >= 480)?;
        Some(Self {
            page_size,
            usable,
            most_in_table: usable - 35,
            most_in_index: (usable - 12) * 64 / 255 - 23,
            least: (usable - 12) * 32 / 255 - 23,
        })
    }

    /// How many bytes of a payload of this length lie in its cell; the rest is on overflow pages.
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

    /// The page at the lock byte, 1 GiB into the file, which holds nothing.
    pub fn lock_byte_page(&self) -> u32 {
        u32::try_from((1 << 30) / self.page_size + 1).unwrap_or(u32::MAX)
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
