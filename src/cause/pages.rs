//! Signs in single pages: a bit, a copy, a page of another database, something that is no page.

use std::io::Read;

use sqlite_format::header::{HEADER_LEN, HeaderFields};

use super::page::Content;
use super::survey::What;
use super::wording::{name_pages, used_pages_are};
use super::{Certainty, Facts, Found, PageRanges, Sign};
use crate::application::{FirstPage, NoStore, Problem};
use crate::findings::check_id::CheckId;
use crate::probe::open_plain;
use crate::text::words::{plural, thousands};

/// One bit makes a page sound again.
pub(super) const BIT_FLIPPED: Sign = Sign {
    name: "bit-flipped",
    most: Certainty::Likely,
    mark: "a bit",
    find: find_bit,
};

/// A page stands twice.
pub(super) const PAGE_COPIED: Sign = Sign {
    name: "page-copied",
    most: Certainty::Likely,
    mark: "copied",
    find: find_copy,
};

/// A page is sound and belongs elsewhere.
pub(super) const PAGE_OF_ANOTHER: Sign = Sign {
    name: "page-of-another",
    most: Certainty::Class,
    mark: "of another",
    find: find_of_another,
};

/// What stands in place of a page is none.
pub(super) const OTHER_CONTENT: Sign = Sign {
    name: "other-content",
    most: Certainty::Class,
    mark: "no page",
    find: find_other_content,
};

/// A page is partly something else.
pub(super) const PAGE_OVERWRITTEN: Sign = Sign {
    name: "page-overwritten",
    most: Certainty::Class,
    mark: "overwritten",
    find: find_overwritten,
};

/// What is wrong with the header of 100 bytes, where the file still begins nearly like a database.
enum HeaderTrace {
    /// One bit makes it sound: the offset of its byte, and its number.
    Bit(usize, u8),
    /// A part of it is something else.
    Partly,
}

/// Looks at a header of which a field is out of range, or of which only the first bytes are wrong.
fn look_at_header(facts: &Facts<'_>) -> Option<HeaderTrace> {
    let is_header = match facts.problem(CheckId::File)? {
        Problem::Header { .. } => true,
        Problem::NoStore(NoStore::FirstPageGone { intact, .. }) => *intact != FirstPage::Nothing,
        _ => false,
    };
    if !is_header || facts.conversion().is_some() {
        return None;
    }
    let mut head = [0; HEADER_LEN + 12];
    open_plain(&facts.probe.path).ok()?.read_exact(&mut head).ok()?;
    let is_sound = |head: &[u8]| {
        HeaderFields::parse(head).is_some_and(|header| {
            let counted = header.vouched_pages().map(|pages| u64::from(pages) * u64::from(header.page_size));
            header.faults().is_empty() && counted.is_none_or(|counted| counted == facts.probe.size())
        })
    };
    for at in 0..HEADER_LEN {
        for bit in 0..8 {
            head[at] ^= 1 << bit;
            let found = is_sound(&head);
            head[at] ^= 1 << bit;
            if found {
                return Some(HeaderTrace::Bit(at, bit));
            }
        }
    }
    // Zeros and lines of text over the header have signs of their own.
    let is_other = head.iter().take(16).all(|byte| *byte == 0)
        || facts
            .blocks()
            .is_some_and(|blocks| blocks.leading_text > 0 || blocks.noise.first() == Some(&true));
    (!is_other).then_some(HeaderTrace::Partly)
}

fn find_bit(facts: &Facts<'_>) -> Option<Found> {
    if let Some(HeaderTrace::Bit(at, bit)) = look_at_header(facts) {
        return Some(describe_bit(1, at, bit, "").at(PageRanges::of(1, 1)));
    }
    let flipped = &facts.survey()?.flipped;
    let (page, at, bit) = *flipped.first()?;
    let more = match flipped.len() {
        1 => String::new(),
        many => format!(", and one bit each {} more", plural(many as u64 - 1, "page", "pages")),
    };
    Some(describe_bit(page, at, bit, &more).at(flipped.iter().map(|(page, ..)| *page).collect()))
}

fn describe_bit(page: u32, at: usize, bit: u8, more: &str) -> Found {
    Found::new(
        Certainty::Likely,
        format!(
            "bit {bit} of the byte at offset {at} of page {} makes that page sound again{more}: a fault of the memory or of the disk leaves this; test the memory, and look at what the disk says of itself (SMART)",
            thousands(u64::from(page))
        ),
    )
}

