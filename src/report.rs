//! A store's rows and their verdict. Text that comes from a store is escaped as it enters a row, once, for every renderer.

pub(crate) mod outcome;
pub(crate) mod render;

use std::borrow::Cow;
use std::time::Duration;

use crate::application::{Application, Remedy, Step, StoreFiles};
use crate::cause::Cause;
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{CountedTable, Finding, Findings, Loss};
use crate::page_map::MapResult;
use crate::text::escape::escape_untrusted;
use crate::text::words::thousands;
use outcome::{Failure, Outcome};

/// The longest detail or remedy that is printed, in characters.
const LONGEST_TEXT: usize = 1_200;

/// The longest name within a finding, in characters.
const LONGEST_NAME: usize = 160;

/// The status of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It looked, and found nothing wrong.
    Pass,
    /// It found something, or tried and could not look.
    Fail,
    /// It did not look, and says why.
    Skip,
}

impl Status {
    /// Returns its name in reports: `pass`, `fail` or `skip`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One check's answer. Its text is safe to print: it holds no control character and no cell's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    pub(crate) check: CheckId,
    pub(crate) status: Status,
    pub(crate) kind: Option<Kind>,
    /// The knowledge about data that is lost by the failures.
    pub(crate) loss: Loss,
    /// True if it only says again that pages are damaged.
    pub(crate) follows_damage: bool,
    /// True if lost rows were counted.
    pub(crate) is_counted: bool,
    pub(crate) detail: String,
    pub(crate) remedy: Option<Remedy>,
    /// The sentences of the remedy.
    pub(crate) remedy_text: Option<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) findings_total: u64,
    pub(crate) findings_at_least: bool,
    pub(crate) elapsed: Duration,
}

/// A store's rows, in the order of [`CheckId::ALL`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The store's place among those that were given, from 0.
    pub(crate) index: usize,
    pub(crate) store: String,
    /// The name of the application whose store it is.
    pub(crate) application: String,
    pub(crate) situation: &'static str,
    pub(crate) sandbox: String,
    /// When the store was examined: UTC, RFC 3339.
    pub(crate) examined_at: String,
    pub(crate) rows: Vec<Row>,
    /// The rows of each table, where they were counted.
    pub(crate) tables: Vec<CountedTable>,
    /// The signs of how the store came to harm.
    pub(crate) cause: Vec<Cause>,
    /// The map of its pages, if it was requested and could be made.
    pub(crate) map: MapResult,
    /// True if SQLite hit its bound on memory, which all that is examined at once has in common.
    pub(crate) short_of_memory: bool,
}

impl Report {
    /// Returns the path of the store, safe to show: this user's home folder is written `~`, other users' `~other1`, `~other2`, …
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Returns the condition of the store on disk, by the name that `docs/json.md` explains: `closed`, `live`, …
    pub fn situation(&self) -> &str {
        self.situation
    }

    /// Returns a description of the sandbox that the kernel enforced.
    pub fn sandbox(&self) -> &str {
        &self.sandbox
    }

    /// Returns one row per check that was asked for.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns the row of this check, if it was asked for.
    pub fn row(&self, check: CheckId) -> Option<&Row> {
        self.rows.iter().find(|row| row.check == check)
    }

    /// Sets the store's place among those given.
    #[must_use]
    pub(crate) fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// Returns true if a row failed.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|row| row.status == Status::Fail)
    }

    /// `fail` where a row failed, otherwise `pass`.
    pub fn verdict(&self) -> &'static str {
        if self.failed() { "fail" } else { "pass" }
    }

    /// Returns the knowledge about lost data: `yes`, `no` or `unknown`. It is `no` only where every page was looked at or the rows were
    /// counted.
    pub fn data_lost(&self) -> &'static str {
        let losses = self.rows.iter().map(|row| row.loss);
        let was_looked_for =
            |row: &Row| row.is_counted || (row.check == CheckId::PageStructure && row.status != Status::Skip);
        match losses.max().unwrap_or(Loss::Unknown) {
            Loss::Yes => "yes",
            Loss::No if self.rows.iter().any(was_looked_for) => "no",
            Loss::No | Loss::Unknown => "unknown",
        }
    }

    /// Returns the signs of how the store came to harm, where something failed.
    pub(crate) fn cause(&self) -> &[Cause] {
        if self.failed() { &self.cause } else { &[] }
    }

    /// Returns the number of rows that failed.
    pub(crate) fn failures(&self) -> usize {
        self.count(Status::Fail)
    }

    /// Returns the number of rows with this status.
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }
}

impl Row {
    /// Returns the check whose answer this is.
    pub fn check(&self) -> CheckId {
        self.check
    }

