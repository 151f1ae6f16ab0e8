//! The pending migrations, run by the real runner on a private copy with the real rows.
//!
//! SQLite's ALTER TABLE passes on an empty table and fails on a full one; a table that is rebuilt can cascade deletes into
//! its children while every check of SQLite stays silent. So the rows are counted before and after.

pub(crate) mod copy;
mod verify;

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::runner;
use super::state::SchemaState;
use crate::application::Application;
use crate::error::{Error, Result};
use crate::probe::Probe;
use crate::stop::Stop;
use crate::store::{Environment, ReadOnly, interruptible, prepare_rehearsal};
pub(crate) use verify::Fault;

/// What came of a rehearsal.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    /// The migrations that ran.
    pub(crate) ran: Vec<i64>,
    /// On how many rows.
    pub(crate) rows: u64,
    /// How long the migrations took.
    pub(crate) took: Duration,
    /// What went wrong, the worst first.
    pub(crate) faults: Vec<Fault>,
    /// Whether the shape could not be compared, because unknown migrations are applied.
    pub(crate) shape_unknown: bool,
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
            _ => format!("; and {}", crate::words::plural(rest, "more fault", "more faults")),
        };
        Some(shown.join("; ") + &more)
    }
}

/// Rehearses the known migrations on a private copy of what a handle reads.
///
/// # Errors
/// [`Error::Copy`] where there is no copy to rehearse on, [`Error::Rehearsal`] where something else than the migrations
/// ended it (no room, no memory, damage that was there before), and the time limit.
pub(crate) fn rehearse(
    probe: &Probe,
    handle: &ReadOnly,
    application: &Application,
    state: &SchemaState,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let copy = copy::of_store(probe, handle, environment)?;
    let again = || copy::of_store(probe, handle, environment)?.guarded(environment);
    run(handle, copy.conn, &again, application, state, environment)
}

/// Runs an application's migrations on `copy`, which was copied from `source`, and looks at what they made of it. `again` makes another copy.
fn run(
    source: &ReadOnly,
    mut copy: Connection,
    again: &dyn Fn() -> Result<verify::Untouched>,
    application: &Application,
    state: &SchemaState,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let stop = environment.stop;
    prepare_rehearsal(&mut copy, stop).map_err(ended(stop))?;
    let running = interruptible(&copy, stop);
    let before = verify::Before::of(source, again, &copy, &state.applied, application);
    let before = before.map_err(|error| interrupted(error, stop))?;
    let begun = Instant::now();
    let migrated = runner::migrate(&mut copy, &application.ledger, &application.migrations);
    let mut rehearsal = Rehearsal {
        took: begun.elapsed(),
        rows: before.rows(),
        shape_unknown: !state.unknown.is_empty(),
        ..Rehearsal::default()
    };
    match migrated {
        Ok(ran) => rehearsal.ran = ran,
        Err(error) => {
            rehearsal.faults.push(Fault::of_migration(why_it_ended(error, &copy, stop)?));
            return Ok(rehearsal);
        }
    }
    let counts = verify::counts(&copy).map_err(|error| not_rehearsed(interrupted(error, stop)))?;
    drop(running);
    let after = ReadOnly::guarded(copy, environment.heap_limit, stop)?;
    // SQLite's own checks compare values whole, however long they are.
    let faults =
        after.with_long_values(|| source.with_long_values(|| before.faults(&counts, &after, !rehearsal.shape_unknown)));
    rehearsal.faults = faults.and_then(|faults| faults?).map_err(not_rehearsed)?;
    Ok(rehearsal)
}

/// What kept the migrations from being looked at, other than the time limit.
fn not_rehearsed(error: Error) -> Error {
    if error.stopped().is_some() {
        error
    } else {
        Error::Rehearsal(error.into())
    }
}

/// A migration's own failure; what ended it from outside (the system, the folder of the copy, a bound) is an error.
fn why_it_ended(error: Error, copy: &Connection, stop: &Stop) -> Result<Error> {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, FileLockingProtocolFailed, NotADatabase,
        OperationInterrupted, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure, TooBig,
    };
    if let Some(why) = stop.reason() {
        return Err(why.into());
    }
    match error.sqlite_code() {
        Some(DiskFull) => Err(Error::Rehearsal(copy::outgrown(copy).unwrap_or(error).into())),
        Some(
            CannotOpen
            | DatabaseBusy
            | DatabaseCorrupt
            | FileLockingProtocolFailed
            | NotADatabase
            | OperationInterrupted
            | OutOfMemory
            | PermissionDenied
            | ReadOnly
            | SystemIoFailure
            | TooBig,
        ) => Err(Error::Rehearsal(error.into())),
        _ => Ok(error),
    }
}

/// The reason to stop, where that is what ended a statement.
fn interrupted(error: Error, stop: &Stop) -> Error {
    match stop.reason() {
        Some(why) if error.sqlite_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => why.into(),
        _ => error,
    }
}

/// What ended a statement on the copy: the time limit, or what SQLite says.
fn ended(stop: &Stop) -> impl FnOnce(rusqlite::Error) -> Error {
    let reason = stop.reason();
    move |error| match reason {
        Some(why) => why.into(),
        None => Error::Rehearsal(Error::preparing("prepare the copy")(error).into()),
    }
}

/// Rehearses the known migrations on nothing: what they make of a file of no bytes.
///
/// # Errors
/// As [`rehearse`].
pub(crate) fn rehearse_on_nothing(
    application: &Application,
    state: &SchemaState,
    environment: &Environment<'_>,
) -> Result<Rehearsal> {
    let nothing = || Ok((copy::nothing(environment)?, None));
    run(&nothing()?.0, copy::memory()?, &nothing, application, state, environment)
}

#[cfg(test)]
mod tests;
