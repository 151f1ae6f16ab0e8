//! What is seen, at the widths and in the environments that people have.

use insta::assert_snapshot;

use crate::support::{Home, needs};

/// The checks whose rows are the same on every machine.
const SAME: &str = "--only=file,journal,page-structure,schema-state,unknown-ids,foreign-keys";

#[test]
fn a_healthy_store_at_80_columns() {
    needs!("script");
    let place = Home::new();
    place.store("state.db");
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 0);
    assert_snapshot!(screen, @r"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    pass  foreign-keys    1 foreign key holds

    PASS: 6 of 6 checks passed
    ");
}

#[test]
fn a_failing_store_at_80_and_at_200_columns() {
    needs!("script");
    let place = Home::new();
    place.dangling("state.db");
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 1);
    assert_snapshot!(screen, @"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    FAIL  foreign-keys    1 row refers to a row that is not there: deleted, or lost
                          · vms row 1 image_id: refers to a row of images that is
                            not there

    FAIL: 1 of 6 checks failed (foreign-keys)
    It is not known whether data is lost.

    What to do (foreign-keys):
      1. Stop banger, and keep a copy of all files of the store:
         umask 077 && mkdir kept && cp -a state.db* kept
      2. Restore what is missing: a VM whose image is gone cannot start until the
         image is registered again.
      3. Or let banger remove the VMs that these rows describe. Do not delete the
         rows with SQL.

    More: doctor --explain foreign-keys
    ");
    let (screen, _) = place.screen(200, &[], &[SAME, "--color=never", "state.db"]);
    assert_snapshot!(screen, @"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    FAIL  foreign-keys    1 row refers to a row that is not there: deleted, or lost
                          · vms row 1 image_id: refers to a row of images that is not there

    FAIL: 1 of 6 checks failed (foreign-keys)
    It is not known whether data is lost.

    What to do (foreign-keys):
      1. Stop banger, and keep a copy of all files of the store:
         umask 077 && mkdir kept && cp -a state.db* kept
      2. Restore what is missing: a VM whose image is gone cannot start until the image is registered again.
      3. Or let banger remove the VMs that these rows describe. Do not delete the rows with SQL.

    More: doctor --explain foreign-keys
    ");
}

#[test]
fn a_missing_store_says_what_that_may_mean() {
    needs!("script");
    let place = Home::new();
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 1);
    assert_snapshot!(screen, @"
    state.db

    FAIL  file            there is no such file, so nothing could be examined
    skip  journal         not examined, because `file` failed (also page-structure,
                          schema-state, unknown-ids, foreign-keys)

    FAIL: 1 of 6 checks failed (file), 5 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Check the path. If banger has never run here, start it once, and it makes
         its store.
      2. If it has, the store was moved or deleted: restore a backup.

    More: doctor --explain file
    ");
}

#[test]
fn several_stores_take_a_line_each() {
    needs!("script");
    let place = Home::new();
    place.store("a/state.db");
    place.newer("b/state.db");
    place.store("c/state.db");
    let (screen, code) = place.screen(
        80,
        &[],
        &[
            SAME,
            "--color=never",
            "a/state.db",
            "b/state.db",
            "c/state.db",
            "d/state.db",
        ],
    );
    assert_eq!(code, 1);
    assert_snapshot!(screen, @"
    pass  a/state.db
    FAIL  b/state.db: 2 of 6 checks failed
          FAIL  schema-state  1 migration applied that this binary does not know; no
                              data is lost
          FAIL  unknown-ids   1 unknown id: [99]
                              · migration 99: applied, and unknown to this binary

          What to do (schema-state, unknown-ids):
            Update banger to the version that last used the store, or a later one:
            this one is older. Do not delete the store or edit its ledger, and do
            not swap this binary in.
    pass  c/state.db
    FAIL  d/state.db: 1 of 6 checks failed, 5 skipped
          FAIL  file  there is no such file, so nothing could be examined

          What to do (file):
            1. Check the path. If banger has never run here, start it once, and it
               makes its store.
            2. If it has, the store was moved or deleted: restore a backup.

    FAIL: 2 of 4 stores failed, 5 rows skipped
    ");
}

#[test]
fn colour_is_only_where_it_belongs() {
    needs!("script");
    let place = Home::new();
    place.store("state.db");
    let colored = |env: &[(&str, &str)], args: &[&str]| place.screen(80, env, args).0.contains('\x1b');
    assert!(colored(&[], &["state.db"]));
    assert!(!colored(&[("NO_COLOR", "1")], &["state.db"]));
    assert!(colored(&[("NO_COLOR", "")], &["state.db"]), "an empty NO_COLOR does not count");
    assert!(!colored(&[("TERM", "dumb")], &["state.db"]));
    assert!(!colored(&[], &["--color=never", "state.db"]));
    assert!(
        colored(&[("NO_COLOR", "1")], &["--color=always", "state.db"]),
        "what is asked for counts more"
    );
    assert!(!colored(&[], &["--format=markdown", "state.db"]));
    assert!(!colored(&[], &["--format=json", "state.db"]));
    // Not on a terminal: plain, and not folded.
    let piped = place.doctor(&["state.db"]).stdout;
    assert!(!piped.contains('\x1b') && piped.lines().any(|line| line.len() > 100), "{piped}");
    assert!(place.doctor(&["--color=always", "state.db"]).stdout.contains('\x1b'));
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let place = Home::new();
    for option in ["--only", "--skip", "--explain"] {
        let ran = place.doctor(&[option, "foregn-keys", "state.db"]);
        assert_eq!(ran.code, Some(64));
        assert!(ran.stderr.contains("'foreign-keys'"), "{ran:?}");
    }
    let none = place.doctor(&["--only=file", "--skip=file", "state.db"]);
    assert_eq!(none.code, Some(64));
    assert!(none.stderr.contains("leave no check to run"), "{none:?}");
}
