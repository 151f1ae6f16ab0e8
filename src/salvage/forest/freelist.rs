//! Which pages are free: by the header, or, where that is gone, by the trunk pages themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{Forest, Walker};
use crate::salvage::ended::Result;
use crate::salvage::notes::Owner;
use crate::salvage::view::MOST_PAGES;
use sqlite_format::header::Header;

/// How many trunk pages are looked for where nothing leads to them.
const MOST_TRUNKS: usize = 100_000;

impl Walker<'_> {
    /// Notes which pages are free; says whether that is known.
    pub(super) fn free(&mut self, forest: &mut Forest) -> Result<bool> {
        self.view.page(1, &mut self.bytes);
        match self.bytes.first_chunk().map(Header::parse) {
            Some(Ok(header)) => {
                let counted = word(&self.bytes, 36).unwrap_or(0);
                Ok(self.chain(header.freelist_trunk, forest) == Some(counted))
            }
            _ => self.free_without_header(forest),
        }
    }

    /// Notes a trunk page, those behind it and all that they list; says how many that are, where the chain has an end.
    fn chain(&mut self, first: u32, forest: &mut Forest) -> Option<u32> {
        let mut found = 0;
        let mut trunk = first;
        while trunk != 0 {
            if forest.notes.owner(trunk) == Owner::Free {
                return None;
            }
            found += self.link(trunk, forest)?;
            trunk = word(&self.bytes, 0).unwrap_or(0);
        }
        // A trunk that was overwritten with zeros is one without leaves, and the last.
        Some(found)
    }

    /// Notes one trunk page and what it lists; says how many that are, where it can be one.
    fn link(&mut self, trunk: u32, forest: &mut Forest) -> Option<u32> {
        let is_noted = take_free(trunk, forest) || forest.notes.owner(trunk) == Owner::Free;
        if !is_noted || !self.view.page(trunk, &mut self.bytes) {
            return None;
        }
        let leaves = self.leaves()?;
        let mut found = 1;
        for at in 0..leaves {
            found += u32::from(take_free(word(&self.bytes, 8 + 4 * at).unwrap_or(0), forest));
        }
        Some(found)
    }

    /// How many pages the trunk that was read lists, where it has room for so many.
    fn leaves(&self) -> Option<usize> {
        let most = self.view.layout().usable / 4 - 2;
        let leaves = usize::try_from(word(&self.bytes, 4)?).ok()?;
        (leaves <= most).then_some(leaves)
    }

    /// Looks for trunk pages by what they hold. The freelist is known where they are one chain with an end, or where there is
    /// none and no page can have been one.
    fn free_without_header(&mut self, forest: &mut Forest) -> Result<bool> {
        let mut trunks = BTreeMap::new();
        let mut unclear = false;
        // Where a trunk lists pages behind the file's end, other trunks may have been there too.
        let mut is_cut = false;
        for number in 2..=self.view.pages() {
            if forest.notes.kind(number).is_some() || forest.notes.owner(number) != Owner::Nobody {
                continue;
            }
            self.stop.check()?;
            self.view.page(number, &mut self.bytes);
            match self.trunk(number) {
                Some(next) if trunks.len() < MOST_TRUNKS => {
                    is_cut |= self.lists_beyond_end();
                    trunks.insert(number, next);
                }
                Some(_) => unclear = true,
                // It may be what is left of a trunk.
                None => {
                    unclear |= self.bytes.iter().take(8).all(|byte| *byte == 0)
                        || word(&self.bytes, 0).is_none_or(|next| next > self.view.pages());
                }
            }
        }
        let behind: BTreeSet<u32> = trunks.values().copied().collect();
        let mut first = trunks.keys().copied().filter(|trunk| !behind.contains(trunk));
        let (head, is_one) = (first.next(), first.next().is_none());
        let has_end = trunks.values().all(|next| *next == 0 || trunks.contains_key(next)) && !is_cut;
        for trunk in trunks.keys() {
            self.link(*trunk, forest);
        }
        self.not_free(forest)?;
        Ok(is_one && has_end && if trunks.is_empty() { !unclear } else { head.is_some() })
    }

    /// The page behind a trunk, where the page that was read can be one: what it lists are pages, and each only once.
    fn trunk(&self, number: u32) -> Option<u32> {
        // The file may have been cut off: what it lists may lie behind the end.
        let is_page = |page: u32| (2..=MOST_PAGES).contains(&page) && page != number;
        let next = word(&self.bytes, 0).filter(|next| *next == 0 || is_page(*next))?;
        let leaves = self.leaves()?;
        let mut seen = BTreeSet::new();
        let all =
            (0..leaves).all(|at| word(&self.bytes, 8 + 4 * at).is_some_and(|page| is_page(page) && seen.insert(page)));
        (all && leaves > 0).then_some(next)
    }

    /// Returns true if the trunk that was read lists a page behind the file's end.
    fn lists_beyond_end(&self) -> bool {
        let leaves = self.leaves().unwrap_or(0);
        (0..leaves).any(|at| word(&self.bytes, 8 + 4 * at).is_some_and(|page| page > self.view.pages()))
    }

    /// What an inner page that is not free leads to is not free either: then it is the trunk that is damaged.
    fn not_free(&mut self, forest: &mut Forest) -> Result<()> {
        let is_inner = |forest: &Forest, number: u32| forest.notes.kind(number).is_some_and(|kind| !kind.is_leaf());
        let mut inner: Vec<u32> = (2..=self.view.pages())
            .filter(|number| forest.notes.owner(*number) == Owner::Nobody && is_inner(forest, *number))
            .collect();
        let mut children = Vec::new();
        while let Some(number) = inner.pop() {
            self.stop.check()?;
            self.view.page(number, &mut self.bytes);
            children.clear();
            self.children(number, &mut children);
            for child in &children {
                if forest.notes.kind(*child).is_some() && forest.notes.owner(*child) == Owner::Free {
                    forest.notes.set_owner(*child, Owner::Nobody);
                    inner.extend(is_inner(forest, *child).then_some(*child));
                }
            }
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Notes that a page is free; says whether it can be, and was not noted before.
fn take_free(number: u32, forest: &mut Forest) -> bool {
    let can_be = (2..=forest.notes.pages()).contains(&number) && forest.notes.owner(number) == Owner::Nobody;
    if can_be {
        forest.notes.set_owner(number, Owner::Free);
    }
    can_be
}
