//! Aligned columns for a terminal.

use std::borrow::Cow;

use super::ending::{conclusion, first_failure, is_interrupted, only_follows};
use super::layout::{ColumnWidths, TableRow, draw_steps, fold, fold_verdict, paint_first_word, width, word};
use super::remedies::remedies;
use crate::cause::Cause;
use crate::findings::Finding;
use crate::report::{Report, Row, Status};
use crate::text::words::plural;

pub(crate) use super::layout::Style;

/// The heading of the signs.
pub(super) const CAUSE_HEADING: &str = "How it came to this";

/// The number of findings that are shown beneath a row.
pub(super) const SHOWN_FINDINGS: usize = 5;

/// Returns one store's rows, and the verdict below them.
pub(crate) fn report(report: &Report, style: Style) -> String {
    let columns = ColumnWidths::of(0, report.rows.iter().map(|row| row.check.id()));
    let lines = fold_rows(&report.rows);
    let rows: String = lines.iter().map(|line| line.draw(&columns, style)).collect();
    let status = overall_status(report);
    let verdict = fold_verdict(&verdict(report), style);
    format!(
        "{}\n{rows}\n{}{}{}{}",
        fold(&report.store, width(style), ""),
        paint_first_word(&verdict, status, style),
        conclusion(report).map_or_else(String::new, |words| fold(&words, width(style), "")),
        what_to_do(report, 0, style) + &cause(report, style),
        last_line(report, style)
    )
}

/// Returns the last line of a report with failures: where more is said, or that it is not whole.
fn last_line(report: &Report, style: Style) -> String {
    if is_interrupted(report) {
        let words = "Interrupted: the checks that are skipped or could not look did not see the whole store.";
        return format!("\n{}", fold(words, width(style), ""));
    }
    first_failure(report).map_or_else(String::new, |check| format!("\nMore: doctor --explain {check}\n"))
}

/// A line of the table: one row, or several that say the same.
struct Line<'r> {
    status: Status,
    name: &'r str,
    detail: Cow<'r, str>,
    findings: Vec<String>,
}

impl Line<'_> {
    fn draw(&self, columns: &ColumnWidths, style: Style) -> String {
        let row = TableRow {
            status: self.status,
            name: self.name,
            detail: &self.detail,
            findings: &self.findings,
        };
        row.draw(columns, style)
    }
}

/// Returns the rows as lines. Rows that were skipped for one reason are one line that names them, and so are those that only say again that
/// pages are damaged.
fn fold_rows(rows: &[Row]) -> Vec<Line<'_>> {
    let mut folded: Vec<(Status, Cow<'_, str>, Vec<&Row>)> = Vec::new();
    for row in rows {
        let reason = if only_follows(row, rows) {
            Some("could not look at all of the store: `page-structure` says why".into())
        } else if row.status == Status::Skip {
            let unmet = |need| format!("not examined, because `{need}` failed").into();
            Some(unmet_need(row).map_or(Cow::Borrowed(row.detail.as_str()), unmet))
        } else {
            None
        };
        match (reason, folded.last_mut()) {
            (Some(reason), Some((status, before, same))) if *status == row.status && *before == reason => {
                same.push(row);
            }
            (Some(reason), _) => folded.push((row.status, reason, vec![row])),
            (None, _) => folded.push((row.status, Cow::Borrowed(&row.detail), vec![row])),
        }
    }
    let line = |(status, detail, same): (Status, Cow<'_, str>, Vec<&Row>)| {
        let first = same[0];
        let is_folded = detail != first.detail;
        let others: Vec<&str> = same[1..].iter().map(|row| row.check.id()).collect();
        Line {
            status,
            name: first.check.id(),
            detail: if others.is_empty() {
                Cow::Owned(detail.into_owned())
            } else {
                Cow::Owned(format!("{detail} (also {})", others.join(", ")))
            },
            findings: if is_folded { Vec::new() } else { findings(first) },
        }
    };
    folded.into_iter().map(line).collect()
}

