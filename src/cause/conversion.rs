//! Signs of a file that went through a program which took it for text.

use std::io::Read;
use std::os::unix::fs::FileExt;

use sqlite_format::header::{HeaderFields, MAGIC};

use super::{Certainty, Facts, Found, Sign};
use crate::limits::stop::Stop;
use crate::probe::not_a_database::{Text, count_text_of, has_form_of_tree_at};
use crate::probe::{Probe, open_plain};
use crate::text::words::plural;

/// The bytes are those of a text in UTF-8.
pub(super) const TEXT_CONVERSION: Sign = Sign {
    name: "text-conversion",
    most: Certainty::Certain,
    mark: "text",
    find: find_text,
};

/// The ends of lines were converted.
pub(super) const LINE_ENDS_CONVERTED: Sign = Sign {
    name: "line-ends-converted",
    most: Certainty::Certain,
    mark: "text",
    find: find_line_ends,
};

/// What a conversion of text left in the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTrace {
    /// What is not UTF-8 was replaced by U+FFFD.
    Replaced(u64),
    /// Each byte above 127 became a character in UTF-8.
    Recoded(u64),
    /// No byte above 127 is left.
    SevenBit,
    /// Each byte became a character of two bytes.
    Wide,
    /// A carriage return stands before each line feed.
    ReturnsAdded(u64),
    /// No carriage return is left.
    ReturnsLost,
    /// No carriage return before a line feed is left, and so many bytes are missing within the file.
    PairsLost(u64),
}

/// The fewest characters or ends of lines from which a conversion is told.
const FEWEST: u64 = 16;

/// Finds the traces of a conversion in a file that fails.
pub(super) fn find(probe: &Probe, stop: &Stop) -> Option<TextTrace> {
    let counted = if begins_like_database(probe) {
        count_text_of(probe, stop)
    } else {
        None
    };
    counted
        .as_ref()
        .and_then(conclude)
        .or_else(|| is_wide(probe).then_some(TextTrace::Wide))
        .or_else(|| find_lost_pairs(probe, stop))
}

/// Finds that carriage returns were taken out before line feeds: the file is shorter than its header says, its last pages lie in their
/// places when they are counted from its end, and no line feed stands behind a carriage return.
fn find_lost_pairs(probe: &Probe, stop: &Stop) -> Option<TextTrace> {
    /// The most bytes that are read.
    const MOST: u64 = 256 << 20;
    /// The pages at the end that are looked at.
    const LAST: u64 = 64;
    let header = probe.header().filter(|header| header.has_valid_page_size())?;
    let (size, page_size) = (probe.size(), u64::from(header.page_size));
    let counted = u64::from(header.vouched_pages()?) * page_size;
    let missing = counted.checked_sub(size).filter(|missing| *missing > 0 && *missing <= size / 8)?;
    if size.is_multiple_of(page_size) || size > MOST || size < 8 * page_size {
        return None;
    }
    let file = open_plain(&probe.path).ok()?;
    let mut page = vec![0; header.page_size as usize];
    let mut count = |offset: u64| file.read_exact_at(&mut page, offset).is_ok() && has_form_of_tree_at(&page, 0);
    let last = LAST.min(size / page_size - 1);
    let from_end = (1..=last).filter(|n| count(size - n * page_size)).count();
    let from_begin = (1..=last).filter(|n| count((size / page_size - n) * page_size)).count();
    if from_end < 3 || from_end <= 3 * from_begin {
        return None;
    }
    let (mut feeds, mut before) = (0_u64, 0);
    let mut piece = vec![0; 1 << 16];
    let mut at = 0;
    while at < size {
        stop.check().ok()?;
        let read = file.read_at(&mut piece, at).ok().filter(|read| *read > 0)?;
        for byte in &piece[..read] {
            if *byte == b'\n' {
                if before == b'\r' {
                    return None;
                }
                feeds += 1;
            }
            before = *byte;
        }
        at += read as u64;
    }
    (feeds >= FEWEST).then_some(TextTrace::PairsLost(missing))
}

/// Returns true if a file begins like a database, perhaps behind a byte order mark.
fn begins_like_database(probe: &Probe) -> bool {
    let mut head = Vec::new();
    let read = open_plain(&probe.path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).starts_with(MAGIC)
}

