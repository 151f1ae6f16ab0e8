//! The gate: exactly one line, and an exit code that the updater may believe.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the daemon and the vandal: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

mod support;

use std::fs::{self, File};
use std::io;

use insta::assert_snapshot;
use rusqlite::Connection;

use support::damage::{change, overwrite_page, root};
use support::stores::{Lies, apply, healthy};
use support::{Doctor, Place, Ran};

/// A healthy store after this SQL.
fn store_with(sql: &str) -> Place {
    let place = Place::new();
    healthy(&place.store());
    Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
    place
}

const ONLY_TWO: &str = "ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3;";

const ONLY_BASELINE: &str =
    "ALTER TABLE vms DROP COLUMN workspace_json; ALTER TABLE images ADD COLUMN docker INTEGER NOT NULL DEFAULT 0;
    DELETE FROM schema_migrations WHERE id IN (2, 3);";

fn gate(place: &Place) -> Doctor {
    place.doctor().arg("--check-migrations").arg(place.store())
}

/// What the gate says in both formats. It leaves no trace, and says nothing else.
fn ask(place: &Place) -> String {
    let before = place.footprint();
    let text = gate(place).run();
    let json = gate(place).args(["--format", "json"]).run();
    before.assert_same(&place.footprint(), "the gate");
    for ran in [&text, &json] {
        assert_one_plain_line(ran);
    }
    assert_eq!(text.code, json.code);
    format!("{}{}", json.shown_stdout(), text.text())
}

fn assert_one_plain_line(ran: &Ran) {
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.stdout.lines().count(), 1, "{:?}", ran.stdout);
    assert!(ran.stdout.ends_with('\n'));
    assert!(!ran.stdout.trim_end_matches('\n').chars().any(char::is_control), "{:?}", ran.stdout);
}

