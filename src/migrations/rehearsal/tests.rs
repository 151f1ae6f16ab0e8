//! Planted migrations: each goes wrong in one way that an empty store would not show.

use rusqlite::Connection;

use super::attempt::classify_failure;
use super::*;
use crate::application::{Impact, Ledger, Migration};
use crate::error::Error;
use crate::limits::stop::{Stop, Stopped};
use crate::migrations::known::KnownSet;
use crate::migrations::runner;
use crate::migrations::shape::Shape;
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;

fn first() -> Migration {
    const SQL: &str = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
          CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);";
    Migration::new(1, "first", SQL)
}

const ROWS: &str = "INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);";

fn second(sql: &'static str) -> Migration {
    Migration::new(2, "second", sql)
}

/// A store with the first migration applied and `sql` run on it.
fn store(sql: &str, stop: &Stop) -> ReadOnly {
    let mut conn = Connection::open_in_memory().unwrap();
    runner::migrate(&mut conn, &Ledger::default_table(), &[first()]).unwrap();
    conn.execute_batch(sql).unwrap();
    ReadOnly::guarded(conn, None, stop).unwrap()
}

fn copy_of(source: &ReadOnly) -> Connection {
    let mut copy = Connection::open_in_memory().unwrap();
    source.back_up_to(&mut copy).unwrap();
    copy
}

fn rehearsed(source: &ReadOnly, second: Migration, applied: &[i64], stop: &Stop) -> Result<Rehearsal> {
    let environment = Environment {
        private: &PrivateFolder::for_stores::<&str>(&[]),
        sandbox: &Sandbox::NotAsked,
        heap_limit: None,
        stop,
    };
    let application = Application::new("another", vec![first(), second]);
    let set = KnownSet::compiled_in(&application.migrations)?;
    let status = MigrationStatus::of_ids(&application, set, Some(applied.to_vec()));
    on_copies(source, &copies_of(source), Rehearsed::BuiltIn(&application, &status), &environment)
}

fn copies_of(source: &ReadOnly) -> impl Fn() -> Result<RehearsalCopy> {
    || {
        Ok(RehearsalCopy {
            conn: copy_of(source),
            files: None,
            temporary: None,
        })
    }
}

fn try_on(rows: &str, migration: &'static str) -> Result<Rehearsal> {
    let stop = Stop::never();
    let source = store(rows, &stop);
    rehearsed(&source, second(migration), &[1], &stop)
}

fn failure(rows: &str, migration: &'static str) -> Option<String> {
    try_on(rows, migration).unwrap().failure()
}

#[test]
fn a_migration_that_works_says_what_it_ran_on() {
    let rehearsal = try_on(ROWS, "ALTER TABLE child ADD COLUMN note TEXT").unwrap();
    assert_eq!(rehearsal.failure(), None);
    assert_eq!((rehearsal.ran, rehearsal.rows), (vec!["2".to_owned()], 5));
}

#[test]
fn a_table_made_anew_cascades_into_its_children() {
    const REBUILD: &str = "PRAGMA foreign_keys=OFF;
        CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent;";
    assert_eq!(failure("", REBUILD), None);
    assert_eq!(failure(ROWS, REBUILD).as_deref(), Some("child: 3 rows are lost: 3 before, 0 after"));
}

#[test]
fn a_column_that_an_empty_table_takes_and_a_full_one_refuses() {
    const ADD: &str = "ALTER TABLE parent ADD COLUMN size INTEGER NOT NULL";
    assert_eq!(
        failure(ROWS, ADD).as_deref(),
        Some("migration 2 (second) fails on this store: Cannot add a NOT NULL column with default value NULL [1]")
    );
    let check = "ALTER TABLE parent ADD COLUMN size INTEGER CHECK (size > 0) DEFAULT 0";
    assert_eq!(failure("", check), None);
    assert_eq!(
        failure(ROWS, check).as_deref(),
        Some("migration 2 (second) fails on this store: CHECK constraint failed [1]")
    );
}

