//! Stores that each tool left, and what is said of them.

use std::fmt::Write as _;

use super::harness::{ALL, D1, DIESEL, DRIZZLE, GOLANG_MIGRATE, Kept, SQLX, USER_VERSION};

#[test]
fn a_healthy_store_of_each_tool_has_no_other_fault_than_its_pending_migration() {
    for fixture in ALL {
        let kept = Kept::by(fixture);
        let fails: Vec<String> = kept.failing().into_iter().filter(|check| check != "migration-rehearsal").collect();
        assert_eq!(fails, [""; 0], "{fixture:?}");
    }
}

#[test]
fn where_it_stands_is_said_in_the_tools_own_terms() {
    let mut all = String::new();
    for fixture in ALL {
        let kept = Kept::by(fixture);
        for check in ["schema-state", "migration-history", "schema-shape"] {
            let _ = write!(all, "{} {check}: {}", fixture.folder, kept.said(check));
        }
    }
    insta::assert_snapshot!(all, @r"
    sqlx schema-state: pass: sqlx's ledger `_sqlx_migrations`: 3 applied, pending [20240101000004]: sqlx applies them when it next migrates
    sqlx migration-history: pass: 3 applied migrations, and their files are those that were applied
    sqlx schema-shape: pass: 2 tables are what replaying [20240101000001 20240101000002 20240101000003] gives
    golang-migrate schema-state: pass: golang-migrate's ledger `schema_migrations`: 3 applied, pending [4]: golang-migrate applies them when it next migrates
    golang-migrate migration-history: pass: 3 applied migrations; golang-migrate keeps no checksums, so whether a file was changed is not known
    golang-migrate schema-shape: pass: 2 tables are what replaying [1 2 3] gives
    drizzle schema-state: pass: drizzle's ledger `__drizzle_migrations`: 3 applied, pending [0003_step4]: drizzle applies them when it next migrates
    drizzle migration-history: pass: 3 applied migrations, and their files are those that were applied
    drizzle schema-shape: pass: 2 tables are what replaying [0000_step1 0001_step2 0002_step3] gives
    drizzle-folders schema-state: pass: drizzle's ledger `__drizzle_migrations`: 3 applied, pending [20261121165854_step4]: drizzle applies them when it next migrates
    drizzle-folders migration-history: pass: 3 applied migrations, and their files are those that were applied
    drizzle-folders schema-shape: pass: 2 tables are what replaying [20261121165733_step1 20261121165752_step2 20261121165824_step3] gives
    prisma schema-state: pass: Prisma's ledger `_prisma_migrations`: 3 applied, pending [20240101000004_archive]: Prisma applies them when it next migrates
    prisma migration-history: pass: 3 applied migrations, and their files are those that were applied
    prisma schema-shape: pass: 2 tables are what replaying [20240101000001_notebooks 20240101000002_notes 20240101000003_note_colour] gives
    goose schema-state: pass: goose's ledger `goose_db_version`: 4 applied, pending [5]: goose applies them when it next migrates
    goose migration-history: pass: 4 applied migrations; goose keeps no checksums, so whether a file was changed is not known
    goose schema-shape: pass: 2 tables are what replaying [1 2 3 4] gives
    d1 schema-state: pass: D1's ledger `d1_migrations`: 3 applied, pending [0011_archive.sql]: D1 applies them when it next migrates
    d1 migration-history: pass: 3 applied migrations; D1 keeps no checksums, so whether a file was changed is not known
    d1 schema-shape: pass: 2 tables are what replaying [0001_notebooks.sql 0002_notes.sql 0010_note_colour.sql] gives
    diesel schema-state: pass: diesel's ledger `__diesel_schema_migrations`: 3 applied, pending [202401030000040000]: diesel applies them when it next migrates
    diesel migration-history: pass: 3 applied migrations; diesel keeps no checksums, so whether a file was changed is not known
    diesel schema-shape: pass: 2 tables are what replaying [20240101000001 20240101000002 20240102] gives
    refinery schema-state: pass: refinery's ledger `refinery_schema_history`: 3 applied, pending [10]: refinery applies them when it next migrates
    refinery migration-history: pass: 3 applied migrations, and their files are those that were applied
    refinery schema-shape: pass: 2 tables are what replaying [1 2 3] gives
    dbmate schema-state: pass: dbmate's ledger `schema_migrations`: 3 applied, pending [20240101000004]: dbmate applies them when it next migrates
    dbmate migration-history: pass: 3 applied migrations; dbmate keeps no checksums, so whether a file was changed is not known
    dbmate schema-shape: pass: 2 tables are what replaying [20240101000001 20240101000002 20240101000003] gives
    rusqlite_migration schema-state: pass: user_version: 3 applied, pending [4]: the application applies them when it next migrates
    rusqlite_migration migration-history: pass: 3 applied migrations; the application keeps no checksums, so whether a file was changed is not known
    rusqlite_migration schema-shape: pass: 2 tables are what replaying [1 2 3] gives
    ");
}

#[test]
fn the_gate_says_what_is_pending_in_the_same_words_and_codes() {
    let mut all = String::new();
    for fixture in ALL {
        let kept = Kept::by(fixture);
        let _ = writeln!(all, "{}: {}", fixture.folder, kept.gate(&[]));
    }
    insta::assert_snapshot!(all, @r"
    sqlx: migrations needed: pending [20240101000004] (binary will apply on first Open) [1]
    golang-migrate: migrations needed: pending [4] (binary will apply on first Open) [1]
    drizzle: migrations needed: pending [0003_step4] (binary will apply on first Open) [1]
    drizzle-folders: migrations needed: pending [20261121165854_step4] (binary will apply on first Open) [1]
    prisma: migrations needed: pending [20240101000004_archive] (binary will apply on first Open) [1]
    goose: migrations needed: pending [5] (binary will apply on first Open) [1]
    d1: migrations needed: pending [0011_archive.sql] (binary will apply on first Open) [1]
    diesel: migrations needed: pending [202401030000040000] (binary will apply on first Open) [1]
    refinery: migrations needed: pending [10] (binary will apply on first Open) [1]
    dbmate: migrations needed: pending [20240101000004] (binary will apply on first Open) [1]
    rusqlite_migration: migrations needed: pending [4] (binary will apply on first Open) [1]
    ");
}

/// The fourth file of each rebuilds a table to which others refer with ON DELETE CASCADE: what becomes of their rows is the tool's
/// doing.
#[test]
fn a_rebuild_is_tried_as_each_tool_runs_it() {
    let mut all = String::new();
    for fixture in ALL {
        let kept = Kept::by(fixture);
        let said = kept.said("migration-rehearsal");
        let gate = kept.gate(&["--rehearse"]);
        assert!(
            gate.starts_with("incompatible: migration rehearsal failed: notes: 6 rows are lost")
                && gate.ends_with("[2]")
        );
        let _ = writeln!(all, "{}: {}", fixture.folder, said.lines().next().unwrap());
    }
    insta::assert_snapshot!(all, @r"
    sqlx: fail: notes: 6 rows are lost, in migration 20240101000004, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    golang-migrate: fail: notes: 6 rows are lost if foreign keys are on, in migration 4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off, as is usual for the tool, they stay
    drizzle: fail: notes: 6 rows are lost, in migration 0003_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    drizzle-folders: fail: notes: 6 rows are lost, in migration 20261121165854_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    prisma: fail: notes: 6 rows are lost, in migration 20240101000004_archive, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    goose: fail: notes: 6 rows are lost if foreign keys are on, in migration 5, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off, as is usual for the tool, they stay
    d1: fail: notes: 6 rows are lost, in migration 0011_archive.sql, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    diesel: fail: notes: 6 rows are lost, in migration 202401030000040000, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    refinery: fail: notes: 6 rows are lost, in migration 10, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    dbmate: fail: notes: 6 rows are lost if foreign keys are on, in migration 20240101000004, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off, as is usual for the tool, they stay
    rusqlite_migration: fail: notes: 6 rows are lost, in migration 4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    ");
}

#[test]
fn a_whole_report() {
    insta::assert_snapshot!(Kept::by(SQLX).report(), @"
    [PLACE]/store/state.db

    pass  file                 an SQLite database, 6 pages of 4096 bytes
    pass  journal              nothing is waiting to be written back
    pass  in-use               no program has it open
    pass  read-only            closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    pass  page-structure       6 pages checked
    pass  schema-state         sqlx's ledger `_sqlx_migrations`: 3 applied, pending [20240101000004]: sqlx applies them when it next migrates
    pass  unknown-ids          none: the folder has every applied migration
    pass  migration-history    3 applied migrations, and their files are those that were applied
    pass  schema-shape         2 tables are what replaying [20240101000001 20240101000002 20240101000003] gives
    FAIL  migration-rehearsal  notes: 6 rows are lost, in migration 20240101000004, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
    pass  foreign-keys         1 foreign key holds
    pass  row-values           the text in 12 rows of 3 tables is in the store's encoding, UTF-8
    skip  artifacts            it is not known which files the application names in its store

    FAIL: 1 of 13 checks failed (migration-rehearsal), 1 skipped
    No data is lost.

    What to do (migration-rehearsal):
      1. Do not let these migrations run on this store: they would go wrong. Nothing was changed.
      2. Mend the migration, and rehearse it again.
      3. Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.

    More: doctor --explain migration-rehearsal
    --- exit 1 ---
    ");
}

#[test]
fn the_gates_json_has_its_ids_as_text() {
    let json = |kept: &Kept, arguments: &[&str]| {
        let ran = kept.ask(&[&["--check-migrations", "--format", "json"], arguments].concat());
        format!("{} [{}]", ran.stdout.trim_end(), ran.code.unwrap())
    };
    let kept = Kept::by(SQLX);
    insta::assert_snapshot!(json(&kept, &[]), @r#"{"format":1,"compatibility":"migrations-needed","applied":["20240101000001","20240101000002","20240101000003"],"known_max":"20240101000004","pending":["20240101000004"],"unknown":[]} [1]"#);
    insta::assert_snapshot!(json(&kept, &["--rehearse"]), @r#"{"format":1,"compatibility":"incompatible","reason":"migration rehearsal failed: notes: 6 rows are lost, in migration 20240101000004, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay","applied":["20240101000001","20240101000002","20240101000003"],"known_max":"20240101000004","pending":["20240101000004"],"unknown":[]} [2]"#);
    insta::assert_snapshot!(json(&Kept::by(DRIZZLE), &[]), @r#"{"format":1,"compatibility":"migrations-needed","applied":["0000_step1","0001_step2","0002_step3"],"known_max":"0003_step4","pending":["0003_step4"],"unknown":[]} [1]"#);
}

#[test]
fn a_store_in_which_nothing_is_has_everything_pending() {
    for (fixture, pending) in [
        (SQLX, "20240101000001 20240101000002"),
        (USER_VERSION, "1 2 3 4"),
        (DIESEL, "20240101000001"),
    ] {
        let kept = Kept::by(fixture);
        std::fs::write(kept.place.store(), "").unwrap();
        let said = kept.gate(&["--rehearse"]);
        assert!(
            said.starts_with(&format!("migrations needed: pending [{pending}")) && said.ends_with("[1]"),
            "{said}"
        );
        // The same in a database that has pages and no table.
        kept.place.sql("PRAGMA application_id = 7");
        assert_eq!(kept.gate(&["--rehearse"]), said);
    }
}

/// And what the emulator of D1 keeps beside the application's tables is not the application's.
#[test]
fn drizzles_files_lie_under_d1s_ledger() {
    let kept = Kept::unrecorded(DRIZZLE);
    kept.place.sql(
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);
         INSERT INTO d1_migrations (name) VALUES ('0000_step1.sql'), ('0001_step2.sql'), ('0002_step3.sql');
         CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;",
    );
    insta::assert_snapshot!(kept.said("schema-state"), @r"pass: D1's ledger `d1_migrations`: 3 applied, pending [0003_step4.sql]: D1 applies them when it next migrates");
    insta::assert_snapshot!(kept.said("schema-shape"), @r"pass: 2 tables are what replaying [0000_step1.sql 0001_step2.sql 0002_step3.sql] gives");
}

#[test]
fn several_stores_are_held_against_one_folder() {
    let kept = Kept::by(GOLANG_MIGRATE);
    let other = Kept::by(GOLANG_MIGRATE);
    other.place.sql("UPDATE schema_migrations SET version = 9");
    let ran = kept
        .place
        .doctor()
        .args([
            "--migrations",
            "migrations",
            "--format",
            "json",
            "--only",
            "schema-state",
        ])
        .args([kept.place.store(), other.place.store()])
        .run();
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!((ran.code, verdicts), (Some(1), vec!["pass", "fail"]));
}

#[test]
fn a_ledger_under_another_name_is_known_where_the_folder_says_whose_it_may_be() {
    let kept = Kept::by(D1);
    kept.place.sql("ALTER TABLE d1_migrations RENAME TO applied");
    assert!(kept.said("schema-state").starts_with("pass: D1's ledger `applied`: 3 applied"));
}

/// An application may have changed its tool, or a library of it may keep a ledger of its own.
#[test]
fn other_ledgers_in_the_store_are_nobodys_drift() {
    let kept = Kept::by(SQLX);
    kept.place.sql(
        "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))",
    );
    insta::assert_snapshot!(kept.said("schema-state"), @r"pass: sqlx's ledger `_sqlx_migrations`: 3 applied, pending [20240101000004]: sqlx applies them when it next migrates; not looked at: goose's ledger `goose_db_version`");
    assert!(kept.said("schema-shape").starts_with("pass: "), "{}", kept.said("schema-shape"));
}

/// What the application committed is tried, and what it has not committed is not; it is not disturbed, and nothing is left.
#[test]
fn a_store_that_its_application_writes_to_is_read_as_it_was_committed() {
    let kept = Kept::by(SQLX);
    let application = kept.place.open();
    application
        .execute_batch(
            "PRAGMA journal_mode=WAL; INSERT INTO notes (notebook_id) VALUES (1); BEGIN IMMEDIATE; INSERT INTO notes (notebook_id) VALUES (2)",
        )
        .unwrap();
    // It holds that nothing changes beside the store either.
    let ran = kept.place.ask(&["--migrations", "migrations", "--check-migrations", "--rehearse"]);
    assert!(ran.stdout.contains("notes: 7 rows are lost"), "{ran:?}");
    application.execute_batch("COMMIT").unwrap();
    let ran = kept.place.ask(&["--migrations", "migrations", "--check-migrations", "--rehearse"]);
    assert!(ran.stdout.contains("notes: 8 rows are lost"), "{ran:?}");
}
