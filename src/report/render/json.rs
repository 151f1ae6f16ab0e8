//! One object a line and a store. The shape is frozen in the types of this file: within format 1, fields are only added.

use serde::Serialize;

use crate::cause::Cause;
use crate::findings::{CountedTable, Finding};
use crate::migrations::schema_state::Compatibility;
use crate::report::{Report, Row};
use crate::text::words::id_list;

/// The version of the shape.
const FORMAT: u32 = 1;

/// One store's report.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireReport<'a> {
    /// The version of this shape: 1.
    format: u32,
    /// The doctor's version.
    doctor: &'a str,
    /// The version of the SQLite that is built into it.
    sqlite: &'a str,
    /// The store's place among those that were given in this call, from 0. Older doctors did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// The store's path as it was given, this user's home folder written `~`, other users' `~other1`, `~other2`, …
    store: &'a str,
    /// The condition in which the store lies on disk.
    situation: &'a str,
    /// What the kernel held the doctor to.
    sandbox: &'a str,
    /// `fail` where a row failed.
    #[cfg_attr(test, schemars(extend("enum" = ["pass", "fail"])))]
    verdict: &'a str,
    /// When the store was examined: UTC, RFC 3339. Older doctors did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    examined_at: Option<&'a str>,
    /// Whether data is lost: `no` only where every part was looked at or the rows were counted. Older doctors did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("enum" = ["no", "yes", "unknown"])))]
    data_lost: Option<&'a str>,
    /// The rows of each table, where they were counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<WireTable<'a>>,
    /// One row a check that was asked for, in a fixed order.
    rows: Vec<WireRow<'a>>,
    /// The signs of how the store came to harm; only where something failed and a sign was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cause: Vec<WireCause<'a>>,
}

/// A sign of how the store came to harm. It names no culprit and holds no cell's value.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireCause<'a> {
    /// The sign's name, listed in `docs/causes.md`.
    sign: &'a str,
    /// `certain`: there is one explanation. `likely`: one is common, others are rare. `class`: the file tells only a group.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "class"])))]
    certainty: &'a str,
    /// What is there, and what leaves such a thing.
    detail: &'a str,
    /// The pages that show it, at most 100 ranges; empty where it is not about single pages.
    pages: Vec<WirePages>,
}

/// Consecutive pages, counted from 1.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WirePages {
    /// The first page.
    first: u32,
    /// The last page.
    last: u32,
}

/// The rows of a table, counted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireTable<'a> {
    /// The table.
    name: &'a str,
    /// How many of its rows are intact.
    intact: u64,
    /// How many of its rows are lost, as far as indexes name them.
    lost: u64,
    /// Whether there may be more lost rows than that.
    at_least: bool,
}

/// One check's answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireRow<'a> {
    /// The check's id.
    check: &'a str,
    /// `skip`: it did not look, and `detail` says why.
    #[cfg_attr(test, schemars(extend("enum" = ["pass", "fail", "skip"])))]
    status: &'a str,
    /// A fixed word for what is wrong, listed in `docs/json.md`; only where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    /// What was looked at, what is wrong, or why it did not look.
    detail: &'a str,
    /// What to do, in sentences; only where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    /// The commands of the remedy, in the order in which they are to be typed: complete, and quoted for a POSIX shell. Older doctors did not
    /// say them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<&'a str>,
    /// The first places where something is wrong, at most 100; where it passed, notes: what is odd and does no harm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<WireFinding<'a>>,
    /// How many places there are in all, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings_total: Option<u64>,
    /// Whether there may be more than that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    findings_at_least: bool,
    /// How long the check took, in microseconds.
    elapsed_us: u64,
}

/// One place where something is wrong. It never holds a cell's value.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireFinding<'a> {
    /// A fixed word for what is wrong there, listed in `docs/json.md`. Older doctors did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    /// The table.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    /// The index.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    /// The row's rowid.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<i64>,
    /// The row's primary key, only where it is a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// A migration's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    /// The page, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u64>,
    /// How many, where the finding stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// What is wrong there.
    what: &'a str,
}

/// The gate's answer (`--check-migrations`).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WireGate<'a> {
    /// The version of this shape: 1.
    format: u32,
    /// Whether this binary may take the store over.
    #[cfg_attr(test, schemars(extend("enum" = ["compatible", "migrations-needed", "incompatible", "cannot-tell"])))]
    compatibility: &'a str,
    /// Why, where the ids alone do not say it; always with `cannot-tell`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    state: Option<&'a GateIds>,
    /// What the rehearsal saw and is no reason not to swap: rows that are dropped or not copied first; only with `--rehearse`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
}