#[test]
fn a_unique_index_on_rows_that_are_not() {
    let twice = format!("{ROWS} UPDATE parent SET name = 'secret';");
    let why = failure(&twice, "CREATE UNIQUE INDEX names ON parent(name)").unwrap();
    assert_eq!(
        why,
        "migration 2 (second) fails on this store: UNIQUE constraint failed: parent.name [2067]"
    );
}

/// The faults of a store that became another one, whatever migration did that, without its shape.
fn became(before: &str, after: &str) -> Vec<String> {
    what_became(before, after, false)
}

fn what_became(before: &str, after: &str, compare_shape: bool) -> Vec<String> {
    let stop = Stop::never();
    let (source, after) = (store(before, &stop), store(after, &stop));
    let counts = |of: &ReadOnly| verify::counts(&copy_of(of)).unwrap();
    let again = || Ok((ReadOnly::guarded(copy_of(&source), None, &stop)?, None));
    let before = verify::StoreBefore::of(&source, &again, counts(&source));
    let lost = before.find_lost_rows(&counts(&after));
    let mut faults: Vec<RehearsalFault> = lost.iter().map(RehearsalFault::of_lost).collect();
    faults.extend(before.dangling(&after, str::to_owned).unwrap());
    faults.extend(before.integrity(&after).unwrap());
    if compare_shape {
        let shape = || Shape::replay(&Ledger::default_table(), &[first()]);
        faults.extend(before.shape(&shape().unwrap(), &after, shape, Impact::words).unwrap());
    }
    faults.into_iter().map(|fault| fault.line).collect()
}

#[test]
fn rows_that_come_to_refer_to_nothing() {
    let some = format!("PRAGMA foreign_keys=OFF; {ROWS} INSERT INTO child VALUES (4, 98);");
    let more = format!("{some} INSERT INTO child VALUES (5, 99), (6, 99);");
    assert_eq!(became(&some, &some), [""; 0]);
    assert_eq!(became(&some, &more), ["child: 2 more rows refer to rows that are not there"]);
    let mended = format!("{ROWS} INSERT INTO child VALUES (4, 1);");
    assert_eq!(became(&some, &mended), [""; 0]);
    let other = format!("PRAGMA foreign_keys=OFF; {ROWS} INSERT INTO child VALUES (4, 99);");
    assert_eq!(became(&some, &other), ["child: 1 more row refers to rows that are not there"]);
    let numbered_anew = format!("PRAGMA foreign_keys=OFF; {ROWS} INSERT INTO child VALUES (7, '98');");
    assert_eq!(became(&some, &numbered_anew), [""; 0]);
}

#[test]
fn a_key_whose_parent_loses_its_index_cannot_be_checked_any_more() {
    let named =
        format!("{ROWS} CREATE UNIQUE INDEX names ON parent(name); CREATE TABLE by_name(n REFERENCES parent(name));");
    let why = failure(&named, "DROP INDEX IF EXISTS names; DROP TABLE child").unwrap();
    assert!(why.starts_with("by_name: its foreign keys cannot be checked any more: "), "{why}");
}

#[test]
fn values_that_come_to_break_a_constraint() {
    const LOOSE: &str = "INSERT INTO parent VALUES (1, NULL);";
    let strict = format!(
        "{LOOSE} PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT', 'name TEXT NOT NULL') WHERE name = 'parent';
         PRAGMA writable_schema=RESET;"
    );
    assert_eq!(became(&strict, &strict), [""; 0]);
    assert_eq!(
        became(LOOSE, &strict),
        [
            "SQLite's integrity check finds faults that were not there before (a NULL or a duplicate where that is forbidden, a value that a CHECK constraint forbids, or an index that lacks rows)"
        ]
    );
}

#[test]
fn a_fault_that_goes_hides_no_new_one_of_another_form() {
    const TABLES: &str = "PRAGMA ignore_check_constraints=ON; CREATE TABLE a(n CHECK (n > 0)); CREATE TABLE b(n);";
    let not_null = "PRAGMA writable_schema=ON;
        UPDATE sqlite_schema SET sql = 'CREATE TABLE b(n NOT NULL)' WHERE name = 'b'; PRAGMA writable_schema=RESET; PRAGMA ignore_check_constraints=OFF;";
    let checked = format!("{TABLES} INSERT INTO a VALUES (0); {not_null}");
    let null = format!("{TABLES} INSERT INTO b VALUES (NULL); {not_null}");
    for (before, after, is_fault) in [(&checked, &null, true), (&null, &checked, true), (&null, &null, false)] {
        let faults = became(before, after)
            .into_iter()
            .filter(|line| line.starts_with("SQLite's integrity check"));
        assert_eq!(faults.count() == 1, is_fault);
    }
}

