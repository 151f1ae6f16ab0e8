//! Examines the stores: one on this thread, several on as many threads as there are cores.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use banger_doctor::check::{Look, Outcome};
use banger_doctor::checks::CHECKS;
use banger_doctor::private::{PrivateFolder, Purpose};
use banger_doctor::probe::{Situation, Stamp};
use banger_doctor::report::{Row, Status, safe};
use banger_doctor::sandbox::Sandbox;
use banger_doctor::stop::Stop;
use banger_doctor::store::Means;
use banger_doctor::{Options, Report, examine, locate};

use crate::cli::Args;
use crate::meter::Meter;
use crate::output::{Output, print};
use crate::pool::{self, Identity, Jobs};
use crate::{EXIT_INTERRUPTED, gate, what_panicked};

/// The most memory that SQLite may take in the whole process, in bytes; with the rest of the program this stays below 64 MiB.
const HEAP_LIMIT: u64 = 40 << 20;

/// The most stores that are examined at once: as many as find room within [`HEAP_LIMIT`].
const MOST_THREADS: usize = 8;

/// The reader of the output went away before all stores were examined: 128 and the number of SIGPIPE.
const EXIT_PIPE_CLOSED: u8 = 141;

/// What all stores have in common.
pub struct Run<'a> {
    args: &'a Args,
    checks: Vec<&'static str>,
    stores: Vec<PathBuf>,
    interrupted: Arc<AtomicBool>,
    private: PrivateFolder,
    sandbox: Sandbox,
}

impl<'a> Run<'a> {
    /// Gives up the right to write, but in a private folder where one may be needed. From here on, nothing else is written.
    ///
    /// Signals are caught before, so that the folder is removed; threads are started afterwards, so that the kernel holds
    /// them all.
    pub fn prepare(
        args: &'a Args,
        checks: Vec<&'static str>,
        stores: Vec<PathBuf>,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        let private = PrivateFolder::for_stores(&stores);
        let sandbox = Sandbox::enter(&private, purpose(args, &checks));
        Self {
            args,
            checks,
            stores,
            interrupted,
            private,
            sandbox,
        }
    }

    fn stop(&self) -> Stop {
        Stop::after(self.args.time_limit, self.interrupted.clone())
    }

    fn means<'s>(&'s self, stop: &'s Stop) -> Means<'s> {
        Means {
            private: &self.private,
            sandbox: &self.sandbox,
            heap_limit: Some(HEAP_LIMIT),
            stop,
        }
    }

    /// The gate's question to the one store.
    pub fn gate(&self) -> Result<u8> {
        let path = self.stores.first().context("no store")?;
        let meter = Arc::new(Meter::new());
        let mut stop = self.stop();
        // Elsewhere the gate prints its one line and no other.
        if meter.on_terminal() {
            stop = stop.showing(meter.progress(&[]));
        }
        let answer = gate::ask(path, &self.means(&stop), self.args.rehearse, self.args.format);
        meter.clear();
        let _ = print(answer.line.as_bytes())?;
        Ok(answer.exit)
    }

    /// Examines the stores and prints their reports.
    pub fn doctor(&self) -> Result<u8> {
        if let [path] = self.stores.as_slice() {
            return self.one(path);
        }
        self.many()
    }

    fn one(&self, path: &Path) -> Result<u8> {
        let meter = Arc::new(Meter::new());
        let stop = self.stop().showing(meter.progress(&self.checks));
        let report = self.examined(path, &stop);
        meter.clear();
        let _ = print(Output::new(self.args).report(&report).as_bytes())?;
        Ok(self.exit(report.failed()))
    }

    fn many(&self) -> Result<u8> {
        let count = self.stores.len();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(count).min(MOST_THREADS);
        let meter = Meter::new();
        let output = Output::new(self.args);
        let (mut done, mut failed, mut skipped, mut trouble) = (0, 0, 0, None);
        let mut broken = false;
        pool::in_order(self, count, threads, |report| {
            let Some(report) = report else {
                meter.stores(done, count);
                return ControlFlow::Continue(());
            };
            done += 1;
            failed += usize::from(report.failed());
            skipped += report.count(Status::Skip);
            meter.clear();
            let printed = print(output.one_of_many(&report).as_bytes());
            meter.stores(done, count);
            match printed {
                Ok(ControlFlow::Continue(())) => return ControlFlow::Continue(()),
                Ok(ControlFlow::Break(())) => broken = true,
                Err(error) => trouble = Some(error),
            }
            // What is being examined for nobody ends at once.
            self.interrupted.store(true, Ordering::Relaxed);
            ControlFlow::Break(())
        })
        .context("cannot start a thread")?;
        meter.clear();
        if let Some(error) = trouble {
            return Err(error);
        }
        if broken {
            let said = failed > 0 || done == count;
            return Ok(if said { u8::from(failed > 0) } else { EXIT_PIPE_CLOSED });
        }
        if done < count {
            let left = count - done;
            let _ = writeln!(io::stderr(), "doctor: interrupted; {left} of {count} stores were not looked at");
        } else {
            let _ = print(output.total(count, failed, skipped).as_bytes())?;
        }
        Ok(self.exit(failed > 0))
    }

