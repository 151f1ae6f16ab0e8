//! Checks that the pages, trees and indexes are whole. The doctor's own reader says where they are; otherwise SQLite's own integrity check
//! says what is wrong, grouped by table and index.

mod derived;
mod evidence;
mod full_text;
mod integrity;
mod lines;
mod rounding;
mod shadow;

use std::collections::BTreeSet;

use crate::application::{Damage, Problem};
use crate::checks::check::{Check, Input, LeftOut, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings, LONGEST_NAME};
use crate::migrations::shape;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind};
use crate::store::schema_rows::OddRow;
use crate::text::words::{cut, plural};

use derived::Derived;
use evidence::Evidence;
use integrity::Looked;
use lines::{Groups, Line};

/// The number of missing modules that are named one by one.
const MOST_MODULES: usize = 1_000;

/// The most indexes that are asked for computed values.
const MOST_COMPUTED: usize = 20;

/// The number that SQLite gives to an expression in place of a column.
const EXPRESSION: i64 = -2;

/// The most rows of the schema that a remedy mends.
const MOST_MENDED: usize = 20;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::PageStructure,
    summary: "SQLite's integrity check: pages, trees, indexes, constraints",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let outcome = look(context, handle)?;
    Ok(match context.odd_rows(handle) {
        Ok([]) | Err(_) => outcome,
        Ok(odd) => with_odd_rows(outcome, odd),
    })
}

/// Returns the outcome with the rows of the schema that say something else than their objects are. SQLite's check does not see them.
fn with_odd_rows(outcome: Outcome, odd: &[OddRow]) -> Outcome {
    let rows = plural(odd.len() as u64, "row of sqlite_schema is not", "rows of sqlite_schema are not");
    let detail = format!(
        "{rows} what SQLite writes: it reads the objects all the same, and whatever asks the schema for tables by type and name, as VACUUM and .dump do, may leave them out"
    );
    let (detail, problem, mut findings) = if let Outcome::Fail(failure) = outcome {
        (format!("{}; {detail}", failure.detail), failure.problem, failure.findings)
    } else {
        let mend = odd.iter().filter_map(|odd| Some((odd.rowid, odd.assignment.clone()?))).take(MOST_MENDED);
        (detail, Problem::SchemaRows(mend.collect()), Findings::default())
    };
    for row in odd {
        findings.add(|| {
            let finding = Finding::new(row.what).kind_of(Kind::SchemaRow).table("sqlite_schema");
            Finding {
                row: Some(row.rowid),
                ..finding
            }
        });
    }
    Outcome::found(detail, problem, findings)
}

