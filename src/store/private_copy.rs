//! The private folder, which is the only place where the doctor writes, and the copies in it, which are the only databases that it
//! ever opens for writing.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{MutexGuard, OnceLock};

use rusqlite::{Connection, OpenFlags};
use sqlite_format::journal::{HEADER_LEN, SegmentHeader};
use tempfile::TempDir;

use super::access::Environment;
use super::leftovers;
use super::read_only::uri;
use crate::error::{Error, Result};
use crate::limits::HeavyWork;
use crate::limits::stop::{Stop, Stopped};
use crate::probe::{FileStat, Probe, journal, open_plain};
use crate::text::paths;
use crate::text::words::thousands;

/// The parents of the private folder when `TMPDIR` names none or the folder of a store: the first that will do.
const PARENTS: [&str; 2] = ["/tmp", "/var/tmp"];

/// A folder below `TMPDIR`, mode 0700, created when it is first needed and removed when this is dropped.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    /// The stores that are read. It is never made in the folder of one of them, whose times that would change.
    stores: Vec<PathBuf>,
    /// The folder, or the reason why there is none; empty until it is first needed.
    made: OnceLock<Result<ClaimedFolder, String>>,
    used: AtomicU64,
    heavy_work: HeavyWork,
}

/// A folder that no other run takes for an abandoned one.
#[derive(Debug)]
struct ClaimedFolder {
    path: PathBuf,
    /// Holds the lock on it.
    _lock: OwnedFd,
}

impl PrivateFolder {
    /// Describes a folder for copies of these stores, and does not create it yet.
    pub(crate) fn for_stores<P: AsRef<Path>>(stores: &[P]) -> Self {
        Self {
            stores: stores.iter().map(|path| path.as_ref().to_path_buf()).collect(),
            made: OnceLock::new(),
            used: AtomicU64::new(0),
            heavy_work: HeavyWork::new(),
        }
    }

    /// Creates the folder now if a copy of one of the stores may be needed: later the kernel forbids it.
    pub(crate) fn create_if_needed(&self, is_needed: impl Fn(&Probe) -> bool) {
        if self.stores.iter().any(|path| is_needed(&Probe::of(path))) {
            // A folder that could not be created is reported where a copy is needed.
            let _ = self.get();
        }
    }

    /// Notes that no folder is created from here on: the kernel forbids it.
    pub(crate) fn seal(&self) {
        self.made.get_or_init(|| {
            Err(
                "there is no private folder, because no store needed one when the doctor began: run it again"
                    .to_owned(),
            )
        });
    }

    /// Returns its path, if it was created.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.made.get()?.as_ref().ok().map(|claimed| claimed.path.as_path())
    }

    /// Returns true when it is known that there is none and none can be created.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.made.get(), Some(Err(_)))
    }

    /// Returns the folder, and creates it if it is not there yet.
    fn get(&self) -> Result<&Path> {
        let made = self.made.get_or_init(|| make_beside_none(&self.stores));
        made.as_ref()
            .map(|claimed| claimed.path.as_path())
            .map_err(|why| Error::NoFolder(why.clone()))
    }

    /// Waits for the permit to do what takes much memory and much of the disk. It is given back when the result is dropped.
    ///
    /// # Errors
    /// Fails at the time limit, or on Ctrl-C.
    pub(crate) fn wait_for_heavy_work(&self, stop: &Stop) -> Result<Option<MutexGuard<'_, ()>>> {
        Ok(self.heavy_work.wait(None, stop)?)
    }

    /// Creates an empty place within the folder, for a copy that is removed when it is dropped.
    pub(crate) fn new_copy(&self) -> Result<PrivateCopy> {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let folder = self.get()?.join(number.to_string());
        fs::create_dir(&folder).map_err(Error::io("make", &folder))?;
        Ok(PrivateCopy {
            path: folder.join("state.db"),
            folder,
        })
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Each copy has gone by now. `remove_dir` opens nothing: to list the folder first would open a descriptor, and a watchdog
        // that ends the process may have closed it, which the standard library answers with a panic.
        if let Some(folder) = self.path() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Makes the folder: below `TMPDIR`, or, where that names none or the folder of a store, in the first other one that will do.
fn make_beside_none(stores: &[PathBuf]) -> Result<ClaimedFolder, String> {
    let theirs = folders_of(stores);
    let named = std::env::var_os("TMPDIR").filter(|name| !name.is_empty()).map(PathBuf::from);
    let others = PARENTS.iter().map(Path::new).filter(|other| Some(*other) != named.as_deref());
    let mut why_not = Vec::new();
    for parent in named.iter().map(PathBuf::as_path).chain(others) {
        if id(parent).is_some_and(|id| theirs.contains(&id)) {
            why_not.push(format!(
                "no private folder is made in {}, because a store is in it",
                paths::display_path(parent)
            ));
            continue;
        }
        match make_in(parent) {
            Ok(folder) => return Ok(folder),
            Err(error) => why_not.push(error.to_string()),
        }
        // A folder that the user chose is not silently exchanged for another.
        if named.as_deref() == Some(parent) {
            break;
        }
    }
    Err(why_not.join("; "))
}

/// The folders that hold the stores, and those that hold links to them, by device and inode.
fn folders_of(stores: &[PathBuf]) -> HashSet<(u64, u64)> {
    let folder_of = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => id(Path::new(".")),
        Some(parent) => id(parent),
        None => None,
    };
    let ends = |store: &PathBuf| [Some(store.clone()), fs::canonicalize(store).ok()];
    stores.iter().flat_map(ends).flatten().filter_map(|path| folder_of(&path)).collect()
}

