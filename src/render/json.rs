//! One object a line and a store. The shape is frozen in the types of this file: within format 1, fields are only added.

use serde::Serialize;

use crate::check::Finding;
use crate::report::{Report, Row};
use crate::schema::state::{Compatibility, SchemaState};

/// The version of the shape.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct WireReport<'a> {
    format: u32,
    doctor: &'a str,
    sqlite: &'a str,
    store: &'a str,
    situation: &'a str,
    sandbox: &'a str,
    verdict: &'a str,
    rows: Vec<WireRow<'a>>,
}

#[derive(Serialize)]
struct WireRow<'a> {
    check: &'a str,
    status: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<WireFinding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings_total: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    findings_at_least: bool,
    elapsed_us: u64,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    what: &'a str,
}

#[derive(Serialize)]
struct WireGate<'a> {
    format: u32,
    compatibility: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    state: Option<WireState<'a>>,
}

#[derive(Serialize)]
struct WireState<'a> {
    applied: &'a [i64],
    known_max: i64,
    pending: &'a [i64],
    unknown: &'a [i64],
}

/// A report as one line of JSON.
pub fn report(report: &Report) -> String {
    line(&WireReport {
        format: FORMAT,
        doctor: env!("CARGO_PKG_VERSION"),
        sqlite: rusqlite::version(),
        store: &report.store,
        situation: report.situation,
        sandbox: &report.sandbox,
        verdict: report.verdict(),
        rows: report.rows.iter().map(row).collect(),
    })
}

fn row(row: &Row) -> WireRow<'_> {
    WireRow {
        check: row.check,
        status: row.status.name(),
        detail: &row.detail,
        remedy: row.remedy.as_deref(),
        findings: row.findings.iter().map(finding).collect(),
        findings_total: (row.findings_total > 0).then_some(row.findings_total),
        findings_at_least: row.findings_at_least,
        elapsed_us: u64::try_from(row.elapsed.as_micros()).unwrap_or(u64::MAX),
    }
}

fn finding(finding: &Finding) -> WireFinding<'_> {
    WireFinding {
        table: finding.table.as_deref(),
        index: finding.index.as_deref(),
        column: finding.column.as_deref(),
        row: finding.row,
        key: finding.key.as_deref(),
        id: finding.id,
        page: finding.page,
        count: finding.count,
        what: &finding.what,
    }
}

/// The gate's answer as one line of JSON; `reason` where it is not simply the state.
pub fn gate(compatibility: Option<Compatibility>, state: Option<&SchemaState>, reason: Option<&str>) -> String {
    line(&WireGate {
        format: FORMAT,
        compatibility: match compatibility {
            Some(Compatibility::Compatible) => "compatible",
            Some(Compatibility::MigrationsNeeded) => "migrations-needed",
            Some(Compatibility::Incompatible) => "incompatible",
            None => "cannot-tell",
        },
        reason,
        state: state.map(|state| WireState {
            applied: &state.applied,
            known_max: state.known_max,
            pending: &state.pending,
            unknown: &state.unknown,
        }),
    })
}

/// A value as a line. Plain structs of text and numbers cannot fail to be written.
fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}
