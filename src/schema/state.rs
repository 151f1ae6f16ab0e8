//! Where a store stands among the known migrations.

use std::path::Path;

use super::ledger;
use crate::application::Application;
use crate::banger::APPLICATION;
use crate::error::{Error, Result};
use crate::private::PrivateFolder;
use crate::probe::sidecars;
use crate::probe::{PathKind, Probe, until_sure};
use crate::sandbox::Sandbox;
use crate::stop::Stop;
use crate::store::{Environment, Need, ReadOnly, with_stable_store};

/// Whether this binary may take a store over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// Every known migration is applied, and no other.
    Compatible,
    /// Some known migrations are pending: this binary is newer than the store, and will apply them.
    MigrationsNeeded,
    /// The store has migrations that this binary does not know: it is older than the store.
    Incompatible,
}

/// Where a store stands among the known migrations. All lists ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// Whether this binary may take the store over.
    pub compatibility: Compatibility,
    /// The ids in the ledger.
    pub applied: Vec<i64>,
    /// The highest id that this binary knows.
    pub known_max: i64,
    /// Known ids that are not applied.
    pub pending: Vec<i64>,
    /// Applied ids that are not known.
    pub unknown: Vec<i64>,
}

impl SchemaState {
    /// Where a store to which these migrations were applied stands among those that an application knows.
    pub fn of(application: &Application, mut applied: Vec<i64>) -> Self {
        applied.sort_unstable();
        let known = application.ids();
        let pending: Vec<i64> = known.iter().copied().filter(|id| applied.binary_search(id).is_err()).collect();
        let unknown: Vec<i64> = applied.iter().copied().filter(|id| !known.contains(id)).collect();
        let compatibility = if !unknown.is_empty() {
            Compatibility::Incompatible
        } else if !pending.is_empty() {
            Compatibility::MigrationsNeeded
        } else {
            Compatibility::Compatible
        };
        Self {
            compatibility,
            applied,
            known_max: known.last().copied().unwrap_or(0),
            pending,
            unknown,
        }
    }

    /// Reads the state through a handle. No ledger: everything is pending.
    pub(crate) fn read(application: &Application, handle: &ReadOnly) -> Result<Self> {
        Ok(Self::of(application, ledger::applied(application, handle)?.unwrap_or_default()))
    }
}

/// Where the store at `path` stands among the known migrations, without changing anything.
///
/// A file of no bytes, which is what SQLite makes of a new database, has everything pending.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use banger_doctor::{Compatibility, Store, inspect_schema_state};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.db");
/// drop(Store::open(&path)?); // as the daemon opens it: creates the store and applies the migrations
///
/// let state = inspect_schema_state(&path)?;
/// assert_eq!(state.compatibility, Compatibility::Compatible);
/// assert!(state.pending.is_empty() && state.unknown.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Locks
/// It opens and closes the files of the store, and POSIX drops every lock that a process holds on a file as soon as the
/// process closes any descriptor of it: a transaction of this process's own would go on without its locks, and another
/// process could write into it. So a store that this process has open, through SQLite or otherwise, is refused with
/// [`Error::OpenHere`]. Do not open it on another thread before this returns, either.
///
/// # Errors
/// Anything that cannot be read: a missing store, no permission, not a database, damage on the way to the ledger, a
/// ledger that is not the application's, a WAL that does not belong to the store. And a store that this process has open itself.
pub fn inspect_schema_state(path: &Path) -> Result<SchemaState> {
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    inspect(path, &APPLICATION, &environment)
}

/// The same with another application and other means.
///
/// # Errors
/// As [`inspect_schema_state`], and the caller's stop.
pub fn inspect(path: &Path, application: &Application, environment: &Environment<'_>) -> Result<SchemaState> {
    inspect_then(path, Need::Ledger, application, environment, |_, _, _| Ok(())).map(|(state, ())| state)
}

/// The same, and what `then` makes of the store at the same moment; there is no handle on a file of no bytes.
pub(super) fn inspect_then<T>(
    path: &Path,
    need: Need,
    application: &Application,
    environment: &Environment<'_>,
    mut then: impl FnMut(&Probe, Option<&ReadOnly>, &SchemaState) -> Result<T>,
) -> Result<(SchemaState, T)> {
    with_stable_store(path, need, environment, |probe, access| {
        if probe.nature == PathKind::Empty {
            let state = SchemaState::of(application, Vec::new());
            let made = then(probe, None, &state)?;
            return Ok((state, made));
        }
        let access = access?;
        // What a foreign or damaged journal hides may be a migration.
        let examine = |probe: &Probe| sidecars::examine(probe, application, environment.stop);
        let verdict = until_sure(probe, environment.stop, sidecars::seems_wrong, examine)?;
        if let Some((suffix, what)) = verdict.fault() {
            return Err(Error::Journal(format!("something is wrong with the store's {suffix} file: {what}")));
        }
        let handle = access.open()?;
        let state = SchemaState::read(application, &handle)?;
        let made = then(probe, Some(&handle), &state)?;
        Ok((state, made))
    })?
}
