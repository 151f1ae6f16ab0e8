//! Finds the free pages: from the header, or, where that is gone, from the trunk pages themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{Forest, Walker};
use crate::salvage::notes::{Owner, PageNotes};
use crate::salvage::view::MOST_PAGES;
use crate::salvage::{Result, SalvageError};
use sqlite_format::freelist::Trunk;
use sqlite_format::header::Header;
use sqlite_format::walk::{FreelistVisitor, walk_freelist};

/// The most trunk pages that are found where nothing leads to them.
const MOST_TRUNKS: usize = 100_000;

/// Claims the pages of the freelist.
struct FreePages<'w> {
    notes: &'w mut PageNotes,
    /// The pages that were claimed.
    count: u32,
}

impl FreelistVisitor for FreePages<'_> {
    type Stop = SalvageError;

    fn claim(&mut self, page: u32, _: u32, _: bool) -> Result<bool> {
        let is_taken = take_free(page, self.notes);
        self.count += u32::from(is_taken);
        Ok(is_taken)
    }

    fn note_fault(&mut self, _: u32) {}
}

impl Walker<'_> {
    /// Claims the free pages; returns whether all of them are known.
    pub(super) fn claim_free(&mut self, forest: &mut Forest) -> Result<bool> {
        self.view.page(1, &mut self.bytes);
        match self.bytes.first_chunk().map(Header::parse) {
            Some(Ok(header)) => {
                let mut visitor = FreePages {
                    notes: &mut forest.notes,
                    count: 0,
                };
                // A trunk that was overwritten with zeros reads as one without leaves, and the last: only the header's count
                // shows that pages are missing.
                let has_end = walk_freelist(self.view, header.freelist_trunk, &mut visitor)?;
                Ok(has_end && visitor.count == header.freelist_pages)
            }
            _ => self.free_without_header(forest),
        }
    }

    /// Claims a trunk page and what it lists.
    fn claim_trunk(&mut self, number: u32, forest: &mut Forest) {
        let is_noted = take_free(number, &mut forest.notes) || forest.notes.owner(number) == Owner::Free;
        if !is_noted || !self.view.page(number, &mut self.bytes) {
            return;
        }
        for leaf in Trunk::parse(self.view.layout(), &self.bytes).iter().flat_map(Trunk::leaves) {
            take_free(leaf, &mut forest.notes);
        }
    }

    /// Finds trunk pages by what they hold. The freelist is known when they are one chain with an end, or when there is none and no
    /// page can have been one.
    fn free_without_header(&mut self, forest: &mut Forest) -> Result<bool> {
        let mut trunks = BTreeMap::new();
        let mut unclear = false;
        // Where a trunk lists pages behind the file's end, other trunks may have been there too.
        let mut is_cut = false;
        for number in 2..=self.view.pages() {
            if forest.notes.kind(number).is_some() || forest.notes.owner(number) != Owner::Unowned {
                continue;
            }
            self.stop.check()?;
            self.view.page(number, &mut self.bytes);
            match self.plausible_trunk(number) {
                Some(trunk) if trunks.len() < MOST_TRUNKS => {
                    is_cut |= trunk.leaves().any(|leaf| leaf > self.view.pages());
                    trunks.insert(number, trunk.next());
                }
                Some(_) => unclear = true,
                // It may be what is left of a trunk.
                None => {
                    unclear |= self.bytes.iter().take(8).all(|byte| *byte == 0)
                        || word(&self.bytes, 0).is_none_or(|next| next > self.view.pages());
                }
            }
        }
        let next_ones: BTreeSet<u32> = trunks.values().copied().collect();
        let mut first = trunks.keys().copied().filter(|trunk| !next_ones.contains(trunk));
        let (head, is_one) = (first.next(), first.next().is_none());
        let has_end = trunks.values().all(|next| *next == 0 || trunks.contains_key(next)) && !is_cut;
        for trunk in trunks.keys() {
            self.claim_trunk(*trunk, forest);
        }
        self.release_claimed_children(forest)?;
        Ok(is_one && has_end && if trunks.is_empty() { !unclear } else { head.is_some() })
    }

    /// Returns the trunk that was read, if the page can be one: it lists pages, each only once.
    fn plausible_trunk(&self, number: u32) -> Option<Trunk<'_>> {
        // The file may have been cut off: what it lists may lie behind the end.
        let is_page = |page: u32| (2..=MOST_PAGES).contains(&page) && page != number;
        let trunk = Trunk::parse(self.view.layout(), &self.bytes)?;
        let mut seen = BTreeSet::new();
        let all = trunk.leaves().all(|leaf| is_page(leaf) && seen.insert(leaf));
        let leads_on = trunk.next() == 0 || is_page(trunk.next());
        (leads_on && all && trunk.leaves().len() > 0).then_some(trunk)
    }

    /// Takes back the pages to which an interior page leads that is not free: then the trunk is what is damaged.
    fn release_claimed_children(&mut self, forest: &mut Forest) -> Result<()> {
        let is_inner = |forest: &Forest, number: u32| forest.notes.kind(number).is_some_and(|kind| !kind.is_leaf());
        let mut inner: Vec<u32> = (2..=self.view.pages())
            .filter(|number| forest.notes.owner(*number) == Owner::Unowned && is_inner(forest, *number))
            .collect();
        while let Some(number) = inner.pop() {
            self.stop.check()?;
            for child in self.children(number) {
                if forest.notes.kind(child).is_some() && forest.notes.owner(child) == Owner::Free {
                    forest.notes.set_owner(child, Owner::Unowned);
                    inner.extend(is_inner(forest, child).then_some(child));
                }
            }
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Claims a page as free; returns `false` when it cannot be, or has an owner.
fn take_free(number: u32, notes: &mut PageNotes) -> bool {
    let can_be = (2..=notes.pages()).contains(&number) && notes.owner(number) == Owner::Unowned;
    if can_be {
        notes.set_owner(number, Owner::Free);
    }
    can_be
}
