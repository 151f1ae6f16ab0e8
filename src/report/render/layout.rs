//! Lines that fit a terminal, and rows of them: a status, a name, and text that hangs beside it.

use anstyle::{AnsiColor, Style as Paint};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width};

use crate::application::Step;
use crate::report::Status;

/// The narrowest text beside the names, in columns; if there is less room, the text goes beneath them.
const NARROWEST_TEXT: usize = 36;

/// The width and colour of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// The width to fit into, in columns; `None` does not wrap.
    pub width: Option<u16>,
    /// True to colour.
    pub color: bool,
}

/// The columns of a table.
pub(super) struct ColumnWidths {
    /// The indent of the row.
    indent: usize,
    /// The columns of the longest name.
    name: usize,
}

impl ColumnWidths {
    /// For rows of these names.
    pub(super) fn of<'a>(indent: usize, names: impl Iterator<Item = &'a str>) -> Self {
        let name = names.map(display_width).max().unwrap_or(0);
        Self { indent, name }
    }

    /// Returns the margin of a text that hangs beside this name alone.
    pub(super) fn margin(&self, name: &str) -> String {
        let pad = self.name.saturating_sub(display_width(name));
        format!("{}{name}{}  ", " ".repeat(self.indent), " ".repeat(pad))
    }

    /// Returns the column at which the text begins, beside the name.
    fn text(&self) -> usize {
        self.indent + "FAIL  ".len() + self.name + 2
    }
}

/// One row.
pub(super) struct TableRow<'a> {
    pub(super) status: Status,
    pub(super) name: &'a str,
    pub(super) detail: &'a str,
    /// The lines beneath it.
    pub(super) findings: &'a [String],
}

impl TableRow<'_> {
    /// Status, name, and the text folded beside them.
    pub(super) fn draw(&self, columns: &ColumnWidths, style: Style) -> String {
        let margin = " ".repeat(columns.indent);
        let pad = " ".repeat(columns.name.saturating_sub(display_width(self.name)));
        let head = format!("{margin}{}  {}{pad}  ", word(self.status), self.name);
        let fits = width(style).is_none_or(|width| columns.text() + NARROWEST_TEXT <= width);
        let hang = " ".repeat(if fits { columns.text() } else { columns.indent + 6 });
        let mut out = if fits {
            fold(self.detail, width(style), &head)
        } else {
            format!("{}\n{}", head.trim_end(), fold(self.detail, width(style), &hang))
        };
        for finding in self.findings {
            out += &fold(finding, width(style), &format!("{hang}· "));
        }
        paint_first_word(&out, self.status, style)
    }
}

/// Returns steps behind a margin, with a number each where there are several. Each command has a line of its own, which is never folded.
pub(super) fn draw_steps(steps: &[&Step], indent: usize, style: Style) -> String {
    let margin = " ".repeat(indent);
    let draw = |(n, step): (usize, &&Step)| {
        let mark = if steps.len() > 1 {
            format!("{}. ", n + 1)
        } else {
            String::new()
        };
        let text = fold(&step.text, width(style), &format!("{margin}{mark}"));
        step.commands.iter().fold(text, |text, command| text + &format!("{margin}   {command}\n"))
    };
    steps.iter().enumerate().map(draw).collect()
}

/// Returns a line that begins with `PASS: ` or `FAIL: `, folded behind that.
pub(super) fn fold_verdict(line: &str, style: Style) -> String {
    let (word, rest) = line.split_at(line.len().min("FAIL: ".len()));
    fold(rest, width(style), word)
}

/// Returns the columns to fit into.
pub(super) fn width(style: Style) -> Option<usize> {
    // Below this, the names would have to be broken.
    style.width.map(|width| usize::from(width.max(32)))
}

/// Returns a status as rows begin with it.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Skip => "skip",
    }
}

/// Colours the four letters of the status that the text begins with, behind its margin.
pub(super) fn paint_first_word(text: &str, status: Status, style: Style) -> String {
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

/// Folds `text` into `width` columns (`None`: not at all) behind `margin`, which stands in the first line; the others hang
/// beneath the text.
pub(super) fn fold(text: &str, width: Option<usize>, margin: &str) -> String {
    let margin_columns = display_width(margin);
    let room = width.and_then(|width| u16::try_from(width.saturating_sub(margin_columns).max(1)).ok());
    // Nothing is laid out that is a line already.
    let Some(room) = room.filter(|room| display_width(text) > usize::from(*room)) else {
        return format!("{}\n", format!("{margin}{text}").trim_end());
    };
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(room);
    table.add_row([Cell::new(text)]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(room)));
    }
    let hang = " ".repeat(margin_columns);
    let fold = |(n, line): (usize, &str)| {
        let margin = if n == 0 { margin } else { &hang };
        format!("{}\n", format!("{margin}{line}").trim_end())
    };
    table.trim_fmt().lines().enumerate().map(fold).collect()
}

/// Returns the width of a text on a terminal, in columns.
pub(super) fn display_width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_later_lines_hang() {
        assert_eq!(fold("copy state.db-wal and it", Some(14), "→ "), "→ copy\n  state.db-wal\n  and it\n");
        assert_eq!(fold("one two", None, "· "), "· one two\n");
        // What is longer than a line is broken: nothing runs over the edge.
        assert_eq!(fold("abcdefgh", Some(6), "  "), "  abcd\n  efgh\n");
    }
}
