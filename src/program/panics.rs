//! The program's panic hook: nothing is printed to standard error, and the place is kept for the row or message that reports it.

use std::panic::PanicHookInfo;

use crate::error::internal_error;

/// Remembers where a panic is.
pub(super) fn remember_place(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| {
        // A dependency's path begins in a home folder, whose name is private.
        let file = if at.file().starts_with('/') {
            at.file().rsplit('/').next()
        } else {
            Some(at.file())
        };
        format!(" at {}:{}", file.unwrap_or_default(), at.line())
    });
    internal_error::remember_place(place);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::error::internal_error::catch_panic;
    use std::{panic, thread};

    #[test]
    fn a_mistake_says_where_it_was_and_tells_nothing_of_a_store() {
        let before = panic::take_hook();
        panic::set_hook(Box::new(remember_place));
        let value = "what stands in a cell";
        let work = move || {
            [
                catch_panic(|| panic!("own words")),
                catch_panic(|| panic!("met {value}")),
            ]
        };
        let said: Vec<String> = work()
            .into_iter()
            .chain(thread::spawn(work).join().unwrap())
            .map(|caught: Result<()>| caught.unwrap_err().to_string())
            .collect();
        panic::set_hook(before);
        for said in &said {
            assert!(
                said.starts_with("a mistake in the doctor, please report it: panic at src/program/panics.rs:"),
                "{said}"
            );
            assert!(!said.contains(value), "{said}");
        }
        assert!(said[0].ends_with(": own words") && said[2].ends_with(": own words"), "{said:?}");
    }
}
