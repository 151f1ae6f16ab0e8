//! Opens a store by the read method that its situation requires, and leaves nothing behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::private_copy::{PrivateCopy, PrivateFolder, copy_and_recover, empty_copy, not_copied};
use super::read_method::{Facts, InPlace, LARGE, MOST_COPIED_TO_MEMORY, Need, Observed, ReadMethod, only_by_copy};
use super::read_only::{ReadOnly, uri};
use super::sandbox::Sandbox;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::probe::not_a_database::words_of;
use crate::probe::{FileStat, Probe, Sidecar};

/// The surroundings of an examination: the private folder, the sandbox, SQLite's bound on memory, the time limit.
#[derive(Debug, Clone)]
pub(crate) struct Environment<'a> {
    /// The folder for private copies.
    pub private: &'a PrivateFolder,
    /// The limits that the kernel enforces on this process.
    pub sandbox: &'a Sandbox,
    /// SQLite's bound on memory in this process, in bytes; `None` leaves SQLite's own bound as it is.
    pub heap_limit: Option<u64>,
    /// The time limit and the interrupt.
    pub stop: &'a Stop,
}

/// The files that hold a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainFiles<'p> {
    /// The database file.
    pub database: &'p Path,
    /// The log whose commits lie over it.
    pub wal: Option<&'p Sidecar>,
}

/// A store that is ready to be opened, once by each thread that reads it.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    method: ReadMethod,
    facts: Facts,
    uri: String,
    environment: &'a Environment<'a>,
    /// The stop for handles on the store itself: the caller's, and the longest time for which writers may be kept waiting.
    stop: Stop,
    /// A copy that lives as long as this does.
    copy: Option<PrivateCopy>,
    /// Set when a handle could not be opened, or SQLite could not read through one for a reason that may pass.
    disturbed: Arc<AtomicBool>,
    /// Set when SQLite hit its bound on memory.
    short_of_memory: Arc<AtomicBool>,
    /// Set where the objects of the schema that SQLite refuses are left out.
    without_refused: AtomicBool,
}

impl<'a> Access<'a> {
    /// Prepares a store to be opened as its situation requires.
    ///
    /// # Errors
    /// Fails if the path leads to no store, or a copy is needed and cannot be made.
    pub(super) fn prepare(probe: &Probe, disturbed: u32, need: Need, environment: &'a Environment<'a>) -> Result<Self> {
        Self::prepare_with(probe, disturbed, need, probe.foreign().is_some(), environment)
    }

    /// Prepares the database file alone to be opened, past the log or the journal beside it, whosever these are.
    ///
    /// # Errors
    /// Fails as [`prepare`](Self::prepare).
    pub(crate) fn of_file_alone(probe: &Probe, environment: &'a Environment<'a>) -> Result<Self> {
        Self::prepare_with(probe, 0, Need::Everything, true, environment)
    }