/// Returns the check that failed and that a skipped row needs.
fn unmet_need(row: &Row) -> Option<&str> {
    row.detail.strip_prefix("needs `")?.strip_suffix('`')
}

/// Returns what to do about the rows that failed.
fn what_to_do(report: &Report, indent: usize, style: Style) -> String {
    let margin = " ".repeat(indent);
    let draw = |advice: &super::remedies::RowAdvice<'_>| {
        let heading = format!("What to do ({}):", advice.checks.join(", "));
        format!(
            "\n{}{}",
            fold(&heading, width(style), &margin),
            draw_steps(&advice.steps, indent + 2, style)
        )
    };
    remedies(&report.rows).iter().map(draw).collect()
}

/// Returns the signs of how the store came to harm, with a heading, where there are any.
fn cause(report: &Report, style: Style) -> String {
    if report.cause().is_empty() {
        return String::new();
    }
    let columns = ColumnWidths::of(0, report.cause().iter().map(|cause| cause.certainty.name()));
    let signs: String = report.cause().iter().map(|cause| draw_sign(cause, &columns, style)).collect();
    format!("\n{CAUSE_HEADING} (`doctor --explain SIGN` says more of each):\n\n{signs}")
}

/// Returns a sign: its certainty, its name, and the text beside them.
fn draw_sign(cause: &Cause, columns: &ColumnWidths, style: Style) -> String {
    let text = format!("{}: {}", cause.sign, cause.detail);
    fold(&text, width(style), &columns.margin(cause.certainty.name()))
}

/// Returns one of several stores: a line, and the rows that failed beneath it.
pub(crate) fn one_of_many(report: &Report, style: Style) -> String {
    let status = overall_status(report);
    let count = match (report.failures(), report.count(Status::Skip)) {
        // What a healthy store leaves out, it leaves out of all: the last line says it once.
        (0, _) => String::new(),
        (failed, 0) => format!(": {failed} of {} checks failed", report.rows.len()),
        (failed, skipped) => format!(": {failed} of {} checks failed, {skipped} skipped", report.rows.len()),
    };
    let line = fold(&format!("{}{count}", report.store), width(style), &format!("{}  ", word(status)));
    let failed = || report.rows.iter().filter(|row| row.status == Status::Fail);
    let columns = ColumnWidths::of(6, failed().map(|row| row.check.id()));
    let rows: String = failed().map(|row| draw(row, &columns, style)).collect();
    paint_first_word(&line, status, style) + &rows + &what_to_do(report, 6, style)
}

/// Returns the last line of several stores.
pub(crate) fn total(stores: usize, failed: usize, skipped: usize, style: Style) -> String {
    let (status, mut text) = match failed {
        0 => (Status::Pass, format!("PASS: no check failed in {stores} stores")),
        _ => (Status::Fail, format!("FAIL: {failed} of {stores} stores failed")),
    };
    if skipped > 0 {
        text += &format!(", {} skipped", plural(skipped as u64, "row", "rows"));
    }
    format!("\n{}", paint_first_word(&fold_verdict(&text, style), status, style))
}

