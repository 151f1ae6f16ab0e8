//! An account of the used pages: each by one owner, and by one only.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::damage::{Damage, Result};

/// One bit for each page.
pub struct Accounts {
    words: Vec<AtomicU64>,
    pages: u32,
}

impl Accounts {
    /// The most pages that are kept account of, in 8 MiB.
    pub const MOST_PAGES: u32 = 1 << 26;

    /// Accounts of a store of this size.
    pub fn new(pages: u32) -> Self {
        let words = (pages as usize).div_ceil(64);
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            pages,
        }
    }

    /// Takes a page.
    ///
    /// # Errors
    /// [`Damage::PageNumber`] for a page that the database does not have, [`Damage::UsedTwice`] for one that was taken before.
    #[inline]
    pub fn take(&self, number: u32) -> Result<()> {
        let at = number.checked_sub(1).filter(|at| *at < self.pages).ok_or(Damage::PageNumber)?;
        let word = self.words.get(at as usize / 64).ok_or(Damage::PageNumber)?;
        let bit = 1 << (at % 64);
        if word.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            Ok(())
        } else {
            Err(Damage::UsedTwice)
        }
    }

    /// Returns `true` when a page is taken.
    pub fn has(&self, number: u32) -> bool {
        let at = number.wrapping_sub(1);
        let word = self.words.get(at as usize / 64).map_or(0, |word| word.load(Ordering::Relaxed));
        word >> (at % 64) & 1 == 1
    }

    /// Returns the first page that was not taken.
    pub fn unused(&self) -> Option<u32> {
        (0_u32..)
            .zip(&self.words)
            .map(|(at, word)| (at, word.load(Ordering::Relaxed).trailing_ones()))
            .find(|(_, used)| *used < 64)
            .map(|(at, used)| at * 64 + used + 1)
            .filter(|number| *number <= self.pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_taken_once() {
        for pages in [1, 63, 64, 65, 200] {
            let accounts = Accounts::new(pages);
            assert_eq!(accounts.take(0), Err(Damage::PageNumber));
            assert_eq!(accounts.take(pages + 1), Err(Damage::PageNumber));
            for page in 1..=pages {
                assert_eq!(accounts.unused(), Some(page));
                assert_eq!(accounts.take(page), Ok(()));
                assert_eq!(accounts.take(page), Err(Damage::UsedTwice));
            }
            assert_eq!(accounts.unused(), None);
        }
    }
}
