//! The way into a store: chosen by its situation, right in it, and leaving nothing behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::read_only::ReadOnly;
use crate::error::{Error, Result};
use crate::private::{MOST_IN_MEMORY, PrivateCopy, PrivateFolder};
use crate::probe::{Probe, Situation, Stamp, wal};
use crate::stop::Stop;

/// How a store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `immutable=1`: no lock, no sidecar files. Right as long as nothing moves, so the files are compared afterwards.
    Immutable,
    /// The WAL is read with its index in our own memory, without any lock. Right as long as the WAL is only appended
    /// to and the database file stays; the files are compared afterwards.
    PrivateIndex,
    /// `readonly_shm=1`: the WAL is read through the index that its writers share, under their locks. Right whatever
    /// they do.
    SharedIndex,
    /// A copy, taken by SQLite under a reader's lock, of a store in rollback mode that is never left alone.
    LockedCopy,
    /// A copy of the files, in which SQLite rolls back what a writer left unfinished.
    CopyOfFiles,
}

impl Way {
    /// How it reads, in words for the row `read-only`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Immutable => "read in place without a lock, and compared afterwards",
            Self::PrivateIndex => {
                "read in place with its WAL, indexed in memory, without a lock, and compared afterwards"
            }
            Self::SharedIndex => "read in place with its WAL, as a reader beside its writers",
            Self::LockedCopy => "read from a private copy, because it was being written to",
            Self::CopyOfFiles => "read from a private copy, in which SQLite recovered what was unfinished",
        }
    }

    /// Whether nothing keeps others from changing the store while it is read this way.
    fn is_lock_free(self) -> bool {
        matches!(self, Self::Immutable | Self::PrivateIndex | Self::CopyOfFiles)
    }

    /// The way in for a situation. `disturbed`: how often a lock-free way was tried and something moved.
    fn choose(probe: &Probe, disturbed: u32, means: &Means<'_>) -> Self {
        // SQLite, run by root, changes the ctime of a WAL that it opens, unless the kernel forbids it: see `sandbox`.
        if probe.wal.has_content() && !means.metadata_is_safe {
            return Self::CopyOfFiles;
        }
        let large = probe.size() > MOST_IN_MEMORY;
        let patience = if large { 1 } else { 3 };
        let with_locks = disturbed >= patience;
        match probe.situation {
            Situation::Live | Situation::Crashed if with_locks => Self::SharedIndex,
            Situation::Rollback | Situation::FinishedJournal | Situation::RollbackLive if with_locks => {
                Self::LockedCopy
            }
            // It was not being written to when the private folder would have been made; a store that needs no more than
            // memory can be read between two transactions.
            Situation::RollbackLive if means.private.is_err() => Self::LockedCopy,
            Situation::HotJournal | Situation::RollbackLive => Self::CopyOfFiles,
            _ if probe.wal.has_content() => Self::PrivateIndex,
            _ => Self::Immutable,
        }
    }
}

/// What the doctor brings along: where copies may go, how much memory SQLite may take, when to stop.
#[derive(Debug, Clone)]
pub struct Means<'a> {
    /// The private folder, or why there is none.
    pub private: Result<&'a PrivateFolder, &'a str>,
    /// Whether opening a WAL cannot change its owner or ctime: seccomp forbids it, or this process is not root's.
    pub metadata_is_safe: bool,
    /// The most memory that SQLite may take in this process, in bytes; `None` leaves SQLite's bound as it is.
    pub heap_limit: Option<u64>,
    /// When to stop.
    pub stop: &'a Stop,
}

/// A store made ready to be opened, as often as there are threads that read it.
#[derive(Debug)]
pub struct Access<'a> {
    way: Way,
    uri: String,
    means: &'a Means<'a>,
    /// A copy that lives as long as this does.
    copy: Option<PrivateCopy>,
    /// Whether each handle is a copy in memory.
    in_memory: bool,
    /// Whether a handle could not be opened, or SQLite could not read through one for a reason that may pass.
    disturbed: Arc<AtomicBool>,
    /// Whether SQLite hit its bound on memory.
    short_of_memory: Arc<AtomicBool>,
}

/// Knows by what is read, and so whether it may be believed afterwards; anybody may ask it, on any thread.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    way: Way,
    disturbed: Arc<AtomicBool>,
}

