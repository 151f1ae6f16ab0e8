//! A store's rows and their verdict. Text that comes from a store is escaped here, once, for every renderer.

use std::borrow::Cow;
use std::time::Duration;

use crate::application::Application;
use crate::check::{Failure, Outcome};
use crate::finding::Finding;
use crate::words::{plural, thousands};

/// The longest detail or remedy that is printed, in characters.
const LONGEST_TEXT: usize = 1_200;

/// The longest name within a finding, in characters.
const LONGEST_NAME: usize = 160;

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It looked, and found nothing wrong.
    Pass,
    /// It found something, or tried and could not look.
    Fail,
    /// It did not look, and says why.
    Skip,
}

impl Status {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One check's answer, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The check's id.
    pub check: &'static str,
    /// Pass, fail or skip.
    pub status: Status,
    /// What was looked at, what is wrong, or why it did not look.
    pub detail: String,
    /// What to do, where it failed.
    pub remedy: Option<String>,
    /// The places, where it failed: the first ones.
    pub findings: Vec<Finding>,
    /// How many places there are in all.
    pub findings_total: u64,
    /// Whether there may be more than that.
    pub findings_at_least: bool,
    /// How long the check took.
    pub elapsed: Duration,
}

/// A store's rows, in the registry's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The store's place among those that were given, from 0.
    pub index: usize,
    /// The store's path as [`shown`](crate::shown::shown): without the name of a home folder.
    pub store: String,
    /// The situation's name.
    pub situation: &'static str,
    /// What the kernel held the doctor to.
    pub sandbox: String,
    /// One row a check that was asked for.
    pub rows: Vec<Row>,
    /// Whether SQLite hit its bound on memory, which all that is examined at once has in common.
    pub short_of_memory: bool,
}

impl Report {
    /// The same, of the store at this place among those given.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// Whether a row failed.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|row| row.status == Status::Fail)
    }

    /// `fail` where a row failed, otherwise `pass`.
    pub fn verdict(&self) -> &'static str {
        if self.failed() { "fail" } else { "pass" }
    }

    /// How many rows failed.
    pub fn failures(&self) -> usize {
        self.count(Status::Fail)
    }

    /// How many rows have this status.
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }
}

impl Row {
    /// Makes a check's answer safe to print, and asks the application what to do where it failed.
    pub fn new(check: &'static str, outcome: Outcome, elapsed: Duration, application: &Application) -> Self {
        let mut row = Self {
            check,
            status: Status::Pass,
            detail: String::new(),
            remedy: None,
            findings: Vec::new(),
            findings_total: 0,
            findings_at_least: false,
            elapsed,
        };
        match outcome {
            Outcome::Pass { detail } => row.detail = escape_untrusted(&detail, LONGEST_TEXT),
            Outcome::Skip { reason } => {
                row.status = Status::Skip;
                row.detail = escape_untrusted(&reason, LONGEST_TEXT);
            }
            Outcome::Fail(Failure {
                detail,
                problem,
                findings,
            }) => {
                row.status = Status::Fail;
                row.detail = escape_untrusted(&detail, LONGEST_TEXT);
                row.remedy = Some(escape_untrusted(&application.advice(&problem), LONGEST_TEXT));
                row.findings = findings.kept.into_iter().map(safe_finding).collect();
                row.findings_total = findings.total;
                row.findings_at_least = findings.at_least;
            }
        }
        row
    }

    /// The first findings in words, and how many there are more: `people row 5 born: not a time`.
    pub fn finding_lines(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.findings.iter().take(most).map(finding_words).collect();
        let shown = lines.len() as u64;
        if self.findings_total > shown {
            let least = if self.findings_at_least { "at least " } else { "" };
            lines.push(format!("… and {least}{} more", thousands(self.findings_total - shown)));
        }
        lines
    }
}

fn safe_finding(finding: Finding) -> Finding {
    let name = |text: Option<String>| text.map(|text| escape_untrusted(&text, LONGEST_NAME));
    Finding {
        table: name(finding.table),
        index: name(finding.index),
        column: name(finding.column),
        key: name(finding.key),
        what: Cow::Owned(escape_untrusted(&finding.what, LONGEST_TEXT)),
        ..finding
    }
}

/// A finding as a line: where, then what.
fn finding_words(finding: &Finding) -> String {
    let mut place = Vec::new();
    place.extend(finding.table.clone());
    if let Some(index) = &finding.index {
        place.push(format!("index {index}"));
    }
    place.extend(finding.row.map(|row| format!("row {row}")));
    place.extend(finding.key.as_ref().map(|key| format!("({key})")));
    place.extend(finding.id.map(|id| format!("migration {id}")));
    place.extend(finding.page.map(|page| format!("page {page}")));
    place.extend(finding.column.clone());
    let times = finding
        .count
        .filter(|count| *count > 1)
        .map_or_else(String::new, |count| format!(" ({} times)", thousands(count)));
    if place.is_empty() {
        return format!("{}{times}", finding.what);
    }
    format!("{}: {}{times}", place.join(" "), finding.what)
}

/// Text without control characters and without what is not seen, each written `\u{1b}`. At most `most` characters of that; what
/// is cut off is counted.
pub fn escape_untrusted(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    let mut room = most;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let before = out.len();
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        let Some(left) = room.checked_sub(out[before..].chars().count()) else {
            out.truncate(before);
            let rest = plural(chars.count() as u64 + 1, "character", "characters");
            out += &format!("… (and {rest} more)");
            break;
        };
        room = left;
    }
    out
}

/// Characters that change how others are shown or that show nothing: line separators, annotation marks, and all that Unicode
/// calls `Default_Ignorable_Code_Point`: bidirectional controls, zero-width characters, fillers, variation selectors, tags
/// (Unicode Technical Report 36, "Unicode Security Considerations"; `DerivedCoreProperties.txt`).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_or_bidirectional_character_gets_through() {
        let hostile = "a\x1b[2J\u{7}\u{9b}b\u{202e}c\u{2066}\nd\u{feff}";
        assert_eq!(
            escape_untrusted(hostile, 100),
            "a\\u{1b}[2J\\u{7}\\u{9b}b\\u{202e}c\\u{2066}\\nd\\u{feff}"
        );
    }

    #[test]
    fn nothing_gets_through_that_shows_as_nothing() {
        // The ranges of Default_Ignorable_Code_Point in Unicode 17, by their ends.
        let ranges = [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ];
        for c in ranges.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32) {
            assert_eq!(escape_untrusted(&format!("a{c}b"), 100), format!("a{}b", c.escape_unicode()));
        }
        // Letters, accents and pictures stay.
        let seen = "na\u{ef}ve e\u{301} \u{4e2d} \u{1f980} \u{3163} \u{ff9f}";
        assert_eq!(escape_untrusted(seen, 100), seen);
    }

    #[test]
    fn long_text_is_cut_and_says_by_how_much() {
        assert_eq!(escape_untrusted(&"x".repeat(1_503), 3), "xxx… (and 1,500 characters more)");
        assert_eq!(escape_untrusted("xxx", 3), "xxx");
        // What is printed is counted, and an escape is printed whole or not at all.
        assert_eq!(escape_untrusted("a\u{1b}bc", 8), "a\\u{1b}b… (and 1 character more)");
        assert_eq!(escape_untrusted("a\u{1b}bc", 6), "a… (and 3 characters more)");
        assert_eq!(escape_untrusted(&"\n".repeat(1_200), 1_200).matches("\\n").count(), 600);
    }
}
