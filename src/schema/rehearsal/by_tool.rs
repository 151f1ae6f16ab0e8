//! Another tool's migrations, rehearsed as the tool runs them; and, where nobody knows whether foreign keys hold meanwhile, both ways.
//!
//! Strangers delete rows on purpose. Rows that vanish whether foreign keys hold or not were deleted by the migrations' text, which is
//! said and no fault. Rows that vanish only where they hold, as a table is dropped to which they refer, went by a cascade that
//! nobody wrote.

use rusqlite::Connection;

use super::Rehearsal;
use super::attempt::{Attempt, Runner, attempt};
use super::copy::Copy;
use super::losses::{Emptied, Losses};
use super::verify::{Counts, Fault, Lost};
use crate::error::{Error, Result};
use crate::schema::shape::Shape;
use crate::schema::steps::{ForeignKeys, Step, Steps};
use crate::schema::tool;
use crate::stop::Stop;
use crate::store::{Environment, ReadOnly, prepare_rehearsal};
use crate::words::plural;

/// A tool's migrations with foreign keys on or off.
struct ByTool<'a> {
    steps: &'a Steps,
    no_shape: Option<&'a str>,
    foreign_keys: bool,
    losses: Losses,
    emptied: Vec<Emptied>,
}

impl Runner for ByTool<'_> {
    fn prepare(&mut self, copy: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
        prepare_rehearsal(copy, self.foreign_keys, stop)
    }

    fn run(&mut self, copy: &mut Connection, counts: &Counts, stop: &Stop) -> Result<Vec<String>> {
        self.losses = Losses::of(counts);
        let pending: Vec<&Step> = self.steps.pending.iter().collect();
        tool::run(copy, &pending, &mut self.losses, stop)?;
        self.emptied = self.losses.emptied(copy).map_err(|error| Error::Rehearsal(error.into()))?;
        Ok(pending.iter().map(|step| step.key.clone()).collect())
    }

    fn is_ledger(&self, table: &str) -> bool {
        self.steps.is_ledger(table)
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
        Shape::replay_steps(&steps.collect::<Vec<_>>(), &self.steps.ledgers, self.foreign_keys, stop)
    }
}

/// One attempt, and where the rows went.
struct Tried {
    foreign_keys: bool,
    attempt: Attempt,
    losses: Losses,
    emptied: Vec<Emptied>,
}

/// Rehearses what is pending; on two copies where foreign keys make a difference.
pub(super) fn rehearse(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<Copy>,
    steps: &Steps,
    no_shape: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let attempt = |foreign_keys| -> Result<Tried> {
        let mut runner = ByTool {
            steps,
            no_shape,
            foreign_keys,
            losses: Losses::default(),
            emptied: Vec::new(),
        };
        let attempt = attempt(source, copies, &mut runner, environment)?;
        Ok(Tried {
            foreign_keys,
            attempt,
            losses: runner.losses,
            emptied: runner.emptied,
        })
    };
    let judged = attempt(steps.foreign_keys.hold())?;
    let other = if needs_another(&judged, steps.foreign_keys) {
        Some(attempt(!judged.foreign_keys)?)
    } else {
        None
    };
    Ok(told(steps, judged, other.as_ref()))
}

/// Whether the migrations are to be run the other way too.
fn needs_another(judged: &Tried, foreign_keys: ForeignKeys) -> bool {
    let Attempt {
        failed, lost, faults, ..
    } = &judged.attempt;
    match foreign_keys {
        ForeignKeys::Usual(_) => failed.is_some() || judged.losses.drops_referenced || !faults.is_empty(),
        // To tell what the text deletes from what cascades.
        ForeignKeys::On => judged.losses.drops_referenced && !lost.is_empty(),
        ForeignKeys::Off => false,
    }
}

/// What came of both ways.
fn told(steps: &Steps, judged: Tried, other: Option<&Tried>) -> Rehearsal {
    let mut faults = Vec::new();
    let mut notes = Vec::new();
    let is_open = matches!(steps.foreign_keys, ForeignKeys::Usual(_));
    // Of another attempt that was made only to tell losses apart, nothing else is said.
    let other_way = other.filter(|_| is_open);
    if judged.attempt.failed.is_none() {
        lost_rows(steps, &judged, other, &mut faults, &mut notes);
    }
    if let Some(other) = other_way
        && judged.attempt.failed.is_none()
        && let Some(error) = &other.attempt.failed
    {
        notes.push(format!(
            "with foreign keys {}, {}; with them {}, as is usual for the tool, it does not",
            on_or_off(other.foreign_keys),
            Fault::of_migration(error).line,
            on_or_off(judged.foreign_keys),
        ));
    }
    let passed = other_way.filter(|other| other.attempt.failed.is_none());
    let is_only_here =
        |fault: &Fault| passed.is_some_and(|other| other.attempt.faults.iter().all(|there| there.line != fault.line));
    let failed = judged.attempt.failed.as_ref().map(Fault::of_migration);
    let only = format!(
        "; only with foreign keys {}, and not with them {}",
        on_or_off(judged.foreign_keys),
        on_or_off(!judged.foreign_keys)
    );
    for fault in failed.into_iter().chain(judged.attempt.faults) {
        let only_here = is_only_here(&fault);
        faults.push(if only_here { fault.and(&only) } else { fault });
    }
    Rehearsal {
        ran: judged.attempt.ran,
        rows: judged.attempt.rows,
        took: judged.attempt.took,
        faults,
        notes,
        shape_unknown: judged.attempt.shape_unknown,
    }
}

