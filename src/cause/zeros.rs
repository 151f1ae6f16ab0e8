//! Signs of zeros where pages must be.

use super::survey::{Survey, What};
use super::wording::{name_pages, used_pages_are};
use super::{Certainty, Facts, Found, PageRanges, Sign};
use crate::application::NoStore;
use crate::text::words::{plural, thousands};

/// Zeros in pieces as a download has them.
pub(super) const ZERO_PIECES: Sign = Sign {
    name: "zero-pieces",
    most: Certainty::Likely,
    mark: "zeros",
    find: find_pieces,
};

/// Zeros up to the end.
pub(super) const ZERO_TAIL: Sign = Sign {
    name: "zero-tail",
    most: Certainty::Likely,
    mark: "zeros",
    find: find_tail,
};

/// Zeros in single pages or parts of them.
pub(super) const ZERO_BLOCKS: Sign = Sign {
    name: "zero-blocks",
    most: Certainty::Class,
    mark: "zeros",
    find: find_blocks,
};

/// The smallest piece in which a download or a sync tool writes, in bytes.
const PIECE: u64 = 16 << 10;

/// Consecutive pages of zeros, of which trees use at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ZeroRun {
    /// The first page of zeros.
    pub(super) first: u32,
    /// The last one.
    pub(super) last: u32,
    /// The first one that something uses.
    pub(super) first_used: u32,
    /// The last one that something uses.
    pub(super) last_used: u32,
}

impl ZeroRun {
    /// Returns true if the run holds whole pieces around all of its used pages.
    fn is_in_pieces(&self, page_size: u64) -> bool {
        let begin = u64::from(self.first - 1) * page_size;
        let end = u64::from(self.last) * page_size;
        let from = u64::from(self.first_used - 1) * page_size / PIECE * PIECE;
        let to = (u64::from(self.last_used) * page_size).next_multiple_of(PIECE);
        from >= begin && to <= end && to - from >= PIECE && self.last > self.first
    }
}

fn pages_of(runs: &[&ZeroRun]) -> PageRanges {
    runs.iter().flat_map(|run| run.first..=run.last).take(1 << 16).collect()
}

/// Sorts the runs: the one that ends the file, those in pieces, and the rest.
struct Sorted<'s> {
    tail: Option<&'s ZeroRun>,
    pieces: Vec<&'s ZeroRun>,
    rest: Vec<&'s ZeroRun>,
}

fn sort(survey: &Survey) -> Sorted<'_> {
    let page_size = u64::from(survey.page_size);
    // A file that grew under two writers, or whose transaction was never finished, has pages that were never written too.
    let is_mixed = !survey.used_twice.is_empty() || !survey.free_in_use.is_empty() || survey.used_behind_end.is_some();
    let mut sorted = Sorted {
        tail: None,
        pieces: Vec::new(),
        rest: Vec::new(),
    };
    for run in &survey.zero_runs {
        if is_mixed {
            sorted.rest.push(run);
        } else if run.last == survey.pages && run.last > run.first {
            sorted.tail = Some(run);
        } else if run.is_in_pieces(page_size) {
            sorted.pieces.push(run);
        } else {
            sorted.rest.push(run);
        }
    }
    sorted
}

fn find_tail(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey()?;
    let run = sort(survey).tail?;
    let from = u64::from(run.first - 1) * u64::from(survey.page_size);
    Some(
        Found::new(
            Certainty::Likely,
            format!(
                "all bytes from offset {} on to the end are zeros ({}), and trees use these pages: a copy that was made at its full size and not filled, or a trim, leaves this",
                thousands(from),
                plural(u64::from(run.last - run.first + 1), "page", "pages")
            ),
        )
        .at(PageRanges::of(run.first, run.last)),
    )
}

