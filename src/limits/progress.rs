//! The progress of an examination, for a user who waits. It costs nothing when it is not shown.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::findings::check_id::CheckId;

/// The progress of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    pub(crate) check: Option<CheckId>,
    pub(crate) rows: u64,
    pub(crate) pages: u64,
    pub(crate) pages_read: u64,
    pub(crate) left: Option<Duration>,
    pub(crate) elapsed: Duration,
}

impl Progress {
    /// Returns the check that runs; `None` before the first.
    pub fn check(&self) -> Option<CheckId> {
        self.check
    }

    /// Returns the number of rows that this check has read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of pages of the store.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Returns the number of pages that this check has read, if it reads each of them once; otherwise 0.
    pub fn pages_read(&self) -> u64 {
        self.pages_read
    }

    /// Returns an estimate of the time for the rest of the pages, from that for the first ones.
    pub fn left(&self) -> Option<Duration> {
        self.left
    }

    /// Returns the time that the whole examination has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// The callback that shows the progress.
type Show = Box<dyn Fn(&Progress) + Send + Sync>;

/// The progress of one examination and the interval at which it is shown.
///
/// It has no thread of its own: each question to the stop, which every long loop and SQLite's progress handler ask, also drives
/// it.
pub(crate) struct Ticker {
    begun: Instant,
    every: Duration,
    /// The time of the next showing, in milliseconds after the beginning.
    due: AtomicU64,
    check: Mutex<Option<CheckId>>,
    rows: AtomicU64,
    pages: AtomicU64,
    pages_read: AtomicU64,
    /// The time at which the first page was read, in milliseconds after the beginning.
    reads_since: AtomicU64,
    show: Show,
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

impl Ticker {
    /// Creates a progress that is shown for the first time after `first`, and from then on at intervals of `every`.
    pub(crate) fn new(first: Duration, every: Duration, show: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self {
            begun: Instant::now(),
            every,
            due: AtomicU64::new(millis(first)),
            check: Mutex::new(None),
            rows: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            pages_read: AtomicU64::new(0),
            reads_since: AtomicU64::new(0),
            show: Box::new(show),
        }
    }

    /// Notes that a check begins, on a store of so many pages.
    pub(crate) fn begin(&self, check: CheckId, pages: u64) {
        if let Ok(mut running) = self.check.lock() {
            *running = Some(check);
        }
        self.rows.store(0, Ordering::Relaxed);
        self.pages.store(pages, Ordering::Relaxed);
        self.pages_read.store(0, Ordering::Relaxed);
    }

    /// Notes that all checks have ended and something else begins.
    pub(crate) fn ends_checks(&self) {
        if let Ok(mut running) = self.check.lock() {
            *running = None;
        }
        self.rows.store(0, Ordering::Relaxed);
    }

    /// Notes that each of so many pages is read from now on; with 0, that this has ended.
    pub(crate) fn reads_pages(&self, pages: u64) {
        if pages > 0 {
            self.pages.store(pages, Ordering::Relaxed);
        }
        self.pages_read.store(0, Ordering::Relaxed);
        self.reads_since.store(millis(self.begun.elapsed()), Ordering::Relaxed);
    }

    /// Notes that so many more pages were read.
    pub(crate) fn pages_read(&self, pages: u64) {
        self.pages_read.fetch_add(pages, Ordering::Relaxed);
    }

    /// Notes that so many more rows were read.
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
            let pages = self.pages.load(Ordering::Relaxed);
            let pages_read = self.pages_read.load(Ordering::Relaxed).min(pages);
            let reading = millis(elapsed).saturating_sub(self.reads_since.load(Ordering::Relaxed));
            (self.show)(&Progress {
                check: self.check.lock().map_or(None, |check| *check),
                rows: self.rows.load(Ordering::Relaxed),
                pages,
                pages_read,
                left: left(reading, pages_read, pages),
                elapsed,
            });
        }
    }
}

/// Returns the time for the rest of the pages, from the milliseconds for those that are done.
fn left(millis: u64, done: u64, of: u64) -> Option<Duration> {
    let rest = millis.checked_mul(of.saturating_sub(done))?;
    rest.checked_div(done).map(Duration::from_millis)
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

        progress.reads_pages(12);
        progress.pages_read(3);
        progress.begin(CheckId::ForeignKeys, 9);
        assert_eq!(progress.pages_read.load(Ordering::Relaxed), 0, "another check begins");

        progress.read(5);
        progress.ends_checks();
        assert_eq!((*progress.check.lock().unwrap(), progress.rows.load(Ordering::Relaxed)), (None, 0));

        let never = Ticker::new(Duration::from_secs(3600), Duration::ZERO, |_| panic!("not due"));
        never.tick();
    }

    #[test]
    fn what_is_left_follows_from_what_was_done() {
        assert_eq!(left(200, 50, 150), Some(Duration::from_millis(400)));
        assert_eq!(left(200, 150, 150), Some(Duration::ZERO));
        assert_eq!(left(200, 0, 150), None);
    }
}
