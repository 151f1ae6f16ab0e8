//! Examines several stores, on as many threads as there are cores, and prints their reports in order.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

use crate::error::Error;
use crate::examine::Answers;
use crate::limits::stop::Stop;
use crate::probe::FileStat;
use crate::program::EXIT_PIPE_CLOSED;
use crate::program::meter::Meter;
use crate::program::output::{Output, print};
use crate::program::pool::{self, GiveUp, Identity, Jobs};
use crate::program::session::Session;
use crate::program::watchdog::Watch;
use crate::report::{Report, Status};

/// The most stores that are examined at once: as many as find room within SQLite's bound on memory.
const MOST_THREADS: usize = 8;

struct Fleet {
    session: Arc<Session>,
    printer: Mutex<Printer>,
}

/// Prints reports as they come, and counts.
struct Printer {
    output: Output,
    meter: Meter,
    done: usize,
    failed: usize,
    skipped: usize,
}

/// One store, under examination.
struct Task {
    job: usize,
    path: PathBuf,
    stop: Stop,
    answers: Answers,
    _watch: Watch,
}

/// Examines the stores and prints their reports; the exit code.
pub(super) fn examine(session: &Arc<Session>) -> Result<u8> {
    let count = session.stores.len();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count).min(MOST_THREADS);
    let fleet = Arc::new(Fleet {
        session: session.clone(),
        printer: Mutex::new(Printer {
            output: Output::new(&session.args),
            meter: Meter::new(),
            done: 0,
            failed: 0,
            skipped: 0,
        }),
    });
    let mut trouble = None;
    let mut broken = false;
    pool::run_in_order(&fleet, count, threads, |report| {
        let mut printer = fleet.printer();
        let ended = report.map(|report| {
            let ended = printer.print(&report);
            session.watchdog.note_progress();
            ended
        });
        printer.meter.stores(printer.done, count);
        match ended {
            None | Some(Ok(ControlFlow::Continue(()))) => return ControlFlow::Continue(()),
            Some(Ok(ControlFlow::Break(()))) => broken = true,
            Some(Err(error)) => trouble = Some(error),
        }
        // The output is closed, so running examinations end at once.
        session.signals.interrupt();
        ControlFlow::Break(())
    });
    let printer = fleet.printer();
    printer.meter.clear();
    if let Some(error) = trouble {
        return Err(error);
    }
    let (done, failed) = (printer.done, printer.failed > 0);
    if broken {
        let said = failed || done == count;
        return Ok(if said { u8::from(failed) } else { EXIT_PIPE_CLOSED });
    }
    if done < count {
        let left = count - done;
        let _ = writeln!(io::stderr(), "doctor: interrupted; {left} of {count} stores were not examined");
    } else {
        let total = printer.output.total(count, printer.failed, printer.skipped);
        let _ = print(total.as_bytes())?;
    }
    Ok(session.exit_code(failed))
}

impl Printer {
    fn print(&mut self, report: &Report) -> Result<ControlFlow<()>> {
        self.done += 1;
        self.failed += usize::from(report.failed());
        self.skipped += report.count(Status::Skip);
        self.meter.clear();
        print(self.output.one_of_many(report).as_bytes())
    }
}

impl Fleet {
    fn printer(&self) -> MutexGuard<'_, Printer> {
        self.printer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs for Fleet {
    type Task = Task;
    type Made = Report;

    fn begin(&self, job: usize, give_up: GiveUp<Report>) -> Task {
        let path = self.session.stores.get(job).cloned().unwrap_or_default();
        let stop = self.session.stop();
        let answers = self.session.answers(&path, &stop);
        let so_far = answers.clone();
        let watch = self.session.watchdog.watch(&stop, move |why| {
            give_up(so_far.report_aborted(&Error::Stuck(why)).at(job));
        });
        Task {
            job,
            path,
            stop,
            answers,
            _watch: watch,
        }
    }

    /// Closing any descriptor of a file drops the locks of the whole process on it: two paths to one file take turns, also
    /// where one of them is the other's sidecar, as in `state.db*`.
    fn files(&self, task: &Task) -> Vec<Identity> {
        let path = fs::canonicalize(&task.path).unwrap_or_else(|_| task.path.clone());
        let beside = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            FileStat::of(Path::new(&name)).ok().flatten().map(|stamp| stamp.id)
        };
        ["", "-wal", "-shm", "-journal"].into_iter().filter_map(beside).collect()
    }

    fn work(&self, task: Task) -> Report {
        self.session.report(&task.answers, &task.path, &task.stop).at(task.job)
    }

    fn should_continue(&self) -> bool {
        !self.session.signals.is_interrupted()
    }

    /// SQLite's bound on memory is the process's: a store that hits it beside others may be innocent.
    fn needs_exclusive_run(&self, report: &Report) -> bool {
        report.failed() && report.short_of_memory
    }

    fn receiver_is_lost(&self, report: Report) {
        let mut printer = self.printer();
        let _ = printer.print(&report);
        let (count, done) = (self.session.stores.len(), printer.done);
        if done < count {
            let left = count - done;
            let _ = writeln!(
                io::stderr(),
                "doctor: a store could not be interrupted, and there was no thread for the others; {left} of {count} stores were not examined"
            );
        }
        self.session.exit_process(self.session.exit_code(true))
    }
}
