//! The pending migrations, run as they will be run, on a private copy with the real rows.
//!
//! SQLite's ALTER TABLE passes on an empty table and fails on a full one; a table that is rebuilt can cascade deletes into
//! its children while every check of SQLite stays silent. So the rows are counted before and after.

mod attempt;
mod by_tool;
pub(crate) mod copy;
mod dangling;
mod kept;
mod losses;
mod own;
mod references;
mod verify;

use std::time::Duration;

use crate::application::Application;
use crate::error::Result;
use crate::migrations::schema_state::SchemaState;
use crate::migrations::steps::Steps;
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly};
use copy::{Copy, Growth};
pub(crate) use verify::Fault;

/// What is rehearsed, and who runs it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rehearsed<'a> {
    /// An application's migrations, by its own runner, on a store that stands so among them.
    Own(&'a Application, &'a SchemaState),
    /// Those of a folder, as their tool runs them.
    ByTool {
        /// The migrations.
        steps: &'a Steps,
        /// Why the applied ones cannot be replayed, where they cannot: the shape is then not compared.
        no_shape: Option<&'a str>,
    },
}

/// What came of a rehearsal.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    /// The migrations that ran, as people call them.
    pub(crate) ran: Vec<String>,
    /// On how many rows.
    pub(crate) rows: u64,
    /// How long the migrations took.
    pub(crate) took: Duration,
    /// What went wrong, the worst first.
    pub(crate) faults: Vec<Fault>,
    /// What somebody wants to know and is no fault: rows that the migrations delete on purpose, each in a line.
    pub(crate) notes: Vec<String>,
    /// Why the shape could not be compared, where it could not.
    pub(crate) shape_unknown: Option<String>,
}

impl Rehearsal {
    /// Why the pending migrations must not be run, in a line; `None` where they may.
    pub(crate) fn failure(&self) -> Option<String> {
        const SHOWN: usize = 2;
        if self.faults.is_empty() {
            return None;
        }
        let shown: Vec<&str> = self.faults.iter().take(SHOWN).map(|fault| fault.line.as_str()).collect();
        let rest = (self.faults.len() - shown.len()) as u64;
        let more = match rest {
            0 => String::new(),
            _ => format!("; and {}", crate::text::words::plural(rest, "more fault", "more faults")),
        };
        Some(shown.join("; ") + &more)
    }
}

/// Rehearses the pending migrations on a private copy of what a handle reads.
///
/// # Errors
/// [`Error::Copy`](crate::error::Error::Copy) where there is no copy to rehearse on,
/// [`Error::Rehearsal`](crate::error::Error::Rehearsal) where something else than the migrations ended it (no room, no memory,
/// damage that was there before), [`Error::NotReplayable`](crate::error::Error::NotReplayable) where one of them must not be run
/// here, and the time limit.
pub(crate) fn rehearse(
    probe: &Probe,
    handle: &ReadOnly,
    rehearsed: Rehearsed<'_>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    // What one store takes there, all of them at once would not find.
    let _turn = if copy::goes_to_folder(probe) {
        Some(environment.private.turn(environment.stop)?)
    } else {
        None
    };
    let growth = match rehearsed {
        Rehearsed::Own(..) => Growth::OWN,
        Rehearsed::ByTool { .. } => Growth::OF_FOLDER,
    };
    on_copies(handle, &|| copy::of_store(probe, handle, growth, environment), rehearsed, environment)
}

/// Rehearses them on nothing: what they make of a file of no bytes.
///
/// # Errors
/// As [`rehearse`].
pub(crate) fn rehearse_on_nothing(rehearsed: Rehearsed<'_>, environment: &Environment<'_>) -> Result<Rehearsal> {
    let nothing = copy::nothing(environment)?;
    on_copies(&nothing, &copy::empty, rehearsed, environment)
}

/// Rehearses them on copies of `source`, each of which `copies` makes.
fn on_copies(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<Copy>,
    rehearsed: Rehearsed<'_>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    match rehearsed {
        Rehearsed::Own(application, state) => own::rehearse(source, copies, application, state, environment),
        Rehearsed::ByTool { steps, no_shape } => by_tool::rehearse(source, copies, steps, no_shape, environment),
    }
}

#[cfg(test)]
mod tests;
