//! Private copies, which are the only databases that the doctor ever opens for writing, and the names by which SQLite opens
//! files.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::environment::Environment;
use crate::error::{Error, Result};
use crate::limits::stop::Stopped;
use crate::probe::Probe;
use crate::store::private::PrivateCopy;

/// Why a copy was needed, around what went wrong with it. What ended it from outside stands for itself.
pub(super) fn not_copied(why: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        error if matches!(error.stopped(), Some(Stopped::WritersWait(_))) => error,
        error => Error::Copy {
            why,
            source: error.into(),
        },
    }
}

/// Copies the files and lets SQLite roll the copy back.
pub(super) fn copy_and_recover(probe: &Probe, environment: &Environment<'_>) -> Result<PrivateCopy> {
    let copy = PrivateCopy::of_files(environment.private, probe, environment.stop)?;
    let conn = open_copy(&copy)?;
    let sql = "SELECT count(*) FROM sqlite_schema";
    let recovered = conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Error::sqlite(sql));
    match recovered {
        // What is damaged is the checks' to say; it was rolled back all the same.
        Err(error) if !error.is_damage() => Err(error),
        _ => Ok(copy),
    }
}

/// Opens a private copy in which there is nothing yet, to be filled as fast as it can be: nobody needs it after a crash.
pub(crate) fn empty_copy(copy: &PrivateCopy) -> Result<Connection> {
    const SQL: &str = "PRAGMA synchronous=OFF";
    let conn = open_copy(copy)?;
    conn.execute_batch(SQL).map_err(Error::sqlite(SQL))?;
    Ok(conn)
}

/// Opens a private copy for writing: the only connection for writing that the `doctor` binary ever makes.
fn open_copy(copy: &PrivateCopy) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = uri(copy.path(), "");
    #[expect(clippy::disallowed_methods, reason = "a private copy, which nobody else sees")]
    let opened = Connection::open_with_flags(&path, flags);
    opened.map_err(Error::opening(&path))
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
mod tests {
    use super::*;
    use crate::limits::stop::Stop;
    use crate::store::ReadOnly;

    #[test]
    fn a_uri_spells_out_every_byte_that_could_mean_something_in_it() {
        assert_eq!(
            uri(Path::new("/a b?mode=rwc#%41&'é/s.db"), "?mode=ro"),
            "file:///a%20b%3fmode%3drwc%23%2541%26%27%c3%a9/s.db?mode=ro"
        );
    }

    #[test]
    fn what_sqlite_could_not_open_it_does_not_name() {
        for path in ["/home/quentinuser/\u{f6}/state.db", "/nowhere/\u{f6}.db"] {
            let uri = uri(Path::new(path), "?mode=ro");
            let error = ReadOnly::open(&uri, false, None, &Stop::never()).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), "SQLite says: unable to open database file [14] (while running: open)");
        }
    }
}
