//! Migrations of other tools on stores with rows: what fails, what is lost and by whom, and what a stranger's SQL may not do.

use super::super::{Rehearsed, on_copies};
use super::*;
use crate::migrations::driver::Drivers;
use crate::migrations::steps::Transaction;
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;

const SCHEMA: &str = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);
    CREATE TABLE ledger(version);";

const ROWS: &str = "INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);
    INSERT INTO ledger VALUES (1);";

/// As SQLite's documentation and every tool's generator has it.
const REBUILD: &str = "PRAGMA foreign_keys=OFF;
    CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent;
    PRAGMA foreign_keys=ON;";

fn step(key: &str, sql: impl AsRef<str>, transaction: Transaction) -> Step {
    Step {
        key: key.to_owned(),
        name: "step".to_owned(),
        file: format!("{key}_step.sql"),
        batches: vec![sql.as_ref().into()],
        is_outside: false,
        transaction,
    }
}

fn steps(pending: Vec<Step>, foreign_keys: ForeignKeys) -> Steps {
    Steps {
        applied: vec![step("1", SCHEMA, Each)],
        pending,
        ledgers: vec!["Ledger".to_owned()],
        foreign_keys,
        in_wal_mode: None,
        drivers: Drivers::default(),
    }
}

fn rehearsed(rows: &str, steps: &Steps, stop: &Stop) -> Result<Rehearsal> {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    conn.execute_batch(rows).unwrap();
    let source = ReadOnly::guarded(conn, None, &Stop::never()).unwrap();
    let copies = || {
        let mut copy = super::super::copy::empty()?;
        source.back_up_to(&mut copy.conn)?;
        Ok(copy)
    };
    let environment = Environment {
        private: &PrivateFolder::for_stores::<&str>(&[]),
        sandbox: &Sandbox::NotAsked,
        heap_limit: None,
        stop,
    };
    let by_tool = Rehearsed::ByTool { steps, no_shape: None };
    on_copies(&source, &copies, by_tool, &environment)
}

/// The result for one pending migration: the faults, and the notes.
fn said(
    rows: &str,
    sql: &'static str,
    transaction: Transaction,
    foreign_keys: ForeignKeys,
) -> (Vec<String>, Vec<String>) {
    all_said(rows, vec![step("2", sql, transaction)], foreign_keys)
}

