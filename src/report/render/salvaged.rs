//! Renders the summary of a salvage in the report's own rows.

use super::layout::{ColumnWidths, Style, TableRow, draw_steps, fold, fold_verdict, paint_first_word, width};
use crate::application::Step;
use crate::report::Status;
use crate::salvage::summary::{NamedRows, NothingSaved, SalvageSummary, TableSummary};
use crate::text::escape::escape_untrusted;
use crate::text::words::{plural, thousands};

/// The longest name of a table, in characters.
const LONGEST_NAME: usize = 200;

/// The longest description of a process, in characters.
const LONGEST_REASON: usize = 600;

/// The number of rows of a kind that are named.
const SHOWN_ROWS: usize = 20;

/// A row of the account.
struct SummaryRow {
    status: Status,
    name: String,
    detail: String,
    findings: Vec<String>,
}

/// Returns the account of the store that is shown so. `next` is what to do next, where the output can be loaded.
pub(crate) fn account(store: &str, account: &SalvageSummary, next: &[Step], style: Style) -> String {
    let mut entries: Vec<SummaryRow> = account.tables.iter().map(table_entry).collect();
    entries.extend(store_entries(account));
    entries.extend(remark_entries(account));
    let columns = ColumnWidths::of(0, entries.iter().map(|entry| entry.name.as_str()));
    let drawn: String = entries
        .iter()
        .map(|entry| {
            let line = TableRow {
                status: entry.status,
                name: &entry.name,
                detail: &entry.detail,
                findings: &entry.findings,
            };
            line.draw(&columns, style)
        })
        .collect();
    let (status, verdict) = verdict(account);
    let next = if account.committed {
        format!("\n{}", draw_steps(&next.iter().collect::<Vec<_>>(), 0, style))
    } else {
        String::new()
    };
    format!(
        "{}\n{drawn}\n{}{next}",
        fold(store, width(style), ""),
        paint_first_word(&fold_verdict(&verdict, style), status, style)
    )
}

/// Returns the last line of a salvage without a summary: the reason.
pub(crate) fn failure_line(why: &str, style: Style) -> String {
    paint_first_word(&fold_verdict(&format!("FAIL: {why}"), style), Status::Fail, style)
}

/// Returns the reason why there is nothing to salvage from a file as it is, and the steps that make it a database again.
pub(crate) fn undo_first(why: &str, steps: &[Step], style: Style) -> String {
    format!(
        "{}\n{}",
        failure_line(why, style),
        draw_steps(&steps.iter().collect::<Vec<_>>(), 0, style)
    )
}

/// Returns a table: what is given, and what not.
fn table_entry(table: &TableSummary) -> SummaryRow {
    let mut detail = vec![format!("{} given", plural(table.given, "row", "rows"))];
    let mut findings = Vec::new();
    let mut kind = |named: &NamedRows, what: &str, means: &str| {
        if named.count > 0 {
            detail.push(format!("{} {what}", thousands(named.count)));
            findings.extend(rows(named, what, means));
        }
    };
    kind(
        &table.flagged,
        "flagged",
        "given, with a value that is damaged or that an index contradicts",
    );
    kind(&table.lost, "lost", "an index names it, and it is nowhere");
    kind(&table.doubtful, "doubtful", "whole, but perhaps none of the store's: in a comment");
    if table.is_counted_by_witness && table.given > 0 {
        detail.push(match table.given - table.confirmed.min(table.given) {
            0 => "each named by an index".to_owned(),
            alone if alone == table.given => "standing by their pages alone".to_owned(),
            alone => format!(
                "{} named by an index, {} standing by their pages alone",
                thousands(table.confirmed),
                thousands(alone)
            ),
        });
    }
    if table.older > 0 {
        detail.push(format!("an older state of {} of the lost in comments", thousands(table.older)));
    }
    if table.missing_a_column > 0 {
        let rows = plural(table.missing_a_column, "row", "rows");
        detail.push(format!("{rows} without the values of a column that is not known"));
    }
    if table.has_unknown_count {
        detail.push(format!("how many rows {} had is not known", table.name));
    }
    if table.is_nameless {
        detail.push("whose table they were is not known".to_owned());
    }
    let is_whole = table.flagged.count + table.lost.count + table.doubtful.count + table.missing_a_column == 0
        && !table.has_unknown_count
        && !table.is_nameless;
    if table.deleted > 0 {
        detail.push(format!("{} deleted before, and not given", thousands(table.deleted)));
    }
    if table.unnamed > 0 {
        detail.push(format!("{} more found that nothing names, and not given", thousands(table.unnamed)));
    }
    SummaryRow {
        status: if is_whole { Status::Pass } else { Status::Fail },
        name: escape_untrusted(&table.name, LONGEST_NAME),
        detail: detail.join(", "),
        findings,
    }
}

