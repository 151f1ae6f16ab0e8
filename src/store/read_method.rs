//! The decision how a store is opened so that the result is right and nothing is left behind, and the decision whether that
//! result is still valid: both from plain facts, so that they can be tested without a store.
//!
//! SQLite's own read-only mode promises neither. It makes or rewrites a `-shm`, or reads past a WAL (`immutable=1`), or cannot
//! open the store at all: `tools/read_only_facts.py` shows which in each situation. So plain reads find the situation first.
//! Without a lock, the files are compared afterwards, and a change makes the attempt invalid: locks would let the doctor delay the
//! application's writers. Only a store that is never left alone is read with locks, or copied.

use std::time::Duration;

use crate::probe::{FileStat, Probe, Sidecar, Situation, situation, wal};

/// A store larger than this takes long to read and to copy. In bytes.
pub(super) const LARGE: u64 = 8 << 20;

/// The method by which a store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadMethod {
    /// `immutable=1`: no lock, no sidecar files. Right as long as nothing moves, so the files are compared afterwards.
    Immutable,
    /// The WAL is read with its index in our own memory, without any lock. Right as long as the WAL is only appended
    /// to and the database file stays; the files are compared afterwards.
    PrivateIndex,
    /// `readonly_shm=1`: the WAL is read through the index that its writers share, under their locks. Right whatever
    /// they do.
    SharedIndex,
    /// In place under a reader's lock, which is held for as long as a few pages take, of a store in rollback mode that is
    /// never left alone.
    UnderLock,
    /// A copy, taken by SQLite under a reader's lock, of a store in rollback mode whose writers never stop.
    LockedCopy,
    /// A copy of the files, in which SQLite rolls back what a writer left unfinished.
    CopyOfFiles,
    /// `immutable=1`, past a log or a journal that is not the store's: what the database file alone holds. Right as long as
    /// nothing moves, so the files are compared afterwards.
    FileAlone,
}

/// The part of a store that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The ledger: a few pages, read in very little time.
    Ledger,
    /// Everything, however long that takes.
    Everything,
}

/// The files that SQLite may open in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InPlace {
    /// Nothing: only a copy.
    Nothing,
    /// The database file, which is all there is.
    File,
    /// The file and a WAL with something in it.
    FileAndWal,
    /// The file and a WAL, an index of which is too large for our own memory.
    FileAndLongWal,
}

impl InPlace {
    /// Returns the files of this store that SQLite may open; `only_by_copy`: none of them.
    pub(super) fn of(probe: &Probe, only_by_copy: bool) -> Self {
        if only_by_copy {
            Self::Nothing
        } else if probe.wal_index_is_too_large() {
            Self::FileAndLongWal
        } else if probe.wal.has_content() {
            Self::FileAndWal
        } else {
            Self::File
        }
    }
}

/// The facts that decide how a store is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// The condition in which the store lies on disk.
    pub(super) situation: Situation,
    /// The files that SQLite may open in place.
    pub(super) in_place: InPlace,
    /// True when the files beside it are left out: its log or its journal is not its own.
    pub(super) is_alone: bool,
    /// True when it is larger than [`LARGE`].
    pub(super) is_large: bool,
    /// True unless it is known that there is no folder for copies.
    pub(super) has_folder: bool,
    /// The part of it that is read.
    pub(super) need: Need,
    /// The number of attempts that a change of a file made invalid.
    pub(super) disturbed: u32,
}

/// The change of a file since it was probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileChange {
    /// None.
    Same,
    /// It is the same file and longer, and what was in it is still there.
    Grew,
    /// It is the same file with something else in it.
    Changed,
    /// It is another file, or one is there where there was none, or none where there was one.
    Replaced,
}

/// The facts that are known after a store has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    /// The change of the database file.
    pub(super) database: FileChange,
    /// The change of the `-wal`.
    pub(super) wal: FileChange,
    /// True when there is a `-wal` with content now.
    pub(super) wal_has_content: bool,
    /// The change of the `-shm`.
    pub(super) shm: FileChange,
    /// The change of the `-journal`.
    pub(super) journal: FileChange,
    /// True when another process may be writing to the database file without a journal on disk.
    pub(super) write_locked: bool,
    /// True when the store could not be opened, or SQLite could not read for a reason that may pass.
    pub(super) failed: bool,
}

