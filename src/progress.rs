//! What is running now and how far it has come, for somebody who waits. Costs nothing where nobody watches.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is running now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The check that runs; empty before the first.
    pub check: &'static str,
    /// How many rows it has read.
    pub rows: u64,
    /// How many pages the store has.
    pub pages: u64,
    /// How long the whole examination has taken so far.
    pub elapsed: Duration,
}

/// What shows the state to somebody.
type Show = Box<dyn Fn(&Now) + Send + Sync>;

/// The state of one examination, and how often somebody wants to see it.
///
/// It has no thread of its own: whoever asks whether to stop, as every long loop and SQLite's progress handler do, also
/// drives it.
pub struct Progress {
    begun: Instant,
    every: Duration,
    /// When to show next, in milliseconds after the beginning.
    due: AtomicU64,
    check: Mutex<&'static str>,
    rows: AtomicU64,
    pages: AtomicU64,
    show: Show,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

impl Progress {
    /// A state that is shown for the first time `first` from now, and from then on `every` so often.
    pub fn new(first: Duration, every: Duration, show: impl Fn(&Now) + Send + Sync + 'static) -> Self {
        Self {
            begun: Instant::now(),
            every,
            due: AtomicU64::new(millis(first)),
            check: Mutex::new(""),
            rows: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            show: Box::new(show),
        }
    }

    /// A check begins on a store of so many pages.
    pub(crate) fn begin(&self, check: &'static str, pages: u64) {
        if let Ok(mut running) = self.check.lock() {
            *running = check;
        }
        self.rows.store(0, Ordering::Relaxed);
        self.pages.store(pages, Ordering::Relaxed);
    }

    /// So many more rows were read.
    pub(crate) fn read(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Shows the state if it is time to.
    pub(crate) fn tick(&self) {
        let elapsed = self.begun.elapsed();
        let due = self.due.load(Ordering::Relaxed);
        if millis(elapsed) < due {
            return;
        }
        let next = millis(elapsed + self.every);
        // Of several threads that come at once, one shows it.
        if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            (self.show)(&Now {
                check: self.check.lock().map_or("", |check| *check),
                rows: self.rows.load(Ordering::Relaxed),
                pages: self.pages.load(Ordering::Relaxed),
                elapsed,
            });
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn it_is_shown_when_it_is_due_and_not_before() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = seen.clone();
        let show = move |now: &Now| shown.lock().unwrap().push((now.check, now.rows, now.pages));
        let progress = Progress::new(Duration::ZERO, Duration::from_secs(3600), show);
        progress.begin("row-values", 9);
        progress.read(1024);
        progress.tick();
        progress.tick();
        assert_eq!(*seen.lock().unwrap(), [("row-values", 1024, 9)]);

        let never = Progress::new(Duration::from_secs(3600), Duration::ZERO, |_| panic!("not due"));
        never.tick();
    }
}