impl<'a> Access<'a> {
    /// Makes a store ready to be opened the way that its situation asks for.
    ///
    /// # Errors
    /// Where the store is none, or a copy is needed and cannot be made.
    pub(super) fn prepare(probe: &Probe, disturbed: u32, means: &'a Means<'a>) -> Result<Self> {
        for sidecar in [&probe.wal, &probe.shm, &probe.journal] {
            if let Some(why) = &sidecar.unreadable {
                let name = crate::locate::shown(&sidecar.path);
                return Err(Error::Journal(format!("{name} cannot be read: {why}")));
            }
        }
        let way = Way::choose(probe, disturbed, means);
        let mut access = Self {
            way,
            uri: uri(&probe.path, query(way)),
            means,
            copy: None,
            in_memory: false,
            disturbed: Arc::default(),
            short_of_memory: Arc::default(),
        };
        match way {
            Way::CopyOfFiles => {
                let copy = copy_and_recover(probe, means).map_err(|source| Error::Copy {
                    why: if probe.journal.has_content() {
                        "it holds what a writer left unfinished"
                    } else {
                        "root cannot open its WAL without changing it"
                    },
                    source: source.into(),
                })?;
                access.uri = uri(copy.path(), query(Way::Immutable));
                access.copy = Some(copy);
            }
            Way::LockedCopy if probe.size() > MOST_IN_MEMORY => {
                let copy = access.copy_under_lock(probe).map_err(|source| Error::Copy {
                    why: "the store is being written to",
                    source: source.into(),
                })?;
                access.uri = uri(copy.path(), query(Way::Immutable));
                access.copy = Some(copy);
            }
            Way::LockedCopy => access.in_memory = true,
            Way::Immutable | Way::PrivateIndex | Way::SharedIndex => {
                // A later change must show in the file's times.
                if let Some(stamp) = &probe.stamp {
                    stamp.settle();
                }
            }
        }
        Ok(access)
    }

    /// How this store is read.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Whether several handles see one and the same store: not where each is a copy of its own in memory.
    pub fn is_shared(&self) -> bool {
        !self.in_memory
    }

    /// Opens a handle.
    ///
    /// # Errors
    /// What SQLite says: this is where a file that cannot be read fails.
    pub fn open(&self) -> Result<ReadOnly> {
        let opened = self.try_open();
        self.disturbed.fetch_or(opened.is_err(), Ordering::Relaxed);
        Ok(opened?.telling(&self.disturbed, &self.short_of_memory))
    }

    /// Whether SQLite hit its bound on memory while it read through a handle.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.short_of_memory.load(Ordering::Relaxed)
    }

    /// Who knows whether what was read through this may be believed.
    pub(crate) fn witness(&self) -> Witness {
        Witness {
            way: self.way,
            disturbed: self.disturbed.clone(),
        }
    }

    fn try_open(&self) -> Result<ReadOnly> {
        let Means { heap_limit, stop, .. } = *self.means;
        let handle = ReadOnly::open(&self.uri, self.way == Way::PrivateIndex, heap_limit, stop)?;
        if !self.in_memory {
            return Ok(handle);
        }
        let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
        handle.back_up_to(&mut memory, -1)?;
        drop(handle);
        ReadOnly::guarded(memory, heap_limit, stop)
    }

    /// Lets SQLite copy the store to the private folder, page by page under a reader's lock. Between two pieces the lock
    /// is let go, so that no writer waits for longer than a piece takes.
    fn copy_under_lock(&self, probe: &Probe) -> Result<PrivateCopy> {
        const PIECE: u64 = 128 << 20;
        let Means { heap_limit, stop, .. } = *self.means;
        let copy = folder(self.means)?.new_copy()?;
        copy.check_room(probe.size())?;
        let handle = ReadOnly::open(&self.uri, false, heap_limit, stop)?;
        let mut target = open_copy(&copy)?;
        let page_size = probe.header().map_or(4096, |header| u64::from(header.page_size));
        handle.back_up_to(&mut target, i32::try_from(PIECE / page_size.max(512)).unwrap_or(i32::MAX))?;
        Ok(copy)
    }

    /// Whether what was read through this may be believed.
    pub(super) fn held(&self, probe: &Probe) -> bool {
        self.witness().held(probe)
    }
}

