//! Ends what does not end by itself.
//!
//! SQLite calls no progress handler within one call of a function, in `count(*)`, and while it prepares a statement; the system
//! blocks while it opens a FIFO or writes to a pipe without a reader. So one thread looks now and then if something runs
//! beyond its time limit or in spite of a signal: it interrupts it, and if that does not help, it gives it up.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::limits::stop::{Stop, Stopped};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::program::signals::Signals;

/// The interval between two looks. A shorter run pays no more than the thread's start.
const TICK: Duration = Duration::from_millis(50);

/// The time that something may go on after it was interrupted.
const GRACE: Duration = Duration::from_secs(1);

/// The time that the program may go on after a signal without printing anything: what it examines is given up meanwhile, and
/// has to be printed.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// The time that the program may go on after another signal.
const LAST_GRACE_AFTER_ANOTHER: Duration = Duration::from_millis(500);

/// The thread's stack, in bytes: enough to print a report, where no other thread can be had for that.
const STACK: usize = 512 << 10;

/// The function that gives up something that does not end, given the reason to stop.
type GiveUp = Box<dyn FnOnce(Stopped) + Send>;

/// The watchdog; where no thread can be had, it sleeps.
#[derive(Debug, Clone)]
pub(super) struct Watchdog {
    state: Arc<Mutex<WatchdogState>>,
}

#[derive(Default)]
struct WatchdogState {
    next: u64,
    watched: Vec<Watched>,
    /// The time when the program last made progress.
    alive: Option<Instant>,
    /// True if all output is printed and the program ends.
    rests: bool,
}

impl fmt::Debug for WatchdogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchdogState").finish_non_exhaustive()
    }
}

/// Something that must end when its stop says so.
struct Watched {
    number: u64,
    stop: Stop,
    /// The time of the first interrupt.
    since: Option<Instant>,
    give_up: GiveUp,
}

/// A watch, which lasts as long as this lives.
#[derive(Debug)]
pub(super) struct Watch {
    state: Arc<Mutex<WatchdogState>>,
    number: u64,
}

impl Watchdog {
    /// Starts the thread. `end` ends the process, where a signal has come and nothing else ends it; it does not return.
    pub(super) fn start(signals: Signals, end: impl FnOnce() + Send + 'static) -> Self {
        let watchdog = Self { state: Arc::default() };
        let watching = watchdog.clone();
        // Without a thread nothing is watched; all that asks whether to stop still ends.
        let _ = spawn_here(thread::Builder::new().stack_size(STACK), move || watching.run(&signals, end));
        watchdog
    }

    /// Watches something: it is given up, once, where it goes on for too long after `stop` says that it should not.
    pub(super) fn watch(&self, stop: &Stop, give_up: impl FnOnce(Stopped) + Send + 'static) -> Watch {
        let mut state = lock(&self.state);
        let number = state.next;
        state.next += 1;
        state.watched.push(Watched {
            number,
            stop: stop.clone(),
            since: None,
            give_up: Box::new(give_up),
        });
        Watch {
            state: self.state.clone(),
            number,
        }
    }

    /// Notes that the program made progress, which renews its grace after a signal.
    pub(super) fn note_progress(&self) {
        lock(&self.state).alive = Some(Instant::now());
    }

    /// Stops the watch over the process, once all output is printed, so that the exit code stays as it is.
    pub(super) fn disarm(&self) {
        lock(&self.state).rests = true;
    }

    fn run(&self, signals: &Signals, end: impl FnOnce()) {
        let mut since = None;
        let mut grace = (GRACE, LAST_GRACE);
        loop {
            thread::sleep(TICK);
            let now = Instant::now();
            if signals.take_new_signal() {
                if since.is_some() {
                    grace = (Duration::ZERO, LAST_GRACE_AFTER_ANOTHER);
                }
                since = Some(now);
            }
            for (give_up, why) in self.take_overdue(now, grace.0) {
                self.note_progress();
                run_aside(move || give_up(why));
            }
            let WatchdogState { alive, rests, .. } = *lock(&self.state);
            if rests {
                return;
            }
            let last = since.map(|since| alive.map_or(since, |alive| alive.max(since)));
            if last.is_some_and(|last| now.duration_since(last) > grace.1) {
                return end();
            }
        }
    }

    /// Interrupts what should have ended, and takes away what did not end in spite of that.
    fn take_overdue(&self, now: Instant, grace: Duration) -> Vec<(GiveUp, Stopped)> {
        let mut overdue = Vec::new();
        let mut state = lock(&self.state);
        for mut watched in std::mem::take(&mut state.watched) {
            match watched.stop.due() {
                Some(why) if now.duration_since(*watched.since.get_or_insert(now)) >= grace => {
                    overdue.push((watched.give_up, why));
                    continue;
                }
                // Again and again: what begins after an interrupt knows nothing of it.
                Some(_) => watched.stop.interrupt(),
                None => {}
            }
            state.watched.push(watched);
        }
        overdue
    }
}

