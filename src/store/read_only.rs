//! The read-only handle: the doctor's only way to SQLite, and the sole owner of its connection.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Params, Row, Statement, ffi};

use super::guards;
use crate::error::{Error, Result};
use crate::limits::stop::{Interruptible, Stop};

/// The number of rows that are read between two reports of progress.
const ROWS_BETWEEN_NEWS: u64 = 1024;

/// Extended error codes of a reader beside writers that are just changing the wal-index, or opening or closing the store:
/// to a reader it then looks as if it had to be recovered (`wal.c`, `walIndexReadHdr`).
const MAY_PASS: &[i32] = &[
    ffi::SQLITE_READONLY_RECOVERY,
    ffi::SQLITE_READONLY_CANTLOCK,
    ffi::SQLITE_READONLY_CANTINIT,
    ffi::SQLITE_BUSY_RECOVERY,
    ffi::SQLITE_PROTOCOL,
];

/// A handle through which a store can only be read. It has no method that writes; and SQLite (`mode=ro`, `query_only`), the
/// authorizer and the kernel would each refuse a statement that does.
///
/// It sees the store of one moment: it stays in the read transaction in which it was opened.
///
/// It gives out no connection and takes no SQL from outside this crate.
pub(crate) struct ReadOnly {
    /// Declared before the connection, so that it is dropped first: closing may take long, and an interrupt must not wait for it.
    _interruptible: Interruptible,
    conn: Connection,
    stop: Stop,
    /// Set while virtual tables may be connected: see [`guards::authorize_reads_alone`].
    connecting: Arc<AtomicBool>,
    /// Set when SQLite could not read for a reason that may pass.
    disturbed: Arc<AtomicBool>,
    /// Set when SQLite hit its bound on memory, even if the error is handled.
    short_of_memory: Arc<AtomicBool>,
}

impl std::fmt::Debug for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnly").finish_non_exhaustive()
    }
}

