//! Rows that are not plainly live: each is weighed against all indexes before one of it is given.

use std::ops::RangeInclusive;

use super::row_layout::{Fit, Hashes};
use super::rows::{Origin, Place};
use super::schema::MOST_KEYS;

/// A row that may be live.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// How it was found.
    pub origin: Origin,
    /// Whether its page does not vouch for it.
    pub is_unvouched: bool,
    /// Whether it holds what the application never writes.
    pub odd: bool,
    /// The rowid that stands before it.
    pub rowid: Option<i64>,
    /// Where it lies.
    pub place: Place,
    /// Whose it can be.
    pub fit: Fit,
    /// Its keys.
    pub hashes: Hashes,
    /// Which of them an index names with this rowid, as a set of bits.
    pub agree: u8,
    /// Which of them an index has otherwise for this rowid.
    pub differ: u8,
    /// The latest time in it.
    pub when: u64,
}

/// For each key of a candidate, the rowid that its index names for it, where that is another.
#[derive(Debug, Clone, Copy, Default)]
pub struct OtherRowids {
    /// The rowids.
    pub rowids: [Option<i64>; MOST_KEYS],
    /// Which of them another index knows too, as a set of bits. Where none does, it is perhaps the rowid in the entry that is
    /// damaged.
    pub backed: u8,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is a row, with this rowid; perhaps with something odd about it.
    Row {
        /// The rowid, by an index where the row's own is damaged.
        rowid: i64,
        /// Whether it is flagged.
        odd: bool,
    },
    /// It is an older state of the row with this rowid.
    Older(i64),
    /// It is whole, and perhaps none of the store's.
    Doubtful,
    /// It was deleted, as far as anybody can tell.
    Deleted,
}

/// What is known of the keys of a candidate's table.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'k> {
    /// Whether each index was found whole.
    pub whole: &'k [bool],
    /// Whether the freelist is known.
    pub is_freelist_known: bool,
    /// Whether an index has pages of which nobody can tell whether they are free ones.
    pub is_ambiguous: bool,
    /// Where the freelist is not schema, the ranges of rowids whose leaves were not found.
    pub open_ranges: &'k [RangeInclusive<i64>],
}

impl Candidate {
    fn agrees(&self, key: usize) -> bool {
        self.agree >> key & 1 == 1
    }

    fn hash(&self, key: usize) -> u64 {
        self.hashes.get(key).copied().unwrap_or(0)
    }

    /// Whether another index than the first names it, and the first alone is perhaps an older state. Where its page does not vouch
    /// for it, that index must be whole: what is left of one may name what was deleted.
    fn is_confirmed(&self, keys: Keys<'_>) -> bool {
        let is_vouched = self.origin == Origin::OwnTree && !self.is_unvouched;
        let mut others = keys.whole.iter().enumerate().skip(1);
        others.any(|(key, whole)| self.agrees(key) && (*whole || is_vouched))
    }

    /// Weighs it. The first index, the primary key's, decides where it names the row, or has another one for its rowid; or where it is
    /// whole, does not name it, and no other does.
    pub fn weigh(&self, keys: Keys<'_>, elsewhere: &OtherRowids) -> Verdict {
        let all = 0..keys.whole.len();
        let named = |key: usize| elsewhere.rowids.get(key).copied().flatten();
        let is_whole = |key: usize| keys.whole.get(key).copied().unwrap_or(false);
        if keys.whole.is_empty() {
            return match (self.origin, self.rowid) {
                (Origin::OwnTree, Some(rowid)) => Verdict::Row { rowid, odd: self.odd },
                (Origin::Orphan, Some(rowid)) if !self.odd => Verdict::Row { rowid, odd: false },
                _ => Verdict::Deleted,
            };
        }
        let supports = |key: &usize| self.agrees(*key) || (self.hash(*key) != 0 && named(*key).is_some());
        let denies = |key: &usize| is_whole(*key) && self.hash(*key) != 0 && !supports(key);
        let rowid = if self.agrees(0) {
            self.rowid
        } else if let Some(rowid) = named(0) {
            // The more indexes name it so, the better.
            let same = all.clone().filter(|key| named(*key) == Some(rowid)).count();
            if self.agree.count_ones() as usize >= same {
                self.rowid
            } else {
                Some(rowid)
            }
        } else if self.differ & 1 == 1 || (denies(&0) && !self.is_confirmed(keys)) {
            return self.denied();
        } else {
            let any = all.clone().any(|key| supports(&key));
            let live = match self.origin {
                Origin::OwnTree => any || !all.clone().any(|key| denies(&key)),
                _ => any,
            };
            if !live {
                return self.judge_unnamed(keys);
            }
            self.rowid.or_else(|| all.clone().find_map(named))
        };
        let Some(rowid) = rowid else {
            return Verdict::Doubtful;
        };
        if self.origin <= Origin::FreeSpace {
            return Verdict::Older(rowid);
        }
        // It may be the header of an older row over the bytes of another.
        if self.origin == Origin::Gap && self.odd {
            return Verdict::Doubtful;
        }
        // An index that names the same key for another row, or knows nothing of it though it is whole.
        let contradicts = |key: usize| {
            let same = named(key) == Some(rowid) || (self.agrees(key) && self.rowid == Some(rowid));
            let is_anothers = named(key).is_some() && elsewhere.backed >> key & 1 == 1;
            key > 0 && !same && (is_anothers || denies(&key) || self.differ >> key & 1 == 1)
        };
        Verdict::Row {
            rowid,
            odd: self.odd || denies(&0) || all.clone().any(contradicts),
        }
    }

    /// The index that must name it does not.
    fn denied(&self) -> Verdict {
        if self.origin == Origin::OwnTree && !self.is_unvouched {
            Verdict::Doubtful
        } else {
            Verdict::Deleted
        }
    }

    fn judge_unnamed(&self, keys: Keys<'_>) -> Verdict {
        let is_in_open_range = || self.rowid.is_none_or(|id| keys.open_ranges.iter().any(|open| open.contains(&id)));
        let can_be_live = keys.is_freelist_known || (keys.is_ambiguous && is_in_open_range());
        match self.origin {
            Origin::OwnTree => self.denied(),
            Origin::Orphan if can_be_live && !self.is_unvouched => Verdict::Doubtful,
            _ => Verdict::Deleted,
        }
    }

    /// What speaks for it, beside another candidate for the same rowid.
    pub fn weight(&self, odd: bool) -> (bool, Origin, u32, u64) {
        (!odd, self.origin, self.agree.count_ones(), self.when)
    }
}
