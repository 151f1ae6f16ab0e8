//! What is in a block of pages that are not kept one by one. Bounded, whatever is told.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Marked;

/// The classes that a block counts; it does not tell the pages of further ones apart.
const MOST_CLASSES: usize = 64;

/// The pages with a mark that a block keeps one by one.
const MOST_MARKS: usize = 64;

/// What is in a block.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Codes of classes, and how many pages of each there are.
    classes: Vec<(u16, u32)>,
    /// How many pages were told of.
    told: u32,
    /// The damaged pages.
    pub(super) damaged: Marks,
    /// The pages that the WAL replaces.
    pub(super) replaced: Marks,
}

/// A block, for one thread. What a thread that panicked has counted still holds.
pub(super) fn of(block: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    block.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gathered {
    /// Counts a page of a class, unless all of the block's pages were told; says whether it did.
    pub(super) fn tell(&mut self, code: u16, pages: u32) -> bool {
        if self.told >= pages {
            return false;
        }
        self.told += 1;
        if let Some((_, count)) = self.classes.iter_mut().find(|(known, _)| *known == code) {
            *count += 1;
        } else if self.classes.len() < MOST_CLASSES {
            self.classes.push((code, 1));
        }
        true
    }

    /// The classes' codes, and how many pages of each there are.
    pub(super) fn classes(&self) -> &[(u16, u32)] {
        &self.classes
    }

    /// How many of the block's pages nobody told of.
    pub(super) fn untold(&self, pages: u32) -> u32 {
        pages.saturating_sub(self.told)
    }
}

/// Pages with a mark.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pages: BTreeSet<u32>,
    more: bool,
}

impl Marks {
    /// Marks a page, once or often. The first pages of the block are kept, in whatever order they are marked.
    pub(super) fn add(&mut self, page: u32) {
        self.pages.insert(page);
        if self.pages.len() > MOST_MARKS {
            self.pages.pop_last();
            self.more = true;
        }
    }

    /// The pages that are kept, in their order.
    pub(super) fn pages(&self) -> impl Iterator<Item = u32> {
        self.pages.iter().copied()
    }

    /// How many there are.
    pub(super) fn count(&self) -> Marked {
        Marked {
            pages: u32::try_from(self.pages.len()).unwrap_or(u32::MAX),
            at_least: self.more,
        }
    }
}