fn all_said(rows: &str, pending: Vec<Step>, foreign_keys: ForeignKeys) -> (Vec<String>, Vec<String>) {
    let rehearsal = rehearsed(rows, &steps(pending, foreign_keys), &Stop::never()).unwrap();
    assert_eq!(rehearsal.shape_unknown, None);
    (rehearsal.faults.into_iter().map(|fault| fault.line).collect(), rehearsal.notes)
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

use ForeignKeys::{Off, On, Usual};
use Transaction::{AllPending, Each, OwnInFile};

#[test]
fn a_migration_that_works_says_what_it_ran_on_and_counts_no_row_of_the_ledger() {
    let pending = vec![step("2", "ALTER TABLE child ADD COLUMN note; DELETE FROM ledger", Each)];
    let rehearsal = rehearsed(ROWS, &steps(pending, Usual(true)), &Stop::never()).unwrap();
    assert_eq!((rehearsal.failure(), rehearsal.notes), (None, Vec::new()));
    assert_eq!((rehearsal.ran, rehearsal.rows), (vec!["2".to_owned()], 5));
}

#[test]
fn a_rebuild_within_the_tools_transaction_cascades_and_the_fault_names_all_of_it() {
    let lost = "child: 3 rows are lost, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped (3 before, 0 after)";
    for transaction in [Each, AllPending] {
        assert_eq!(
            said(ROWS, REBUILD, transaction, Usual(true)),
            (vec![format!("{lost}; with foreign keys off they stay")], Vec::new())
        );
        assert_eq!(said(ROWS, REBUILD, transaction, On), (vec![lost.to_owned()], Vec::new()));
        assert_eq!(said(ROWS, REBUILD, transaction, Off), nothing());
        assert_eq!(said("", REBUILD, transaction, Usual(true)), nothing());
    }
    assert_eq!(
        said(ROWS, REBUILD, Each, Usual(false)).0,
        [
            "child: 3 rows are lost if foreign keys are on, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped (3 before, 0 after); with foreign keys off, as is usual for the tool, they stay"
        ]
    );
}

#[test]
fn a_rebuild_where_the_pragma_works_loses_nothing() {
    const OWN: &str = "PRAGMA foreign_keys=OFF; BEGIN;
        CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent; COMMIT;
        PRAGMA foreign_keys=ON;";
    for foreign_keys in [Usual(true), Usual(false), On, Off] {
        assert_eq!(said(ROWS, OWN, OwnInFile, foreign_keys), nothing(), "{foreign_keys:?}");
        assert_eq!(said(ROWS, REBUILD, Transaction::None, foreign_keys), nothing(), "{foreign_keys:?}");
    }
    // The way that sqlx's users were told: out of the tool's transaction and back.
    let out = "COMMIT; PRAGMA foreign_keys=OFF; BEGIN; DROP TABLE parent;
        CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO parent VALUES (1, 'a'), (2, 'b');";
    assert_eq!(said(ROWS, out, Each, On), nothing());
}

#[test]
fn a_deliberate_delete_is_a_note_with_its_migration_and_no_fault() {
    let pending = || {
        vec![
            step("2", "DELETE FROM child WHERE id > 1", Each),
            step("3", "INSERT INTO parent VALUES (3, 'c')", Each),
            step("4", "DELETE FROM parent WHERE id = 2", Each),
        ]
    };
    let notes = |foreign_keys| {
        let (faults, notes) = all_said(ROWS, pending(), foreign_keys);
        assert_eq!(faults, [""; 0]);
        notes
    };
    for foreign_keys in [Usual(true), Usual(false), On, Off] {
        assert_eq!(
            notes(foreign_keys),
            ["child: 2 rows are deleted by the text of the migrations, in migration 2"]
        );
    }
    // What a deletion that somebody wrote takes along is as the schema's author had it.
    let (faults, notes) = said(ROWS, "DELETE FROM parent WHERE id = 1", Each, Usual(true));
    assert_eq!(faults, [""; 0]);
    assert_eq!(
        notes,
        [
            "child: 2 rows are deleted by the text of the migrations, in migration 2",
            "parent: 1 row is deleted by the text of the migrations, in migration 2"
        ]
    );
}

#[test]
fn what_the_text_deletes_and_what_cascades_are_told_apart_in_one_run() {
    let pending = || {
        vec![
            step("2", "DELETE FROM child WHERE id = 1", Each),
            step("3", REBUILD, Each),
        ]
    };
    let (faults, notes) = all_said(ROWS, pending(), On);
    assert_eq!(
        faults,
        [
            "child: 2 rows are lost, in migration 3, by a cascade that nobody wrote: a table to which they refer is dropped (3 before, 0 after)"
        ]
    );
    assert_eq!(notes, ["child: 1 row is deleted by the text of the migrations, in migrations 2, 3"]);
}

#[test]
fn rows_that_a_migration_saves_from_the_cascade_and_brings_back_are_not_lost() {
    const SAVED: &str = "CREATE TEMP TABLE saved AS SELECT * FROM child;
        CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent;
        INSERT OR REPLACE INTO child SELECT * FROM saved;";
    for foreign_keys in [Usual(true), On] {
        assert_eq!(said(ROWS, SAVED, Each, foreign_keys), nothing());
    }
}

#[test]
fn what_a_deletion_takes_along_is_not_laid_to_the_rebuild_behind_it_where_that_saves_its_rows() {
    // As karakeep's migration 0084 does it, with foreign keys on.
    const DELETED_AND_SAVED: &str = "DELETE FROM parent WHERE id = 2; PRAGMA foreign_keys=OFF;
        CREATE TEMPORARY TABLE saved AS SELECT * FROM child;
        CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent;
        DELETE FROM child; INSERT INTO child SELECT * FROM saved; DROP TABLE saved; PRAGMA foreign_keys=ON;";
    for foreign_keys in [Usual(true), On] {
        assert_eq!(
            said(ROWS, DELETED_AND_SAVED, AllPending, foreign_keys),
            (
                Vec::new(),
                vec![
                    "child: 1 row is deleted by the text of the migrations, in migration 2".to_owned(),
                    "parent: 1 row is deleted by the text of the migrations, in migration 2".to_owned()
                ]
            )
        );
    }
}

#[test]
fn references_that_a_cascade_empties_are_a_fault_as_long_as_there_is_something_to_refer_to() {
    const MORE: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, about REFERENCES parent(id) ON DELETE SET NULL);";
    let rows = format!("{MORE} INSERT INTO parent VALUES (1, 'a'); INSERT INTO note VALUES (1, 1), (2, 1), (3, NULL);");
    let with_note = |sql: &str, foreign_keys| {
        let mut steps = steps(vec![step("2", sql, Each)], foreign_keys);
        steps.applied.push(step("1b", MORE, Each));
        let rehearsal = rehearsed(&rows, &steps, &Stop::never()).unwrap();
        rehearsal.faults.into_iter().map(|fault| fault.line).collect::<Vec<_>>()
    };
    let emptied = "note.about: 2 references are emptied, in migration 2, by a cascade that nobody wrote: a table to which they refer is dropped";
    assert_eq!(with_note(REBUILD, On), [emptied]);
    assert_eq!(with_note(REBUILD, Usual(true)), [format!("{emptied}; with foreign keys off they stay")]);
    assert_eq!(with_note(REBUILD, Off), [""; 0]);
    assert_eq!(with_note(&format!("{REBUILD} UPDATE note SET about = 1 WHERE id < 3;"), On), [""; 0]);
    assert_eq!(
        with_note("DROP TABLE child; DROP TABLE parent", On),
        [
            "note: DELETE/INSERT/UPDATE fails afterwards, because of a trigger or a foreign key: no such table: main.parent [1]"
        ],
        "it is gone for good"
    );
}

