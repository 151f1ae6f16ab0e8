//! A set of rowids: one bit each where they lie close together, as rowids do, and some 30 bytes each where they lie far apart, as ids
//! that are made of a time do.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Result, SalvageError};

/// The most blocks of 64 rowids that all sets of a salvage have together, in 16 MiB.
const MOST: usize = 500_000;

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
pub struct RowidSet(BTreeMap<i64, u64>, RowidBudget);

/// Returns the block of a rowid, and its bit.
fn place(rowid: i64) -> (i64, u64) {
    (rowid >> 6, 1 << (rowid.cast_unsigned() & 63))
}

impl RowidSet {
    /// Creates an empty set that shares this budget.
    pub fn within(budget: &RowidBudget) -> Self {
        Self(BTreeMap::new(), budget.clone())
    }

    /// Returns true if a rowid is in the set.
    pub fn contains(&self, rowid: i64) -> bool {
        let (block, bit) = place(rowid);
        self.0.get(&block).is_some_and(|bits| bits & bit != 0)
    }

    /// Puts a rowid into the set; returns whether it was not there.
    ///
    /// # Errors
    /// Fails if rowids lie so far apart that the budget does not suffice.
    pub fn insert(&mut self, rowid: i64) -> Result<bool> {
        let (block, bit) = place(rowid);
        if !self.0.contains_key(&block) {
            let left = self.1.0.get().checked_sub(1);
            let left =
                left.ok_or(SalvageError::LimitExceeded("the rowids lie too far apart to keep account of them"))?;
            self.1.0.set(left);
        }
        let bits = self.0.entry(block).or_default();
        let new = *bits & bit == 0;
        *bits |= bit;
        Ok(new)
    }

    /// Takes a rowid out of the set.
    pub fn remove(&mut self, rowid: i64) {
        let (block, bit) = place(rowid);
        if let Some(bits) = self.0.get_mut(&block) {
            *bits &= !bit;
        }
    }

    /// Returns the number of rowids.
    pub fn len(&self) -> u64 {
        self.0.values().map(|bits| u64::from(bits.count_ones())).sum()
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the rowids in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().flat_map(|(block, bits)| {
            let first = block << 6;
            (0..64).filter(move |low| bits >> low & 1 == 1).map(move |low| first + low)
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
                set.insert(rowid << 6).unwrap();
            }
        }
        for set in &mut sets {
            assert!(set.insert(half << 6).is_err());
            assert!(set.insert(1).unwrap());
        }
    }
}
