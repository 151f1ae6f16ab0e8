//! Signs of pages of different moments, and of indexes that disagree with their tables.

use super::wording::name_pages;
use super::{Certainty, Facts, Found, PageRanges, Sign};
use crate::application::{Damage, Problem};
use crate::findings::check_id::CheckId;
use crate::probe::PathKind;
use crate::text::words::{plural, thousands};

/// An index is in an order that no one rule makes.
pub(super) const INDEX_ORDER: Sign = Sign {
    name: "index-order",
    most: Certainty::Likely,
    mark: "order",
    find: find_order,
};

/// An index and its table disagree.
pub(super) const INDEX_AND_TABLE_DIFFER: Sign = Sign {
    name: "index-and-table-differ",
    most: Certainty::Class,
    mark: "index",
    find: find_differing,
};

/// Pages of at least two moments.
pub(super) const MIXED_MOMENTS: Sign = Sign {
    name: "mixed-moments",
    most: Certainty::Class,
    mark: "of another moment",
    find: find_mixed,
};

/// The two counters of the header differ.
pub(super) const COUNTERS_DIFFER: Sign = Sign {
    name: "counters-differ",
    most: Certainty::Certain,
    mark: "header",
    find: find_counters,
};

fn find_order(facts: &Facts<'_>) -> Option<Found> {
    let roots = &facts.beside.out_of_order;
    if roots.is_empty() {
        return None;
    }
    let survey = facts.survey().filter(|survey| survey.faults.is_empty() && survey.orphaned == 0)?;
    // An index that lost a write, or of which a part was overwritten, has other entries than its table has rows.
    if !roots.iter().all(|root| survey.has_an_entry_for_each_row(*root)) || !facts.have_the_keys_of_rows(roots) {
        return None;
    }
    let (indexes, are) = match roots.len() {
        1 => ("1 index".to_owned(), "is"),
        many => (plural(many as u64, "index", "indexes"), "are"),
    };
    Some(
        Found::new(
            Certainty::Likely,
            format!(
                "{indexes} {are} not in the order that the schema names, each row has its entry, and all pages are sound: a collation or a function that changed leaves this, as with another version of the application, of its language data, or of the operating system"
            ),
        )
        .at(roots.iter().copied().collect()),
    )
}

fn find_differing(facts: &Facts<'_>) -> Option<Found> {
    let disagrees = match facts.problem(CheckId::PageStructure)? {
        Problem::Structure(damage) => matches!(
            damage,
            Damage::Keys | Damage::Disagree | Damage::Differ | Damage::Duplicate | Damage::Index
        ),
        Problem::StaleIndexes { .. } => true,
        _ => false,
    };
    let survey = facts.survey().filter(|_| disagrees && find_order(facts).is_none())?;
    if !survey.faults.is_empty() || survey.beyond_end > 0 {
        return None;
    }
    let writer = last_writer(facts).map_or_else(String::new, |words| format!("; {words}"));
    Some(Found::new(
        Certainty::Class,
        format!(
            "an index and its table disagree, and the pages of both are sound: a write that was lost, a rule of the order that changed, or the WAL-reset fault of SQLite 3.7.0 to 3.51.2 leaves this{writer}; was the store in WAL mode with several connections, or did an application change a collation or a function?"
        ),
    ))
}

/// Returns which SQLite wrote last, where that matters.
fn last_writer(facts: &Facts<'_>) -> Option<String> {
    let PathKind::Sqlite(header) = &facts.probe.kind else {
        return None;
    };
    let version = header.sqlite_version;
    (version > 0).then(|| {
        let mode = if header.is_wal() {
            "is in WAL mode"
        } else {
            "is not in WAL mode"
        };
        format!(
            "SQLite {}.{}.{} wrote last, and the store {mode}",
            version / 1_000_000,
            version / 1_000 % 1_000,
            version % 1_000
        )
    })
}

fn find_mixed(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey()?;
    // A page that was copied leads to what the other one has.
    if !survey.copies.is_empty() && survey.free_in_use.is_empty() && survey.used_behind_end.is_none() {
        return None;
    }
    let mut seen = Vec::new();
    let mut pages: Vec<u32> = Vec::new();
    if !survey.used_twice.is_empty() {
        seen.push(format!("{} used twice", plural(survey.used_twice.len() as u64, "page is", "pages are")));
        pages.extend(&survey.used_twice);
    }
    if !survey.free_in_use.is_empty() {
        seen.push(format!(
            "{} free and in use",
            plural(survey.free_in_use.len() as u64, "page is", "pages are")
        ));
        pages.extend(&survey.free_in_use);
    }
    // A page that lost what it led to explains pages to which nothing leads.
    if survey.orphaned > 0 && survey.faults.is_empty() && survey.beyond_end == 0 && survey.flipped.is_empty() {
        seen.push(format!(
            "nothing leads to {}",
            match survey.orphaned {
                1 => "1 page that is not free".to_owned(),
                many => format!("{} pages that are not free", thousands(many)),
            }
        ));
        pages.extend(&survey.orphans);
    }
    let is_shorter =
        survey.is_freelist_wrong && survey.faults.is_empty() && survey.beyond_end == 0 && survey.free_in_use.is_empty();
    if is_shorter {
        seen.push("the freelist is not as long as the header says".to_owned());
    }
    if survey.broken_chains > 0 && !survey.has_lost_pages() && survey.flipped.is_empty() {
        seen.push(format!(
            "{} not have the length of {}",
            plural(survey.broken_chains, "chain of a long row does", "chains of long rows do"),
            if survey.broken_chains == 1 {
                "its row"
            } else {
                "their rows"
            }
        ));
    }
    if let Some(page) = survey.used_behind_end {
        seen.push(format!(
            "trees use {}, which lies behind the last page that the header counts",
            name_pages(&PageRanges::of(page, page))
        ));
    }
    if seen.is_empty() {
        return None;
    }
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "pages of at least two moments are mixed: {}. A transaction that was never finished and had no journal, writers without locks, a copy that was made while a program wrote, a -wal or -journal that was removed, or a full disk leaves this, and the file does not tell which: was the store copied with cp while it was open, does it lie on a network file system, is journal_mode OFF or MEMORY, was a -wal or -journal deleted, was the disk full?",
                seen.join(", ")
            ),
        )
        .at(pages.into_iter().collect()),
    )
}

fn find_counters(facts: &Facts<'_>) -> Option<Found> {
    let PathKind::Sqlite(header) = &facts.probe.kind else {
        return None;
    };
    (header.change_counter != header.valid_for && facts.conversion().is_none()).then(|| {
        Found::new(
            Certainty::Certain,
            "the change counter and the counter for which the page count is valid differ: this does no harm; the last writer was none of SQLite since 3.7.0",
        )
    })
}
