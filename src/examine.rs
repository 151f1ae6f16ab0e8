//! A path → a report: runs the checks in order, each once what it needs has passed.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::application::Application;
use crate::check::{Check, Input, Needs, Outcome};
use crate::checks::{CHECKS, TraceCheck};
use crate::context::StoreContext;
use crate::error::{Error, Result};
use crate::mistake::caught;
use crate::private::MOST_IN_MEMORY;
use crate::probe::{Probe, Situation};
use crate::report::{Report, Row};
use crate::sandbox::Sandbox;
use crate::shown;
use crate::stop::{Stop, Stopped};
use crate::store::{Access, Environment, Need, ReadMethod, ReadOnly, Witness, with_stable_store};

/// What to examine a store for, and by which means.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The ids of the checks whose rows are wanted; the order does not matter.
    pub checks: Vec<&'static str>,
    /// Whether to look for the files that the store names.
    pub artifacts: bool,
    /// What is known of the application whose store it is.
    pub application: &'a Application,
    /// The private folder, the sandbox, the bounds, the stop.
    pub environment: Environment<'a>,
}

/// Examines the store at `path`, without changing anything. Whatever is wrong is a row of the report.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use banger_doctor::banger::APPLICATION;
/// use banger_doctor::checks::CHECKS;
/// use banger_doctor::private::PrivateFolder;
/// use banger_doctor::render::json;
/// use banger_doctor::sandbox::Sandbox;
/// use banger_doctor::stop::Stop;
/// use banger_doctor::store::Environment;
/// use banger_doctor::{Options, Store, examine};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.db");
/// drop(Store::open(&path)?);
///
/// // A library does not shut its caller in; a program calls `Sandbox::enter` before its first thread.
/// let options = Options {
///     checks: CHECKS.iter().map(|check| check.id).collect(),
///     artifacts: false,
///     application: &APPLICATION,
///     environment: Environment {
///         private: &PrivateFolder::for_stores(&[&path]),
///         sandbox: &Sandbox::not_asked(),
///         heap_limit: None,
///         stop: &Stop::never(),
///     },
/// };
/// let report = examine(&path, &options);
///
/// assert_eq!(report.verdict(), "pass");
/// assert_eq!(report.rows.len(), CHECKS.len());
/// println!("{}", json::report(&report));
/// # Ok(())
/// # }
/// ```
///
/// # Locks
/// It opens and closes the files of the store, and POSIX drops every lock that a process holds on a file as soon as the
/// process closes any descriptor of it: a transaction of this process's own would go on without its locks, and another
/// process could write into it. So in a process that did not enter the sandbox, a store that the process has open, through
/// SQLite or otherwise, is not looked at, and a row says so. Do not open it on another thread before this returns, either.
pub fn examine(path: &Path, options: &Options<'_>) -> Report {
    Examination::of(path, options).run(path, options)
}

/// One store's examination. What it has answered so far can be reported by anybody while it runs: SQLite may hang.
#[derive(Debug, Clone)]
pub struct Examination {
    application: Arc<Application>,
    store: String,
    sandbox: String,
    checks: Vec<&'static str>,
    so_far: Arc<Mutex<SoFar>>,
}

/// A check's answer and how long it took.
type Answer = (Outcome, Duration);

/// What is known so far. What has passed decides what comes next.
#[derive(Debug)]
struct SoFar {
    situation: Situation,
    /// By the registry's order.
    answers: Vec<Option<Answer>>,
    /// The checks that look just now.
    looking: Vec<&'static str>,
    /// Who knows whether the answers may be believed, once something was read through SQLite.
    witness: Option<(Witness, Probe)>,
    short_of_memory: bool,
}

impl Default for SoFar {
    fn default() -> Self {
        Self {
            situation: Situation::None,
            answers: CHECKS.iter().map(|_| None).collect(),
            looking: vec!["file"],
            witness: None,
            short_of_memory: false,
        }
    }
}

