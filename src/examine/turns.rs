//! Asks the checks in order, each once what it needs is there.

use std::time::{Duration, Instant};

use super::{Answers, Options};
use crate::application::{History, NoStore, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::checks::{CHECKS, TraceCheck};
use crate::error::mistake::caught;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::limits::stop::{Stop, Stopped};
use crate::probe::Probe;
use crate::report::outcome::{Failure, Outcome};
use crate::salvage::standing::{Standing, standing};
use crate::store::sandbox::Sandbox;
use crate::store::{Access, ReadMethod, ReadOnly};

/// Of a store larger than this, the checks that read all of it come last. In bytes.
const LARGE: u64 = 8 << 20;

/// A check's function that reads through a handle.
pub(super) type HandleRun = fn(&StoreContext<'_>, &ReadOnly) -> Result<Outcome>;

/// A check and its function.
pub(super) type Turn<'c> = (&'c Check, HandleRun);

/// A check that ran through a handle, or would have.
pub(super) struct Looked {
    check: CheckId,
    how: How,
}

/// The end of a check's turn.
#[derive(PartialEq, Eq)]
enum How {
    Answered,
    /// The time limit or Ctrl-C ended it.
    Interrupted,
    /// The time limit or Ctrl-C came before it.
    NotReached(Stopped),
}

/// Returns how many pages the database file has.
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
    /// Asks every check that is wanted and whose need is met.
    pub(super) fn ask_all(&self, probe: &Probe, access: Result<&Access<'_>>, options: &Options<'_>) {
        self.ask_about_the_probe(probe, options);
        if !self.passed(CheckId::File) {
            return;
        }
        let begun = Instant::now();
        self.set_running(Some(CheckId::ReadOnly));
        let opened = access.and_then(|access| Ok((access, access.open()?)));
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
                    self.asked(CheckId::RowValues),
                );
                self.ask_through(&context, &handle);
                drop(handle);
                self.short_of_memory(access.is_short_of_memory());
                self.close(probe, access.way(), opening, options.environment.sandbox);
            }
            Err(error) => self.set(CheckId::ReadOnly, (self.could_not_look(&error), begun.elapsed())),
        }
    }

    /// The checks that need no handle. `file` is always asked: every other check needs it.
    fn ask_about_the_probe(&self, probe: &Probe, options: &Options<'_>) {
        let stop = options.environment.stop;
        for check in CHECKS {
            let Input::Probe(run) = check.input else { continue };
            let needed = check.id == CheckId::File || (self.asked(check.id) && self.passed(CheckId::File));
            if needed {
                self.begin_one(check, probe, stop);
                let begun = Instant::now();
                let outcome = caught(|| run(probe, options.application, stop))
                    .unwrap_or_else(|error| self.could_not_look(&error));
                self.set(check.id, (outcome, begun.elapsed()));
            }
        }
    }

    fn begin_one(&self, check: &Check, probe: &Probe, stop: &Stop) {
        self.begin(check.id);
        stop.begin(check.id, pages(probe));
    }

    /// The checks that read through a handle. Of a large store, those that read a few pages come first: where there is no time
    /// for all pages, there was time for them.
    fn ask_through(&self, context: &StoreContext<'_>, handle: &ReadOnly) {
        let mut turns: Vec<Turn<'_>> = CHECKS
            .iter()
            .filter(|check| self.asked(check.id))
            .filter_map(|check| match check.input {
                Input::Handle(run) => Some((*check, run)),
                _ => None,
            })
            .collect();
        if context.probe.size() > LARGE {
            turns.sort_by_key(|(check, _)| !is_quick(check.id));
        }
        let mut looked = self.run_in_order(&turns, context, handle);
        looked.sort_by_key(|looked| looked.check);
        self.record_what_was_not_reached(&looked);
    }

    /// Asks checks one after the other.
    pub(super) fn run_in_order(
        &self,
        turns: &[Turn<'_>],
        context: &StoreContext<'_>,
        handle: &ReadOnly,
    ) -> Vec<Looked> {
        let ask = |(check, run): &Turn<'_>| Looked {
            check: check.id,
            how: self.ask(check, *run, context, handle),
        };
        turns.iter().map(ask).collect()
    }

    /// Asks a check. A mistake of the doctor's costs this one row.
    fn ask(&self, check: &Check, run: HandleRun, context: &StoreContext<'_>, handle: &ReadOnly) -> How {
        let stop = context.environment.stop;
        self.begin_one(check, context.probe, stop);
        if let Some(why) = stop.reason() {
            return How::NotReached(why);
        }
        let begun = Instant::now();
        let answered = caught(|| match check.needs {
            Needs::Looked(CheckId::SchemaState) if matches!(context.application.history, History::NotKnown) => {
                Ok(Outcome::skip(Error::NothingKnown.to_string()))
            }
            // Where nobody asked for the row that says why, the check itself does.
            Needs::Looked(CheckId::SchemaState)
                if self.asked(CheckId::SchemaState) && context.status(handle).is_err() =>
            {
                Ok(Outcome::skip(format!("needs `{}`", CheckId::SchemaState)))
            }
            _ => run(context, handle),
        });
        let (outcome, how) = match answered.and_then(|answered| answered) {
            Ok(outcome) => (outcome, How::Answered),
            Err(error) if error.stopped().is_some() => (self.could_not_look(&error), How::Interrupted),
            Err(error) => (self.could_not_look(&error), How::Answered),
        };
        self.set(check.id, (outcome, begun.elapsed()));
        how
    }

    /// The first check that was not reached in time, or before Ctrl-C, has failed, unless another was interrupted: a run
    /// that did not look never passes.
    fn record_what_was_not_reached(&self, looked: &[Looked]) {
        let mut is_said = looked.iter().any(|looked| looked.how == How::Interrupted);
        for Looked { check, how } in looked {
            let How::NotReached(why) = how else { continue };
            let outcome = if is_said {
                Outcome::skip(why.to_string())
            } else {
                self.could_not_look(&(*why).into())
            };
            is_said = true;
            self.set(*check, (outcome, Duration::ZERO));
        }
    }

    /// The row `read-only`, when all handles are closed.
    fn close(&self, probe: &Probe, way: ReadMethod, opening: Duration, sandbox: &Sandbox) {
        let trace = TraceCheck { probe, sandbox };
        let begun = Instant::now();
        let outcome = trace.outcome(way);
        self.set(CheckId::ReadOnly, (outcome, opening + begun.elapsed()));
    }
}

