//! The private copy that a rehearsal may write to.

mod temporary;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly, empty_copy};
use crate::store::{MOST_COPIED_TO_MEMORY, MOST_REHEARSED_IN_MEMORY, PrivateCopy};
pub(super) use temporary::Temporary;

/// A copy of a store, open for writing. The connection goes first, then the files.
pub(crate) struct Copy {
    pub(super) conn: Connection,
    /// Where it lies, unless it is in memory; removed when this is dropped.
    pub(super) files: Option<PrivateCopy>,
    /// Where SQLite may put temporary files, unless they are in memory.
    pub(super) temporary: Option<Temporary>,
}

impl Copy {
    /// The same copy behind a handle that is guarded as every handle is, but whose database SQLite could write to.
    pub(crate) fn guarded(self, environment: &Environment<'_>) -> Result<(ReadOnly, Option<PrivateCopy>)> {
        // Before anything is read: a copy in WAL mode then needs no -shm.
        let sql = "PRAGMA locking_mode=EXCLUSIVE";
        self.conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
        Ok((ReadOnly::guarded(self.conn, environment.heap_limit, environment.stop)?, self.files))
    }
}

/// How large a copy in memory may become, in bytes: room for new tables in a store of a few pages.
const MOST_IN_MEMORY: u64 = 16 << 20;

/// How large a copy in the private folder may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    /// How many times as large as the store.
    times: u64,
    /// And so many bytes more.
    spare: u64,
}

impl Growth {
    /// An application's own migrations may write each table anew before they drop the old one.
    pub(super) const OWN: Self = Self {
        times: 2,
        spare: 4 << 20,
    };

    /// Nobody knows what those of a folder do. An index on texts of a thousand characters has a page for each row, which is four
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
/// The copy can grow, but stays in proportion to the store. Triggers of a stranger's store run in it, and would fill the disk.
pub(super) fn of_store(
    probe: &Probe,
    handle: &ReadOnly,
    growth: Growth,
    environment: &Environment<'_>,
) -> Result<Copy> {
    made(probe, handle, growth, environment, MOST_REHEARSED_IN_MEMORY).map_err(|error| match error {
        error if error.stopped().is_some() => error,
        error => Error::Copy {
            why: "to rehearse its pending migrations",
            source: error.into(),
        },
    })
}

/// Copies all that a handle sees, to look at it as at what could be written.
///
/// # Errors
/// Where there is no room for it, and the time limit.
pub(crate) fn to_check(probe: &Probe, handle: &ReadOnly, environment: &Environment<'_>) -> Result<Copy> {
    made(probe, handle, Growth::OWN, environment, MOST_COPIED_TO_MEMORY)
}

fn made(
    probe: &Probe,
    handle: &ReadOnly,
    growth: Growth,
    environment: &Environment<'_>,
    most_in_memory: u64,
) -> Result<Copy> {
    let bytes = bytes(probe);
    let (mut conn, files, most) = if bytes <= most_in_memory {
        (memory()?, None, MOST_IN_MEMORY)
    } else {
        let (conn, files, room) = in_folder(bytes, environment)?;
        (conn, Some(files), room.min(growth.of(bytes)))
    };
    handle.back_up_to(&mut conn)?;
    bound(&conn, most)?;
    let temporary = files.as_ref().and_then(|_| Temporary::new(environment, most));
    Ok(Copy { conn, files, temporary })
}

/// How large a store is, with its log.
fn bytes(probe: &Probe) -> u64 {
    probe.size() + probe.wal.size()
}

/// Whether a store is copied to the private folder where its migrations are rehearsed.
pub(super) fn goes_to_folder(probe: &Probe) -> bool {
    bytes(probe) > MOST_REHEARSED_IN_MEMORY
}

/// A place for a copy in the private folder, and how large the copy may become there: its journal needs the rest of the room,
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

/// That a copy became as large as it may, where SQLite says that it is full.
pub(super) fn outgrown(copy: &Connection) -> Result<Error> {
    let bytes = pragma(copy, "PRAGMA max_page_count")?.saturating_mul(pragma(copy, "PRAGMA page_size")?);
    Ok(Error::Outgrown { bytes })
}

fn pragma(conn: &Connection, sql: &str) -> Result<u64> {
    let number: u32 = conn.query_row(sql, [], |row| row.get(0)).map_err(Error::sqlite(sql))?;
    Ok(number.into())
}

/// An empty database in memory.
pub(super) fn memory() -> Result<Connection> {
    Connection::open_in_memory().map_err(Error::sqlite("open"))
}

/// A copy of nothing, which may grow as large as one of any store in memory.
pub(super) fn empty() -> Result<Copy> {
    let conn = memory()?;
    bound(&conn, MOST_IN_MEMORY)?;
    Ok(Copy {
        conn,
        files: None,
        temporary: None,
    })
}

/// A handle on a store in which there is nothing.
pub(super) fn nothing(environment: &Environment<'_>) -> Result<ReadOnly> {
    ReadOnly::guarded(memory()?, environment.heap_limit, environment.stop)
}

#[cfg(test)]
mod tests;
