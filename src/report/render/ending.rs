//! The end of a report, in plain words: whether data is lost, and where more is said.

use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{CountedTable, Loss};
use crate::report::{Report, Row, Status};
use crate::text::words::{plural, thousands};

/// Returns what a report comes to, behind its verdict.
pub(super) fn conclusion(report: &Report) -> Option<String> {
    if report.failed() {
        // Nothing of a fault that loses no data, where nobody looked for lost data.
        let is_unrelated = report.data_lost() == "unknown" && report.rows.iter().all(|row| row.loss == Loss::No);
        return (!is_unrelated).then(|| data_lost(report));
    }
    let is_all = CheckId::ALL.len() == report.rows.len();
    let has_passed = |check| report.row(check).is_some_and(|row| row.status == Status::Pass);
    let name = &report.application;
    (is_all && has_passed(CheckId::PageStructure))
        .then(|| format!("The store is not the reason if {name} does not start: look at what {name} itself says."))
}

/// Returns a sentence about lost data. "No data is lost" is only said where every page was looked at or the rows were counted.
fn data_lost(report: &Report) -> String {
    let lost: Vec<String> = report.tables.iter().filter(|table| table.lost > 0).map(lost_rows).collect();
    match report.data_lost() {
        "no" => "No data is lost.".to_owned(),
        "yes" if lost.is_empty() => "Data is lost; how much is not known.".to_owned(),
        "yes" => format!("Data is lost: {}.", lost.join(", ")),
        _ => "It is not known whether data is lost.".to_owned(),
    }
}

fn lost_rows(table: &CountedTable) -> String {
    let least = if table.at_least { "at least " } else { "" };
    let rows = table.intact.saturating_add(table.lost);
    format!("{least}{} of {} of {}", thousands(table.lost), plural(rows, "row", "rows"), table.name)
}

/// Returns the check that is explained first.
pub(super) fn first_failure(report: &Report) -> Option<CheckId> {
    report.rows.iter().find(|row| row.status == Status::Fail).map(|row| row.check)
}

/// Returns true if the user ended the examination.
pub(super) fn is_interrupted(report: &Report) -> bool {
    report.rows.iter().any(|row| row.kind == Some(Kind::Interrupted))
}

/// Returns true if a row only says again that pages are damaged, which `page-structure` says.
pub(super) fn only_follows(row: &Row, rows: &[Row]) -> bool {
    let is_said = |other: &Row| other.check == CheckId::PageStructure && other.status == Status::Fail;
    row.follows_damage && row.check != CheckId::PageStructure && rows.iter().any(is_said)
}
