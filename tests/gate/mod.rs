//! The gate: exactly one line, and an exit code that the updater may believe.

mod no_answer;
mod output;

use std::fs::{self};

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::stores::{Lies, healthy};
use crate::support::{Doctor, Place, Ran};

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
