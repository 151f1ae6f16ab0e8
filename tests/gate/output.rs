//! What the gate prints, and with which code it ends, whatever the arguments, the store and the output are.

use std::fs::File;
use std::io;

use insta::assert_snapshot;
use rusqlite::Connection;

use super::{ONLY_TWO, ask, assert_one_plain_line, gate, store_with};
use crate::support::Place;
use crate::support::stores::apply;

#[test]
fn no_control_character_is_printed_whatever_the_store_holds() {
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}";
    let place = store_with("");
    let conn = Connection::open(place.store()).unwrap();
    conn.execute("INSERT INTO schema_migrations VALUES (7, ?1, ?1)", [hostile]).unwrap();
    drop(conn);
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"incompatible","applied":[1,2,3,7],"known_max":3,"pending":[],"unknown":[7]}
    incompatible: unknown [7] (this binary is older than the store; do not swap)
    --- exit 2 ---
    "#);

    // SQLite's own message names the object whose SQL is broken.
    let place = store_with("");
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE t(x); PRAGMA writable_schema = ON").unwrap();
    conn.execute("UPDATE sqlite_schema SET name = ?1, sql = ?1 WHERE name = 't'", [hostile])
        .unwrap();
    drop(conn);
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: SQLite says: malformed database schema (\\u{1b}[2J\\u{1b}]0;owned\\u{7}\\r\\n\\u{9b}31m\\u{202e}) [11] (while running: open)"}
    cannot tell: [PLACE]/store/state.db: SQLite says: malformed database schema (\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}) [11] (while running: open)
    --- exit 3 ---
    "#);
}

#[test]
fn a_path_with_control_characters_is_printed_in_one_plain_line() {
    let place = Place::new();
    let ran = place.doctor().arg("--check-migrations").arg("no\nsuch\x1b[2Jfile\u{202e}").run();
    assert_one_plain_line(&ran);
    assert_snapshot!(ran.text(), @r"
    cannot tell: no\nsuch\u{1b}[2Jfile\u{202e}: there is no such file
    --- exit 3 ---
    ");
}

#[test]
fn bad_usage_is_never_an_answer() {
    let place = store_with("");
    let store = place.store();
    let store = store.to_str().unwrap();
    for arguments in [
        &["--check-migrations", store, store][..],
        &["--check-migrations", "--help"],
        &["--check-migrations", "-h"],
        &["--check-migrations", "--version"],
        &["--check-migrations", "--no-such-flag", store],
        &["--check-migrations", "--only", "file", store],
        &["--check-migrations", "--list-checks"],
        &["--check-migrations", "--explain", "file"],
        &["--check-migrations", "--generate", "man"],
        &["--check-migrations", "--format", "xml", store],
        &["--check-migrations", "--time-limit", "0", store],
        &["--check-migrations", "--time-limit", "NaN", store],
        &["--check-migrations", "--system", store],
        &["--check-migrations", "--check-migrations", store],
        &["--check-migrations=yes", store],
        &["--no-such-flag", store],
        &["--only", "no-such-check", store],
        &["--only", "file", "--skip", "file", store],
        &["--time-limit", "-1", store],
        &["--format"],
    ] {
        let ran = place.doctor().args(arguments).run();
        assert_eq!(ran.code, Some(64), "{arguments:?}: {ran:?}");
    }
    for arguments in [["--help"], ["--version"], ["--list-checks"]] {
        let ran = place.doctor().args(arguments).run();
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
    }
}

#[test]
fn bad_usage_is_explained_on_standard_error() {
    let ran = Place::new().doctor().args(["--check-migrations", "a.db", "b.db"]).run();
    assert_snapshot!(ran.text(), @"
    --- stderr ---
    error: --check-migrations takes one store

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    ");
    let ran = Place::new().doctor().args(["--only", "no-such-check"]).run();
    assert_snapshot!(ran.text(), @"
    --- stderr ---
    error: invalid value 'no-such-check' for '--only <CHECK>'
      [possible values: file, journal, in-use, read-only, page-structure, schema-state, unknown-ids, migration-history, schema-shape, migration-rehearsal, foreign-keys, row-values, artifacts]

    For more information, try '--help'.
    --- exit 64 ---
    ");
}

/// Stores for each answer of the gate, and for the doctor's two.
fn each_answer() -> Vec<(Place, i32, i32)> {
    let missing = Place::new();
    let unknown = store_with("");
    apply(&Connection::open(unknown.store()).unwrap(), 99);
    vec![
        (store_with(""), 0, 0),
        (store_with(ONLY_TWO), 1, 0),
        (unknown, 2, 1),
        (missing, 3, 1),
    ]
}

#[test]
fn a_closed_pipe_ends_it_quietly_and_with_the_true_exit_code() {
    for (place, of_gate, of_doctor) in each_answer() {
        let closed = || {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            writer
        };
        let ran = gate(&place).stdout(closed()).run();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(of_gate), ""));
        let ran = place
            .doctor()
            .args(["--only", "file,schema-state"])
            .arg(place.store())
            .stdout(closed())
            .run();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(of_doctor), ""));
        // A store that failed is an answer about many; that the first did not fail is none.
        let of_many = if of_doctor == 0 { 141 } else { of_doctor };
        let many = vec![place.store(); 300];
        let ran = place.doctor().args(["--only", "file,schema-state"]).args(many).stdout(closed()).run();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(of_many), ""));
    }
}

#[test]
fn a_full_device_is_never_an_answer() {
    for (place, ..) in each_answer() {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(gate(&place).stdout(full()).run().code, Some(3));
        let ran = place.doctor().arg(place.store()).stdout(full()).run();
        assert_eq!(ran.code, Some(70), "{ran:?}");
        assert_eq!(ran.stderr, "doctor: cannot print the report: No space left on device (os error 28)\n");
    }
}
