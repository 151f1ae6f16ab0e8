//! What the indexes say of each rowid of a part of a table: a short hash of each key that names it.

use std::collections::BTreeMap;

use super::fit::Hashes;
use super::known::MOST_KEYS;

/// How many rowids stand in one block.
const EACH: usize = 16;

type Block = [[u32; MOST_KEYS]; EACH];

/// What the indexes of one table say of the rowids of a range.
#[derive(Debug)]
pub struct Evidence {
    blocks: BTreeMap<i64, Block>,
    /// The first rowid of the range.
    pub from: i64,
    /// The last.
    pub to: i64,
}

fn place(rowid: i64) -> (i64, usize) {
    (rowid >> 4, (rowid.cast_unsigned() & 15) as usize)
}

/// A hash as it is kept: never 0, which says that no entry names the row.
pub fn short(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

impl Evidence {
    /// Nothing yet of rowids from this one on.
    pub fn from(from: i64) -> Self {
        Self {
            blocks: BTreeMap::new(),
            from,
            to: i64::MAX,
        }
    }

    /// Whether a rowid is in the range.
    pub fn covers(&self, rowid: i64) -> bool {
        (self.from..=self.to).contains(&rowid)
    }

    /// Takes an entry: its row, its index, the hash of its values. The first entry of an index for a row counts.
    pub fn take(&mut self, rowid: i64, key: usize, hash: u64) {
        if !self.covers(rowid) {
            return;
        }
        let (block, at) = place(rowid);
        let block = self.blocks.entry(block).or_default();
        if let Some(slot) = block.get_mut(at).and_then(|keys| keys.get_mut(key))
            && *slot == 0
        {
            *slot = short(hash);
        }
    }

    /// How many blocks are held.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Gives the upper half of the range up; it is looked at in another pass.
    pub fn halve(&mut self) {
        let middle = self.blocks.keys().nth(self.blocks.len() / 2).copied();
        if let Some(middle) = middle {
            self.cut((middle << 4).saturating_sub(1));
        }
    }

    /// Gives up what lies behind a rowid.
    pub fn cut(&mut self, to: i64) {
        self.to = self.to.min(to.max(self.from));
        // The block in which the range now ends stays: what it holds beyond is not asked for.
        let _ = self.blocks.split_off(&((self.to >> 4) + 1));
    }

    /// What is said of a row: one hash for each key.
    pub fn of(&self, rowid: i64) -> [u32; MOST_KEYS] {
        let (block, at) = place(rowid);
        if !self.covers(rowid) {
            return [0; MOST_KEYS];
        }
        self.blocks.get(&block).and_then(|block| block.get(at)).copied().unwrap_or_default()
    }

    /// Which keys of a row agree with the indexes, as a set of bits.
    pub fn agree(&self, rowid: i64, hashes: &Hashes) -> u8 {
        let said = self.of(rowid);
        let agrees = |(said, hash): (&u32, &u64)| *hash != 0 && *said == short(*hash);
        said.iter()
            .zip(hashes)
            .enumerate()
            .filter(|(_, both)| agrees(*both))
            .map(|(key, _)| 1 << key)
            .sum()
    }

    /// Which keys of a row the indexes have otherwise for this rowid, as a set of bits.
    pub fn differ(&self, rowid: i64, hashes: &Hashes) -> u8 {
        let said = self.of(rowid);
        let differs = |(said, hash): (&u32, &u64)| *said != 0 && *hash != 0 && *said != short(*hash);
        said.iter()
            .zip(hashes)
            .enumerate()
            .filter(|(_, both)| differs(*both))
            .map(|(key, _)| 1 << key)
            .sum()
    }

    /// Every rowid that an entry names.
    pub fn named(&self) -> impl Iterator<Item = i64> + '_ {
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

    #[test]
    fn what_entries_say_is_kept_for_the_range() {
        let mut evidence = Evidence::from(-20);
        for rowid in [-30, -20, 0, 5, 40] {
            evidence.take(rowid, 1, 7 << 32);
        }
        evidence.take(5, 1, 9 << 32);
        evidence.take(5, 0, 3 << 32);
        assert_eq!(evidence.named().collect::<Vec<_>>(), [-20, 0, 5, 40]);
        assert_eq!(evidence.agree(5, &[3 << 32, 7 << 32, 0, 0]), 0b11);
        assert_eq!(evidence.agree(5, &[4 << 32, 9 << 32, 0, 0]), 0);
        evidence.cut(5);
        assert_eq!(evidence.named().collect::<Vec<_>>(), [-20, 0, 5]);
        assert_eq!(evidence.of(40), [0; MOST_KEYS]);
    }
}
