//! The private copy that a rehearsal may write to.

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::private::{MOST_REHEARSED_IN_MEMORY, PrivateCopy};
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly, empty_copy};

/// A copy of a store, open for writing. The connection goes first, then the files.
pub(crate) struct Copy {
    pub(super) conn: Connection,
    /// Where it lies, unless it is in memory; removed when this is dropped.
    pub(super) files: Option<PrivateCopy>,
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

/// How much larger than twice the store a copy may become, in bytes: room for new tables in a store of a few pages.
const SPARE: u64 = 4 << 20;

/// Copies all that a handle sees: a small store to memory, a larger one to the private folder.
///
/// The copy cannot grow past twice the store: a migration may write each table anew before it drops the old one. Triggers of
/// a stranger's store run in it, and would fill the disk.
pub(crate) fn of_store(probe: &Probe, handle: &ReadOnly, environment: &Environment<'_>) -> Result<Copy> {
    let bytes = probe.size() + probe.wal.size();
    let most = bytes.saturating_mul(2).saturating_add(SPARE);
    let copied = if bytes <= MOST_REHEARSED_IN_MEMORY {
        memory().map(|conn| (conn, None, most))
    } else {
        in_folder(bytes, environment).map(|(conn, files, room)| (conn, Some(files), most.min(room)))
    };
    copied
        .and_then(|(mut conn, files, most)| {
            handle.back_up_to(&mut conn)?;
            bound(&conn, most)?;
            Ok(Copy { conn, files })
        })
        .map_err(|error| match error {
            error if error.stopped().is_some() => error,
            error => Error::Copy {
                why: "to rehearse its pending migrations",
                source: error.into(),
            },
        })
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
    bound(&conn, MOST_REHEARSED_IN_MEMORY * 2 + SPARE)?;
    Ok(Copy { conn, files: None })
}

/// A handle on a store in which there is nothing.
pub(super) fn nothing(environment: &Environment<'_>) -> Result<ReadOnly> {
    ReadOnly::guarded(memory()?, environment.heap_limit, environment.stop)
}

#[cfg(test)]
mod tests;