fn find_copy(facts: &Facts<'_>) -> Option<Found> {
    let copies = &facts.survey()?.copies;
    let (wrong, right) = copies.first()?;
    let more = match copies.len() {
        1 => String::new(),
        many => format!(" ({} in all)", plural(many as u64, "such pair", "such pairs")),
    };
    let pages: PageRanges = copies.iter().map(|(wrong, _)| *wrong).collect();
    Some(
        Found::new(
            Certainty::Likely,
            format!(
                "page {} equals page {} byte for byte, and trees use both{more}: a write that went to the wrong place leaves this, as by a disk, its controller, or a program that writes into the file",
                thousands(u64::from(*wrong)),
                thousands(u64::from(*right))
            ),
        )
        .at(pages),
    )
}

fn find_of_another(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey()?;
    let is_copy = |page: &u32| survey.copies.iter().any(|(wrong, _)| wrong == page);
    let is_flipped = |page: &u32| survey.flipped.iter().any(|(flipped, ..)| flipped == page);
    let mut pages = survey.pages_with(|what| matches!(what, What::OtherKind | What::OutOfRange | What::OtherFields));
    pages.retain(|page| !is_copy(page) && !is_flipped(page));
    if pages.is_empty() {
        return None;
    }
    let count = pages.len() as u64;
    let ranges: PageRanges = pages.into_iter().collect();
    let (are, used) = if count == 1 {
        ("is sound in itself and does not belong", "it is used")
    } else {
        ("are sound in themselves and do not belong", "they are used")
    };
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "{} {are} where {used} ({}): a page of another database, or of another state of this one; was the file copied while a program wrote to it, or did two programs write without locks?",
                plural(count, "page", "pages"),
                name_pages(&ranges)
            ),
        )
        .at(ranges),
    )
}

fn find_other_content(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey()?;
    let is_flipped = |page: u32| survey.flipped.iter().any(|(flipped, ..)| *flipped == page);
    let other = |content: Content| {
        let faults = survey.faults.iter().filter(move |fault| fault.what == What::Other(content));
        faults.map(|fault| fault.page).filter(|page| !is_flipped(*page)).collect::<Vec<u32>>()
    };
    let kinds = [
        (Content::Text, "lines of text"),
        (Content::Noise, "noise, as of compressed or encrypted data"),
        (Content::Data, "bytes of another form"),
    ];
    let found: Vec<(Vec<u32>, &str)> = kinds
        .into_iter()
        .map(|(content, words)| (other(content), words))
        .filter(|(pages, _)| !pages.is_empty())
        .collect();
    if found.is_empty() {
        return None;
    }
    let count = found.iter().map(|(pages, _)| pages.len() as u64).sum();
    let words: Vec<&str> = found.iter().map(|(_, words)| *words).collect();
    let ranges: PageRanges = found.into_iter().flat_map(|(pages, _)| pages).collect();
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "{} no page of a database, but {} ({}): blocks of another file, or of a log that was written over; was there a crash of the machine, a repair of the file system, or a program that wrote into the file?",
                used_pages_are(count),
                words.join(", or "),
                name_pages(&ranges)
            ),
        )
        .at(ranges),
    )
}

fn find_overwritten(facts: &Facts<'_>) -> Option<Found> {
    const LEAVES: &str = "a program that wrote through a stray pointer or into the file, or a sector that went wrong, leaves this; does a program map the file into its memory, or write to it by other means than SQLite?";
    if let Some(HeaderTrace::Partly) = look_at_header(facts) {
        let detail =
            format!("a part of the header on page 1 is something else, and the rest of the page is there: {LEAVES}");
        return Some(Found::new(Certainty::Class, detail).at(PageRanges::of(1, 1)));
    }
    let survey = facts.survey()?;
    let is_flipped = |page: &u32| survey.flipped.iter().any(|(flipped, ..)| flipped == page);
    let mut pages = survey.pages_with(|what| what == What::Partly);
    pages.retain(|page| !is_flipped(page));
    if pages.is_empty() {
        return None;
    }
    let count = pages.len() as u64;
    let ranges: PageRanges = pages.into_iter().collect();
    Some(
        Found::new(
            Certainty::Class,
            format!(
                "a part of {} does not fit the rest of it ({}): {LEAVES}",
                if count == 1 {
                    "1 page".to_owned()
                } else {
                    format!("each of {}", plural(count, "page", "pages"))
                },
                name_pages(&ranges)
            ),
        )
        .at(ranges),
    )
}
