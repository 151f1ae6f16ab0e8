//! The pointer map of a store in auto-vacuum mode: what each page is, and which page refers to it.
//!
//! Source: "Pointer Map or Ptrmap Pages", <https://www.sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages>.

use super::damage::Result;
use super::header::Layout;
use super::source::Source;

/// The use of a page, as the map has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The root of a tree.
    Root,
    /// In the freelist.
    Free,
    /// The first overflow page of a cell.
    FirstOverflow,
    /// Another overflow page.
    LaterOverflow,
    /// A page of a tree that is not its root.
    Tree,
}

impl Use {
    /// Its number in the map.
    pub fn number(self) -> u8 {
        match self {
            Self::Root => 1,
            Self::Free => 2,
            Self::FirstOverflow => 3,
            Self::LaterOverflow => 4,
            Self::Tree => 5,
        }
    }
}

/// The places of the map in a file.
#[derive(Debug, Clone, Copy)]
pub struct PointerMap {
    /// The number of pages that one page of the map has entries for.
    per_page: u32,
    lock_byte_page: u32,
    pages: u32,
}

impl PointerMap {
    /// The map of a store of this size.
    pub fn new(layout: Layout, pages: u32) -> Self {
        Self {
            per_page: u32::try_from(layout.usable / 5).unwrap_or(1),
            lock_byte_page: layout.lock_byte_page(),
            pages,
        }
    }

    /// The pages of the map. The one that would fall on the lock byte is the next one.
    pub fn own_pages(&self) -> impl Iterator<Item = u32> {
        let all = (2..=self.pages).step_by(self.per_page as usize + 1);
        let this = *self;
        all.map(move |page| if page == this.lock_byte_page { page + 1 } else { page })
            .take_while(move |page| *page <= this.pages)
    }

    /// Hands out each entry that counts: the page that it speaks of, its use and its parent as they stand.
    ///
    /// # Errors
    /// Fails with the damage of a page of the map that cannot be read, or that which `each` returns, with the page.
    pub fn entries(
        &self,
        source: &Source<'_>,
        each: &mut dyn FnMut(u32, u8, u32) -> Result<()>,
    ) -> Result<(), (u32, super::damage::Damage)> {
        let mut bytes = vec![0; source.layout().page_size];
        for own in self.own_pages() {
            source.page(own, &mut bytes).map_err(|damage| (own, damage))?;
            // A map that was moved away from the lock byte still ends where the next one begins.
            let first = own - (own - 2) % (self.per_page + 1);
            let last = first.saturating_add(self.per_page).min(self.pages);
            for (page, entry) in (own + 1..=last).zip(bytes.chunks_exact(5)) {
                let (Some((kind, parent)), false) = (entry.split_first(), page == self.lock_byte_page) else {
                    continue;
                };
                let parent = parent.try_into().map_or(0, u32::from_be_bytes);
                each(page, *kind, parent).map_err(|damage| (own, damage))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_steps_aside_for_the_lock_byte() {
        let layout = Layout::new(1024, 0).unwrap();
        let lock = layout.lock_byte_page();
        assert_eq!(lock, 1_048_577);
        let small = PointerMap::new(layout, 500);
        assert_eq!(small.own_pages().collect::<Vec<_>>(), [2, 207, 412]);
        // A map page falls on the page of the lock byte where `lock - 2` is a multiple of the entries of a map page and one.
        let usable = (480..1024).find(|usable| (lock - 2).is_multiple_of(usable / 5 + 1)).unwrap();
        let moved = PointerMap::new(Layout::new(1024, 1024 - usable as usize).unwrap(), lock + 10);
        let own: Vec<u32> = moved.own_pages().collect();
        assert!(!own.contains(&lock) && own.contains(&(lock + 1)));
    }
}