/// Returns the first rows of a kind, by rowid and id.
fn rows(named: &NamedRows, what: &str, means: &str) -> Vec<String> {
    let mut lines: Vec<String> = named
        .rows
        .iter()
        .take(SHOWN_ROWS)
        .map(|row| {
            let rowid = row.rowid.map_or_else(|| "a row".to_owned(), |rowid| format!("row {rowid}"));
            let id = row.id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
            format!("{what}: {rowid}{id}")
        })
        .collect();
    if let Some(first) = lines.first_mut() {
        *first += &format!(": {means}");
    }
    let more = named.count - lines.len() as u64;
    if more > 0 {
        lines.push(format!("{what}: … and {} more", thousands(more)));
    }
    lines
}

/// Returns the objects of the schema that are not made anew, or not as they were. Rows that are only given under another name are a fault.
fn remark_entries(account: &SalvageSummary) -> Vec<SummaryRow> {
    let mut out = Vec::new();
    for is_nameless in [true, false] {
        let remarks: Vec<_> = account.remarks.iter().filter(|remark| remark.is_nameless == is_nameless).collect();
        if remarks.is_empty() {
            continue;
        }
        let shown = remarks.iter().take(SHOWN_ROWS);
        let mut findings: Vec<String> = shown.map(|remark| format!("{}: {}", remark.object, remark.why)).collect();
        let more = remarks.len().saturating_sub(findings.len());
        if more > 0 {
            findings.push(format!("… and {} more", thousands(more as u64)));
        }
        let count = plural(remarks.len() as u64, "object", "objects");
        out.push(SummaryRow {
            status: if is_nameless { Status::Fail } else { Status::Skip },
            name: "schema".to_owned(),
            detail: if is_nameless {
                format!("{count} whose statement cannot be used: the rows are given as lost_1 and so on")
            } else {
                format!("{count} only in comments, or without a clause")
            },
            findings,
        });
    }
    if account.is_schema_damaged {
        out.push(SummaryRow {
            status: Status::Fail,
            name: "schema".to_owned(),
            detail: "a part of the schema is damaged, so that tables may be missing".to_owned(),
            findings: Vec::new(),
        });
    }
    out
}

