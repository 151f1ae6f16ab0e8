//! The rowids of a part of a table that its indexes name, with a digest of the key in each index.
//!
//! A digest has 30 bits of the key's hash: enough for a row that matches by chance to be rare, and few enough that one block of 16
//! rowids costs 256 bytes.

use std::collections::BTreeMap;

use super::row_layout::Hashes;
use super::schema::MOST_KEYS;

/// The rowids of one block.
const EACH: usize = 16;

type Block = [[u32; MOST_KEYS]; EACH];

/// The rowids of a range that the indexes of one table name.
#[derive(Debug)]
pub struct IndexedRows {
    blocks: BTreeMap<i64, Block>,
    /// The first rowid of the range.
    pub from: i64,
    /// The last.
    pub to: i64,
}

fn place(rowid: i64) -> (i64, usize) {
    (rowid >> 4, (rowid.cast_unsigned() & 15) as usize)
}

/// The bits of a digest that are no part of the hash: whether an entry without invalid values names the row, and whether one with
/// invalid values does, or a second one.
const MARKS: u32 = SOUND | UNSURE;
const SOUND: u32 = 1;
const UNSURE: u32 = 2;

/// Returns the digest of an entry. It is never 0, which stands for a row without an entry.
pub fn digest(hash: u64, is_odd: bool) -> u32 {
    (hash >> 32) as u32 & !MARKS | if is_odd { UNSURE } else { SOUND }
}

/// Returns true if an entry without invalid values has this digest.
pub fn is_sound(said: u32) -> bool {
    said & SOUND != 0
}

/// Returns true if an index has two entries for the row: the rowid of one of them is damaged.
fn is_double(said: u32) -> bool {
    said & MARKS == MARKS
}

/// Returns true if an entry's digest matches a row's hash. An entry with an invalid value matches the row with the same value.
fn agrees(said: u32, hash: u64) -> bool {
    said != 0 && (said ^ digest(hash, false)) & !MARKS == 0
}

impl IndexedRows {
    /// Creates an empty range of rowids from this one on.
    pub fn from(from: i64) -> Self {
        Self {
            blocks: BTreeMap::new(),
            from,
            to: i64::MAX,
        }
    }

    /// Returns true if a rowid is in the range.
    pub fn covers(&self, rowid: i64) -> bool {
        (self.from..=self.to).contains(&rowid)
    }

    /// Takes an entry. The first entry of an index for a row counts, but one with invalid values gives way. Returns true if the index
    /// had the very same entry before: then one of its pages is there twice, and another is missing.
    pub fn insert(&mut self, rowid: i64, key: usize, said: u32) -> bool {
        if !self.covers(rowid) {
            return false;
        }
        let (block, at) = place(rowid);
        let block = self.blocks.entry(block).or_default();
        if let Some(slot) = block.get_mut(at).and_then(|keys| keys.get_mut(key)) {
            if *slot == 0 || (!is_sound(*slot) && is_sound(said)) {
                *slot = said;
            } else if is_sound(said) && (*slot ^ said) & !MARKS != 0 {
                *slot |= UNSURE;
            } else {
                return is_sound(said);
            }
        }
        false
    }

    /// Returns the number of blocks that are held.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Gives up the upper half of the range; another pass takes it.
    pub fn halve(&mut self) {
        let middle = self.blocks.keys().nth(self.blocks.len() / 2).copied();
        if let Some(middle) = middle {
            self.cut((middle << 4).saturating_sub(1));
        }
    }

    /// Gives up the rowids behind this one.
    pub fn cut(&mut self, to: i64) {
        self.to = self.to.min(to.max(self.from));
        // The block in which the range now ends stays: what it holds beyond is not asked for.
        let _ = self.blocks.split_off(&((self.to >> 4) + 1));
    }

    /// Returns the digests of a row, one for each key.
    pub fn digests(&self, rowid: i64) -> [u32; MOST_KEYS] {
        let (block, at) = place(rowid);
        if !self.covers(rowid) {
            return [0; MOST_KEYS];
        }
        self.blocks.get(&block).and_then(|block| block.get(at)).copied().unwrap_or_default()
    }

