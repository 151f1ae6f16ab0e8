//! The freelist: trunk pages that lead to one another and list leaf pages, which hold nothing.
//!
//! Source: "The Freelist", <https://www.sqlite.org/fileformat2.html#the_freelist>.

use super::bytes::read_u32;
use super::damage::{Damage, Result};
use super::header::{Header, Layout};
use super::source::Source;

/// A trunk page: the number of the next one, and the leaf pages that it lists.
#[derive(Debug, Clone, Copy)]
pub struct Trunk<'p> {
    next: u32,
    leaves: &'p [[u8; 4]],
}

impl<'p> Trunk<'p> {
    /// Reads a trunk page from its bytes; `None` when it counts more leaves than it has room for.
    pub fn parse(layout: Layout, page: &'p [u8]) -> Option<Self> {
        let count = usize::try_from(read_u32(page, 4)?).ok()?;
        let (numbers, _) = page.get(8..layout.usable)?.as_chunks::<4>();
        let leaves = numbers.get(..count)?;
        Some(Self {
            next: read_u32(page, 0)?,
            leaves,
        })
    }

    /// Returns the next trunk page, 0 for none.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Returns the leaf pages that it lists.
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = u32> + use<'p> {
        self.leaves.iter().map(|number| u32::from_be_bytes(*number))
    }
}

/// Hands out each page of the freelist, trunks and leaves, and holds their number against the header's.
///
/// `each` refuses a page that it has seen, which ends a circle.
///
/// # Errors
/// Fails with the page that is damaged, and its damage.
pub fn walk(
    source: &Source<'_>,
    header: &Header,
    each: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<(), (u32, Damage)> {
    let mut page = vec![0; source.layout().page_size];
    let mut left = header.freelist_pages;
    let mut trunk = header.freelist_trunk;
    while trunk != 0 {
        let mut look = || {
            each(trunk)?;
            left = left.checked_sub(1).ok_or(Damage::Freelist)?;
            source.page(trunk, &mut page)?;
            let page = Trunk::parse(header.layout, &page).ok_or(Damage::Freelist)?;
            let leaves = u32::try_from(page.leaves().len()).map_err(|_| Damage::Freelist)?;
            left = left.checked_sub(leaves).ok_or(Damage::Freelist)?;
            for leaf in page.leaves() {
                each(leaf)?;
            }
            Ok(page.next())
        };
        trunk = look().map_err(|damage| (trunk, damage))?;
    }
    if left == 0 {
        Ok(())
    } else {
        Err((header.freelist_trunk, Damage::Freelist))
    }
}
