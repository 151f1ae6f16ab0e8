//! A path → a report: runs the checks in order, each once what it needs has passed.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Look, Needs, Outcome};
use crate::checks::{CHECKS, Evidence};
use crate::error::{Error, Result};
use crate::locate;
use crate::private::MOST_IN_MEMORY;
use crate::probe::{Probe, Situation};
use crate::report::{Report, Row};
use crate::stop::Stopped;
use crate::store::{Access, Means, Need, ReadOnly, Way, look};
use crate::subject::Subject;

/// What to examine a store for, and by which means.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The ids of the checks whose rows are wanted; the order does not matter.
    pub checks: Vec<&'static str>,
    /// Whether to look for the files that the store names.
    pub artifacts: bool,
    /// The private folder, the sandbox, the bounds, the stop.
    pub means: Means<'a>,
}

/// Examines the store at `path`, without changing anything. Whatever is wrong is a row of the report.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use banger_doctor::checks::CHECKS;
/// use banger_doctor::private::PrivateFolder;
/// use banger_doctor::render::json;
/// use banger_doctor::sandbox::Sandbox;
/// use banger_doctor::stop::Stop;
/// use banger_doctor::store::Means;
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
///     means: Means {
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
    let mut last_probe = None;
    let answered = look(path, Need::Everything, &options.means, |probe, access| {
        last_probe = Some(probe.clone());
        run(probe, access, options)
    });
    let situation = last_probe.map_or(Situation::None, |probe| probe.situation);
    let rows = answered.unwrap_or_else(|error| never_left_alone(&error, options));
    Report {
        store: crate::report::safe(&locate::shown(path), 4096),
        situation: situation.name(),
        sandbox: options.means.sandbox.to_string(),
        rows,
    }
}

/// How many pages the database file has.
fn pages(probe: &Probe) -> u64 {
    probe.header().map_or(0, |header| probe.size() / u64::from(header.page_size.max(1)))
}

/// The rows of a store of which nothing is known, because it was never left alone for long enough or was not looked at: one
/// says so, `read-only` if it is asked for.
fn never_left_alone(error: &Error, options: &Options<'_>) -> Vec<Row> {
    let asked = || CHECKS.iter().filter(|check| options.checks.contains(&check.id));
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
        Row::new(check.id, outcome, Duration::ZERO)
    };
    asked().map(|check| row(check)).collect()
}

/// A check's answer and how long it took.
type Answer = (Outcome, Duration);

/// The answers so far, by the registry's order. What has passed decides what comes next.
struct Answers<'a> {
    options: &'a Options<'a>,
    answers: Vec<Option<Answer>>,
}

fn run(probe: &Probe, access: Result<&Access<'_>>, options: &Options<'_>) -> Vec<Row> {
    let mut answers = Answers {
        options,
        answers: CHECKS.iter().map(|_| None).collect(),
    };
    answers.look_at_the_probe(probe);
    if answers.passed("file") {
        let begun = Instant::now();
        let opened = access.and_then(|access| Ok((access, access.open()?)));
        match opened {
            Ok((access, handle)) => {
                let opening = begun.elapsed();
                let subject = Subject::new(probe, access, &options.means, options.artifacts);
                answers.look_through(&subject, &handle);
                drop(handle);
                answers.close(probe, access.way(), opening);
            }
            Err(error) => answers.set("read-only", (Outcome::could_not_look(&error), begun.elapsed())),
        }
    }
    answers.into_rows()
}

