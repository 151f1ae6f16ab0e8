//! The applied migrations that this binary does not know, listed.

use super::schema_state::NEWER;
use crate::check::{Check, Finding, Findings, Look, Needs, Outcome};
use crate::error::Result;
use crate::store::ReadOnly;
use crate::subject::Subject;
use crate::words::{counted, few};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "unknown-ids",
    summary: "lists the applied migrations that this binary does not know",
    needs: Needs::Ledger,
    look: Look::Handle(look),
};

#[expect(clippy::unnecessary_wraps, reason = "the registry's signature")]
fn look(subject: &Subject<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let unknown = match subject.state(handle) {
        Ok(state) => &state.unknown,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    if unknown.is_empty() {
        return Ok(Outcome::pass("none: this binary knows every applied migration"));
    }
    let mut findings = Findings::default();
    for id in unknown {
        findings.add(|| Finding {
            id: Some(*id),
            ..Finding::new("applied, and unknown to this binary")
        });
    }
    let ids = counted(unknown.len() as u64, "unknown id", "unknown ids");
    Ok(Outcome::found(format!("{ids}: {}", few(unknown, 10)), NEWER, findings))
}
