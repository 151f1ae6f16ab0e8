//! Lines that fit: words are kept whole where they can be, and what follows the first line hangs beneath it.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width};

/// Folds `text` into `width` columns (`None`: not at all) behind `margin`, which stands in the first line; the others hang
/// beneath the text.
pub(super) fn folded(text: &str, width: Option<usize>, margin: &str) -> String {
    let margin_columns = columns(margin);
    let room = width.and_then(|width| u16::try_from(width.saturating_sub(margin_columns).max(1)).ok());
    // Nothing is laid out that is a line already.
    let Some(room) = room.filter(|room| columns(text) > usize::from(*room)) else {
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

/// How many columns a text takes on a terminal.
pub(super) fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_later_lines_hang() {
        assert_eq!(folded("copy state.db-wal and it", Some(14), "→ "), "→ copy\n  state.db-wal\n  and it\n");
        assert_eq!(folded("one two", None, "· "), "· one two\n");
        // What is longer than a line is broken: nothing runs over the edge.
        assert_eq!(folded("abcdefgh", Some(6), "  "), "  abcd\n  efgh\n");
    }
}
