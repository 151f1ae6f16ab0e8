//! The example `own_application`, run on stores of its application: what is made of a slice of migrations holds as banger's does.

use std::path::Path;

use banger_doctor::{Application, CheckId, ErrorKind, Examination, Migration, Status};
use rusqlite::Connection;

use crate::support::Place;

#[path = "../../examples/own_application.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod example;

/// A store to which the first migrations of the example were applied, by its own runner.
fn store_of(applied: usize) -> Place {
    let place = Place::new();
    let first: Vec<Migration> = example::HISTORY[..applied]
        .iter()
        .map(|(id, name, sql)| Migration::new(*id, *name, *sql))
        .collect();
    let application = Application::new("the ferry company", first).ledger("ferry_migrations");
    assert_eq!(application.migrate(place.store()).unwrap().len(), applied);
    place
}

#[test]
fn its_runner_applies_what_is_pending_and_writes_the_ledger_that_the_doctor_reads() {
    let place = store_of(1);
    assert_eq!(example::migrate(&place.store()), ("applied: [2, 3]".to_owned(), 0));
    assert_eq!(example::migrate(&place.store()), ("applied: []".to_owned(), 0));
    assert_eq!(example::report(&place.store()).1, 0);
    let ledger: String = Connection::open(place.store())
        .unwrap()
        .query_row("SELECT group_concat(id || name, ' ') FROM ferry_migrations", [], |row| row.get(0))
        .unwrap();
    assert_eq!(ledger, "1ferries 2rides 3one_name_each");
}

#[test]
fn a_migration_that_fails_is_rolled_back_whole_and_the_ones_before_it_stay() {
    let place = store_of(2);
    let broken = vec![
        Migration::new(1, "ferries", ""),
        Migration::new(3, "broken", "CREATE TABLE harbours(name); INSERT INTO nowhere VALUES (1)"),
        Migration::new(4, "after", "CREATE TABLE never(x)"),
    ];
    let error = Application::new("the ferry company", broken)
        .ledger("ferry_migrations")
        .migrate(place.store())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    let tables: i64 = Connection::open(place.store())
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('harbours', 'never')", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn an_application_of_which_nothing_is_known_has_nothing_to_run() {
    let place = Place::new();
    let error = Application::any().migrate(place.store()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NothingKnown);
    assert!(!place.store().exists());
}

fn gate(place: &Place) -> (String, u8) {
    let before = place.footprint();
    let said = example::gate(&place.store());
    before.assert_same(&place.footprint(), "the gate");
    said
}

#[test]
fn the_gate_answers_as_the_programs_does() {
    let place = store_of(3);
    assert_eq!(gate(&place), ("compatible: all 3 migrations applied".to_owned(), 0));
    place.sql("INSERT INTO ferry_migrations VALUES (4, 'later', '2026-04-28T18:41:31Z')");
    let (said, code) = gate(&place);
    assert_eq!(
        (said.as_str(), code),
        ("incompatible: unknown [4] (this binary is older than the store; do not swap)", 2)
    );
    let (said, code) = gate(&store_of(2));
    assert_eq!(
        (said.as_str(), code),
        ("migrations needed: pending [3] (binary will apply on first Open)", 1)
    );
    assert_eq!(
        example::gate(Path::new("/nowhere/at/all.db")),
        ("cannot tell: there is no such file".to_owned(), 3)
    );
}

#[test]
fn what_is_pending_is_tried_on_the_real_rows() {
    let place = store_of(2);
    place.sql("INSERT INTO ferries VALUES (1, 'Ann'), (2, 'Bea'); INSERT INTO rides VALUES (1, 1, 40)");
    assert_eq!(gate(&place).1, 1);
    // Two ferries of one name, which the pending migration forbids: only a store with rows tells.
    place.sql("INSERT INTO ferries VALUES (3, 'Ann')");
    assert_eq!(
        gate(&place),
        (
            "incompatible: migration 3 (one_name_each) fails on this store: UNIQUE constraint failed: ferries.name [2067] (do not swap)"
                .to_owned(),
            2
        )
    );
}

#[test]
fn the_report_says_what_is_wrong_in_the_applications_name() {
    let place = store_of(3);
    place.sql("INSERT INTO ferries VALUES (1, 'Ann'); INSERT INTO rides VALUES (1, 1, 40)");
    let (said, code) = example::report(&place.store());
    assert_eq!(code, 0, "{said}");
    for line in [
        "pass  schema-state         all 3 known migrations are applied",
        "pass  migration-history    3 applied migrations, with names, order and times as the ferry company writes them",
        "pass  schema-shape         3 tables are what replaying migrations [1 2 3] gives",
        "skip  row-values           it is not known what the ferry company writes into its columns",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    place.sql("DROP INDEX ferries_by_name; INSERT INTO rides VALUES (2, 9, 3)");
    let (said, code) = example::report(&place.store());
    assert_eq!(code, 1);
    assert!(said.contains("FAIL  schema-shape") && said.contains("FAIL  foreign-keys"), "{said}");
    assert!(!said.contains("banger"), "{said}");
}

#[test]
fn a_ledger_is_looked_for_under_its_own_name_alone() {
    let place = store_of(1);
    let usual = Application::new("the ferry company", vec![Migration::new(1, "ferries", "CREATE TABLE ferries(id)")]);
    let state = Examination::new(place.store()).application(usual).schema_state().unwrap();
    assert_eq!((state.applied.len(), state.pending.len()), (0, 1));
    let quoted = "a \"quoted\" name";
    place.sql("ALTER TABLE ferry_migrations RENAME TO \"a \"\"quoted\"\" name\"");
    let named = example::ferry_company().ledger(quoted);
    let examination = Examination::new(place.store()).application(named);
    let rehearsal = examination.rehearse().unwrap();
    assert_eq!((rehearsal.failure(), &rehearsal.state().pending), (None, &vec![2, 3]));
    assert!(!examination.run().failed());
}

#[test]
fn two_migrations_with_one_id_are_the_programs_mistake_and_not_the_stores() {
    let twice = || {
        let one = Migration::new(1, "one", "CREATE TABLE a(x)");
        Application::new("the ferry company", vec![one, Migration::new(1, "again", "CREATE TABLE b(x)")])
    };
    let place = store_of(1);
    let empty = Place::new();
    std::fs::write(empty.store(), "").unwrap();
    for store in [place.store(), empty.store()] {
        let error = Examination::new(&store).application(twice()).schema_state().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration);
        assert_eq!(error.to_string(), "migration id 1 is given twice: one and again");
    }
    let report = Examination::new(place.store()).application(twice()).run();
    let status = |check| report.row(check).unwrap().status();
    assert_eq!((status(CheckId::SchemaState), status(CheckId::SchemaShape)), (Status::Fail, Status::Skip));
}
