//! One page of a b-tree: its header and its cells, each cell judged alone.
//!
//! Nothing here believes more of a page than it must: a page whose header is odd still yields its cells, and a cell that is
//! odd spoils no other. What makes a whole page sound is [`super::cover`]'s and the check's to say.
//!
//! Source: "B-tree Pages", <https://www.sqlite.org/fileformat2.html#b_tree_pages>.

use super::bytes::{read_u16, read_u32, read_varint};
use super::damage::{Damage, Result};
use super::header::Layout;

/// The kind of a b-tree page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Keys and children of an index.
    IndexInterior,
    /// Rowids and children of a table.
    TableInterior,
    /// Entries of an index.
    IndexLeaf,
    /// Rows of a table.
    TableLeaf,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            2 => Self::IndexInterior,
            5 => Self::TableInterior,
            10 => Self::IndexLeaf,
            13 => Self::TableLeaf,
            _ => return None,
        })
    }

    /// Returns `true` when the page has no children.
    #[inline]
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::IndexLeaf | Self::TableLeaf)
    }

    /// Returns `true` when the page belongs to a table.
    #[inline]
    pub fn is_table(self) -> bool {
        matches!(self, Self::TableInterior | Self::TableLeaf)
    }
}

/// A page of a b-tree.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The page without the bytes reserved at its end.
    bytes: &'a [u8],
    layout: Layout,
    /// The offset of the page's header: at 100 on page 1, which begins with the database's header.
    header_at: usize,
    kind: Kind,
    cells: usize,
}

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The offset at which it begins in its page.
    pub at: usize,
    /// The number of bytes of the page that belong to it.
    pub size: usize,
    /// Its left child; 0 on a leaf.
    pub child: u32,
    /// The rowid; 0 in an index.
    pub rowid: i64,
    /// Its payload; empty on an interior page of a table.
    pub payload: Payload<'a>,
}

/// A payload, of which perhaps only the beginning lies in the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Its whole length.
    pub len: usize,
    /// The part of the payload that lies in the cell.
    pub local: &'a [u8],
    /// The first overflow page, where there is one.
    pub overflow: Option<u32>,
}

impl<'a> Page<'a> {
    /// A page from its bytes.
    ///
    /// # Errors
    /// Fails with the damage of a page that does not begin as one of a b-tree.
    #[inline]
    pub fn parse(layout: Layout, number: u32, bytes: &'a [u8]) -> Result<Self> {
        let header_at = if number == 1 { 100 } else { 0 };
        let bytes = bytes.get(..layout.usable).ok_or(Damage::Unreadable)?;
        let kind = bytes.get(header_at).copied().and_then(Kind::of).ok_or(Damage::PageKind)?;
        let cells = read_u16(bytes, header_at + 3).ok_or(Damage::Unreadable)?;
        Ok(Self {
            bytes,
            layout,
            header_at,
            kind,
            cells,
        })
    }

    /// Returns the kind of the page.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the number of cells that its header counts.
    #[inline]
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Returns the most cells that a page of this size has room for: a cell takes four bytes, and its pointer two.
    #[inline]
    pub fn most_cells(&self) -> usize {
        self.bytes.len() / 6
    }

    /// The page's bytes, without those reserved at its end.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the offset at which the cell pointers begin.
    #[inline]
    fn pointers_at(&self) -> usize {
        self.header_at + if self.kind.is_leaf() { 8 } else { 12 }
    }

    /// Returns the offset at which the cell pointers end.
    #[inline]
    pub fn pointers_end(&self) -> usize {
        self.pointers_at() + 2 * self.cells
    }

    /// Returns the offset at which, by its header, the content area begins.
    #[inline]
    pub fn content_at(&self) -> usize {
        match read_u16(self.bytes, self.header_at + 5) {
            Some(0) | None => 65_536,
            Some(at) => at,
        }
    }

    /// The first free block, or 0.
    #[inline]
    pub fn first_free_block(&self) -> usize {
        read_u16(self.bytes, self.header_at + 1).unwrap_or(0)
    }

    /// Returns the number of fragmented bytes that the header counts.
    #[inline]
    pub fn fragments(&self) -> usize {
        self.bytes.get(self.header_at + 7).map_or(0, |byte| usize::from(*byte))
    }

    /// The rightmost child; 0 on a leaf.
    #[inline]
    pub fn right_child(&self) -> u32 {
        if self.kind.is_leaf() {
            0
        } else {
            read_u32(self.bytes, self.header_at + 8).unwrap_or(0)
        }
    }

    /// The child before a cell, or the rightmost one after the last cell.
    ///
    /// # Errors
    /// Fails with the damage of that cell.
    pub fn child(&self, at: usize) -> Result<u32> {
        if at == self.cells {
            return Ok(self.right_child());
        }
        let pointer = read_u16(self.bytes, self.pointers_at() + 2 * at).ok_or(Damage::CellPointer)?;
        read_u32(self.bytes, pointer).ok_or(Damage::CellPointer)
    }

