//! Keyed hashes of rows and index entries, made to be summed.
//!
//! An index must hold one entry for each row of its table. Looking each entry up would read the index once a row; sorting would
//! need memory for all of them. Instead the entries that the table wants and those that the index has are each hashed and summed,
//! in any order and on any number of threads: two multisets of entries are equal when their counts and their sums are.
//!
//! Two steps: a universal hash (NH: products of message words and secret words, summed in 128 bits) makes a few words of any
//! number of bytes, and `SipHash`'s rounds make a number of these that can be summed without two sums of different entries
//! agreeing more often than chance, which is 1 in 2^64. The keys are drawn anew in each run: no store can be made to deceive
//! them.
//!
//! NH: Black and others, "UMAC: Fast and Secure Message Authentication", 1999. `SipHash`: Aumasson and Bernstein, 2012.

use std::hash::{BuildHasher, RandomState};

use super::record::{Classes, Field};

/// The number of pairs of words that are multiplied before the sum is mixed into the state.
const PAIRS: usize = 32;

/// Secret words.
pub struct Keys {
    pairs: [(u64, u64); PAIRS],
    state: [u64; 4],
}

impl Keys {
    /// Draws random keys, so that no file can be made to collide.
    pub fn random() -> Self {
        let source = RandomState::new();
        let mut drawn = 0_u64;
        let mut draw = || {
            drawn += 1;
            source.hash_one(drawn)
        };
        Self {
            pairs: std::array::from_fn(|_| (draw(), draw())),
            state: std::array::from_fn(|_| draw()),
        }
    }
}

/// A hash that is being computed.
#[derive(Clone)]
pub struct Hash<'k> {
    keys: &'k Keys,
    /// The secret words that were not used yet.
    rest: &'k [(u64, u64)],
    sum: u128,
    state: [u64; 4],
}

impl<'k> Hash<'k> {
    /// Creates a hash.
    #[inline]
    pub fn new(keys: &'k Keys) -> Self {
        Self {
            keys,
            rest: &keys.pairs,
            sum: 0,
            state: keys.state,
        }
    }

    /// Adds two words.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn pair(&mut self, a: u64, b: u64) {
        // NH may use each secret once in a sum; when all are used the sum goes into the state, and a new one begins.
        if self.rest.is_empty() {
            self.mix();
        }
        if let [secrets, rest @ ..] = self.rest {
            self.rest = rest;
            self.sum = self.sum.wrapping_add(product(*secrets, a, b));
        }
    }

    /// Adds bytes whose number was added before.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    fn bytes(&mut self, bytes: &[u8]) {
        let (pairs, tail) = bytes.as_chunks::<16>();
        if let Some((secrets, rest)) = self.rest.split_at_checked(pairs.len()) {
            for (pair, secrets) in pairs.iter().zip(secrets) {
                let (a, b) = words(pair);
                self.sum = self.sum.wrapping_add(product(*secrets, a, b));
            }
            self.rest = rest;
        } else {
            for pair in pairs {
                let (a, b) = words(pair);
                self.pair(a, b);
            }
        }
        if tail.is_empty() {
            return;
        }
        // The end, together with what was already taken: the number of bytes is known, so that nothing is ambiguous.
        let (a, b) = bytes.last_chunk::<16>().map_or_else(|| short(tail), words);
        self.pair(a, b);
    }

    /// Adds an integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.pair(1, value.cast_unsigned());
    }

    /// Adds NULL.
    #[inline]
    pub fn null(&mut self) {
        self.pair(0, 0);
    }

    /// Adds a floating point number. A whole number gives the hash of the integer: SQLite compares them as equal, and
    /// stores either in an index over a column of floating point numbers.
    #[inline]
    pub fn real(&mut self, value: f64) {
        const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
        if value.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&value) {
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number in range")]
            self.integer(value as i64);
        } else {
            self.pair(2, value.to_bits());
        }
    }

    /// Adds text.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn text(&mut self, bytes: &[u8]) {
        self.pair(3, bytes.len() as u64);
        self.bytes(bytes);
    }

    /// Adds a blob.
    #[inline]
    pub fn blob(&mut self, bytes: &[u8]) {
        self.pair(4, bytes.len() as u64);
        self.bytes(bytes);
    }

    /// Adds a value of a record, of which a number is known to be valid. Equal values give equal hashes, where equal
    /// means: equal numbers, or the same bytes of the same class.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn field(&mut self, field: Field, payload: &[u8]) {
        match field.class {
            Classes::TEXT => self.text(payload.get(field.range()).unwrap_or_default()),
            Classes::INTEGER => self.integer(field.integer(payload).unwrap_or(0)),
            Classes::NULL => self.null(),
            Classes::REAL => self.real(field.real(payload).unwrap_or(0.0)),
            _ => self.blob(payload.get(field.range()).unwrap_or_default()),
        }
    }

    /// Mixes the sum into the state, and resets the sum.
    #[inline]
    fn mix(&mut self) {
        // As SipHash takes a message word, here the two halves of the sum: xor, a round, xor.
        let (a, b) = halves(self.sum);
        self.sum = 0;
        self.rest = &self.keys.pairs;
        self.state[3] ^= a;
        self.state[2] ^= b;
        round(&mut self.state);
        self.state[0] ^= a;
        self.state[1] ^= b;
    }

    /// Returns the hash.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once for each cell")]
    pub fn finish(mut self) -> u64 {
        self.mix();
        self.state[2] ^= 0xff;
        round(&mut self.state);
        round(&mut self.state);
        let [a, b, c, d] = self.state;
        a ^ b ^ c ^ d
    }
}

