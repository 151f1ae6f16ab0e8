//! Aligned columns for a terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};

use crate::report::{Report, Row, Status};

/// How many findings are shown beneath a row.
const SHOWN_FINDINGS: usize = 5;

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The width to fit into, in columns; `None` does not wrap.
    pub width: Option<u16>,
    /// Whether to colour.
    pub color: bool,
}

/// One store's rows, and the verdict below them.
pub fn report(report: &Report, style: Style) -> String {
    let mut table = new_table(style);
    for row in &report.rows {
        table.add_row([
            status_cell(row.status, style),
            Cell::new(row.check),
            Cell::new(text(row)),
        ]);
    }
    keep_narrow_columns_whole(&mut table);
    format!(
        "{}\n{}\n\n{}\n",
        wrapped(&report.store, style),
        table.trim_fmt(),
        wrapped(&verdict(report), style)
    )
}

fn new_table(style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).force_no_tty();
    if style.color {
        table.enforce_styling();
    }
    match style.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// The status and the check's name are never wrapped.
fn keep_narrow_columns_whole(table: &mut Table) {
    let widths = table.column_max_content_widths();
    for (column, width) in table.column_iter_mut().zip(widths).take(2) {
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + 2)));
    }
}

fn status_cell(status: Status, style: Style) -> Cell {
    let (word, color) = match status {
        Status::Pass => ("pass", Color::Green),
        Status::Fail => ("FAIL", Color::Red),
        Status::Skip => ("skip", Color::Yellow),
    };
    let cell = Cell::new(word);
    if style.color {
        cell.fg(color).add_attribute(Attribute::Bold)
    } else {
        cell
    }
}

/// A row's detail, the first findings, and what to do.
fn text(row: &Row) -> String {
    let mut lines = vec![row.detail.clone()];
    let findings = row.finding_lines(SHOWN_FINDINGS);
    // One finding without more to it than the detail says is not said twice.
    if !(findings.len() == 1 && row.detail.ends_with(&findings[0])) {
        lines.extend(findings.into_iter().map(|line| format!("· {line}")));
    }
    lines.extend(row.remedy.iter().map(|remedy| format!("→ {remedy}")));
    lines.join("\n")
}

/// The last line: what it comes to.
fn verdict(report: &Report) -> String {
    let failed: Vec<&str> = report.rows.iter().filter(|row| row.status == Status::Fail).map(|row| row.check).collect();
    let skipped = match report.count(Status::Skip) {
        0 => String::new(),
        n => format!(", {n} skipped"),
    };
    let checks = report.rows.len();
    if failed.is_empty() {
        return format!("PASS: {} of {checks} checks passed{skipped}", report.count(Status::Pass));
    }
    format!("FAIL: {} of {checks} checks failed ({}){skipped}", failed.len(), failed.join(", "))
}

/// A line that stands alone, folded into the width.
fn wrapped(line: &str, style: Style) -> String {
    let mut table = new_table(style);
    table.add_row([Cell::new(line)]);
    table.trim_fmt()
}
