//! `schema-state`.

use insta::assert_snapshot;

use crate::support::Place;

fn found(place: &Place) -> String {
    place.found("schema-state")
}

#[test]
fn what_is_pending_is_no_failure() {
    assert_snapshot!(found(&Place::with(1, 2)), @"pass: all 3 known migrations are applied");
    assert_snapshot!(found(&Place::of_age(2)), @"pass: 2 applied, pending [3]: banger applies them when it next opens the store");
    let place = Place::new().after("CREATE TABLE t(x); DROP TABLE t");
    assert_snapshot!(found(&place), @"pass: 0 applied, pending [1 2 3]: banger applies them when it next opens the store");
    // Also where a later one is applied.
    let place = Place::with(1, 2).after("DELETE FROM schema_migrations WHERE id = 2");
    assert_snapshot!(found(&place), @"pass: 2 applied, pending [2]: the tables are as after migrations 1 to 3; only the ledger's row 2 is gone; banger will run what is done a second time, which fails");
}

#[test]
fn what_this_binary_does_not_know_is_a_failure_whatever_is_pending() {
    let later = "INSERT INTO schema_migrations VALUES (9001, 'later', '2026-04-28T18:41:31Z')";
    assert_snapshot!(found(&Place::with(1, 2).after(later)), @"fail: 1 migration applied that this binary does not know; no data is lost");
    assert_snapshot!(found(&Place::of_age(2).after(later)), @"fail: 1 migration applied that this binary does not know, and pending [3]; no data is lost");
}

#[test]
fn an_id_that_is_twice_in_a_ledger_without_a_key_is_named() {
    let place = Place::with(1, 2).after(
        "ALTER TABLE schema_migrations RENAME TO old; CREATE TABLE schema_migrations(id INTEGER, name TEXT NOT NULL, applied_at TEXT NOT NULL);
         INSERT INTO schema_migrations SELECT * FROM old; INSERT INTO schema_migrations SELECT * FROM old WHERE id = 2; DROP TABLE old",
    );
    assert_snapshot!(found(&place), @"fail: could not look: schema_migrations is not banger's ledger: id is not its integer primary key, and id 2 is in it twice: keep a copy of the store, and take one of the two rows out");
}

#[test]
fn a_ledger_that_is_not_bangers_is_not_guessed_at() {
    let place = Place::new().after("CREATE TABLE schema_migrations(version)");
    assert_snapshot!(found(&place), @"fail: could not look: schema_migrations is not banger's ledger: its columns are not id, name and applied_at");
}
