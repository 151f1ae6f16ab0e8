//! Which way into a store is right and leaves nothing behind, and whether what was read that way may be believed: both
//! decided from plain facts.

use std::time::Duration;

use crate::probe::{FileStat, Probe, Sidecar, Situation, situation, wal};

/// A store larger than this takes long to read and to copy. In bytes.
pub(super) const LARGE: u64 = 8 << 20;

/// How a store is read.
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
}

/// How much of a store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The ledger: a few pages, read in very little time.
    Ledger,
    /// Everything, however long that takes.
    Everything,
}

/// What SQLite may open where it lies.
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
    /// For this store; `only_by_copy`: SQLite must not open its own files.
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

/// What decides how a store is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// The condition in which the store lies on disk.
    pub(super) situation: Situation,
    /// What SQLite may open where it lies.
    pub(super) in_place: InPlace,
    /// Whether it is larger than [`LARGE`].
    pub(super) is_large: bool,
    /// Whether copies have a place to go to, as far as is known.
    pub(super) has_folder: bool,
    /// How much of it is read.
    pub(super) need: Need,
    /// How many attempts were spoiled because a file changed.
    pub(super) disturbed: u32,
}

/// What became of a file since it was probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Nothing.
    Same,
    /// It is the same file and longer, and what was in it is still there.
    Grew,
    /// It is the same file with something else in it.
    Changed,
    /// It is another file, or one is there where there was none, or none where there was one.
    Replaced,
}

/// What is known when a store has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// What became of the database file.
    pub(super) database: Since,
    /// What became of the `-wal`.
    pub(super) wal: Since,
    /// Whether a `-wal` with anything in it lies there now.
    pub(super) wal_has_content: bool,
    /// What became of the `-shm`.
    pub(super) shm: Since,
    /// What became of the `-journal`.
    pub(super) journal: Since,
    /// Whether another process may be writing to the database file without a journal on disk.
    pub(super) write_locked: bool,
    /// Whether it could not be opened, or SQLite could not read for a reason that may pass.
    pub(super) failed: bool,
}

/// A store larger than this is copied to the private folder, a smaller one to memory. In bytes.
pub(crate) const MOST_COPIED_TO_MEMORY: u64 = 8 << 20;

/// The same where migrations are rehearsed on the copy; of the store with its WAL. In bytes. As many stores at once as there are
/// threads must find room in the memory that SQLite may take, with all that migrations make of them.
pub(crate) const MOST_REHEARSED_IN_MEMORY: u64 = 1 << 20;

/// What stores are read for, as far as that decides whether copies of them may be needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// Whether SQLite reads them at all.
    pub opened: bool,
    /// Whether more than the ledger is read.
    pub whole: bool,
    /// Whether pending migrations are rehearsed.
    pub rehearsed: bool,
}

/// Whether examining this store may need the folder: where SQLite cannot or must not open it in place, and where it is
/// too large for memory and may be copied because its writers never rest, or to rehearse its migrations.
pub(super) fn may_need_copy(probe: &Probe, purpose: Purpose, wal_in_place: bool) -> bool {
    use Situation::{FinishedJournal, HotJournal, Rollback, RollbackLive};
    let bytes = probe.size() + probe.wal.size();
    probe.header().is_some()
        && (only_by_copy(probe, wal_in_place).is_some()
            || probe.wal_index_is_too_large()
            || matches!(probe.situation, HotJournal | RollbackLive)
            || (bytes > MOST_REHEARSED_IN_MEMORY && purpose.rehearsed)
            || (bytes > MOST_COPIED_TO_MEMORY
                && purpose.whole
                && matches!(probe.situation, Rollback | FinishedJournal)))
}

/// Why SQLite cannot or must not open this store where it lies, whoever else has it open.
pub(super) fn only_by_copy(probe: &Probe, wal_in_place: bool) -> Option<&'static str> {
    if probe.path_is_too_long() {
        return Some("its path is too long for SQLite");
    }
    (probe.wal.has_content() && !wal_in_place).then_some("its WAL cannot be opened here without changing it")
}

