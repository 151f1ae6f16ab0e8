//! The pipeline: probes a path, chooses how to read the store, and runs the checks on it, or reads the ledger. The report and the
//! gate's answer both come from here.

mod answers;
pub(crate) mod examination;
mod file_alone;
mod row_counts;
mod turns;

use std::path::Path;

use crate::application::{Application, History};
use crate::error::internal_error::catch_panic;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::migrations::rehearsal::{self, RehearsalOutcome};
use crate::migrations::status::MigrationStatus;
use crate::probe::header_fields::find_wrong_fields;
use crate::probe::in_use::Sighting;
use crate::probe::not_a_database::describe_conversion;
use crate::probe::{EMPTY_WITHOUT_LOG, PathKind, Probe, retry_until_stable, sidecars};
use crate::report::Report;
use crate::store::{Environment, Need, ReadOnly, with_stable_store};

pub(crate) use answers::Answers;

/// The settings of an examination.
#[derive(Debug, Clone)]
pub(crate) struct Options<'a> {
    /// The checks whose rows are wanted; the order does not matter.
    pub(crate) checks: Vec<CheckId>,
    /// True to look for the files that the store names.
    pub(crate) artifacts: bool,
    /// True to make a map of the store's pages.
    pub(crate) page_map: bool,
    /// The application whose store it is.
    pub(crate) application: &'a Application,
    /// Who has the store open, where that was looked for.
    pub(crate) users: Option<&'a Sighting>,
    /// The private folder, the sandbox, the bounds, the stop.
    pub(crate) environment: Environment<'a>,
}

/// Runs the checks on the store at `path`. Whatever is wrong is a row of the report; another thread can report `answers`
/// meanwhile.
fn report(answers: &Answers, path: &Path, options: &Options<'_>) -> Report {
    let ended = with_stable_store(path, Need::Everything, &options.environment, |probe, access| {
        let witness = access.as_ref().ok().map(|access| (access.witness(), probe.clone()));
        answers.reset(probe.situation, witness);
        let ready = access.as_ref().ok().copied();
        answers.run_checks(probe, access, options);
        answers.append_intact_row_counts(probe, ready, options.environment.stop);
        answers.append_look_at_file_alone(probe, ready, options);
        answers.find_cause(probe, ready, options.environment.stop);
        answers.draw_map(probe, ready, options.environment.stop);
    });
    answers.report(ended)
}

/// Runs the checks on the store at `path`. A panic of the doctor becomes a row and affects no other store.
pub(crate) fn report_despite_panics(answers: &Answers, path: &Path, options: &Options<'_>) -> Report {
    catch_panic(|| report(answers, path, options)).unwrap_or_else(|mistake| answers.report_aborted(&mistake))
}

/// Reads the migration status of the store at `path`; and, where `rehearse` asks for it, tries the pending migrations on a copy of the same
/// moment. Nothing is rehearsed where unknown migrations are applied. `users`: who has the store open, where that was looked for.
///
/// # Errors
/// Fails as [`crate::inspect_schema_state`], at the caller's stop, and where the rehearsal could not be made; [`Error::InUse`] where a program's
/// commits are not in the files that lie here.
pub(crate) fn migration_status(
    path: &Path,
    application: &Application,
    rehearse: bool,
    users: Option<&Sighting>,
    environment: &Environment<'_>,
) -> Result<(MigrationStatus, Option<RehearsalOutcome>)> {
    if matches!(application.history, History::NotKnown) {
        return Err(Error::NothingKnown);
    }
    if let Some(why) = users.and_then(Sighting::hidden_commits) {
        return Err(Error::InUse(why));
    }
    let need = if rehearse { Need::Everything } else { Need::Ledger };
    read_stable_store(path, need, application, environment, |probe, handle| {
        let status = match handle {
            Some(handle) => MigrationStatus::read(application, handle, environment.stop)?,
            None => MigrationStatus::of_empty_file(application)?,
        };
        let store = handle.map(|handle| (probe, handle));
        let rehearse = rehearse && status.diff.unknown.is_empty();
        let outcome = rehearse.then(|| rehearsal::rehearse(application, &status, store, environment));
        Ok((status, outcome.transpose()?))
    })
}

/// Refuses a file whose header is damaged: no daemon could open it, whatever its ledger says.
///
/// # Errors
/// Fails if a field of the header is out of range.
fn refuse_damaged_header(probe: &Probe) -> Result<()> {
    let PathKind::Sqlite(header) = &probe.kind else {
        return Ok(());
    };
    let faults: Vec<String> = header.faults().iter().map(ToString::to_string).collect();
    if faults.is_empty() {
        return Ok(());
    }
    if let Some(wrong) = find_wrong_fields(probe) {
        return Err(Error::NotAStore(wrong.words));
    }
    Err(Error::NotAStore(format!("its header is damaged: {}", faults.join("; "))))
}

/// Returns what the check `file` says of a file that SQLite found damaged, where that says more.
fn explain_damage(probe: &Probe, error: Error, stop: &Stop) -> Error {
    if !error.is_damage() || probe.header().is_none() {
        return error;
    }
    let words = find_wrong_fields(probe)
        .map(|wrong| wrong.words)
        .or_else(|| describe_conversion(probe, stop).map(|found| found.words));
    words.map_or(error, Error::NotAStore)
}

/// Returns the result of reading a store through a handle, where nothing beside it hides what was committed; there is no handle on a file of no
/// bytes.
fn read_stable_store<T>(
    path: &Path,
    need: Need,
    application: &Application,
    environment: &Environment<'_>,
    mut make: impl FnMut(&Probe, Option<&ReadOnly>) -> Result<T>,
) -> Result<T> {
    with_stable_store(path, need, environment, |probe, access| {
        if probe.kind == PathKind::Empty {
            return make(probe, None);
        }
        let explain = |error| explain_damage(probe, error, environment.stop);
        let access = access.map_err(explain)?;
        if probe.is_empty_without_log() {
            return Err(Error::NotAStore(EMPTY_WITHOUT_LOG.to_owned()));
        }
        refuse_damaged_header(probe)?;
        // What a foreign or damaged journal hides may be a migration.
        let examine = |probe: &Probe| sidecars::examine(probe, application, environment.stop);
        let verdict = retry_until_stable(probe, environment.stop, sidecars::seems_wrong, examine)?;
        if let Some((suffix, what)) = verdict.fault() {
            return Err(Error::Journal(format!("something is wrong with the store's {suffix} file: {what}")));
        }
        make(probe, Some(&access.open().map_err(explain)?))
    })?
}
