//! "Could not look": why a store, or a part of it, could not be examined. Never a finding.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use crate::stop::Stopped;
use crate::words::cut;

/// The longest statement that an error keeps, in characters: names in it may be a store's.
const LONGEST_SQL: usize = 400;

/// The longest message of SQLite that is kept, in characters.
const LONGEST_MESSAGE: usize = 600;

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
        /// Whether SQLite had only read the statement and the schema, and no row yet.
        while_preparing: bool,
        /// What SQLite said, without any cell's value.
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
    /// Another process holds the write lock of a store in rollback mode and keeps its journal elsewhere, so that nobody can
    /// tell what of the file was committed.
    #[error(
        "another process holds the store's write lock, and no journal lies on disk: what it has written may never be committed"
    )]
    WriteLocked,
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

    /// Wraps what SQLite said while it ran `sql`.
    pub(crate) fn sqlite(sql: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        Self::of_sqlite(sql, false)
    }

    /// Wraps what SQLite said while it only prepared `sql`: it had read the schema, and no row.
    pub(crate) fn preparing(sql: &str) -> impl FnOnce(rusqlite::Error) -> Self {
        Self::of_sqlite(sql, true)
    }

    /// That there is no memory for what a statement gives.
    pub(crate) fn out_of_memory(sql: &str) -> Self {
        Self::sqlite(sql)(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOMEM), None))
    }

    fn of_sqlite(sql: &str, preparing: bool) -> impl FnOnce(rusqlite::Error) -> Self {
        let sql = cut(sql, LONGEST_SQL);
        move |error| {
            // rusqlite tells where in the text of a statement an error is, which is only known while it is prepared.
            let while_preparing = preparing || matches!(error, rusqlite::Error::SqlInputError { .. });
            Self::Sqlite {
                sql,
                while_preparing,
                source: without_values(error, while_preparing),
            }
        }
    }

    /// Wraps what SQLite said when it opened what this URI names, without the URI that the driver appends: the caller names
    /// the store, and not by its whole path.
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

    /// Whether the process's bound on memory was hit, or the machine's: this says nothing about the store, and another
    /// store that is examined at the same time may be the reason.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::OutOfMemory,
            Self::Copy { source, .. } | Self::Migration { source, .. } | Self::Rehearsal(source) => {
                source.is_out_of_memory()
            }
            _ => self.sqlite_code() == Some(rusqlite::ErrorCode::OutOfMemory),
        }
    }

    /// Whether a bound of the doctor's own ended the look (time, Ctrl-C, memory, the length of a value), which says nothing
    /// about the store.
    pub fn is_own_bound(&self) -> bool {
        self.stopped().is_some() || self.is_out_of_memory() || self.sqlite_code() == Some(rusqlite::ErrorCode::TooBig)
    }

    /// Whether the system did not give what SQLite asked it for, which says nothing about what the store holds.
    pub(crate) fn is_io(&self) -> bool {
        self.sqlite_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
    }

    /// What a line of SQLite's integrity check says of a page that could not be read, where that lies in the disk or the memory
    /// and not in the page: the check goes on after it.
    pub(crate) fn of_unread_page(line: &str) -> Option<Self> {
        let (_, code) = line.split_once("unable to get the page. error code=")?;
        let code = code.parse().ok()?;
        let wrap = Self::sqlite("PRAGMA integrity_check");
        matches!(code & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_NOMEM)
            .then(|| wrap(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
    }

    /// Whether SQLite had only read the statement and the schema, and no row yet.
    pub(crate) fn is_while_preparing(&self) -> bool {
        matches!(self, Self::Sqlite { while_preparing, .. } if *while_preparing)
    }

    /// Whether SQLite, or a module of it, refused without finding damage: something that the schema names is not there, may
    /// not be used, or fails.
    pub(crate) fn is_refusal(&self) -> bool {
        use rusqlite::ErrorCode::{AuthorizationForStatementDenied, Unknown};
        matches!(self.sqlite_code(), Some(AuthorizationForStatementDenied | Unknown))
    }

    /// What SQLite said, without the statement; any other error in its own words.
    pub(crate) fn said_by_sqlite(&self) -> String {
        match self {
            Self::Sqlite { source, .. } => sqlite_words(source),
            error => error.to_string(),
        }
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

/// SQLite's message, with its extended code where the message alone is vague ("disk I/O error").
pub(crate) fn sqlite_words(error: &rusqlite::Error) -> String {
    let Some(code) = error.sqlite_extended_error_code() else {
        return error.to_string();
    };
    let words = match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        other => other.to_string(),
    };
    if code == ffi::SQLITE_CONSTRAINT_TRIGGER {
        // Its words say all that the code says.
        return words;
    }
    format!("{words} [{code}]")
}

/// The same error without what may be a cell's value. This is the only place where SQLite's messages come in.
///
/// While SQLite prepares a statement it knows names and definitions alone, and its message can hold nothing else. Once it
/// runs, a function that a definition calls on a row, or a virtual table, may put a value of that row into the message
/// (`bad JSON path: '10.77.0.2'`), and a trigger may raise any: then the code speaks, in words of our own.
fn without_values(error: rusqlite::Error, preparing: bool) -> rusqlite::Error {
    use rusqlite::Error::{InvalidColumnName, InvalidColumnType, QueryReturnedNoRows, SqlInputError, SqliteFailure};
    let (failure, message) = match error {
        SqliteFailure(failure, message) => (failure, message),
        SqlInputError { error, msg, .. } => (error, Some(msg)),
        // These name a column of our own statement.
        InvalidColumnName(_) | InvalidColumnType(..) | QueryReturnedNoRows => return error,
        _ => {
            let words = "a value is not of the kind that belongs there";
            return SqliteFailure(ffi::Error::new(ffi::SQLITE_MISMATCH), Some(words.to_owned()));
        }
    };
    let code = failure.extended_code;
    let message = message.filter(|message| names_the_schema_alone(code, message, preparing));
    let words = message.map_or_else(|| words_of_code(code).to_owned(), |message| cut(&message, LONGEST_MESSAGE));
    SqliteFailure(failure, Some(words))
}

/// Whether a message of SQLite's with this code holds names and definitions, and never a value.
fn names_the_schema_alone(code: i32, message: &str, preparing: bool) -> bool {
    /// What ALTER TABLE says while it runs: each a text of SQLite's own.
    const OF_ALTER: &[&str] = &[
        "CHECK constraint failed",
        "NOT NULL constraint failed",
        "type mismatch on DEFAULT",
        "Cannot add a NOT NULL column with default value NULL",
        "Cannot add a REFERENCES column with non-NULL default value",
        "Cannot add a column with non-constant default",
        "cannot add a STORED column",
    ];
    /// What ALTER TABLE says of another definition that no longer makes sense. No function begins a message so.
    const OF_ANOTHER: &[&str] = &[
        "error in table ",
        "error in index ",
        "error in view ",
        "error in trigger ",
    ];
    match code {
        // The path of the file, which rusqlite adds, is named by whoever knows how it may be shown; and memory is ours.
        ffi::SQLITE_NOMEM => false,
        code if code & 0xff == ffi::SQLITE_CANTOPEN => false,
        _ if preparing => true,
        ffi::SQLITE_CONSTRAINT_CHECK
        | ffi::SQLITE_CONSTRAINT_DATATYPE
        | ffi::SQLITE_CONSTRAINT_FOREIGNKEY
        | ffi::SQLITE_CONSTRAINT_NOTNULL
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID
        | ffi::SQLITE_CONSTRAINT_UNIQUE => true,
        ffi::SQLITE_ERROR => OF_ALTER.contains(&message) || OF_ANOTHER.iter().any(|begin| message.starts_with(begin)),
        _ => false,
    }
}

/// What a code of SQLite's says, where its message is not repeated.
fn words_of_code(code: i32) -> &'static str {
    match code {
        ffi::SQLITE_CONSTRAINT_TRIGGER => return "a trigger of the store refuses it",
        ffi::SQLITE_CORRUPT_VTAB => return "the content of a virtual table is malformed",
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_ERROR => "a function or a virtual table of the store fails",
        ffi::SQLITE_CONSTRAINT => "a constraint of the store refuses it",
        ffi::SQLITE_NOMEM => "out of memory: a value or the schema is larger than the doctor has memory for",
        ffi::SQLITE_TOOBIG => "a value or a statement is longer than the doctor reads",
        _ => ffi::code_to_str(code),
    }
}

/// The result of a look.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, message: &str, wrap: impl Fn(rusqlite::Error) -> Error) -> String {
        wrap(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned()))).to_string()
    }

    #[test]
    fn a_message_that_may_hold_a_value_is_not_repeated() {
        for (code, message, expected) in [
            (1, "bad JSON path: 'secret'", "a function or a virtual table of the store fails [1]"),
            (1, "no such column: secret", "a function or a virtual table of the store fails [1]"),
            (1811, "secret", "a trigger of the store refuses it"),
            (1043, "secret", "a constraint of the store refuses it [1043]"),
            (19, "secret", "a constraint of the store refuses it [19]"),
            (267, "fts5: secret", "the content of a virtual table is malformed [267]"),
            (11, "secret", "database disk image is malformed [11]"),
            (
                14,
                "unable to open database file: file:///home/secret",
                "unable to open database file [14]",
            ),
        ] {
            assert_eq!(
                said(code, message, |error| Error::sqlite("SELECT")(error)),
                format!("SQLite says: {expected} (while running: SELECT)")
            );
        }
        let debug = format!("{:?}", Error::sqlite("")(rusqlite::Error::IntegralValueOutOfRange(0, 4_711)));
        assert!(!debug.contains("4711"), "{debug}");
    }

    #[test]
    fn a_message_that_names_the_schema_alone_is_repeated() {
        for (code, message) in [
            (2067, "UNIQUE constraint failed: vms.name"),
            (275, "CHECK constraint failed: a > 5"),
            (1, "error in index i after drop column: no such column: docker"),
            (1, "Cannot add a NOT NULL column with default value NULL"),
        ] {
            let said = said(code, message, |error| Error::sqlite("SELECT")(error));
            assert_eq!(said, format!("SQLite says: {message} [{code}] (while running: SELECT)"));
        }
        for (code, message) in [
            (1, "no such column: rowid"),
            (11, "malformed database schema (z) - near \"(\": syntax error"),
            (23, "not authorized"),
        ] {
            let said = said(code, message, |error| Error::preparing("SELECT")(error));
            assert_eq!(said, format!("SQLite says: {message} [{code}] (while running: SELECT)"));
        }
        // Nor is the path repeated where a file could not be opened for a statement.
        assert!(!said(14, "secret", |error| Error::preparing("SELECT")(error)).contains("secret"));
    }

    #[test]
    fn long_names_are_cut() {
        let name = "n".repeat(400_000);
        let sql = format!("SELECT {name}");
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(1), Some(format!("no such column: {name}")));
        assert!(Error::preparing(&sql)(source).to_string().len() < 1_100);
    }

    #[test]
    fn a_page_that_could_not_be_read_is_told_from_one_that_is_damaged() {
        let of = |code| Error::of_unread_page(&format!("Tree 5 page 7: unable to get the page. error code={code}"));
        assert!(of(8458).unwrap().is_io() && of(7).unwrap().is_out_of_memory());
        assert!(of(11).is_none() && Error::of_unread_page("wrong # of entries in index x").is_none());
    }

    #[test]
    fn memory_is_told_from_everything_else_through_every_wrapper() {
        let failed = |code| Error::sqlite("")(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let copy = Error::Copy {
            why: "to look",
            source: failed(ffi::SQLITE_NOMEM).into(),
        };
        assert!(Error::Rehearsal(copy.into()).is_out_of_memory());
        assert!(Error::io("read", Path::new("x"))(io::ErrorKind::OutOfMemory.into()).is_out_of_memory());
        assert!(!failed(ffi::SQLITE_TOOBIG).is_out_of_memory() && failed(ffi::SQLITE_TOOBIG).is_own_bound());
        assert!(!failed(ffi::SQLITE_CORRUPT).is_own_bound() && failed(ffi::SQLITE_CORRUPT).is_damage());
    }
}