    fn prepare_with(
        probe: &Probe,
        disturbed: u32,
        need: Need,
        is_alone: bool,
        environment: &'a Environment<'a>,
    ) -> Result<Self> {
        if probe.header().is_none() {
            return Err(Error::NotAStore(words_of(probe, environment.stop)));
        }
        for sidecar in [&probe.wal, &probe.shm, &probe.journal] {
            if let Some(why) = &sidecar.unreadable {
                let name = crate::text::paths::display_path(&sidecar.path);
                return Err(Error::Journal(format!("{name} cannot be read: {why}")));
            }
        }
        let only_by_copy = only_by_copy(probe, environment.sandbox.opens_in_place(), is_alone);
        let facts = Facts {
            situation: probe.situation,
            in_place: InPlace::of(probe, only_by_copy.is_some()),
            is_alone,
            is_large: probe.size() > LARGE,
            has_folder: !environment.private.is_refused(),
            need,
            disturbed,
        };
        let method = ReadMethod::choose(&facts);
        let stop = method
            .longest_hold()
            .map_or_else(|| environment.stop.clone(), |most| environment.stop.holding(most));
        let mut access = Self {
            method,
            facts,
            uri: uri(&probe.path, query(method)),
            environment,
            stop,
            copy: None,
            disturbed: Arc::default(),
            short_of_memory: Arc::default(),
            without_refused: AtomicBool::new(false),
        };
        // A later change must show in the times of the files that are compared afterwards.
        let compared = match method {
            ReadMethod::CopyOfFiles | ReadMethod::FileAlone => [probe.stamp, probe.wal.stamp, probe.journal.stamp],
            ReadMethod::Immutable | ReadMethod::PrivateIndex => [probe.stamp, None, None],
            ReadMethod::SharedIndex | ReadMethod::UnderLock | ReadMethod::LockedCopy => [None; 3],
        };
        compared.iter().flatten().for_each(FileStat::settle);
        let copied =
            match method {
                ReadMethod::CopyOfFiles => copy_and_recover(probe, is_alone, environment).map(Some).map_err(
                    not_copied(only_by_copy.unwrap_or(if facts.in_place == InPlace::FileAndLongWal {
                        "its WAL has too many pages for an index in memory"
                    } else {
                        "it holds what a writer left unfinished"
                    })),
                ),
                ReadMethod::LockedCopy if probe.size() > MOST_COPIED_TO_MEMORY => access
                    .copy_under_lock(probe)
                    .map(Some)
                    .map_err(not_copied("the store is being written to")),
                _ => Ok(None),
            };
        access.copy = copied?;
        if let Some(copy) = &access.copy {
            access.uri = uri(copy.path(), query(ReadMethod::Immutable));
        }
        Ok(access)
    }

    /// Returns the method by which this store is read.
    pub(crate) fn read_method(&self) -> ReadMethod {
        self.method
    }

    /// Returns true when each handle is a copy of its own in memory.
    fn is_in_memory(&self) -> bool {
        self.method == ReadMethod::LockedCopy && self.copy.is_none()
    }

    /// Returns true when several handles see one and the same store: not when each is a copy of its own in memory.
    pub(crate) fn is_shared(&self) -> bool {
        !self.is_in_memory()
    }

    /// Returns the files that hold all that a handle sees, when they may be read without a lock; `None` when only SQLite may read
    /// them. No handle of this process then holds a lock on them, which closing a descriptor of theirs would drop.
    pub(crate) fn plain_files<'p>(&'p self, probe: &'p Probe) -> Option<PlainFiles<'p>> {
        let database = self.copy.as_ref().map_or(probe.path.as_path(), PrivateCopy::path);
        let wal = match self.method {
            _ if self.copy.is_some() => None,
            ReadMethod::Immutable | ReadMethod::FileAlone => None,
            ReadMethod::PrivateIndex => Some(&probe.wal),
            ReadMethod::SharedIndex | ReadMethod::UnderLock | ReadMethod::LockedCopy | ReadMethod::CopyOfFiles => {
                return None;
            }
        };
        Some(PlainFiles { database, wal })
    }

    /// Opens a handle.
    ///
    /// # Errors
    /// Fails with SQLite's error: a file that cannot be read fails here.
    pub(crate) fn open(&self) -> Result<ReadOnly> {
        let opened = self.try_open();
        self.disturbed.fetch_or(opened.is_err(), Ordering::Relaxed);
        Ok(opened?.setting_flags(&self.disturbed, &self.short_of_memory))
    }

    /// Opens a handle from which the objects of the schema that SQLite refuses are left out, as from all that are opened after it.
    ///
    /// # Errors
    /// Fails as [`Self::open`].
    pub(crate) fn open_without_refused(&self) -> Result<ReadOnly> {
        self.without_refused.store(true, Ordering::Relaxed);
        self.open()
    }

