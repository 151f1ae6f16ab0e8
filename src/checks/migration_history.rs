//! Checks that the ledger matches the history that this binary, or the application's folder, has.

use std::borrow::Cow;

use rusqlite::types::ValueRef;

use crate::application::values::timestamp;
use crate::application::{Application, FormerName, HistoryFault, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::migrations::key::MigrationKey;
use crate::migrations::missing_rows::MissingRows;
use crate::migrations::status::MigrationStatus;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::identifier;
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::MigrationHistory,
    summary: "the ledger's names, order and times are those of the known history",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

/// The longest name or time that is read, in bytes; what is longer is a finding by itself.
const LONGEST: usize = 4096;

/// The most malformed values, faults or notes that the detail names one by one.
const NAMED: usize = 3;

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let status = match context.status(handle) {
        Ok(status) => status,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    if !status.is_built_in() {
        return Ok(agreement(status));
    }
    if status.missing_rows.as_ref().is_some_and(MissingRows::is_ledger_gone) {
        return Ok(Outcome::pass("there is no ledger to look at"));
    }
    if status.ledger_len() == 0 {
        return Ok(Outcome::pass("no migration is applied"));
    }
    let mut history = LedgerHistory::new(context.application);
    match &status.missing_rows {
        Some(missing) if !status.diff.gaps.is_empty() => history.add_missing_rows(missing),
        _ => history.add_gaps(status),
    }
    match history.read(handle) {
        Err(error) if error.is_own_bound() || history.findings.is_empty() => Err(error),
        // The error does not take back what was found before it.
        ended => Ok(history.outcome(status, ended.err().as_ref())),
    }
}

/// Compares the ledger with the files of a folder.
fn agreement(status: &MigrationStatus) -> Outcome {
    let agreement = status.agreement();
    let notes: String = match agreement.notes.len().saturating_sub(NAMED) {
        0 => agreement.notes.iter().map(|note| format!("; {note}")).collect(),
        more => {
            let some: String = agreement.notes.iter().take(NAMED).map(|note| format!("; {note}")).collect();
            format!("{some}; and {}", plural(more as u64, "more file", "more files"))
        }
    };
    let Some(worst) = agreement.faults.first() else {
        return Outcome::pass(format!("{}{notes}", describe_agreement(status)));
    };
    let problem = Problem::Folder(worst.fault);
    let mut findings = Findings::default();
    for fault in &agreement.faults {
        findings.add(|| Finding {
            id: fault.id,
            ..Finding::new(fault.what.clone())
        });
    }
    let all: Vec<&str> = agreement.faults.iter().map(|fault| fault.what.as_str()).collect();
    let mut detail = all.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
    let more = all.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        detail += &format!("; and {}", plural(more, "more fault", "more faults"));
    }
    Outcome::found(detail + &notes, problem, findings)
}

/// Says what was compared and agrees.
fn describe_agreement(status: &MigrationStatus) -> String {
    let diff = &status.diff;
    if diff.applied.is_empty() {
        return "no migration is applied".to_owned();
    }
    let applied = plural(diff.applied.len() as u64, "applied migration", "applied migrations");
    let same = diff.compared - diff.edited.len();
    if diff.compared == 0 {
        return format!(
            "{applied}; {} keeps no checksums, so whether a file was changed is not known",
            status.runner_name()
        );
    }
    if same == diff.applied.len() {
        return format!("{applied}, and their files are those that were applied");
    }
    let not_read = status.not_compared().map_or_else(String::new, |why| format!("; not compared: {why}"));
    format!("{applied}, and the files of {same} are those that were applied{not_read}")
}

/// The faults of the ledger, the worst first: the migration's id, and a sentence about it.
struct LedgerHistory<'a> {
    application: &'a Application,
    former: Vec<(i64, String)>,
    renamed: Vec<(i64, String)>,
    gaps: Vec<(i64, String)>,
    missing_rows: Vec<(i64, String)>,
    /// The ids of the rows that are gone though the tables show that their migrations ran.
    gone: Vec<i64>,
    malformed: Vec<String>,
    malformed_total: u64,
    findings: Findings,
}