    /// Returns the status: passed, failed, or skipped.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns the detail: a summary of the examination, the fault, or the reason for skipping it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the fixed word for what is wrong, as `docs/json.md` lists it, where it failed.
    pub fn kind(&self) -> Option<&'static str> {
        self.kind.map(Kind::name)
    }

    /// Returns the remedy in sentences, if the row failed. [`Row::commands`] has its commands.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy_text.as_deref()
    }

    /// Returns the commands of the remedy, in the order in which they are to be typed. They are complete, and quoted for a POSIX shell.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.remedy.iter().flat_map(Remedy::commands)
    }

    /// Returns the first places where something is wrong, at most 100.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the total number of findings, as far as they were counted: see [`Row::may_have_more`].
    pub fn findings_total(&self) -> u64 {
        self.findings_total
    }

    /// Returns true if there may be more places than [`Row::findings_total`], because the check ended before it had seen all.
    pub fn may_have_more(&self) -> bool {
        self.findings_at_least
    }

    /// Returns the duration of the check.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Makes a check's answer safe to print, and asks the application what to do where it failed.
    pub(crate) fn new(
        check: CheckId,
        outcome: Outcome,
        elapsed: Duration,
        application: &Application,
        files: &StoreFiles,
    ) -> Self {
        let mut row = Self {
            check,
            status: Status::Pass,
            kind: None,
            loss: Loss::No,
            follows_damage: false,
            is_counted: false,
            detail: String::new(),
            remedy: None,
            remedy_text: None,
            findings: Vec::new(),
            findings_total: 0,
            findings_at_least: false,
            elapsed,
        };
        match outcome {
            Outcome::Pass { detail, notes } => {
                row.detail = escape_untrusted(&detail, LONGEST_TEXT);
                row.set_findings(notes);
            }
            Outcome::Skip { reason } => {
                row.status = Status::Skip;
                row.detail = escape_untrusted(&reason, LONGEST_TEXT);
            }
            Outcome::Fail(Failure {
                detail,
                problem,
                findings,
                counted,
            }) => {
                row.status = Status::Fail;
                row.detail = escape_untrusted(&detail, LONGEST_TEXT);
                let remedy = escape_remedy(application.advice(&problem, files));
                row.remedy_text = Some(remedy.text());
                row.remedy = Some(remedy);
                row.kind = Some(problem.kind());
                row.follows_damage = problem.follows_damage();
                row.loss = counted.unwrap_or_else(|| problem.loss());
                row.is_counted = counted.is_some();
                row.set_findings(findings);
            }
        }
        row
    }

    /// Keeps the findings, made safe to print.
    fn set_findings(&mut self, findings: Findings) {
        self.findings = findings.kept.into_iter().map(escape_finding).collect();
        self.findings_total = findings.total;
        self.findings_at_least = findings.at_least;
    }

    /// Returns the first findings in words, and how many there are more: `people row 5 born: not a time`.
    pub(crate) fn describe_findings(&self, most: usize) -> Vec<String> {
        let (lost, others): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|finding| finding.names_rows());
        let mut lines: Vec<String> = lost.into_iter().chain(others).take(most).map(describe_finding).collect();
        let shown = lines.len() as u64;
        if self.findings_total > shown {
            let least = if self.findings_at_least { "at least " } else { "" };
            lines.push(format!("… and {least}{} more", thousands(self.findings_total - shown)));
        }
        lines
    }
}

/// Makes a remedy safe to print. Commands are never cut.
fn escape_remedy(remedy: Remedy) -> Remedy {
    let step = |step: Step| Step {
        text: escape_untrusted(&step.text, LONGEST_TEXT),
        commands: step.commands.iter().map(|command| escape_untrusted(command, usize::MAX)).collect(),
    };
    Remedy {
        steps: remedy.steps.into_iter().map(step).collect(),
    }
}

fn escape_finding(finding: Finding) -> Finding {
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

/// Returns the meaning of words of SQLite's integrity check that do not say it.
fn meaning_of_sqlites_words(words: &str) -> Option<&'static str> {
    if words.contains("btreeInitPage() returns error code") {
        Some("the page does not have the form of one of a table or an index")
    } else if words.contains("wrong # of entries in index") {
        Some("the index does not have as many entries as its table has rows")
    } else {
        None
    }
}

/// Returns a finding as a line: where, then what.
fn describe_finding(finding: &Finding) -> String {
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
    let meaning = meaning_of_sqlites_words(&finding.what).map_or_else(String::new, |meaning| format!(" ({meaning})"));
    if place.is_empty() {
        return format!("{}{times}{meaning}", finding.what);
    }
    format!("{}: {}{times}{meaning}", place.join(" "), finding.what)
}