/// Returns the faults of the store that belong to no table.
fn store_entries(account: &SalvageSummary) -> Vec<SummaryRow> {
    let fail = |name: &str, detail: String| SummaryRow {
        status: Status::Fail,
        name: name.to_owned(),
        detail,
        findings: Vec::new(),
    };
    let mut out = Vec::new();
    if let Some(why) = account.uncertain_commits {
        out.push(fail("journal", why.in_words().to_owned()));
    } else if account.damaged_frames + account.stale_pages > 0 {
        let frames = plural(account.damaged_frames, "part of it is", "parts of it are");
        let pages = plural(account.stale_pages, "page", "pages");
        let older = match account.stale_pages {
            0 => String::new(),
            _ => format!("; the rows of {pages} may be older than the last commit"),
        };
        out.push(fail("journal", format!("{frames} damaged{older}")));
    }
    if let Some((suffix, why)) = &account.left_out {
        out.push(fail("journal", format!("the {suffix} was left out, and the file alone was read: {why}")));
    }
    if account.has_unrelated_log {
        let what = "the -wal beside it is not this store's log: what was committed to that is not given";
        out.push(fail("journal", what.to_owned()));
    }
    if let Some(who) = &account.hidden_commits {
        out.push(fail(
            "in use",
            format!("{}: what it committed there is not given", escape_untrusted(who, LONGEST_REASON)),
        ));
    }
    if !account.restored_ledger_rows.is_empty() {
        let ids: Vec<String> = account.restored_ledger_rows.iter().map(i64::to_string).collect();
        out.push(fail(
            "ledger",
            format!(
                "whether migration {} was applied is not known; it is written anew as applied",
                ids.join(", ")
            ),
        ));
    }
    if account.other_tables > 0 {
        let tables = plural(account.other_tables, "table", "tables");
        let more = account.other_tables.saturating_sub(account.other_names.len() as u64);
        let more = if more > 0 {
            format!(" and {} more", thousands(more))
        } else {
            String::new()
        };
        let names = account.other_names.join(", ");
        out.push(SummaryRow {
            status: Status::Skip,
            ..fail(
                "other tables",
                format!("the schema names {tables} that the application does not have, and whose rows are not given: {names}{more}"),
            )
        });
    }
    if account.too_long > 0 {
        let values = plural(account.too_long, "row is", "rows are");
        out.push(fail("length", format!("{values} too long to be held, and not given")));
    }
    out
}

/// Returns the last line.
fn verdict(account: &SalvageSummary) -> (Status, String) {
    let given = plural(account.given(), "row is", "rows are");
    if account.is_complete() {
        let rest = match account.other_tables {
            0 => "nothing that the store names is lost".to_owned(),
            others => format!(
                "nothing of the application's tables is lost; {} of the store not given",
                plural(others, "other table is", "other tables are")
            ),
        };
        return (Status::Pass, format!("PASS: {given} given, and {rest}"));
    }
    let why = match account.nothing {
        Some(NothingSaved::NoPages) => "nothing in the file looks like a page of a database",
        Some(NothingSaved::NotOurs) => {
            "its schema is intact and names none of the application's tables: it is another application's store, which `doctor --salvage --any` saves"
        }
        Some(NothingSaved::Newer) => {
            "a migration is applied that this binary does not know: use the doctor of the version that last used the store"
        }
        None if account.given() == 0 => "no row was found that is known to belong in it",
        None if !account.committed => {
            return (
                Status::Fail,
                "FAIL: the store changed while it was read, and the output loads nothing; stop what writes to it and run this again"
                    .to_owned(),
            );
        }
        None => {
            let of = |count: fn(&TableSummary) -> u64| account.tables.iter().map(count).sum::<u64>();
            let is_journal_damaged = account.uncertain_commits.is_some()
                || account.has_unrelated_log
                || account.damaged_frames + account.stale_pages > 0;
            let parts: Vec<String> = [
                (of(|table| table.flagged.count), "flagged"),
                (of(|table| table.lost.count), "lost"),
                (of(|table| table.doubtful.count), "doubtful"),
                (of(|table| table.missing_a_column), "without a column"),
                (of(|table| u64::from(table.has_unknown_count)), "of the tables perhaps not all there"),
                (account.restored_ledger_rows.len() as u64, "of the ledger written anew"),
                (account.too_long, "too long"),
                (u64::from(is_journal_damaged), "journal damaged"),
                (u64::from(account.left_out.is_some()), "log or journal left out"),
                (
                    u64::from(account.hidden_commits.is_some()),
                    "program with commits that are not in these files",
                ),
            ]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", thousands(count)))
            .collect();
            let parts = parts.join(", ");
            return (Status::Fail, format!("FAIL: {given} given; not all is as it was: {parts}"));
        }
    };
    (Status::Fail, format!("FAIL: nothing can be saved: {why}"))
}