/// Where the store stands among the known migrations; absent with `cannot-tell`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct GateIds {
    /// The ids in the store's ledger: numbers, and with `--migrations` text.
    pub(crate) applied: WireIds,
    /// The highest id that this binary, or the folder, knows.
    pub(crate) known_max: WireId,
    /// Known ids that are not applied.
    pub(crate) pending: WireIds,
    /// Applied ids that are not known.
    pub(crate) unknown: WireIds,
}

/// Ids of migrations.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum WireIds {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

/// A migration's id.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum WireId {
    Number(i64),
    Text(String),
}

impl WireIds {
    /// Returns their number.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(ids) => ids.len(),
            Self::Texts(ids) => ids.len(),
        }
    }

    /// Returns the first of them as a list for a line, with the count of the others.
    pub(crate) fn list(&self, most: usize) -> String {
        match self {
            Self::Numbers(ids) => id_list(ids, most),
            Self::Texts(ids) => id_list(ids, most),
        }
    }
}

/// A report as one line of JSON.
pub(crate) fn report(report: &Report) -> String {
    line(&WireReport {
        format: FORMAT,
        doctor: env!("CARGO_PKG_VERSION"),
        sqlite: rusqlite::version(),
        index: u64::try_from(report.index).ok(),
        store: &report.store,
        situation: report.situation,
        sandbox: &report.sandbox,
        verdict: report.verdict(),
        examined_at: Some(&report.examined_at),
        data_lost: Some(report.data_lost()),
        tables: report.tables.iter().map(table).collect(),
        rows: report.rows.iter().map(row).collect(),
        cause: report.cause().iter().map(cause).collect(),
    })
}

fn table(table: &CountedTable) -> WireTable<'_> {
    WireTable {
        name: &table.name,
        intact: table.intact,
        lost: table.lost,
        at_least: table.at_least,
    }
}

fn cause(cause: &Cause) -> WireCause<'_> {
    let range = |(first, last): &(u32, u32)| WirePages {
        first: *first,
        last: *last,
    };
    WireCause {
        sign: cause.sign,
        certainty: cause.certainty.name(),
        detail: &cause.detail,
        pages: cause.pages.ranges().iter().map(range).collect(),
    }
}

fn row(row: &Row) -> WireRow<'_> {
    WireRow {
        check: row.check.id(),
        status: row.status.name(),
        kind: row.kind(),
        detail: &row.detail,
        remedy: row.remedy(),
        commands: row.commands().collect(),
        findings: row.findings.iter().map(|at| finding(at, row.kind())).collect(),
        findings_total: (row.findings_total > 0).then_some(row.findings_total),
        findings_at_least: row.findings_at_least,
        elapsed_us: u64::try_from(row.elapsed.as_micros()).unwrap_or(u64::MAX),
    }
}

fn finding<'a>(finding: &'a Finding, row: Option<&'a str>) -> WireFinding<'a> {
    WireFinding {
        kind: finding.kind().or(row),
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
pub(crate) fn gate(
    compatibility: Option<Compatibility>,
    ids: Option<&GateIds>,
    reason: Option<&str>,
    notes: &[String],
) -> String {
    line(&WireGate {
        format: FORMAT,
        compatibility: match compatibility {
            Some(Compatibility::Compatible) => "compatible",
            Some(Compatibility::MigrationsNeeded) => "migrations-needed",
            Some(Compatibility::Incompatible) => "incompatible",
            None => "cannot-tell",
        },
        reason,
        state: ids,
        notes,
    })
}

/// A value as a line. Plain structs of text and numbers cannot fail to be written.
fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published shape: one line is a report or the gate's answer.
    fn schema() -> serde_json::Value {
        #[derive(Serialize, schemars::JsonSchema)]
        #[serde(untagged)]
        #[expect(dead_code, reason = "only its schema is wanted")]
        enum Line<'a> {
            Report(WireReport<'a>),
            Gate(WireGate<'a>),
        }
        let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = serde_json::to_value(generator.into_root_schema_for::<Line<'_>>()).unwrap();
        schema["title"] = "One line of `doctor --format json`".into();
        schema
    }

    #[test]
    fn the_published_schema_is_the_one_of_these_types() {
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
        if std::env::var_os("WRITE_SCHEMA").is_some() {
            std::fs::write(page, &text).unwrap();
        }
        let published = std::fs::read_to_string(page).unwrap_or_default();
        assert_eq!(published, text, "run: WRITE_SCHEMA=1 cargo test --lib the_published_schema");
    }
}
