//! Are the pages, trees and indexes whole? SQLite's own integrity check, grouped for people.

mod indexes;
mod integrity;
mod lines;

use self::integrity::Looked;
use self::lines::{Damage, Groups};
use crate::check::{Check, Findings, Input, KEEP_AND_SAVE, Needs, Outcome};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::Result;
use crate::store::ReadOnly;
use crate::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::PageStructure,
    summary: "SQLite's integrity check: pages, trees, indexes, constraints",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let mut looked = integrity::look(context, handle)?;
    if let Some(error) = looked.error.take() {
        // What was found before the doctor's own bound ended it is told; nothing found is no answer.
        if error.stopped().is_some() || (error.is_own_bound() && looked.lines.is_empty()) {
            return Err(error);
        }
        looked.error = Some(error);
    }
    let missing = match integrity::missing_modules(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        missing => missing.unwrap_or_default(),
    };
    let left_out = missing.into_iter().chain(looked.left_out());
    let left_out: Vec<String> = left_out.map(|words| format!("not checked: {words}")).collect();
    if looked.lines.is_empty() && looked.error.is_none() && looked.refused.is_empty() {
        let pages = u64::try_from(handle.number("PRAGMA page_count")?).unwrap_or(0);
        let checked = format!("{} checked", plural(pages, "page", "pages"));
        return Ok(Outcome::pass([vec![checked], left_out].concat().join("; ")));
    }
    outcome(handle, looked, left_out)
}

/// The verdict that matters, the places, and what to do.
fn outcome(handle: &ReadOnly, looked: Looked, left_out: Vec<String>) -> Result<Outcome> {
    let mut findings = Findings::default();
    let mut groups = Groups::of(looked.lines, handle)?;
    if let Some(error) = looked.error {
        groups.count(Damage::NotChecked, None, error.to_string());
    }
    for (table, why) in looked.refused {
        groups.count(Damage::Refused, Some(table), why);
    }
    let detail = [vec![verdict(&groups).to_owned()], left_out].concat().join("; ");
    let remedy = remedy(&groups);
    for finding in groups.into_findings() {
        findings.add(|| finding);
    }
    findings.at_least = looked.at_least;
    Ok(Outcome::found(detail, remedy, findings))
}

fn verdict(groups: &Groups) -> &'static str {
    if groups.has(Damage::Rows) {
        "pages that hold rows are damaged"
    } else if groups.has(Damage::NotChecked) {
        "not everything could be checked: whether data is lost is not known"
    } else if groups.has(Damage::Index) {
        "only an index is wrong: no data is lost"
    } else if groups.has(Damage::Constraint) {
        "rows hold values that their columns or a unique index forbid: no data is lost"
    } else if groups.has(Damage::Refused) {
        "a virtual table could not be checked, because its own module refuses it: whether it is damaged is not known"
    } else {
        "pages are unaccounted for: no data is lost, only room"
    }
}

fn remedy(groups: &Groups) -> &'static str {
    if groups.has(Damage::Rows) || groups.has(Damage::NotChecked) {
        KEEP_AND_SAVE
    } else if groups.has(Damage::Index) {
        "stop banger, keep a copy of the store, then make the index anew, in a second copy first: sqlite3 -safe STORE REINDEX"
    } else if groups.has(Damage::Constraint) {
        "stop banger, keep a copy of the store, and give these rows a value that banger would write; of two rows with one name or address, let banger remove one"
    } else if groups.has(Damage::Refused) {
        "keep a copy of the store, and let the program that made this table open it: it may have what the doctor lacks (a tokenizer, an option); if that program refuses it as well, let it make the table anew; the ordinary tables were checked"
    } else {
        "banger can go on as it is; to have the room back, stop banger, keep a copy of the store and write its rows into a new file: sqlite3 -readonly COPY .dump | sqlite3 -safe NEW"
    }
}
