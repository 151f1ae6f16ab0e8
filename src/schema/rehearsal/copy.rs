//! The private copy that a rehearsal may write to.

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::private::{MOST_IN_MEMORY, PrivateCopy};
use crate::probe::Probe;
use crate::store::{Means, ReadOnly, open_copy};

/// How much is copied between two questions whether to stop, in bytes.
const PIECE: u64 = 16 << 20;

/// A copy of a store, open for writing. The connection goes first, then the files.
pub(crate) struct Copy {
    pub(super) conn: Connection,
    /// Where it lies, unless it is in memory; removed when this is dropped.
    files: Option<PrivateCopy>,
}

impl Copy {
    /// The same copy behind a handle that is guarded as every handle is, but whose database SQLite could write to.
    pub(crate) fn guarded(self, means: &Means<'_>) -> Result<(ReadOnly, Option<PrivateCopy>)> {
        // Before anything is read: a copy in WAL mode then needs no -shm.
        let sql = "PRAGMA locking_mode=EXCLUSIVE";
        self.conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
        Ok((ReadOnly::guarded(self.conn, means.heap_limit, means.stop)?, self.files))
    }
}

/// Copies all that a handle sees: a small store to memory, a larger one to the private folder.
pub(crate) fn of_store(probe: &Probe, handle: &ReadOnly, means: &Means<'_>) -> Result<Copy> {
    let bytes = probe.size() + probe.wal.size();
    let copied = if bytes <= MOST_IN_MEMORY {
        memory().map(|conn| (conn, None))
    } else {
        in_folder(bytes, means).map(|(conn, files)| (conn, Some(files)))
    };
    let page_size = probe.header().map_or(4096, |header| u64::from(header.page_size)).max(512);
    let pages = i32::try_from(PIECE / page_size).unwrap_or(i32::MAX);
    copied
        .and_then(|(mut conn, files)| {
            copy_pages(handle, &mut conn, pages)?;
            Ok(Copy { conn, files })
        })
        .map_err(|error| match error {
            error if error.stopped().is_some() => error,
            error => Error::Copy {
                why: "to rehearse its pending migrations on",
                source: error.into(),
            },
        })
}

/// Copies in pieces, within one read transaction: the query that is not at its end yet keeps it open, so that a writer's
/// commit does not make the copy begin anew. No writer waits for it: what is locked for reading is in WAL mode.
fn copy_pages(handle: &ReadOnly, target: &mut Connection, pages: i32) -> Result<()> {
    handle.rows("SELECT count(*) FROM sqlite_schema", [], |_| handle.back_up_to(target, pages))
}

fn in_folder(bytes: u64, means: &Means<'_>) -> Result<(Connection, PrivateCopy)> {
    let folder = means.private.map_err(|why| Error::NotAStore(why.to_owned()))?;
    let files = folder.new_copy()?;
    // A migration may write each page again, and its journal keeps the old ones.
    files.check_room(bytes.saturating_mul(2))?;
    Ok((open_copy(&files)?, files))
}

/// An empty database in memory.
pub(super) fn memory() -> Result<Connection> {
    Connection::open_in_memory().map_err(Error::sqlite("open"))
}

/// A handle on a store in which there is nothing.
pub(super) fn nothing(means: &Means<'_>) -> Result<ReadOnly> {
    ReadOnly::guarded(memory()?, means.heap_limit, means.stop)
}
