//! SQLite's temporary files beside a copy: what an index sorts, temporary tables, what VACUUM writes. They lie in the private folder
//! without a name, as SQLite makes them, and are bounded together as the copy is.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::error::Error;
use crate::limits::stop::Stop;
use crate::store::Environment;
use crate::store::sandbox::Sandbox;

/// The files that this process has open.
const OPEN_FILES: &str = "/proc/self/fd";

/// The time between two measurements of the files while statements run.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The number of steps of SQLite's virtual machine after which the time is asked. A step may write a value of many megabytes to a
/// sorter's file, so that files grow by a few such values between two looks.
const STEPS_BETWEEN_LOOKS: i32 = 20;

/// The folder for temporary files, and the bound on their size.
pub(in crate::migrations::rehearsal) struct TemporaryFiles {
    folder: PathBuf,
    most: u64,
    outgrown: Arc<AtomicBool>,
}

impl TemporaryFiles {
    /// Creates a bound of so many bytes for temporary files in the private folder; `None` where they must be kept in memory.
    ///
    /// SQLite knows one folder for them, the whole process's: that of a caller is the caller's. And what cannot be measured cannot
    /// be bounded.
    pub(super) fn new(environment: &Environment<'_>, most: u64) -> Option<Self> {
        if *environment.sandbox == Sandbox::NotAsked {
            return None;
        }
        // As the kernel shows it.
        let folder = fs::canonicalize(environment.private.path()?).ok()?;
        folder.to_str()?;
        used(&folder)?;
        Some(Self {
            folder,
            most,
            outgrown: Arc::default(),
        })
    }

    /// Lets a connection put its temporary files there, until they are too large together.
    pub(in crate::migrations::rehearsal) fn used_by(&self, conn: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
        let folder = self.folder.to_str().unwrap_or_default().replace('\'', "''");
        conn.execute_batch(&format!("PRAGMA temp_store=FILE; PRAGMA temp_store_directory='{folder}'"))?;
        let (stop, folder, most) = (stop.clone(), self.folder.clone(), self.most);
        let outgrown = Arc::clone(&self.outgrown);
        let mut looked = Instant::now();
        conn.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || {
                if looked.elapsed() >= BETWEEN_LOOKS {
                    looked = Instant::now();
                    let fits = used(&folder).is_some_and(|bytes| bytes <= most);
                    outgrown.fetch_or(!fits, Ordering::Relaxed);
                }
                outgrown.load(Ordering::Relaxed) || stop.reason().is_some()
            }),
        )
    }

    /// Returns the error that the files became too large, if they did.
    pub(in crate::migrations::rehearsal) fn outgrown(&self) -> Option<Error> {
        let is_outgrown = self.outgrown.load(Ordering::Relaxed);
        is_outgrown.then_some(Error::Outgrown { bytes: self.most })
    }
}

/// Returns the total size in bytes of the deleted files of a folder that this process has open. `None` where the kernel
/// does not say. None of them is opened: to close it would drop the locks on it.
fn used(folder: &Path) -> Option<u64> {
    let mut bytes = 0;
    for open in fs::read_dir(OPEN_FILES).ok()? {
        let open = open.ok()?.path();
        // One that was closed in the meantime is none.
        let Ok(named) = fs::read_link(&open) else { continue };
        if named.starts_with(folder) && named.as_os_str().as_bytes().ends_with(b" (deleted)") {
            bytes += fs::metadata(&open).map_or(0, |meta| meta.len());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_without_a_name_are_measured_and_those_with_one_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let mut files: Vec<fs::File> = [&*folder, elsewhere.path()]
            .iter()
            .map(|in_it| tempfile::tempfile_in(in_it).unwrap())
            .collect();
        files.push(fs::File::create(folder.join("named")).unwrap());
        for file in &mut files {
            file.write_all(&[0; 5_000]).unwrap();
        }
        assert_eq!(used(&folder), Some(5_000));
        drop(files);
        assert_eq!(used(&folder), Some(0));
    }
}