impl Watch {
    /// Ends the watch. Where the watchdog was faster, it has the last word, and this never returns.
    pub(super) fn end(self) {
        let mut state = lock(&self.state);
        let before = state.watched.len();
        state.watched.retain(|watched| watched.number != self.number);
        let was_there = state.watched.len() < before;
        drop(state);
        if !was_there {
            loop {
                thread::park();
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.state).watched.retain(|watched| watched.number != self.number);
    }
}

/// Starts a thread that has its first turn on this thread's processor, when this one waits or has run for some milliseconds.
///
/// Otherwise an idle processor is woken for it, and once more when the process ends: together that can be a tenth of the time
/// that a small run takes.
fn spawn_here(thread: thread::Builder, work: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    let everywhere = sched_getaffinity(None);
    let go_anywhere = move || {
        if let Ok(everywhere) = &everywhere {
            // Where this is refused, so was the other.
            let _ = sched_setaffinity(None, everywhere);
        }
    };
    if everywhere.is_ok() {
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        let _ = sched_setaffinity(None, &here);
    }
    let started = thread.spawn(move || {
        go_anywhere();
        work();
    });
    go_anywhere();
    started
}

fn lock(state: &Mutex<WatchdogState>) -> MutexGuard<'_, WatchdogState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something that may hang, such as printing, while the watchdog goes on watching. If no thread can be started, the
/// watchdog's own thread runs it.
fn run_aside(work: impl FnOnce() + Send + 'static) {
    let work = Arc::new(Mutex::new(Some(work)));
    let theirs = work.clone();
    if thread::Builder::new().spawn(move || run_once(&theirs)).is_err() {
        run_once(&work);
    }
}

fn run_once(work: &Mutex<Option<impl FnOnce()>>) {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(work) = work {
        work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// Returns a watchdog that does not run by itself, a stop that a signal has come to, and how often it was given up.
    fn watched() -> (Watchdog, Watch, Arc<AtomicBool>, Arc<AtomicUsize>) {
        let watchdog = Watchdog { state: Arc::default() };
        let signal = Arc::new(AtomicBool::new(false));
        let stop = Stop::after(Duration::MAX, signal.clone());
        let given_up = Arc::new(AtomicUsize::new(0));
        let count = given_up.clone();
        let watch = watchdog.watch(&stop, move |why| {
            assert_eq!(why, Stopped::Interrupted);
            count.fetch_add(1, Ordering::Relaxed);
        });
        (watchdog, watch, signal, given_up)
    }

    fn look(watchdog: &Watchdog, now: Instant, grace: Duration) {
        for (give_up, why) in watchdog.take_overdue(now, grace) {
            give_up(why);
        }
    }

    #[test]
    fn what_goes_on_in_spite_of_its_stop_is_given_up_once_and_not_before_its_grace_is_over() {
        let (watchdog, watch, signal, given_up) = watched();
        let now = Instant::now();
        look(&watchdog, now, GRACE);
        signal.store(true, Ordering::Relaxed);
        // In milliseconds after the first look that sees the signal.
        for (after, wanted) in [(0, 0), (500, 0), (999, 0), (1_000, 1), (9_000, 1)] {
            look(&watchdog, now + Duration::from_millis(after), GRACE);
            assert_eq!(given_up.load(Ordering::Relaxed), wanted, "{after}");
        }
        drop(watch);
    }

    #[test]
    fn what_has_ended_is_not_given_up_and_after_another_signal_nothing_is_waited_for() {
        let (watchdog, watch, signal, given_up) = watched();
        signal.store(true, Ordering::Relaxed);
        let now = Instant::now();
        look(&watchdog, now, GRACE);
        watch.end();
        look(&watchdog, now + 2 * GRACE, GRACE);
        assert_eq!(given_up.load(Ordering::Relaxed), 0);

        let (watchdog, _watch, signal, given_up) = watched();
        signal.store(true, Ordering::Relaxed);
        look(&watchdog, now, Duration::ZERO);
        assert_eq!(given_up.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn whoever_is_slower_than_the_watchdog_never_comes_back() {
        let (watchdog, watch, signal, given_up) = watched();
        signal.store(true, Ordering::Relaxed);
        look(&watchdog, Instant::now(), Duration::ZERO);
        let slower = thread::spawn(move || watch.end());
        thread::sleep(Duration::from_millis(50));
        assert!(!slower.is_finished() && given_up.load(Ordering::Relaxed) == 1);
    }
}