impl ReadMethod {
    /// How it reads, in words for the row `read-only`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Immutable => "read in place without a lock, then checked for changes",
            Self::PrivateIndex => "read in place without a lock, its WAL indexed in memory, then checked for changes",
            Self::SharedIndex => "read in place with its WAL, as one reader beside its writers",
            Self::UnderLock => "read in place under a reader's lock, because it was being written to",
            Self::LockedCopy => "read from a private copy, because it was being written to",
            Self::CopyOfFiles => "read from a private copy, in which SQLite recovered what was unfinished",
        }
    }

    /// Whether nothing keeps others from changing the store while it is read this way.
    fn is_lock_free(self) -> bool {
        matches!(self, Self::Immutable | Self::PrivateIndex | Self::CopyOfFiles)
    }

    /// For how long those who write to the store may be kept waiting while it is read this way: well under a daemon's busy
    /// timeout of five seconds. No limit where nobody waits.
    pub(super) fn longest_hold(self) -> Option<Duration> {
        match self {
            Self::UnderLock => Some(Duration::from_secs(1)),
            Self::LockedCopy => Some(Duration::from_secs(2)),
            Self::Immutable | Self::PrivateIndex | Self::SharedIndex | Self::CopyOfFiles => None,
        }
    }

    /// The way in.
    pub(super) fn choose(facts: &Facts) -> Self {
        use Situation::{Crashed, FinishedJournal, HotJournal, Live, Rollback, RollbackLive};
        if facts.in_place == InPlace::Nothing {
            return Self::CopyOfFiles;
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

    /// Whether the result is still valid: no file changed in a way that matters to this read method.
    pub(super) fn still_valid(self, facts: &Facts, seen: Seen) -> bool {
        use Since::{Grew, Replaced, Same};
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
            // A journal on disk says what of a file that is being written to is committed.
            Self::CopyOfFiles => {
                let has_journal = matches!(facts.situation, Situation::HotJournal | Situation::RollbackLive);
                seen.journal == Same && seen.wal == Same && (has_journal || !seen.write_locked)
            }
            Self::PrivateIndex => matches!(seen.wal, Same | Grew),
            Self::SharedIndex => seen.wal != Replaced && seen.shm != Replaced,
            Self::UnderLock | Self::LockedCopy => true,
        }
    }
}

impl Seen {
    /// Compares the files with what they were when they were probed. Opens some of them, so every handle on the store must
    /// have been closed.
    pub(super) fn now(probe: &Probe, failed: bool) -> Self {
        let wal = stamp(&probe.wal);
        let grew = |now: FileStat| now.size >= probe.wal.size() && wal::same_generation(&probe.wal);
        Self {
            database: if probe.file_is_unchanged() {
                Since::Same
            } else {
                changed(probe.stamp, FileStat::of(&probe.path).ok().flatten())
            },
            wal: match since(&probe.wal) {
                Since::Changed if wal.is_some_and(grew) => Since::Grew,
                other => other,
            },
            wal_has_content: wal.is_some_and(|now| now.size > 0),
            shm: since(&probe.shm),
            journal: since(&probe.journal),
            write_locked: situation::write_locked_now(probe),
            failed,
        }
    }
}

/// What lies in a sidecar's place. What cannot be looked at counts as nothing.
fn stamp(sidecar: &Sidecar) -> Option<FileStat> {
    FileStat::beside(&sidecar.path).ok().flatten()
}

/// What became of a sidecar. What could not be looked at then, and cannot be now for the same reason, is the same.
fn since(sidecar: &Sidecar) -> Since {
    if sidecar.is_unchanged() {
        Since::Same
    } else {
        changed(sidecar.stamp, stamp(sidecar))
    }
}

/// What became of a file that is not what it was.
fn changed(then: Option<FileStat>, now: Option<FileStat>) -> Since {
    match (then, now) {
        (Some(then), Some(now)) if then.id == now.id => Since::Changed,
        _ => Since::Replaced,
    }
}

#[cfg(test)]
mod tests;
