//! Are the pages, trees and indexes whole? The doctor's own reader says where they are; otherwise SQLite's own integrity check
//! says what is wrong, grouped for people.
//!
//! `integrity` runs SQLite's check, `left_out` says what it could not look at, `lines` parses its lines and groups them by place,
//! and `verdict` sums them up.

mod integrity;
mod left_out;
mod lines;
mod verdict;

use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::PageStructure,
    summary: "SQLite's integrity check: pages, trees, indexes, constraints",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    // There is nothing that was left out: what the reader does not understand, it does not call sound.
    if let Some(pages) = context.sound()?.pages {
        return Ok(Outcome::pass(checked(pages)));
    }
    let mut looked = integrity::look(context, handle)?;
    if let Some(error) = looked.error.take() {
        // If a limit of the doctor's own ended the check, what it found before that is reported; if it found nothing, there is no answer.
        if error.stopped().is_some() || (error.is_own_bound() && looked.lines.is_empty()) {
            return Err(error);
        }
        looked.error = Some(error);
    }
    if !context.application.is_known_by_heart() {
        looked.excuse_missing_tokenizers(handle)?;
    }
    let missing = match left_out::missing_modules(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        missing => missing.unwrap_or_default(),
    };
    let left_out = missing.into_iter().chain(looked.left_out());
    let left_out: Vec<String> = left_out.map(|words| format!("not checked: {words}")).collect();
    if looked.lines.is_empty() && looked.error.is_none() && looked.refused.is_empty() {
        let pages = u64::try_from(handle.number("PRAGMA page_count")?).unwrap_or(0);
        return Ok(Outcome::pass([vec![checked(pages)], left_out].concat().join("; ")));
    }
    verdict::outcome(handle, looked, left_out)
}

fn checked(pages: u64) -> String {
    format!("{} checked", plural(pages, "page", "pages"))
}