    fn exit(&self, failed: bool) -> u8 {
        if self.interrupted.load(Ordering::Relaxed) {
            EXIT_INTERRUPTED
        } else {
            u8::from(failed)
        }
    }

    /// A store's report; a mistake of the doctor's is a row of it and touches no other store.
    fn examined(&self, path: &Path, stop: &Stop) -> Report {
        let options = Options {
            checks: self.checks.clone(),
            artifacts: self.args.artifacts || self.args.stores.is_empty(),
            means: self.means(stop),
        };
        self.guarded(path, || examine(path, &options))
    }

    fn guarded(&self, path: &Path, examine: impl FnOnce() -> Report) -> Report {
        panic::catch_unwind(AssertUnwindSafe(examine))
            .unwrap_or_else(|panic| self.panicked(path, &what_panicked(panic.as_ref())))
    }

    fn panicked(&self, path: &Path, error: &anyhow::Error) -> Report {
        let remedy = "the store itself was not changed; report this with the version of the doctor, and leave the check out with --skip if you know which it is";
        let rows = self.checks.iter().enumerate().map(|(n, check)| {
            let outcome = match n {
                0 => Outcome::fail(format!("could not look: {error}"), remedy),
                _ => Outcome::skip("the doctor itself failed, as the first row says"),
            };
            Row::new(check, outcome, Duration::ZERO)
        });
        Report {
            store: safe(&locate::shown(path), 4096),
            situation: Situation::None.name(),
            sandbox: self.sandbox.to_string(),
            rows: rows.collect(),
        }
    }
}

/// What the stores will be read for.
fn purpose(args: &Args, checks: &[&'static str]) -> Purpose {
    if args.check_migrations {
        return Purpose {
            opened: true,
            whole: args.rehearse,
            rehearsed: args.rehearse,
        };
    }
    let asked = || CHECKS.iter().filter(|check| checks.contains(&check.id));
    let opened = asked().any(|check| !matches!(check.look, Look::Probe(_)));
    Purpose {
        opened,
        whole: opened,
        rehearsed: checks.contains(&"migration-rehearsal"),
    }
}

impl Jobs for Run<'_> {
    type Made = Report;

    /// Closing any descriptor of a file drops the locks of the whole process on it: two paths to one file take turns, also
    /// where one of them is the other's sidecar, as in `state.db*`.
    fn files(&self, job: usize) -> Vec<Identity> {
        let Some(given) = self.stores.get(job) else {
            return Vec::new();
        };
        let path = fs::canonicalize(given).unwrap_or_else(|_| given.clone());
        let beside = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            Stamp::of(Path::new(&name)).ok().flatten().map(|stamp| stamp.id)
        };
        ["", "-wal", "-shm", "-journal"].into_iter().filter_map(beside).collect()
    }

    fn goes_on(&self) -> bool {
        !self.interrupted.load(Ordering::Relaxed)
    }

    fn work(&self, job: usize) -> Report {
        let path = self.stores.get(job).map_or(Path::new(""), PathBuf::as_path);
        self.examined(path, &self.stop())
    }

    /// SQLite's bound on memory is the process's: a store that hits it beside others may be innocent.
    fn wants_to_be_alone(&self, report: &Report) -> bool {
        report.rows.iter().any(|row| row.detail.contains("out of memory"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_mistake_of_the_doctors_is_a_row_of_its_store_and_tells_nothing_of_it() {
        let args = Args::parse_from(["doctor", "a.db", "b.db"]);
        let run = Run {
            args: &args,
            checks: CHECKS.iter().map(|check| check.id).collect(),
            stores: args.stores.clone(),
            interrupted: Arc::default(),
            private: PrivateFolder::for_stores(&args.stores),
            sandbox: Sandbox::not_asked(),
        };
        let value = "what stands in a cell";
        let report = run.guarded(Path::new("b.db"), || panic!("met {value}"));
        assert_eq!((report.store.as_str(), report.failures()), ("b.db", 1));
        assert_eq!(report.count(Status::Skip), CHECKS.len() - 1);
        let detail = &report.rows[0].detail;
        assert!(
            detail.starts_with("could not look: a mistake in the doctor") && !detail.contains(value),
            "{detail}"
        );
    }
}
