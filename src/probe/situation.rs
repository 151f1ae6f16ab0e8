//! The condition in which a store lies on disk: found from its header, its sidecar files and their locks.

use std::path::Path;

use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use sqlite_format::header::HeaderFields;
use sqlite_format::wal::{HEADER_LEN, has_magic};

use super::{FileKind, Sidecar, open_plain};

/// The condition in which a store lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    /// There is no database.
    None,
    /// WAL mode, no sidecar files: the last program closed it, or they were taken away.
    Closed,
    /// WAL mode, another process has it open.
    Live,
    /// WAL mode, `-wal` and `-shm` left by a process that is gone.
    Crashed,
    /// A `-wal` with content and no `-shm`, as after copying two of the three files.
    WalWithoutIndex,
    /// A `-wal` of no bytes and nothing else: nothing is in it.
    EmptyWal,
    /// A `-shm` alone: it indexes nothing.
    StaleIndex,
    /// A `-wal` that does not begin as a write-ahead log does.
    NotAWal,
    /// Rollback mode, no process is writing.
    Rollback,
    /// Rollback mode, another process is in the middle of a transaction.
    RollbackLive,
    /// Rollback mode, another process holds the write lock, and no journal with a header lies on disk: it has written nothing
    /// yet (`BEGIN EXCLUSIVE`), or what it has written to the file may never be committed (`journal_mode=MEMORY` or `OFF`, or `locking_mode=EXCLUSIVE`, which keeps the lock).
    WriteLocked,
    /// A rollback journal of a process that is gone: the database holds half a transaction.
    HotJournal,
    /// A rollback journal with nothing to roll back: empty, or its header is zero, as when a transaction was finished, or has not
    /// begun to write to the database.
    FinishedJournal,
}

impl Situation {
    /// Returns its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Closed => "closed",
            Self::Live => "live",
            Self::Crashed => "crashed",
            Self::WalWithoutIndex => "wal-without-index",
            Self::EmptyWal => "empty-wal",
            Self::StaleIndex => "stale-index",
            Self::NotAWal => "not-a-wal",
            Self::Rollback => "rollback",
            Self::RollbackLive => "rollback-live",
            Self::WriteLocked => "write-locked",
            Self::HotJournal => "hot-journal",
            Self::FinishedJournal => "finished-journal",
        }
    }

    /// Returns its meaning in a few words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::None => "there is no database",
            Self::Closed => "no -wal lies beside it",
            Self::Live => "another process has it open",
            Self::Crashed => "its last writer did not close it",
            Self::WalWithoutIndex => "a -wal lies beside it without its -shm",
            Self::EmptyWal => "an empty -wal lies beside it",
            Self::StaleIndex => "a -shm lies beside it without a -wal",
            Self::NotAWal => "the -wal beside it is not a write-ahead log",
            Self::Rollback => "closed, in rollback mode",
            Self::RollbackLive => "another process is writing to it, in rollback mode",
            Self::WriteLocked => "another process holds its write lock, and no journal with a header lies beside it",
            Self::HotJournal => "its last writer did not finish a transaction, in rollback mode",
            Self::FinishedJournal => "in rollback mode, with a journal from which nothing is rolled back",
        }
    }
}

/// The bytes on which SQLite locks a database file: pending, reserved and 510 shared ones
/// (`os.h`, `PENDING_BYTE`; "File Locking And Concurrency In SQLite Version 3").
const DATABASE_LOCKS: (u64, u64) = (0x4000_0000, 512);

/// The byte of a database file that a process locks while it is in a write transaction.
const RESERVED_LOCK: (u64, u64) = (0x4000_0001, 1);

/// The bytes of a database file on which readers hold a lock together, and a process that writes to it one alone: nothing is
/// written to the file without it.
const SHARED_LOCKS: (u64, u64) = (0x4000_0002, 510);

/// The byte of a `-shm` file that each process with the store open keeps locked
/// ("WAL-mode File Format", section 2.3.2; `os_unix.c`, `UNIX_SHM_DMS`).
const INDEX_LOCK: (u64, u64) = (128, 1);

