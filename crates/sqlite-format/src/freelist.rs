//! The freelist: trunk pages that lead to one another and list leaf pages, which hold nothing.
//!
//! Source: "The Freelist", <https://www.sqlite.org/fileformat2.html#the_freelist>.

use super::damage::{Damage, Result};
use super::header::Header;
use super::source::Source;
use super::varint::be32;

/// Hands out each page of the freelist, trunks and leaves, and holds their number against the header's.
///
/// `each` refuses a page that it has seen, which ends a circle.
///
/// # Errors
/// What is odd, and the page.
pub fn walk(
    source: &Source<'_>,
    header: &Header,
    each: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<(), (u32, Damage)> {
    let most_leaves = u32::try_from(header.layout.usable / 4 - 2).unwrap_or(0);
    let mut page = vec![0; source.layout().page_size];
    let mut left = header.freelist_pages;
    let mut trunk = header.freelist_trunk;
    while trunk != 0 {
        let mut look = || {
            each(trunk)?;
            left = left.checked_sub(1).ok_or(Damage::Freelist)?;
            source.page(trunk, &mut page)?;
            let leaves = be32(&page, 4).filter(|leaves| *leaves <= most_leaves).ok_or(Damage::Freelist)?;
            left = left.checked_sub(leaves).ok_or(Damage::Freelist)?;
            for at in 0..leaves as usize {
                each(be32(&page, 8 + 4 * at).ok_or(Damage::Freelist)?)?;
            }
            be32(&page, 0).ok_or(Damage::Freelist)
        };
        trunk = look().map_err(|damage| (trunk, damage))?;
    }
    if left == 0 {
        Ok(())
    } else {
        Err((header.freelist_trunk, Damage::Freelist))
    }
}