/// Returns the last line: what it comes to.
pub(super) fn verdict(report: &Report) -> String {
    let failed: Vec<&str> = report
        .rows
        .iter()
        .filter(|row| row.status == Status::Fail)
        .map(|row| row.check.id())
        .collect();
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

/// Returns a row's text beneath its detail: the first findings, unless the detail has said them all.
pub(super) fn findings(row: &Row) -> Vec<String> {
    first_findings(row, SHOWN_FINDINGS)
}

/// Returns so many of a row's findings, unless the detail has said them all.
pub(super) fn first_findings(row: &Row, most: usize) -> Vec<String> {
    let all_are_there = row.findings_total == row.findings.len() as u64;
    if all_are_there && row.findings.iter().all(|finding| is_covered(finding, &row.detail)) {
        return Vec::new();
    }
    row.describe_findings(most)
}

/// Returns true if a detail says what a finding says, and where.
fn is_covered(finding: &Finding, detail: &str) -> bool {
    let names = [&finding.table, &finding.index, &finding.column, &finding.key];
    let numbers = [
        finding.row,
        finding.id,
        finding.page.and_then(|page| i64::try_from(page).ok()),
    ];
    detail.contains(&*finding.what)
        && finding.count.is_none_or(|count| count <= 1)
        && names.into_iter().flatten().all(|name| detail.contains(name.as_str()))
        && numbers.into_iter().flatten().all(|number| detail.contains(&number.to_string()))
}

/// Returns a report's row.
fn draw(row: &Row, columns: &ColumnWidths, style: Style) -> String {
    let line = TableRow {
        status: row.status,
        name: row.check.id(),
        detail: &row.detail,
        findings: &findings(row),
    };
    line.draw(columns, style)
}

fn overall_status(report: &Report) -> Status {
    if report.failed() { Status::Fail } else { Status::Pass }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Application, Impact, Problem, StoreFiles, keep_a_copy};
    use crate::findings::Findings;
    use crate::findings::check_id::CheckId;
    use crate::report::outcome::Outcome;
    use crate::report::render::layout::display_width;
    use std::path::Path;
    use std::time::Duration;

    fn application() -> Application {
        Application {
            advice: |_, _, files| keep_a_copy(&Application::any(), files).step("Restore what is missing."),
            ..Application::new("another", Vec::new())
        }
    }

    fn files() -> StoreFiles {
        application().files_of(Path::new("it's here/state.db"))
    }

    fn sample() -> Report {
        let mut findings = Findings::default();
        for row in 1..=7 {
            findings.add(|| Finding {
                row: Some(row),
                ..Finding::new("refers to a row of images that is not there").table("vms")
            });
        }
        let row = |check, outcome| Row::new(check, outcome, Duration::ZERO, &application(), &files());
        Report {
            index: 0,
            store: "~/.local/state/banger/state.db".to_owned(),
            application: "another".to_owned(),
            situation: "closed",
            sandbox: "landlock 7".to_owned(),
            examined_at: "2026-11-20T09:00:00Z".to_owned(),
            tables: Vec::new(),
            rows: vec![
                row(CheckId::File, Outcome::pass("an SQLite database, 9 pages of 4096 bytes")),
                row(CheckId::SchemaState, Outcome::skip("needs `read-only`")),
                row(
                    CheckId::ForeignKeys,
                    Outcome::found("7 rows refer to rows that are not there", Problem::Dangling { rows: 7 }, findings),
                ),
            ],
            cause: Vec::new(),
            map: crate::page_map::MapResult::NotRequested,
            short_of_memory: false,
        }
    }

    #[test]
    fn a_report_is_aligned_and_its_text_hangs() {
        let style = Style {
            width: Some(64),
            color: false,
        };
        insta::assert_snapshot!(report(&sample(), style), @r#"
        ~/.local/state/banger/state.db

        pass  file          an SQLite database, 9 pages of 4096 bytes
        skip  schema-state  not examined, because `read-only` failed
        FAIL  foreign-keys  7 rows refer to rows that are not there
                            · vms row 1: refers to a row of images that
                              is not there
                            · vms row 2: refers to a row of images that
                              is not there
                            · vms row 3: refers to a row of images that
                              is not there
                            · vms row 4: refers to a row of images that
                              is not there
                            · vms row 5: refers to a row of images that
                              is not there
                            · … and 2 more

        FAIL: 1 of 3 checks failed (foreign-keys), 1 skipped
        It is not known whether data is lost.

        What to do (foreign-keys):
          1. Stop the application, and keep a copy of all files of the
             store:
             umask 077 && mkdir kept && cp -a "it's here/state.db"* kept
          2. Restore what is missing.

        More: doctor --explain foreign-keys
        "#);
    }

    #[test]
    fn a_narrow_report_puts_the_text_beneath_the_names() {
        let style = Style {
            width: Some(40),
            color: false,
        };
        insta::assert_snapshot!(report(&sample(), style), @r#"
        ~/.local/state/banger/state.db

        pass  file
              an SQLite database, 9 pages of
              4096 bytes
        skip  schema-state
              not examined, because `read-only`
              failed
        FAIL  foreign-keys
              7 rows refer to rows that are not
              there
              · vms row 1: refers to a row of
                images that is not there
              · vms row 2: refers to a row of
                images that is not there
              · vms row 3: refers to a row of
                images that is not there
              · vms row 4: refers to a row of
                images that is not there
              · vms row 5: refers to a row of
                images that is not there
              · … and 2 more

        FAIL: 1 of 3 checks failed
              (foreign-keys), 1 skipped
        It is not known whether data is lost.

        What to do (foreign-keys):
          1. Stop the application, and keep a
             copy of all files of the store:
             umask 077 && mkdir kept && cp -a "it's here/state.db"* kept
          2. Restore what is missing.

        More: doctor --explain foreign-keys
        "#);
    }

    #[test]
    fn several_stores_take_a_line_each_and_the_failing_rows() {
        let style = Style {
            width: None,
            color: false,
        };
        insta::assert_snapshot!(one_of_many(&sample(), style) + &total(2, 1, 1, style), @r#"
        FAIL  ~/.local/state/banger/state.db: 1 of 3 checks failed, 1 skipped
              FAIL  foreign-keys  7 rows refer to rows that are not there
                                  · vms row 1: refers to a row of images that is not there
                                  · vms row 2: refers to a row of images that is not there
                                  · vms row 3: refers to a row of images that is not there
                                  · vms row 4: refers to a row of images that is not there
                                  · vms row 5: refers to a row of images that is not there
                                  · … and 2 more

              What to do (foreign-keys):
                1. Stop the application, and keep a copy of all files of the store:
                   umask 077 && mkdir kept && cp -a "it's here/state.db"* kept
                2. Restore what is missing.

        FAIL: 1 of 2 stores failed, 1 row skipped
        "#);
    }

    #[test]
    fn only_the_status_is_coloured() {
        let style = Style {
            width: None,
            color: true,
        };
        let drawn = report(&sample(), style);
        let plain = report(&sample(), Style { color: false, ..style });
        let stripped: String = drawn
            .split('\x1b')
            .enumerate()
            .map(|(n, part)| {
                if n == 0 {
                    part
                } else {
                    part.split_once('m').map_or("", |(_, rest)| rest)
                }
            })
            .collect();
        assert_eq!(stripped, plain);
        assert!(drawn.contains("\x1b[1m\x1b[31mFAIL\x1b[0m  foreign-keys"), "{drawn:?}");
    }

    #[test]
    fn nothing_runs_over_the_edge() {
        for width in 32..=200 {
            let style = Style {
                width: Some(width),
                color: false,
            };
            let drawn = report(&sample(), style) + &one_of_many(&sample(), style) + &total(2, 1, 1, style);
            // A command is never folded.
            let is_text = |line: &&str| !line.trim_start().starts_with("umask") && !line.starts_with("More: ");
            let widest = drawn.lines().filter(is_text).map(display_width).max().unwrap();
            assert_eq!(
                drawn.matches("umask 077 && mkdir kept && cp -a \"it's here/state.db\"* kept\n").count(),
                2
            );
            assert!(widest <= usize::from(width), "{width}: {drawn}");
        }
    }

    #[test]
    fn findings_that_the_detail_has_said_are_not_said_again() {
        let row = |detail: &str, finding: Finding| {
            let mut findings = Findings::default();
            findings.add(|| finding);
            let problem = Problem::Shape {
                worst: Impact::Reads,
                differences: 1,
            };
            Row::new(
                CheckId::SchemaShape,
                Outcome::found(detail, problem, findings),
                Duration::ZERO,
                &application(),
                &files(),
            )
        };
        let finding = || Finding::new("the column is missing").table("images").column("docker");
        assert!(findings(&row("images.docker: the column is missing", finding())).is_empty());
        assert_eq!(
            findings(&row("the column is missing", finding())),
            ["images docker: the column is missing"]
        );
        let many = Finding {
            count: Some(3),
            ..finding()
        };
        assert_eq!(findings(&row("images.docker: the column is missing", many)).len(), 1);
    }
}
