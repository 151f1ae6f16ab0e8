//! Weighs rows that are not plainly live against all indexes.
//!
//! A row of the store is in each of its table's unique indexes, unless it has NULL there, so that the indexes are witnesses that
//! lie on other pages than the row. A damaged page costs an index entries; it does not make entries that fit a row's key and
//! rowid by chance. So one index that names a row outweighs any that do not, and a whole index that does not name it is
//! evidence that it was deleted. The first index, the primary key's, decides where it can, because every row has that key.

use std::ops::RangeInclusive;

use super::row_layout::{Hashes, RowLayout};
use super::rows::{Origin, RecordPlace};
use super::schema::MOST_KEYS;

/// A row that may be live.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Candidate {
    /// The place where it was found.
    pub origin: Origin,
    /// True if its page does not vouch for it: see [`super::rows::FoundRow`].
    pub is_unvouched: bool,
    /// True if it was freed: see [`super::rows::FoundRow`].
    pub is_freed: bool,
    /// True if it holds a value that the application never writes.
    pub odd: bool,
    /// True if the indexes deny more of the rows of its page than they name: then the page is not what is live.
    pub is_page_denied: bool,
    /// The rowid that stands before it.
    pub rowid: Option<i64>,
    /// The place of its record.
    pub place: RecordPlace,
    /// The table and layout that it fits.
    pub fit: RowLayout,
    /// The hashes of its keys.
    pub hashes: Hashes,
    /// The keys that an index names with this rowid, as a set of bits.
    pub agree: u8,
    /// The keys for which an index has another value with this rowid, as a set of bits.
    pub differ: u8,
    /// The latest time in it, to tell an older state from a newer one.
    pub when: u64,
}

/// For each key of a candidate, the rowid that its index names for it, where that is another.
#[derive(Debug, Clone, Copy, Default)]
pub struct OtherRowids {
    /// The rowids.
    pub rowids: [Option<i64>; MOST_KEYS],
    /// The keys whose rowid another index names too, as a set of bits. A rowid that only one entry names is perhaps damaged
    /// itself.
    pub backed: u8,
}

/// The decision on a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is a live row.
    Row {
        /// Its rowid, from an index where the row's own is damaged.
        rowid: i64,
        /// True if it is flagged, because a value is invalid or an index contradicts it.
        odd: bool,
    },
    /// It is an older state of the row with this rowid.
    Older(i64),
    /// It is intact, and perhaps not live.
    Doubtful,
    /// It was deleted, as far as can be told.
    Deleted,
}

/// The state of the indexes of a candidate's table.
#[derive(Debug, Clone, Copy)]
pub struct KeyStates<'k> {
    /// True if each index was found whole.
    pub whole: &'k [bool],
    /// True if the values tell if a row or an entry is damaged.
    pub has_known_values: bool,
    /// True if the freelist is known.
    pub is_freelist_known: bool,
    /// True if an index has pages that may be free ones.
    pub is_ambiguous: bool,
    /// The ranges of rowids whose leaves were not found, where the freelist is not known.
    pub open_ranges: &'k [RangeInclusive<i64>],
}

impl Candidate {
    fn agrees(&self, key: usize) -> bool {
        self.agree >> key & 1 == 1
    }

    fn hash(&self, key: usize) -> u64 {
        self.hashes.get(key).copied().unwrap_or(0)
    }

    /// Returns true if another index than the first names it, so that the first alone may be an older state. When its page does
    /// not vouch for it, that index must be whole: the rest of a damaged index may name what was deleted.
    fn is_confirmed(&self, keys: KeyStates<'_>) -> bool {
        let is_vouched = self.origin == Origin::OwnTree && !self.is_unvouched;
        let mut others = keys.whole.iter().enumerate().skip(1);
        others.any(|(key, whole)| self.agrees(key) && (*whole || is_vouched))
    }