impl SoFar {
    fn get(&self, id: &str) -> Option<&Outcome> {
        self.answers.get(position(id)?)?.as_ref().map(|(outcome, _)| outcome)
    }

    fn passed(&self, id: &str) -> bool {
        matches!(self.get(id), Some(Outcome::Pass { .. }))
    }
}

fn position(id: &str) -> Option<usize> {
    CHECKS.iter().position(|check| check.id == id)
}

/// How many pages the database file has.
fn pages(probe: &Probe) -> u64 {
    probe.header().map_or(0, |header| probe.size() / u64::from(header.page_size.max(1)))
}

/// A check's function that reads through a handle.
type HandleRun = fn(&StoreContext<'_>, &ReadOnly) -> Result<Outcome>;

/// A check that ran through a handle, or would have.
struct Looked {
    check: &'static str,
    how: How,
}

/// How a check ended.
#[derive(PartialEq, Eq)]
enum How {
    Answered,
    /// The time limit or Ctrl-C ended it.
    Interrupted,
    /// The time limit or Ctrl-C came before it.
    NotReached(Stopped),
}

impl Examination {
    /// An examination of the store at `path` that has not begun.
    pub fn of(path: &Path, options: &Options<'_>) -> Self {
        Self {
            application: Arc::new(options.application.clone()),
            store: crate::report::escape_untrusted(&shown::shown(path), 4096),
            sandbox: options.environment.sandbox.to_string(),
            checks: options.checks.clone(),
            so_far: Arc::default(),
        }
    }

    /// Examines the store. Whatever is wrong is a row of the report.
    pub fn run(&self, path: &Path, options: &Options<'_>) -> Report {
        let ended = with_stable_store(path, Need::Everything, &options.environment, |probe, access| {
            *self.so_far() = SoFar {
                situation: probe.situation,
                witness: access.as_ref().ok().map(|access| (access.witness(), probe.clone())),
                ..SoFar::default()
            };
            self.look_at_all(probe, access, options);
        });
        let rows = match ended {
            Ok(()) => self.rows(None),
            Err(error) => self.never_left_alone(&error),
        };
        self.report(rows)
    }

    /// The report of an examination that has not ended, and why: with the answers so far, as far as they may be believed.
    /// What is looking just now has failed.
    pub fn broken_off(&self, error: &Error) -> Report {
        let witness = self.so_far().witness.clone();
        let rows = if witness.is_none_or(|(witness, probe)| still_valid_in_time(witness, probe)) {
            self.rows(Some(error))
        } else {
            self.never_left_alone(error)
        };
        self.report(rows)
    }

    fn report(&self, rows: Vec<Row>) -> Report {
        let so_far = self.so_far();
        Report {
            index: 0,
            store: self.store.clone(),
            situation: so_far.situation.name(),
            sandbox: self.sandbox.clone(),
            rows,
            short_of_memory: so_far.short_of_memory,
        }
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self, check: &Check) -> bool {
        self.checks.contains(&check.id)
    }

    fn asked(&self, id: &str) -> bool {
        position(id).is_some_and(|at| self.wanted(CHECKS[at]))
    }

    fn set(&self, id: &str, answer: Answer) {
        let mut so_far = self.so_far();
        so_far.looking.retain(|looking| *looking != id);
        if let Some(slot) = position(id).and_then(|at| so_far.answers.get_mut(at)) {
            *slot = Some(answer);
        }
    }

    /// The answer of a check that could not look.
    fn could_not_look(&self, error: &Error) -> Outcome {
        self.so_far().short_of_memory |= error.is_out_of_memory();
        Outcome::could_not_look(error)
    }

    fn look_at_all(&self, probe: &Probe, access: Result<&Access<'_>>, options: &Options<'_>) {
        self.look_at_the_probe(probe, options.environment.stop);
        if !self.so_far().passed("file") {
            return;
        }
        let begun = Instant::now();
        self.so_far().looking = vec!["read-only"];
        let opened = access.and_then(|access| Ok((access, access.open()?)));
        match opened {
            Ok((access, handle)) => {
                let opening = begun.elapsed();
                self.so_far().looking.clear();
                let context =
                    StoreContext::new(&self.application, probe, access, &options.environment, options.artifacts);
                self.look_through(&context, &handle);
                drop(handle);
                self.so_far().short_of_memory |= access.is_short_of_memory();
                self.close(probe, access.way(), opening, options.environment.sandbox);
            }
            Err(error) => self.set("read-only", (self.could_not_look(&error), begun.elapsed())),
        }
    }

    /// The checks that need no handle. `file` is always asked: every other check needs it.
    fn look_at_the_probe(&self, probe: &Probe, stop: &Stop) {
        for check in CHECKS {
            let Input::Probe(run) = check.input else { continue };
            let needed = check.id == "file" || (self.wanted(check) && self.so_far().passed("file"));
            if needed {
                self.begin(check, probe, stop);
                let begun = Instant::now();
                let outcome =
                    caught(|| run(probe, &self.application, stop)).unwrap_or_else(|error| self.could_not_look(&error));
                self.set(check.id, (outcome, begun.elapsed()));
            }
        }
    }

    fn begin(&self, check: &Check, probe: &Probe, stop: &Stop) {
        self.so_far().looking.push(check.id);
        stop.begin(check.id, pages(probe));
    }

    /// The checks that read through a handle. In a large store, `page-structure` reads every page on a thread and a handle
    /// of its own; which of the two is done first changes no row.
    fn look_through(&self, context: &StoreContext<'_>, handle: &ReadOnly) {
        let wanted: Vec<(&Check, HandleRun)> = CHECKS
            .iter()
            .filter(|check| self.wanted(check))
            .filter_map(|check| {
                if let Input::Handle(run) = check.input {
                    Some((*check, run))
                } else {
                    None
                }
            })
            .collect();
        let is_large = context.probe.size() > MOST_IN_MEMORY && context.access.is_shared();
        let (pages, rest): (Vec<_>, Vec<_>) =
            wanted.iter().copied().partition(|(check, _)| is_large && check.id == "page-structure");
        let mut looked = if pages.is_empty() || rest.is_empty() {
            self.run_in_order(&wanted, context, handle)
        } else {
            self.run_in_parallel(&pages, &rest, context, handle)
        };
        looked.sort_by_key(|looked| position(looked.check));
        self.record_what_was_not_reached(&looked);
    }

    /// Asks some checks on a thread of their own, where one can be had.
    fn run_in_parallel(
        &self,
        aside: &[(&Check, HandleRun)],
        rest: &[(&Check, HandleRun)],
        context: &StoreContext<'_>,
        handle: &ReadOnly,
    ) -> Vec<Looked> {
        let with_own_handle = || match context.access.open() {
            Ok(handle) => self.run_in_order(aside, context, &handle),
            Err(error) => self.all_failed(aside, &error),
        };
        thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, || caught(with_own_handle));
            let mut looked = self.run_in_order(rest, context, handle);
            looked.extend(match other {
                Ok(other) => other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    .unwrap_or_else(|mistake| self.all_failed(aside, &mistake)),
                Err(_) => self.run_in_order(aside, context, handle),
            });
            looked
        })
    }

    fn all_failed(&self, checks: &[(&Check, HandleRun)], error: &Error) -> Vec<Looked> {
        let failed = |(check, _): &(&Check, HandleRun)| {
            self.set(check.id, (self.could_not_look(error), Duration::ZERO));
            Looked {
                check: check.id,
                how: How::Answered,
            }
        };
        checks.iter().map(failed).collect()
    }

    /// Asks checks one after the other, through one handle.
    fn run_in_order(
        &self,
        checks: &[(&Check, HandleRun)],
        context: &StoreContext<'_>,
        handle: &ReadOnly,
    ) -> Vec<Looked> {
        let ask = |(check, look): &(&Check, HandleRun)| Looked {
            check: check.id,
            how: self.ask(check, *look, context, handle),
        };
        checks.iter().map(ask).collect()
    }

    /// Asks a check. A mistake of the doctor's costs this one row.
    fn ask(&self, check: &Check, run: HandleRun, context: &StoreContext<'_>, handle: &ReadOnly) -> How {
        let stop = context.environment.stop;
        self.begin(check, context.probe, stop);
        if let Some(why) = stop.reason() {
            return How::NotReached(why);
        }
        let begun = Instant::now();
        let looked = caught(|| {
            if check.needs == Needs::Ledger && self.asked("schema-state") && context.state(handle).is_err() {
                // Where nobody asked for the row that says why, the check itself does.
                return Ok(Outcome::skip("needs `schema-state`"));
            }
            run(context, handle)
        });
        let (outcome, how) = match looked.and_then(|looked| looked) {
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
        let mut told = looked.iter().any(|looked| looked.how == How::Interrupted);
        for Looked { check, how } in looked {
            let How::NotReached(why) = how else { continue };
            let outcome = if told {
                Outcome::skip(why.to_string())
            } else {
                self.could_not_look(&(*why).into())
            };
            told = true;
            self.set(check, (outcome, Duration::ZERO));
        }
    }

    /// The row `read-only`, when all handles are closed.
    fn close(&self, probe: &Probe, way: ReadMethod, opening: Duration, sandbox: &Sandbox) {
        let evidence = TraceCheck { probe, sandbox };
        let begun = Instant::now();
        let outcome = evidence.outcome(way);
        self.set("read-only", (outcome, opening + begun.elapsed()));
    }

    /// The outcome of a check whose need is not met: skipped, unless nobody asked for the row that would say why.
    fn unmet(&self, so_far: &SoFar, check: &Check) -> Outcome {
        let need = match check.needs {
            Needs::ReadOnly | Needs::Ledger if so_far.passed("file") => "read-only",
            _ => "file",
        };
        match so_far.get(need) {
            Some(Outcome::Fail(failure)) if !self.asked(need) => Outcome::fail(
                format!("could not look: needs `{need}`, which failed: {}", failure.detail),
                failure.problem.clone(),
            ),
            _ => Outcome::skip(format!("needs `{need}`")),
        }
    }

    /// The rows that are wanted, in the registry's order. `broken_off`: why the examination has not come to its end.
    fn rows(&self, broken_off: Option<&Error>) -> Vec<Row> {
        let so_far = self.so_far();
        let answered = CHECKS.iter().zip(&so_far.answers).filter(|(check, _)| self.wanted(check));
        let open: Vec<&str> = answered
            .clone()
            .filter(|(_, answer)| answer.is_none())
            .map(|(check, _)| check.id)
            .collect();
        let looking: Vec<&str> = open.iter().copied().filter(|id| so_far.looking.contains(id)).collect();
        // A run that did not look never passes: where no check was looking, the first that has not looked says why.
        let tellers = if looking.is_empty() {
            &open[..open.len().min(1)]
        } else {
            &looking
        };
        let without_answer = |check: &Check| match broken_off {
            None => self.unmet(&so_far, check),
            Some(error) if tellers.contains(&check.id) => Outcome::could_not_look(error),
            Some(error) => Outcome::skip(match error.stopped() {
                Some(why) => why.to_string(),
                None => "the doctor itself failed, as another row says".to_owned(),
            }),
        };
        answered
            .map(|(check, answer)| {
                let (outcome, elapsed) = answer.clone().unwrap_or_else(|| (without_answer(check), Duration::ZERO));
                Row::new(check.id, outcome, elapsed, &self.application)
            })
            .collect()
    }

    /// The rows of a store that was never left alone for long enough: one says so, `read-only` if it is asked for.
    fn never_left_alone(&self, error: &Error) -> Vec<Row> {
        let asked = || CHECKS.iter().filter(|check| self.wanted(check));
        let teller = asked()
            .find(|check| check.id == "read-only")
            .or_else(|| asked().next())
            .map(|check| check.id);
        let row = |check: &Check| {
            let outcome = if Some(check.id) == teller {
                Outcome::could_not_look(error)
            } else {
                Outcome::skip(match error {
                    Error::OpenHere(_) => "the store was not looked at",
                    _ => "nothing that was found in a store that moved is told",
                })
            };
            Row::new(check.id, outcome, Duration::ZERO, &self.application)
        };
        asked().map(|check| row(check)).collect()
    }
}

