//! Determines from a store's schema how far a migration came that its ledger calls failed.

use crate::error::Result;
use crate::limits::stop::Stop;
use crate::migrations::shape::{Shape, ShapeDifference, ShapeDifferences};
use crate::migrations::steps::{Step, Steps};
use crate::store::ReadOnly;

/// The position of a store's schema relative to one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaPosition {
    /// It has the shape from before the migration.
    Before,
    /// It has the shape that the migration leaves.
    After,
    /// The migration does not change the shape, so that the shape cannot tell.
    Alike,
    /// It has neither: a part of the migration, or something else, was done.
    Neither,
}

impl SchemaPosition {
    /// Compares a store with the shapes before and after `failed`, which follows the applied migrations of `steps`.
    ///
    /// A difference that both shapes share has nothing to do with the migration, and is passed over.
    ///
    /// # Errors
    /// Fails if the migrations cannot be replayed, or at the time limit.
    pub(crate) fn of(steps: &Steps, failed: &Step, handle: &ReadOnly, stop: &Stop) -> Result<Self> {
        let mut run: Vec<&Step> = steps.applied.iter().collect();
        let differences = |run: &[&Step]| -> Result<ShapeDifferences> {
            Shape::replay_steps(run, run.len(), &steps.ledgers, steps.foreign_keys.hold(), stop)?.differences(handle)
        };
        let before = differences(&run)?;
        run.push(failed);
        let after = differences(&run)?;
        Ok(Self::between(&before, &after))
    }

    /// Returns the position of a store with these differences from the shape before and from the one after.
    fn between(before: &ShapeDifferences, after: &ShapeDifferences) -> Self {
        let only = |these: &ShapeDifferences, others: &ShapeDifferences| {
            let is_in_both = |one: &ShapeDifference| others.kept.contains(one);
            !these.all_kept() || !these.kept.iter().all(is_in_both)
        };
        // A difference that both shapes share has nothing to do with the migration. What remains on one side alone is a part of the
        // migration that was not done (before) or was (after); a list that was cut could hide such a part, and counts as one.
        match (only(before, after), only(after, before)) {
            (false, false) => Self::Alike,
            (false, true) => Self::Before,
            (true, false) => Self::After,
            (true, true) => Self::Neither,
        }
    }
}

#[cfg(test)]
mod tests;