impl ReadOnly {
    /// Opens a URI read-only, guards it and pings it, so that what cannot be read fails here.
    ///
    /// A process that may write to the store's folder can exchange a file for a FIFO after the probe, and `open(2)` then waits
    /// for ever: SQLite opens without `O_NONBLOCK` and goes on after a signal. No name keeps SQLite from it: it resolves
    /// `/proc/self/fd/N` to the path again (`os_unix.c`, `appendOnePathElement`), and finds the sidecar files by that path.
    /// So a process that hangs here can only be ended, which is the watchdog's task.
    ///
    /// With `without_refused` the objects of the schema that SQLite refuses are left out, and the rest can be read.
    pub(super) fn open(
        uri: &str,
        private_index: bool,
        without_refused: bool,
        heap_limit: Option<u64>,
        stop: &Stop,
    ) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |()| -> rusqlite::Result<Connection> {
            #[expect(clippy::disallowed_methods, reason = "this is the read-only handle")]
            let conn = Connection::open_with_flags(uri, flags)?;
            if private_index {
                // With this mode set before the first read, SQLite keeps the wal-index in its own memory ("Write-Ahead
                // Logging", section 8): no -shm is made, and through the VFS without locks no other process is locked out.
                conn.execute_batch("PRAGMA locking_mode=EXCLUSIVE")?;
            }
            Ok(conn)
        };
        Self::guarded_without(open(()).map_err(Error::opening(uri))?, without_refused, heap_limit, stop)
    }

    /// Lets the handle set these flags: SQLite could not read for a reason that may pass, and it hit its bound on memory.
    pub(super) fn setting_flags(mut self, disturbed: &Arc<AtomicBool>, short_of_memory: &Arc<AtomicBool>) -> Self {
        self.disturbed = Arc::clone(disturbed);
        self.short_of_memory = Arc::clone(short_of_memory);
        self
    }

    /// Guards a connection and pings it.
    pub(crate) fn guarded(conn: Connection, heap_limit: Option<u64>, stop: &Stop) -> Result<Self> {
        Self::guarded_without(conn, false, heap_limit, stop)
    }

    pub(super) fn guarded_without(
        mut conn: Connection,
        without_refused: bool,
        heap_limit: Option<u64>,
        stop: &Stop,
    ) -> Result<Self> {
        let connecting = Arc::new(AtomicBool::new(false));
        let mut guard = || -> rusqlite::Result<()> {
            if let Some(bytes) = heap_limit {
                conn.execute_batch(&format!("PRAGMA hard_heap_limit={bytes}"))?;
            }
            guards::bound(&mut conn, without_refused, stop)?;
            guards::query_only(&conn)?;
            guards::authorize_reads_alone(&mut conn, connecting.clone())?;
            conn.execute_batch("BEGIN")
        };
        guard().map_err(|error| explained(stop, Error::preparing("open"), error))?;
        let handle = Self {
            _interruptible: guards::interruptible(&conn, stop),
            conn,
            stop: stop.clone(),
            connecting,
            disturbed: Arc::default(),
            short_of_memory: Arc::default(),
        };
        // The first statement that reads the schema: errors of opening come here.
        handle.ping()?;
        if without_refused {
            guards::leave_out_refused_objects(&handle.conn, false).map_err(Error::sqlite("open"))?;
        }
        guards::bound_values(&handle.conn).map_err(Error::sqlite("open"))?;
        Ok(handle)
    }

    /// Reads the schema. The stop is not asked here: the statement that comes next asks, and names the check that was not reached.
    fn ping(&self) -> Result<()> {
        const SQL: &str = "SELECT count(*) FROM sqlite_schema";
        let pinged = self.conn.query_row(SQL, [], |_| Ok(()));
        pinged.map_err(|error| self.explain(Error::preparing(SQL), error))
    }

    /// Takes the authorizer away, for SQLite's own integrity check alone: it cannot be asked about a name that is not UTF-8,
    /// and what cannot be asked is refused. SQLite itself and the kernel still refuse to write.
    pub(crate) fn without_authorizer(mut self) -> Result<Self> {
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.conn.authorizer(none).map_err(Error::sqlite("sqlite3_set_authorizer"))?;
        Ok(self)
    }

    /// Replaces a collation that only the application has by the order of bytes, for SQLite's own integrity check: what the check
    /// reports about order under it means nothing.
    ///
    /// # Errors
    /// Fails with SQLite's error.
    pub(crate) fn replace_collation(&self, name: &str) -> Result<()> {
        self.conn
            .create_collation(name, str::cmp)
            .map_err(Error::sqlite("sqlite3_create_collation"))
    }

    /// Returns the collations that were replaced since, in lower case.
    ///
    /// # Errors
    /// Fails with SQLite's error.
    pub(crate) fn replaced_collations(&self) -> Result<Vec<String>> {
        let names: Vec<String> = self.collect("PRAGMA collation_list", [], |row| row.get("name"))?;
        let is_own = |name: &String| ["binary", "nocase", "rtrim"].contains(&name.as_str());
        let names = names.into_iter().map(|name| name.to_ascii_lowercase());
        Ok(names.filter(|name| !is_own(name)).collect())
    }

    /// Runs a query and hands out each row, in one read transaction.
    ///
    /// An error of `each` ends the query; the rows handed out before an error of SQLite stand.
    pub(crate) fn rows(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let failed = |error: rusqlite::Error| self.explain(Error::sqlite(sql), error);
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params).map_err(failed)?;
        let mut read = 0_u64;
        while let Some(row) = rows.next().map_err(failed)? {
            each(row)?;
            read += 1;
            if read.is_multiple_of(ROWS_BETWEEN_NEWS) {
                self.stop.read(ROWS_BETWEEN_NEWS);
            }
        }
        Ok(())
    }

    /// Runs a pragma that looks into every table, and lets it connect the virtual ones among them.
    pub(crate) fn rows_of_pragma(&self, sql: &str, each: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        self.connecting.store(true, Ordering::Relaxed);
        let ended = self.rows(sql, [], each);
        self.connecting.store(false, Ordering::Relaxed);
        ended
    }

    /// Lets values of any length be read whole while `work` does, as far as SQLite's bound on memory goes.
    pub(crate) fn with_long_values<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let limited = |bytes| self.conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes);
        let before = limited(i32::MAX).map_err(Error::sqlite("SQLITE_LIMIT_LENGTH"))?;
        let made = work();
        limited(before).map_err(Error::sqlite("SQLITE_LIMIT_LENGTH"))?;
        Ok(made)
    }

    /// Runs a query and collects what `each` makes of its rows.
    pub(crate) fn collect<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        self.rows(sql, params, |row| {
            out.push(each(row).map_err(Error::sqlite(sql))?);
            Ok(())
        })?;
        Ok(out)
    }

    /// Opens one cell to be read in pieces, however long it is ("Incremental BLOB I/O").
    pub(crate) fn cell(&self, table: &str, column: &str, rowid: i64) -> Result<impl std::io::Read + '_> {
        // Opening it says whether there is such a row, and names what was asked for.
        let failed = |error| self.explain(Error::preparing("incremental blob I/O"), error);
        self.conn.blob_open(rusqlite::MAIN_DB, table, column, rowid, true).map_err(failed)
    }

    /// Runs a query for one number.
    pub(crate) fn number(&self, sql: &str) -> Result<i64> {
        let failed = |error| self.explain(Error::sqlite(sql), error);
        self.prepare(sql)?.query_row([], |row| row.get(0)).map_err(failed)
    }

    fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        // SQLite itself asks only in statements that take long, of which many short ones are none.
        self.stop.check()?;
        self.conn.prepare(sql).map_err(|error| self.explain(Error::preparing(sql), error))
    }

    /// The connection, for the tests that try to write through it.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// An error of SQLite as `wrap` wraps it; where SQLite was interrupted, the reason for that.
    fn explain(&self, wrap: impl FnOnce(rusqlite::Error) -> Error, error: rusqlite::Error) -> Error {
        if error.sqlite_extended_error_code().is_some_and(|code| MAY_PASS.contains(&code)) {
            self.disturbed.store(true, Ordering::Relaxed);
        }
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OutOfMemory) {
            self.short_of_memory.store(true, Ordering::Relaxed);
        }
        explained(&self.stop, wrap, error)
    }

    /// Copies all that this handle sees into another database, which no other connection has open. It asks now and then whether to
    /// stop; a writer's commit does not make it begin anew, because the read transaction goes on.
    pub(crate) fn back_up_to(&self, target: &mut Connection) -> Result<()> {
        use rusqlite::backup::{Backup, StepResult};
        const SQL: &str = "backup";
        // So few that even a slow disk has read them soon: writers may be waiting.
        const PAGES: i32 = 64;
        let failed = |error| self.explain(Error::sqlite(SQL), error);
        let backup = Backup::new(&self.conn, target).map_err(failed)?;
        loop {
            self.stop.check()?;
            match backup.step(PAGES).map_err(failed)? {
                StepResult::Done => return Ok(()),
                StepResult::More => {}
                // No other connection locks either of them; if one did, the stop would end this loop.
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// An error of SQLite as `wrap` wraps it; where it was interrupted, or gave up waiting for a lock, because of the stop, the reason
/// for that.
fn explained(stop: &Stop, wrap: impl FnOnce(rusqlite::Error) -> Error, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, OperationInterrupted};
    match stop.reason() {
        Some(why) if matches!(error.sqlite_error_code(), Some(OperationInterrupted | DatabaseBusy)) => why.into(),
        _ => wrap(error),
    }
}

/// The URI of a path: every byte that could mean anything in a URI is written `%41`
/// ("Uniform Resource Identifiers", <https://www.sqlite.org/uri.html>).
pub(super) fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => out.push(char::from(*byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    out + query
}

#[cfg(test)]
mod tests;