    /// Weighs it, in this order:
    ///
    /// 1. The first index decides when it names the row, with this rowid or with another one, which more indexes must then agree on
    ///    than on the row's own.
    /// 2. The row is denied when the first index has another key for its rowid; or when that index is whole and does not name it,
    ///    and no other index confirms the row.
    /// 3. Otherwise the row is live when any index names it; a row in its table's own tree also when no whole index denies it.
    ///
    /// A live row in free space is an older state of the row with its rowid, because SQLite leaves the bytes of a row that it
    /// moves where they were. A live row with an index against it is given and flagged.
    pub fn weigh(&self, keys: KeyStates<'_>, elsewhere: &OtherRowids) -> Verdict {
        let all = 0..keys.whole.len();
        let named = |key: usize| elsewhere.rowids.get(key).copied().flatten();
        let is_whole = |key: usize| keys.whole.get(key).copied().unwrap_or(false);
        if keys.whole.is_empty() {
            return match (self.origin, self.rowid) {
                (Origin::OwnTree, Some(rowid)) => Verdict::Row { rowid, odd: self.odd },
                (Origin::Orphan, Some(rowid)) if !self.odd => Verdict::Row { rowid, odd: false },
                // Its page's header is damaged, so that no free space of it can be told.
                (Origin::Gap, Some(rowid)) if !self.odd && !keys.has_known_values => Verdict::Row { rowid, odd: false },
                _ => Verdict::Deleted,
            };
        }
        let supports = |key: &usize| self.agrees(*key) || (self.hash(*key) != 0 && named(*key).is_some());
        let denies = |key: &usize| is_whole(*key) && self.hash(*key) != 0 && !supports(key);
        let rowid = if self.agrees(0) {
            self.rowid
        } else if let Some(rowid) = named(0) {
            // One of the two rowids is damaged, the entry's or the row's: the one that more indexes have is right.
            let same = all.clone().filter(|key| named(*key) == Some(rowid)).count();
            if self.agree.count_ones() as usize >= same {
                self.rowid
            } else {
                Some(rowid)
            }
        } else if self.differ & 1 == 1 || (denies(&0) && !self.is_confirmed(keys)) {
            return self.judge_denied(keys, all.filter(denies).count());
        } else {
            let any = all.clone().any(|key| supports(&key));
            let live = match self.origin {
                Origin::OwnTree => any || !all.clone().any(|key| denies(&key)),
                // No index could tell, and nothing else of the page either.
                Origin::Gap if !keys.has_known_values => any || !all.clone().any(is_whole),
                _ => any,
            };
            if !live {
                return self.judge_unnamed(keys, all.filter(denies).count());
            }
            self.rowid.or_else(|| all.clone().find_map(named))
        };
        let Some(rowid) = rowid else {
            return Verdict::Doubtful;
        };
        if self.origin <= Origin::FreeSpace {
            return Verdict::Older(rowid);
        }
        // Carving found it, and its values are invalid: it may be the header of an older row over the bytes of another.
        if self.origin == Origin::Gap && self.odd {
            return Verdict::Doubtful;
        }
        // An index contradicts the row when it names the same key for another row, or is whole and does not have it. An entry that no
        // other index backs may itself be the damaged one.
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

    /// Returns the verdict on a row that the first index denies. Its page still has it as live when that is sound, and one of the two
    /// is wrong.
    fn judge_denied(&self, keys: KeyStates<'_>, denying: usize) -> Verdict {
        if !keys.has_known_values {
            // One of the two is damaged or older. Where the rows beside it are live, the entry is as likely to be it.
            let is_live = self.origin == Origin::OwnTree && !self.is_page_denied;
            return self
                .rowid
                .filter(|_| is_live)
                .map_or(Verdict::Deleted, |rowid| Verdict::Row { rowid, odd: true });
        }
        // Two whole indexes on other pages without it: its page is an older state of itself, and it was deleted since.
        if self.origin == Origin::OwnTree && !self.is_unvouched && denying < 2 {
            Verdict::Doubtful
        } else {
            Verdict::Deleted
        }
    }

    /// Returns the verdict on a row that no index names and no whole index denies alone. An orphaned page may be a free one, whose rows
    /// were deleted.
    fn judge_unnamed(&self, keys: KeyStates<'_>, denying: usize) -> Verdict {
        let is_in_open_range = || self.rowid.is_none_or(|id| keys.open_ranges.iter().any(|open| open.contains(&id)));
        let can_be_live = keys.is_freelist_known || (keys.is_ambiguous && is_in_open_range());
        match self.origin {
            Origin::OwnTree => self.judge_denied(keys, denying),
            Origin::Orphan if can_be_live && !self.is_unvouched => Verdict::Doubtful,
            _ => Verdict::Deleted,
        }
    }

    /// Returns the evidence for it against another candidate for the same rowid; the greater is given.
    pub fn weight(&self, odd: bool) -> (bool, Origin, u32, u64) {
        (!odd, self.origin, self.agree.count_ones(), self.when)
    }
}
