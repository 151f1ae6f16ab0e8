//! "Could not look": why a store, or a part of it, could not be examined. Never a finding.

pub(crate) mod internal_error;
pub(crate) mod opaque;
mod sqlite_words;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use sqlite_words::{NO_TOKENIZER, sqlite_words, without_values};

use crate::limits::stop::Stopped;
use crate::text::words::cut;

/// The longest statement that an error keeps, in characters: names in it may be a store's.
const LONGEST_SQL: usize = 400;

/// The reason for which the doctor could not look.
///
/// `Display` says what was tried and why it failed; it does not name the store, which the caller knows and names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", crate::text::paths::display_path(path))]
    Io {
        /// The attempt, as a verb.
        doing: &'static str,
        /// Its object.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// SQLite refused a statement; the SQL is kept.
    #[error("SQLite says: {} (while running: {sql})", sqlite_words(source))]
    Sqlite {
        /// The statement, or a word in its place (`open`).
        sql: String,
        /// True when SQLite had only read the statement and the schema, and no row yet.
        while_preparing: bool,
        /// SQLite's error, without any cell's value.
        source: rusqlite::Error,
    },
    /// There is no store at the path: missing, a folder, text, too short, …
    #[error("{0}")]
    NotAStore(String),
    /// The ledger's table is there, but it is not the application's ledger; in words.
    #[error("{0}")]
    Ledger(String),
    /// The schema says something else than SQLite reads, or the ledger's pages are not its own; in words.
    #[error("the schema cannot be relied on: {0}")]
    Schema(String),
    /// The store has tables, and none of them is the application's; in words.
    #[error("{0}")]
    ForeignStore(String),
    /// Nothing is known of the application, so there is nothing to hold its ledger against.
    #[error("it is not known which migrations the application has")]
    NothingKnown,
    /// A journal lies beside the store that hides or has lost commits, so that SQLite would show something else than was
    /// committed.
    #[error("{0}")]
    Journal(String),
    /// Another process holds the write lock of a store in rollback mode and keeps its journal elsewhere, so that it is
    /// unknown which content of the file is committed.
    #[error(
        "another process holds the store's write lock, and no journal with a header lies beside it: it has written nothing yet, as after BEGIN EXCLUSIVE, or what it has written may never be committed"
    )]
    WriteLocked,
    /// A program has the store open and works with other files than those that lie here; in words.
    #[error("{0}")]
    InUse(String),
    /// This process has a file of the store open itself.
    #[error(
        "this process has {} open, and reading the store here would drop its locks on it: close it first, or examine the store from another process",
        crate::text::paths::display_path(.0)
    )]
    OpenHere(PathBuf),
    /// The store was changed by another process during each attempt to read it.
    #[error("another process changed the store during each of {0} attempts to read it")]
    Moving(u32),
    /// There is no folder for private copies, for this reason.
    #[error("{0}")]
    NoFolder(String),
    /// A private copy is needed and cannot be made.
    #[error("a private copy of the store is needed ({why}) and could not be made: {source}")]
    Copy {
        /// The reason for which a copy is needed.
        why: &'static str,
        /// The error.
        source: Box<Error>,
    },
    /// The pending migrations could not be rehearsed, for another reason than the migrations themselves.
    #[error("the pending migrations could not be rehearsed: {0}")]
    Rehearsal(Box<Error>),
    /// A private copy was written to until it was as large as it may become.
    #[error("the migrations write more than fits into the {} KiB that a copy of this store may take", crate::text::words::thousands(bytes >> 10))]
    Outgrown {
        /// The size that it may reach.
        bytes: u64,
    },
    /// The time limit, or Ctrl-C.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The time limit, or Ctrl-C, after which a running statement did not end.
    #[error("{0}, and what was running could not be interrupted")]
    Stuck(Stopped),
    /// An internal error: a fault in the doctor itself.
    #[error("a mistake in the doctor, please report it: {0}")]
    Internal(String),
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
        /// SQLite's error.
        source: Box<Error>,
    },
    /// A migration of another tool failed.
    ///
    /// Its file stands for what it runs: the text may hold confidential values.
    #[error("migration {migration} failed{}: {}{stays}", in_file(file), source.to_string_without_sql())]
    Step {
        /// Its name for users.
        migration: String,
        /// Its file; empty where it has none.
        file: String,
        /// The fate of what was done before it, when that is unexpected; begins with a semicolon.
        stays: &'static str,
        /// SQLite's error, or the fault of its transaction.
        source: Box<Error>,
    },
    /// A migration leaves a transaction open.
    #[error("it begins a transaction and does not end it")]
    LeftOpen,
    /// SQLite runs a migration, and the driver of the migrating tool does not, in words.
    #[error("{0}")]
    RefusedByDriver(String),
    /// A migration cannot be tried without its application, or must not be: this says nothing about the store.
    #[error("migration {migration} cannot be run here{}: {why}", in_file(file))]
    NotReplayable {
        /// Its name for users.
        migration: String,
        /// Its file; empty where it has none.
        file: String,
        /// The reason.
        why: String,
    },
}