/// Names the situation of a file with a database's header.
///
/// A hot journal comes first, because with it the file holds half a transaction whatever else lies there. Locks are only asked
/// about and never taken: a lock held here could let a writer's transaction fail.
pub(super) fn name(path: &Path, header: &HeaderFields, wal: &Sidecar, shm: &Sidecar, journal: &Sidecar) -> Situation {
    if is_hot(journal) {
        // A writer deletes its journal, and only then unlocks: a journal that has changed is not left by one that is gone.
        return if locked(path, RESERVED_LOCK) || !journal.is_unchanged() {
            Situation::RollbackLive
        } else {
            Situation::HotJournal
        };
    }
    if is_write_locked(path, header, wal) {
        return Situation::WriteLocked;
    }
    if wal.stamp.is_some() {
        if shm.stamp.is_some() && locked(&shm.path, INDEX_LOCK) {
            return Situation::Live;
        }
        return match (wal.has_content(), shm.stamp.is_some()) {
            (true, _) if !is_wal(&wal.head) => Situation::NotAWal,
            (_, true) => Situation::Crashed,
            (true, false) => Situation::WalWithoutIndex,
            (false, false) => Situation::EmptyWal,
        };
    }
    if shm.stamp.is_some() {
        return Situation::StaleIndex;
    }
    if header.is_wal() {
        return Situation::Closed;
    }
    if journal.stamp.is_some() {
        return Situation::FinishedJournal;
    }
    Situation::Rollback
}

/// Returns true when SQLite would roll the journal back: it is a file with content, and its first byte is
/// not zero (`pager.c`, `hasHotJournal`).
pub(crate) fn is_hot(journal: &Sidecar) -> bool {
    let is_file = journal.stamp.is_some_and(|stamp| stamp.kind == FileKind::Regular);
    is_file && (journal.unreadable.is_some() || journal.head.first().is_some_and(|byte| *byte != 0))
}

/// Returns true when the bytes begin like a write-ahead log. Bytes too short for a header are an empty log, cut off when it was
/// begun.
fn is_wal(head: &[u8]) -> bool {
    head.len() < HEADER_LEN || has_magic(head)
}

/// Returns true when another process may write to the database file at any time, and perhaps has: it holds the write lock of a
/// store whose commits go to that file and not to a WAL.
///
/// SQLite takes this lock before it writes the first page, and the journal, where it keeps one on disk, is there by then.
fn is_write_locked(path: &Path, header: &HeaderFields, wal: &Sidecar) -> bool {
    !header.is_wal() && !wal.has_content() && conflicts(path, SHARED_LOCKS, FlockType::ReadLock)
}

/// Returns true when another process holds the write lock of a probed store now, as [`Situation::WriteLocked`] has it.
pub(crate) fn write_locked_now(probe: &super::Probe) -> bool {
    probe.header().is_some_and(|header| is_write_locked(&probe.path, header, &probe.wal))
}

/// Returns true when another process has a lock on these bytes.
fn locked(path: &Path, bytes: (u64, u64)) -> bool {
    conflicts(path, bytes, FlockType::WriteLock)
}

/// Returns true when another process has a lock on these bytes for which one of this type would have to wait. Takes no lock.
fn conflicts(path: &Path, (start, length): (u64, u64), typ: FlockType) -> bool {
    let asked = Flock {
        start,
        length,
        pid: None,
        typ,
        offset_type: FlockOffsetType::Set,
    };
    open_plain(path).is_ok_and(|file| matches!(fcntl_getlk(&file, &asked), Ok(Some(_))))
}

/// Returns true when another process holds a lock of SQLite on the database file at this path.
pub(crate) fn has_locks(path: &Path) -> bool {
    locked(path, DATABASE_LOCKS)
}

/// Returns true when another process has the store open, as far as its locks show.
pub(crate) fn in_use(probe: &super::Probe) -> bool {
    has_locks(&probe.path) || (probe.shm.stamp.is_some() && locked(&probe.shm.path, INDEX_LOCK))
}