    /// One cell.
    ///
    /// # Errors
    /// Fails with the damage of the cell.
    #[inline]
    pub fn cell(&self, at: usize) -> Result<Cell<'a>> {
        match self.kind {
            Kind::TableLeaf => self.row(at),
            Kind::TableInterior => self.interior_row(at),
            Kind::IndexLeaf | Kind::IndexInterior => self.entry(at),
        }
    }

    /// All cells, each for itself.
    pub fn all_cells(&self) -> impl Iterator<Item = Result<Cell<'a>>> + use<'a> {
        let page = *self;
        let most = (self.bytes.len().saturating_sub(self.pointers_at())) / 2;
        (0..self.cells.min(most)).map(move |at| page.cell(at))
    }

    /// Returns the offset of a cell and the bytes from there to the page's end, of which there are at least four.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    fn pointed_at(&self, at: usize) -> Result<(usize, &'a [u8])> {
        let pointer = read_u16(self.bytes, self.pointers_at() + 2 * at).ok_or(Damage::CellPointer)?;
        let cell = self.bytes.get(pointer..).filter(|cell| cell.len() >= 4).ok_or(Damage::CellPointer)?;
        Ok((pointer, cell))
    }

    /// A cell of a leaf of a table.
    ///
    /// # Errors
    /// Fails with the damage of the cell.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn row(&self, at: usize) -> Result<Cell<'a>> {
        let (at, cell) = self.pointed_at(at)?;
        let (len, used) = read_varint(cell).ok_or(Damage::CellSize)?;
        let (rowid, also_used) = read_varint(cell.get(used..).unwrap_or_default()).ok_or(Damage::CellSize)?;
        let (payload, size) = self.payload(cell, len, used + also_used)?;
        Ok(Cell {
            at,
            size,
            child: 0,
            rowid: rowid.cast_signed(),
            payload,
        })
    }

    /// A cell of an index.
    ///
    /// # Errors
    /// Fails with the damage of the cell.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn entry(&self, at: usize) -> Result<Cell<'a>> {
        let (at, cell) = self.pointed_at(at)?;
        let (child, begin) = if self.kind.is_leaf() {
            (0, 0)
        } else {
            (read_u32(cell, 0).ok_or(Damage::CellSize)?, 4)
        };
        let (len, used) = read_varint(cell.get(begin..).unwrap_or_default()).ok_or(Damage::CellSize)?;
        let (payload, size) = self.payload(cell, len, begin + used)?;
        Ok(Cell {
            at,
            size,
            child,
            rowid: 0,
            payload,
        })
    }

    /// A cell of an interior page of a table.
    fn interior_row(&self, at: usize) -> Result<Cell<'a>> {
        let (at, cell) = self.pointed_at(at)?;
        let child = read_u32(cell, 0).ok_or(Damage::CellSize)?;
        let (rowid, used) = read_varint(cell.get(4..).unwrap_or_default()).ok_or(Damage::CellSize)?;
        Ok(Cell {
            at,
            size: 4 + used,
            child,
            rowid: rowid.cast_signed(),
            payload: Payload {
                len: 0,
                local: &[],
                overflow: None,
            },
        })
    }

    /// The payload that begins there in a cell, and the size of the whole cell.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    fn payload(&self, cell: &'a [u8], len: u64, begin: usize) -> Result<(Payload<'a>, usize)> {
        let len = i32::try_from(len).ok().and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or(Damage::PayloadSize)?;
        let here = self.layout.local(self.kind, len);
        let end = begin + here;
        let local = cell.get(begin..end).ok_or(Damage::CellSize)?;
        let mut payload = Payload {
            len,
            local,
            overflow: None,
        };
        if here == len {
            return Ok((payload, end.max(4)));
        }
        payload.overflow = Some(read_u32(cell, end).ok_or(Damage::CellSize)?);
        Ok((payload, end + 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(512, 0).unwrap()
    }

    #[test]
    fn cells_are_judged_alone() {
        let mut bytes = [0; 512];
        bytes[0] = 13;
        bytes[4] = 3;
        bytes[8..14].copy_from_slice(&[1, 0xf0, 0xff, 0xff, 1, 0xfb]);
        // Three bytes of payload, rowid 9; and at 507 a cell whose payload goes past the end.
        bytes[496..501].copy_from_slice(&[3, 9, 2, 1, 7]);
        bytes[507..509].copy_from_slice(&[9, 1]);
        let page = Page::parse(layout(), 2, &bytes).unwrap();
        let cells: Vec<_> = page.all_cells().collect();
        let first = cells[0].unwrap();
        assert_eq!((first.at, first.size, first.rowid, first.payload.local), (496, 5, 9, &[2, 1, 7][..]));
        assert_eq!(cells[1], Err(Damage::CellPointer));
        assert_eq!(cells[2], Err(Damage::CellSize));
    }

    #[test]
    fn a_payload_that_no_file_can_hold_is_odd() {
        let mut bytes = [0xff; 512];
        bytes[0] = 10;
        bytes[3..5].copy_from_slice(&[0, 1]);
        bytes[8..10].copy_from_slice(&[1, 0]);
        let page = Page::parse(layout(), 2, &bytes).unwrap();
        assert_eq!(page.cell(0), Err(Damage::PayloadSize));
        bytes[0] = 7;
        assert_eq!(Page::parse(layout(), 2, &bytes).unwrap_err(), Damage::PageKind);
    }
}