/// Returns true if a file begins like a database in UTF-16.
fn is_wide(probe: &Probe) -> bool {
    let mut head = Vec::new();
    let read = open_plain(&probe.path).and_then(|file| file.take(64).read_to_end(&mut head));
    let wide: Vec<u8> = MAGIC[..8].iter().flat_map(|byte| [*byte, 0]).collect();
    let swapped: Vec<u8> = MAGIC[..8].iter().flat_map(|byte| [0, *byte]).collect();
    let head = head.strip_prefix(b"\xff\xfe").or_else(|| head.strip_prefix(b"\xfe\xff")).unwrap_or(&head);
    read.is_ok() && (head.starts_with(&wide) || head.starts_with(&swapped))
}

fn conclude(text: &Text) -> Option<TextTrace> {
    let header = HeaderFields::parse(&text.head)?;
    if text.is_utf8() {
        if text.replacements >= FEWEST {
            return Some(TextTrace::Replaced(text.replacements));
        }
        let others = text.latin + text.beyond + text.replacements;
        if others >= FEWEST {
            return Some(TextTrace::Recoded(others));
        }
        // The offsets of cells have bytes above 127 in any database of some pages.
        if others == 0 && text.size >= 4 * u64::from(header.page_size.clamp(512, 65_536)) {
            return Some(TextTrace::SevenBit);
        }
    }
    let page_size = u64::from(header.page_size);
    if !header.has_valid_page_size() {
        return None;
    }
    let counted = header.vouched_pages().map(|pages| u64::from(pages) * page_size);
    let has_grown = counted.map_or(!text.size.is_multiple_of(page_size), |counted| text.size > counted);
    if text.line_feeds >= FEWEST && text.after_return == text.line_feeds && has_grown {
        return Some(TextTrace::ReturnsAdded(text.after_return));
    }
    // The schema's root is a leaf, or leads to leaves: every whole database of two pages has this byte.
    let is_odd = !text.size.is_multiple_of(page_size) || text.head.get(100) != Some(&5);
    (text.returns == 0 && text.size >= 2 * page_size && is_odd).then_some(TextTrace::ReturnsLost)
}

fn find_text(facts: &Facts<'_>) -> Option<Found> {
    const LOST: &str = "what that replaced cannot be had back";
    let detail = match facts.conversion()? {
        TextTrace::Replaced(count) => format!(
            "every byte above 127 is part of a character in UTF-8, and U+FFFD stands in {}: the file went through a program that took it for text; {LOST}",
            plural(count, "place", "places")
        ),
        TextTrace::Recoded(count) => format!(
            "every byte above 127 is part of a character in UTF-8 ({}): the file went through a program that took it for text and wrote it in another encoding",
            plural(count, "character", "characters")
        ),
        TextTrace::SevenBit => format!(
            "not one byte of the file is above 127: it went through a program that took it for text of seven bits; {LOST}"
        ),
        TextTrace::Wide => {
            "the file is a text in UTF-16 that begins like a database: a program that took it for text wrote it so"
                .to_owned()
        }
        TextTrace::ReturnsAdded(_) | TextTrace::ReturnsLost | TextTrace::PairsLost(_) => return None,
    };
    Some(Found::new(Certainty::Certain, detail))
}

fn find_line_ends(facts: &Facts<'_>) -> Option<Found> {
    const LEAVES: &str =
        "a copy in text mode, an editor, or a version control that converts the ends of lines leaves this";
    let there = match facts.conversion()? {
        TextTrace::ReturnsAdded(count) => {
            format!("a carriage return stands before each of its {}", plural(count, "line feed", "line feeds"))
        }
        TextTrace::ReturnsLost => {
            "there is not one carriage return (byte 13) in it, with which each page of a table begins".to_owned()
        }
        TextTrace::PairsLost(missing) => format!(
            "{} missing within the file, and no line feed in it stands behind a carriage return",
            plural(missing, "byte is", "bytes are")
        ),
        _ => return None,
    };
    Some(Found::new(Certainty::Certain, format!("{there}: {LEAVES}")))
}
