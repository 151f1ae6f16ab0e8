//! No message of SQLite's tells a cell's value.

use super::*;

fn said(code: i32, message: &str, wrap: impl Fn(rusqlite::Error) -> Error) -> String {
    wrap(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned()))).to_string()
}

#[test]
fn a_message_that_may_hold_a_value_is_not_repeated() {
    for (code, message, expected) in [
        (1, "bad JSON path: 'secret'", "a function or a virtual table of the store fails [1]"),
        (1, "no such column: secret", "a function or a virtual table of the store fails [1]"),
        (1, "malformed JSON", "malformed JSON [1]"),
        (1, "too many levels of trigger recursion", "too many levels of trigger recursion [1]"),
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
fn a_string_at_which_sqlite_could_not_go_on_is_not_repeated() {
    for (message, expected) in [
        ("near \"'secret'\": syntax error", "near \"…\": syntax error"),
        ("near \"'se\"cret'\": syntax error", "near \"…\": syntax error"),
        ("near \"4711\": syntax error", "near \"…\": syntax error"),
        ("near \"SELEC\": syntax error", "near \"SELEC\": syntax error"),
        ("unrecognized token: \"'secret);\"", "unrecognized token: \"…\""),
        ("unrecognized token: \"#\"", "unrecognized token: \"#\""),
    ] {
        let said = said(1, message, |error| Error::preparing("SELECT")(error));
        assert_eq!(said, format!("SQLite says: {expected} [1] (while running: SELECT)"));
    }
}

#[test]
fn long_names_are_cut() {
    let name = "n".repeat(400_000);
    let sql = format!("SELECT {name}");
    let source = rusqlite::Error::SqliteFailure(ffi::Error::new(1), Some(format!("no such column: {name}")));
    assert!(Error::preparing(&sql)(source).to_string().len() < 1_100);
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