#[test]
fn a_dropped_table_is_a_note_with_its_rows() {
    let (faults, notes) = said(ROWS, "DROP TABLE child; ALTER TABLE parent RENAME TO elders", Each, Usual(true));
    assert_eq!(faults, [""; 0]);
    assert_eq!(
        notes,
        [
            "child: dropped, with 3 rows",
            "parent: renamed, or dropped under another name, with 2 rows"
        ]
    );
}

#[test]
fn the_tables_in_which_a_virtual_table_keeps_its_rows_are_its_own_affair() {
    const WORDS: &str = "CREATE VIRTUAL TABLE words USING fts5(word);";
    let full = format!("{WORDS} INSERT INTO words VALUES ('a'); INSERT INTO words VALUES ('b');");
    for sql in [
        "INSERT INTO words(words) VALUES ('optimize')",
        "DELETE FROM words",
        "DROP TABLE words",
    ] {
        let mut steps = steps(vec![step("2", sql, Each)], On);
        steps.applied.push(step("1b", WORDS, Each));
        let rehearsal = rehearsed(&full, &steps, &Stop::never()).unwrap();
        assert_eq!((rehearsal.failure(), rehearsal.notes), (None, Vec::new()), "{sql}");
    }
}

#[test]
fn a_migration_that_fails_on_full_tables_alone_names_its_file() {
    const ADD: &str = "ALTER TABLE parent ADD COLUMN size INTEGER NOT NULL";
    assert_eq!(said("", ADD, Each, Usual(true)), nothing());
    let fails = |transaction| said(ROWS, ADD, transaction, Off).0;
    let line =
        "migration 2 (step), 2_step.sql, fails on this store: Cannot add a NOT NULL column with default value NULL [1]";
    assert_eq!(fails(Each), [line]);
    assert_eq!(fails(Transaction::None), [line]);
    assert_eq!(fails(AllPending), [format!("{line}; everything that is pending is rolled back with it")]);
    let half = said(ROWS, "CREATE TABLE half(x); INSERT INTO child VALUES (1, 1)", Transaction::None, Off).0;
    assert_eq!(
        half,
        [
            "migration 2 (step), 2_step.sql, fails on this store: UNIQUE constraint failed: child.id [1555]; what it did before that stays, because the tool runs it in no transaction"
        ]
    );
}

