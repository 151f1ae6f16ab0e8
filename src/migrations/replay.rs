//! Replays migrations to check a ledger against the tables of its store: some may have run without a row, or have a row and never have run.

use crate::application::MigrationsFolder;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::key::MigrationKey;
use crate::migrations::known::Script;
use crate::migrations::ledger::LedgerState;
use crate::migrations::shape::{Shape, ShapeDifferences};
use crate::migrations::status::MigrationStatus;
use crate::migrations::steps::{Step, Steps};
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::text::words::plural;

/// The most shapes that are replayed to find the one that a store with an empty ledger has.
const MOST_REPLAYS: usize = 50;

/// Returns the number of the folder's migrations that made the tables of a store whose ledger is empty; `None` where no number of them did.
///
/// # Errors
/// Fails if SQLite cannot read the store, or at the time limit.
pub(super) fn count_unrecorded(
    folder: &MigrationsFolder,
    status: &MigrationStatus,
    handle: &ReadOnly,
    stop: &Stop,
) -> Result<Option<usize>> {
    if !status.diff.applied.is_empty() {
        return Ok(None);
    }
    let steps = status.steps(folder);
    let is_own = |table: &String| steps.ledgers.iter().any(|own| own.eq_ignore_ascii_case(table));
    if introspect::ordinary_tables(handle)?.names.iter().all(is_own) {
        return Ok(None);
    }
    // As far as they can be replayed.
    let runs = |key: &MigrationKey| status.set.get(key).is_some_and(|known| matches!(known.script, Script::Sql { .. }));
    let all = status.diff.pending.iter().take_while(|key| runs(key)).count();
    // From the newest version down: a store whose ledger was emptied or never written most likely has the last release's schema, and
    // two versions of one schema (a migration of rows alone) are told as the later one, which records more as applied.
    for applied in (1..=all).rev().take(MOST_REPLAYS) {
        let run: Vec<&Step> = steps.pending.iter().take(applied).collect();
        if let Some((_, differences)) = replay_and_compare(&run, &steps, handle, stop)?
            && differences.total == 0
        {
            return Ok(Some(applied));
        }
    }
    Ok(None)
}

/// Returns true if none of the tables exists that the applied migrations make: then the number that is taken for their count may count
/// something else.
///
/// # Errors
/// Fails as [`count_unrecorded`].
pub(super) fn lacks_every_table(
    folder: &MigrationsFolder,
    status: &MigrationStatus,
    handle: &ReadOnly,
    stop: &Stop,
) -> Result<bool> {
    let steps = status.steps(folder);
    if status.not_replayable(&status.diff.applied).is_some() {
        return Ok(false);
    }
    let run: Vec<&Step> = steps.applied.iter().collect();
    let replayed = replay_and_compare(&run, &steps, handle, stop)?;
    Ok(replayed.is_some_and(|(shape, differences)| shape.has_tables() && differences.tables == 0))
}

/// Returns true if the store has the shape that the folder's applied files make, as they are today.
///
/// # Errors
/// Fails as [`count_unrecorded`].
pub(super) fn has_applied_shape(
    folder: &MigrationsFolder,
    status: &MigrationStatus,
    handle: &ReadOnly,
    stop: &Stop,
) -> Result<bool> {
    let diff = &status.diff;
    if diff.state != LedgerState::Clean || !diff.unknown.is_empty() || status.not_replayable(&diff.applied).is_some() {
        return Ok(false);
    }
    let steps = status.steps(folder);
    let run: Vec<&Step> = steps.applied.iter().collect();
    let apart = Shape::count_separate_steps(&run, &steps, handle, stop)?;
    match Shape::replay_steps(&run, apart, &steps.ledgers, steps.foreign_keys.hold(), stop) {
        Ok(shape) => Ok(shape.differences(handle)?.total == 0),
        Err(error) if error.is_own_bound() => Err(error),
        Err(_) => Ok(false),
    }
}

/// Replays these migrations and compares the store with their shape; `None` where they cannot be replayed, which another row has to
/// say.
fn replay_and_compare(
    run: &[&Step],
    steps: &Steps,
    handle: &ReadOnly,
    stop: &Stop,
) -> Result<Option<(Shape, ShapeDifferences)>> {
    match Shape::replay_steps(run, run.len(), &steps.ledgers, steps.foreign_keys.hold(), stop) {
        Ok(shape) => {
            let differences = shape.differences(handle)?;
            Ok(Some((shape, differences)))
        }
        Err(error) if Error::is_own_bound(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

impl MigrationStatus {
    /// Returns the sentence that the ledger is empty and the store has what the folder's migrations make; `None` where that is not so.
    pub(crate) fn unrecorded_reason(&self) -> Option<String> {
        let applied = self.never_recorded?;
        let all = if applied == self.diff.pending.len() {
            "all"
        } else {
            "the first"
        };
        Some(format!(
            "nothing applied, and yet the store has what {all} {} of the folder make: {} would run them again",
            plural(applied as u64, "migration", "migrations"),
            self.runner_name()
        ))
    }
}