impl Witness {
    /// Whether what was read this way may be believed: nothing moved that this way does not stand.
    pub(crate) fn held(&self, probe: &Probe) -> bool {
        // It was perhaps just being opened, closed or switched to another mode.
        if self.disturbed.load(Ordering::Relaxed) && !probe.is_unchanged() {
            return false;
        }
        let same = |path: &Path, then: Option<Stamp>| Stamp::of(path).is_ok_and(|now| now == then);
        let journal_same = || same(&probe.journal.path, probe.journal.stamp);
        if !same(&probe.path, probe.stamp) {
            return !self.way.is_lock_free() && same_file(&probe.path, probe.stamp);
        }
        match self.way {
            Way::Immutable => journal_same() && wal_is_empty(probe),
            Way::CopyOfFiles => journal_same() && same(&probe.wal.path, probe.wal.stamp),
            Way::PrivateIndex => wal_only_grew(probe),
            Way::SharedIndex => {
                same_file(&probe.wal.path, probe.wal.stamp) && same_file(&probe.shm.path, probe.shm.stamp)
            }
            Way::LockedCopy => true,
        }
    }
}

/// Whether there still is no WAL with anything in it.
fn wal_is_empty(probe: &Probe) -> bool {
    Stamp::of(&probe.wal.path).is_ok_and(|now| now.is_none_or(|now| now.size == 0))
}

/// Whether the WAL is the one that was found, of the same generation, and no shorter.
fn wal_only_grew(probe: &Probe) -> bool {
    let (Some(then), Ok(Some(now))) = (probe.wal.stamp, Stamp::of(&probe.wal.path)) else {
        return false;
    };
    then == now || (then.id == now.id && now.size >= then.size && wal::same_generation(&probe.wal))
}

/// Whether the same file lies there, whatever its content.
fn same_file(path: &Path, then: Option<Stamp>) -> bool {
    Stamp::of(path).is_ok_and(|now| now.map(|now| now.id) == then.map(|then| then.id))
}

fn folder<'a>(means: &Means<'a>) -> Result<&'a PrivateFolder> {
    means.private.map_err(|why| Error::NotAStore(why.to_owned()))
}

/// Copies the files and lets SQLite roll the copy back.
fn copy_and_recover(probe: &Probe, means: &Means<'_>) -> Result<PrivateCopy> {
    let copy = PrivateCopy::of_files(folder(means)?, probe, means.stop)?;
    let conn = open_copy(&copy)?;
    let sql = "SELECT count(*) FROM sqlite_schema";
    let recovered = conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Error::sqlite(sql));
    match recovered {
        // What is damaged is the checks' to say; it was rolled back all the same.
        Err(error) if !error.is_damage() => Err(error),
        _ => Ok(copy),
    }
}

/// Opens a private copy for writing: the only connection for writing that the `doctor` binary ever makes.
pub(crate) fn open_copy(copy: &PrivateCopy) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[expect(clippy::disallowed_methods, reason = "a private copy, which nobody else sees")]
    let opened = Connection::open_with_flags(uri(copy.path(), ""), flags);
    opened.map_err(Error::sqlite("open"))
}

fn query(way: Way) -> &'static str {
    match way {
        Way::Immutable | Way::CopyOfFiles => "?mode=ro&immutable=1",
        Way::PrivateIndex => "?mode=ro&vfs=unix-none",
        // A store in rollback mode may have become one in WAL mode in the meantime; no -shm is made for it either.
        Way::SharedIndex | Way::LockedCopy => "?mode=ro&readonly_shm=1",
    }
}

/// The URI of a path: every byte that could mean anything in a URI is written `%41`
/// ("Uniform Resource Identifiers", <https://www.sqlite.org/uri.html>).
fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => out.push(char::from(*byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    out + query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_spells_out_every_byte_that_could_mean_something_in_it() {
        assert_eq!(
            uri(Path::new("/a b?mode=rwc#%41&'é/s.db"), "?mode=ro"),
            "file:///a%20b%3fmode%3drwc%23%2541%26%27%c3%a9/s.db?mode=ro"
        );
    }
}
