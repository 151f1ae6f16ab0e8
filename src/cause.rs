//! Finds signs of how a store came to harm: what is there, what leaves such a thing, and how sure that is.
//!
//! A sign names no culprit, and no value of a cell. It is looked for only where something failed: over what the probe, the checks
//! and the search for pages have found already, and one bounded pass over the pages of the failing store ([`survey`]), or over
//! the blocks of a file without a first page ([`blocks`]).

mod beginning;
mod blocks;
mod conversion;
mod end;
mod facts;
mod foreign_file;
mod noise;
mod page;
mod pages;
mod sidecar;
mod states;
mod survey;
mod wording;
mod zeros;

pub(crate) use facts::{Beside, Facts, Failed};

/// The certainty with which a sign tells what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// The file tells only a group of causes.
    Class,
    /// One explanation is common, and others are rare.
    Likely,
    /// There is one explanation.
    Certain,
}

impl Certainty {
    /// Returns its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A kind of sign.
pub(crate) struct Sign {
    /// Its name in reports, in `--explain` and in `docs/causes.md`.
    pub(crate) name: &'static str,
    /// The most that may be claimed of it.
    pub(crate) most: Certainty,
    /// The word for its pages on the map.
    pub(crate) mark: &'static str,
    /// Looks for it.
    find: fn(&Facts<'_>) -> Option<Found>,
}

/// All signs, in the order in which a report has them: those of the whole file first, then those of its beginning and end, then those
/// of its pages.
pub(crate) const SIGNS: &[&Sign] = &[
    &foreign_file::EMPTY,
    &foreign_file::OTHER_FILE,
    &conversion::TEXT_CONVERSION,
    &conversion::LINE_ENDS_CONVERTED,
    &noise::ENCRYPTED_BLOCKS,
    &sidecar::LOG_OF_ANOTHER,
    &sidecar::NOT_A_LOG,
    &beginning::TEXT_OVER_START,
    &beginning::BYTES_BEFORE_START,
    &beginning::START_CUT,
    &end::SIZE_LIMIT,
    &end::FILE_CUT,
    &zeros::ZERO_TAIL,
    &zeros::ZERO_PIECES,
    &zeros::ZERO_BLOCKS,
    &pages::BIT_FLIPPED,
    &pages::PAGE_COPIED,
    &pages::PAGE_OF_ANOTHER,
    &pages::OTHER_CONTENT,
    &pages::PAGE_OVERWRITTEN,
    &states::INDEX_ORDER,
    &states::INDEX_AND_TABLE_DIFFER,
    &states::MIXED_MOMENTS,
    &end::CONTENT_BEHIND_END,
    &end::ZEROS_BEHIND_END,
    &states::COUNTERS_DIFFER,
];

/// What a sign's function found.
struct Found {
    certainty: Certainty,
    detail: String,
    pages: PageRanges,
}

impl Found {
    fn new(certainty: Certainty, detail: impl Into<String>) -> Self {
        Self {
            certainty,
            detail: detail.into(),
            pages: PageRanges::default(),
        }
    }

    fn at(self, pages: PageRanges) -> Self {
        Self { pages, ..self }
    }
}

/// A sign that was found in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The sign's name.
    pub(crate) sign: &'static str,
    /// The word for its pages on the map.
    pub(crate) mark: &'static str,
    /// How sure it is.
    pub(crate) certainty: Certainty,
    /// What is there, and what leaves such a thing.
    pub(crate) detail: String,
    /// The pages that show it.
    pub(crate) pages: PageRanges,
}

/// Looks for all signs.
pub(crate) fn find(facts: &Facts<'_>) -> Vec<Cause> {
    let found = SIGNS.iter().filter_map(|sign| {
        let found = (sign.find)(facts)?;
        Some(Cause {
            sign: sign.name,
            mark: sign.mark,
            certainty: found.certainty.min(sign.most),
            detail: found.detail,
            pages: found.pages,
        })
    });
    found.collect()
}

/// The name of a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignName(pub(crate) &'static str);

impl SignName {
    /// Returns the sign of this name.
    pub(crate) fn of(text: &str) -> Option<Self> {
        SIGNS.iter().find(|sign| sign.name == text).map(|sign| Self(sign.name))
    }
}

/// Pages by their numbers, counted from 1, as ranges in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageRanges(Vec<(u32, u32)>);

/// The most ranges of pages that a sign keeps.
const MOST_RANGES: usize = 100;

impl PageRanges {
    /// Returns the ranges: the first page and the last.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Returns true if one of these pages is between two others.
    pub(crate) fn touch(&self, first: u32, last: u32) -> bool {
        self.0.iter().any(|(from, to)| *from <= last && first <= *to)
    }

    fn of(first: u32, last: u32) -> Self {
        Self(vec![(first, last)])
    }
}

impl FromIterator<u32> for PageRanges {
    fn from_iter<T: IntoIterator<Item = u32>>(pages: T) -> Self {
        let mut pages: Vec<u32> = pages.into_iter().collect();
        pages.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::new();
        for page in pages {
            if let Some((_, last)) = out.last_mut().filter(|(_, last)| page <= last.saturating_add(1)) {
                *last = page.max(*last);
            } else if out.len() < MOST_RANGES {
                out.push((page, page));
            } else {
                break;
            }
        }
        Self(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_sign_has_a_name_of_its_own_that_the_page_on_causes_explains() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/causes.md")).unwrap();
        let names: BTreeSet<&str> = SIGNS.iter().map(|sign| sign.name).collect();
        assert_eq!(names.len(), SIGNS.len());
        let headings = page.lines().filter(|line| line.starts_with("## `")).count();
        assert_eq!(headings, SIGNS.len(), "docs/causes.md has a heading for each sign and for nothing else");
        for sign in SIGNS {
            let text = page.split(&format!("## `{}`\n", sign.name)).nth(1).unwrap_or_default();
            let text = text.split("\n## ").next().unwrap_or_default();
            assert!(text.contains("**What is there.**"), "{}", sign.name);
            assert!(text.contains("**What leaves this.**"), "{}", sign.name);
            assert!(text.contains(&format!("**At most.** {}", sign.most.name())), "{}", sign.name);
        }
    }

    #[test]
    fn pages_are_kept_as_ranges() {
        let pages: PageRanges = [7, 3, 4, 5, 9, 8].into_iter().collect();
        assert_eq!(pages.ranges(), [(3, 5), (7, 9)]);
        assert!(pages.touch(5, 6) && !pages.touch(6, 6) && pages.touch(1, 20));
        let many: PageRanges = (1..1_000).map(|n| 2 * n).collect();
        assert_eq!(many.ranges().len(), MOST_RANGES);
    }
}
