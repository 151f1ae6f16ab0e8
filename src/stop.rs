//! When to stop looking: the time limit, or the user's Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::progress::Progress;

/// Why a look ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The time limit for this store ran out.
    #[error("the time limit of {} s ran out", .0.as_secs_f64())]
    TimeLimit(Duration),
    /// The user (or the system) asked the program to end.
    #[error("interrupted")]
    Interrupted,
}

/// A token that every long loop asks, and that SQLite's progress handler asks for it.
#[derive(Debug, Clone)]
pub struct Stop {
    limit: Option<(Duration, Instant)>,
    interrupted: Arc<AtomicBool>,
    progress: Option<Arc<Progress>>,
}

impl Stop {
    /// A token that says stop `limit` from now, or as soon as `interrupted` is set.
    pub fn after(limit: Duration, interrupted: Arc<AtomicBool>) -> Self {
        // A limit too far away to be counted is none.
        let limit = Instant::now().checked_add(limit).map(|at| (limit, at));
        Self {
            limit,
            interrupted,
            progress: None,
        }
    }

    /// A token that never says stop.
    pub fn never() -> Self {
        Self {
            limit: None,
            interrupted: Arc::default(),
            progress: None,
        }
    }

    /// The same token, which also drives this progress each time that it is asked.
    #[must_use]
    pub fn showing(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Says which check begins, on a store of so many pages.
    pub(crate) fn begin(&self, check: &'static str, pages: u64) {
        if let Some(progress) = &self.progress {
            progress.begin(check, pages);
        }
    }

    /// Says that so many more rows were read.
    pub(crate) fn read(&self, rows: u64) {
        if let Some(progress) = &self.progress {
            progress.read(rows);
        }
    }

    /// Why to stop now, if there is a reason.
    pub fn reason(&self) -> Option<Stopped> {
        if let Some(progress) = &self.progress {
            progress.tick();
        }
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        self.limit
            .and_then(|(limit, at)| (Instant::now() >= at).then_some(Stopped::TimeLimit(limit)))
    }

    /// `Ok` to go on.
    ///
    /// # Errors
    /// The reason to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        self.reason().map_or(Ok(()), Err)
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
}