#[test]
fn a_store_that_dangles_already_is_not_the_migrations_fault() {
    let dangling = format!("PRAGMA foreign_keys=OFF; {ROWS} INSERT INTO child VALUES (4, 99);");
    assert_eq!(failure(&dangling, "ALTER TABLE child ADD COLUMN note TEXT"), None);
}

#[test]
fn a_table_that_is_renamed_away_and_made_again_without_its_rows() {
    const AWAY: &str = "ALTER TABLE parent RENAME TO elders; CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);";
    assert_eq!(failure(ROWS, AWAY).as_deref(), Some("parent: 2 rows are lost: 2 before, 0 after"));
}

#[test]
fn what_is_merely_extra_or_was_harmful_before_is_no_reason() {
    for before in [
        "ALTER TABLE child ADD COLUMN odd TEXT",
        "CREATE INDEX mine ON child(parent)",
        "CREATE TABLE mine(x)",
        "CREATE VIEW mine AS SELECT id FROM child",
        "CREATE TRIGGER mine AFTER UPDATE ON child BEGIN SELECT 1; END",
    ] {
        let rehearsal = try_on(&format!("{ROWS} {before};"), "ALTER TABLE child ADD COLUMN note TEXT").unwrap();
        assert_eq!(rehearsal.failure(), None, "{before}");
    }
    // What a migration makes only where there are rows is new.
    let by_rows = "CREATE TABLE log(x); CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM child; END;
        INSERT INTO log SELECT id FROM parent; DROP TRIGGER t; DROP TABLE log;";
    assert_eq!(failure("", by_rows), None);
    assert_eq!(failure(ROWS, by_rows).as_deref(), Some("child: 3 rows are lost: 3 before, 0 after"));
}

#[test]
fn a_shape_that_this_binary_cannot_work_with_is_a_reason_also_where_it_was_there_before() {
    const NOTE: &str = "ALTER TABLE child ADD COLUMN note TEXT";
    let unreadable = try_on("ALTER TABLE parent DROP COLUMN name", NOTE).unwrap();
    assert_eq!(
        unreadable.failure().as_deref(),
        Some(
            "not as in a fresh store: parent.name: the column is missing (the daemon cannot read it, as before the migrations)"
        )
    );
    assert!(unreadable.faults.iter().all(|fault| fault.was_there));
    let refuses = try_on("ALTER TABLE parent ADD COLUMN odd TEXT NOT NULL DEFAULT ''", NOTE).unwrap();
    assert_eq!(refuses.failure(), None, "a default is written by itself");
    let refuses = try_on(
        "DROP TABLE parent; CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, odd NOT NULL)",
        NOTE,
    );
    let why = refuses.unwrap().failure().unwrap();
    assert!(
        why.contains("parent.odd: an extra column that may not be NULL and has no default"),
        "{why}"
    );
}

#[test]
fn what_comes_to_harm_rows_is_a_reason_and_what_comes_to_be_extra_is_none() {
    let trigger = "CREATE TRIGGER new AFTER UPDATE ON child BEGIN DELETE FROM parent; END";
    assert_eq!(
        what_became("", trigger, true),
        ["not as in a fresh store: child: an extra trigger, new (changes rows behind the daemon's back)"]
    );
    assert_eq!(what_became(trigger, trigger, true), [""; 0]);
    assert_eq!(
        what_became("", "CREATE INDEX new ON child(parent); CREATE TABLE new_too(x)", true),
        [""; 0]
    );
}

