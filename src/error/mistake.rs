//! Mistakes of the doctor's own: a panic becomes an error that says where it was, and costs no more than what panicked.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use crate::error::{Error, Result};

thread_local! {
    /// Where this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Remembers where this thread has just panicked, for the error that becomes of it.
pub(crate) fn remember(place: String) {
    PANICKED_AT.with(|at| at.replace(place));
}

/// Does something; where it panics, says so as an error, with the place where a panic hook remembers it.
///
/// # Errors
/// [`Error::Mistake`] where it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| of_panic(panic.as_ref()))
}

/// What panicked, with its words where they are the program's own: others may hold what a store holds.
fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().map_or_else(String::new, |words| format!(": {words}"));
    let place = PANICKED_AT.with(RefCell::take);
    Error::Mistake(format!("panic{place}{words}"))
}
