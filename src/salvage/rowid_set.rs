//! A set of rowids: one bit each where they lie close together, as rowids do.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Result, SalvageError};

/// The most blocks of 512 rowids that all sets of a salvage have together, in 16 MiB.
const MOST: usize = 160_000;

/// The number of blocks that the sets which share it may still take.
#[derive(Debug, Clone)]
pub struct RowidBudget(Rc<Cell<usize>>);

impl Default for RowidBudget {
    fn default() -> Self {
        Self(Rc::new(Cell::new(MOST)))
    }
}

/// A set of rowids.
#[derive(Debug, Default)]
pub struct RowidSet(BTreeMap<i64, [u64; 8]>, RowidBudget);

fn place(rowid: i64) -> (i64, usize, u64) {
    let low = (rowid.cast_unsigned() & 511) as usize;
    (rowid >> 9, low / 64, 1 << (low % 64))
}

impl RowidSet {
    /// Creates an empty set that shares this budget.
    pub fn within(budget: &RowidBudget) -> Self {
        Self(BTreeMap::new(), budget.clone())
    }

    /// Returns true if a rowid is in the set.
    pub fn contains(&self, rowid: i64) -> bool {
        let (block, word, bit) = place(rowid);
        self.0.get(&block).and_then(|words| words.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// Puts a rowid into the set; returns whether it was not there.
    ///
    /// # Errors
    /// Fails if rowids lie so far apart that the budget does not suffice.
    pub fn insert(&mut self, rowid: i64) -> Result<bool> {
        let (block, word, bit) = place(rowid);
        if !self.0.contains_key(&block) {
            let left = self.1.0.get().checked_sub(1);
            let left =
                left.ok_or(SalvageError::LimitExceeded("the rowids lie too far apart to keep account of them"))?;
            self.1.0.set(left);
        }
        let Some(word) = self.0.entry(block).or_default().get_mut(word) else {
            return Ok(false);
        };
        let new = *word & bit == 0;
        *word |= bit;
        Ok(new)
    }

    /// Takes a rowid out of the set.
    pub fn remove(&mut self, rowid: i64) {
        let (block, word, bit) = place(rowid);
        if let Some(word) = self.0.get_mut(&block).and_then(|words| words.get_mut(word)) {
            *word &= !bit;
        }
    }

    /// Returns the number of rowids.
    pub fn len(&self) -> u64 {
        self.0.values().flatten().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the rowids in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().flat_map(|(block, words)| {
            let first = block << 9;
            (0..512)
                .filter(move |low| words.get(low / 64).is_some_and(|word| word >> (low % 64) & 1 == 1))
                .map(move |low| first + i64::try_from(low).unwrap_or(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let mut set = RowidSet::default();
        let rowids = [i64::MIN, -513, -1, 0, 1, 511, 512, i64::MAX];
        for rowid in rowids {
            assert!(set.insert(rowid).unwrap());
            assert!(!set.insert(rowid).unwrap());
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), rowids);
        set.remove(0);
        assert_eq!((set.len(), set.contains(0), set.contains(1)), (7, false, true));
    }

    #[test]
    fn all_sets_share_one_budget() {
        let budget = RowidBudget::default();
        let mut sets = [RowidSet::within(&budget), RowidSet::within(&budget)];
        let half = i64::try_from(MOST / 2).unwrap();
        for rowid in 0..half {
            for set in &mut sets {
                set.insert(rowid << 9).unwrap();
            }
        }
        for set in &mut sets {
            assert!(set.insert(half << 9).is_err());
            assert!(set.insert(1).unwrap());
        }
    }
}
