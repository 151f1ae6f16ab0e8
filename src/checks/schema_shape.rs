//! Is the schema what replaying the applied migrations gives?

use crate::check::{Check, Finding, Findings, Input, Needs, Outcome};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::{Error, Result};
use crate::schema::ledger;
use crate::schema::migrations::{MIGRATIONS, Migration};
use crate::schema::shape::{Differences, Impact, Shape};
use crate::schema::state::SchemaState;
use crate::store::ReadOnly;
use crate::words::{id_list, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::SchemaShape,
    summary: "tables, columns, constraints, indexes and triggers are what banger makes",
    needs: Needs::Looked(CheckId::SchemaState),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let state = match context.state(handle) {
        Ok(state) => state,
        Err(error) => return Ok(Outcome::could_not_look(error)),
    };
    look_at(state, handle, MOST_LOOKS)
}

/// How often the shape is looked at while a daemon migrates the store.
const MOST_LOOKS: u32 = 5;

fn look_at(state: &SchemaState, handle: &ReadOnly, looks: u32) -> Result<Outcome> {
    if !state.unknown.is_empty() {
        return Ok(Outcome::skip(format!(
            "what unknown migrations made cannot be known: {}",
            id_list(&state.unknown, 10)
        )));
    }
    if let Some(tables) = Shape::usual_tables(&state.applied, handle)? {
        return Ok(passed(state, tables));
    }
    let expected = match expected(state, handle)? {
        Ok(shape) => shape,
        Err(error) => return Ok(cannot_replay(state, &error)),
    };
    let differences = expected.differences(handle)?;
    if differences.total > 0 {
        let now = SchemaState::read(handle)?;
        // A daemon migrated the store between the two looks.
        match looks {
            _ if now == *state => {}
            0 | 1 => return Err(Error::Moving(MOST_LOOKS)),
            _ => return look_at(&now, handle, looks - 1),
        }
    }
    Ok(outcome(state, &differences))
}

/// What replaying gives, or why it fails.
fn expected(state: &SchemaState, handle: &ReadOnly) -> Result<Result<Shape>> {
    let is_applied = |migration: &&Migration| state.applied.contains(&migration.id);
    let applied: Vec<Migration> = MIGRATIONS.iter().filter(is_applied).copied().collect();
    match Shape::replay(&applied) {
        Ok(shape) if applied.is_empty() && ledger::applied(handle)?.is_none() => Ok(Ok(shape.without_ledger())),
        Err(error) if error.is_own_bound() => Err(error),
        replayed => Ok(replayed),
    }
}

fn cannot_replay(state: &SchemaState, error: &Error) -> Outcome {
    Outcome::fail(
        format!(
            "the applied migrations {} cannot have made any store: replayed in an empty one, {error}",
            id_list(&state.applied, 10)
        ),
        "keep a copy of the store with its sidecar files; its ledger lacks rows (see `migration-history`): restore a backup",
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
    Outcome::found(differences.line(), remedy(worst), findings)
}

/// What to do about the worst difference.
pub(super) fn remedy(worst: Impact) -> &'static str {
    match worst {
        Impact::Reads | Impact::Writes => {
            "do not start a daemon on it; keep a copy of the store with its sidecar files, then restore a backup whose schema is whole; the rows that are there are not lost"
        }
        Impact::BehindItsBack => {
            "keep a copy of the store with its sidecar files; while no daemon runs, find out what was added and by whom, and remove it (`sqlite3 -readonly COPY .schema | cat -v` shows it, `sqlite3 -safe COPY 'DROP TRIGGER name'` removes a trigger); look for rows that it already changed"
        }
        Impact::Unguarded => {
            "keep a copy of the store with its sidecar files; banger can go on, but look at `foreign-keys`, `page-structure` and `row-values` for wrong rows, and restore a backup whose schema is whole"
        }
        Impact::Alike | Impact::Extra => {
            "no data is lost and banger can go on; find out what changed the schema, since a later migration may fail on it"
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::schema::runner;
    use crate::stop::Stop;

    #[test]
    fn a_store_that_is_migrated_between_two_looks_is_looked_at_again() {
        let mut memory = Connection::open_in_memory().unwrap();
        runner::migrate(&mut memory, MIGRATIONS).unwrap();
        let handle = ReadOnly::guarded(memory, None, &Stop::never()).unwrap();
        let before = SchemaState::of_applied(vec![1]);
        assert!(matches!(look_at(&before, &handle, MOST_LOOKS), Ok(Outcome::Pass { .. })));
        assert!(matches!(look_at(&before, &handle, 1), Err(Error::Moving(_))), "it is never left alone");
    }
}
