//! A store made ready to be opened the way that its situation asks for, leaving nothing behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::private_copy::{PrivateCopy, PrivateFolder, copy_and_recover, empty_copy, not_copied};
use super::read_method::{Facts, InPlace, LARGE, MOST_COPIED_TO_MEMORY, Need, ReadMethod, Seen, only_by_copy};
use super::read_only::{ReadOnly, uri};
use super::sandbox::Sandbox;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::probe::{FileStat, Probe, Sidecar, words};

/// Where copies may go, what the kernel forbids, how much memory SQLite may take, when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Environment<'a> {
    /// Where private copies may go.
    pub private: &'a PrivateFolder,
    /// What the kernel holds this process to.
    pub sandbox: &'a Sandbox,
    /// The most memory that SQLite may take in this process, in bytes; `None` leaves SQLite's bound as it is.
    pub heap_limit: Option<u64>,
    /// When to stop.
    pub stop: &'a Stop,
}

/// Files that hold a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainFiles<'p> {
    /// The database file.
    pub database: &'p Path,
    /// The log whose commits lie over it.
    pub wal: Option<&'p Sidecar>,
}

/// A store made ready to be opened, as often as there are threads that read it.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    way: ReadMethod,
    facts: Facts,
    uri: String,
    environment: &'a Environment<'a>,
    /// When the handles on the store itself must stop: the caller's limit, and how long writers may be kept waiting.
    stop: Stop,
    /// A copy that lives as long as this does.
    copy: Option<PrivateCopy>,
    /// Whether a handle could not be opened, or SQLite could not read through one for a reason that may pass.
    disturbed: Arc<AtomicBool>,
    /// Whether SQLite hit its bound on memory.
    short_of_memory: Arc<AtomicBool>,
}

