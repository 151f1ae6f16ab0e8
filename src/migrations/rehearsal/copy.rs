//! The private copy that a rehearsal may write to.

mod temporary;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly, empty_copy};
use crate::store::{MOST_COPIED_TO_MEMORY, MOST_REHEARSED_IN_MEMORY, PrivateCopy};
pub(super) use temporary::TemporaryFiles;

/// A copy of a store, open for writing. The connection goes first, then the files.
pub(crate) struct RehearsalCopy {
    pub(super) conn: Connection,
    /// The private folder, unless it is in memory; removed when this is dropped.
    pub(super) files: Option<PrivateCopy>,
    /// The place of temporary files, unless they are in memory.
    pub(super) temporary: Option<TemporaryFiles>,
}

impl RehearsalCopy {
    /// Puts the copy behind a handle that is guarded as every handle is, but whose database SQLite could write to.
    pub(crate) fn guarded(self, environment: &Environment<'_>) -> Result<(ReadOnly, Option<PrivateCopy>)> {
        // Before anything is read: a copy in WAL mode then needs no -shm.
        let sql = "PRAGMA locking_mode=EXCLUSIVE";
        self.conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
        Ok((ReadOnly::guarded(self.conn, environment.heap_limit, environment.stop)?, self.files))
    }
}

impl RehearsalCopy {
    /// Takes the views, triggers and virtual tables out of the schema. SQLite's integrity check passes over the freelist and over
    /// pages that nothing uses when an object without pages comes first among its tables (`pragma.c` hands its root page 0 to
    /// `btree.c`, `sqlite3BtreeIntegrityCheck`, where a first 0 stands for a part of the database).
    ///
    /// # Errors
    /// Fails with SQLite's error.
    pub(crate) fn without_views(self) -> Result<Self> {
        let sql = "PRAGMA writable_schema=ON;
             DELETE FROM sqlite_schema WHERE type IN ('view', 'trigger') OR type = 'table' AND ifnull(rootpage, 0) = 0;
             PRAGMA writable_schema=RESET";
        self.conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
        Ok(self)
    }

    /// Closes the copy and keeps its files, to be read without SQLite.
    pub(crate) fn into_files(self) -> Option<PrivateCopy> {
        self.files
    }
}

/// The size up to which a copy in memory may grow, in bytes: room for new tables in a store of a few pages.
const MOST_IN_MEMORY: u64 = 16 << 20;

/// The size up to which a copy in the private folder may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyGrowth {
    /// The factor by which it may be larger than the store.
    times: u64,
    /// And so many bytes more.
    spare: u64,
}

impl CopyGrowth {
    /// An application's own migrations may write each table anew before they drop the old one.
    pub(super) const OWN: Self = Self {
        times: 2,
        spare: 4 << 20,
    };

    /// The migrations of a folder may do anything. An index on texts of a thousand characters has a page for each row, which is four
    /// times its table.
    pub(super) const OF_FOLDER: Self = Self {
        times: 8,
        spare: 16 << 20,
    };

    fn of(self, bytes: u64) -> u64 {
        bytes.saturating_mul(self.times).saturating_add(self.spare)
    }
}

/// Copies all that a handle sees, to rehearse migrations on it: a small store to memory, a larger one to the private folder.
///
/// The copy can grow, but stays in proportion to the store. Triggers of an untrusted store run in it, and could fill the disk.
pub(super) fn of_store(
    probe: &Probe,
    handle: &ReadOnly,
    growth: CopyGrowth,
    environment: &Environment<'_>,
) -> Result<RehearsalCopy> {
    create_copy(probe, handle, growth, environment, MOST_REHEARSED_IN_MEMORY).map_err(|error| match error {
        error if error.stopped().is_some() => error,
        error => Error::Copy {
            why: "to rehearse its pending migrations",
            source: error.into(),
        },
    })
}

