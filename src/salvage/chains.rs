//! Overflow chains of a damaged store: walked before anything is believed, and never in a circle.

use std::collections::HashSet;

use super::view::View;

/// The longest row that is held. In bytes.
pub const LONGEST: usize = 12 << 20;

/// Walks chains.
#[derive(Debug)]
pub struct Chains {
    /// How many pages may still be walked: where chains of many cells lead over the same pages, time would have no bound.
    left: u64,
    seen: HashSet<u32>,
    page: Vec<u8>,
    /// Rows that are longer than is held.
    pub too_long: u64,
}

impl Chains {
    /// Chains of a view with so many pages, of which each may be walked a few times.
    pub fn new(pages: u32) -> Self {
        Self {
            left: 4 * u64::from(pages) + 1000,
            seen: HashSet::new(),
            page: Vec::new(),
            too_long: 0,
        }
    }

    /// Puts a payload together: the part that lies in its cell, and the rest. Says whether all of it was there.
    pub fn whole(&mut self, view: &View<'_>, local: &[u8], len: usize, first: u32, into: &mut Vec<u8>) -> bool {
        into.clear();
        let each = view.layout().usable - 4;
        let needed = len.saturating_sub(local.len()).div_ceil(each) as u64;
        if needed > u64::from(view.pages()) || needed > self.left {
            return false;
        }
        if len > LONGEST {
            self.too_long += 1;
            return false;
        }
        // First only the way is walked: a chain that leads nowhere costs no memory.
        self.seen.clear();
        into.extend_from_slice(local);
        let mut next = first;
        while into.len() < len {
            if next < 2 || !self.seen.insert(next) || !view.page(next, &mut self.page) {
                return false;
            }
            self.left = self.left.saturating_sub(1);
            let here = each.min(len - into.len());
            let Some((head, content)) = self.page.split_first_chunk::<4>() else {
                return false;
            };
            into.extend_from_slice(content.get(..here).unwrap_or_default());
            next = u32::from_be_bytes(*head);
        }
        true
    }
}
