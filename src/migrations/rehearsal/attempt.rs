//! One attempt: migrations run on one copy, and what they made of it.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::copy::{self, RehearsalCopy, TemporaryFiles};
use super::usable::{self, Unusable};
use super::verify::{LostRows, RehearsalFault, RowCounts, StoreBefore, counts};
use crate::application::Impact;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::shape::Shape;
use crate::store::{Environment, ReadOnly, interruptible};

/// Migrations and who runs them.
pub(super) trait MigrationRunner {
    /// Sets a copy up as the migrating program does, within the bounds of a rehearsal.
    fn prepare(&mut self, copy: &mut Connection, stop: &Stop) -> rusqlite::Result<()>;

    /// Runs the pending migrations on a copy whose tables have so many rows, and returns the names of those that ran.
    fn run(&mut self, copy: &mut Connection, counts: &RowCounts, stop: &Stop) -> Result<Vec<String>>;

    /// Returns true if this table is a ledger: its rows are not counted.
    fn is_ledger(&self, table: &str) -> bool;

    /// Returns the name that a table had before the migrations renamed it.
    fn former(&self, table: &str) -> String;

    /// Returns the cost of a difference in the shape, in words.
    fn cost(&self, impact: Impact) -> &'static str;

    /// Returns the shape that all migrations make, or why it is not known; `None` where unknown migrations are applied.
    fn shape_after(&self, stop: &Stop) -> Result<Option<Result<Shape, String>>>;

    /// Returns what cannot be used in a copy, before or after the migrations.
    fn find_unusable(&self, copy: &Connection, stop: &Stop) -> Result<Unusable>;

    /// Returns the shape that the migrations applied before make.
    fn shape_before(&self, stop: &Stop) -> Result<Shape>;
}

/// The result of one attempt.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The migrations that ran.
    pub(super) ran: Vec<String>,
    /// The number of rows before.
    pub(super) rows: u64,
    /// The duration of the migrations.
    pub(super) took: Duration,
    /// The failure of the migrations themselves; nothing was looked at then.
    pub(super) failed: Option<Error>,
    /// Tables that are still there and have fewer rows.
    pub(super) lost: Vec<LostRows>,
    /// Tables with rows that are no longer there, and how many rows they had.
    pub(super) gone: Vec<(String, u64)>,
    /// The other faults.
    pub(super) faults: Vec<RehearsalFault>,
    /// The reason why the shape could not be compared.
    pub(super) shape_unknown: Option<String>,
}

/// Runs migrations on a new copy of `source`, and looks at what they made of it.
pub(super) fn attempt(
    source: &ReadOnly,
    copies: &dyn Fn() -> Result<RehearsalCopy>,
    runner: &mut impl MigrationRunner,
    environment: &Environment<'_>,
) -> Result<Attempt> {
    let stop = environment.stop;
    // The connection is closed before its files go.
    let RehearsalCopy {
        mut conn,
        files: _files,
        temporary,
    } = copies()?;
    runner.prepare(&mut conn, stop).map_err(map_copy_error(stop))?;
    if let Some(temporary) = &temporary {
        temporary.used_by(&mut conn, stop).map_err(map_copy_error(stop))?;
    }
    let running = interruptible(&conn, stop);
    let counted = counts(&conn).map_err(|error| interrupted(error, stop))?;
    let mut out = Attempt {
        rows: counted.iter().filter(|(table, _)| !runner.is_ledger(table)).map(|(_, count)| count).sum(),
        ..Attempt::default()
    };
    let begun = Instant::now();
    let ran = runner.run(&mut conn, &counted, stop);
    out.took = begun.elapsed();
    match ran {
        Ok(ran) => out.ran = ran,
        Err(error) => {
            if let Some(outgrown) = temporary.as_ref().and_then(TemporaryFiles::outgrown) {
                return Err(Error::Rehearsal(outgrown.into()));
            }
            out.failed = Some(classify_failure(error, &conn, stop)?);
            return Ok(out);
        }
    }
    let now = counts(&conn).map_err(|error| wrap_rehearsal_error(interrupted(error, stop)))?;
    let unusable = runner
        .find_unusable(&conn, stop)
        .map_err(|error| wrap_rehearsal_error(interrupted(error, stop)))?;
    drop(running);
    let broken = if unusable.is_empty() {
        unusable
    } else {
        let before = find_unusable_before(copies, runner, stop).map_err(wrap_rehearsal_error)?;
        usable::newly_unusable(unusable, &before, |name| runner.former(name))
    };
    let after = ReadOnly::guarded(conn, environment.heap_limit, stop)?;
    let again = || copies()?.guarded(environment);
    let before = StoreBefore::of(source, &again, counted);
    let look = || -> Result<Attempt> {
        let mut faults = before.dangling(&after, |table| runner.former(table))?;
        faults.extend(broken.iter().map(|(of, why)| RehearsalFault::of_unusable(of, why)));
        faults.extend(before.integrity(&after)?);
        let shape_unknown = match runner.shape_after(stop)? {
            None => None,
            Some(Err(why)) => Some(why),
            Some(Ok(shape)) => {
                faults.extend(before.shape(
                    &shape,
                    &after,
                    || runner.shape_before(stop),
                    |impact| runner.cost(impact),
                )?);
                None
            }
        };
        Ok(Attempt {
            lost: before.find_lost_rows(&now),
            gone: before.find_dropped_tables(&now),
            faults,
            shape_unknown,
            ..out
        })
    };
    // SQLite's own checks compare values whole, however long they are.
    let looked = after.with_long_values(|| source.with_long_values(look));
    looked.and_then(|looked| looked?).map_err(wrap_rehearsal_error)
}

/// Returns what could not be used before the migrations, in another copy.
fn find_unusable_before(
    copies: &dyn Fn() -> Result<RehearsalCopy>,
    runner: &mut impl MigrationRunner,
    stop: &Stop,
) -> Result<Unusable> {
    let RehearsalCopy {
        mut conn,
        files: _files,
        temporary: _,
    } = copies()?;
    runner.prepare(&mut conn, stop).map_err(map_copy_error(stop))?;
    let _running = interruptible(&conn, stop);
    runner.find_unusable(&conn, stop).map_err(|error| interrupted(error, stop))
}

/// Wraps an error that ended the comparison, unless it is the time limit.
fn wrap_rehearsal_error(error: Error) -> Error {
    if error.stopped().is_some() {
        error
    } else {
        Error::Rehearsal(error.into())
    }
}

/// Returns a migration's own failure; what ended it from outside (the system, the folder of the copy, a bound) is an error.
pub(super) fn classify_failure(error: Error, copy: &Connection, stop: &Stop) -> Result<Error> {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, FileLockingProtocolFailed, NotADatabase,
        OperationInterrupted, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure, TooBig,
    };
    if let Some(why) = stop.reason() {
        return Err(why.into());
    }
    if matches!(error, Error::NotReplayable { .. } | Error::Rehearsal(_)) {
        return Err(error);
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

/// Returns the reason to stop, where that is what ended a statement.
fn interrupted(error: Error, stop: &Stop) -> Error {
    match stop.reason() {
        Some(why) if error.sqlite_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => why.into(),
        _ => error,
    }
}

/// Returns the error that ended a statement on the copy: the time limit, or SQLite's.
fn map_copy_error(stop: &Stop) -> impl FnOnce(rusqlite::Error) -> Error {
    let reason = stop.reason();
    move |error| match reason {
        Some(why) => why.into(),
        None => Error::Rehearsal(Error::preparing("prepare the copy")(error).into()),
    }
}
