//! Rows for a terminal: a status, a name, and text that hangs beside it.

use anstyle::{AnsiColor, Style as Paint};

use super::layout::{columns as columns_of, folded};
use crate::report::Status;

/// Where a table is narrower than this beside the names, the text goes beneath them.
const NARROWEST_TEXT: usize = 36;

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// The width to fit into, in columns; `None` does not wrap.
    pub width: Option<u16>,
    /// Whether to colour.
    pub color: bool,
}

/// Where a row's text stands.
pub(super) struct Columns {
    /// How far the row itself is set in.
    indent: usize,
    /// The columns of the longest name.
    name: usize,
}

impl Columns {
    /// For rows of these names.
    pub(super) fn of<'a>(indent: usize, names: impl Iterator<Item = &'a str>) -> Self {
        let name = names.map(columns_of).max().unwrap_or(0);
        Self { indent, name }
    }

    /// Where the text begins, beside the name.
    fn text(&self) -> usize {
        self.indent + "FAIL  ".len() + self.name + 2
    }
}

/// One row.
pub(super) struct Line<'a> {
    pub(super) status: Status,
    pub(super) name: &'a str,
    pub(super) detail: &'a str,
    /// What stands beneath it, line by line.
    pub(super) findings: &'a [String],
    /// What to do.
    pub(super) remedy: Option<&'a str>,
}

impl Line<'_> {
    /// Status, name, and the text folded beside them.
    pub(super) fn drawn(&self, columns: &Columns, style: Style) -> String {
        let margin = " ".repeat(columns.indent);
        let pad = " ".repeat(columns.name.saturating_sub(columns_of(self.name)));
        let head = format!("{margin}{}  {}{pad}  ", word(self.status), self.name);
        let fits = width(style).is_none_or(|width| columns.text() + NARROWEST_TEXT <= width);
        let hang = " ".repeat(if fits { columns.text() } else { columns.indent + 6 });
        let mut out = if fits {
            folded(self.detail, width(style), &head)
        } else {
            format!("{}\n{}", head.trim_end(), folded(self.detail, width(style), &hang))
        };
        let mut beneath = |mark: &str, text: &str| {
            out += &folded(text, width(style), &format!("{hang}{mark} "));
        };
        for finding in self.findings {
            beneath("·", finding);
        }
        if let Some(remedy) = self.remedy {
            beneath("→", remedy);
        }
        first_word_painted(&out, self.status, style)
    }
}

/// A line that begins with `PASS: ` or `FAIL: `, folded behind that.
pub(super) fn folded_verdict(line: &str, style: Style) -> String {
    let (word, rest) = line.split_at(line.len().min("FAIL: ".len()));
    folded(rest, width(style), word)
}

/// The columns to fit into.
pub(super) fn width(style: Style) -> Option<usize> {
    // Below this, the names would have to be broken.
    style.width.map(|width| usize::from(width.max(32)))
}

/// A status as rows begin with it.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Skip => "skip",
    }
}

/// Colours the four letters of the status that the text begins with, behind its margin.
pub(super) fn first_word_painted(text: &str, status: Status, style: Style) -> String {
    if !style.color {
        return text.to_owned();
    }
    let color = match status {
        Status::Pass => AnsiColor::Green,
        Status::Fail => AnsiColor::Red,
        Status::Skip => AnsiColor::Yellow,
    };
    let paint = Paint::new().fg_color(Some(color.into())).bold();
    let margin = text.len() - text.trim_start().len();
    let (before, rest) = text.split_at(margin);
    let (word, after) = rest.split_at(4.min(rest.len()));
    format!("{before}{paint}{word}{paint:#}{after}")
}
