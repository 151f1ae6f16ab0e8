//! What is running now and how far it has come, for somebody who waits. Costs nothing where nobody watches.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::check_id::CheckId;

/// How far an examination has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    pub(crate) check: Option<CheckId>,
    pub(crate) rows: u64,
    pub(crate) pages: u64,
    pub(crate) elapsed: Duration,
}

impl Progress {
    /// The check that runs; `None` before the first.
    pub fn check(&self) -> Option<CheckId> {
        self.check
    }

    /// How many rows that check has read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many pages the store has.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// How long the whole examination has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// What shows the state to somebody.
type Show = Box<dyn Fn(&Progress) + Send + Sync>;

/// The state of one examination, and how often somebody wants to see it.
///
/// It has no thread of its own: whoever asks whether to stop, as every long loop and SQLite's progress handler do, also
/// drives it.
pub(crate) struct Ticker {
    begun: Instant,
    every: Duration,
    /// When to show next, in milliseconds after the beginning.
    due: AtomicU64,
    check: Mutex<Option<CheckId>>,
    rows: AtomicU64,
    pages: AtomicU64,
    show: Show,
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

impl Ticker {
    /// A state that is shown for the first time `first` from now, and from then on `every` so often.
    pub(crate) fn new(first: Duration, every: Duration, show: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self {
            begun: Instant::now(),
            every,
            due: AtomicU64::new(millis(first)),
            check: Mutex::new(None),
            rows: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            show: Box::new(show),
        }
    }

    /// A check begins on a store of so many pages.
    pub(crate) fn begin(&self, check: CheckId, pages: u64) {
        if let Ok(mut running) = self.check.lock() {
            *running = Some(check);
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
            (self.show)(&Progress {
                check: self.check.lock().map_or(None, |check| *check),
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
        let show = move |now: &Progress| shown.lock().unwrap().push((now.check, now.rows, now.pages));
        let progress = Ticker::new(Duration::ZERO, Duration::from_secs(3600), show);
        progress.begin(CheckId::RowValues, 9);
        progress.read(1024);
        progress.tick();
        progress.tick();
        assert_eq!(*seen.lock().unwrap(), [(Some(CheckId::RowValues), 1024, 9)]);

        let never = Ticker::new(Duration::from_secs(3600), Duration::ZERO, |_| panic!("not due"));
        never.tick();
    }
}
