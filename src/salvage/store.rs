//! Salvages the store at a path.
//!
//! Its files are read with plain reads, because they need not have a header that SQLite accepts, and are compared before and after.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Files, KnownStore, ObjectKind, OwnSchema, SalvageSummary, SchemaObject, read_objects, salvage};
use crate::application::{Application, NoStore, Problem, Remedy};
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::migrations::replayed::{ReplayedObject, replay_objects};
use crate::probe::journal::length_to_play;
use crate::probe::not_a_database::{describe, describe_conversion};
use crate::probe::situation::{is_hot, write_locked_now};
use crate::probe::{FileStat, PathKind, Probe, Sidecar, Situation, open_plain, words};

/// The time for which another process may hold the write lock while it may have written to the file. A transaction is short.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// The reason why there is no summary of a store.
#[derive(Debug)]
pub(crate) enum NoSummary {
    /// Its files could not be read: nothing was written.
    NotRead(Error),
    /// The file cannot be read as it is, and it can be made what it was: nothing was written.
    Undoable {
        /// The reason.
        why: String,
        /// The steps.
        remedy: Remedy,
    },
    /// It ended early: what was written loads nothing.
    Ended(super::SalvageError),
}

/// Writes all that can still be read of the store at a path as SQL.
///
/// # Errors
/// Fails if its files cannot be read, or the salvage ended early.
pub(crate) fn salvage_store(
    path: &Path,
    application: &Application,
    known: &KnownStore,
    out: &mut dyn Write,
    stop: &Stop,
) -> std::result::Result<SalvageSummary, NoSummary> {
    let probe = probe_unlocked(path, stop).map_err(NoSummary::NotRead)?;
    if let Some(undoable) = find_undoable(&probe, application, stop) {
        return Err(undoable);
    }
    let opened = OpenFiles::open(&probe).map_err(NoSummary::NotRead)?;
    let unchanged = || probe.is_unchanged() && !write_locked_now(&probe);
    let mut summary = salvage(opened.files(), known, out, &unchanged, stop).map_err(NoSummary::Ended)?;
    summary.left_out = probe.foreign().map(|foreign| (foreign.suffix, foreign.in_words()));
    Ok(summary)
}

/// Describes the stores of which nothing is known: by their own schema, and by that of another store or of migrations for what it has lost.
///
/// # Errors
/// Fails if the other store cannot be read, or the migrations cannot be replayed.
pub(crate) fn describe_any(
    application: &Application,
    like: Option<&Path>,
    with_triggers: bool,
    stop: &Stop,
) -> std::result::Result<KnownStore, NoSummary> {
    let given = match like {
        Some(path) => read_other_schema(path, stop)?,
        None => replay_schema(application, stop).map_err(NoSummary::NotRead)?,
    };
    Ok(KnownStore {
        own: Some(OwnSchema { with_triggers, given }),
        ..KnownStore::default()
    })
}

/// Reads the schema of another store.
fn read_other_schema(path: &Path, stop: &Stop) -> std::result::Result<Vec<SchemaObject>, NoSummary> {
    let probe = probe_unlocked(path, stop).map_err(NoSummary::NotRead)?;
    let opened = OpenFiles::open(&probe).map_err(NoSummary::NotRead)?;
    let objects = read_objects(opened.files(), stop).map_err(NoSummary::Ended)?;
    if objects.is_empty() {
        let name = crate::text::paths::display_path(path);
        return Err(NoSummary::NotRead(Error::NotAStore(format!("{name} has no schema that could be read"))));
    }
    Ok(objects)
}

/// Replays the migrations of an application, if it has a folder of them.
fn replay_schema(application: &Application, stop: &Stop) -> Result<Vec<SchemaObject>> {
    let replayed = replay_objects(application, stop)?;
    let object = |object: ReplayedObject| {
        Some(SchemaObject {
            kind: ObjectKind::from_word(object.kind.as_bytes())?,
            name: object.name.into_bytes(),
            table: object.table.into_bytes(),
            root: 0,
            sql: object.sql,
        })
    };
    Ok(replayed.into_iter().filter_map(object).collect())
}

