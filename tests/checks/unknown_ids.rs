//! `unknown-ids`.

use insta::assert_snapshot;

use crate::support::Place;

#[test]
fn what_this_binary_does_not_know_is_listed_in_order() {
    let place = Place::with(1, 2);
    assert_snapshot!(place.found("unknown-ids"), @"pass: none: this binary knows every applied migration");
    place.sql(
        "INSERT INTO schema_migrations VALUES
         (9002, 'latest', '2026-04-28T18:41:31Z'), (9001, 'later', '2026-04-28T18:41:31Z'), (-1, 'never', '2026-04-28T18:41:31Z')",
    );
    assert_snapshot!(place.said("unknown-ids", &[]), @r#"
    fail: 3 unknown ids: [-1 9001 9002]
      id -1, kind "unknown-migrations": applied, and unknown to this binary
      id 9001, kind "unknown-migrations": applied, and unknown to this binary
      id 9002, kind "unknown-migrations": applied, and unknown to this binary
      3 in all
      -> Update banger to the version that last used the store, or a later one: this one is older. Do not delete the store or edit its ledger, and do not swap this binary in.
    "#);
}

#[test]
fn what_is_pending_is_known() {
    for migrations in [0, 1, 2] {
        assert_eq!(
            Place::made_by("", migrations, 0, 0).row("unknown-ids", &[])["status"],
            "pass",
            "{migrations}"
        );
    }
}
