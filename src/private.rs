//! The private folder: the only place where the doctor writes, made only where a copy may be needed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::probe::{Probe, Situation, journal, open_plain};
use crate::stop::Stop;
use crate::words::thousands;

/// A store larger than this is copied to the private folder, a smaller one to memory. In bytes.
pub const MOST_IN_MEMORY: u64 = 8 << 20;

/// A folder of our own below `TMPDIR`, mode 0700, removed when this is dropped.
#[derive(Debug)]
pub struct PrivateFolder {
    folder: TempDir,
    used: AtomicU64,
}

impl PrivateFolder {
    /// Makes the folder, below `$TMPDIR` or `/tmp`.
    ///
    /// # Errors
    /// What the system says.
    fn create() -> Result<Self> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("doctor-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(|error| Error::io("make a private folder in", &parent)(bare(&error)))?;
        Ok(Self {
            folder,
            used: AtomicU64::new(0),
        })
    }

    /// Makes the folder if examining one of these stores may need it.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn for_stores<P: AsRef<Path>>(stores: &[P], metadata_is_safe: bool) -> Result<Self, String> {
        if !stores.iter().any(|path| Self::may_be_needed(&Probe::of(path.as_ref()), metadata_is_safe)) {
            return Err("none was made, because no store needed one when the doctor began; run it again".to_owned());
        }
        Self::create().map_err(|error| error.to_string())
    }

    /// Whether examining this store may need the folder: a hot journal must be rolled back in a copy, SQLite opens a path
    /// that is too long only as a copy, and a store too large for memory may have migrations to rehearse.
    fn may_be_needed(probe: &Probe, metadata_is_safe: bool) -> bool {
        matches!(probe.situation, Situation::HotJournal | Situation::RollbackLive)
            || (probe.wal.has_content() && !metadata_is_safe)
            || (probe.header().is_some() && probe.path_is_too_long())
            || (probe.header().is_some() && probe.size() + probe.wal.size() > MOST_IN_MEMORY)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path within the folder that nothing has yet, for a copy that is removed when it is dropped.
    pub(crate) fn new_copy(&self) -> Result<PrivateCopy> {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let folder = self.path().join(number.to_string());
        fs::create_dir(&folder).map_err(Error::io("make", &folder))?;
        Ok(PrivateCopy {
            path: folder.join("state.db"),
            folder,
        })
    }
}

/// A store's place within the private folder. Only what lies at such a place is ever opened for writing.
#[derive(Debug)]
pub struct PrivateCopy {
    folder: PathBuf,
    path: PathBuf,
}

impl PrivateCopy {
    /// Where the copy's database is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies a store with its WAL and its journal, so that SQLite can recover here what a writer left unfinished.
    ///
    /// # Errors
    /// Where a file cannot be read, there is no room, or the time is up.
    pub(crate) fn of_files(folder: &PrivateFolder, probe: &Probe, stop: &Stop) -> Result<Self> {
        let copy = folder.new_copy()?;
        copy.check_room(probe.size() + probe.wal.size() + probe.journal.size())?;
        copy_file(&probe.path, &copy.path, u64::MAX, stop)?;
        if probe.wal.has_content() {
            copy_file(&probe.wal.path, &copy.beside("-wal"), u64::MAX, stop)?;
        }
        if probe.journal.has_content()
            && let Some(length) = journal_to_play(probe)?
        {
            copy_file(&probe.journal.path, &copy.beside("-journal"), length, stop)?;
        }
        Ok(copy)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_os_string();
        name.push(suffix);
        name.into()
    }

    /// Fails at once where the folder's file system has no room for so many bytes.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<()> {
        let room = rustix::fs::statvfs(&self.folder)
            .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
            .map_err(|error| Error::io("see the room in", &self.folder)(error.into()))?;
        if room < bytes {
            let source = io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "{} KiB are needed and {} KiB are free",
                    thousands(bytes.div_ceil(1024)),
                    thousands(room >> 10)
                ),
            );
            return Err(Error::io("copy the store to", &self.folder)(source));
        }
        Ok(())
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        // What cannot be removed now goes with the private folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What the system said, without the path that `tempfile` adds: it may name a home folder, and we name it already.
fn bare(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let words = text.split(" at path ").next().unwrap_or_default();
    io::Error::new(error.kind(), words)
}

/// How many bytes of the journal SQLite shall play back in the copy; `None` for none.
///
/// A journal of a transaction over several databases ends with the name of its super-journal. SQLite would look at that
/// path, anywhere on this machine, and remove it. So we look ourselves: where the super-journal is gone the transaction
/// was committed and the journal counts for nothing; where it is there, the journal is played back without its name.
/// (`pager.c`, `pager_playback`.)
fn journal_to_play(probe: &Probe) -> Result<Option<u64>> {
    let path = &probe.journal.path;
    if !probe.journal.has_content() {
        return Ok(None);
    }
    let file = open_plain(path).map_err(Error::io("read", path))?;
    match journal::super_journal(&file).map_err(Error::io("read", path))? {
        None => Ok(Some(u64::MAX)),
        Some((name, at)) => Ok(counts_as_there(&name).then_some(at)),
    }
}

/// Whether SQLite would say that a super-journal is there: an empty file is none (`os_unix.c`, `unixAccess`).
fn counts_as_there(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| !meta.is_file() || meta.len() > 0)
}

/// Copies at most `length` bytes of a regular file to a path that has none, asking now and then whether to stop.
fn copy_file(from: &Path, to: &Path, length: u64, stop: &Stop) -> Result<()> {
    let mut source = open_plain(from).map_err(Error::io("read", from))?.take(length);
    let mut target: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::io("write", to))?;
    let mut chunk = vec![0; 256 * 1024];
    loop {
        stop.check()?;
        let n = source.read(&mut chunk).map_err(Error::io("read", from))?;
        if n == 0 {
            return Ok(());
        }
        target.write_all(&chunk[..n]).map_err(Error::io("write", to))?;
    }
}
