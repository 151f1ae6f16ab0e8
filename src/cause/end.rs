//! Signs at the end of a file: something missing, or something behind it.

use std::os::unix::fs::FileExt;

use super::wording::name_pages;
use super::{Certainty, Facts, Found, PageRanges, Sign};
use crate::application::{NoStore, Problem};
use crate::findings::check_id::CheckId;
use crate::probe::not_a_database::name_size_limit;
use crate::probe::{PathKind, open_plain};
use crate::text::words::{plural, thousands};

/// The file ends early.
pub(super) const FILE_CUT: Sign = Sign {
    name: "file-cut",
    most: Certainty::Certain,
    mark: "missing",
    find: find_cut,
};

/// The file ends at the largest size that something allows.
pub(super) const SIZE_LIMIT: Sign = Sign {
    name: "size-limit",
    most: Certainty::Likely,
    mark: "missing",
    find: find_limit,
};

/// The file goes on behind the last page that its header counts.
pub(super) const CONTENT_BEHIND_END: Sign = Sign {
    name: "content-behind-end",
    most: Certainty::Class,
    mark: "behind the end",
    find: find_content,
};

/// Zeros follow behind the last page.
pub(super) const ZEROS_BEHIND_END: Sign = Sign {
    name: "zeros-behind-end",
    most: Certainty::Certain,
    mark: "zeros behind the end",
    find: find_zeros,
};

fn find_cut(facts: &Facts<'_>) -> Option<Found> {
    if facts.conversion().is_some() {
        return None;
    }
    let leaves = "a copy that broke off leaves this; so does a crash of the machine where synchronous was off";
    let size = thousands(facts.probe.size());
    if matches!(facts.problem(CheckId::File), Some(Problem::NoStore(NoStore::CutInHeader))) {
        return Some(Found::new(
            Certainty::Certain,
            format!("the file ends within the header of a database, at {size} bytes: {leaves}"),
        ));
    }
    let (missing, odd) = missing_end(facts)?;
    let there = match (missing, odd) {
        (0, _) => format!("the file ends within a page, at {size} bytes"),
        (_, 0) => format!(
            "the file has {size} bytes, and {} that its header counts are missing at its end",
            plural(missing, "page", "pages")
        ),
        _ => format!(
            "the file ends within a page, at {size} bytes, and {} that its header counts are missing",
            plural(missing, "page", "pages")
        ),
    };
    Some(Found::new(Certainty::Certain, format!("{there}: {leaves}")))
}

/// Returns the pages and the bytes of a page that are missing at the end.
fn missing_end(facts: &Facts<'_>) -> Option<(u64, u64)> {
    let Some(Problem::CutShort {
        missing_pages,
        odd_bytes,
    }) = facts.problem(CheckId::File)
    else {
        return None;
    };
    // Where nothing leads behind the end, the header's number is what is wrong.
    let survey = facts.survey();
    let leads_behind = survey.is_none_or(|survey| survey.beyond_end > 0 || survey.has_lost_pages());
    (leads_behind || *odd_bytes > 0).then_some((*missing_pages, *odd_bytes))
}

fn find_limit(facts: &Facts<'_>) -> Option<Found> {
    let limit = name_size_limit(facts.probe.size())?;
    missing_end(facts)?;
    Some(Found::new(
        Certainty::Likely,
        format!(
            "the file ends at exactly {limit}, and more belongs to it: a file system, a program or a protocol with that limit leaves this"
        ),
    ))
}

/// What lies behind the last page that the header counts.
enum Behind {
    Zeros,
    Content,
}

/// Returns the page count of the header, the bytes behind those pages, and what they are; `None` where nothing lies there, or a log may
/// be what counts.
fn look_behind(facts: &Facts<'_>) -> Option<(u32, u64, Behind)> {
    /// The most bytes that are looked at.
    const MOST: u64 = 64 << 20;
    let PathKind::Sqlite(header) = &facts.probe.kind else {
        return None;
    };
    let counted = header.vouched_pages().filter(|_| header.has_valid_page_size())?;
    let end = u64::from(counted) * u64::from(header.page_size);
    let more = facts.probe.size().checked_sub(end).filter(|more| *more > 0)?;
    if facts.probe.wal.has_content() || facts.conversion().is_some() {
        return None;
    }
    let file = open_plain(&facts.probe.path).ok()?;
    let mut piece = vec![0; 1 << 16];
    let mut at = end;
    while at < facts.probe.size().min(end + MOST) {
        let read = file.read_at(&mut piece, at).ok().filter(|read| *read > 0)?;
        if piece[..read].iter().any(|byte| *byte != 0) {
            return Some((counted, more, Behind::Content));
        }
        at += read as u64;
    }
    Some((counted, more, Behind::Zeros))
}

fn find_content(facts: &Facts<'_>) -> Option<Found> {
    let (counted, more, Behind::Content) = look_behind(facts)? else {
        return None;
    };
    // The bytes behind the end are those of as many pages as the bytes before it are.
    let page_size = (facts.probe.size() - more) / u64::from(counted.max(1));
    let last = u32::try_from(facts.probe.size().div_ceil(page_size.max(1))).unwrap_or(u32::MAX);
    let used = facts
        .survey()
        .and_then(|survey| survey.used_behind_end)
        .map_or_else(String::new, |page| format!(", and trees use {}", name_pages(&PageRanges::of(page, page))));
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "the header counts {}, and {} follow behind them{used}: the header is of an older state than the rest, or a shorter file was written over a longer one; was the store copied while a program wrote to it, or was a -journal or -wal removed?",
                plural(counted.into(), "page", "pages"),
                plural(more, "byte", "bytes")
            ),
        )
        .at(PageRanges::of(counted.saturating_add(1), last)),
    )
}

fn find_zeros(facts: &Facts<'_>) -> Option<Found> {
    let (_, more, Behind::Zeros) = look_behind(facts)? else {
        return None;
    };
    Some(Found::new(
        Certainty::Certain,
        format!(
            "{} of zeros follow behind the last page: this does no harm; room that was made beforehand, or a copy in whole blocks, leaves it",
            plural(more, "byte", "bytes")
        ),
    ))
}