/// The size in bytes up to which a store is copied to memory; a larger one is copied to the private folder.
pub(crate) const MOST_COPIED_TO_MEMORY: u64 = 8 << 20;

/// The size in bytes, with its WAL, up to which a store is copied to memory for a rehearsal of its migrations. One store for each
/// thread must fit at once into the memory that SQLite may take, with all that the migrations add to it.
pub(crate) const MOST_REHEARSED_IN_MEMORY: u64 = 1 << 20;

/// The purpose for which stores are read, as far as it decides whether copies of them may be needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// True when SQLite reads them at all.
    pub opened: bool,
    /// True when more than the ledger is read.
    pub whole: bool,
    /// True when pending migrations are rehearsed.
    pub rehearsed: bool,
}

/// Returns true when an examination of this store may need a copy in the private folder: when SQLite cannot or must not open it in
/// place, and when it is too large for memory and may be copied because its writers never rest, or to rehearse its migrations.
///
/// This is asked once, before the sandbox: afterwards no folder can be created. So it must say yes wherever
/// [`ReadMethod::choose`] may come to a copy later.
pub(super) fn may_need_copy(probe: &Probe, purpose: Purpose, wal_in_place: bool) -> bool {
    use Situation::{FinishedJournal, HotJournal, Rollback, RollbackLive};
    let bytes = probe.size() + probe.wal.size();
    probe.header().is_some()
        && (only_by_copy(probe, wal_in_place, false).is_some()
            || probe.wal_index_is_too_large()
            || matches!(probe.situation, HotJournal | RollbackLive)
            || (bytes > MOST_REHEARSED_IN_MEMORY && purpose.rehearsed)
            || (bytes > MOST_COPIED_TO_MEMORY
                && purpose.whole
                && matches!(probe.situation, Rollback | FinishedJournal)))
}

/// Returns the reason for which SQLite cannot or must not open this store in place, in whatever situation it is. A log that is not
/// the store's is not opened at all.
pub(super) fn only_by_copy(probe: &Probe, wal_in_place: bool, is_alone: bool) -> Option<&'static str> {
    if probe.path_is_too_long() {
        return Some("its path is too long for SQLite");
    }
    (probe.wal.has_content() && !wal_in_place && !is_alone)
        .then_some("its WAL cannot be opened here without changing it")
}

