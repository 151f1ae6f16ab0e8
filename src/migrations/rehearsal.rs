//! The pending migrations, run as they will be run, on a private copy with the real rows.
//!
//! SQLite's ALTER TABLE passes on an empty table and fails on a full one; a table that is rebuilt can cascade deletes into
//! its children while every check of SQLite stays silent. So the rows are counted before and after.

mod attempt;
mod built_in;
mod by_tool;
pub(crate) mod copy;
mod dangling;
mod kept;
mod losses;
mod rebuilds;
mod references;
mod usable;
mod verify;
mod watch;

use std::time::Duration;

use sqlite_format::header::HeaderFields;

use crate::application::Application;
use crate::error::Result;
use crate::migrations::status::MigrationStatus;
use crate::migrations::steps::Steps;
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly};
use crate::text::words::id_list;
use copy::{CopyGrowth, RehearsalCopy};
pub(crate) use verify::RehearsalFault;

/// The migrations that are rehearsed, and who runs them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rehearsed<'a> {
    /// An application's compiled-in migrations, by its own runner, on a store of this status.
    BuiltIn(&'a Application, &'a MigrationStatus),
    /// Those of a folder, as their tool runs them.
    ByTool {
        /// The migrations.
        steps: &'a Steps,
        /// The reason why the applied ones cannot be replayed, if they cannot: the shape is then not compared.
        no_shape: Option<&'a str>,
    },
}

/// The result of the request to rehearse the pending migrations.
#[derive(Debug)]
pub(crate) enum RehearsalOutcome {
    /// None is pending.
    NonePending,
    /// They were not rehearsed, for this reason.
    NotRehearsed(String),
    /// They were rehearsed.
    Rehearsed(Rehearsal),
}

impl RehearsalOutcome {
    /// Returns the reason not to run the pending migrations, in a line; `None` if there is none.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::Rehearsed(rehearsal) => rehearsal.failure(),
            Self::NonePending | Self::NotRehearsed(_) => None,
        }
    }
}

/// The result of a rehearsal.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    /// The migrations that ran, as people call them.
    pub(crate) ran: Vec<String>,
    /// On how many rows.
    pub(crate) rows: u64,
    /// The duration of the migrations.
    pub(crate) took: Duration,
    /// The faults, the worst first.
    pub(crate) faults: Vec<RehearsalFault>,
    /// Remarks that are no fault: rows that the migrations delete on purpose, each in a line.
    pub(crate) notes: Vec<String>,
    /// Those of the remarks that are about rows which are not there afterwards.
    pub(crate) rows_gone: Vec<String>,
    /// The reason why the shape was not compared, if it was not.
    pub(crate) shape_unknown: Option<String>,
}

impl Rehearsal {
    /// Returns the reason not to run the pending migrations, in a line; `None` if there is none.
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

/// Rehearses the pending migrations of a store on a private copy of it; without a store, on a file of no bytes.
///
/// # Errors
/// Fails with [`Error::Copy`](crate::error::Error::Copy) where no copy can be made, [`Error::Rehearsal`](crate::error::Error::Rehearsal) where
/// something other than the migrations ended it (no room, no memory, damage that was there before), and the time limit.
pub(crate) fn rehearse(
    application: &Application,
    status: &MigrationStatus,
    store: Option<(&Probe, &ReadOnly)>,
    environment: &Environment<'_>,
) -> Result<RehearsalOutcome> {
    let pending = &status.diff.pending;
    if let Some(why) = status.refusal() {
        return Ok(RehearsalOutcome::NotRehearsed(format!(
            "{} would run nothing: {why}",
            status.runner_name()
        )));
    }
    if pending.is_empty() {
        return Ok(RehearsalOutcome::NonePending);
    }
    let Some(folder) = application.folder() else {
        let rehearsal = run(store, Rehearsed::BuiltIn(application, status), environment)?;
        return Ok(RehearsalOutcome::Rehearsed(rehearsal));
    };
    if let Some(why) = status.not_replayable(pending) {
        return Ok(RehearsalOutcome::NotRehearsed(format!("the pending migrations cannot be tried: {why}")));
    }
    let header = store.and_then(|(probe, _)| probe.header());
    let steps = Steps {
        // A new database is not in WAL mode.
        in_wal_mode: Some(header.is_some_and(HeaderFields::is_wal)),
        ..status.steps(folder)
    };
    let no_shape = no_shape(status);
    let rehearsed = Rehearsed::ByTool {
        steps: &steps,
        no_shape: no_shape.as_deref(),
    };
    match run(store, rehearsed, environment) {
        Ok(rehearsal) => Ok(RehearsalOutcome::Rehearsed(rehearsal)),
        Err(error) if error.is_not_replayable() => Ok(RehearsalOutcome::NotRehearsed(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Runs migrations on private copies of a store; without a store, on a file of no bytes.
///
/// # Errors
/// Fails as [`rehearse`], and [`Error::NotReplayable`](crate::error::Error::NotReplayable) where a migration must not be run here.
fn run(
    store: Option<(&Probe, &ReadOnly)>,
    rehearsed: Rehearsed<'_>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let Some((probe, handle)) = store else {
        let nothing = copy::nothing(environment)?;
        return on_copies(&nothing, &copy::empty, rehearsed, environment);
    };
    // The private folder has room for the copies of one store, not of all stores at once.
    let _permit = if copy::goes_to_folder(probe) {
        environment.private.wait_for_heavy_work(environment.stop)?
    } else {
        None
    };
    let growth = match rehearsed {
        Rehearsed::BuiltIn(..) => CopyGrowth::OWN,
        Rehearsed::ByTool { .. } => CopyGrowth::OF_FOLDER,
    };
    on_copies(handle, &|| copy::of_store(probe, handle, growth, environment), rehearsed, environment)
}

/// Rehearses them on copies of `source`, each of which `copies` makes.
fn on_copies(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<RehearsalCopy>,
    rehearsed: Rehearsed<'_>,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    match rehearsed {
        Rehearsed::BuiltIn(application, status) => built_in::rehearse(source, copies, application, status, environment),
        Rehearsed::ByTool { steps, no_shape } => by_tool::rehearse(source, copies, steps, no_shape, environment),
    }
}

/// Returns the reason why the shape that the migrations should leave is not known.
fn no_shape(status: &MigrationStatus) -> Option<String> {
    let diff = &status.diff;
    if !diff.unknown.is_empty() {
        let unknown = id_list(status.labels(&diff.unknown), 10);
        return Some(format!("the folder does not have these applied migrations: {unknown}"));
    }
    status.not_replayable(&diff.applied)
}

#[cfg(test)]
mod tests;
