//! Whether this process itself has a store open.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::probe::FileStat;

/// Where the system lists what this process has open.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Refuses a store that this process has open, or a sidecar file of it, whatever for. It opens none of these files.
///
/// To close any descriptor of a file drops all POSIX locks that the process holds on it, SQLite's among them ("How To Corrupt
/// An SQLite Database File", section 2.2). Where the system has no list of descriptors, nothing is refused.
///
/// # Errors
/// [`Error::OpenHere`].
pub(super) fn refuse(path: &Path) -> Result<()> {
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

/// What a path leads to, by device and inode.
fn id(path: &Path) -> Option<(u64, u64)> {
    FileStat::of(path).ok().flatten().map(|stamp| stamp.id)
}
