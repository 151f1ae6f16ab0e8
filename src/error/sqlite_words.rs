//! SQLite's messages, without anything that may be a cell's value.

use rusqlite::ffi;

use crate::text::words::cut;

/// The longest message of SQLite that is kept, in characters.
const LONGEST_MESSAGE: usize = 600;

/// Returns SQLite's message, with its extended code where the message alone is vague ("disk I/O error").
pub(super) fn sqlite_words(error: &rusqlite::Error) -> String {
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

/// Returns the error without anything that may be a cell's value. This is the only place where SQLite's messages come in.
///
/// While SQLite prepares a statement it knows names and definitions alone, and its message can hold nothing else but a piece of
/// their text, which is left out where it is a string. Once it runs, a function that a definition calls on a row, or a virtual
/// table, may put a value of that row into the message (`bad JSON path: '10.77.0.2'`), and a trigger may raise any text. Then
/// the message is replaced by a description of the error code.
pub(super) fn without_values(error: rusqlite::Error, preparing: bool) -> rusqlite::Error {
    use rusqlite::Error::{InvalidColumnName, InvalidColumnType, QueryReturnedNoRows, SqlInputError, SqliteFailure};
    let (failure, message) = match error {
        SqliteFailure(failure, message) => (failure, message),
        SqlInputError { error, msg, .. } => (error, Some(msg)),
        // These name a column of our own statement.
        InvalidColumnName(_) | InvalidColumnType(..) | QueryReturnedNoRows => return error,
        _ => {
            let words = "a value has the wrong type";
            return SqliteFailure(ffi::Error::new(ffi::SQLITE_MISMATCH), Some(words.to_owned()));
        }
    };
    let code = failure.extended_code;
    let message = message.filter(|message| names_the_schema_alone(code, message, preparing));
    let cut = |message: String| cut(&without_strings(&message), LONGEST_MESSAGE);
    let words = message.map_or_else(|| words_of_code(code).to_owned(), cut);
    SqliteFailure(failure, Some(words))
}

/// Returns true when a message of SQLite's with this code holds names and definitions, and never a value.
fn names_the_schema_alone(code: i32, message: &str, preparing: bool) -> bool {
    /// Messages of ALTER TABLE while it runs: each a text of SQLite's own.
    const OF_ALTER: &[&str] = &[
        "CHECK constraint failed",
        "NOT NULL constraint failed",
        "type mismatch on DEFAULT",
        "Cannot add a NOT NULL column with default value NULL",
        "Cannot add a REFERENCES column with non-NULL default value",
        "Cannot add a column with non-constant default",
        "cannot add a STORED column",
    ];
    /// Messages about transactions, and about statements that cannot run within one.
    const OF_TRANSACTIONS: &[&str] = &[
        "cannot start a transaction within a transaction",
        "cannot commit - no transaction is active",
        "cannot rollback - no transaction is active",
        "cannot VACUUM from within a transaction",
        "Safety level may not be changed inside a transaction",
    ];
    /// Messages about a value that do not quote it.
    const OF_VALUES: &[&str] = &[
        "malformed JSON",
        "too many levels of trigger recursion",
        "LIKE or GLOB pattern too complex",
    ];
    /// Beginnings of ALTER TABLE's messages about another definition that no longer makes sense. No function's message begins so.
    const OF_ANOTHER: &[&str] = &[
        "error in table ",
        "error in index ",
        "error in view ",
        "error in trigger ",
    ];
    // A RESTRICT of a foreign key has the code of a trigger's RAISE.
    if message == "FOREIGN KEY constraint failed" {
        return true;
    }
    match code {
        // The path of the file, which rusqlite adds, is named by the caller, which knows how it may be shown; and
        // the bound on memory is the doctor's.
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
        ffi::SQLITE_ERROR => {
            let begins = |begin: &&str| message.starts_with(*begin);
            OF_ALTER.contains(&message)
                || OF_TRANSACTIONS.contains(&message)
                || OF_VALUES.contains(&message)
                || OF_ANOTHER.iter().chain(NO_TOKENIZER).any(begins)
        }
        _ => false,
    }
}

/// Returns a message without the piece of SQL at which SQLite could not go on, unless that is a word or a sign: `near
/// "'secret'": syntax error` and `unrecognized token: "'secret"` repeat a string as it is written in a migration or a
/// definition.
fn without_strings(message: &str) -> String {
    for (begin, end) in [("near \"", "\": syntax error"), ("unrecognized token: \"", "\"")] {
        let found = message
            .split_once(begin)
            .and_then(|(before, rest)| Some((before, rest.rsplit_once(end)?)));
        let Some((before, (piece, after))) = found else {
            continue;
        };
        let is_word =
            !piece.starts_with(|c: char| c.is_ascii_digit()) && piece.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_sign = piece.chars().count() == 1;
        if !is_word && !is_sign {
            return format!("{before}{begin}…{end}{after}");
        }
    }
    message.to_owned()
}

/// Beginnings of full-text search's messages about a missing tokenizer; a name in the table's definition follows.
pub(super) const NO_TOKENIZER: &[&str] = &["no such tokenizer: ", "unknown tokenizer: "];

/// Returns the meaning of a code of SQLite's, for when its message is not repeated.
fn words_of_code(code: i32) -> &'static str {
    match code {
        ffi::SQLITE_CONSTRAINT_TRIGGER => return "a trigger of the store refuses it",
        ffi::SQLITE_CORRUPT_VTAB => return "the content of a virtual table is malformed",
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_ERROR => "a function or a virtual table of the store fails",
        ffi::SQLITE_CONSTRAINT => "a constraint of the store refuses it",
        ffi::SQLITE_NOMEM => "out of memory: a value or the schema needs more memory than the doctor may use",
        ffi::SQLITE_TOOBIG => "a value or a statement is longer than the doctor can read",
        _ => ffi::code_to_str(code),
    }
}