/// Copies all that a handle sees, so that checks which need a writable store can run.
///
/// # Errors
/// Fails if there is no room for it, or at the time limit.
pub(crate) fn to_check(probe: &Probe, handle: &ReadOnly, environment: &Environment<'_>) -> Result<RehearsalCopy> {
    create_copy(probe, handle, CopyGrowth::OWN, environment, MOST_COPIED_TO_MEMORY)
}

/// Copies all that a handle sees to the private folder, to be read without SQLite.
///
/// # Errors
/// Fails if there is no room for it, or at the time limit.
pub(crate) fn to_folder(probe: &Probe, handle: &ReadOnly, environment: &Environment<'_>) -> Result<RehearsalCopy> {
    create_copy(probe, handle, CopyGrowth::OWN, environment, 0)
}

fn create_copy(
    probe: &Probe,
    handle: &ReadOnly,
    growth: CopyGrowth,
    environment: &Environment<'_>,
    most_in_memory: u64,
) -> Result<RehearsalCopy> {
    let bytes = bytes(probe);
    let (mut conn, files, most) = if bytes <= most_in_memory {
        (memory()?, None, MOST_IN_MEMORY)
    } else {
        let (conn, files, room) = in_folder(bytes, environment)?;
        (conn, Some(files), room.min(growth.of(bytes)))
    };
    handle.back_up_to(&mut conn)?;
    bound(&conn, most)?;
    let temporary = files.as_ref().and_then(|_| TemporaryFiles::new(environment, most));
    Ok(RehearsalCopy { conn, files, temporary })
}

/// Returns the size of a store with its log, in bytes.
fn bytes(probe: &Probe) -> u64 {
    probe.size() + probe.wal.size()
}

/// Returns true if a store is copied to the private folder where its migrations are rehearsed.
pub(super) fn goes_to_folder(probe: &Probe) -> bool {
    bytes(probe) > MOST_REHEARSED_IN_MEMORY
}

/// Returns a place for a copy in the private folder, and the size up to which the copy may grow there: its journal needs the rest of the room,
/// to keep each page that the store has now.
fn in_folder(bytes: u64, environment: &Environment<'_>) -> Result<(Connection, PrivateCopy, u64)> {
    let files = environment.private.new_copy()?;
    let room = files.check_room(bytes.saturating_mul(2))?;
    Ok((empty_copy(&files)?, files, room - bytes))
}

/// Lets a copy grow no larger than this. It is made to keep a rollback journal, which no more than doubles it: a WAL would
/// keep each page as often as it is written.
fn bound(conn: &Connection, most: u64) -> Result<()> {
    let sql = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE";
    conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
    let sql = format!("PRAGMA max_page_count={}", (most / pragma(conn, "PRAGMA page_size")?.max(512)).max(1));
    conn.execute_batch(&sql).map_err(Error::sqlite(&sql))
}

/// Returns the error that a copy reached its bound, where SQLite reports a full disk.
pub(super) fn outgrown(copy: &Connection) -> Result<Error> {
    let bytes = pragma(copy, "PRAGMA max_page_count")?.saturating_mul(pragma(copy, "PRAGMA page_size")?);
    Ok(Error::Outgrown { bytes })
}

fn pragma(conn: &Connection, sql: &str) -> Result<u64> {
    let number: u32 = conn.query_row(sql, [], |row| row.get(0)).map_err(Error::sqlite(sql))?;
    Ok(number.into())
}

/// Creates an empty database in memory.
pub(super) fn memory() -> Result<Connection> {
    Connection::open_in_memory().map_err(Error::sqlite("open"))
}

/// Creates a copy of an empty store, which may grow as large as one of any store in memory.
pub(super) fn empty() -> Result<RehearsalCopy> {
    let conn = memory()?;
    bound(&conn, MOST_IN_MEMORY)?;
    Ok(RehearsalCopy {
        conn,
        files: None,
        temporary: None,
    })
}

/// Opens a handle on an empty store.
pub(super) fn nothing(environment: &Environment<'_>) -> Result<ReadOnly> {
    ReadOnly::guarded(memory()?, environment.heap_limit, environment.stop)
}

#[cfg(test)]
mod tests;