#[test]
fn a_migration_that_fails_one_way_only_is_said_clearly() {
    const ORPHAN: &str = "INSERT INTO child VALUES (9, 99)";
    assert_eq!(
        said(ROWS, ORPHAN, Each, Usual(true)).0,
        [
            "migration 2 (step), 2_step.sql, fails on this store: FOREIGN KEY constraint failed [787]; only with foreign keys on, and not with them off"
        ]
    );
    let (faults, notes) = said(ROWS, ORPHAN, Each, Usual(false));
    assert_eq!(
        faults,
        [
            "child: 1 more row refers to rows that are not there",
            "migration 2 (step), 2_step.sql, fails on this store: FOREIGN KEY constraint failed [787]; only with foreign keys on, and not with them off, as is usual for the tool (--foreign-keys settles it)"
        ],
        "with foreign keys on there is nothing to compare with"
    );
    assert_eq!(notes, [""; 0]);
    assert_eq!(
        said(ROWS, "DELETE FROM parent WHERE id = 2", Each, Usual(false)).0,
        ["child: 1 more row refers to rows that are not there; only with foreign keys off, and not with them on"]
    );
}

#[test]
fn a_transaction_that_is_not_ended_and_one_too_many_are_said() {
    let why = |sql, transaction| said(ROWS, sql, transaction, Off).0.join("|");
    assert_eq!(
        why("BEGIN; CREATE TABLE n(x);", OwnInFile),
        "migration 2 (step), 2_step.sql, fails on this store: it begins a transaction and does not end it"
    );
    assert!(
        why("BEGIN; CREATE TABLE n(x); COMMIT", Each)
            .ends_with(": cannot start a transaction within a transaction [1]")
    );
    assert!(why("CREATE TABLE n(x); COMMIT", Each).ends_with(": cannot commit - no transaction is active [1]"));
    assert!(why("VACUUM", Each).ends_with(": cannot VACUUM from within a transaction [1]"));
    assert_eq!(why("VACUUM", Transaction::None), "");
}

#[test]
fn a_shape_that_the_migrations_do_not_make_is_a_fault_and_what_cannot_be_replayed_is_said() {
    let by_rows = "CREATE TRIGGER t AFTER INSERT ON child BEGIN DELETE FROM parent; END";
    let (faults, _) = said(&format!("{ROWS} DROP TABLE parent"), "SELECT 1", Each, Off);
    assert!(faults.iter().any(|line| line.contains("parent: the table is missing")), "{faults:?}");
    assert_eq!(said(ROWS, by_rows, Each, Off), nothing());
    let mut broken = steps(vec![step("2", "CREATE TABLE n(x)", Each)], Off);
    broken.applied.push(step("1b", "ALTER TABLE nowhere ADD COLUMN x", Each));
    let rehearsal = rehearsed(ROWS, &broken, &Stop::never()).unwrap();
    assert_eq!(rehearsal.failure(), None);
    let why = rehearsal.shape_unknown.unwrap();
    assert!(why.starts_with("replayed in an empty database, migration 1b (step) failed (1b_step.sql): SQLite says: no such table: nowhere"), "{why}");
}

mod cascades;
mod limits;
mod rebuilds;
mod usable;
