//! Sets of numbers of which there may be many: rowids as bits, hashes in a table, and what one thread has seen lately.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of hashes that one thread remembers of one foreign key.
const RECENT: usize = 128;

/// The longest value that is remembered.
const SHORT: usize = 47;

/// The number of values that are remembered.
const VALUES: usize = 64;

/// One bit for each rowid from 0 on.
pub(super) struct Bits(Vec<AtomicU64>);

impl Bits {
    /// As many bits, and a few more.
    pub(super) fn new(bits: u64) -> Self {
        let words = usize::try_from(bits / 64 + 1).unwrap_or(0);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes a rowid; whether there is a bit for it.
    #[inline]
    pub(super) fn set(&self, rowid: i64) -> bool {
        let Some((word, bit)) = usize::try_from(rowid).ok().and_then(|at| Some((self.0.get(at / 64)?, 1 << (at % 64))))
        else {
            return false;
        };
        // Most were noted before, and looking is cheaper.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        true
    }

    /// Returns `true` when all that is noted here is noted there too.
    pub(super) fn are_among(&self, others: &Self) -> bool {
        let pairs = self.0.iter().zip(&others.0);
        self.0.len() == others.0.len()
            && pairs
                .into_iter()
                .all(|(own, other)| own.load(Ordering::Relaxed) & !other.load(Ordering::Relaxed) == 0)
    }
}

/// A set of numbers, none of them 0, in a table that is never more than half full.
#[derive(Default)]
pub(super) struct Set {
    slots: Vec<u64>,
    count: usize,
    most_slots: usize,
}

impl Set {
    /// A set of no more slots than this.
    pub(super) fn new(most_slots: usize) -> Self {
        Self {
            most_slots: most_slots.checked_ilog2().map_or(0, |bits| 1 << bits),
            ..Self::default()
        }
    }

    /// Returns `true` when nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a number; whether there was room.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.position(number).is_some() {
            return true;
        }
        if self.count * 2 >= self.slots.len() {
            let slots = (self.slots.len() * 2).max(64);
            if slots > self.most_slots {
                return false;
            }
            let old = std::mem::replace(&mut self.slots, vec![0; slots]);
            self.count = 0;
            for number in old.into_iter().filter(|number| *number != 0) {
                self.place(number);
            }
        }
        self.place(number);
        true
    }

    fn place(&mut self, number: u64) {
        let at = self.find(number);
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| **slot == 0) {
            *slot = number;
            self.count += 1;
        }
    }

    /// The slot that holds a number, or the one where it would stand.
    fn find(&self, number: u64) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        // Rowids are no hashes: mixed, so that a row of them does not fill one place.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        #[expect(clippy::cast_possible_truncation, reason = "any part of it will do")]
        let mut at = (mixed ^ mixed >> 32) as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != 0 && *slot != number) {
            at = (at + 1) & mask;
        }
        at
    }

    /// The place of a number that is in it.
    fn position(&self, number: u64) -> Option<usize> {
        let at = self.find(number);
        self.slots.get(at).filter(|slot| **slot == number).map(|_| at)
    }
}

/// The memory of one thread: keys that it has gathered, so that a key that many rows refer to is looked at once.
#[derive(Default)]
pub(super) struct Recent {
    /// By their hashes.
    numbers: Vec<u64>,
    /// The last short values of a key of one column, by their last bytes.
    values: Vec<(u8, [u8; SHORT])>,
}

impl Recent {
    /// Returns `true` when this number is new, or has been forgotten.
    pub(super) fn is_new(&mut self, number: u64) -> bool {
        if self.numbers.is_empty() {
            self.numbers = vec![0; RECENT];
        }
        #[expect(clippy::cast_possible_truncation, reason = "any part of it will do")]
        let slot = self.numbers.get_mut(number as usize % RECENT);
        slot.is_none_or(|slot| std::mem::replace(slot, number) != number)
    }

    /// Returns `true` when this text is new, or has been forgotten, or is too long.
    #[inline]
    pub(super) fn is_new_text(&mut self, text: &[u8]) -> bool {
        let (Ok(len), Some(tail)) = (u8::try_from(text.len()), text.last_chunk::<4>()) else {
            return true;
        };
        if self.values.is_empty() {
            self.values = vec![(0, [0; SHORT]); VALUES];
        }
        let place = u32::from_le_bytes(*tail).wrapping_mul(0x9e37_79b9) >> 26;
        let Some((known_len, known)) = self.values.get_mut(place as usize) else {
            return true;
        };
        let Some(slot) = known.get_mut(..text.len()) else {
            return true;
        };
        if *known_len == len && *slot == *text {
            return false;
        }
        *known_len = len;
        slot.copy_from_slice(text);
        true
    }
}

/// The keys that are still to be found.
#[derive(Default)]
pub(super) struct Missing {
    set: Set,
    found: Vec<u64>,
    count: usize,
}

impl Missing {
    /// All of a set.
    pub(super) fn new(set: Set) -> Self {
        Self {
            found: vec![0; set.slots.len().div_ceil(64)],
            set,
            count: 0,
        }
    }

    /// Notes a number that is there.
    pub(super) fn is_there(&mut self, number: u64) {
        if let Some(at) = self.set.position(number)
            && let Some(word) = self.found.get_mut(at / 64)
        {
            self.count += usize::from(*word & 1 << (at % 64) == 0);
            *word |= 1 << (at % 64);
        }
    }

    /// Returns `true` when all was found.
    pub(super) fn is_over(&self) -> bool {
        self.count == self.set.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it_and_no_more_than_its_bound() {
        let mut set = Set::new(1000);
        assert!((1..=256).all(|number| set.insert(number * 1_000_003)));
        assert!(set.insert(1_000_003));
        assert!(!set.insert(7));
        let mut missing = Missing::new(set);
        for number in (1..=256).chain([9, 300]) {
            assert!(!missing.is_over());
            missing.is_there(number * 1_000_003);
            missing.is_there(number);
            if number == 256 {
                break;
            }
        }
        assert!(missing.is_over());
        assert!(Missing::default().is_over());
    }

    #[test]
    fn bits_are_for_rowids_that_lie_near_together() {
        let (some, all) = (Bits::new(200), Bits::new(200));
        for rowid in [0, 1, 63, 64, 200] {
            assert!(some.set(rowid) && all.set(rowid));
        }
        assert!(all.set(100));
        assert!(some.are_among(&all) && !all.are_among(&some));
        assert!(!some.set(-1) && !some.set(i64::MIN) && !some.set(i64::MAX) && !some.set(300));
    }

    #[test]
    fn what_was_seen_lately_is_not_new() {
        let mut recent = Recent::default();
        let long = [b'x'; SHORT + 1];
        for (text, new) in [
            (&b"abcd"[..], true),
            (b"abcd", false),
            (b"xabcd", true),
            (b"abc", true),
            (&long, true),
            (&long, true),
        ] {
            assert_eq!(recent.is_new_text(text), new);
        }
        assert!(recent.is_new(5) && !recent.is_new(5) && recent.is_new(6));
    }
}
