//! The interface through which a caller ends a long read, and learns how far it has come.

/// The error of a read that its [`Interrupt`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// A caller's way to end a long read. Every long loop asks it, from several threads.
///
/// A closure that returns a `bool` is one:
///
/// ```
/// use std::time::{Duration, Instant};
/// use sqlite_format::interrupt::Interrupt;
///
/// let end = Instant::now() + Duration::from_secs(5);
/// let limit = move || Instant::now() >= end;
/// assert!(!limit.is_due());
/// ```
pub trait Interrupt: Sync {
    /// Returns `true` when the read must end now.
    fn is_due(&self) -> bool;

    /// Notes that `pages` more pages were read.
    fn pages_read(&self, pages: u64) {
        let _ = pages;
    }
}

impl<F: Fn() -> bool + Sync> Interrupt for F {
    fn is_due(&self) -> bool {
        self()
    }
}

/// An [`Interrupt`] that never ends a read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Interrupt for Never {
    fn is_due(&self) -> bool {
        false
    }
}
