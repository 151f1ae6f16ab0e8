//! Mistakes of the doctor's own: a panic becomes an error that says where it was, and costs no more than what panicked.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::{Error, Result};

thread_local! {
    /// Where this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Remembers where a panic is, and keeps it from standard error: a program's panic hook.
pub fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| {
        // A dependency's path begins in somebody's home folder.
        let file = if at.file().starts_with('/') {
            at.file().rsplit('/').next()
        } else {
            Some(at.file())
        };
        format!(" at {}:{}", file.unwrap_or_default(), at.line())
    });
    PANICKED_AT.with(|at| at.replace(place));
}

/// Does something; where it panics, says so as an error, with the place where the hook [`note`] is in use.
///
/// # Errors
/// [`Error::Mistake`] where it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| of_panic(panic.as_ref()))
}

/// What panicked, with its words where they are the program's own: others may hold what a store holds.
fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().map_or_else(String::new, |words| format!(": {words}"));
    let place = PANICKED_AT.with(RefCell::take);
    Error::Mistake(format!("panic{place}{words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_mistake_says_where_it_was_and_tells_nothing_of_a_store() {
        let before = panic::take_hook();
        panic::set_hook(Box::new(note));
        let value = "what stands in a cell";
        let work = move || [caught(|| panic!("own words")), caught(|| panic!("met {value}"))];
        let said: Vec<String> = work()
            .into_iter()
            .chain(thread::spawn(work).join().unwrap())
            .map(|caught: Result<()>| caught.unwrap_err().to_string())
            .collect();
        panic::set_hook(before);
        for said in &said {
            assert!(
                said.starts_with("a mistake in the doctor, please report it: panic at src/mistake.rs:"),
                "{said}"
            );
            assert!(!said.contains(value), "{said}");
        }
        assert!(said[0].ends_with(": own words") && said[2].ends_with(": own words"), "{said:?}");
    }
}
