//! Judges one page by itself: a page that accounts for each of its bytes, zeros, something else, or a mixture.

use sqlite_format::bytes::{read_u16, read_varint};
use sqlite_format::cover::Cover;
use sqlite_format::header::Layout;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::Fields;

use crate::page_map::check_cover;
use crate::probe::first_bytes::looks_encrypted;

/// The size of the blocks that a disk writes at once, in bytes.
pub(super) const SECTOR: usize = 512;

/// The kinds of b-tree pages, as a page begins with them.
const KINDS: [u8; 4] = [2, 5, 10, 13];

/// What a page is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A page of a tree that accounts for each of its bytes.
    Sound,
    /// Zeros only.
    Zero,
    /// A page in which a block of 512 bytes is zero where its header or its cells must be.
    PartlyZero,
    /// No page of a tree.
    Other(Content),
    /// A page of a tree of which a part does not fit the rest.
    Partly,
}

/// The likeness of what is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// Lines of text.
    Text,
    /// Bytes without any order, as of compressed or encrypted data.
    Noise,
    /// Anything else.
    Data,
}

impl Content {
    /// Returns the content of some bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let is_printable = |byte: &&u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
        let printable = bytes.iter().filter(is_printable).count();
        if printable * 20 >= bytes.len() * 19 {
            Self::Text
        } else if looks_encrypted(bytes) {
            Self::Noise
        } else {
            Self::Data
        }
    }
}

/// Judges pages of one layout.
pub(super) struct PageJudge {
    layout: Layout,
    cover: Cover,
    fields: Fields,
    copy: Vec<u8>,
}

