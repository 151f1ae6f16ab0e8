//! Another tool's migrations, rehearsed as the tool runs them; and, where nobody knows whether foreign keys hold meanwhile, both ways.
//!
//! Strangers delete rows on purpose. Rows that their statements delete were deleted by the migrations' text, which is said and no
//! fault. Rows that the actions of foreign keys take, as a table is dropped or rows are replaced to which they refer, went by a
//! cascade that nobody wrote. What goes wrong one way is a fault as long as nobody has said that the application goes the other.

mod told;

use rusqlite::Connection;

use super::Rehearsal;
use super::attempt::{Attempt, Runner, attempt};
use super::copy::Copy;
use super::losses::{Losses, Missed};
use super::references::References;
use super::verify::Counts;
use crate::application::Impact;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::shape::Shape;
use crate::migrations::steps::{ForeignKeys, Step, Steps};
use crate::migrations::tool_runner;
use crate::store::introspect;
use crate::store::{Environment, ReadOnly, prepare_rehearsal};
use told::Told;

/// A tool's migrations with foreign keys on or off.
struct ByTool<'a> {
    steps: &'a Steps,
    no_shape: Option<&'a str>,
    foreign_keys: bool,
    /// How many of the applied migrations were run by connections of their own.
    apart: usize,
    losses: Losses,
    missed: Vec<Missed>,
    /// Whether it makes a difference that foreign keys hold or do not.
    keys_matter: bool,
}

impl Runner for ByTool<'_> {
    fn prepare(&mut self, copy: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
        prepare_rehearsal(copy, self.foreign_keys, stop)
    }

    fn run(&mut self, copy: &mut Connection, counts: &Counts, stop: &Stop) -> Result<Vec<String>> {
        let not_rehearsed = |error: Error| Error::Rehearsal(error.into());
        self.losses = Losses::of(counts);
        let before = References::of(copy).map_err(not_rehearsed)?;
        let pending: Vec<&Step> = self.steps.pending.iter().collect();
        tool_runner::run(copy, &pending, 0, self.steps.in_wal_mode, &mut self.losses, stop)?;
        self.missed = self.losses.missed(copy).map_err(not_rehearsed)?;
        let after = References::of(copy).map_err(not_rehearsed)?;
        self.keys_matter = before.touch(&self.losses.touched) || after.touch(&self.losses.touched);
        Ok(pending.iter().map(|step| step.key.clone()).collect())
    }

    fn is_ledger(&self, table: &str) -> bool {
        self.steps.is_ledger(table)
    }

    fn former(&self, table: &str) -> String {
        self.losses.former(table)
    }

    fn cost(&self, impact: Impact) -> &'static str {
        impact.words_of_a_strangers()
    }

    fn shape_after(&self, stop: &Stop) -> Result<Option<Result<Shape, String>>> {
        if let Some(why) = self.no_shape {
            return Ok(Some(Err(why.to_owned())));
        }
        match self.replay(self.steps.applied.iter().chain(&self.steps.pending), stop) {
            Ok(shape) => Ok(Some(Ok(shape))),
            Err(error) if error.is_own_bound() => Err(error),
            Err(error) => Ok(Some(Err(format!("replayed in an empty database, {error}")))),
        }
    }

    fn shape_before(&self, stop: &Stop) -> Result<Shape> {
        self.replay(self.steps.applied.iter(), stop)
    }
}

impl ByTool<'_> {
    fn replay<'s>(&self, steps: impl Iterator<Item = &'s Step>, stop: &Stop) -> Result<Shape> {
        Shape::replay_steps(&steps.collect::<Vec<_>>(), self.apart, &self.steps.ledgers, self.foreign_keys, stop)
    }
}

/// One attempt, and where the rows went.
struct Tried {
    foreign_keys: bool,
    attempt: Attempt,
    losses: Losses,
    missed: Vec<Missed>,
    /// Whether it makes a difference that foreign keys hold or do not.
    keys_matter: bool,
}

/// Rehearses what is pending; on two copies where foreign keys make a difference.
pub(super) fn rehearse(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<Copy>,
    steps: &Steps,
    no_shape: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let applied: Vec<&Step> = steps.applied.iter().collect();
    let apart = match no_shape {
        None => Shape::apart(&applied, steps, source, environment.stop)?,
        Some(_) => applied.len(),
    };
    let attempt = |foreign_keys| -> Result<Tried> {
        let mut runner = ByTool {
            steps,
            no_shape,
            foreign_keys,
            apart,
            losses: Losses::default(),
            missed: Vec::new(),
            keys_matter: false,
        };
        let attempt = attempt(source, copies, &mut runner, environment)?;
        Ok(Tried {
            foreign_keys,
            attempt,
            losses: runner.losses,
            missed: runner.missed,
            keys_matter: runner.keys_matter,
        })
    };
    let judged = attempt(steps.foreign_keys.hold())?;
    let other = if needs_another(&judged, steps.foreign_keys) {
        Some(attempt(!judged.foreign_keys)?)
    } else {
        None
    };
    let virtuals = introspect::tables(source)?
        .into_iter()
        .filter(|table| table.is_virtual)
        .filter_map(|table| table.name);
    let told = Told {
        steps,
        judged: &judged,
        other: other.as_ref(),
        virtuals: virtuals.map(|name| name.to_ascii_lowercase()).collect(),
    };
    Ok(told.rehearsal())
}

/// Whether the migrations are to be run the other way too.
fn needs_another(judged: &Tried, foreign_keys: ForeignKeys) -> bool {
    let Attempt { failed, faults, .. } = &judged.attempt;
    let is_wrong = failed.is_some() || !faults.is_empty() || !judged.missed.is_empty();
    match foreign_keys {
        // To say that it goes wrong this way only.
        ForeignKeys::Usual(true) => is_wrong,
        ForeignKeys::Usual(false) => is_wrong || judged.keys_matter,
        ForeignKeys::On | ForeignKeys::Off => false,
    }
}

#[cfg(test)]
mod tests;
