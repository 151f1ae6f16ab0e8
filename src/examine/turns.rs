//! Runs the checks in order, each after the check that it needs.

use std::time::{Duration, Instant};

use super::row_counts::RowCounts;
use super::{Answers, Options};
use crate::application::{History, NoStore, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::checks::{self, CHECKS, TraceCheck, read_only};
use crate::error::internal_error::catch_panic;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::limits::stop::{Stop, Stopped};
use crate::probe::Probe;
use crate::report::outcome::{Failure, Outcome};
use crate::salvage::row_integrity::{RowIntegrity, examine_rows};
use crate::store::sandbox::Sandbox;
use crate::store::{Access, ReadMethod, ReadOnly};

/// Of a store larger than this, the checks that read all of it come last. In bytes.
const LARGE: u64 = 8 << 20;

/// The function of a check that reads through a handle.
pub(super) type HandleCheck = fn(&StoreContext<'_>, &ReadOnly) -> Result<Outcome>;

/// A check and its function.
pub(super) type Turn<'c> = (&'c Check, HandleCheck);

/// The result of a turn of a check that reads through a handle.
pub(super) struct TurnResult {
    check: CheckId,
    end: TurnEnd,
}

/// The end of a check's turn.
#[derive(PartialEq, Eq)]
enum TurnEnd {
    Answered,
    /// The time limit or Ctrl-C ended it.
    Interrupted,
    /// The time limit or Ctrl-C came before it.
    NotReached(Stopped),
}

/// Returns the number of pages of the database file.
fn pages(probe: &Probe) -> u64 {
    probe.header().map_or(0, |header| probe.size() / u64::from(header.page_size.max(1)))
}

/// Returns true if a check reads the ledger and the schema alone.
fn is_quick(id: CheckId) -> bool {
    matches!(
        id,
        CheckId::SchemaState | CheckId::UnknownIds | CheckId::MigrationHistory | CheckId::SchemaShape
    )
}

impl Answers {
    /// Runs every check that is wanted and whose precondition is met.
    pub(super) fn run_checks(&self, probe: &Probe, access: Result<&Access<'_>>, options: &Options<'_>) {
        self.run_probe_checks(probe, options);
        if !self.has_passed(CheckId::File) {
            return;
        }
        let begun = Instant::now();
        self.set_running(Some(CheckId::ReadOnly));
        let (access, opened) = match access {
            Ok(access) => (Some(access), access.open().map(|handle| (access, handle))),
            Err(error) => (None, Err(error)),
        };
        match opened {
            Ok((access, handle)) => {
                let opening = begun.elapsed();
                self.set_running(None);
                let context = StoreContext::new(
                    options.application,
                    probe,
                    access,
                    &options.environment,
                    options.artifacts,
                    self.is_wanted(CheckId::RowValues),
                );
                self.run_handle_checks(&context, &handle);
                if self.first_failure(&[CheckId::PageStructure]).is_some()
                    && let Ok(sound) = context.sound()
                {
                    self.set_out_of_order(sound.out_of_order.clone());
                }
                drop(handle);
                self.note_memory_shortage(access.is_short_of_memory());
                self.record_read_only(probe, access.read_method(), opening, options.environment.sandbox);
            }
            Err(error) => {
                let outcome = self
                    .look_without_refused(probe, access, &error, options)
                    .unwrap_or_else(|| self.outcome_of_error(&error));
                self.set(CheckId::ReadOnly, (outcome, begun.elapsed()));
            }
        }
    }

    /// Looks at the pages of a store whose schema SQLite refuses, without the object that it refuses, and returns the row that names it;
    /// `None` if that is not what the error says.
    fn look_without_refused(
        &self,
        probe: &Probe,
        access: Option<&Access<'_>>,
        error: &Error,
        options: &Options<'_>,
    ) -> Option<Outcome> {
        let refused = error.refused_object()?;
        let access = access?;
        let handle = access.open_without_refused().ok()?;
        let outcome = read_only::refused_schema(probe, &handle, &refused);
        let check = checks::get(CheckId::PageStructure);
        if let (true, Input::Handle(run)) = (self.is_wanted(check.id), &check.input) {
            // The reader only understands a schema that SQLite takes.
            let context =
                StoreContext::new(options.application, probe, access, &options.environment, options.artifacts, false)
                    .without_reader();
            self.run_check(check, *run, &context, &handle);
        }
        Some(outcome)
    }

    /// Runs the checks that need no handle. `file` is always asked: every other check needs it.
    fn run_probe_checks(&self, probe: &Probe, options: &Options<'_>) {
        let (stop, application) = (options.environment.stop, options.application);
        for check in CHECKS {
            let run: Box<dyn Fn() -> Outcome> = match (&check.input, options.users) {
                (Input::Probe(run), _) => Box::new(|| run(probe, application, stop)),
                (Input::Users(run), Some(users)) => Box::new(|| run(users, probe)),
                _ => continue,
            };
            let needed = check.id == CheckId::File || (self.is_wanted(check.id) && self.has_passed(CheckId::File));
            if needed {
                self.begin_check(check, probe, stop);
                let begun = Instant::now();
                let outcome = catch_panic(run).unwrap_or_else(|error| self.outcome_of_error(&error));
                self.set(check.id, (outcome, begun.elapsed()));
            }
        }
    }

    fn begin_check(&self, check: &Check, probe: &Probe, stop: &Stop) {
        self.begin(check.id);
        stop.begin(check.id, pages(probe));
    }

    /// Runs the checks that read through a handle. Of a large store, those that read a few pages come first: where there is no time
    /// for all pages, there was time for them.
    fn run_handle_checks(&self, context: &StoreContext<'_>, handle: &ReadOnly) {
        let mut turns: Vec<Turn<'_>> = CHECKS
            .iter()
            .filter(|check| self.is_wanted(check.id))
            .filter_map(|check| match check.input {
                Input::Handle(run) => Some((*check, run)),
                _ => None,
            })
            .collect();
        if context.probe.size() > LARGE {
            turns.sort_by_key(|(check, _)| !is_quick(check.id));
        }
        let mut results = self.run_in_order(&turns, context, handle);
        results.sort_by_key(|result| result.check);
        self.record_unreached(&results);
    }

    /// Runs checks one after the other.
    pub(super) fn run_in_order(
        &self,
        turns: &[Turn<'_>],
        context: &StoreContext<'_>,
        handle: &ReadOnly,
    ) -> Vec<TurnResult> {
        let ask = |(check, run): &Turn<'_>| TurnResult {
            check: check.id,
            end: self.run_check(check, *run, context, handle),
        };
        turns.iter().map(ask).collect()
    }

    /// Runs a check. An internal error of the doctor costs this one row.
    fn run_check(&self, check: &Check, run: HandleCheck, context: &StoreContext<'_>, handle: &ReadOnly) -> TurnEnd {
        let stop = context.environment.stop;
        self.begin_check(check, context.probe, stop);
        if let Some(why) = stop.reason() {
            return TurnEnd::NotReached(why);
        }
        let begun = Instant::now();
        let answered = catch_panic(|| match check.needs {
            Needs::Looked(CheckId::SchemaState) if matches!(context.application.history, History::NotKnown) => {
                Ok(Outcome::skip(Error::NothingKnown.to_string()))
            }
            // If the row that says why was not requested, the check itself says it.
            Needs::Looked(CheckId::SchemaState)
                if self.is_wanted(CheckId::SchemaState) && context.status(handle).is_err() =>
            {
                Ok(Outcome::skip(format!("needs `{}`", CheckId::SchemaState)))
            }
            _ if check.id != CheckId::PageStructure && context.odd_rows(handle).is_ok_and(|odd| !odd.is_empty()) => {
                // A table that its row hides would be passed over without a word.
                let why = "rows of sqlite_schema are not as SQLite writes them";
                if self.is_wanted(CheckId::PageStructure) {
                    Ok(Outcome::skip(format!("{why}, as `{}` says", CheckId::PageStructure)))
                } else {
                    Err(Error::Schema(why.to_owned()))
                }
            }
            _ => run(context, handle),
        });
        let (outcome, end) = match answered.and_then(|answered| answered) {
            Ok(outcome) => (outcome, TurnEnd::Answered),
            Err(error) if error.stopped().is_some() => (self.outcome_of_error(&error), TurnEnd::Interrupted),
            Err(error) => (self.outcome_of_error(&error), TurnEnd::Answered),
        };
        self.set(check.id, (outcome, begun.elapsed()));
        end
    }

    /// The first check that was not reached in time, or before Ctrl-C, has failed, unless another was interrupted: a run
    /// that did not look never passes.
    fn record_unreached(&self, results: &[TurnResult]) {
        let mut is_said = results.iter().any(|result| result.end == TurnEnd::Interrupted);
        for TurnResult { check, end } in results {
            let TurnEnd::NotReached(why) = end else { continue };
            let outcome = if is_said {
                Outcome::skip(why.to_string())
            } else {
                self.outcome_of_error(&(*why).into())
            };
            is_said = true;
            self.set(*check, (outcome, Duration::ZERO));
        }
    }

    /// Records the outcome of `read-only`, when all handles are closed.
    fn record_read_only(&self, probe: &Probe, way: ReadMethod, opening: Duration, sandbox: &Sandbox) {
        let trace = TraceCheck {
            probe,
            sandbox,
            application: self.application(),
        };
        let begun = Instant::now();
        let outcome = trace.outcome(way);
        self.set(CheckId::ReadOnly, (outcome, opening + begun.elapsed()));
    }
}

/// The rows that may name the intact rows; the first that fails does.
const SAYING: [CheckId; 3] = [CheckId::File, CheckId::ReadOnly, CheckId::PageStructure];

impl Answers {
    /// Adds the number of intact rows to the row that reports damage, if that damage may cost rows.
    pub(super) fn append_intact_row_counts(&self, probe: &Probe, access: Option<&Access<'_>>, stop: &Stop) {
        let Some((check, failure)) = self.first_failure(&SAYING).filter(|(_, failure)| failure.problem.can_lose_rows())
        else {
            return;
        };
        if !self.is_wanted(check) {
            return;
        }
        stop.ends_checks();
        let begun = Instant::now();
        let standing = catch_panic(|| examine_rows(probe, self.application(), stop))
            .unwrap_or_else(|mistake| RowIntegrity::Unknown(mistake.to_string()));
        if let RowIntegrity::Counted(account) = &standing {
            self.set_tables(account.counted_tables());
        }
        // A header that counts too few pages hides most rows from a walk that believes it.
        let hides_pages = matches!(failure.problem, Problem::PageCount { .. });
        if let (true, RowIntegrity::NotApplicable, Some(access)) =
            (self.application().tables.is_empty() && !hides_pages, &standing, access)
            && let Some(counts) = catch_panic(|| RowCounts::read(probe, access, stop)).ok().flatten()
        {
            self.set_tables(counts.counted_tables());
            self.replace_outcome(check, Outcome::Fail(counts.add_to(failure)), begun.elapsed());
            return;
        }
        if let Some(failure) = with_row_counts(failure, standing, probe.size(), self.application().name()) {
            self.replace_outcome(check, Outcome::Fail(failure), begun.elapsed());
        }
    }
}

/// Returns the failure with what is known of the rows, or `None` if there is nothing to add.
fn with_row_counts(failure: Failure, standing: RowIntegrity, size: u64, application: &str) -> Option<Failure> {
    let mut with = failure;
    match standing {
        RowIntegrity::NotApplicable => return None,
        RowIntegrity::Unknown(why) => with.detail += &format!("; how many rows stand whole is not known: {why}"),
        RowIntegrity::Counted(account) => {
            account.add_to(&mut with.findings);
            if matches!(with.problem, Problem::NoStore(NoStore::NotSqlite | NoStore::Noise)) {
                with.problem = Problem::NoStore(NoStore::Overwritten);
                with.detail = format!(
                    "it is not an SQLite database any more ({size} bytes), but rows of {application}'s are still in it"
                );
            }
            with.counted = Some(account.loss());
            with.detail += &format!("; {}", account.in_words());
        }
    }
    Some(with)
}
