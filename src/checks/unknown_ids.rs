//! The applied migrations that this binary does not know, listed.

mod folder;

use crate::application::Problem;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::UnknownIds,
    summary: "lists the applied migrations that this binary does not know",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

#[expect(clippy::unnecessary_wraps, reason = "the registry's signature")]
fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    if context.application.folder().is_some() {
        return Ok(match context.stands(handle) {
            Ok(stands) => folder::look(stands),
            Err(error) => Outcome::could_not_look(error),
        });
    }
    let unknown = match context.state(handle) {
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
    let problem = Problem::Newer {
        unknown: unknown.clone(),
    };
    let ids = plural(unknown.len() as u64, "unknown id", "unknown ids");
    Ok(Outcome::found(format!("{ids}: {}", id_list(unknown, 10)), problem, findings))
}