/// The rows that may name the intact rows; the first that fails does.
const SAYING: [CheckId; 3] = [CheckId::File, CheckId::ReadOnly, CheckId::PageStructure];

impl Answers {
    /// Adds the number of intact rows to the row that reports damage, if that damage may cost rows.
    pub(super) fn append_intact_row_counts(&self, probe: &Probe, stop: &Stop) {
        let Some((check, failure)) = self.first_failure(&SAYING).filter(|(_, failure)| failure.problem.can_lose_rows())
        else {
            return;
        };
        if !self.asked(check) {
            return;
        }
        stop.ends_checks();
        let begun = Instant::now();
        let standing = caught(|| standing(probe, self.application(), stop))
            .unwrap_or_else(|mistake| Standing::Unknown(mistake.to_string()));
        if let Standing::Rows(account) = &standing {
            self.set_tables(account.counted_tables());
        }
        if let Some(failure) = with_row_counts(failure, standing, probe.size(), self.application().name()) {
            self.replace_outcome(check, Outcome::Fail(failure), begun.elapsed());
        }
    }
}

/// Returns the failure with what is known of the rows, or `None` if there is nothing to add.
fn with_row_counts(failure: Failure, standing: Standing, size: u64, application: &str) -> Option<Failure> {
    let mut with = failure;
    match standing {
        Standing::Unsaid => return None,
        Standing::Unknown(why) => with.detail += &format!("; how many rows stand whole is not known: {why}"),
        Standing::Rows(account) => {
            account.add_to(&mut with.findings);
            if with.problem == Problem::NoStore(NoStore::NotSqlite) {
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
