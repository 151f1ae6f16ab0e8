//! Compares the schema with what replaying the applied migrations gives.

use crate::application::{Application, HistoryFault, Impact, MigrationsFolder, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings, LONGEST_NAME};
use crate::limits::stop::Stop;
use crate::migrations::dialects::built_in;
use crate::migrations::ledger::LedgerState;
use crate::migrations::shape::{RowsElsewhere, Shape, ShapeDifference, ShapeDifferences};
use crate::migrations::status::MigrationStatus;
use crate::migrations::steps::{Step, Steps};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{cut, id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::SchemaShape,
    summary: "tables, columns, constraints, indexes and triggers are what migrations make",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let status = match context.status(handle) {
        Ok(status) => status,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    match context.application.folder() {
        None => compare_built_in(context.application, status, handle, MOST_ATTEMPTS),
        Some(folder) => compare_with_folder(context, folder, status, handle),
    }
}

/// The number of comparisons of the shape while a daemon migrates the store.
const MOST_ATTEMPTS: u32 = 5;

/// Compares the schema with what replaying the applied compiled-in migrations gives.
fn compare_built_in(
    application: &Application,
    status: &MigrationStatus,
    handle: &ReadOnly,
    attempts: u32,
) -> Result<Outcome> {
    let state = status.schema_state();
    if !state.unknown.is_empty() {
        return Ok(Outcome::skip(format!(
            "this binary does not know what these migrations changed: {}",
            id_list(&state.unknown, 10)
        )));
    }
    let replayed = || format!("replaying migrations {}", id_list(&state.applied, 10));
    if let Some(tables) = Shape::tables_to_the_letter(application, &state.applied, handle)? {
        return Ok(passed(tables, replayed));
    }
    if let Some(missing) = &status.missing_rows {
        let mut findings = Findings::default();
        for id in &missing.ids {
            findings.add(|| Finding {
                id: Some(*id),
                ..Finding::new("the ledger's row is missing, and the tables show that the migration ran")
            });
        }
        let ids = missing.ids.clone();
        let is_ledger_gone = missing.is_ledger_gone();
        let problem = Problem::History(HistoryFault::RowsGone { ids, is_ledger_gone });
        return Ok(Outcome::found(missing.sentence(), problem, findings));
    }
    let expected = match expected_shape(application, status, handle)? {
        Ok(shape) => shape,
        Err(error) => {
            let detail = format!(
                "the applied migrations {} cannot have made this store: replayed in an empty database, {error}",
                id_list(&state.applied, 10)
            );
            let applied = state.applied.len() as u64;
            return Ok(Outcome::fail(detail, Problem::ImpossibleHistory { applied }));
        }
    };
    let differences = expected.differences(handle)?;
    if differences.total > 0 {
        // A daemon may have migrated the store after its status was read: then the differences are those of another version.
        let now = MigrationStatus::read(application, handle, &Stop::never())?;
        match attempts {
            _ if now.diff == status.diff => {}
            0 | 1 => return Err(Error::Moving(MOST_ATTEMPTS)),
            _ => return compare_built_in(application, &now, handle, attempts - 1),
        }
    }
    if let Some(elsewhere) = expected.find_rows_elsewhere(&differences, handle)? {
        return Ok(found_elsewhere(&differences, elsewhere));
    }
    Ok(match differences.worst() {
        None => passed(differences.tables, replayed),
        Some(worst) => found(&differences, differences.line(), differs(worst, &differences), Impact::words),
    })
}

/// Returns the shape after a replay of the applied migrations, or the reason why it fails.
fn expected_shape(application: &Application, status: &MigrationStatus, handle: &ReadOnly) -> Result<Result<Shape>> {
    let applied = status.applied_migrations(application);
    match Shape::replay(&application.ledger, &applied) {
        // A store without any migration has no ledger either, unless a runner stopped right behind creating it.
        Ok(shape) if applied.is_empty() && built_in::applied_ids(application, handle)?.is_none() => {
            Ok(Ok(shape.without_ledger(&application.ledger)))
        }
        Err(error) if error.is_own_bound() => Err(error),
        replayed => Ok(replayed),
    }
}

/// Returns the pass of a schema of so many tables, all of which are what `replayed` gives.
fn passed(tables: usize, replayed: impl FnOnce() -> String) -> Outcome {
    if tables == 0 {
        return Outcome::pass("no migration is applied, and there is no table");
    }
    let tables = plural(tables as u64, "table is", "tables are");
    Outcome::pass(format!("{tables} what {} gives", replayed()))
}

/// Returns the problem of a schema that differs.
fn differs(worst: Impact, differences: &ShapeDifferences) -> Problem {
    Problem::Shape {
        worst,
        differences: differences.total,
    }
}

/// Returns the failure of a schema in which the rows of a table are in another one.
fn found_elsewhere(differences: &ShapeDifferences, elsewhere: RowsElsewhere) -> Outcome {
    let RowsElsewhere {
        table,
        is_missing,
        holder,
        rows,
        columns,
    } = elsewhere;
    let detail = format!(
        "{table} is {}, and {}, which no migration makes, has its columns and {}: a rename or a rebuild of {table} was not finished; {}",
        if is_missing { "not there" } else { "empty" },
        cut(&holder, LONGEST_NAME),
        plural(rows, "row", "rows"),
        differences.line()
    );
    let problem = Problem::RowsElsewhere {
        table,
        is_missing,
        holder,
        columns,
    };
    found(differences, detail, problem, Impact::words)
}

/// Returns the answer for a schema that differs, with one finding a difference. Indexes that no migration makes do no harm: they are notes.
fn found(
    differences: &ShapeDifferences,
    detail: String,
    problem: Problem,
    words: impl Fn(Impact) -> &'static str,
) -> Outcome {
    let mut findings = Findings::default();
    for difference in &differences.kept {
        findings.add(|| Finding {
            column: difference.column.clone(),
            index: difference.index.clone(),
            ..Finding::new(format!("{} ({})", difference.what, words(difference.cost))).table(&difference.table)
        });
    }
    findings.total = differences.total;
    let is_extra_index = |difference: &ShapeDifference| difference.cost == Impact::Extra && difference.index.is_some();
    if differences.total == differences.kept.len() as u64 && differences.kept.iter().all(is_extra_index) {
        for note in &mut findings.kept {
            note.kind = Some(Kind::IndexExtra);
        }
        let tables = plural(differences.tables as u64, "table is", "tables are");
        return Outcome::noted(format!("{tables} what the applied migrations make; {detail}"), findings);
    }
    Outcome::found(detail, problem, findings)
}

/// Compares the schema with what replaying the folder's applied migrations gives.
fn compare_with_folder(
    context: &StoreContext<'_>,
    folder: &MigrationsFolder,
    status: &MigrationStatus,
    handle: &ReadOnly,
) -> Result<Outcome> {
    if let Some(why) = unknown_shape(status) {
        return Ok(Outcome::skip(why));
    }
    let steps = status.steps(folder);
    let replay = |run: &[&Step]| compare_steps(context, &steps, run, handle);
    let applied: Vec<&Step> = steps.applied.iter().collect();
    let before = match replay(&applied)? {
        Ok(compared) => compared,
        Err(why) => return Ok(Outcome::skip(why)),
    };
    let in_doubt = status.step_in_doubt();
    if let Some(step) = &in_doubt
        && before.failed()
    {
        // The migration that the ledger calls dirty may have run to its end all the same.
        let after: Vec<&Step> = applied.iter().copied().chain([step]).collect();
        if let Ok(compared @ Outcome::Pass { .. }) = replay(&after)? {
            return Ok(compared);
        }
    }
    Ok(before)
}

/// Returns the reason why the shape that the store should have is not known.
fn unknown_shape(status: &MigrationStatus) -> Option<String> {
    let diff = &status.diff;
    if !diff.unknown.is_empty() {
        let unknown = id_list(status.labels(&diff.unknown), 10);
        return Some(format!("the folder does not tell what these migrations changed: {unknown}"));
    }
    if let Some(why) = status.not_replayable(&diff.applied) {
        return Some(format!("not all applied migrations can be replayed: {why}"));
    }
    match &diff.state {
        LedgerState::Dirty(key) | LedgerState::Failed(key)
            if status.not_replayable(std::slice::from_ref(key)).is_some() =>
        {
            status.not_replayable(std::slice::from_ref(key))
        }
        _ => None,
    }
}

/// Compares the schema with what these migrations make; the inner error says why they cannot be replayed.
fn compare_steps(
    context: &StoreContext<'_>,
    steps: &Steps,
    run: &[&Step],
    handle: &ReadOnly,
) -> Result<Result<Outcome, String>> {
    let stop = context.environment.stop;
    let apart = Shape::count_separate_steps(run, steps, handle, stop)?;
    let shape = match Shape::replay_steps(run, apart, &steps.ledgers, steps.foreign_keys.hold(), stop) {
        Ok(shape) => shape,
        Err(error) if error.is_own_bound() => return Err(error),
        Err(error) => return Ok(Err(cannot_replay(&error))),
    };
    let differences = shape.differences(handle)?;
    if differences.total > 0 {
        let worst = differences.worst().unwrap_or(Impact::Extra);
        let detail = describe_differences(&differences);
        return Ok(Ok(found(
            &differences,
            detail,
            differs(worst, &differences),
            Impact::words_for_unknown_app,
        )));
    }
    if differences.tables > 0 || !run.is_empty() {
        let keys: Vec<&str> = run.iter().map(|step| step.key.as_str()).collect();
        let tables = plural(differences.tables as u64, "table is", "tables are");
        return Ok(Ok(Outcome::pass(format!("{tables} what replaying {} gives", id_list(&keys, 10)))));
    }
    Ok(Ok(Outcome::pass("no migration is applied, and there is no table")))
}

fn cannot_replay(error: &Error) -> String {
    format!("the applied migrations cannot be replayed in an empty database: {error}")
}

/// The most differences that the detail names.
const MOST_NAMED: usize = 2;

/// Names the first differences, each with what it costs an application of which nothing is known.
fn describe_differences(differences: &ShapeDifferences) -> String {
    let line = |difference: &ShapeDifference| {
        let column = difference.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
        let cost = difference.cost.words_for_unknown_app();
        format!("{}{column}: {} ({cost})", difference.table, difference.what)
    };
    let mut named: Vec<String> = differences.kept.iter().take(MOST_NAMED).map(line).collect();
    let more = differences.total.saturating_sub(named.len() as u64);
    if more > 0 {
        named.push(format!("and {}", plural(more, "more difference", "more differences")));
    }
    named.join("; ")
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::application::Migration;
    use crate::limits::stop::Stop;
    use crate::migrations::known::KnownSet;
    use crate::migrations::runner;

    #[test]
    fn a_store_that_is_migrated_meanwhile_is_compared_again() {
        let mut memory = Connection::open_in_memory().unwrap();
        let first = Migration::new(9001, "first", "CREATE TABLE t(x)");
        let second = Migration::new(9002, "second", "ALTER TABLE t ADD COLUMN y");
        let application = Application::new("another", vec![first, second]);
        runner::migrate(&mut memory, &application.ledger, &application.migrations).unwrap();
        let handle = ReadOnly::guarded(memory, None, &Stop::never()).unwrap();
        let set = KnownSet::compiled_in(&application.migrations).unwrap();
        let before = MigrationStatus::of_ids(&application, set, Some(vec![9001]));
        assert!(matches!(
            compare_built_in(&application, &before, &handle, MOST_ATTEMPTS),
            Ok(Outcome::Pass { .. })
        ));
        assert!(
            matches!(compare_built_in(&application, &before, &handle, 1), Err(Error::Moving(_))),
            "it changed during each attempt"
        );
    }
}
