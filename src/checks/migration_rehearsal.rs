//! Do the pending migrations succeed on a private copy of the store, with its real rows?

use crate::check::{Check, Findings, Input, Needs, Outcome};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::Result;
use crate::schema::rehearsal::{self, Rehearsal};
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
    Ok(outcome(&rehearsal::rehearse(context.probe, handle, state, context.environment)?))
}

fn outcome(rehearsal: &Rehearsal) -> Outcome {
    let Some(why) = rehearsal.failure() else {
        let unknown = if rehearsal.shape_unknown {
            "; what shape it should have cannot be known, since unknown migrations are applied"
        } else {
            ""
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
    let remedy = if rehearsal.faults.iter().all(|fault| fault.was_there) {
        "the migrations themselves run, but the store was not as it should be before them: mend what `schema-shape` and `migration-history` name, and rehearse again; nothing was changed"
    } else {
        "do not start this binary on the store, and do not swap it in: its migrations would go wrong; nothing was changed, and the banger that runs now can go on; keep a copy of the store with its sidecar files, mend what `schema-shape` and `migration-history` name, and rehearse again"
    };
    Outcome::found(why, remedy, findings)
}
