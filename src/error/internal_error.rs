//! Internal errors: a panic becomes an error that says where it was, and costs no more than the work that panicked.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use crate::error::{Error, Result};

thread_local! {
    /// The place of this thread's last panic.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Remembers where this thread has just panicked, for the error that [`catch_panic`] returns.
pub(crate) fn remember_place(place: String) {
    PANICKED_AT.with(|at| at.replace(place));
}

/// Runs `work` and turns a panic into an error, with its place if a panic hook remembered that.
///
/// # Errors
/// Fails with [`Error::Internal`] if it panics.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| error_of(panic.as_ref()))
}

/// Returns the error of a panic. Its message is kept only when it is a literal of the program: another may hold content of a
/// store.
fn error_of(panic: &(dyn Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().map_or_else(String::new, |words| format!(": {words}"));
    let place = PANICKED_AT.with(RefCell::take);
    Error::Internal(format!("panic{place}{words}"))
}