impl<'a> LedgerHistory<'a> {
    fn new(application: &'a Application) -> Self {
        Self {
            application,
            former: Vec::new(),
            renamed: Vec::new(),
            gaps: Vec::new(),
            missing_rows: Vec::new(),
            gone: Vec::new(),
            malformed: Vec::new(),
            malformed_total: 0,
            findings: Findings::default(),
        }
    }

    /// Adds the rows that are gone though the tables show that their migrations ran.
    fn add_missing_rows(&mut self, missing: &MissingRows) {
        self.missing_rows
            .push((missing.ids.first().copied().unwrap_or_default(), missing.sentence()));
        for id in &missing.ids {
            self.findings.add(|| Finding {
                id: Some(*id),
                ..Finding::new("the ledger's row is missing, and the tables show that the migration ran")
            });
        }
        self.gone.clone_from(&missing.ids);
    }

    /// Adds the migrations that are missing below the highest known one that is applied.
    fn add_gaps(&mut self, status: &MigrationStatus) {
        let Some(above) = status.diff.applied.last().map(|key| status.label(key)) else {
            return;
        };
        for id in status.diff.gaps.iter().filter_map(MigrationKey::id) {
            let sentence = format!("migration {id} is missing below migration {above}, which is applied");
            self.gaps.push((id, sentence));
            self.findings.add(|| Finding {
                id: Some(id),
                ..Finding::new("missing below a migration that is applied")
            });
        }
    }

    /// Reads each row of the ledger. A value too long to be real is measured and not fetched.
    fn read(&mut self, handle: &ReadOnly) -> Result<()> {
        let sql = format!(
            "SELECT id, iif(octet_length(name) > {LONGEST}, NULL, name), octet_length(name),
                    iif(octet_length(applied_at) > {LONGEST}, NULL, applied_at), octet_length(applied_at)
             FROM {} NOT INDEXED",
            identifier(&self.application.ledger.table)
        );
        handle.rows(&sql, [], |row| {
            let mut read = || -> rusqlite::Result<()> {
                let id = row.get(0)?;
                self.check_name(id, &Cell::of(row.get_ref(1)?, row.get(2)?));
                self.check_time(id, &Cell::of(row.get_ref(3)?, row.get(4)?));
                Ok(())
            };
            read().map_err(Error::sqlite(&sql))
        })
    }

    fn check_name(&mut self, id: i64, name: &Cell<'_>) {
        let text = name.text().ok();
        let Some(migration) = self.application.known(id) else {
            if let Err(what) = name.text().and_then(plain) {
                self.add_malformed(id, "name", what);
            }
            return;
        };
        if text == Some(migration.name.as_bytes()) {
            return;
        }
        let expected = &migration.name;
        // The applied name is a cell's value and not printed, but for one that is compiled in.
        let mut former_names = self.application.former_names.iter();
        let former = former_names.find(|former| former.id == id && text == Some(former.name.as_bytes()));
        let what = if let Some(FormerName { name: former, .. }) = former {
            let sentence = format!(
                "this store was made by a development version of {}, in which migration {id} was `{former}`; today's migration {id}, `{expected}`, never ran on it and never will, because its id is taken",
                self.application.name()
            );
            self.former.push((id, sentence));
            format!("is `{former}`, the name in a development version, instead of `{expected}`")
        } else {
            let sentence = format!("migration {id} is applied under another name than `{expected}`");
            self.renamed.push((id, sentence));
            format!("is not `{expected}`")
        };
        self.add(id, "name", what);
    }

    fn check_time(&mut self, id: i64, time: &Cell<'_>) {
        let what = match time.text().and_then(|text| plain(text).map(|()| text)) {
            Err(what) => what,
            Ok(text) if timestamp::is_rfc3339(text) => return,
            Ok(_) => "is not a time in RFC 3339 format",
        };
        self.add_malformed(id, "applied_at", what);
    }

    fn add_malformed(&mut self, id: i64, column: &'static str, what: &'static str) {
        self.malformed_total += 1;
        if self.malformed.len() < NAMED {
            self.malformed.push(format!("{column} of migration {id} {what}"));
        }
        self.add(id, column, what);
    }

    fn add(&mut self, id: i64, column: &'static str, what: impl Into<Cow<'static, str>>) {
        self.findings.add(|| Finding {
            id: Some(id),
            ..Finding::new(what).table(&*self.application.ledger.table).column(column)
        });
    }