fn on_or_off(foreign_keys: bool) -> &'static str {
    if foreign_keys { "on" } else { "off" }
}

/// Tells apart what cascaded away and what the migrations' text deleted.
fn lost_rows(steps: &Steps, judged: &Tried, other: Option<&Tried>, faults: &mut Vec<Fault>, notes: &mut Vec<String>) {
    let passed = || [Some(judged), other].into_iter().flatten().filter(|tried| tried.attempt.failed.is_none());
    let on = passed().find(|tried| tried.foreign_keys);
    let off = passed().find(|tried| !tried.foreign_keys);
    let lost_in = |tried: Option<&Tried>, table: &str| -> Option<Lost> {
        tried?.attempt.lost.iter().find(|lost| lost.table == table).cloned()
    };
    let mut by_text: Vec<Lost> = judged.attempt.lost.clone();
    for lost in on
        .into_iter()
        .flat_map(|on| &on.attempt.lost)
        .filter(|lost| !steps.is_ledger(&lost.table))
    {
        let Some((went, dropped)) = on.map(|on| on.losses.cascaded_from(&lost.table, lost.after)) else {
            continue;
        };
        let both_ways = lost_in(off, &lost.table).map_or(0, |lost| lost.rows());
        let rows = went.min(lost.rows().saturating_sub(both_ways));
        if rows == 0 {
            continue;
        }
        let what = format!("{} lost", plural(rows, "row is", "rows are"));
        faults.push(Fault::of_table(
            &lost.table,
            cascade(steps, &what, &dropped, &format!(" ({})", lost.counts())),
        ));
        // What is left of the judged attempt's own loss is the text's.
        if judged.foreign_keys
            && let Some(text) = by_text.iter_mut().find(|text| text.table == lost.table)
        {
            text.after += rows;
        }
    }
    for Emptied {
        reference,
        rows,
        steps: dropped,
    } in on.into_iter().flat_map(|on| &on.emptied)
    {
        let what = format!("{} emptied", plural(*rows, "reference is", "references are"));
        faults.push(Fault::of_column(&reference.child, &reference.column, cascade(steps, &what, dropped, "")));
    }
    for lost in by_text.iter().filter(|lost| lost.rows() > 0 && !steps.is_ledger(&lost.table)) {
        notes.push(format!(
            "{}: {} deleted by the text of the migrations{}",
            lost.table,
            plural(lost.rows(), "row is", "rows are"),
            migrations(steps, &judged.losses.fewer_in(&lost.table))
        ));
    }
    for (table, rows) in judged.attempt.gone.iter().filter(|(table, _)| !steps.is_ledger(table)) {
        let how = if judged.losses.dropped.contains(table) {
            "dropped"
        } else {
            "renamed, or dropped under another name"
        };
        notes.push(format!("{table}: {how}, with {}", plural(*rows, "row", "rows")));
    }
}

/// What a cascade did that nobody wrote, in words.
fn cascade(steps: &Steps, what: &str, dropped: &[usize], counts: &str) -> String {
    let (condition, rest) = match steps.foreign_keys {
        ForeignKeys::On => ("", ""),
        ForeignKeys::Usual(true) => ("", "; with foreign keys off they stay"),
        ForeignKeys::Usual(false) | ForeignKeys::Off => {
            (" if foreign keys are on", "; with foreign keys off, as is usual for the tool, they stay")
        }
    };
    format!(
        "{what}{condition}{}, by a cascade that nobody wrote: a table to which they refer is dropped{counts}{rest}",
        migrations(steps, dropped)
    )
}

/// ", in migration 7", with each that did it, by their positions.
fn migrations(steps: &Steps, of: &[usize]) -> String {
    const SHOWN: usize = 5;
    let mut keys: Vec<&str> = of.iter().filter_map(|at| steps.pending.get(*at)).map(|step| step.key.as_str()).collect();
    keys.dedup();
    match keys.as_slice() {
        [] => String::new(),
        [key] => format!(", in migration {key}"),
        keys if keys.len() <= SHOWN => format!(", in migrations {}", keys.join(", ")),
        keys => format!(", in migrations {} and {} more", keys[..SHOWN].join(", "), keys.len() - SHOWN),
    }
}

#[cfg(test)]
mod tests;
