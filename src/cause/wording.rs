//! Words that several signs share.

use super::PageRanges;
use crate::text::words::{plural, thousands};

/// The most ranges of pages that a sentence names.
const MOST_IN_A_SENTENCE: usize = 4;

/// Returns "page 7", or "pages 7, 9 to 12 and more".
pub(super) fn name_pages(pages: &PageRanges) -> String {
    let ranges = pages.ranges();
    let mut named: Vec<String> = ranges
        .iter()
        .take(MOST_IN_A_SENTENCE)
        .map(|(first, last)| match last - first {
            0 => thousands(u64::from(*first)),
            _ => format!("{} to {}", thousands(u64::from(*first)), thousands(u64::from(*last))),
        })
        .collect();
    let is_one = matches!(ranges, [(first, last)] if first == last);
    if ranges.len() > MOST_IN_A_SENTENCE {
        named.push("more".to_owned());
    }
    let end = named.pop().unwrap_or_default();
    let and = if named.is_empty() { "" } else { " and " };
    format!("{} {}{and}{end}", if is_one { "page" } else { "pages" }, named.join(", "))
}

/// Returns "1 page that a tree uses is", "7 pages that trees use are".
pub(super) fn used_pages_are(count: u64) -> String {
    match count {
        1 => "1 page that a tree uses is".to_owned(),
        _ => format!("{} that trees use are", plural(count, "page", "pages")),
    }
}