impl PageJudge {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            cover: Cover::new(layout),
            fields: Fields::default(),
            copy: Vec::new(),
        }
    }

    /// Returns true if each byte of the page is accounted for, and each record can be read.
    pub(super) fn is_sound(&mut self, number: u32, bytes: &[u8]) -> bool {
        Page::parse(self.layout, number, bytes).is_ok_and(|page| self.is_sound_page(&page))
    }

    /// Returns true if each byte of a page is accounted for, and each record can be read.
    pub(super) fn is_sound_page(&mut self, page: &Page<'_>) -> bool {
        check_cover(&mut self.cover, page).is_ok() && self.unreadable_record(page).is_none()
    }

    /// Returns the offset of the first cell whose record cannot be read.
    fn unreadable_record(&mut self, page: &Page<'_>) -> Option<usize> {
        if page.kind().is_table() && !page.kind().is_leaf() {
            return None;
        }
        page.all_cells().flatten().find_map(|cell| {
            let (local, len) = (cell.payload.local, cell.payload.len);
            // A header of a record may itself be longer than what lies in the page.
            let is_begun = cell.payload.overflow.is_some();
            (self.fields.read(local, len).is_err() && !is_begun).then_some(cell.at)
        })
    }

    /// Returns the number of fields of the first record on a page.
    pub(super) fn count_fields(&mut self, page: &Page<'_>) -> Option<usize> {
        let cell = page.all_cells().next()?.ok()?;
        self.fields.read(cell.payload.local, cell.payload.len).ok()?;
        Some(self.fields.all().len())
    }

    /// Judges a page where a page of a tree must be.
    pub(super) fn judge(&mut self, number: u32, bytes: &[u8]) -> Form {
        let at = if number == 1 { 100 } else { 0 };
        let body = bytes.get(at..self.layout.usable).unwrap_or_default();
        if body.iter().all(|byte| *byte == 0) {
            return Form::Zero;
        }
        let Ok(page) = Page::parse(self.layout, number, bytes) else {
            return self.judge_without_kind(number, bytes);
        };
        if self.is_sound_page(&page) {
            Form::Sound
        } else if self.has_zero_block(&page, at) {
            Form::PartlyZero
        } else if is_mostly_sound(&page) {
            Form::Partly
        } else {
            Form::Other(Content::of(body))
        }
    }

    /// Judges a page that does not begin with the kind of one: it may be one behind that.
    fn judge_without_kind(&mut self, number: u32, bytes: &[u8]) -> Form {
        let at = if number == 1 { 100 } else { 0 };
        let body = bytes.get(at..self.layout.usable).unwrap_or_default();
        if is_zero(bytes.get(at..SECTOR)) {
            return Form::PartlyZero;
        }
        self.copy.clear();
        self.copy.extend_from_slice(bytes);
        for kind in KINDS {
            if let Some(byte) = self.copy.get_mut(at) {
                *byte = kind;
            }
            if Page::parse(self.layout, number, &self.copy).is_ok_and(|page| is_mostly_sound(&page)) {
                return Form::Partly;
            }
        }
        if self.ends_with_cells(body) {
            Form::Partly
        } else {
            Form::Other(Content::of(body))
        }
    }

    /// Returns true if cells lie one behind the other up to the end of a page whose beginning is something else.
    fn ends_with_cells(&mut self, body: &[u8]) -> bool {
        /// Fewer may be by chance.
        const FEWEST: u8 = 3;
        [Kind::TableLeaf, Kind::IndexLeaf].into_iter().any(|kind| {
            // For each offset, the number of cells from there to the end, where they come out even.
            let mut cells = vec![0_u8; body.len() + 1];
            (0..body.len()).rev().any(|at| {
                let Some(size) = self.cell_size(kind, &body[at..]) else {
                    return false;
                };
                let end = at + size;
                let behind = cells.get(end).copied().unwrap_or(0);
                if end == body.len() || behind > 0 {
                    cells[at] = behind.saturating_add(1);
                }
                cells[at] >= FEWEST
            })
        })
    }

    /// Returns the size of a cell whose record can be read.
    fn cell_size(&mut self, kind: Kind, bytes: &[u8]) -> Option<usize> {
        let (len, mut begin) = read_varint(bytes)?;
        let len = usize::try_from(len).ok().filter(|len| (3..1 << 20).contains(len))?;
        if kind.is_table() {
            begin += read_varint(bytes.get(begin..)?)?.1;
        }
        let here = self.layout.local(kind, len);
        self.fields.read(bytes.get(begin..begin + here)?, len).ok()?;
        // A record of one field is too short to be told from other bytes.
        let is_record = self.fields.all().len() > 1;
        is_record.then_some(begin + here + if here < len { 4 } else { 0 })
    }

    /// Returns true if a block of the page is zero in which its header, its pointers, a cell or a free block begins.
    fn has_zero_block(&mut self, page: &Page<'_>, header_at: usize) -> bool {
        let bytes = page.bytes();
        let is_zero_at = |at: usize| is_zero(bytes.get(at / SECTOR * SECTOR..(at / SECTOR + 1) * SECTOR));
        let in_header = is_zero(bytes.get(header_at..SECTOR))
            || (header_at / SECTOR..=page.pointers_end() / SECTOR)
                .any(|block| block > 0 && block * SECTOR < page.pointers_end() && is_zero_at(block * SECTOR));
        let pointer = |n: usize| {
            let pointers_at = page.pointers_end() - 2 * page.cells();
            read_u16(bytes, pointers_at + 2 * n)
        };
        let most = page.cells().min(bytes.len() / 4);
        in_header
            || (0..most).filter_map(pointer).any(|at| at > page.pointers_end() && is_zero_at(at))
            || (page.first_free_block() > 0 && is_zero_at(page.first_free_block()))
            || self.unreadable_record(page).is_some_and(|at| is_zero_at(at) || is_zero_at(at + SECTOR))
    }
}

fn is_zero(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0))
}

/// Returns true if most of the cells of a page can be read and do not overlap, so that only a part of it is something else.
fn is_mostly_sound(page: &Page<'_>) -> bool {
    if page.cells() == 0 || page.cells() > page.bytes().len() / 6 || page.pointers_end() > page.bytes().len() {
        return false;
    }
    let mut cells: Vec<(usize, usize)> = page
        .all_cells()
        .flatten()
        .filter(|cell| cell.at >= page.pointers_end())
        .map(|cell| (cell.at, cell.at + cell.size))
        .collect();
    cells.sort_unstable();
    let readable = cells.len();
    let overlapping = cells.windows(2).filter(|pair| pair[0].1 > pair[1].0).count();
    2 * readable.saturating_sub(overlapping) > page.cells()
}