/// Returns the device and inode of what lies at a path.
fn id(path: &Path) -> Option<(u64, u64)> {
    FileStat::of(path).ok().flatten().map(|stamp| stamp.id)
}

/// Makes a private folder, and removes those of runs that were killed.
fn make_in(parent: &Path) -> Result<ClaimedFolder> {
    const MOST_ATTEMPTS: u32 = 5;
    leftovers::remove_abandoned(parent);
    let fails = |error: &io::Error| Error::io("make a private folder in", parent)(bare(error));
    for _ in 0..MOST_ATTEMPTS {
        let made = tempfile::Builder::new()
            .prefix(leftovers::PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent);
        let path = made.map(TempDir::keep).map_err(|error| fails(&error))?;
        if let Some(lock) = leftovers::claim(&path) {
            return Ok(ClaimedFolder { path, _lock: lock });
        }
    }
    Err(fails(&io::Error::other("each one was taken away again")))
}

/// A place for a copy of a store within the private folder. Only a database at such a place is ever opened for writing.
#[derive(Debug)]
pub(crate) struct PrivateCopy {
    folder: PathBuf,
    path: PathBuf,
}

impl PrivateCopy {
    /// Returns the path of the copy's database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies a store with its WAL and its journal, so that SQLite can recover here what a writer left unfinished; `is_alone`: the
    /// database file alone.
    ///
    /// # Errors
    /// Fails if a file cannot be read, there is no room, or the time is up.
    pub(crate) fn of_files(folder: &PrivateFolder, probe: &Probe, is_alone: bool, stop: &Stop) -> Result<Self> {
        let copy = folder.new_copy()?;
        copy.check_room(probe.size() + probe.wal.size() + probe.journal.size())?;
        copy_file(&probe.path, &copy.path, u64::MAX, stop)?;
        if is_alone {
            return Ok(copy);
        }
        if probe.wal.has_content() {
            copy_file(&probe.wal.path, &copy.beside("-wal"), u64::MAX, stop)?;
        }
        if probe.journal.has_content()
            && let Some(length) = journal::length_to_play(probe)?
        {
            let journal = copy.beside("-journal");
            copy_file(&probe.journal.path, &journal, length, stop)?;
            // By the size that it states SQLite would cut the copy, and nothing could be said of the rest.
            if let Some(pages) = probe.actual_journal_size() {
                state_size(&journal, pages).map_err(Error::io("write", &journal))?;
            }
        }
        Ok(copy)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_os_string();
        name.push(suffix);
        name.into()
    }

    /// Returns the free bytes in the folder's file system.
    ///
    /// # Errors
    /// Fails if they are fewer than `bytes`.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<u64> {
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
        Ok(room)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        // By their names, as with the private folder itself.
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(self.beside(suffix));
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Returns the system's error without the path that `tempfile` adds: it may name a home folder, and our own message names it.
fn bare(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let words = text.split(" at path ").next().unwrap_or_default();
    io::Error::new(error.kind(), words)
}

/// Writes the size of the database into the header of a copied journal, in pages.
fn state_size(journal: &Path, pages: u32) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(journal)?;
    let mut head = [0; HEADER_LEN];
    file.read_exact_at(&mut head, 0)?;
    SegmentHeader::set_database_pages(&mut head, pages);
    file.write_all_at(&head, 0)
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

/// Wraps the error of a copy in the reason for which it was needed, unless the store's writers would have had to wait.
pub(super) fn not_copied(why: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        error if matches!(error.stopped(), Some(Stopped::WritersWait(_))) => error,
        error => Error::Copy {
            why,
            source: error.into(),
        },
    }
}

/// Copies the files and lets SQLite roll the copy back.
pub(super) fn copy_and_recover(probe: &Probe, is_alone: bool, environment: &Environment<'_>) -> Result<PrivateCopy> {
    let copy = PrivateCopy::of_files(environment.private, probe, is_alone, environment.stop)?;
    let conn = open_copy(&copy)?;
    let sql = "SELECT count(*) FROM sqlite_schema";
    let recovered = conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Error::sqlite(sql));
    match recovered {
        // Damage is for the checks to report; the copy was rolled back all the same.
        Err(error) if !error.is_damage() => Err(error),
        _ => Ok(copy),
    }
}

/// Opens a private copy that is still empty, to be filled without syncing: after a crash it is of no use.
pub(crate) fn empty_copy(copy: &PrivateCopy) -> Result<Connection> {
    const SQL: &str = "PRAGMA synchronous=OFF";
    let conn = open_copy(copy)?;
    conn.execute_batch(SQL).map_err(Error::sqlite(SQL))?;
    Ok(conn)
}

/// Opens a private copy for writing: the only connection for writing that the `doctor` binary ever makes.
fn open_copy(copy: &PrivateCopy) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = uri(copy.path(), "");
    #[expect(clippy::disallowed_methods, reason = "a private copy, which no other process sees")]
    let opened = Connection::open_with_flags(&path, flags);
    opened.map_err(Error::opening(&path))
}