impl ReadMethod {
    /// Returns a description for the row `read-only`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Immutable => "read in place without a lock, then checked for changes",
            Self::PrivateIndex => "read in place without a lock, its WAL indexed in memory, then checked for changes",
            Self::SharedIndex => "read in place with its WAL, as one reader beside its writers",
            Self::UnderLock => "read in place under a reader's lock, because it was being written to",
            Self::LockedCopy => "read from a private copy, because it was being written to",
            Self::CopyOfFiles => "read from a private copy, in which SQLite recovered what was unfinished",
            Self::FileAlone => {
                "read in place without a lock and without the log or journal beside it, then checked for changes"
            }
        }
    }

    /// Returns true when no lock keeps other processes from changing the store while it is read by this method.
    fn is_lock_free(self) -> bool {
        matches!(self, Self::Immutable | Self::PrivateIndex | Self::CopyOfFiles | Self::FileAlone)
    }

    /// Returns the longest time for which the store's writers may be kept waiting by this method: well under a daemon's busy
    /// timeout of five seconds. `None` when no writer waits.
    pub(super) fn longest_hold(self) -> Option<Duration> {
        match self {
            Self::UnderLock => Some(Duration::from_secs(1)),
            Self::LockedCopy => Some(Duration::from_secs(2)),
            Self::Immutable | Self::PrivateIndex | Self::SharedIndex | Self::CopyOfFiles | Self::FileAlone => None,
        }
    }

    /// Chooses the method.
    pub(super) fn choose(facts: &Facts) -> Self {
        use Situation::{Crashed, FinishedJournal, HotJournal, Live, Rollback, RollbackLive};
        if facts.in_place == InPlace::Nothing {
            return Self::CopyOfFiles;
        }
        if facts.is_alone {
            return Self::FileAlone;
        }
        if facts.in_place == InPlace::FileAndLongWal {
            // A writer that has the store open keeps an index that all can share; otherwise SQLite makes one on disk.
            return if facts.situation == Live {
                Self::SharedIndex
            } else {
                Self::CopyOfFiles
            };
        }
        let patience = if facts.is_large { 1 } else { 3 };
        let with_locks = facts.disturbed >= patience;
        let under_lock = match facts.need {
            Need::Ledger => Self::UnderLock,
            Need::Everything => Self::LockedCopy,
        };
        match facts.situation {
            Live | Crashed if with_locks => Self::SharedIndex,
            // A few pages are read before a large file is copied, unless the writer keeps all readers out; then the next try
            // is a copy.
            RollbackLive if facts.is_large && facts.need == Need::Ledger && facts.has_folder => {
                if facts.disturbed.is_multiple_of(2) {
                    Self::UnderLock
                } else {
                    Self::CopyOfFiles
                }
            }
            Rollback | FinishedJournal | RollbackLive if with_locks => under_lock,
            // It was not being written to when the private folder would have been made; a store that needs no more than
            // memory can be read between two transactions.
            RollbackLive if !facts.has_folder => under_lock,
            HotJournal | RollbackLive => Self::CopyOfFiles,
            _ if facts.in_place == InPlace::FileAndWal => Self::PrivateIndex,
            _ => Self::Immutable,
        }
    }

    /// Returns true when the result is still valid: no file changed in a way that matters to this read method.
    pub(super) fn is_still_valid(self, facts: &Facts, seen: Observed) -> bool {
        use FileChange::{Grew, Replaced, Same};
        let settled = [seen.database, seen.wal, seen.journal].iter().all(|file| *file == Same);
        // Another process was perhaps just opening it, closing it or switching its journal mode.
        if seen.failed && !settled {
            return false;
        }
        // A writer kept all readers out; the next try is a copy.
        let was_first = facts.situation == Situation::RollbackLive && facts.has_folder && facts.disturbed == 0;
        if seen.failed && self == Self::UnderLock && was_first {
            return false;
        }
        if seen.database != Same {
            return !self.is_lock_free() && seen.database != Replaced;
        }
        match self {
            // Uncommitted pages of a writer without a journal look like any other content.
            Self::Immutable => seen.journal == Same && !seen.wal_has_content && !seen.write_locked,
            // With a journal on disk it is known which content of the file is committed.
            Self::CopyOfFiles => {
                let has_journal = matches!(facts.situation, Situation::HotJournal | Situation::RollbackLive);
                seen.journal == Same && seen.wal == Same && (has_journal || !seen.write_locked)
            }
            // Another log or another journal may be the store's own.
            Self::FileAlone => settled && !seen.write_locked,
            Self::PrivateIndex => matches!(seen.wal, Same | Grew),
            Self::SharedIndex => seen.wal != Replaced && seen.shm != Replaced,
            Self::UnderLock | Self::LockedCopy => true,
        }
    }
}

impl Observed {
    /// Compares the files with what they were when they were probed. Opens some of them, so every handle on the store must
    /// have been closed.
    pub(super) fn now(probe: &Probe, failed: bool) -> Self {
        let wal = current_stamp(&probe.wal);
        let grew = |now: FileStat| now.size >= probe.wal.size() && wal::same_generation(&probe.wal);
        Self {
            database: if probe.file_is_unchanged() {
                FileChange::Same
            } else {
                changed(probe.stamp, FileStat::of(&probe.path).ok().flatten())
            },
            wal: match change_of(&probe.wal) {
                FileChange::Changed if wal.is_some_and(grew) => FileChange::Grew,
                other => other,
            },
            wal_has_content: wal.is_some_and(|now| now.size > 0),
            shm: change_of(&probe.shm),
            journal: change_of(&probe.journal),
            write_locked: situation::write_locked_now(probe),
            failed,
        }
    }
}

/// Returns the file in a sidecar's place; none when the system does not let us see it.
fn current_stamp(sidecar: &Sidecar) -> Option<FileStat> {
    FileStat::beside(&sidecar.path).ok().flatten()
}

/// Returns the change of a sidecar. One that could not be read then, and cannot be now for the same reason, is the same.
fn change_of(sidecar: &Sidecar) -> FileChange {
    if sidecar.is_unchanged() {
        FileChange::Same
    } else {
        changed(sidecar.stamp, current_stamp(sidecar))
    }
}

/// Returns the change of a file that is not as it was.
fn changed(then: Option<FileStat>, now: Option<FileStat>) -> FileChange {
    match (then, now) {
        (Some(then), Some(now)) if then.id == now.id => FileChange::Changed,
        _ => FileChange::Replaced,
    }
}

#[cfg(test)]
mod tests;
