//! The token that ends an examination: at the time limit or at Ctrl-C; it also interrupts statements that do not ask.
//!
//! Not part of the library's interface: it is public only because tests of the reader are other crates.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlite_format::interrupt::Interrupt;

use crate::findings::check_id::CheckId;
use crate::limits::progress::Ticker;

/// The reason for which reading ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The time limit for this store ran out.
    #[error("the time limit of {} s ran out", .0.as_secs_f64())]
    TimeLimit(Duration),
    /// The user (or the system) asked the program to end.
    #[error("interrupted")]
    Interrupted,
    /// A lock was held for as long as the store's writers may be kept waiting.
    #[error(
        "the store is being written to, and reading it would keep its writers waiting for more than {} s",
        .0.as_secs_f64()
    )]
    WritersWait(Duration),
}

/// A token that every long loop asks, and that SQLite's progress handler asks for it.
#[derive(Debug, Clone)]
pub struct Stop {
    limit: Option<(Duration, Instant)>,
    interrupted: Arc<AtomicBool>,
    progress: Option<Arc<Ticker>>,
    hold: Option<Arc<Hold>>,
    running: Arc<Mutex<RunningStatements>>,
}

/// A lock for which writers wait.
#[derive(Debug)]
struct Hold {
    /// The longest time for which it may be held.
    most: Duration,
    /// The last time at which it was waited for: it has been held for no longer.
    since: Mutex<Instant>,
    /// Set when a reader was stopped because it was held for long enough.
    ran_out: AtomicBool,
}

impl Hold {
    fn since(&self) -> MutexGuard<'_, Instant> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running statements that may not ask for long, each with its interrupt.
#[derive(Default)]
struct RunningStatements {
    next: u64,
    interrupts: Vec<(u64, Box<dyn Fn() + Send + Sync>)>,
}

impl fmt::Debug for RunningStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningStatements").finish_non_exhaustive()
    }
}

/// Keeps an interrupt known to a [`Stop`] as long as this lives.
#[derive(Debug)]
pub(crate) struct Interruptible {
    number: u64,
    running: Arc<Mutex<RunningStatements>>,
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        lock(&self.running).interrupts.retain(|(number, _)| *number != self.number);
    }
}