#[test]
fn a_value_that_a_check_constraint_forbids_is_held_against_the_migration_that_made_it() {
    const CHECKED: &str =
        "CREATE TABLE checked(a CHECK (a > 5)); PRAGMA ignore_check_constraints=ON; INSERT INTO checked VALUES (1);";
    assert_eq!(failure(CHECKED, "ALTER TABLE child ADD COLUMN note TEXT"), None, "it was so before");
    let why = became(
        "CREATE TABLE checked(a CHECK (a > 5));",
        &format!("{CHECKED} PRAGMA ignore_check_constraints=OFF;"),
    );
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(why[0].contains("a value that a CHECK constraint forbids"), "{why:?}");
}

#[test]
fn rows_are_counted_in_a_way_that_can_be_stopped() {
    let copy = copy_of(&store(ROWS, &Stop::never()));
    let sql = "EXPLAIN SELECT count(1) FROM child NOT INDEXED";
    let mut statement = copy.prepare(sql).unwrap();
    let steps: Vec<String> = statement.query_map([], |row| row.get(1)).unwrap().map(Result::unwrap).collect();
    // The opcode `Count` walks a whole tree without asking.
    assert!(!steps.contains(&"Count".to_owned()) && steps.contains(&"Next".to_owned()), "{steps:?}");
}

#[test]
fn a_table_that_a_migration_drops_loses_no_rows() {
    assert_eq!(failure(ROWS, "DROP TABLE child"), None);
}

#[test]
fn a_trigger_on_the_ledger_runs_as_it_would_for_the_daemon_and_its_words_are_not_repeated() {
    let deletes = format!("{ROWS} CREATE TRIGGER x AFTER INSERT ON schema_migrations BEGIN DELETE FROM child; END;");
    let why = failure(&deletes, "ALTER TABLE child ADD COLUMN note TEXT").unwrap();
    assert_eq!(why, "child: 3 rows are lost: 3 before, 0 after");
    let raises =
        format!("{ROWS} CREATE TRIGGER x AFTER INSERT ON schema_migrations BEGIN SELECT RAISE(ABORT, 'secret'); END;");
    assert_eq!(
        failure(&raises, "ALTER TABLE child ADD COLUMN note TEXT").as_deref(),
        Some("migration 2 (second) fails on this store: a trigger of the store refuses it")
    );
}

#[test]
fn a_trigger_that_runs_for_ever_is_ended_by_the_time_limit() {
    let endless = format!(
        "{ROWS} CREATE TRIGGER x AFTER INSERT ON schema_migrations BEGIN
           INSERT INTO child(parent) SELECT 1 FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0); END;"
    );
    let never = Stop::never();
    let source = store(&endless, &never);
    let limit = Duration::from_millis(50);
    let stop = Stop::after(limit, std::sync::Arc::default());
    let ended = rehearsed(&source, second("SELECT 1"), &[1], &stop);
    assert_eq!(ended.unwrap_err().stopped(), Some(Stopped::TimeLimit(limit)));
}

#[test]
fn unknown_migrations_leave_the_shape_out() {
    let stop = Stop::never();
    let source = store(&format!("{ROWS} ALTER TABLE child ADD COLUMN odd TEXT;"), &stop);
    let rehearsal = rehearsed(&source, second("SELECT 1"), &[1, 9001], &stop).unwrap();
    assert_eq!(rehearsal.failure(), None);
    assert_eq!(
        rehearsal.shape_unknown.as_deref(),
        Some("migrations are applied that this binary does not know")
    );
}

#[test]
fn what_the_system_refuses_the_copy_is_not_the_migrations_failure() {
    let copy = Connection::open_in_memory().unwrap();
    let ended = |code| {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        classify_failure(Error::sqlite("ALTER TABLE")(error), &copy, &Stop::never())
    };
    // SQLITE_BUSY, READONLY, IOERR, CANTOPEN, PROTOCOL, READONLY_DBMOVED.
    for code in [5, 8, 10, 14, 15, 1032] {
        assert!(matches!(ended(code), Err(Error::Rehearsal(_))), "{code}");
    }
    // SQLITE_ERROR, CONSTRAINT, MISMATCH.
    for code in [1, 19, 20] {
        assert!(ended(code).is_ok(), "{code}");
    }
}