    fn outcome(mut self, status: &MigrationStatus, ended: Option<&Error>) -> Outcome {
        if self.findings.is_empty() {
            let rows = plural(status.ledger_len(), "applied migration", "applied migrations");
            return Outcome::pass(format!(
                "{rows}, with names, order and times as {} writes them",
                self.application.name()
            ));
        }
        let problem = Problem::History(self.worst());
        let named = [self.former, self.missing_rows, self.renamed, self.gaps].into_iter().flat_map(sentences);
        let mut sentences: Vec<String> = named.chain(self.malformed).collect();
        let more = self.malformed_total.saturating_sub(NAMED as u64);
        if more > 0 {
            sentences.push(plural(more, "more malformed value", "more malformed values"));
        }
        if let Some(error) = ended {
            self.findings.at_least = true;
            sentences.push(format!("the rest of the ledger could not be read: {error}"));
        }
        Outcome::found(sentences.join("; "), problem, self.findings)
    }

    /// Returns the worst that was found.
    fn worst(&self) -> HistoryFault {
        if !self.former.is_empty() {
            HistoryFault::FormerName { ids: ids(&self.former) }
        } else if !self.gone.is_empty() {
            HistoryFault::RowsGone {
                ids: self.gone.clone(),
                is_ledger_gone: false,
            }
        } else if !self.gaps.is_empty() {
            HistoryFault::Gap {
                missing: ids(&self.gaps),
            }
        } else if !self.renamed.is_empty() {
            HistoryFault::OtherName {
                ids: ids(&self.renamed),
            }
        } else {
            HistoryFault::Malformed {
                values: self.malformed_total,
            }
        }
    }
}

fn ids(faults: &[(i64, String)]) -> Vec<i64> {
    faults.iter().map(|(id, _)| *id).collect()
}

fn sentences(faults: Vec<(i64, String)>) -> impl Iterator<Item = String> {
    faults.into_iter().map(|(_, sentence)| sentence)
}

/// A value of the ledger, as far as it was read.
struct Cell<'a> {
    value: ValueRef<'a>,
    bytes: Option<i64>,
}

impl<'a> Cell<'a> {
    fn of(value: ValueRef<'a>, bytes: Option<i64>) -> Self {
        Self { value, bytes }
    }

    /// Returns the text, or why no runner can have written it.
    fn text(&self) -> Result<&'a [u8], &'static str> {
        match self.value {
            ValueRef::Text(text) => Ok(text),
            ValueRef::Null if self.bytes.is_some() => Err("is longer than 4,096 bytes"),
            ValueRef::Null => Err("is NULL"),
            ValueRef::Blob(_) => Err("is a blob, not text"),
            ValueRef::Integer(_) | ValueRef::Real(_) => Err("is a number, not text"),
        }
    }
}

/// Returns true if a runner can have written this text: not empty, UTF-8, no control characters.
fn plain(text: &[u8]) -> Result<(), &'static str> {
    match std::str::from_utf8(text) {
        Err(_) => Err("is not UTF-8"),
        Ok("") => Err("is empty"),
        Ok(text) if text.chars().any(char::is_control) => Err("holds control characters"),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_no_runner_writes_is_reported() {
        assert_eq!(plain(b"baseline"), Ok(()));
        assert_eq!(plain("größer".as_bytes()), Ok(()));
        assert_eq!(plain(b""), Err("is empty"));
        assert_eq!(plain(b"a\x1b[2J"), Err("holds control characters"));
        assert_eq!(plain("\u{9b}".as_bytes()), Err("holds control characters"));
        assert_eq!(plain(b"\xff"), Err("is not UTF-8"));
        assert_eq!(Cell::of(ValueRef::Null, None).text(), Err("is NULL"));
        assert_eq!(Cell::of(ValueRef::Null, Some(5_000)).text(), Err("is longer than 4,096 bytes"));
        assert_eq!(Cell::of(ValueRef::Blob(b"x"), Some(1)).text(), Err("is a blob, not text"));
        assert_eq!(Cell::of(ValueRef::Integer(7), Some(1)).text(), Err("is a number, not text"));
    }
}
