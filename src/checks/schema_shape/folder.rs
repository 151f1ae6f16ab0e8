//! Is the schema what replaying the folder's applied migrations gives?

use crate::application::{Impact, MigrationsFolder, Problem};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::{Finding, Findings};
use crate::migrations::ledger::State;
use crate::migrations::shape::{Difference, Differences, Shape};
use crate::migrations::status::Stands;
use crate::migrations::steps::{Step, Steps};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural};

pub(super) fn look(
    context: &StoreContext<'_>,
    folder: &MigrationsFolder,
    stands: &Stands,
    handle: &ReadOnly,
) -> Result<Outcome> {
    if let Some(why) = not_known(stands) {
        return Ok(Outcome::skip(why));
    }
    let steps = stands.steps(folder);
    let replay = |run: &[&Step]| compare(context, &steps, run, handle);
    let applied: Vec<&Step> = steps.applied.iter().collect();
    let before = match replay(&applied)? {
        Ok(compared) => compared,
        Err(why) => return Ok(Outcome::skip(why)),
    };
    let in_doubt = stands.step_in_doubt();
    if let Some(step) = &in_doubt
        && before.failed()
    {
        // It may have come to its end.
        let after: Vec<&Step> = applied.iter().copied().chain([step]).collect();
        if let Ok(compared @ Outcome::Pass { .. }) = replay(&after)? {
            return Ok(compared);
        }
    }
    Ok(before)
}

/// Why the shape that the store should have is not known.
fn not_known(stands: &Stands) -> Option<String> {
    let standing = &stands.standing;
    if !standing.unknown.is_empty() {
        let unknown = id_list(&stands.all_shown(&standing.unknown), 10);
        return Some(format!("the folder does not tell what these migrations changed: {unknown}"));
    }
    if let Some(why) = stands.not_replayable(&standing.applied) {
        return Some(format!("not all applied migrations can be replayed: {why}"));
    }
    match &standing.state {
        State::Dirty(key) | State::Failed(key) if stands.not_replayable(std::slice::from_ref(key)).is_some() => {
            stands.not_replayable(std::slice::from_ref(key))
        }
        _ => None,
    }
}

/// How the store compares with what these migrations make, or why they cannot be replayed.
fn compare(
    context: &StoreContext<'_>,
    steps: &Steps,
    run: &[&Step],
    handle: &ReadOnly,
) -> Result<Result<Outcome, String>> {
    let stop = context.environment.stop;
    let apart = Shape::apart(run, steps, handle, stop)?;
    let shape = match Shape::replay_steps(run, apart, &steps.ledgers, steps.foreign_keys.hold(), stop) {
        Ok(shape) => shape,
        Err(error) if error.is_own_bound() => return Err(error),
        Err(error) => return Ok(Err(cannot_replay(&error))),
    };
    let differences = shape.differences(handle)?;
    if differences.total > 0 {
        return Ok(Ok(found(&differences)));
    }
    let keys: Vec<&str> = run.iter().map(|step| step.key.as_str()).collect();
    Ok(Ok(match (differences.tables, run.is_empty()) {
        (0, true) => Outcome::pass("no migration is applied, and there is no table"),
        (tables, _) => {
            let tables = plural(tables as u64, "table is", "tables are");
            Outcome::pass(format!("{tables} what replaying {} gives", id_list(&keys, 10)))
        }
    }))
}

fn cannot_replay(error: &Error) -> String {
    format!("the applied migrations cannot be replayed in an empty database: {error}")
}

/// How many differences the detail names.
const NAMED: usize = 2;

fn found(differences: &Differences) -> Outcome {
    let what = |difference: &Difference| format!("{} ({})", difference.what, difference.cost.words_of_a_strangers());
    let mut findings = Findings::default();
    for difference in &differences.kept {
        findings.add(|| Finding {
            column: difference.column.clone(),
            index: difference.index.clone(),
            ..Finding::new(what(difference)).table(&difference.table)
        });
    }
    findings.total = differences.total;
    let line = |difference: &Difference| {
        let column = difference.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
        format!("{}{column}: {}", difference.table, what(difference))
    };
    let mut detail: Vec<String> = differences.kept.iter().take(NAMED).map(line).collect();
    let more = differences.total.saturating_sub(detail.len() as u64);
    if more > 0 {
        detail.push(format!("and {}", plural(more, "more difference", "more differences")));
    }
    let problem = Problem::Shape {
        worst: differences.worst().unwrap_or(Impact::Extra),
        differences: differences.total,
    };
    Outcome::found(detail.join("; "), problem, findings)
}
