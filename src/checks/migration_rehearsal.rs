//! Do the pending migrations succeed on a private copy of the store, with its real rows?

use crate::application::Problem;
use crate::check::{Check, Findings, Input, Needs, Outcome};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::Result;
use crate::schema::rehearsal::{self, Rehearsal, Rehearsed};
use crate::store::ReadOnly;
use crate::words::{id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::MigrationRehearsal,
    summary: "the pending migrations succeed on a private copy with the real rows",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let state = match context.state(handle) {
        Ok(state) => state,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    if state.pending.is_empty() {
        return Ok(Outcome::pass("none pending"));
    }
    let rehearsal =
        rehearsal::rehearse(context.probe, handle, Rehearsed::Own(context.application, state), context.environment)?;
    Ok(outcome(&rehearsal))
}

fn outcome(rehearsal: &Rehearsal) -> Outcome {
    let Some(why) = rehearsal.failure() else {
        let unknown = match &rehearsal.shape_unknown {
            Some(why) => format!("; the shape was not compared, because {why}"),
            None => String::new(),
        };
        return Outcome::pass(format!(
            "rehearsed {} on {} in {:.1} ms{unknown}",
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
    };
    Outcome::found(why, problem, findings)
}
