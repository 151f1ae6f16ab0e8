//! The read-only handle on a store: how it is opened, private copies, the sandbox, questions to SQLite.
//!
//! [`with_stable_store`] leads from a path to a handle. It starts over when another process changes the store in the middle.
//! `read_method` decides how a store is opened, `access` opens it, and `read_only` is the handle.

mod access;
mod folder_sql;
mod guards;
pub(crate) mod integrity;
pub(crate) mod introspect;
mod leftovers;
pub(crate) mod page_reader;
pub(crate) mod private_copy;
mod read_method;
mod read_only;
pub(crate) mod sandbox;
pub(crate) mod schema_rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use access::{Access, Environment, PlainFiles, Witness};
pub(crate) use folder_sql::{FolderSql, Touched, Write};
pub(crate) use guards::{BUSY_TIMEOUT_MS, LONGEST_VALUE, interruptible, prepare_rehearsal};
pub(crate) use private_copy::{PrivateCopy, PrivateFolder, empty_copy};
pub(crate) use read_method::{MOST_COPIED_TO_MEMORY, MOST_REHEARSED_IN_MEMORY, Need, Purpose, ReadMethod};
pub(crate) use read_only::ReadOnly;

use crate::error::{Error, Result};
use crate::limits::stop::Stopped;
use crate::probe::{FileStat, PathKind, Probe, Situation};
use crate::store::sandbox::Sandbox;

/// The time during which, and the least number of times that, the doctor starts over before it reports that the store keeps
/// changing. One attempt on a large store may take longer than that; the later attempts then take locks, and a writer no longer
/// spoils them.
const PATIENCE: (Duration, u32) = (Duration::from_secs(10), 5);

/// The time for which another process may hold the write lock without a journal on disk. A writer that keeps its journal there
/// deletes it just before it unlocks; one that keeps it in memory may finish soon.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Probes a path, prepares the store for reading, and lets `work` read it. Starts over if a file changed in a way that makes
/// the result invalid for the read method used, so that the result is exactly what was committed. Each handle sees one
/// snapshot; beside writers that never stop, a second handle may see a later snapshot than the first.
///
/// If a writer without a journal on disk holds the write lock, it is unknown which of the file's content is committed: this waits
/// for a second.
///
/// If the store could not be prepared, `work` gets the error. `work` must close everything that it opens.
///
/// # Errors
/// Fails with [`Error::Moving`] if the store changed during each attempt, [`Error::Stopped`] if the time ran out first,
/// [`Error::OpenHere`] if this is a caller's process, which has the store open itself.
pub(crate) fn with_stable_store<T>(
    path: &Path,
    need: Need,
    environment: &Environment<'_>,
    mut work: impl FnMut(&Probe, Result<&Access<'_>>) -> T,
) -> Result<T> {
    // The `doctor` program holds no locks but those of its own handles, which it closes. What it inherited, such as its standard
    // input, holds none. A caller's process may hold some.
    if *environment.sandbox == Sandbox::NotAsked {
        refuse_if_open_here(path)?;
    }
    let begun = Instant::now();
    let mut disturbed = 0;
    let mut locked_since = None;
    loop {
        let probe = Probe::of(path).judged(environment.stop);
        if probe.situation == Situation::WriteLocked {
            let since: &Instant = locked_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= LOCK_PATIENCE {
                return Ok(work(&probe, Err(Error::WriteLocked)));
            }
            environment.stop.check()?;
            thread::sleep(LOCK_PATIENCE / 100);
            continue;
        }
        locked_since = None;
        let (found, believed) = match Access::prepare(&probe, disturbed, need, environment) {
            Ok(access) => {
                let found = work(&probe, Ok(&access));
                (found, access.is_still_valid(&probe) || access.has_given_up())
            }
            Err(error) => {
                let gave_up = matches!(error.stopped(), Some(Stopped::WritersWait(_)));
                let settled = gave_up || is_settled(&probe);
                (work(&probe, Err(error)), settled)
            }
        };
        if believed {
            return Ok(found);
        }
        // A result from a store that changed is not valid, even when there is no time for another attempt.
        environment.stop.check()?;
        disturbed += 1;
        if begun.elapsed() > PATIENCE.0 && disturbed >= PATIENCE.1 {
            return Err(Error::Moving(disturbed));
        }
        thread::sleep(Duration::from_millis(u64::from(disturbed.min(20))));
    }
}

/// Returns true when the reason for which a store could not be prepared will not pass by itself.
fn is_settled(probe: &Probe) -> bool {
    match probe.kind {
        PathKind::Sqlite(_) => probe.is_unchanged() && Probe::of(&probe.path).situation == probe.situation,
        // A new store has no bytes for a moment, and then its first ones.
        PathKind::Empty | PathKind::EmptyWithSidecar(_) | PathKind::SizeUnknown => probe.is_unchanged(),
        _ => true,
    }
}

/// The folder in which the system lists the files that this process has open.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Refuses a store that this process has open, or a sidecar file of it, for whatever purpose. It opens none of these files.
///
/// To close any descriptor of a file drops all POSIX locks that the process holds on it, SQLite's among them ("How To Corrupt
/// An SQLite Database File", section 2.2). Where the system has no list of descriptors, nothing is refused.
///
/// # Errors
/// Fails with [`Error::OpenHere`].
pub(crate) fn refuse_if_open_here(path: &Path) -> Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let files: Vec<(PathBuf, (u64, u64))> = ["", "-wal", "-shm", "-journal"]
        .into_iter()
        .filter_map(|suffix| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            let file = PathBuf::from(name);
            let id = id(&file)?;
            Some((file, id))
        })
        .collect();
    let Ok(descriptors) = fs::read_dir(DESCRIPTORS) else {
        return Ok(());
    };
    for open in descriptors.flatten().filter_map(|descriptor| id(&descriptor.path())) {
        if let Some((file, _)) = files.iter().find(|(_, id)| *id == open) {
            return Err(Error::OpenHere(file.clone()));
        }
    }
    Ok(())
}

/// Returns the device and inode of the file that a path leads to.
fn id(path: &Path) -> Option<(u64, u64)> {
    FileStat::of(path).ok().flatten().map(|stamp| stamp.id)
}