/// Returns the reason if the file cannot be read as it is, and the steps that undo it, where all of it is there: behind other bytes, or
/// converted as if it were text. Its pages do not lie where pages do, and what could be read of them would be the less.
fn find_undoable(probe: &Probe, application: &Application, stop: &Stop) -> Option<NoSummary> {
    let found = match &probe.kind {
        PathKind::NotSqlite(_) => describe(probe, stop)?,
        PathKind::Sqlite(header) => {
            let has_odd_size = !probe.size().is_multiple_of(u64::from(header.page_size.max(1)));
            let is_odd = !header.faults().is_empty() || has_odd_size;
            is_odd.then(|| describe_conversion(probe, stop)).flatten()?
        }
        _ => return None,
    };
    let is_undoable = match found.what {
        NoStore::BytesBefore { .. } => true,
        NoStore::Converted(conversion) => conversion.is_reversible(),
        _ => false,
    };
    is_undoable.then(|| NoSummary::Undoable {
        remedy: application.advice(&Problem::NoStore(found.what), &application.files_of(&probe.path)),
        why: found.words,
    })
}

/// Probes the path until no process is in the middle of writing to the database file itself.
fn probe_unlocked(path: &Path, stop: &Stop) -> Result<Probe> {
    let begun = Instant::now();
    loop {
        let probe = Probe::of(path).judged(stop);
        if !write_locked_now(&probe) {
            // A later change must show in the times of the files.
            let stamps = [probe.stamp, probe.wal.stamp, probe.journal.stamp];
            stamps.iter().flatten().for_each(FileStat::settle);
            return Ok(probe);
        }
        if begun.elapsed() >= LOCK_PATIENCE {
            return Err(Error::WriteLocked);
        }
        stop.check()?;
        thread::sleep(LOCK_PATIENCE / 100);
    }
}

/// The files of a store, open for plain reading.
pub(super) struct OpenFiles {
    database: File,
    journal: Option<File>,
    log: Option<File>,
}

impl OpenFiles {
    /// Opens the files, if they may hold pages. A log or a journal that is not the store's is left out.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub(super) fn open(probe: &Probe) -> Result<Self> {
        match probe.kind {
            PathKind::Sqlite(_) | PathKind::NotSqlite(_) | PathKind::CutInHeader | PathKind::EmptyWithSidecar(_) => {}
            _ => return Err(Error::NotAStore(words(&probe.kind, probe.size()))),
        }
        for sidecar in [&probe.wal, &probe.journal] {
            if let Some(why) = &sidecar.unreadable {
                let name = crate::text::paths::display_path(&sidecar.path);
                return Err(Error::Journal(format!("{name} cannot be read: {why}")));
            }
        }
        let open = |path: &Path| open_plain(path).map_err(Error::io("read", path));
        let open_sidecar = |sidecar: &Sidecar, is_wanted: bool| is_wanted.then(|| open(&sidecar.path)).transpose();
        let is_alone = probe.foreign().is_some();
        Ok(Self {
            database: open(&probe.path)?,
            journal: open_sidecar(&probe.journal, !is_alone && has_hot_journal(probe)?)?,
            log: open_sidecar(&probe.wal, !is_alone && probe.wal.has_content())?,
        })
    }

    /// Returns the files to be salvaged.
    pub(super) fn files(&self) -> Files<'_> {
        Files {
            database: &self.database,
            journal: self.journal.as_ref().map(|file| file as _),
            log: self.log.as_ref().map(|file| file as _),
        }
    }
}

/// Returns true if the journal is one that a crashed writer left. When the file has no header any more, this cannot be known; the
/// files are compared all the same.
fn has_hot_journal(probe: &Probe) -> Result<bool> {
    let is_left = match probe.situation {
        Situation::HotJournal => true,
        Situation::None => is_hot(&probe.journal),
        _ => false,
    };
    Ok(is_left && length_to_play(probe)?.is_some())
}
