//! Errors as callers of the library see them: the cause may change, its kind and its words stay.

use std::fmt;

use super::Error as Cause;
use crate::limits::stop::Stopped;

/// The reason for which a store could not be read, or could not be opened by its daemon.
///
/// `Display` says what was tried and why it failed, without any value of the store; it does not name the store,
/// which the caller knows.
pub struct Error(Cause);

/// The kind of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no store at the path: missing, a folder, text, too short.
    NotAStore,
    /// The operating system refused.
    Io,
    /// SQLite found the file to be damaged.
    Damaged,
    /// SQLite refused for another reason.
    Sqlite,
    /// The store is another application's: its ledger, or all of its tables are.
    ForeignLedger,
    /// Nothing is known of the application, so the migration status of its store is unknown.
    NothingKnown,
    /// The `-wal` or `-journal` beside the store is damaged, or belongs to another store.
    Journal,
    /// Another process holds the store's write lock, and it is unknown which content of the file is committed.
    WriteLocked,
    /// A program has the store open and works with other files than those that lie here, such as a deleted `-wal`.
    InUse,
    /// This process has a file of the store open itself: to read the store would drop the locks that it holds on it.
    OpenHere,
    /// The store was changed by another process during each attempt to read it.
    Moving,
    /// A private copy is needed, and there is no place for it.
    NoCopy,
    /// There is not enough memory.
    OutOfMemory,
    /// The time limit ran out.
    TimeLimit,
    /// The caller's interrupt was set.
    Interrupted,
    /// A migration failed, or two have the same id.
    Migration,
    /// The pending migrations could not be tried, for a reason that is not theirs.
    Rehearsal,
    /// An internal error, a fault in this library: please report it.
    Mistake,
}

impl Error {
    /// Returns the kind of this error.
    pub fn kind(&self) -> ErrorKind {
        kind(&self.0)
    }
}

fn kind(cause: &Cause) -> ErrorKind {
    match cause.stopped() {
        Some(Stopped::TimeLimit(_)) => return ErrorKind::TimeLimit,
        Some(Stopped::Interrupted) => return ErrorKind::Interrupted,
        Some(Stopped::WritersWait(_)) => return ErrorKind::Moving,
        None => {}
    }
    match cause {
        Cause::NotAStore(_) => ErrorKind::NotAStore,
        Cause::Ledger(_) | Cause::ForeignStore(_) => ErrorKind::ForeignLedger,
        Cause::Schema(_) => ErrorKind::Damaged,
        Cause::NothingKnown => ErrorKind::NothingKnown,
        Cause::Journal(_) => ErrorKind::Journal,
        Cause::WriteLocked => ErrorKind::WriteLocked,
        Cause::InUse(_) => ErrorKind::InUse,
        Cause::OpenHere(_) => ErrorKind::OpenHere,
        Cause::Moving(_) => ErrorKind::Moving,
        Cause::Internal(_) => ErrorKind::Mistake,
        Cause::DuplicateMigration { .. }
        | Cause::Migration { .. }
        | Cause::Step { .. }
        | Cause::LeftOpen
        | Cause::RefusedByDriver(_) => ErrorKind::Migration,
        error if error.is_out_of_memory() => ErrorKind::OutOfMemory,
        Cause::Copy { .. } | Cause::NoFolder(_) => ErrorKind::NoCopy,
        Cause::Rehearsal(_) | Cause::Outgrown { .. } | Cause::NotReplayable { .. } => ErrorKind::Rehearsal,
        error if error.is_damage() => ErrorKind::Damaged,
        Cause::Sqlite { .. } => ErrorKind::Sqlite,
        // A time limit or an interrupt was handled above.
        Cause::Io { .. } | Cause::Stopped(_) | Cause::Stuck(_) => ErrorKind::Io,
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(cause)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.kind()).field(&self.0.to_string()).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn each_cause_has_its_kind_also_within_another() {
        let sqlite = |code: i32| Cause::sqlite("SELECT 1")(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let limit = || Cause::Stopped(Stopped::TimeLimit(Duration::ZERO));
        let copy = |source: Cause| Cause::Copy {
            why: "",
            source: source.into(),
        };
        for (cause, wanted) in [
            (Cause::NotAStore(String::new()), ErrorKind::NotAStore),
            (Cause::io("read", Path::new("x"))(io::ErrorKind::NotFound.into()), ErrorKind::Io),
            (sqlite(ffi::SQLITE_CORRUPT), ErrorKind::Damaged),
            (sqlite(ffi::SQLITE_BUSY), ErrorKind::Sqlite),
            (sqlite(ffi::SQLITE_NOMEM), ErrorKind::OutOfMemory),
            (Cause::Ledger(String::new()), ErrorKind::ForeignLedger),
            (Cause::OpenHere("x".into()), ErrorKind::OpenHere),
            (copy(Cause::NoFolder(String::new())), ErrorKind::NoCopy),
            (copy(limit()), ErrorKind::TimeLimit),
            (Cause::Stuck(Stopped::Interrupted), ErrorKind::Interrupted),
            (Cause::Rehearsal(sqlite(ffi::SQLITE_BUSY).into()), ErrorKind::Rehearsal),
            (Cause::Internal(String::new()), ErrorKind::Mistake),
        ] {
            let words = cause.to_string();
            let error = Error::from(cause);
            assert_eq!((error.kind(), error.to_string()), (wanted, words));
        }
    }
}