/// Whether what was read so far may be believed. A file system that hangs may not answer; then it may not.
fn still_valid_in_time(witness: Witness, probe: Probe) -> bool {
    const PATIENCE: Duration = Duration::from_millis(200);
    let (tell, told) = mpsc::channel();
    let asked = thread::Builder::new().spawn(move || tell.send(witness.still_valid(&probe)));
    asked.is_ok() && told.recv_timeout(PATIENCE).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private::PrivateFolder;
    use crate::report::Status;

    const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/healthy.db");

    /// Lets `work` use options for these checks.
    fn with_options<T>(checks: &[&'static str], work: impl FnOnce(&Options<'_>) -> T) -> T {
        work(&Options {
            checks: checks.to_vec(),
            artifacts: false,
            application: &crate::banger::APPLICATION,
            environment: Environment {
                private: &PrivateFolder::for_stores::<&Path>(&[]),
                sandbox: &Sandbox::not_asked(),
                heap_limit: None,
                stop: &Stop::never(),
            },
        })
    }

    fn statuses(report: &Report) -> Vec<(&'static str, Status)> {
        report.rows.iter().map(|row| (row.check, row.status)).collect()
    }

    #[test]
    fn a_store_that_is_never_left_alone_gets_the_rows_asked_for_and_one_of_them_fails() {
        let statuses = |checks: &[&'static str]| -> Vec<(&'static str, Status)> {
            with_options(checks, |options| {
                let rows = Examination::of(Path::new("state.db"), options).never_left_alone(&Error::Moving(5));
                rows.iter().map(|row| (row.check, row.status)).collect()
            })
        };
        assert_eq!(
            statuses(&["foreign-keys", "read-only", "file"]),
            [
                ("file", Status::Skip),
                ("read-only", Status::Fail),
                ("foreign-keys", Status::Skip)
            ]
        );
        assert_eq!(
            statuses(&["row-values", "foreign-keys"]),
            [("foreign-keys", Status::Fail), ("row-values", Status::Skip)]
        );
    }

    const PASSES: HandleRun = |_, _| Ok(Outcome::pass("fine"));
    const PANICS: HandleRun = |_, _| panic!("as it was told");

    /// The report of an examination in which these checks look so, the first of them aside.
    fn report_of(looks: &[(&'static str, HandleRun)]) -> Report {
        let ids: Vec<&'static str> = looks.iter().map(|(id, _)| *id).collect();
        with_options(&ids, |options| {
            let path = Path::new(REAL);
            let examination = Examination::of(path, options);
            let looks: Vec<(&Check, HandleRun)> =
                looks.iter().map(|(id, look)| (CHECKS[position(id).unwrap()], *look)).collect();
            with_stable_store(path, Need::Everything, &options.environment, |probe, access| {
                let access = access.unwrap();
                let context = StoreContext::new(options.application, probe, access, &options.environment, false);
                let handle = access.open().unwrap();
                examination.run_in_parallel(&looks[..1], &looks[1..], &context, &handle);
            })
            .unwrap();
            examination.report(examination.rows(None))
        })
    }

    #[test]
    fn a_mistake_in_a_check_costs_its_row_and_no_other() {
        for bad in 0..4 {
            let ids = ["page-structure", "schema-state", "schema-shape", "foreign-keys"];
            let look = |n| if n == bad { PANICS } else { PASSES };
            let looks: Vec<(&str, HandleRun)> = ids.iter().enumerate().map(|(n, id)| (*id, look(n))).collect();
            let report = report_of(&looks);
            for (n, row) in report.rows.iter().enumerate() {
                let wanted = if n == bad { Status::Fail } else { Status::Pass };
                assert_eq!((row.check, row.status), (ids[n], wanted), "{report:?}");
            }
            let detail = &report.rows[bad].detail;
            assert!(
                detail.starts_with("could not look: a mistake in the doctor") && detail.ends_with("as it was told"),
                "{detail}"
            );
        }
    }

    const EVERY: [&str; 5] = ["file", "read-only", "schema-state", "foreign-keys", "row-values"];

    /// What is reported of an examination that is broken off after `answered`, while `looking` look.
    fn broken_off(answered: &[&str], looking: &[&'static str], error: &Error) -> Report {
        with_options(&EVERY, |options| {
            let examination = Examination::of(Path::new("state.db"), options);
            for id in answered {
                examination.set(id, (Outcome::pass("fine"), Duration::ZERO));
            }
            examination.so_far().looking = looking.to_vec();
            examination.broken_off(error)
        })
    }

    #[test]
    fn what_hangs_costs_the_rows_of_the_checks_that_look_and_those_behind_it() {
        use Status::{Fail, Pass, Skip};
        let why = Error::Stuck(Stopped::TimeLimit(Duration::from_secs(2)));
        let outcomes = |answered: &[&str], looking: &[&'static str]| -> Vec<Status> {
            statuses(&broken_off(answered, looking, &why))
                .into_iter()
                .map(|(_, status)| status)
                .collect()
        };
        assert_eq!(outcomes(&["file", "schema-state"], &["foreign-keys"]), [Pass, Skip, Pass, Fail, Skip]);
        // On two threads.
        assert_eq!(outcomes(&["file"], &["schema-state", "row-values"]), [Pass, Skip, Fail, Skip, Fail]);
        // Between two checks, and at one whose row nobody asked for.
        assert_eq!(outcomes(&["file"], &[]), [Pass, Fail, Skip, Skip, Skip]);
        assert_eq!(outcomes(&["file"], &["page-structure"]), [Pass, Fail, Skip, Skip, Skip]);
        assert_eq!(outcomes(&[], &["file"]), [Fail, Skip, Skip, Skip, Skip]);
        // When all is answered.
        assert_eq!(outcomes(&EVERY, &[]), [Pass; 5]);
        let report = broken_off(&["file"], &["schema-state"], &why);
        assert_eq!(
            report.rows[2].detail,
            "could not look: the time limit of 2 s ran out, and what was running could not be interrupted"
        );
        assert_eq!(report.rows[3].detail, "the time limit of 2 s ran out");
    }

    #[test]
    fn a_mistake_outside_the_checks_is_a_row_of_its_own_and_leaves_those_before_it() {
        let report = broken_off(&["file"], &["read-only"], &Error::Mistake("panic".to_owned()));
        assert_eq!((report.verdict(), report.failures(), report.count(Status::Skip)), ("fail", 1, 3));
        assert_eq!(report.rows[1].detail, "could not look: a mistake in the doctor, please report it: panic");
    }

    #[test]
    fn what_was_found_in_a_store_that_moved_meanwhile_is_not_told_when_it_is_broken_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::copy(REAL, &path).unwrap();
        let report = with_options(&EVERY, |options| {
            let examination = Examination::of(&path, options);
            let looked = with_stable_store(&path, Need::Everything, &options.environment, |probe, access| {
                if examination.so_far().witness.is_some() {
                    return;
                }
                examination.so_far().witness = Some((access.unwrap().witness(), probe.clone()));
                examination.set("file", (Outcome::pass("fine"), Duration::ZERO));
                assert_eq!(examination.broken_off(&Error::Stuck(Stopped::Interrupted)).rows[0].status, Status::Pass);
                std::fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(100_000).unwrap();
            });
            looked.unwrap();
            examination.broken_off(&Error::Stuck(Stopped::Interrupted))
        });
        assert_eq!(report.rows[0].status, Status::Skip, "{report:?}");
        assert_eq!((report.rows[1].check, report.rows[1].status), ("read-only", Status::Fail), "{report:?}");
    }
}
