//! `migration-rehearsal`, and `--check-migrations --rehearse`.

use std::fs;

use insta::assert_snapshot;

use crate::support::Place;

const CHECK: &str = "migration-rehearsal";

/// The row without the time that it took.
fn row(store: &Place) -> String {
    let row = store.found(CHECK);
    match row.split_once(" rows in ") {
        Some((before, after)) if row.starts_with("pass") => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            format!("{before} rows in TIME{rest}")
        }
        _ => row,
    }
}

fn gate(store: &Place) -> String {
    let ran = store.ask(&["--check-migrations", "--rehearse"]);
    format!("{} {}", ran.code.unwrap(), ran.shown_stdout())
}

#[test]
fn what_is_pending_is_rehearsed() {
    let store = Place::with(1, 2);
    assert_snapshot!(row(&store), @"pass: none pending");
    assert_snapshot!(gate(&store), @"0 compatible: all 3 migrations applied");
    let store = Place::of_age(1);
    assert_snapshot!(row(&store), @"pass: rehearsed [2 3] on 3 rows in TIME ms");
    assert_snapshot!(gate(&store), @"1 migrations needed: pending [2 3] (binary will apply on first Open)");
}

#[test]
fn a_file_of_no_bytes_has_everything_pending() {
    let store = Place::new();
    fs::write(store.store(), "").unwrap();
    assert_snapshot!(gate(&store), @"1 migrations needed: pending [1 2 3] (binary will apply on first Open)");
}

