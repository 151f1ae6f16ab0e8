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
    /// The store was changed by another process during each attempt to read it.
    #[error("the store was being changed by another process during each of {0} attempts to read it")]
    Moving(u32),
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
    /// The time limit, or Ctrl-C.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The time limit, or Ctrl-C, and what was running did not end all the same.
    #[error("{0}, and what was running could not be interrupted")]
    Stuck(Stopped),
    /// The doctor itself failed.
    #[error("a mistake in the doctor, please report it: {0}")]
    Mistake(String),
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
            Self::Stopped(why) | Self::Stuck(why) => Some(*why),
            Self::Copy { source, .. } | Self::Migration { source, .. } | Self::Rehearsal(source) => source.stopped(),
            _ => None,
        }
    }

    /// Whether SQLite found the file itself to be damaged or not a database.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self.sqlite_code(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// Whether SQLite hit its bound on memory, which is the process's: beside others an innocent store may hit it.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.sqlite_code() == Some(rusqlite::ErrorCode::OutOfMemory)
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
