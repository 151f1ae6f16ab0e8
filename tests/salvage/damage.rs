//! Ways in which a store is damaged.

use super::random::Random;

/// Damages the bytes in some ways, all of them drawn. Says whether a page was written over another: an older state of an index
/// may then name what was deleted, and nobody can tell.
pub fn damage(bytes: &mut Vec<u8>, page_size: usize, random: &mut Random) -> bool {
    let mut astray = false;
    for _ in 0..=random.below(4) {
        if bytes.len() < 2 * page_size {
            return astray;
        }
        let pages = bytes.len() / page_size;
        let page = random.below(pages) * page_size;
        match random.below(9) {
            0 => bytes[page..page + page_size].fill(0),
            1 => {
                let at = random.below(bytes.len() / 512) * 512;
                bytes[at..at + 512].fill(0);
            }
            2 => {
                let at = random.below(bytes.len() / 512) * 512;
                bytes[at..at + 512].fill_with(|| random.next().to_le_bytes()[0]);
            }
            3 => {
                astray = true;
                let from = random.below(pages) * page_size;
                bytes.copy_within(from..from + page_size, page);
            }
            4 => bytes.truncate(bytes.len() * (50 + random.below(50)) / 100),
            // A page's header or its cell pointers.
            5 | 6 => {
                let at = page + random.below(40);
                bytes[at] ^= random.next().to_le_bytes()[0];
            }
            _ => {
                let at = random.below(bytes.len());
                bytes[at] ^= random.next().to_le_bytes()[0];
            }
        }
    }
    astray
}
