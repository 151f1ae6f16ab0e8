//! Lists the applied migrations that this binary, or the folder, does not have.

use crate::application::Problem;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::migrations::dialects::Response;
use crate::migrations::status::MigrationStatus;
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
    Ok(match context.status(handle) {
        Ok(status) => outcome(status),
        Err(error) => Outcome::could_not_look(error),
    })
}

fn outcome(status: &MigrationStatus) -> Outcome {
    let unknown = &status.diff.unknown;
    let is_built_in = status.is_built_in();
    if unknown.is_empty() {
        return Outcome::pass(if is_built_in {
            "none: this binary knows every applied migration"
        } else {
            "none: the folder has every applied migration"
        });
    }
    let what = if is_built_in {
        "applied, and unknown to this binary"
    } else {
        "applied, and not in the folder"
    };
    let mut findings = Findings::default();
    for key in unknown {
        findings.add(|| {
            let label = status.label(key);
            match label.parse() {
                Ok(id) => Finding {
                    id: Some(id),
                    ..Finding::new(what)
                },
                Err(_) => Finding::new(format!("{label}: {what}")),
            }
        });
    }
    let count = unknown.len() as u64;
    let list = id_list(status.labels(unknown), 10);
    let detail = if is_built_in {
        format!("{}: {list}", plural(count, "unknown id", "unknown ids"))
    } else {
        let tool = status.runner_name();
        let then = match status.dialect.unknown {
            Response::Refuses => format!("{tool} refuses to run"),
            Response::Runs | Response::Ignores | Response::Warns => format!("{tool} itself says nothing of it"),
        };
        format!("{}: {list}; {then}", plural(count, "unknown migration", "unknown migrations"))
    };
    Outcome::found(detail, Problem::Newer { unknown: count }, findings)
}