#[inline]
fn product(secrets: (u64, u64), a: u64, b: u64) -> u128 {
    u128::from(a.wrapping_add(secrets.0)) * u128::from(b.wrapping_add(secrets.1))
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn halves(both: u128) -> (u64, u64) {
    (both as u64, (both >> 64) as u64)
}

#[inline]
fn words(bytes: &[u8; 16]) -> (u64, u64) {
    halves(u128::from_le_bytes(*bytes))
}

/// Packs fewer than 16 bytes, whose number is known, into two words.
#[inline]
fn short(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else {
        let byte = |at: usize| bytes.get(at).copied().map_or(0, u64::from);
        (byte(0), byte(1) << 8 | byte(2))
    }
}

/// Runs one round of `SipHash`.
#[inline]
fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32);
    a = a.wrapping_add(d);
    c = c.wrapping_add(b);
    d = d.rotate_left(21) ^ a;
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

/// The number of entries, and the sum of their hashes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The number of entries.
    pub entries: u64,
    hashes: u64,
}

impl Sum {
    /// Adds one entry.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        self.entries += 1;
        self.hashes = self.hashes.wrapping_add(hash);
    }

    /// Adds another sum.
    pub fn take(&mut self, other: Self) {
        self.entries += other.entries;
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(keys: &Keys, texts: &[&[u8]]) -> u64 {
        let mut hash = Hash::new(keys);
        for text in texts {
            hash.text(text);
        }
        hash.finish()
    }

    #[test]
    fn every_byte_and_every_length_counts() {
        let keys = Keys::random();
        let mut seen = HashSet::new();
        let base: Vec<u8> = (0..1200).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for len in (0..70).chain([511, 512, 513, 1200]) {
            assert!(seen.insert(of(&keys, &[&base[..len]])), "{len} bytes");
            for at in 0..len {
                let mut other = base[..len].to_vec();
                other[at] ^= 0x80;
                assert!(seen.insert(of(&keys, &[&other])), "byte {at} of {len}");
            }
        }
    }

    #[test]
    fn where_a_value_ends_counts() {
        let keys = Keys::random();
        let all = [
            of(&keys, &[b"ab", b"c"]),
            of(&keys, &[b"a", b"bc"]),
            of(&keys, &[b"abc"]),
            of(&keys, &[b"abc", b""]),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4);
        assert_eq!(of(&keys, &[b"ab", b"c"]), all[0]);
        assert_ne!(of(&Keys::random(), &[b"ab", b"c"]), all[0]);
    }

    #[test]
    fn numbers_are_hashed_by_their_value() {
        let keys = Keys::random();
        let hash = |take: &dyn Fn(&mut Hash<'_>)| {
            let mut hash = Hash::new(&keys);
            take(&mut hash);
            hash.finish()
        };
        for value in [0, 1, -7, 1 << 60, i64::MIN] {
            #[expect(clippy::cast_precision_loss, reason = "none of these loses any")]
            let real = value as f64;
            assert_eq!(hash(&|hash| hash.integer(value)), hash(&|hash| hash.real(real)), "{value}");
        }
        assert_eq!(hash(&|hash| hash.real(-0.0)), hash(&|hash| hash.integer(0)));
        assert_ne!(hash(&|hash| hash.real(9_223_372_036_854_775_808.0)), hash(&|hash| hash.integer(i64::MAX)));
        assert_ne!(hash(&|hash| hash.real(0.5)), hash(&|hash| hash.integer(0)));
        assert_ne!(hash(&|hash| hash.real(f64::INFINITY)), hash(&|hash| hash.real(f64::NEG_INFINITY)));
    }

    #[test]
    fn sums_know_no_order_but_every_entry() {
        let keys = Keys::random();
        let sum = |entries: &[(&[u8], i64)]| {
            let mut sum = Sum::default();
            for (text, rowid) in entries {
                let mut hash = Hash::new(&keys);
                hash.text(text);
                hash.integer(*rowid);
                sum.add(hash.finish());
            }
            sum
        };
        assert_eq!(sum(&[(b"a", 1), (b"b", 2)]), sum(&[(b"b", 2), (b"a", 1)]));
        assert_ne!(sum(&[(b"a", 1), (b"b", 2)]), sum(&[(b"a", 2), (b"b", 1)]));
        assert_ne!(sum(&[(b"a", 1)]), sum(&[(b"a", 1), (b"a", 1)]));
    }
}
