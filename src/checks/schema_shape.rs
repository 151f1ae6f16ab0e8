//! Is the schema what replaying the applied migrations gives?

mod folder;

use crate::application::{Application, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::migrations::dialects::built_in;
use crate::migrations::schema_state::SchemaState;
use crate::migrations::shape::{Differences, Shape};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::SchemaShape,
    summary: "tables, columns, constraints, indexes and triggers are what migrations make",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    if let Some(migrations) = context.application.folder() {
        return match context.stands(handle) {
            Ok(stands) => folder::look(context, migrations, stands, handle),
            Err(error) => Ok(Outcome::could_not_look(error)),
        };
    }
    let state = match context.state(handle) {
        Ok(state) => state,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    compare(context.application, state, handle, MOST_ATTEMPTS)
}

/// How often the shape is compared while a daemon migrates the store.
const MOST_ATTEMPTS: u32 = 5;

fn compare(application: &Application, state: &SchemaState, handle: &ReadOnly, attempts: u32) -> Result<Outcome> {
    if !state.unknown.is_empty() {
        return Ok(Outcome::skip(format!(
            "this binary does not know what these migrations changed: {}",
            id_list(&state.unknown, 10)
        )));
    }
    if let Some(tables) = Shape::tables_to_the_letter(application, &state.applied, handle)? {
        return Ok(passed(state, tables));
    }
    let expected = match expected(application, state, handle)? {
        Ok(shape) => shape,
        Err(error) => return Ok(cannot_replay(state, &error)),
    };
    let differences = expected.differences(handle)?;
    if differences.total > 0 {
        let now = SchemaState::read(application, handle)?;
        // A daemon migrated the store in between.
        match attempts {
            _ if now == *state => {}
            0 | 1 => return Err(Error::Moving(MOST_ATTEMPTS)),
            _ => return compare(application, &now, handle, attempts - 1),
        }
    }
    Ok(outcome(state, &differences))
}

/// What replaying gives, or why it fails.
fn expected(application: &Application, state: &SchemaState, handle: &ReadOnly) -> Result<Result<Shape>> {
    let applied = application.migrations_with_ids(&state.applied);
    match Shape::replay(&application.ledger, &applied) {
        Ok(shape) if applied.is_empty() && built_in::applied(application, handle)?.is_none() => {
            Ok(Ok(shape.without_ledger(&application.ledger)))
        }
        Err(error) if error.is_own_bound() => Err(error),
        replayed => Ok(replayed),
    }
}

fn cannot_replay(state: &SchemaState, error: &Error) -> Outcome {
    Outcome::fail(
        format!(
            "the applied migrations {} cannot have made this store: replayed in an empty database, {error}",
            id_list(&state.applied, 10)
        ),
        Problem::ImpossibleHistory {
            applied: state.applied.clone(),
        },
    )
}

fn passed(state: &SchemaState, tables: usize) -> Outcome {
    if tables == 0 {
        return Outcome::pass("no migration is applied, and there is no table");
    }
    let tables = plural(tables as u64, "table is", "tables are");
    Outcome::pass(format!("{tables} what replaying migrations {} gives", id_list(&state.applied, 10)))
}

fn outcome(state: &SchemaState, differences: &Differences) -> Outcome {
    let Some(worst) = differences.worst() else {
        return passed(state, differences.tables);
    };
    let mut findings = Findings::default();
    for difference in &differences.kept {
        findings.add(|| Finding {
            column: difference.column.clone(),
            index: difference.index.clone(),
            ..Finding::new(format!("{} ({})", difference.what, difference.cost.words())).table(&difference.table)
        });
    }
    findings.total = differences.total;
    let problem = Problem::Shape {
        worst,
        differences: differences.total,
    };
    Outcome::found(differences.line(), problem, findings)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::application::Migration;
    use crate::limits::stop::Stop;
    use crate::migrations::runner;

    #[test]
    fn a_store_that_is_migrated_meanwhile_is_compared_again() {
        let mut memory = Connection::open_in_memory().unwrap();
        let first = Migration::new(9001, "first", "CREATE TABLE t(x)");
        let second = Migration::new(9002, "second", "ALTER TABLE t ADD COLUMN y");
        let application = Application::new("another", vec![first, second]);
        runner::migrate(&mut memory, &application.ledger, &application.migrations).unwrap();
        let handle = ReadOnly::guarded(memory, None, &Stop::never()).unwrap();
        let before = SchemaState::of(&application, vec![9001]);
        assert!(matches!(compare(&application, &before, &handle, MOST_ATTEMPTS), Ok(Outcome::Pass { .. })));
        assert!(
            matches!(compare(&application, &before, &handle, 1), Err(Error::Moving(_))),
            "it changed during each attempt"
        );
    }
}
