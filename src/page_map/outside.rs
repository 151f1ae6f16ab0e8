//! The pages of a store that belong to no tree: the freelist, the pointer map, the page of the locks.

use super::walk::Walk;
use super::{Builder, Class};
use crate::limits::stop::Stopped;
use sqlite_format::header::Header;
use sqlite_format::pointer_map::PointerMap;

impl Walk<'_> {
    /// Walks all of them.
    ///
    /// # Errors
    /// Where it is time to stop.
    pub(super) fn outside_of_trees(&mut self, builder: &Builder, header: &Header) -> Result<(), Stopped> {
        let lock_byte = header.layout.lock_byte_page();
        if self.take(lock_byte)? {
            builder.tell(lock_byte, Class::LockByte);
        }
        if header.largest_root != 0 {
            for page in PointerMap::new(header.layout, self.source.pages()).own_pages() {
                if self.take_from(builder, page, page)? {
                    builder.tell(page, Class::PointerMap);
                }
            }
        }
        self.freelist(builder, header)
    }

    fn freelist(&mut self, builder: &Builder, header: &Header) -> Result<(), Stopped> {
        let word = |page: &[u8], at: usize| {
            let bytes = page.get(4 * at..).and_then(|rest| rest.first_chunk::<4>());
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        let most_leaves = header.layout.usable / 4 - 2;
        let mut page = vec![0; header.layout.page_size];
        // The first trunk is named by the first page.
        let (mut from, mut trunk) = (1, header.freelist_trunk);
        while trunk != 0 && self.take_from(builder, trunk, from)? {
            builder.tell(trunk, Class::FreeTrunk);
            let read = self.source.page(trunk, &mut page);
            let leaves = word(&page, 1) as usize;
            if read.is_err() || leaves > most_leaves {
                self.fault(builder, trunk);
                return Ok(());
            }
            for at in 0..leaves {
                let leaf = word(&page, 2 + at);
                if self.take_from(builder, leaf, trunk)? {
                    builder.tell(leaf, Class::FreeLeaf);
                }
            }
            (from, trunk) = (trunk, word(&page, 0));
        }
        Ok(())
    }
}