    /// Returns true when SQLite hit its bound on memory while it read through a handle.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.short_of_memory.load(Ordering::Relaxed)
    }

    /// Returns a witness that can tell afterwards whether the result of reading is still valid.
    pub(crate) fn witness(&self) -> Witness {
        Witness::new(self.method, self.facts, self.disturbed.clone())
    }

    fn try_open(&self) -> Result<ReadOnly> {
        let Environment { heap_limit, stop, .. } = *self.environment;
        let without_refused = self.without_refused.load(Ordering::Relaxed);
        if self.copy.is_some() {
            return ReadOnly::open(&self.uri, false, without_refused, heap_limit, stop);
        }
        let handle = self.open_in_place()?;
        if !self.is_in_memory() {
            return Ok(handle);
        }
        let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
        handle.back_up_to(&mut memory)?;
        drop(handle);
        ReadOnly::guarded_without(memory, without_refused, heap_limit, stop)
    }

    /// Opens a handle on the store's own files.
    fn open_in_place(&self) -> Result<ReadOnly> {
        let open = || {
            ReadOnly::open(
                &self.uri,
                self.method == ReadMethod::PrivateIndex,
                self.without_refused.load(Ordering::Relaxed),
                self.environment.heap_limit,
                &self.stop,
            )
        };
        let opened = self.environment.sandbox.without_writing(open);
        opened.map_err(Error::io("give up writing to", Path::new("the store's files")))?
    }

    /// Lets SQLite copy the store to the private folder under a reader's lock, for as long as the store's writers may be kept
    /// waiting.
    fn copy_under_lock(&self, probe: &Probe) -> Result<PrivateCopy> {
        let copy = self.environment.private.new_copy()?;
        copy.check_room(probe.size())?;
        let mut target = empty_copy(&copy)?;
        self.open_in_place()?.back_up_to(&mut target)?;
        Ok(copy)
    }

    /// Returns true when the result of reading is still valid. Every handle must have been closed.
    pub(super) fn is_still_valid(&self, probe: &Probe) -> bool {
        self.witness().is_still_valid(probe)
    }

    /// Returns true when reading was given up because the store's writers would have waited too long: another attempt would end
    /// the same method.
    pub(super) fn has_given_up(&self) -> bool {
        self.stop.hold_ran_out()
    }
}

/// The facts by which to tell afterwards whether the result of reading a store is still valid. Any thread may ask.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    method: ReadMethod,
    facts: Facts,
    disturbed: Arc<AtomicBool>,
}

impl Witness {
    /// Creates the witness of a store that is read by this method because of these facts; `disturbed` is set if SQLite could not
    /// read.
    pub(super) fn new(method: ReadMethod, facts: Facts, disturbed: Arc<AtomicBool>) -> Self {
        Self {
            method,
            facts,
            disturbed,
        }
    }

    /// Returns true when the result is still valid: no file changed in a way that matters to this read method.
    pub(crate) fn is_still_valid(&self, probe: &Probe) -> bool {
        self.method
            .is_still_valid(&self.facts, Observed::now(probe, self.disturbed.load(Ordering::Relaxed)))
    }
}

/// Returns the parameters of the URI by which SQLite opens a store. None of them lets it write.
fn query(method: ReadMethod) -> &'static str {
    match method {
        ReadMethod::Immutable | ReadMethod::CopyOfFiles | ReadMethod::FileAlone => "?mode=ro&immutable=1",
        ReadMethod::PrivateIndex => "?mode=ro&vfs=unix-none",
        // A store in rollback mode may have become one in WAL mode in the meantime; no -shm is made for it either.
        ReadMethod::SharedIndex | ReadMethod::UnderLock | ReadMethod::LockedCopy => "?mode=ro&readonly_shm=1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/healthy.db");

    #[test]
    fn files_are_plain_only_where_no_handle_holds_a_lock_on_them() {
        let environment = Environment {
            private: &PrivateFolder::for_stores::<&Path>(&[]),
            sandbox: &Sandbox::not_asked(),
            heap_limit: None,
            stop: &Stop::never(),
        };
        // In rollback mode, so that there are ways with a lock.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut bytes = std::fs::read(REAL).unwrap();
        bytes[18..20].copy_from_slice(&[1, 1]);
        std::fs::write(&path, bytes).unwrap();
        let probe = Probe::of(&path);
        for (disturbed, need, method, are_plain) in [
            (0, Need::Everything, ReadMethod::Immutable, true),
            (9, Need::Everything, ReadMethod::LockedCopy, false),
            (9, Need::Ledger, ReadMethod::UnderLock, false),
        ] {
            let access = Access::prepare(&probe, disturbed, need, &environment).unwrap();
            assert_eq!((access.read_method(), access.plain_files(&probe).is_some()), (method, are_plain));
        }
    }
}
