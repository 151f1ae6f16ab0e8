//! The pipeline: probes a path, chooses how to read the store, and runs the checks on it, or reads the ledger. The report and the
//! gate's answer both come from here.

mod answers;
pub(crate) mod examination;
mod turns;

use std::path::Path;

use crate::application::{Application, MigrationsFolder};
use crate::error::mistake::caught;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::migrations::rehearsal::{self, Rehearsed};
use crate::migrations::rehearsed;
use crate::migrations::rehearsed::Tried;
use crate::migrations::schema_state::{Compatibility, SchemaState};
use crate::migrations::status::Stands;
use crate::probe::{PathKind, Probe, sidecars, until_sure};
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
    /// The private folder, the sandbox, the bounds, the stop.
    pub(crate) environment: Environment<'a>,
}

/// Runs the checks on the store at `path`. Whatever is wrong is a row of the report; another thread can report `answers`
/// meanwhile.
fn report(answers: &Answers, path: &Path, options: &Options<'_>) -> Report {
    let ended = with_stable_store(path, Need::Everything, &options.environment, |probe, access| {
        let witness = access.as_ref().ok().map(|access| (access.witness(), probe.clone()));
        answers.start_over(probe.situation, witness);
        let ready = access.as_ref().ok().copied();
        answers.ask_all(probe, access, options);
        answers.append_intact_row_counts(probe, options.environment.stop);
        answers.draw_map(probe, ready, options.environment.stop);
    });
    answers.report(ended)
}

/// Runs the checks on the store at `path`. A panic of the doctor becomes a row and affects no other store.
pub(crate) fn report_despite_panics(answers: &Answers, path: &Path, options: &Options<'_>) -> Report {
    caught(|| report(answers, path, options)).unwrap_or_else(|mistake| answers.broken_off(&mistake))
}

/// Returns where the store at `path` stands among the known migrations.
///
/// # Errors
/// As [`crate::inspect_schema_state`], and the caller's stop.
pub(crate) fn state(path: &Path, application: &Application, environment: &Environment<'_>) -> Result<SchemaState> {
    state_and(path, Need::Ledger, application, environment, |_, _, _| Ok(())).map(|(state, ())| state)
}

/// Returns the state of the store at `path` and, if migrations are pending, why they must not be run. The state and the copy on which they
/// are tried are of one moment.
///
/// # Errors
/// As [`state`], and where the rehearsal could not be made.
pub(crate) fn rehearsed_state(
    path: &Path,
    application: &Application,
    environment: &Environment<'_>,
) -> Result<(SchemaState, Option<String>)> {
    state_and(path, Need::Everything, application, environment, |probe, handle, state| {
        if state.compatibility != Compatibility::MigrationsNeeded {
            return Ok(None);
        }
        let rehearsal = match handle {
            Some(handle) => rehearsal::rehearse(probe, handle, Rehearsed::Own(application, state), environment)?,
            None => rehearsal::rehearse_on_nothing(Rehearsed::Own(application, state), environment)?,
        };
        Ok(rehearsal.failure())
    })
}

/// Returns the state, and what `more` makes of the store at the same moment; there is no handle on a file of no bytes.
fn state_and<T>(
    path: &Path,
    need: Need,
    application: &Application,
    environment: &Environment<'_>,
    mut more: impl FnMut(&Probe, Option<&ReadOnly>, &SchemaState) -> Result<T>,
) -> Result<(SchemaState, T)> {
    if !application.has_builtin_migrations() {
        return Err(Error::NothingKnown);
    }
    look(path, need, application, environment, |probe, handle| {
        let state = match handle {
            Some(handle) => SchemaState::read(application, handle)?,
            None => SchemaState::of_nothing(application)?,
        };
        let made = more(probe, handle, &state)?;
        Ok((state, made))
    })
}

/// Returns where the store at `path` stands among the migrations of a folder; and, where that is asked for and some are pending, what came of
/// trying them at the same moment.
///
/// # Errors
/// As [`rehearsed_state`].
pub(crate) fn folder_state(
    path: &Path,
    application: &Application,
    folder: &MigrationsFolder,
    rehearse: bool,
    environment: &Environment<'_>,
) -> Result<(Stands, Option<Tried>)> {
    let need = if rehearse { Need::Everything } else { Need::Ledger };
    look(path, need, application, environment, |probe, handle| {
        let stands = match handle {
            Some(handle) => Stands::read(folder, handle, environment.stop)?,
            None => Stands::of_nothing(folder)?,
        };
        let store = handle.map(|handle| (probe, handle));
        // What is newer than the folder is not to be tried.
        let rehearse = rehearse && stands.standing.unknown.is_empty();
        let tried = rehearse.then(|| rehearsed::rehearse(folder, &stands, store, environment));
        Ok((stands, tried.transpose()?))
    })
}

/// Returns what is made of a store through a handle, where nothing beside it hides what was committed; there is no handle on a file of no
/// bytes.
fn look<T>(
    path: &Path,
    need: Need,
    application: &Application,
    environment: &Environment<'_>,
    mut make: impl FnMut(&Probe, Option<&ReadOnly>) -> Result<T>,
) -> Result<T> {
    with_stable_store(path, need, environment, |probe, access| {
        if probe.nature == PathKind::Empty {
            return make(probe, None);
        }
        let access = access?;
        // What a foreign or damaged journal hides may be a migration.
        let examine = |probe: &Probe| sidecars::examine(probe, application, environment.stop);
        let verdict = until_sure(probe, environment.stop, sidecars::seems_wrong, examine)?;
        if let Some((suffix, what)) = verdict.fault() {
            return Err(Error::Journal(format!("something is wrong with the store's {suffix} file: {what}")));
        }
        make(probe, Some(&access.open()?))
    })?
}