fn look(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    // There is nothing that was left out: what the reader does not understand, it does not call sound.
    let sound = context.sound()?;
    if let Some(pages) = sound.pages {
        return Ok(Outcome::pass(describe_pages(pages)));
    }
    if let Some(rest) = &sound.rest
        && integrity::is_rest_sound(handle, rest)?
    {
        let missing = missing_modules(handle)?.into_iter().map(|words| format!("not checked: {words}"));
        let said: Vec<String> = [describe_pages(rest.pages)].into_iter().chain(missing).collect();
        return Ok(Outcome::pass(said.join("; ")));
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
    let rounded = rounding::take_notes(&mut looked);
    let evidence = gather_evidence(context, handle, &mut looked)?;
    let mut derived = derived::take(handle, &mut looked)?;
    derived.notes.extend(rounded);
    let missing = match missing_modules(handle) {
        Err(error) if error.is_own_bound() => return Err(error),
        missing => missing.unwrap_or_default(),
    };
    let left_out = missing.into_iter().chain(looked.left_out());
    let mut left_out: Vec<String> = left_out.map(|words| format!("not checked: {words}")).collect();
    let mut groups = Groups::of(std::mem::take(&mut looked.lines), handle, &evidence)?;
    evidence.add_pages_to(&mut groups);
    if looked.has_own_collations {
        evidence.add_keys_to(&mut groups, handle)?;
    }
    if groups.is_empty() && looked.error.is_none() && looked.refused.is_empty() && derived.wrong.is_empty() {
        let pages = u64::try_from(handle.number("PRAGMA page_count")?).unwrap_or(0);
        let said = derived.notes.iter().map(|note| note.what().to_owned());
        let said = [describe_pages(pages)].into_iter().chain(said).chain(left_out);
        let said: Vec<String> = said.collect();
        let mut notes = Findings::default();
        derived.notes.into_iter().for_each(|note| notes.add(|| note));
        return Ok(Outcome::noted(said.join("; "), notes));
    }
    if worst(&groups) == Damage::Index
        && let Some(words) = describe_computed(handle, &groups)?
    {
        left_out.push(words);
    }
    // Of an application whose rows are known, the search for intact rows names those that are lost.
    let names_rows = context.application.tables.is_empty();
    Ok(outcome(groups, &evidence, looked, derived, left_out, names_rows))
}

/// Reads the store without SQLite where its lines do not say all: where it found something, and where it may have passed over
/// the freelist and unused pages. Whatever is found so is put to SQLite again, on a copy in which it passes over nothing.
fn gather_evidence(context: &StoreContext<'_>, handle: &ReadOnly, looked: &mut Looked) -> Result<Evidence> {
    let has_found = !looked.lines.is_empty() || looked.error.is_some() || !looked.refused.is_empty();
    let is_partial = looked.in_parts || looked.has_own_collations || has_objects_without_pages(handle)?;
    if !has_found && !is_partial {
        return Ok(Evidence::default());
    }
    let evidence = Evidence::gather(context, handle)?;
    if evidence.has_wrong_pages() {
        if is_partial && !looked.lines.iter().any(Line::is_about_use_of_pages) {
            match integrity::look_without_views(context, handle) {
                Ok(other) => {
                    looked.add_lines(other);
                    looked.in_parts = false;
                }
                Err(error) if error.is_own_bound() => return Err(error),
                // The look at pages is then named among what was left out.
                Err(_) => looked.in_parts = true,
            }
        }
    } else if evidence.all_rows_read() {
        looked.in_parts = false;
    }
    Ok(evidence)
}

/// Returns true if there is a view or a virtual table.
fn has_objects_without_pages(handle: &ReadOnly) -> Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' OR type = 'table' AND ifnull(rootpage, 0) = 0";
    match handle.number(sql) {
        Err(error) if error.is_own_bound() => Err(error),
        number => Ok(number.unwrap_or(0) > 0),
    }
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
fn outcome(
    mut groups: Groups,
    evidence: &Evidence,
    looked: Looked,
    derived: Derived,
    left_out: Vec<String>,
    names_rows: bool,
) -> Outcome {
    let mut findings = Findings::default();
    if let Some(error) = looked.error {
        groups.count(Damage::NotChecked, None, error.to_string());
    }
    for (table, why) in looked.refused {
        groups.count(Damage::Refused, Some(table), why);
    }
    let worst = worst(&groups);
    let is_derived = derived.is_graver_than((!groups.is_empty()).then_some(worst));
    let (said, derived_problem) = if is_derived {
        let (said, problem) = derived.describe(evidence.unreached_rows(&groups).as_deref());
        (said, Some(problem))
    } else {
        (evidence.describe(worst, &groups), None)
    };
    let mut detail = vec![said];
    if worst != Damage::Freelist && groups.has(Damage::Freelist) {
        detail.push("the freelist is wrong as well: no program may write to the store".to_owned());
    }
    detail.extend(left_out);
    for finding in evidence.findings(&groups, names_rows) {
        findings.add(|| finding);
    }
    let problem = derived_problem.unwrap_or_else(|| match worst {
        Damage::Index if looked.has_own_collations => Problem::StaleIndexes {
            names: indexes_to_rebuild(&groups, &looked.ordered),
        },
        worst => Problem::Structure(worst),
    });
    for finding in groups.into_findings() {
        findings.add(|| finding);
    }
    for wrong in derived.wrong {
        findings.add(|| wrong.into_finding());
    }
    for note in derived.notes {
        findings.add(|| note);
    }
    findings.at_least = looked.at_least;
    Outcome::found(detail.join("; "), problem, findings)
}

/// Returns the names of the wrong indexes, when each of them can be rebuilt without the application and written in a command.
fn indexes_to_rebuild(groups: &Groups, ordered: &BTreeSet<String>) -> Vec<String> {
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let names: Vec<&str> = groups.indexes(Damage::Index).collect();
    if names.iter().all(|name| is_plain(name) && !ordered.contains(*name)) {
        names.into_iter().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

/// Says which of the wrong indexes hold computed values, if any: two versions of SQLite may compute other ones, as of a number as text.
fn describe_computed(handle: &ReadOnly, groups: &Groups) -> Result<Option<String>> {
    let mut computed = Vec::new();
    for name in groups.indexes(Damage::Index).take(MOST_COMPUTED) {
        match introspect::index_columns(handle, name) {
            Ok(columns) if columns.iter().any(|column| column.is_in_key && column.number == EXPRESSION) => {
                computed.push(name);
            }
            Err(error) if error.is_own_bound() => return Err(error),
            _ => {}
        }
    }
    let words = || {
        format!(
            "{} computed values, of which another version of SQLite than {} may have computed other ones: then nothing is damaged",
            match computed.as_slice() {
                [one] => format!("the index {one} holds"),
                all => format!("the indexes {} hold", all.join(", ")),
            },
            rusqlite::version()
        )
    };
    Ok((!computed.is_empty()).then(words))
}

/// Returns the kind of damage that decides what to do.
fn worst(groups: &Groups) -> Damage {
    const WORST_FIRST: [Damage; 11] = [
        Damage::Rows,
        Damage::Keys,
        Damage::OutOfReach,
        Damage::NotChecked,
        Damage::Disagree,
        Damage::Freelist,
        Damage::Differ,
        Damage::Duplicate,
        Damage::Index,
        Damage::Constraint,
        Damage::Refused,
    ];
    WORST_FIRST.into_iter().find(|damage| groups.has(*damage)).unwrap_or(Damage::Unaccounted)
}
