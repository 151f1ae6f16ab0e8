//! Signs at the beginning of a file: something over it, something before it, or something missing.

use super::{Certainty, Facts, Found, PageRanges, Sign};
use crate::application::{FirstPage, NoStore};
use crate::text::words::{plural, thousands};

/// Lines of text stand where the database began.
pub(super) const TEXT_OVER_START: Sign = Sign {
    name: "text-over-start",
    most: Certainty::Certain,
    mark: "text",
    find: find_text,
};

/// Other bytes stand before the database.
pub(super) const BYTES_BEFORE_START: Sign = Sign {
    name: "bytes-before-start",
    most: Certainty::Certain,
    mark: "moved",
    find: find_bytes_before,
};

/// The first bytes or pages are missing.
pub(super) const START_CUT: Sign = Sign {
    name: "start-cut",
    most: Certainty::Certain,
    mark: "moved",
    find: find_cut,
};

fn find_text(facts: &Facts<'_>) -> Option<Found> {
    /// Shorter text may be by chance.
    const FEWEST: usize = 16;
    if facts.is_database() || matches!(facts.no_store(), Some(NoStore::BytesBefore { .. })) {
        return None;
    }
    let blocks = facts.blocks()?;
    let text = blocks.leading_text;
    let grid = blocks.grid.filter(|grid| text >= FEWEST && !grid.is_moved() && grid.trees > 0)?;
    // A text that leads pages at other places is no text over them.
    let pages = u32::try_from(text.div_ceil(grid.page_size as usize)).unwrap_or(1);
    Some(
        Found::new(
            Certainty::Certain,
            format!(
                "the file begins with {} of text in lines, and the pages of a database go on behind it in their places: another program wrote into the file, as through a descriptor that was no longer its own",
                plural(text as u64, "byte", "bytes")
            ),
        )
        .at(PageRanges::of(1, pages.max(1))),
    )
}

fn find_bytes_before(facts: &Facts<'_>) -> Option<Found> {
    let Some(NoStore::BytesBefore { bytes, .. }) = facts.no_store() else {
        return None;
    };
    if facts.conversion().is_some() {
        return None;
    }
    Some(Found::new(
        Certainty::Certain,
        format!(
            "the database begins at offset {}, and its pages count from there: something wrote other bytes before it (a byte order mark, the head of a download or of a form, a block of an archive)",
            thousands(*bytes)
        ),
    ))
}

fn find_cut(facts: &Facts<'_>) -> Option<Found> {
    let what = facts.no_store()?;
    let is_candidate = match what {
        NoStore::NotSqlite | NoStore::Noise | NoStore::Overwritten => true,
        NoStore::FirstPageGone { intact, .. } => *intact == FirstPage::Nothing,
        _ => false,
    };
    if !is_candidate || facts.is_database() || facts.names_other_file() {
        return None;
    }
    let blocks = facts.blocks()?;
    let grid = blocks.grid?;
    let size = thousands(u64::from(grid.page_size));
    let late = "a copy that began late leaves this";
    let by_numbers = grid.shift.filter(|shift| *shift > 0);
    if grid.is_moved() {
        // The first page cannot begin before the file, and its number tells how many are missing.
        let missing = by_numbers.map_or_else(String::new, |shift| {
            let lacking = shift.unsigned_abs() * u64::from(grid.page_size) - u64::from(grid.offset);
            format!(
                ", and their numbers say that {} are missing before them",
                plural(lacking, "byte", "bytes")
            )
        });
        return Some(Found::new(
            Certainty::Certain,
            format!(
                "pages of {size} bytes begin at offset {} and not at 0{missing}: the first bytes of the database are not there; {late}",
                thousands(u64::from(grid.offset))
            ),
        ));
    }
    if let Some(shift) = by_numbers {
        return Some(Found::new(
            Certainty::Certain,
            format!(
                "the numbers of the pages are higher by {} than their places: the first {} of {size} bytes are not there; {late}",
                thousands(shift.unsigned_abs()),
                if shift == 1 {
                    "page".to_owned()
                } else {
                    plural(shift.unsigned_abs(), "page", "pages")
                }
            ),
        ));
    }
    // Without a tree of several pages no number tells. A page that stands nowhere else in the file was not copied there.
    let begins_with_page = grid.begins_with_tree && !grid.begins_with_copy && grid.shift.is_none();
    begins_with_page.then(|| {
        Found::new(
            Certainty::Likely,
            format!("the file begins with a page that is not the first one of a database, and that stands nowhere else: {late}"),
        )
    })
}