/// Returns the place of a migration in words that follow its name.
fn in_file(file: &str) -> String {
    if file.is_empty() {
        String::new()
    } else {
        format!(" ({file})")
    }
}

impl Error {
    /// Wraps the system's error about `path` while it was asked to `doing`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// Wraps SQLite's error while it ran `sql`.
    pub(crate) fn sqlite(sql: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        Self::of_sqlite(sql, false)
    }

    /// Wraps SQLite's error while it only prepared `sql`: it had read the schema, and no row.
    pub(crate) fn preparing(sql: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        Self::of_sqlite(sql, true)
    }

    /// Returns the error that there is no memory for the rows of a statement.
    pub(crate) fn out_of_memory(sql: &str) -> Self {
        Self::sqlite(sql)(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOMEM), None))
    }

    fn of_sqlite(sql: &str, preparing: bool) -> impl FnOnce(rusqlite::Error) -> Self {
        let sql = cut(sql, LONGEST_SQL);
        move |error| {
            // rusqlite gives the position of an error in the statement's text, which is only known while it is prepared.
            let while_preparing = preparing || matches!(error, rusqlite::Error::SqlInputError { .. });
            Self::Sqlite {
                sql,
                while_preparing,
                source: without_values(error, while_preparing),
            }
        }
    }

    /// Wraps SQLite's error when it opened this URI, without the URI that the driver appends: the caller names the store, and
    /// not by its whole path, which may name a user.
    pub(crate) fn opening(uri: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |error| {
            let error = match error {
                rusqlite::Error::SqliteFailure(code, Some(words)) => {
                    let words = words.strip_suffix(uri).map_or(words.as_str(), |words| words.trim_end_matches(": "));
                    rusqlite::Error::SqliteFailure(code, Some(words.to_owned()))
                }
                other => other,
            };
            Self::sqlite("open")(error)
        }
    }

    /// Returns the reason when this is the time limit or Ctrl-C.
    pub fn stopped(&self) -> Option<Stopped> {
        match self {
            Self::Stopped(why) | Self::Stuck(why) => Some(*why),
            Self::Copy { source, .. }
            | Self::Migration { source, .. }
            | Self::Step { source, .. }
            | Self::Rehearsal(source) => source.stopped(),
            _ => None,
        }
    }

    /// Returns true when the file itself was found to be damaged or not a database.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self, Self::Schema(_)) || matches!(self.sqlite_code(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// Returns true when the process's bound on memory was hit, or the machine's: this says nothing about the store, and another
    /// store that is examined at the same time may be the reason.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::OutOfMemory,
            Self::Copy { source, .. }
            | Self::Migration { source, .. }
            | Self::Step { source, .. }
            | Self::Rehearsal(source) => source.is_out_of_memory(),
            _ => self.sqlite_code() == Some(rusqlite::ErrorCode::OutOfMemory),
        }
    }

    /// Returns true when a limit of the doctor's own ended the work (time, Ctrl-C, memory, the length of a value), which says
    /// nothing about the store.
    pub fn is_own_bound(&self) -> bool {
        self.stopped().is_some() || self.is_out_of_memory() || self.sqlite_code() == Some(rusqlite::ErrorCode::TooBig)
    }

    /// Returns true when the system refused a read or another request of SQLite's, which says nothing about the store's content.
    pub(crate) fn is_io(&self) -> bool {
        self.sqlite_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
    }

    /// Returns true when SQLite had only read the statement and the schema, and no row yet.
    pub(crate) fn is_while_preparing(&self) -> bool {
        matches!(self, Self::Sqlite { while_preparing, .. } if *while_preparing)
    }

    /// Returns true when SQLite, or a module of it, refused without finding damage: something that the schema names is not
    /// there, may not be used, or fails.
    pub(crate) fn is_refusal(&self) -> bool {
        use rusqlite::ErrorCode::{AuthorizationForStatementDenied, Unknown};
        matches!(self.sqlite_code(), Some(AuthorizationForStatementDenied | Unknown))
    }

    /// Returns true when the module of a virtual table found the tables damaged in which it keeps its content.
    pub(crate) fn is_of_virtual_table(&self) -> bool {
        let code = match self {
            Self::Sqlite { source, .. } => source.sqlite_extended_error_code(),
            _ => None,
        };
        code == Some(ffi::SQLITE_CORRUPT_VTAB)
    }

    /// Returns the object of the schema that SQLite refuses, and why, when that keeps it from opening the store.
    pub(crate) fn refused_object(&self) -> Option<(String, String)> {
        let said = match self {
            Self::Sqlite { source, .. } => sqlite_words(source),
            _ => return None,
        };
        let rest = said.strip_prefix("malformed database schema (")?;
        let rest = rest.rsplit_once(" [").map_or(rest, |(rest, _)| rest);
        let (name, why) = rest.split_once(") - ").or_else(|| Some((rest.strip_suffix(')')?, "")))?;
        Some((name.to_owned(), why.to_owned()))
    }

    /// Returns true when a virtual table was refused because the tokenizer of its definition is missing: only its application
    /// has it.
    pub(crate) fn is_missing_tokenizer(&self) -> bool {
        let said = self.sqlite_message();
        self.is_refusal() && NO_TOKENIZER.iter().any(|begin| said.starts_with(begin))
    }

    /// Returns the collation for want of which a statement failed: only its application has it.
    pub(crate) fn missing_collation(&self) -> Option<String> {
        let said = self.sqlite_message();
        let (_, name) = said.split_once("no such collation sequence: ").filter(|_| self.is_refusal())?;
        Some(name.rsplit_once(" [").map_or(name, |(name, _)| name).to_owned())
    }

    /// Returns true when a statement failed for want of something that only the application brings (a function, a collation, a
    /// module, a tokenizer), or at what SQLite allows only where the store is trusted: to write to the tables in which a
    /// virtual table keeps its rows, or to take their names.
    pub(crate) fn needs_the_application(&self) -> bool {
        const WANTED: &[&str] = &[
            "no such function: ",
            "no such module: ",
            "no such collation sequence: ",
            // The shell has it, and many a build of SQLite.
            "no such table: generate_series",
            "unsafe use of ",
            " may not be modified",
            " may not be dropped",
            // The tables of a virtual table are reserved here, and not everywhere.
            "object name reserved for internal use: ",
        ];
        let said = self.sqlite_message();
        // Names of SQLite's own are reserved everywhere.
        let fails_everywhere = said.contains("object name reserved for internal use: sqlite_");
        self.is_refusal()
            && !fails_everywhere
            && (self.is_missing_tokenizer() || WANTED.iter().any(|words| said.contains(words)))
    }

    /// Returns true when a migration cannot be tried without its application, or must not be: this says nothing about the store.
    pub(crate) fn is_not_replayable(&self) -> bool {
        matches!(self, Self::NotReplayable { .. })
    }

    /// Returns SQLite's message without the statement; any other error in its own words.
    pub(crate) fn sqlite_message(&self) -> String {
        match self {
            Self::Sqlite { source, .. } => sqlite_words(source),
            error => error.to_string(),
        }
    }

    /// Returns the error with neither SQLite's message nor the statement: both may quote a file that lies outside of the folder.
    pub(crate) fn without_message(self) -> Self {
        const WORDS: &str = "SQLite's message is left out, because the file is a link out of the folder";
        match self {
            Self::Sqlite {
                while_preparing,
                source,
                ..
            } => {
                let code = source.sqlite_extended_error_code().unwrap_or(ffi::SQLITE_ERROR);
                Self::Sqlite {
                    sql: "a file outside of the folder".to_owned(),
                    while_preparing,
                    source: rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(WORDS.to_owned())),
                }
            }
            error => error,
        }
    }

    /// Returns the error as a sentence that does not quote the statement.
    fn to_string_without_sql(&self) -> String {
        match self {
            Self::Sqlite { source, .. } => format!("SQLite says: {}", sqlite_words(source)),
            error => error.to_string(),
        }
    }

    /// Returns SQLite's code, if the error is SQLite's.
    pub(crate) fn sqlite_code(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            Self::Copy { source, .. }
            | Self::Migration { source, .. }
            | Self::Step { source, .. }
            | Self::Rehearsal(source) => source.sqlite_code(),
            _ => None,
        }
    }
}

/// The result of reading something of a store.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests;