    /// Returns the keys of a row that match the indexes, as a set of bits.
    pub fn matching_keys(&self, rowid: i64, hashes: &Hashes) -> u8 {
        let said = self.digests(rowid);
        let agrees = |(said, hash): (&u32, &u64)| *hash != 0 && agrees(*said, *hash);
        said.iter()
            .zip(hashes)
            .enumerate()
            .filter(|(_, both)| agrees(*both))
            .map(|(key, _)| 1 << key)
            .sum()
    }

    /// Returns the keys of a row for which the indexes have another value with this rowid, as a set of bits. An entry with invalid
    /// values, or one of two, is perhaps damaged itself, and is no evidence against a row.
    pub fn conflicting_keys(&self, rowid: i64, hashes: &Hashes) -> u8 {
        let said = self.digests(rowid);
        let differs =
            |(said, hash): (&u32, &u64)| is_sound(*said) && !is_double(*said) && *hash != 0 && !agrees(*said, *hash);
        said.iter()
            .zip(hashes)
            .enumerate()
            .filter(|(_, both)| differs(*both))
            .map(|(key, _)| 1 << key)
            .sum()
    }

    /// Returns true if another index names a row too which this one names once, as far as can be told.
    pub fn is_named_twice(&self, rowid: i64, key: usize) -> bool {
        let said = self.digests(rowid);
        let is_double = said.get(key).copied().is_some_and(is_double);
        let mut others = said.iter().enumerate().filter(|(other, _)| *other != key);
        !self.covers(rowid) || (!is_double && others.any(|(_, said)| *said != 0))
    }

    /// Returns true if a row has such a key, as far as can be told.
    pub fn may_have_key(&self, rowid: i64, key: usize, hash: u64) -> bool {
        let said = self.digests(rowid).get(key).copied().unwrap_or(0);
        !self.covers(rowid) || (agrees(said, hash) && !is_double(said))
    }

    /// Returns every rowid that an entry names.
    pub fn rowids(&self) -> impl Iterator<Item = i64> + '_ {
        self.blocks.iter().flat_map(move |(block, rows)| {
            let first = block << 4;
            let named = rows.iter().enumerate().filter(|(_, keys)| keys.iter().any(|key| *key != 0));
            named
                .map(move |(at, _)| first + i64::try_from(at).unwrap_or(0))
                .filter(|rowid| self.covers(*rowid))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash whose upper half is this number.
    const fn hash(number: u64) -> u64 {
        number << 36
    }

    #[test]
    fn what_entries_say_is_kept_for_the_range() {
        let mut indexed = IndexedRows::from(-20);
        for rowid in [-30, -20, 0, 5, 40] {
            indexed.insert(rowid, 1, digest(hash(7), false));
        }
        assert!(!indexed.insert(5, 0, digest(hash(3), false)) && indexed.insert(5, 0, digest(hash(3), false)));
        assert_eq!(indexed.rowids().collect::<Vec<_>>(), [-20, 0, 5, 40]);
        assert_eq!(indexed.matching_keys(5, &[hash(3), hash(7), 0, 0]), 0b11);
        assert_eq!(indexed.conflicting_keys(5, &[hash(4), hash(9), 0, 0]), 0b11);
        indexed.cut(5);
        assert_eq!(indexed.rowids().collect::<Vec<_>>(), [-20, 0, 5]);
        assert_eq!(indexed.digests(40), [0; MOST_KEYS]);
    }

    #[test]
    fn what_is_odd_or_stands_twice_contradicts_no_row() {
        let mut indexed = IndexedRows::from(0);
        indexed.insert(1, 0, digest(hash(3), true));
        assert_eq!(
            (indexed.matching_keys(1, &[hash(3); 4]), indexed.conflicting_keys(1, &[hash(4); 4])),
            (1, 0)
        );
        indexed.insert(1, 0, digest(hash(4), false));
        assert_eq!(
            (indexed.matching_keys(1, &[hash(4); 4]), indexed.conflicting_keys(1, &[hash(3); 4])),
            (1, 1)
        );
        indexed.insert(1, 1, digest(hash(5), false));
        assert!(indexed.is_named_twice(1, 0) && indexed.may_have_key(1, 0, hash(4)));
        indexed.insert(1, 0, digest(hash(6), false));
        assert_eq!(
            (indexed.matching_keys(1, &[hash(4); 4]), indexed.conflicting_keys(1, &[hash(6); 4]) & 1),
            (1, 0)
        );
        assert!(!indexed.is_named_twice(1, 0) && !indexed.may_have_key(1, 0, hash(4)));
    }
}