#[test]
fn a_store_with_all_migrations_is_compatible() {
    assert_snapshot!(ask(&store_with("")), @r#"
    {"format":1,"compatibility":"compatible","applied":[1,2,3],"known_max":3,"pending":[],"unknown":[]}
    compatible: all 3 migrations applied
    --- exit 0 ---
    "#);
}

#[test]
fn a_store_that_lacks_migrations_may_be_taken_over() {
    assert_snapshot!(ask(&store_with(ONLY_TWO)), @r#"
    {"format":1,"compatibility":"migrations-needed","applied":[1,2],"known_max":3,"pending":[3],"unknown":[]}
    migrations needed: pending [3] (binary will apply on first Open)
    --- exit 1 ---
    "#);
    assert_snapshot!(ask(&store_with(ONLY_BASELINE)), @r#"
    {"format":1,"compatibility":"migrations-needed","applied":[1],"known_max":3,"pending":[2,3],"unknown":[]}
    migrations needed: pending [2 3] (binary will apply on first Open)
    --- exit 1 ---
    "#);
}

#[test]
fn a_store_without_a_ledger_and_a_store_of_no_bytes_have_everything_pending() {
    let place = Place::new();
    Connection::open(place.store())
        .unwrap()
        .execute_batch("CREATE TABLE t(x); DROP TABLE t")
        .unwrap();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"migrations-needed","applied":[],"known_max":3,"pending":[1,2,3],"unknown":[]}
    migrations needed: pending [1 2 3] (binary will apply on first Open)
    --- exit 1 ---
    "#);
    let place = Place::new();
    fs::write(place.store(), "").unwrap();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"migrations-needed","applied":[],"known_max":3,"pending":[1,2,3],"unknown":[]}
    migrations needed: pending [1 2 3] (binary will apply on first Open)
    --- exit 1 ---
    "#);
}

#[test]
fn a_store_with_unknown_migrations_is_incompatible_whatever_else_is_pending() {
    let unknown = "INSERT INTO schema_migrations VALUES (99, 'from_the_future', '2026-04-28T18:41:31Z');";
    assert_snapshot!(ask(&store_with(unknown)), @r#"
    {"format":1,"compatibility":"incompatible","applied":[1,2,3,99],"known_max":3,"pending":[],"unknown":[99]}
    incompatible: unknown [99] (this binary is older than the store; do not swap)
    --- exit 2 ---
    "#);
    assert_snapshot!(ask(&store_with(&format!("{ONLY_TWO}{unknown}"))), @r#"
    {"format":1,"compatibility":"incompatible","applied":[1,2,99],"known_max":3,"pending":[3],"unknown":[99]}
    incompatible: unknown [99] (this binary is older than the store; do not swap)
    --- exit 2 ---
    "#);
    let extremes =
        "INSERT INTO schema_migrations VALUES (-1, 'x', 'x'), (0, 'x', 'x'), (9223372036854775807, 'x', 'x')";
    assert_snapshot!(ask(&store_with(extremes)), @r#"
    {"format":1,"compatibility":"incompatible","applied":[-1,0,1,2,3,9223372036854775807],"known_max":3,"pending":[],"unknown":[-1,0,9223372036854775807]}
    incompatible: unknown [-1 0 9223372036854775807] (this binary is older than the store; do not swap)
    --- exit 2 ---
    "#);
}

#[test]
fn very_many_unknown_migrations_are_cut_with_their_true_count() {
    let place = store_with(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
         INSERT INTO schema_migrations SELECT i, 'm', 'x' FROM n",
    );
    assert_snapshot!(gate(&place).run().text(), @"
    incompatible: unknown [100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 … and 199,881 more] (this binary is older than the store; do not swap)
    --- exit 2 ---
    ");
}

#[test]
fn migrations_in_the_wal_count_and_those_never_committed_do_not() {
    let place = Place::new();
    Lies::Crashed.make(&place.store());
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"incompatible","applied":[1,2,3,77],"known_max":3,"pending":[],"unknown":[77]}
    incompatible: unknown [77] (this binary is older than the store; do not swap)
    --- exit 2 ---
    "#);
    let place = Place::new();
    Lies::HotJournal.make(&place.store());
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"compatible","applied":[1,2,3],"known_max":3,"pending":[],"unknown":[]}
    compatible: all 3 migrations applied
    --- exit 0 ---
    "#);
}

#[test]
fn what_is_not_a_ledger_of_banger_gets_no_answer() {
    let other = |sql: &str| {
        let place = Place::new();
        Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
        ask(&place)
    };
    assert_snapshot!(other("CREATE TABLE schema_migrations(version varchar NOT NULL PRIMARY KEY)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: its columns are not id, name and applied_at"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: its columns are not id, name and applied_at
    --- exit 3 ---
    "#);
    // It would count for ever.
    assert_snapshot!(other("CREATE VIEW schema_migrations AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
        SELECT id, 'x' AS name, 'y' AS applied_at FROM n"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a view"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a view
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE VIRTUAL TABLE schema_migrations USING fts5(id, name, applied_at)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a virtual table"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: it is a virtual table
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE TABLE schema_migrations(id TEXT PRIMARY KEY, name TEXT, applied_at TEXT)"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: id is not its integer primary key"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: id is not its integer primary key
    --- exit 3 ---
    "#);
    assert_snapshot!(other("CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at AS (zeroblob(1e9)))"), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: schema_migrations is not banger's ledger: one of its columns is generated"}
    cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: one of its columns is generated
    --- exit 3 ---
    "#);
}

#[test]
fn what_cannot_be_read_gets_no_answer() {
    let place = Place::new();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: there is no such file"}
    cannot tell: [PLACE]/store/state.db: there is no such file
    --- exit 3 ---
    "#);
    fs::write(place.store(), "this is not a database\n").unwrap();
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)"}
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)
    --- exit 3 ---
    "#);
    let place = Place::new();
    Lies::NotAWal.make(&place.store());
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: something is wrong with the store's -wal file: it does not begin like a write-ahead log"}
    cannot tell: [PLACE]/store/state.db: something is wrong with the store's -wal file: it does not begin like a write-ahead log
    --- exit 3 ---
    "#);
}

#[test]
fn a_ledger_on_a_damaged_page_gets_no_answer() {
    let place = store_with("");
    overwrite_page(&place.store(), root(&place.store(), "schema_migrations"), 0xff);
    assert_snapshot!(ask(&place), @r#"
    {"format":1,"compatibility":"cannot-tell","reason":"[PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(schema_migrations))"}
    cannot tell: [PLACE]/store/state.db: SQLite says: database disk image is malformed [11] (while running: PRAGMA quick_check(schema_migrations))
    --- exit 3 ---
    "#);
}

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
fn what_takes_longer_than_the_time_limit_gets_no_answer() {
    let place = store_with(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO schema_migrations SELECT i, 'm', 'x' FROM n",
    );
    let ran = gate(&place).args(["--time-limit", "0.000001"]).run();
    assert_one_plain_line(&ran);
    assert_snapshot!(ran.text(), @"
    cannot tell: [PLACE]/store/state.db: the time limit of 0.000001 s ran out
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
      [possible values: file, journal, read-only, page-structure, schema-state, unknown-ids, migration-history, schema-shape, migration-rehearsal, foreign-keys, row-values, artifacts]

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

#[test]
fn a_ledger_in_which_an_id_stands_twice_gives_no_answer() {
    let place = store_with("");
    change(&place.store(), |bytes| {
        let name = b"add_vm_workspace";
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        // Before the name stand the record's header (its length, and a type for each of three columns) and the row's number.
        assert_eq!(bytes[at - 5..at - 2], [3, 4, 0]);
        bytes[at - 5] = 2;
    });
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
}

#[test]
fn a_ledger_of_which_a_wrong_byte_hides_a_row_gives_no_answer() {
    let place = store_with("");
    let ledger = root(&place.store(), "schema_migrations");
    change(&place.store(), |bytes| {
        let page = &mut bytes[(ledger - 1) * 4096..];
        // A leaf of a table, no free block, three rows.
        assert_eq!(page[..5], [13, 0, 0, 0, 3]);
        page[4] = 2;
    });
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("database disk image is malformed [11]"), "{ran:?}");
}