#[test]
fn a_column_that_is_there_already() {
    let store = Place::of_age(2).after("ALTER TABLE vms ADD COLUMN workspace_json TEXT");
    assert_snapshot!(row(&store), @r"
    fail: migration 3 (add_vm_workspace) fails on this store: duplicate column name: workspace_json [1]
     - 3: fails on this store: duplicate column name: workspace_json [1]
    ");
    assert_snapshot!(gate(&store), @"2 incompatible: migration rehearsal failed: migration 3 (add_vm_workspace) fails on this store: duplicate column name: workspace_json [1] (do not swap)");
    assert_snapshot!(store.ask(&["--check-migrations", "--rehearse", "--format", "json"]).stdout, @r#"{"format":1,"compatibility":"incompatible","reason":"migration rehearsal failed: migration 3 (add_vm_workspace) fails on this store: duplicate column name: workspace_json [1]","applied":[1,2],"known_max":3,"pending":[3],"unknown":[]}"#);
    // Without the rehearsal the gate cannot know.
    assert_eq!(store.ask(&["--check-migrations"]).code, Some(1));
}

#[test]
fn a_trigger_that_deletes_what_the_daemon_does_not() {
    let store = Place::of_age(2)
        .after("CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN DELETE FROM vms WHERE state = 'stopped'; END");
    assert_snapshot!(row(&store), @r"
    fail: vms: 1 row is lost: 2 before, 1 after
     - vms: 1 row is lost: 2 before, 1 after
    ");
}

#[test]
fn a_trigger_that_refuses_with_a_cells_value() {
    let store = Place::of_age(2).after(
        "UPDATE vms SET spec_json = '{\"password\":\"secret\"}';
         CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN SELECT RAISE(ABORT, (SELECT spec_json FROM vms)); END",
    );
    let gate = gate(&store);
    assert!(!gate.contains("secret") && !row(&store).contains("secret"));
    assert_snapshot!(gate, @"2 incompatible: migration rehearsal failed: migration 3 (add_vm_workspace) fails on this store: a trigger of the store refuses it (do not swap)");
}

#[test]
fn a_view_that_stands_in_the_way_of_a_dropped_column() {
    let store = Place::of_age(1).after("CREATE VIEW v AS SELECT docker FROM images");
    assert_snapshot!(row(&store), @r"
    fail: migration 2 (drop_images_docker) fails on this store: error in view v after drop column: no such column: docker [1]
     - 2: fails on this store: error in view v after drop column: no such column: docker [1]
    ");
}

#[test]
fn an_index_that_stands_in_the_way_of_a_dropped_column() {
    let store = Place::of_age(1).after("CREATE INDEX i ON images(docker)");
    assert_snapshot!(row(&store), @r"
    fail: migration 2 (drop_images_docker) fails on this store: error in index i after drop column: no such column: docker [1]
     - 2: fails on this store: error in index i after drop column: no such column: docker [1]
    ");
}

#[test]
fn what_was_wrong_before_and_is_no_worse_is_not_the_migrations_fault() {
    let store = Place::of_age(2).after("UPDATE vms SET image_id = 'nowhere'");
    assert_snapshot!(row(&store), @"pass: rehearsed [3] on 3 rows in TIME ms");
    let store = Place::of_age(2)
        .rewritten("vms", "state TEXT NOT NULL", "state TEXT")
        .after("UPDATE vms SET state = NULL")
        .rewritten("vms", "state TEXT", "state TEXT NOT NULL");
    assert!(store.found("page-structure").starts_with("fail"));
    assert_snapshot!(row(&store), @"pass: rehearsed [3] on 3 rows in TIME ms");
}

#[test]
fn unknown_migrations_leave_the_shape_out() {
    let store = Place::of_age(2)
        .after("INSERT INTO schema_migrations VALUES (99, 'x', '2026-04-28T18:41:31Z'); ALTER TABLE vms ADD COLUMN y");
    assert_snapshot!(row(&store), @"pass: rehearsed [3] on 3 rows in TIME ms; the shape was not compared, because migrations are applied that this binary does not know");
    assert_snapshot!(gate(&store), @"2 incompatible: unknown [99] (this binary is older than the store; do not swap)");
}

#[test]
fn a_ledger_that_cannot_be_read() {
    let store = Place::new().after("CREATE TABLE schema_migrations(version TEXT)");
    assert_snapshot!(row(&store), @"fail: could not look: schema_migrations is not banger's ledger: its columns are not id, name and applied_at");
    assert_snapshot!(gate(&store), @"3 cannot tell: [PLACE]/store/state.db: schema_migrations is not banger's ledger: its columns are not id, name and applied_at");
    let said = store.ask(&[
        "--format",
        "json",
        "--only",
        "schema-state,migration-rehearsal,schema-shape",
    ]);
    assert_eq!(said.stdout.matches("needs `schema-state`").count(), 2, "{said:?}");
}

/// A store too large for memory.
fn large() -> Place {
    Place::of_age(2).after(
        "PRAGMA journal_mode=WAL;
         CREATE TABLE filler(x); INSERT INTO filler VALUES (zeroblob(9000000)); DROP TABLE filler;",
    )
}

#[test]
fn a_large_store_is_rehearsed_in_the_private_folder() {
    let store = large();
    assert!(fs::metadata(store.store()).unwrap().len() > 8 << 20);
    assert_snapshot!(row(&store), @"pass: rehearsed [3] on 3 rows in TIME ms");
    assert_snapshot!(gate(&store), @"1 migrations needed: pending [3] (binary will apply on first Open)");
}

#[test]
fn without_a_place_for_the_copy_there_is_no_answer() {
    let store = large();
    let ask = |arguments: &[&str]| store.doctor().env("TMPDIR", "/nowhere").args(arguments).arg(store.store()).run();
    let ran = ask(&["--check-migrations", "--rehearse"]);
    assert_eq!(ran.code, Some(3));
    let why = "cannot tell: [PLACE]/store/state.db: a private copy of the store is needed (to rehearse its pending migrations) and could not be made: cannot make a private folder in /nowhere: No such file or directory";
    assert!(ran.shown_stdout().starts_with(why), "{ran:?}");
    let ran = ask(&["--only", CHECK]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("could not look: a private copy of the store is needed"), "{ran:?}");
}

#[test]
fn a_trigger_without_end_is_ended_by_the_time_limit() {
    let store = Place::of_age(2).after(
        "CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN
           INSERT INTO images(id) SELECT 1 FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0); END",
    );
    let ran = store.ask(&["--check-migrations", "--rehearse", "--time-limit", "0.3"]);
    assert_eq!(ran.code, Some(3));
    assert_snapshot!(ran.shown_stdout(), @"cannot tell: [PLACE]/store/state.db: the time limit of 0.3 s ran out");
    let ran = store.ask(&["--only", CHECK, "--time-limit", "0.3"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("could not look: the time limit of 0.3 s ran out"), "{ran:?}");
}

#[test]
fn rehearse_is_the_gates_option() {
    let ran = Place::new().doctor().arg("--rehearse").run();
    assert_eq!(ran.code, Some(64), "{ran:?}");
}

/// What the gate answers to `--rehearse`, which the row says as well.
fn rehearsed(store: &Place) -> (Option<i32>, String) {
    let ran = store.ask(&["--check-migrations", "--rehearse"]);
    let row = store.found("migration-rehearsal");
    assert_eq!(row.starts_with("pass"), ran.code == Some(1), "the gate and the row agree: {ran:?}{row}");
    (ran.code, ran.stdout)
}

#[test]
fn what_is_merely_extra_is_no_reason_not_to_swap() {
    for extra in [
        "CREATE INDEX mine ON vms(state)",
        "CREATE TABLE notes(x); INSERT INTO notes VALUES (1)",
        "CREATE VIEW mine AS SELECT name FROM vms",
        "CREATE TRIGGER mine AFTER UPDATE ON vms BEGIN SELECT 1; END",
        "ALTER TABLE images ADD COLUMN packages_path TEXT",
        "CREATE VIRTUAL TABLE notes USING fts5(a); INSERT INTO notes VALUES ('hello')",
    ] {
        let store = Place::of_age(2).after(extra);
        let is_index = extra.starts_with("CREATE INDEX");
        assert!(store.found("schema-shape").starts_with(if is_index { "pass" } else { "fail" }), "{extra}");
        assert_eq!(rehearsed(&store).0, Some(1), "{extra}");
    }
}

#[test]
fn a_shape_that_this_binary_cannot_work_with_is_a_reason_whoever_made_it() {
    let store = Place::of_age(2).after("ALTER TABLE vms DROP COLUMN stats_json");
    let (exit, said) = rehearsed(&store);
    assert_eq!(exit, Some(2));
    assert!(
        said.contains("not as in a fresh store: vms.stats_json: the column is missing (the daemon cannot read it, as before the migrations)"),
        "{said}"
    );
    let store = Place::of_age(2).after(
        "CREATE TABLE copied AS SELECT * FROM images; DELETE FROM vms; DELETE FROM images;
         ALTER TABLE images ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    );
    assert_eq!(rehearsed(&store).0, Some(1), "a default is written by itself");
    let store = store.rewritten("images", "owner TEXT NOT NULL DEFAULT ''", "owner TEXT NOT NULL");
    let (exit, said) = rehearsed(&store);
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("the daemon cannot write it"), "{said}");
}

#[test]
fn a_value_that_a_check_constraint_forbade_before_is_not_the_migrations_fault() {
    let store = Place::of_age(2)
        .after("CREATE TABLE z(a CHECK (a > 5)); PRAGMA ignore_check_constraints=ON; INSERT INTO z VALUES (1)");
    assert!(store.found("page-structure").starts_with("fail"));
    assert_eq!(rehearsed(&store).0, Some(1));
}
