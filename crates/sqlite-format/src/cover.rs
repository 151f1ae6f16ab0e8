//! The used bytes of a page: no byte belongs to two cells, and each that is neither a cell's nor a free block's is counted as a
//! fragment.
//!
//! With the header's three numbers this is enough to judge a whole page. All that lies in the content area has its bytes for
//! itself; so the sum of all sizes is the number of used bytes, and what is left must be the fragments that the header counts.
//!
//! Source: "B-tree Pages", <https://www.sqlite.org/fileformat2.html#b_tree_pages>.

use super::bytes::read_u16;
use super::damage::{Damage, Result};
use super::header::Layout;
use super::page::Page;

/// The used bytes of one page, one bit each; used again for every page.
#[derive(Debug)]
pub struct Cover {
    layout: Layout,
    /// The offset at which the content area begins.
    content: usize,
    used: usize,
    /// Most pages are filled from their end to the front, cell by cell: as long as each cell lies before all others, no bit
    /// needs to be looked at. These are the cells up to now; none where one lay elsewhere.
    in_order: Option<Vec<(u32, u32)>>,
    lowest: usize,
    spare: Vec<(u32, u32)>,
    words: Vec<u64>,
}

impl Cover {
    /// A map for pages of this layout.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            content: 0,
            used: 0,
            in_order: None,
            lowest: 0,
            spare: Vec::new(),
            words: vec![0; layout.page_size.div_ceil(64)],
        }
    }

    /// Begins a page, and checks what its header says of the whole page.
    ///
    /// # Errors
    /// Fails with the damage of the header.
    #[inline]
    pub fn begin(&mut self, page: &Page<'_>) -> Result<()> {
        if page.cells() > (self.layout.page_size - 8) / 6 {
            return Err(Damage::CellCount);
        }
        self.content = page.content_at();
        if self.content > self.layout.usable || self.content < page.pointers_end() {
            return Err(Damage::ContentStart);
        }
        if let Some(cells) = &mut self.in_order {
            cells.clear();
        } else {
            self.words.fill(0);
            self.spare.clear();
            self.in_order = Some(std::mem::take(&mut self.spare));
        }
        self.used = 0;
        self.lowest = self.layout.usable;
        Ok(())
    }

    /// Takes the bytes of a cell or a free block.
    ///
    /// # Errors
    /// Fails with [`Damage::Overlap`] when another has one of them, or the damage of one that does not lie in the content area.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    #[expect(clippy::cast_possible_truncation, reason = "an offset in a page is below 65,537")]
    pub fn take(&mut self, at: usize, size: usize) -> Result<()> {
        let end = at + size;
        if at < self.content {
            return Err(Damage::CellPointer);
        }
        if end > self.layout.usable || size == 0 {
            return Err(Damage::CellSize);
        }
        self.used += size;
        // A cell that lies before all others can overlap none of them: its end is compared with the lowest offset so far. The
        // bits are written only once a cell lies elsewhere, and then for the cells up to now as well.
        if let Some(cells) = &mut self.in_order {
            if end <= self.lowest {
                self.lowest = at;
                cells.push((at as u32, end as u32));
                return Ok(());
            }
            self.mark_all()?;
        }
        self.mark(at, end)
    }

    #[cold]
    fn mark_all(&mut self) -> Result<()> {
        self.spare = self.in_order.take().unwrap_or_default();
        for at in 0..self.spare.len() {
            if let Some((from, to)) = self.spare.get(at).copied() {
                self.mark(from as usize, to as usize)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn mark(&mut self, from: usize, to: usize) -> Result<()> {
        // A run of bits begins in one word and ends in the same or a later one; all words between are full.
        let (first, last) = (from / 64, (to - 1) / 64);
        let low = u64::MAX << (from % 64);
        let high = u64::MAX >> (63 - (to - 1) % 64);
        let words = self.words.get_mut(first..=last).ok_or(Damage::CellSize)?;
        if let [word] = words {
            let mask = low & high;
            let free = *word & mask == 0;
            *word |= mask;
            return free.then_some(()).ok_or(Damage::Overlap);
        }
        let mut taken = 0;
        if let [begin, middle @ .., end] = words {
            taken = (*begin & low) | (*end & high);
            *begin |= low;
            *end |= high;
            for word in middle {
                taken |= *word;
                *word = u64::MAX;
            }
        }
        if taken == 0 { Ok(()) } else { Err(Damage::Overlap) }
    }

    /// Ends a page: walks its free blocks and compares the fragments.
    ///
    /// # Errors
    /// Fails with the damage of the free blocks, or [`Damage::Fragments`].
    #[inline]
    pub fn end(&mut self, page: &Page<'_>) -> Result<()> {
        if page.first_free_block() > 0 {
            self.free_blocks(page)?;
        }
        // No two of the taken ranges overlap, so that their sizes may be subtracted from the content area's.
        let gaps = (self.layout.usable - self.content).checked_sub(self.used).ok_or(Damage::Overlap)?;
        if gaps == page.fragments() {
            Ok(())
        } else {
            Err(Damage::Fragments)
        }
    }

    fn free_blocks(&mut self, page: &Page<'_>) -> Result<()> {
        let mut at = page.first_free_block();
        loop {
            let next = read_u16(page.bytes(), at).ok_or(Damage::FreeBlock)?;
            let size = read_u16(page.bytes(), at + 2).ok_or(Damage::FreeBlock)?;
            if at < self.content || size < 4 || at + size > self.layout.usable {
                return Err(Damage::FreeBlock);
            }
            self.take(at, size)?;
            if next == 0 {
                return Ok(());
            }
            // Two blocks that touch would be one; up to three bytes between them are a fragment.
            if next < at + size + 4 {
                return Err(Damage::FreeBlock);
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(512, 0).unwrap()
    }

    /// An index leaf with these cells (where, size), free blocks (where, next, size) and count of fragments.
    fn judged(cells: &[(usize, usize)], free: &[(usize, u16, u16)], fragments: u8) -> Result<()> {
        let mut bytes = [0; 512];
        bytes[0] = 10;
        let lowest = cells
            .iter()
            .map(|(at, _)| *at)
            .chain(free.iter().map(|(at, ..)| *at))
            .min()
            .unwrap_or(512);
        bytes[5..7].copy_from_slice(&u16::try_from(lowest).unwrap().to_be_bytes());
        bytes[4] = u8::try_from(cells.len()).unwrap();
        bytes[7] = fragments;
        if let Some((first, ..)) = free.first() {
            bytes[1..3].copy_from_slice(&u16::try_from(*first).unwrap().to_be_bytes());
        }
        for (at, next, size) in free {
            bytes[*at..at + 2].copy_from_slice(&next.to_be_bytes());
            bytes[at + 2..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        let page = Page::parse(layout(), 2, &bytes).unwrap();
        let mut cover = Cover::new(layout());
        for _ in 0..2 {
            cover.begin(&page)?;
            for (at, size) in cells {
                cover.take(*at, *size)?;
            }
            cover.end(&page)?;
        }
        Ok(())
    }

    #[test]
    fn every_byte_is_used_once() {
        assert_eq!(judged(&[], &[], 0), Ok(()));
        assert_eq!(judged(&[(500, 12), (400, 100), (396, 4)], &[], 0), Ok(()));
        assert_eq!(judged(&[(396, 4), (500, 12), (400, 100)], &[], 0), Ok(()));
        assert_eq!(judged(&[(500, 12), (400, 101), (396, 4)], &[], 0), Err(Damage::Overlap));
        assert_eq!(judged(&[(396, 5), (500, 12), (400, 100)], &[], 0), Err(Damage::Overlap));
        assert_eq!(judged(&[(400, 100), (500, 13)], &[], 0), Err(Damage::CellSize));
        // An overlap of as many bytes as there are in a gap is one all the same.
        assert_eq!(judged(&[(410, 102), (300, 110), (290, 11)], &[], 0), Err(Damage::Overlap));
        assert_eq!(judged(&[(500, 12), (396, 100)], &[], 4), Ok(()));
        assert_eq!(judged(&[(500, 12), (396, 100)], &[], 3), Err(Damage::Fragments));
    }

    #[test]
    fn free_blocks_ascend_and_overlap_nothing() {
        assert_eq!(judged(&[(504, 8), (400, 100)], &[(500, 0, 4)], 0), Ok(()));
        assert_eq!(judged(&[(508, 4), (400, 96)], &[(496, 504, 4), (504, 0, 4)], 4), Ok(()));
        assert_eq!(judged(&[(508, 4), (400, 98)], &[(498, 504, 4), (504, 0, 4)], 2), Err(Damage::FreeBlock));
        assert_eq!(judged(&[(504, 8), (400, 100)], &[(500, 0, 3)], 1), Err(Damage::FreeBlock));
        assert_eq!(judged(&[(504, 8), (400, 100)], &[(500, 500, 4)], 0), Err(Damage::FreeBlock));
        assert_eq!(judged(&[(504, 8), (400, 100)], &[(498, 0, 6)], 0), Err(Damage::Overlap));
        assert_eq!(judged(&[(400, 100)], &[(500, 0, 20)], 0), Err(Damage::FreeBlock));
    }
}
