//! The sign of a file that was encrypted or compressed, all of it or in parts.

use super::blocks::BLOCK;
use super::survey::Survey;
use super::{Certainty, Facts, Found, Sign};
use crate::text::words::thousands;

/// Noise in all blocks, from the start, or at even distances.
pub(super) const ENCRYPTED_BLOCKS: Sign = Sign {
    name: "encrypted-blocks",
    most: Certainty::Certain,
    mark: "noise",
    find,
};

/// The fewest blocks at the beginning that are no accident.
const FEWEST_LEADING: usize = 3;

/// The fewest times that blocks at even distances are noise.
const FEWEST_PERIODS: usize = 4;

const NOT_BY_WHOM: &str = "encryption or compression leaves this; by whom is not in the file";

/// Where blocks are noise.
#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    All,
    /// So many at the beginning.
    Leading(usize),
    /// From the first one on, `length` of each `period` blocks.
    Periodic {
        first: usize,
        length: usize,
        period: usize,
    },
}

fn find(facts: &Facts<'_>) -> Option<Found> {
    // Only where pages are none: values may be noise in a store whose pages are sound.
    let is_suspect = !facts.is_database() || facts.survey().is_none_or(Survey::has_lost_pages);
    let blocks = facts.blocks().filter(|_| is_suspect)?;
    if facts.names_other_file() {
        return None;
    }
    let pattern = pattern(&blocks.noise, facts.is_database())?;
    let block = thousands(BLOCK as u64);
    let there = match pattern {
        Pattern::All => format!("each block of {block} bytes is noise"),
        Pattern::Leading(count) => format!(
            "the first {} blocks of {block} bytes are noise, and those behind them are pages of a database",
            thousands(count as u64)
        ),
        Pattern::Periodic { length, period, .. } => format!(
            "blocks of noise lie at even distances: {} of {} blocks of {block} bytes",
            thousands(length as u64),
            thousands(period as u64)
        ),
    };
    Some(Found::new(Certainty::Certain, format!("{there}: {NOT_BY_WHOM}")))
}

/// Returns the pattern of the blocks that are noise, if it is one that no damage by chance leaves.
fn pattern(noise: &[bool], has_header: bool) -> Option<Pattern> {
    let all = noise.len();
    let count = noise.iter().filter(|is_noise| **is_noise).count();
    // The first block of a store with a plain header is half of one.
    if all > 0 && count + usize::from(has_header) >= all && count > 0 && !(has_header && all < 3) {
        return Some(Pattern::All);
    }
    if let Some(periodic) = periodic(noise) {
        return Some(periodic);
    }
    let leading = noise.iter().take_while(|is_noise| **is_noise).count();
    (!has_header && leading >= FEWEST_LEADING).then_some(Pattern::Leading(leading))
}

fn periodic(noise: &[bool]) -> Option<Pattern> {
    let first = noise.iter().position(|is_noise| *is_noise)?;
    let length = noise[first..].iter().take_while(|is_noise| **is_noise).count();
    let gap = noise[first + length..].iter().take_while(|is_noise| !**is_noise).count();
    let period = length + gap;
    let is_expected = |at: usize| (at - first) % period < length;
    let (mut expected, mut hit, mut other, mut other_noise) = (0_usize, 0_usize, 0_usize, 0_usize);
    for (at, is_noise) in noise.iter().enumerate().skip(first) {
        if is_expected(at) {
            expected += 1;
            hit += usize::from(*is_noise);
        } else {
            other += 1;
            other_noise += usize::from(*is_noise);
        }
    }
    let is_pattern = gap > 0
        && first < period
        && expected >= FEWEST_PERIODS * length
        && 20 * hit >= 19 * expected
        && 5 * other_noise <= other;
    is_pattern.then_some(Pattern::Periodic { first, length, period })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_that_no_accident_leaves_are_told() {
        let blocks = |text: &str| -> Vec<bool> { text.bytes().map(|byte| byte == b'x').collect() };
        for (text, has_header, expected) in [
            ("xxxxxx", false, Some(Pattern::All)),
            (".xxxxx", true, Some(Pattern::All)),
            (".xxxxx", false, None),
            ("xxxx......", false, Some(Pattern::Leading(4))),
            ("xxxx......", true, None),
            ("x.........", false, None),
            (
                "x..x..x..x..x",
                false,
                Some(Pattern::Periodic {
                    first: 0,
                    length: 1,
                    period: 3,
                }),
            ),
            (
                "..xx..xx..xx..xx..xx",
                true,
                Some(Pattern::Periodic {
                    first: 2,
                    length: 2,
                    period: 4,
                }),
            ),
            ("x...x.x...x....x", false, None),
            ("....x..........", true, None),
            ("", false, None),
        ] {
            assert_eq!(pattern(&blocks(text), has_header), expected, "{text} {has_header}");
        }
    }
}