impl<'a> Access<'a> {
    /// Prepares a store to be opened as its situation requires.
    ///
    /// # Errors
    /// If the path leads to no store, or a copy is needed and cannot be made.
    pub(super) fn prepare(probe: &Probe, disturbed: u32, need: Need, environment: &'a Environment<'a>) -> Result<Self> {
        if probe.header().is_none() {
            return Err(Error::NotAStore(words(&probe.nature, probe.size())));
        }
        for sidecar in [&probe.wal, &probe.shm, &probe.journal] {
            if let Some(why) = &sidecar.unreadable {
                let name = crate::text::shown::shown(&sidecar.path);
                return Err(Error::Journal(format!("{name} cannot be read: {why}")));
            }
        }
        let only_by_copy = only_by_copy(probe, environment.sandbox.opens_in_place());
        let facts = Facts {
            situation: probe.situation,
            in_place: InPlace::of(probe, only_by_copy.is_some()),
            is_large: probe.size() > LARGE,
            has_folder: !environment.private.is_refused(),
            need,
            disturbed,
        };
        let way = ReadMethod::choose(&facts);
        let stop = way
            .longest_hold()
            .map_or_else(|| environment.stop.clone(), |most| environment.stop.holding(most));
        let mut access = Self {
            way,
            facts,
            uri: uri(&probe.path, query(way)),
            environment,
            stop,
            copy: None,
            disturbed: Arc::default(),
            short_of_memory: Arc::default(),
        };
        // A later change must show in the times of the files that are compared.
        let compared = match way {
            ReadMethod::CopyOfFiles => [probe.stamp, probe.wal.stamp, probe.journal.stamp],
            ReadMethod::Immutable | ReadMethod::PrivateIndex => [probe.stamp, None, None],
            ReadMethod::SharedIndex | ReadMethod::UnderLock | ReadMethod::LockedCopy => [None; 3],
        };
        compared.iter().flatten().for_each(FileStat::settle);
        let copied = match way {
            ReadMethod::CopyOfFiles => copy_and_recover(probe, environment).map(Some).map_err(not_copied(
                only_by_copy.unwrap_or(if facts.in_place == InPlace::FileAndLongWal {
                    "its WAL has too many pages for an index in memory"
                } else {
                    "it holds what a writer left unfinished"
                }),
            )),
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

    /// How this store is read.
    pub(crate) fn way(&self) -> ReadMethod {
        self.way
    }

    /// Whether each handle is a copy of its own in memory.
    fn is_in_memory(&self) -> bool {
        self.way == ReadMethod::LockedCopy && self.copy.is_none()
    }

    /// Whether several handles see one and the same store: not where each is a copy of its own in memory.
    pub(crate) fn is_shared(&self) -> bool {
        !self.is_in_memory()
    }

    /// The files in which all that a handle sees lies, where they may be read without a lock; `None` where only SQLite may read.
    /// No handle of this process then holds a lock on them.
    pub(crate) fn plain_files<'p>(&'p self, probe: &'p Probe) -> Option<PlainFiles<'p>> {
        let database = self.copy.as_ref().map_or(probe.path.as_path(), PrivateCopy::path);
        let wal = match self.way {
            _ if self.copy.is_some() => None,
            ReadMethod::Immutable => None,
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
    /// What SQLite says: this is where a file that cannot be read fails.
    pub(crate) fn open(&self) -> Result<ReadOnly> {
        let opened = self.try_open();
        self.disturbed.fetch_or(opened.is_err(), Ordering::Relaxed);
        Ok(opened?.telling(&self.disturbed, &self.short_of_memory))
    }

    /// Whether SQLite hit its bound on memory while it read through a handle.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.short_of_memory.load(Ordering::Relaxed)
    }

    /// To ask afterwards whether what was read through this is still valid.
    pub(crate) fn witness(&self) -> Witness {
        Witness::new(self.way, self.facts, self.disturbed.clone())
    }

    fn try_open(&self) -> Result<ReadOnly> {
        let Environment { heap_limit, stop, .. } = *self.environment;
        if self.copy.is_some() {
            return ReadOnly::open(&self.uri, false, heap_limit, stop);
        }
        let handle = self.open_in_place()?;
        if !self.is_in_memory() {
            return Ok(handle);
        }
        let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
        handle.back_up_to(&mut memory)?;
        drop(handle);
        ReadOnly::guarded(memory, heap_limit, stop)
    }

    /// Opens a handle on the store's own files.
    fn open_in_place(&self) -> Result<ReadOnly> {
        let open =
            || ReadOnly::open(&self.uri, self.way == ReadMethod::PrivateIndex, self.environment.heap_limit, &self.stop);
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

    /// Whether what was read through this is still valid. Every handle must have been closed.
    pub(super) fn still_valid(&self, probe: &Probe) -> bool {
        self.witness().still_valid(probe)
    }

    /// Whether reading was given up because the store's writers would have waited too long: another attempt would end the same
    /// way.
    pub(super) fn gave_up(&self) -> bool {
        self.stop.hold_ran_out()
    }
}

/// Remembers how a store is read, to say afterwards whether the result is still valid. Any thread may ask.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    way: ReadMethod,
    facts: Facts,
    disturbed: Arc<AtomicBool>,
}

impl Witness {
    /// For a store that is read in this way because of these facts; `disturbed` is set if SQLite could not read.
    pub(super) fn new(way: ReadMethod, facts: Facts, disturbed: Arc<AtomicBool>) -> Self {
        Self { way, facts, disturbed }
    }

    /// Whether the result is still valid: no file changed in a way that matters to this read method.
    pub(crate) fn still_valid(&self, probe: &Probe) -> bool {
        self.way
            .still_valid(&self.facts, Seen::now(probe, self.disturbed.load(Ordering::Relaxed)))
    }
}

fn query(way: ReadMethod) -> &'static str {
    match way {
        ReadMethod::Immutable | ReadMethod::CopyOfFiles => "?mode=ro&immutable=1",
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
        for (disturbed, need, way, are_plain) in [
            (0, Need::Everything, ReadMethod::Immutable, true),
            (9, Need::Everything, ReadMethod::LockedCopy, false),
            (9, Need::Ledger, ReadMethod::UnderLock, false),
        ] {
            let access = Access::prepare(&probe, disturbed, need, &environment).unwrap();
            assert_eq!((access.way(), access.plain_files(&probe).is_some()), (way, are_plain));
        }
    }
}
