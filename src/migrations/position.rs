//! Whether a migration of which a ledger says that it failed was done or not: told by the store's shape.

use crate::error::Result;
use crate::limits::stop::Stop;
use crate::migrations::shape::{Difference, Differences, Shape};
use crate::migrations::steps::{Step, Steps};
use crate::store::ReadOnly;

/// How a store stands to one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaPosition {
    /// It has the shape from before the migration.
    Before,
    /// It has the shape that the migration leaves.
    After,
    /// The migration does not change the shape: nobody can tell by it.
    Alike,
    /// It has neither: a part of the migration, or something else, was done.
    Neither,
}

impl SchemaPosition {
    /// How a store stands to `failed`, which follows those that `steps` has as applied: each shape is replayed and compared.
    ///
    /// What differs from both shapes in the same way has nothing to do with the migration, and is passed over.
    ///
    /// # Errors
    /// Where the migrations cannot be replayed, and why; the time limit.
    pub(crate) fn of(steps: &Steps, failed: &Step, handle: &ReadOnly, stop: &Stop) -> Result<Self> {
        let mut run: Vec<&Step> = steps.applied.iter().collect();
        let differences = |run: &[&Step]| -> Result<Differences> {
            Shape::replay_steps(run, run.len(), &steps.ledgers, steps.foreign_keys.hold(), stop)?.differences(handle)
        };
        let before = differences(&run)?;
        run.push(failed);
        let after = differences(&run)?;
        Ok(Self::between(&before, &after))
    }

    /// How a store stands that differs so from the shape before and the shape after.
    fn between(before: &Differences, after: &Differences) -> Self {
        let only = |these: &Differences, others: &Differences| {
            let is_in_both = |one: &Difference| others.kept.contains(one);
            !these.all_kept() || !these.kept.iter().all(is_in_both)
        };
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
