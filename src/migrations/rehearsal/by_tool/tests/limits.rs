//! Migrations that a rehearsal cannot run, and the bounds of those that it runs.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::limits::stop::Stopped;

#[test]
fn what_only_the_application_has_is_no_failure_of_the_store() {
    for (sql, why) in [
        ("UPDATE parent SET name = slug(name)", "no such function: slug"),
        ("CREATE VIRTUAL TABLE v USING vec0(x)", "a virtual table of the module vec0"),
        ("CREATE INDEX i ON parent(name COLLATE german)", "no such collation sequence: german"),
        ("CREATE VIRTUAL TABLE v USING fts5(x, tokenize = 'german')", "no such tokenizer: german"),
        (
            "CREATE VIRTUAL TABLE v USING fts5(x); DELETE FROM v_data",
            "table v_data may not be modified",
        ),
    ] {
        let error = rehearsed(ROWS, &steps(vec![step("2", sql, Each)], On), &Stop::never()).unwrap_err();
        assert!(error.is_not_replayable() && error.to_string().contains(why), "{error}");
        assert!(
            error.to_string().starts_with("migration 2 (step) cannot be run here (2_step.sql): "),
            "{error}"
        );
    }
}

#[test]
fn a_name_that_is_not_utf8_is_no_failure_of_the_store() {
    let odd = "CREATE TABLE odd(a); PRAGMA writable_schema=ON;
        UPDATE sqlite_schema SET sql = 'CREATE TABLE odd(a, \"' || CAST(x'ff' AS TEXT) || '\")' WHERE name = 'odd';
        PRAGMA writable_schema=RESET;";
    let error = rehearsed(
        odd,
        &steps(
            vec![step(
                "2",
                "UPDATE parent SET name = (SELECT count(*) FROM (SELECT * FROM odd))",
                Each,
            )],
            On,
        ),
        &Stop::never(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "migration 2 (step) cannot be run here (2_step.sql): it uses a name that is not UTF-8"
    );
}

#[test]
fn a_query_without_end_is_ended_by_the_time_limit() {
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) UPDATE parent SET name = (SELECT max(i) FROM n)",
    ] {
        let limit = Duration::from_millis(50);
        let stop = Stop::after(limit, Arc::default());
        let ended = rehearsed(ROWS, &steps(vec![step("2", sql, Each)], On), &stop);
        assert_eq!(ended.unwrap_err().stopped(), Some(Stopped::TimeLimit(limit)));
    }
}

#[test]
fn a_copy_grows_no_further_than_its_bound_whatever_the_file_says_of_it() {
    let grows = "PRAGMA max_page_count=1000000000; PRAGMA page_size=65536;
        CREATE TABLE big(x);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO big SELECT zeroblob(100000) FROM n;";
    for transaction in [Each, Transaction::None] {
        let error = rehearsed(ROWS, &steps(vec![step("2", grows, transaction)], On), &Stop::never()).unwrap_err();
        assert!(error.to_string().contains("write more than fits into the 16,384 KiB"), "{error}");
    }
}

#[test]
fn a_temporary_table_hides_no_rows_of_the_store() {
    const HIDES: &str = "CREATE TEMP TABLE child(id, parent); PRAGMA query_only=ON;";
    assert_eq!(said(ROWS, HIDES, Each, Usual(true)), nothing());
    let (faults, _) = said(
        ROWS,
        "INSERT INTO main.child VALUES (9, 99); CREATE TEMP TABLE child(id, parent)",
        Each,
        Off,
    );
    assert_eq!(faults, ["child: 1 more row refers to rows that are not there"]);
}
