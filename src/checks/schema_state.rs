//! Reports which migrations are applied, pending and unknown, of those that are compiled in or in a folder; of an application of which
//! nothing is known, what its ledger says.

mod any;

use crate::application::{History, Problem, Reached};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::migrations::discovery::describe_ledger;
use crate::migrations::key::MigrationKey;
use crate::migrations::ledger::LedgerState;
use crate::migrations::position::SchemaPosition;
use crate::migrations::status::MigrationStatus;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural, thousands};

/// The most other ledgers that the detail names.
const MOST_OTHERS: usize = 3;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::SchemaState,
    summary: "this binary knows every applied migration",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    if matches!(context.application.history, History::NotKnown) {
        return any::look(handle);
    }
    let status = match context.status(handle) {
        Ok(status) => status,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    if let LedgerState::Dirty(key) | LedgerState::Failed(key) = &status.diff.state {
        return unfinished(context, status, key, handle);
    }
    if let Some(lock) = status.held_lock {
        let mut whose = format!("{}: {} applied", status.ledger_label(), status.diff.applied.len());
        if !status.diff.pending.is_empty() {
            whose += &format!(", pending {}", list_pending(status));
        }
        return Ok(any::of_held_lock(status.dialect, lock, &whose));
    }
    if !status.diff.unknown.is_empty() {
        return Ok(newer(status));
    }
    if let Some(unrecorded) = status.unrecorded_reason() {
        let tool = status.runner_name();
        let detail = format!("{}: {unrecorded}", status.ledger_label());
        return Ok(Outcome::fail(detail, Problem::NeverRecorded { tool }));
    }
    Ok(Outcome::pass(if status.is_built_in() {
        describe_built_in(status, context.application.name())
    } else {
        format!("{}: {}{}", status.ledger_label(), describe_progress(status), describe_remarks(status))
    }))
}

/// Says how many compiled-in migrations are applied, and which are pending.
fn describe_built_in(status: &MigrationStatus, application: &str) -> String {
    let applied = status.diff.applied.len();
    if status.diff.pending.is_empty() {
        return format!("all {applied} known migrations are applied");
    }
    let pending = list_pending(status);
    if let Some(missing) = &status.missing_rows {
        let again = if missing.fails_again {
            "which fails"
        } else {
            "which changes nothing"
        };
        return format!(
            "{applied} applied, pending {pending}: {}; {application} will run what is done a second time, {again}",
            missing.sentence()
        );
    }
    format!("{applied} applied, pending {pending}: {application} applies them when it next opens the store")
}

/// Says how far the store is: "3 applied, pending \[4\]: sqlx applies them when it next migrates".
fn describe_progress(status: &MigrationStatus) -> String {
    let applied = &status.diff.applied;
    if status.diff.pending.is_empty() {
        return match (applied.len(), status.set.known.len()) {
            (1, 1) => "the one migration of the folder is applied".to_owned(),
            (some, all) if some == all => format!("all {all} migrations of the folder are applied"),
            (some, _) => format!("{some} applied, none pending"),
        };
    }
    let verb = match status.refusal() {
        None => format!("{} applies them when it next migrates", status.runner_name()),
        Some(why) => format!("{} runs nothing, because {why}", status.runner_name()),
    };
    format!("{} applied, pending {}: {verb}", applied.len(), list_pending(status))
}

fn list_pending(status: &MigrationStatus) -> String {
    id_list(status.labels(&status.diff.pending), 10)
}

/// Names the remarks of the ledger, the other ledgers and the other tools that the folder fits.
fn describe_remarks(status: &MigrationStatus) -> String {
    let mut out: String = status.notes.iter().map(|note| format!("; {}", any::noted(*note))).collect();
    let others = status
        .other_ledgers
        .iter()
        .take(MOST_OTHERS)
        .map(|(tool, table)| describe_ledger(tool, table));
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        let more = match status.other_ledgers.len() - others.len() {
            0 => String::new(),
            more => format!(" and {} more", thousands(more as u64)),
        };
        out += &format!("; not looked at: {}{more}", others.join(", "));
    }
    if !status.other_tools.is_empty() {
        let others = status.other_tools.join("'s or ");
        out += &format!("; the folder may be {others}'s as well (--dialect says which)");
    }
    out
}

fn newer(status: &MigrationStatus) -> Outcome {
    let diff = &status.diff;
    let unknown = diff.unknown.len() as u64;
    let pending = if diff.pending.is_empty() {
        String::new()
    } else {
        format!(", and pending {}", list_pending(status))
    };
    let detail = match status.user_version_count() {
        _ if status.is_built_in() => {
            let unknown = plural(unknown, "migration", "migrations");
            format!("{unknown} applied that this binary does not know{pending}; no data is lost")
        }
        // It counts, and names none of them.
        Some(counted) => {
            let has = plural(status.set.known.len() as u64, "migration", "migrations");
            format!("user_version is {counted}, and the folder has {has}{pending}; no data is lost")
        }
        None => format!(
            "{}: {} applied that the folder does not have{pending}; no data is lost",
            status.ledger_label(),
            plural(unknown, "migration", "migrations")
        ),
    };
    Outcome::fail(detail, Problem::Newer { unknown })
}

/// Returns the failure of a migration that did not come to its end, with how far it came where the store's shape shows it.
fn unfinished(
    context: &StoreContext<'_>,
    status: &MigrationStatus,
    key: &MigrationKey,
    handle: &ReadOnly,
) -> Result<Outcome> {
    let (reached, shape) = reached(context, status, handle)?;
    let shown = status.label(key);
    let what = match status.diff.state {
        LedgerState::Dirty(_) => format!("version {shown} is dirty: it was at work there and did not come to its end"),
        _ => format!("migration {shown} failed"),
    };
    let detail = format!(
        "{}: {} applied, and {what}; {shape}; {} runs nothing before that is settled",
        status.ledger_label(),
        status.diff.applied.len(),
        status.runner_name()
    );
    let mut findings = Findings::default();
    findings.add(|| Finding {
        id: shown.parse().ok(),
        table: status.ledger.clone(),
        ..Finding::new(format!("{what}; {shape}"))
    });
    let problem = Problem::Unfinished {
        tool: status.runner_name(),
        settled_by: status.dialect.settled_by,
        reached,
    };
    Ok(Outcome::found(detail, problem, findings))
}

fn reached(context: &StoreContext<'_>, status: &MigrationStatus, handle: &ReadOnly) -> Result<(Reached, String)> {
    let not_known = |why: String| (Reached::Unknown, format!("whether the store has it is not known: {why}"));
    if let Some(why) = status.not_replayable(&status.diff.applied) {
        return Ok(not_known(why));
    }
    let (Some(folder), Some(step)) = (context.application.folder(), status.step_in_doubt()) else {
        return Ok(not_known("it cannot be replayed, or is not in the folder".to_owned()));
    };
    Ok(match SchemaPosition::of(&status.steps(folder), &step, handle, context.environment.stop) {
        Ok(SchemaPosition::Before) => (
            Reached::Nothing,
            "the store has the shape from before it: nothing of it is there".to_owned(),
        ),
        Ok(SchemaPosition::After) => (
            Reached::Everything,
            "the store has the shape that it leaves: all of it is there".to_owned(),
        ),
        Ok(SchemaPosition::Alike) => not_known("it does not change the shape of the store".to_owned()),
        Ok(SchemaPosition::Neither) => (
            Reached::Partial,
            "the store has neither the shape from before it nor the one that it leaves".to_owned(),
        ),
        Err(error) if error.is_own_bound() => return Err(error),
        Err(error) => not_known(error.to_string()),
    })
}
