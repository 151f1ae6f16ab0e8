//! "Could not look": why a store, or a part of it, could not be examined. Never a finding.

use std::io;
use std::path::{Path, PathBuf};

use crate::stop::Stopped;

/// Why the doctor could not look.
///
/// `Display` says what was tried and why it failed; it does not name the store, which the caller knows and names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", crate::locate::shown(path))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused a statement; the SQL is kept.
    #[error("SQLite says: {} (while running: {sql})", sqlite_words(source))]
    Sqlite {
        /// The statement, or what stands in its place (`open`).
        sql: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// What lies at the path is not a store: missing, a folder, text, too short, …
    #[error("{0}")]
    NotAStore(String),
    /// The table `schema_migrations` is there, but it is not banger's ledger.
    #[error("schema_migrations is not banger's ledger: {0}")]
    Ledger(String),
    /// A journal lies beside the store that hides or has lost commits, so that what SQLite would show is not the truth.
    #[error("{0}")]
    Journal(String),
    /// This process has a file of the store open itself.
    #[error(
        "this process has {} open itself, and to read the store here would drop the locks that it holds on it: close it first, or ask from another process",
        crate::locate::shown(.0)
    )]
    OpenHere(PathBuf),
    /// The store was changed by another process during each attempt to read it.
    #[error("the store was being changed by another process during each of {0} attempts to read it")]
    Moving(u32),
    /// There is no folder for private copies, and why.
    #[error("{0}")]
    NoFolder(String),
    /// A private copy is needed and cannot be made.
    #[error("a private copy of the store is needed ({why}) and could not be made: {source}")]
    Copy {
        /// Why a copy is needed.
        why: &'static str,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The pending migrations could not be rehearsed, for another reason than the migrations themselves.
    #[error("the pending migrations could not be rehearsed: {0}")]
    Rehearsal(Box<Error>),
    /// A private copy was written to until it was as large as it may become.
    #[error("what they write does not fit into the {} KiB that a copy of this store may take", crate::words::thousands(bytes >> 10))]
    Outgrown {
        /// How large it may become.
        bytes: u64,
    },
    /// The time limit, or Ctrl-C.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Two known migrations carry the same id: a mistake in the program, found before anything is touched.
    #[error("migration id {id} is given twice: {first} and {second}")]
    DuplicateMigration {
        /// The id.
        id: i64,
        /// The name that has it first.
        first: String,
        /// The name that has it again.
        second: String,
    },
    /// A migration failed; everything that it did was rolled back.
    #[error("migration {id} ({name}) failed and was rolled back: {source}")]
    Migration {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
        /// What SQLite said.
        source: Box<Error>,
    },
}

impl Error {
    /// Wraps what the system said about `path` while it was asked to `doing`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// Wraps what SQLite said about `sql`.
    pub(crate) fn sqlite(sql: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        let sql = sql.to_owned();
        move |source| Self::Sqlite { sql, source }
    }

    /// Whether this is the time limit or Ctrl-C.
    pub fn stopped(&self) -> Option<Stopped> {
        match self {
            Self::Stopped(why) => Some(*why),
            Self::Copy { source, .. } | Self::Migration { source, .. } | Self::Rehearsal(source) => source.stopped(),
            _ => None,
        }
    }

    /// Whether SQLite found the file itself to be damaged or not a database.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self.sqlite_code(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// SQLite's code, where it was SQLite that refused.
    pub(crate) fn sqlite_code(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            Self::Copy { source, .. } | Self::Migration { source, .. } | Self::Rehearsal(source) => {
                source.sqlite_code()
            }
            _ => None,
        }
    }
}

/// SQLite's own message, with its extended code where the message alone is vague ("disk I/O error").
pub(crate) fn sqlite_words(error: &rusqlite::Error) -> String {
    let Some(code) = error.sqlite_extended_error_code() else {
        return error.to_string();
    };
    let words = match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    format!("{words} [{code}]")
}

/// The result of a look.
pub type Result<T, E = Error> = std::result::Result<T, E>;
