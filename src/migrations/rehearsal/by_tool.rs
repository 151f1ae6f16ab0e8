//! Rehearses another tool's migrations as the tool runs them; where it is not known whether foreign keys are enforced, both ways.
//!
//! An unknown application may delete rows on purpose. Rows that its statements delete were deleted by the migrations' text, a remark and no
//! fault. Rows that the actions of foreign keys take, as a table is dropped or rows are replaced to which they refer, went by a
//! cascade that no statement names. A failure in one of the two ways is a fault unless --foreign-keys rules that way out.

mod summary;

use rusqlite::Connection;

use super::Rehearsal;
use super::attempt::{Attempt, MigrationRunner, attempt};
use super::copy::RehearsalCopy;
use super::losses::CascadeLoss;
use super::rebuilds::GoneObject;
use super::references::References;
use super::usable::{self, Unusable, UsedWith};
use super::verify::RowCounts;
use super::watch::MigrationWatch;
use crate::application::Impact;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::shape::Shape;
use crate::migrations::steps::{ForeignKeys, Step, Steps};
use crate::migrations::tool_runner;
use crate::store::introspect;
use crate::store::{Environment, ReadOnly, prepare_rehearsal};
use summary::ToolSummary;

/// A tool's migrations with foreign keys on or off.
struct ToolRunner<'a> {
    steps: &'a Steps,
    no_shape: Option<&'a str>,
    foreign_keys: bool,
    /// The number of applied migrations that ran on connections of their own.
    apart: usize,
    watch: MigrationWatch,
    cascade_losses: Vec<CascadeLoss>,
    gone_objects: Vec<GoneObject>,
    /// True if enforcing foreign keys makes a difference.
    keys_matter: bool,
}

impl MigrationRunner for ToolRunner<'_> {
    fn prepare(&mut self, copy: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
        prepare_rehearsal(copy, self.foreign_keys, stop)
    }

    fn run(&mut self, copy: &mut Connection, counts: &RowCounts, stop: &Stop) -> Result<Vec<String>> {
        let wrap_rehearsal_error = |error: Error| Error::Rehearsal(error.into());
        self.watch = MigrationWatch::of(counts);
        let before = References::of(copy).map_err(wrap_rehearsal_error)?;
        let pending: Vec<&Step> = self.steps.pending.iter().collect();
        let Steps {
            in_wal_mode, drivers, ..
        } = self.steps;
        tool_runner::run(copy, &pending, 0, *in_wal_mode, drivers, &mut self.watch, stop)?;
        let losses = &self.watch.losses;
        self.cascade_losses = losses.find_cascade_losses(copy).map_err(wrap_rehearsal_error)?;
        self.gone_objects = self.watch.rebuilds.find_gone_objects(copy).map_err(wrap_rehearsal_error)?;
        let after = References::of(copy).map_err(wrap_rehearsal_error)?;
        self.keys_matter = before.touch(&losses.touched) || after.touch(&losses.touched);
        Ok(pending.iter().map(|step| step.key.clone()).collect())
    }

    fn is_ledger(&self, table: &str) -> bool {
        self.steps.is_ledger(table)
    }

    fn former(&self, table: &str) -> String {
        self.watch.losses.former(table)
    }

    fn cost(&self, impact: Impact) -> &'static str {
        impact.words_for_unknown_app()
    }

    fn find_unusable(&self, copy: &Connection, stop: &Stop) -> Result<Unusable> {
        let find = |double_quoted_text| {
            let foreign_keys = self.foreign_keys;
            usable::find_unusable(
                copy,
                UsedWith {
                    foreign_keys,
                    double_quoted_text,
                },
                stop,
            )
        };
        let drivers = &self.steps.drivers;
        let mut unusable = find(!drivers.refuse_double_quoted_text())?;
        if drivers.refuse_double_quoted_text() && !unusable.is_empty() {
            let elsewhere = find(true)?;
            for (_, why) in unusable.iter_mut().filter(|(of, _)| !elsewhere.contains_key(of)) {
                *why = format!("{why}, as {} refuse a text in double quotes", drivers.names());
            }
        }
        Ok(unusable)
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

impl ToolRunner<'_> {
    fn replay<'s>(&self, steps: impl Iterator<Item = &'s Step>, stop: &Stop) -> Result<Shape> {
        Shape::replay_steps(&steps.collect::<Vec<_>>(), self.apart, &self.steps.ledgers, self.foreign_keys, stop)
    }
}

/// One attempt with foreign keys on or off, and what became of the rows.
struct ToolTrial {
    foreign_keys: bool,
    attempt: Attempt,
    gone_objects: Vec<GoneObject>,
    watch: MigrationWatch,
    cascade_losses: Vec<CascadeLoss>,
    /// True if enforcing foreign keys makes a difference.
    keys_matter: bool,
}

/// Rehearses the pending migrations, on two copies where foreign keys make a difference.
//
// The setting of foreign keys is the connection's and stands in no file (https://www.sqlite.org/foreignkeys.html, section 2), so it is not
// known how the application migrates. One run tells what the tool's default does. A loss that both runs have is the text's own; one that
// only enforced foreign keys cause is a cascade.
pub(super) fn rehearse(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<RehearsalCopy>,
    steps: &Steps,
    no_shape: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let applied: Vec<&Step> = steps.applied.iter().collect();
    let apart = match no_shape {
        None => Shape::count_separate_steps(&applied, steps, source, environment.stop)?,
        Some(_) => applied.len(),
    };
    let attempt = |foreign_keys| -> Result<ToolTrial> {
        let mut runner = ToolRunner {
            steps,
            no_shape,
            foreign_keys,
            apart,
            watch: MigrationWatch::default(),
            cascade_losses: Vec::new(),
            gone_objects: Vec::new(),
            keys_matter: false,
        };
        let attempt = attempt(source, copies, &mut runner, environment)?;
        Ok(ToolTrial {
            foreign_keys,
            attempt,
            watch: runner.watch,
            cascade_losses: runner.cascade_losses,
            gone_objects: runner.gone_objects,
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
    let summary = ToolSummary {
        steps,
        judged: &judged,
        other: other.as_ref(),
        virtuals: virtuals.map(|name| name.to_ascii_lowercase()).collect(),
    };
    Ok(summary.rehearsal())
}

/// Returns true if the migrations have to be run with the other setting of foreign keys too.
fn needs_another(judged: &ToolTrial, foreign_keys: ForeignKeys) -> bool {
    let Attempt { failed, faults, .. } = &judged.attempt;
    let is_wrong = failed.is_some() || !faults.is_empty() || !judged.cascade_losses.is_empty();
    match foreign_keys {
        // The default of the tool is judged. The other setting is tried to find out what is wrong with this one only; where the default
        // is off, it is also tried whenever a table of a foreign key is written to, because a cascade would show there alone.
        ForeignKeys::Usual(true) => is_wrong,
        ForeignKeys::Usual(false) => is_wrong || judged.keys_matter,
        ForeignKeys::On | ForeignKeys::Off => false,
    }
}

#[cfg(test)]
mod tests;