fn lock(running: &Mutex<RunningStatements>) -> MutexGuard<'_, RunningStatements> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stop {
    /// Creates a token that says stop `limit` from now, or as soon as `interrupted` is set.
    pub fn after(limit: Duration, interrupted: Arc<AtomicBool>) -> Self {
        // A limit too far away to be counted is no limit.
        let limit = Instant::now().checked_add(limit).map(|at| (limit, at));
        Self {
            limit,
            interrupted,
            progress: None,
            hold: None,
            running: Arc::default(),
        }
    }

    /// Creates a token that never says stop.
    pub fn never() -> Self {
        Self {
            limit: None,
            interrupted: Arc::default(),
            progress: None,
            hold: None,
            running: Arc::default(),
        }
    }

    /// Returns this token, which then also drives this progress each time that it is asked.
    #[must_use]
    pub(crate) fn showing(mut self, progress: Arc<Ticker>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Returns a clone of this token that also says stop when a lock has been held for so long.
    pub(crate) fn holding(&self, most: Duration) -> Self {
        let hold = Hold {
            most,
            since: Mutex::new(Instant::now()),
            ran_out: AtomicBool::new(false),
        };
        Self {
            hold: Some(Arc::new(hold)),
            ..self.clone()
        }
    }

    /// Says that the lock is not held yet.
    pub(crate) fn waiting(&self) {
        if let Some(hold) = &self.hold {
            *hold.since() = Instant::now();
        }
    }

    /// Returns true if the examination was stopped because the lock was held for too long.
    pub(crate) fn hold_ran_out(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.ran_out.load(Ordering::Relaxed))
    }

    /// Says which check begins, on a store of so many pages.
    pub(crate) fn begin(&self, check: CheckId, pages: u64) {
        if let Some(progress) = &self.progress {
            progress.begin(check, pages);
        }
    }

    /// Says that all checks have ended, and something else begins.
    pub(crate) fn ends_checks(&self) {
        if let Some(progress) = &self.progress {
            progress.ends_checks();
        }
    }

    /// Says that so many more rows were read.
    pub(crate) fn read(&self, rows: u64) {
        if let Some(progress) = &self.progress {
            progress.read(rows);
        }
    }

    /// Says that so many pages are read from now on, or that this has ended, with 0.
    pub(crate) fn reads_pages(&self, pages: u64) {
        if let Some(progress) = &self.progress {
            progress.reads_pages(pages);
        }
    }

    /// Returns the reason to stop now, if there is one.
    pub(crate) fn reason(&self) -> Option<Stopped> {
        if let Some(progress) = &self.progress {
            progress.tick();
        }
        self.due()
    }

    /// Returns the reason to stop now as [`Stop::reason`] does, for the watchdog: it drives no progress, and so never waits for a
    /// terminal that takes no output.
    pub(crate) fn due(&self) -> Option<Stopped> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        if let Some((limit, at)) = self.limit
            && Instant::now() >= at
        {
            return Some(Stopped::TimeLimit(limit));
        }
        let hold = self.hold.as_ref().filter(|hold| hold.since().elapsed() >= hold.most)?;
        hold.ran_out.store(true, Ordering::Relaxed);
        Some(Stopped::WritersWait(hold.most))
    }

    /// Registers the interrupt of something that may run for long without asking, such as a statement of SQLite's, until the
    /// result is dropped.
    pub(crate) fn interruptible(&self, interrupt: impl Fn() + Send + Sync + 'static) -> Interruptible {
        let mut running = lock(&self.running);
        let number = running.next;
        running.next += 1;
        running.interrupts.push((number, Box::new(interrupt)));
        Interruptible {
            number,
            running: self.running.clone(),
        }
    }

    /// Interrupts all that is registered. A statement that begins afterwards is not interrupted, because SQLite forgets an
    /// interrupt when none runs: so the watchdog calls this again until the work has ended.
    pub(crate) fn interrupt(&self) {
        for (_, interrupt) in &lock(&self.running).interrupts {
            interrupt();
        }
    }

    /// Returns the reason for an [`Interrupted`](sqlite_format::interrupt::Interrupted) read: the reader knows that it was
    /// stopped, and only the token knows why.
    pub(crate) fn why_interrupted(&self) -> Stopped {
        self.due().unwrap_or(Stopped::Interrupted)
    }

    /// Returns `Ok` when the work may go on.
    ///
    /// # Errors
    /// Fails with the reason to stop.
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.reason().map_or(Ok(()), Err)
    }
}

/// The crate that reads the file format asks no more than this of a token.
impl Interrupt for Stop {
    fn is_due(&self) -> bool {
        self.reason().is_some()
    }

    fn pages_read(&self, pages: u64) {
        if let Some(progress) = &self.progress {
            progress.pages_read(pages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_has_run_out_and_a_limit_without_end_never_does() {
        let flag = Arc::new(AtomicBool::new(false));
        let none = Stop::after(Duration::ZERO, flag.clone());
        assert_eq!(none.reason(), Some(Stopped::TimeLimit(Duration::ZERO)));
        let endless = Stop::after(Duration::MAX, flag.clone());
        assert_eq!(endless.reason(), None);
        flag.store(true, Ordering::Relaxed);
        assert_eq!(endless.reason(), Some(Stopped::Interrupted));
    }

    #[test]
    fn a_lock_is_held_from_when_it_was_last_waited_for() {
        const MOST: Duration = Duration::from_millis(300);
        let held = Stop::never().holding(MOST);
        std::thread::sleep(MOST);
        held.waiting();
        assert_eq!((held.reason(), held.hold_ran_out()), (None, false));
        std::thread::sleep(MOST);
        assert_eq!(held.reason(), Some(Stopped::WritersWait(MOST)));
        assert!(held.hold_ran_out());
    }

    #[test]
    fn what_is_running_is_interrupted_and_what_has_ended_is_not() {
        let stop = Stop::never();
        let count = |n: &Arc<std::sync::atomic::AtomicUsize>| {
            let n = n.clone();
            move || {
                n.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (one, other) = (Arc::default(), Arc::default());
        let running = stop.interruptible(count(&one));
        // A clone is the same token.
        let ended = stop.clone().interruptible(count(&other));
        stop.interrupt();
        drop(ended);
        stop.interrupt();
        assert_eq!((one.load(Ordering::Relaxed), other.load(Ordering::Relaxed)), (2, 1));
        drop(running);
    }
}
