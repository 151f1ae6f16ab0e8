//! The remedies of a report, each once.

use super::ending::only_follows;
use crate::application::Step;
use crate::report::Row;

/// What to do about some of the rows.
pub(super) struct RowAdvice<'r> {
    /// The checks of these rows.
    pub(super) checks: Vec<&'static str>,
    /// The steps, without those that were printed before.
    pub(super) steps: Vec<&'r Step>,
}

/// Returns the remedies of the rows that failed, in their order. One that several rows share is there once, and so is a command that begins
/// several remedies, as the one that keeps a copy.
pub(super) fn remedies(rows: &[Row]) -> Vec<RowAdvice<'_>> {
    let mut shared: Vec<(Vec<&str>, &[Step])> = Vec::new();
    for row in rows {
        let Some(remedy) = row.remedy.as_ref().filter(|_| !only_follows(row, rows)) else {
            continue;
        };
        match shared.iter_mut().find(|(_, steps)| *steps == remedy.steps) {
            Some((checks, _)) => checks.push(row.check.id()),
            None => shared.push((vec![row.check.id()], &remedy.steps)),
        }
    }
    let mut typed: Vec<&[String]> = Vec::new();
    let mut advice = Vec::new();
    for (checks, steps) in shared {
        let is_new = |step: &&Step| step.commands.is_empty() || !typed.contains(&step.commands.as_slice());
        let left: Vec<&Step> = steps.iter().filter(is_new).collect();
        typed.extend(steps.iter().filter(|step| !step.commands.is_empty()).map(|step| step.commands.as_slice()));
        // A remedy that is nothing but that is said in full.
        let steps = if left.is_empty() { steps.iter().collect() } else { left };
        advice.push(RowAdvice { checks, steps });
    }
    advice
}
