//! The extent of a tool's transactions, and the effects that remain when one of its migrations fails.

use super::*;
use crate::migrations::steps::Transaction::{AllPending, Each, OwnInFile};

fn step(key: &str, batches: &[&'static str], transaction: Transaction) -> Step {
    Step {
        key: key.to_owned(),
        name: String::new(),
        file: format!("{key}.sql"),
        batches: batches.iter().map(|&sql| sql.into()).collect(),
        is_outside: false,
        transaction,
    }
}

/// The result, and the tables that exist then.
fn after_statement(steps: &[Step]) -> (Option<String>, Vec<String>) {
    let mut conn = Connection::open_in_memory().unwrap();
    let after_step = run(
        &mut conn,
        &steps.iter().collect::<Vec<_>>(),
        0,
        None,
        &Drivers::default(),
        &mut (),
        &Stop::never(),
    );
    assert!(conn.is_autocommit());
    let mut names = conn.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    (after_step.err().map(|error| error.to_string()), names)
}

#[test]
fn what_a_failure_leaves_is_what_the_tool_leaves() {
    let (first, second) = (&["CREATE TABLE a(x)"], &["CREATE TABLE b(x)", "INSERT INTO nowhere VALUES (1)"]);
    for (transaction, left, end) in [
        (Each, &["a"][..], ""),
        (AllPending, &[], "; everything that is pending is rolled back with it"),
        (
            Transaction::None,
            &["a", "b"],
            "; what it did before that stays, because the tool runs it in no transaction",
        ),
        (OwnInFile, &["a", "b"], ""),
    ] {
        let (why, tables) = after_statement(&[step("1", first, transaction), step("2", second, transaction)]);
        assert_eq!(tables, left, "{transaction:?}");
        assert_eq!(
            why.unwrap(),
            format!("migration 2 failed (2.sql): SQLite says: no such table: nowhere [1]{end}")
        );
    }
}

#[test]
fn what_is_together_is_committed_before_what_is_not() {
    let fails = step("3", &["INSERT INTO nowhere VALUES (1)"], Each);
    let (why, tables) = after_statement(&[
        step("1", &["CREATE TABLE a(x)"], AllPending),
        step("2", &["COMMIT; CREATE TABLE b(x); BEGIN"], AllPending),
        fails,
    ]);
    assert!(why.unwrap().starts_with("migration 3 failed"));
    assert_eq!(tables, ["a", "b"]);
}

#[test]
fn sqlite_splits_what_the_tool_hands_over_whole() {
    let trigger = "CREATE TABLE a(x); -- no end; here\nCREATE TRIGGER g AFTER INSERT ON a BEGIN SELECT ';'; DELETE FROM a; END;\n;;/* ; */";
    assert_eq!(
        after_statement(&[step("1", &[trigger, "", "-- nothing"], Each)]),
        (None, vec!["a".to_owned(), "g".to_owned()])
    );
}

#[test]
fn what_is_left_on_the_connection_is_forgotten() {
    let mut conn = Connection::open_in_memory().unwrap();
    let leaves = "CREATE TABLE a(x); CREATE TEMP TABLE \"a\"\"b\"(x); CREATE TEMP TABLE a(y); CREATE TEMP VIEW v AS SELECT 1;
        CREATE VIRTUAL TABLE temp.words USING fts5(word); PRAGMA foreign_keys=ON; CREATE TEMP TABLE p(id PRIMARY KEY);
        CREATE TEMP TABLE c(r REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);
        CREATE TEMP TRIGGER g AFTER INSERT ON main.a BEGIN SELECT 1; END; PRAGMA ignore_check_constraints=ON; PRAGMA query_only=ON";
    run(
        &mut conn,
        &[&step("1", &[leaves], Each)],
        0,
        None,
        &Drivers::default(),
        &mut (),
        &Stop::never(),
    )
    .unwrap();
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM temp.sqlite_schema"), 0);
    assert_eq!(count("SELECT count(*) FROM main.sqlite_schema"), 1);
    assert_eq!((count("PRAGMA query_only"), count("PRAGMA ignore_check_constraints")), (0, 0));
}

#[test]
fn many_short_statements_are_asked_between_them_whether_to_stop() {
    let mut conn = Connection::open_in_memory().unwrap();
    let stop = Stop::after(std::time::Duration::ZERO, std::sync::Arc::default());
    let after_step = run(
        &mut conn,
        &[&step("1", &["SELECT 1; SELECT 2"], Each)],
        0,
        None,
        &Drivers::default(),
        &mut (),
        &stop,
    );
    assert!(after_step.unwrap_err().stopped().is_some());
    assert!(conn.is_autocommit());
}
