//! Are the pages, trees and indexes whole? The doctor's own reader says where they are; otherwise SQLite's own integrity check
//! says what is wrong, grouped by table and index.

mod integrity;
mod lines;

use crate::application::{Damage, Problem};
use crate::checks::check::{Check, Input, LeftOut, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::findings::{Findings, LONGEST_NAME};
use crate::migrations::shape;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind};
use crate::text::words::{cut, plural};

use integrity::Looked;
use lines::Groups;

/// The number of missing modules that are named one by one.
const MOST_MODULES: usize = 1_000;

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
        return Ok(Outcome::pass(describe_pages(pages)));
    }
    let mut looked = integrity::look(context, handle)?;
    if let Some(error) = looked.error.take() {
        // If a limit of the doctor's own ended the check, what it found before that is reported; if it found nothing, there is no answer.
        if error.stopped().is_some() || (error.is_own_bound() && looked.lines.is_empty()) {
            return Err(error);
        }
        looked.error = Some(error);
    }
    if !context.application.has_builtin_migrations() {
        looked.excuse_missing_tokenizers(handle)?;
    }
    let missing = match missing_modules(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        missing => missing.unwrap_or_default(),
    };
    let left_out = missing.into_iter().chain(looked.left_out());
    let left_out: Vec<String> = left_out.map(|words| format!("not checked: {words}")).collect();
    if looked.lines.is_empty() && looked.error.is_none() && looked.refused.is_empty() {
        let pages = u64::try_from(handle.number("PRAGMA page_count")?).unwrap_or(0);
        return Ok(Outcome::pass([vec![describe_pages(pages)], left_out].concat().join("; ")));
    }
    outcome(handle, looked, left_out)
}

fn describe_pages(pages: u64) -> String {
    format!("{} checked", plural(pages, "page", "pages"))
}

/// Virtual tables whose modules are not here, which SQLite's check passes over in silence: each module once.
fn missing_modules(handle: &ReadOnly) -> Result<Vec<String>> {
    let mut missing = LeftOut::default();
    let mut here: Option<Vec<String>> = None;
    introspect::each_object(handle, LONGEST_DEFINITION, |object| {
        let sql = object.sql.filter(|_| object.kind == ObjectKind::VirtualTable);
        let Some(module) = sql.and_then(|sql| shape::module(&String::from_utf8_lossy(sql))) else {
            return Ok(());
        };
        let here = match &mut here {
            Some(here) => here,
            None => here.insert(handle.collect("PRAGMA module_list", [], |row| row.get(0))?),
        };
        if !here.iter().any(|name| name.eq_ignore_ascii_case(&module)) && missing.reasons() < MOST_MODULES {
            let why = format!("no such module: {}", cut(&module, LONGEST_NAME));
            missing.count(why, &String::from_utf8_lossy(object.name));
        }
        Ok(())
    })?;
    Ok(missing.words())
}

/// Returns the verdict, the places, and what was not looked at.
fn outcome(handle: &ReadOnly, looked: Looked, left_out: Vec<String>) -> Result<Outcome> {
    let mut findings = Findings::default();
    let mut groups = Groups::of(looked.lines, handle)?;
    if let Some(error) = looked.error {
        groups.count(Damage::NotChecked, None, error.to_string());
    }
    for (table, why) in looked.refused {
        groups.count(Damage::Refused, Some(table), why);
    }
    let worst = worst(&groups);
    let detail = [vec![describe(worst).to_owned()], left_out].concat().join("; ");
    for finding in groups.into_findings() {
        findings.add(|| finding);
    }
    findings.at_least = looked.at_least;
    Ok(Outcome::found(detail, Problem::Structure(worst), findings))
}

/// Returns the kind of damage that decides what to do.
fn worst(groups: &Groups) -> Damage {
    const WORST_FIRST: [Damage; 5] = [
        Damage::Rows,
        Damage::NotChecked,
        Damage::Index,
        Damage::Constraint,
        Damage::Refused,
    ];
    WORST_FIRST.into_iter().find(|damage| groups.has(*damage)).unwrap_or(Damage::Unaccounted)
}

fn describe(worst: Damage) -> &'static str {
    match worst {
        Damage::Rows => "pages that hold rows are damaged",
        Damage::NotChecked => "not everything could be checked: it is not known whether data is lost",
        Damage::Index => "only an index is wrong: no data is lost",
        Damage::Constraint => "rows hold values that their columns or a unique index forbid: no data is lost",
        Damage::Refused => {
            "a virtual table could not be checked, because its own module refuses it: it is not known whether it is damaged"
        }
        Damage::Unaccounted => "pages are unaccounted for: no data is lost, only disk space",
    }
}