/// A check's function that reads through a handle.
type HandleLook = fn(&Subject<'_>, &ReadOnly) -> Result<Outcome>;

/// How a check that reads through a handle ended.
enum Looked {
    Answered(Outcome),
    /// The time limit or Ctrl-C ended it.
    Interrupted(Outcome),
    /// The time limit or Ctrl-C came before it.
    NotReached(Stopped),
}

/// Asks checks one after the other, through one handle.
fn lane(
    checks: &[(&Check, HandleLook)],
    subject: &Subject<'_>,
    handle: &ReadOnly,
    ledger_is_told: bool,
) -> Vec<(&'static str, Looked, Duration)> {
    let stop = subject.means.stop;
    let ask = |(check, look): &(&Check, HandleLook)| {
        stop.begin(check.id, pages(subject.probe));
        let begun = Instant::now();
        let looked = if let Some(why) = stop.reason() {
            Looked::NotReached(why)
        } else if check.needs == Needs::Ledger && ledger_is_told && subject.state(handle).is_err() {
            // Where nobody asked for the row that says why, the check itself does.
            Looked::Answered(Outcome::skip("needs `schema-state`"))
        } else {
            match look(subject, handle) {
                Ok(outcome) => Looked::Answered(outcome),
                Err(error) if error.stopped().is_some() => Looked::Interrupted(Outcome::could_not_look(&error)),
                Err(error) => Looked::Answered(Outcome::could_not_look(&error)),
            }
        };
        (check.id, looked, begun.elapsed())
    };
    checks.iter().map(ask).collect()
}

impl Answers<'_> {
    fn wanted(&self, check: &Check) -> bool {
        self.options.checks.contains(&check.id)
    }

    fn asked(&self, id: &str) -> bool {
        Self::position(id).is_some_and(|at| self.wanted(CHECKS[at]))
    }

    fn position(id: &str) -> Option<usize> {
        CHECKS.iter().position(|check| check.id == id)
    }

    fn set(&mut self, id: &str, answer: Answer) {
        if let Some(slot) = Self::position(id).and_then(|at| self.answers.get_mut(at)) {
            *slot = Some(answer);
        }
    }

    fn get(&self, id: &str) -> Option<&Outcome> {
        self.answers.get(Self::position(id)?)?.as_ref().map(|(outcome, _)| outcome)
    }

    fn passed(&self, id: &str) -> bool {
        matches!(self.get(id), Some(Outcome::Pass { .. }))
    }

    /// The checks that need no handle. `file` is always asked: every other check needs it.
    fn look_at_the_probe(&mut self, probe: &Probe) {
        for check in CHECKS {
            let Look::Probe(look) = check.look else { continue };
            let needed = check.id == "file" || (self.wanted(check) && self.passed("file"));
            if needed {
                self.options.means.stop.begin(check.id, pages(probe));
                let begun = Instant::now();
                let outcome = look(probe, self.options.means.stop);
                self.set(check.id, (outcome, begun.elapsed()));
            }
        }
    }

    /// The checks that read through a handle. In a large store, `page-structure` reads every page on a thread and a handle
    /// of its own; which of the two is done first changes no row.
    fn look_through(&mut self, subject: &Subject<'_>, handle: &ReadOnly) {
        let wanted: Vec<(&Check, HandleLook)> = CHECKS
            .iter()
            .filter(|check| self.wanted(check))
            .filter_map(|check| {
                if let Look::Handle(look) = check.look {
                    Some((*check, look))
                } else {
                    None
                }
            })
            .collect();
        let is_large = subject.probe.size() > MOST_IN_MEMORY && subject.access.is_shared();
        let (pages, rest): (Vec<_>, Vec<_>) =
            wanted.iter().copied().partition(|(check, _)| is_large && check.id == "page-structure");
        let ledger_is_told = self.asked("schema-state");
        let mut looked = if pages.is_empty() || rest.is_empty() {
            lane(&wanted, subject, handle, ledger_is_told)
        } else {
            thread::scope(|scope| {
                let other = scope.spawn(|| match subject.access.open() {
                    Ok(handle) => lane(&pages, subject, &handle, ledger_is_told),
                    Err(error) => {
                        vec![(pages[0].0.id, Looked::Answered(Outcome::could_not_look(&error)), Duration::ZERO)]
                    }
                });
                let mut looked = lane(&rest, subject, handle, ledger_is_told);
                looked.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                looked
            })
        };
        looked.sort_by_key(|(id, ..)| Self::position(id));
        self.tell(looked);
    }

    /// Takes down what was looked at. The first check that was not reached in time, or before Ctrl-C, has failed, unless
    /// another was interrupted: a run that did not look never passes.
    fn tell(&mut self, looked: Vec<(&'static str, Looked, Duration)>) {
        let mut told = looked.iter().any(|(_, looked, _)| matches!(looked, Looked::Interrupted(_)));
        for (id, looked, elapsed) in looked {
            let outcome = match looked {
                Looked::Answered(outcome) | Looked::Interrupted(outcome) => outcome,
                Looked::NotReached(why) if told => Outcome::skip(why.to_string()),
                Looked::NotReached(why) => {
                    told = true;
                    Outcome::could_not_look(&why.into())
                }
            };
            self.set(id, (outcome, elapsed));
        }
    }

    /// The row `read-only`, when all handles are closed.
    fn close(&mut self, probe: &Probe, way: Way, opening: Duration) {
        let evidence = Evidence {
            probe,
            sandbox: self.options.means.sandbox,
        };
        let begun = Instant::now();
        let outcome = evidence.outcome(way);
        self.set("read-only", (outcome, opening + begun.elapsed()));
    }

    /// The outcome of a check whose need is not met: skipped, unless nobody asked for the row that would say why.
    fn unmet(&self, need: &str) -> Outcome {
        let asked = self.asked(need);
        match self.get(need) {
            Some(Outcome::Fail(failure)) if !asked => Outcome::fail(
                format!("could not look: needs `{need}`, which failed: {}", failure.detail),
                failure.remedy.clone(),
            ),
            _ => Outcome::skip(format!("needs `{need}`")),
        }
    }

    fn into_rows(self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (check, answer) in CHECKS.iter().zip(&self.answers) {
            if !self.wanted(check) {
                continue;
            }
            let (outcome, elapsed) = answer.clone().unwrap_or_else(|| {
                let need = match check.needs {
                    Needs::ReadOnly | Needs::Ledger if self.passed("file") => "read-only",
                    _ => "file",
                };
                (self.unmet(need), Duration::ZERO)
            });
            rows.push(Row::new(check.id, outcome, elapsed));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private::PrivateFolder;
    use crate::report::Status;
    use crate::sandbox::Sandbox;
    use crate::stop::Stop;

    #[test]
    fn a_store_that_is_never_left_alone_gets_the_rows_asked_for_and_one_of_them_fails() {
        let statuses = |checks: &[&'static str]| -> Vec<(&'static str, Status)> {
            let options = Options {
                checks: checks.to_vec(),
                artifacts: false,
                means: Means {
                    private: &PrivateFolder::for_stores::<&Path>(&[]),
                    sandbox: &Sandbox::not_asked(),
                    heap_limit: None,
                    stop: &Stop::never(),
                },
            };
            let rows = never_left_alone(&Error::Moving(5), &options);
            rows.iter().map(|row| (row.check, row.status)).collect()
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
}