fn find_pieces(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey()?;
    let pieces = sort(survey).pieces;
    if pieces.is_empty() {
        return None;
    }
    let bytes: u64 = pieces
        .iter()
        .map(|run| u64::from(run.last - run.first + 1) * u64::from(survey.page_size))
        .sum();
    let ranges = pages_of(&pieces);
    Some(
        Found::new(
            Certainty::Likely,
            format!(
                "{} of zeros lie at multiples of 16 KiB in {} ({} bytes): a download or a sync tool that did not end leaves this; a repair of the file system may",
                plural(pieces.len() as u64, "piece", "pieces"),
                name_pages(&ranges),
                thousands(bytes)
            ),
        )
        .at(ranges),
    )
}

fn find_blocks(facts: &Facts<'_>) -> Option<Found> {
    const LEAVES: &str = "these blocks never came onto the disk, or were cleared, or the file grew under two writers; was there a crash of the machine, a full disk, or a second program that wrote?";
    if let Some(found) = find_zero_beginning(facts) {
        return Some(found);
    }
    let survey = facts.survey()?;
    let sorted = sort(survey);
    let is_elsewhere = |page: u32| {
        let in_run = |run: &&ZeroRun| (run.first..=run.last).contains(&page);
        sorted.tail.iter().any(in_run) || sorted.pieces.iter().any(in_run)
    };
    let mut whole = survey.pages_with(|what| what == What::Zero);
    whole.retain(|page| !is_elsewhere(*page));
    let parts = survey.pages_with(|what| what == What::PartlyZero);
    let there = match (whole.len() as u64, parts.len() as u64) {
        (0, 0) => return None,
        (whole, 0) => format!("{} zeros", used_pages_are(whole)),
        (0, parts) => format!(
            "blocks of 512 bytes and more are zeros in {} that trees use",
            plural(parts, "page", "pages")
        ),
        (whole, parts) => format!(
            "{} zeros, and blocks of 512 bytes and more in {} more",
            used_pages_are(whole),
            plural(parts, "page", "pages")
        ),
    };
    let ranges: PageRanges = whole.into_iter().chain(parts).collect();
    Some(Found::new(Certainty::Class, format!("{there} ({}): {LEAVES}", name_pages(&ranges))).at(ranges))
}

/// Returns the sign of a file without a first page that begins with zeros, or is zeros only.
fn find_zero_beginning(facts: &Facts<'_>) -> Option<Found> {
    const LEAVES: &str = "these blocks never came onto the disk, or were cleared; was there a crash of the machine, a full disk, or a copy that did not end?";
    const FEWEST: u64 = 512;
    let is_gone = matches!(
        facts.no_store()?,
        NoStore::FirstPageGone { .. } | NoStore::NotSqlite | NoStore::Overwritten
    );
    let blocks = facts.blocks().filter(|_| is_gone)?;
    let zeros = blocks.leading_zeros;
    if zeros < FEWEST {
        return None;
    }
    if zeros == facts.probe.size() {
        return Some(Found::new(
            Certainty::Class,
            format!("the file is zeros only ({}): {LEAVES}", plural(zeros, "byte", "bytes")),
        ));
    }
    let grid = blocks.grid.filter(|grid| !grid.is_moved() && grid.shift.is_none_or(|shift| shift == 0))?;
    let pages = u32::try_from(zeros.div_ceil(u64::from(grid.page_size))).unwrap_or(1);
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "the first {} are zeros, where the database began: {LEAVES}",
                plural(zeros, "byte", "bytes")
            ),
        )
        .at(PageRanges::of(1, pages)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_covers_its_used_pages_at_even_borders() {
        let run = |first, last, first_used, last_used| ZeroRun {
            first,
            last,
            first_used,
            last_used,
        };
        for (run, page_size, expected) in [
            (run(5, 8, 5, 8), 4096, true),
            (run(5, 8, 6, 7), 4096, true),
            (run(6, 8, 6, 8), 4096, false),
            (run(4, 9, 6, 7), 4096, true),
            (run(7, 8, 7, 8), 4096, false),
            (run(6, 9, 6, 9), 4096, false),
            (run(17, 32, 20, 20), 1024, true),
            (run(2, 2, 2, 2), 65_536, false),
            (run(3, 4, 3, 4), 65_536, true),
        ] {
            assert_eq!(run.is_in_pieces(page_size), expected, "{run:?} {page_size}");
        }
    }
}
