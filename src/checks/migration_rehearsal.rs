//! Runs the pending migrations on a private copy of the store, with its real rows.

use crate::application::Problem;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::Findings;
use crate::findings::check_id::CheckId;
use crate::migrations::rehearsal::{self, Rehearsal, RehearsalOutcome};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural, thousands};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::MigrationRehearsal,
    summary: "the pending migrations succeed on a private copy with the real rows",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let status = match context.status(handle) {
        Ok(status) => status,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    let store = Some((context.probe, handle));
    Ok(match rehearsal::rehearse(context.application, status, store, context.environment)? {
        RehearsalOutcome::NonePending => Outcome::pass("none pending"),
        RehearsalOutcome::NotRehearsed(why) => Outcome::skip(why),
        RehearsalOutcome::Rehearsed(rehearsal) => outcome(&rehearsal),
    })
}

/// The most notes that the detail holds.
const MOST_NOTES: usize = 10;

fn outcome(rehearsal: &Rehearsal) -> Outcome {
    let mut also: String = rehearsal.notes.iter().take(MOST_NOTES).map(|note| format!("; {note}")).collect();
    let more = rehearsal.notes.len().saturating_sub(MOST_NOTES) as u64;
    if more > 0 {
        also += &format!("; and {} more", thousands(more));
    }
    let Some(why) = rehearsal.failure() else {
        if let Some(why) = &rehearsal.shape_unknown {
            also += &format!("; the shape was not compared, because {why}");
        }
        return Outcome::pass(format!(
            "rehearsed {} on {} in {:.1} ms{also}",
            id_list(&rehearsal.ran, 10),
            plural(rehearsal.rows, "row", "rows"),
            rehearsal.took.as_secs_f64() * 1000.0
        ));
    };
    let mut findings = Findings::default();
    for fault in &rehearsal.faults {
        findings.add(|| fault.finding.clone());
    }
    let problem = Problem::Rehearsal {
        faults: rehearsal.faults.len() as u64,
        were_there: rehearsal.faults.iter().all(|fault| fault.was_there),
        by_cascade: rehearsal.faults.iter().any(|fault| fault.by_cascade),
    };
    Outcome::found(why + &also, problem, findings)
}
