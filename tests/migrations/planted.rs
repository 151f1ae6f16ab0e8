//! What is wrong in a ledger, in a folder or in a schema, planted for each tool.

use std::fmt::Write as _;
use std::fs;

use super::harness::{
    ALL, D1, DBMATE, DIESEL, DRIZZLE, DRIZZLE_FOLDERS, Fixture, GOLANG_MIGRATE, GOOSE, Kept, PRISMA, REFINERY, SQLX,
    USER_VERSION,
};

/// Adds the row of a migration that the folder does not have, as the tool writes it.
fn later(fixture: Fixture) -> &'static str {
    match fixture.folder {
        "sqlx" => "INSERT INTO _sqlx_migrations VALUES (20990101000000, 'later', '2026-11-21', 1, x'00', 1)",
        "golang-migrate" => "UPDATE schema_migrations SET version = 99",
        "drizzle" => "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 4070908800000)",
        "drizzle-folders" => {
            "INSERT INTO __drizzle_migrations (hash, created_at, name) VALUES ('x', 4070908800000, '20990101000000_for_alice')"
        }
        "prisma" => {
            "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES ('x', 'y', 1, '20990101000000_for_alice')"
        }
        "goose" => "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)",
        "d1" => "INSERT INTO d1_migrations (name) VALUES ('0099_for_alice.sql')",
        "diesel" => "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')",
        "refinery" => "INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-11-21T00:00:00Z', '1')",
        "dbmate" => "INSERT INTO schema_migrations VALUES ('20990101000000')",
        _ => "PRAGMA user_version = 99",
    }
}

#[test]
fn an_applied_migration_that_is_not_in_the_folder_fails_and_is_incompatible() {
    let mut all = String::new();
    for fixture in ALL {
        let kept = Kept::by(fixture);
        kept.place.sql(later(fixture));
        let said = kept.said("unknown-ids");
        let _ = writeln!(all, "{}: {}  {}", fixture.folder, said.lines().next().unwrap(), kept.gate(&[]));
        assert!(!kept.report().contains("alice"), "{fixture:?}: a name in a ledger is a cell's value");
        assert!(kept.said("schema-shape").starts_with("skip: "), "{fixture:?}");
    }
    insta::assert_snapshot!(all, @r"
    sqlx: fail: 1 unknown migration: [20990101000000]; sqlx refuses to run  incompatible: unknown [20990101000000] (this binary is older than the store; do not swap) [2]
    golang-migrate: fail: 1 unknown migration: [99]; golang-migrate refuses to run  incompatible: unknown [99] (this binary is older than the store; do not swap) [2]
    drizzle: fail: 1 unknown migration: [4070908800000]; drizzle itself says nothing of it  incompatible: unknown [4070908800000] (this binary is older than the store; do not swap) [2]
    drizzle-folders: fail: 1 unknown migration: [20990101000000…]; drizzle itself says nothing of it  incompatible: unknown [20990101000000…] (this binary is older than the store; do not swap) [2]
    prisma: fail: 1 unknown migration: [20990101000000…]; Prisma itself says nothing of it  incompatible: unknown [20990101000000…] (this binary is older than the store; do not swap) [2]
    goose: fail: 1 unknown migration: [99]; goose itself says nothing of it  incompatible: unknown [99] (this binary is older than the store; do not swap) [2]
    d1: fail: 1 unknown migration: [0099…]; D1 itself says nothing of it  incompatible: unknown [0099…] (this binary is older than the store; do not swap) [2]
    diesel: fail: 1 unknown migration: [20990101000000]; diesel itself says nothing of it  incompatible: unknown [20990101000000] (this binary is older than the store; do not swap) [2]
    refinery: fail: 1 unknown migration: [99]; refinery refuses to run  incompatible: unknown [99] (this binary is older than the store; do not swap) [2]
    dbmate: fail: 1 unknown migration: [20990101000000]; dbmate itself says nothing of it  incompatible: unknown [20990101000000] (this binary is older than the store; do not swap) [2]
    rusqlite_migration: fail: 1 unknown migration: [99]; the application refuses to run  incompatible: unknown [99] (this binary is older than the store; do not swap) [2]
    ");
    let kept = Kept::by(SQLX);
    kept.place.sql(later(SQLX));
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: sqlx's ledger `_sqlx_migrations`: 1 migration applied that the folder does not have, and pending [20240101000004]; no data is lost
      -> Take the folder of the version of the application that last used the store, or a later one: the store is newer than this folder. Do not start this version on it, and do not delete the store or edit its ledger.
    ");
    insta::assert_snapshot!(kept.said("unknown-ids"), @r#"
    fail: 1 unknown migration: [20990101000000]; sqlx refuses to run
      id 20990101000000, kind "unknown-migrations": applied, and not in the folder
      1 in all
      -> Take the folder of the version of the application that last used the store, or a later one: the store is newer than this folder. Do not start this version on it, and do not delete the store or edit its ledger.
    "#);
}

/// The second migration was never applied. Whether that is a fault is for the tool to say: many run it all the same, and so it is
/// pending.
#[test]
fn a_gap_is_what_the_tool_makes_of_it() {
    let mut all = String::new();
    for fixture in ALL {
        let forget = match fixture.folder {
            // They keep the latest version alone: nobody sees a gap.
            "golang-migrate" | "rusqlite_migration" => continue,
            "goose" => "DELETE FROM goose_db_version WHERE version_id = 2".to_owned(),
            _ => format!("DELETE FROM \"{}\" WHERE rowid = 2", fixture.table),
        };
        let kept = Kept::by(fixture);
        kept.place.sql(&forget);
        let said = kept.said("migration-history");
        let _ = writeln!(all, "{}: {}  {}", fixture.folder, said.lines().next().unwrap(), kept.gate(&[]));
    }
    insta::assert_snapshot!(all, @r"
    sqlx: pass: 2 applied migrations, and their files are those that were applied; 1 pending migration is older than the newest that is applied (20240101000002): sqlx runs it all the same  migrations needed: pending [20240101000002 20240101000004] (binary will apply on first Open) [1]
    drizzle: fail: 0001_step2.sql will never run: it is older than the newest migration that is applied, and drizzle does not mention it  incompatible: 0001_step2.sql will never run: it is older than the newest migration that is applied, and drizzle does not mention it (do not swap) [2]
    drizzle-folders: pass: 2 applied migrations, and their files are those that were applied; 1 pending migration is older than the newest that is applied (20261121165752_step2): drizzle runs it all the same  migrations needed: pending [20261121165752_step2 20261121165854_step4] (binary will apply on first Open) [1]
    prisma: pass: 2 applied migrations, and their files are those that were applied; 1 pending migration is older than the newest that is applied (20240101000002_notes): Prisma runs it all the same  migrations needed: pending [20240101000002_notes 20240101000004_archive] (binary will apply on first Open) [1]
    goose: fail: migration 2 was never applied, though a later one was: goose refuses to run  incompatible: goose would run nothing: migration 2 was never applied, and a later one is (do not swap) [2]
    d1: pass: 2 applied migrations; D1 keeps no checksums, so whether a file was changed is not known; 1 pending migration is older than the newest that is applied (0002_notes.sql): D1 runs it all the same  migrations needed: pending [0002_notes.sql 0011_archive.sql] (binary will apply on first Open) [1]
    diesel: pass: 2 applied migrations; diesel keeps no checksums, so whether a file was changed is not known; 1 pending migration is older than the newest that is applied (20240101000002): diesel runs it all the same  migrations needed: pending [20240101000002 202401030000040000] (binary will apply on first Open) [1]
    refinery: fail: migration 2 was never applied, though a later one was: refinery refuses to run  incompatible: refinery would run nothing: migration 2 was never applied, and a later one is (do not swap) [2]
    dbmate: pass: 2 applied migrations; dbmate keeps no checksums, so whether a file was changed is not known; 1 pending migration is older than the newest that is applied (20240101000002): dbmate runs it all the same  migrations needed: pending [20240101000002 20240101000004] (binary will apply on first Open) [1]
    ");
    let kept = Kept::by(GOOSE);
    kept.place.sql("DELETE FROM goose_db_version WHERE version_id = 2");
    insta::assert_snapshot!(kept.said("migration-history"), @r#"
    fail: migration 2 was never applied, though a later one was: goose refuses to run
      id 2, kind "folder-differs": migration 2 was never applied, though a later one was: goose refuses to run
      1 in all
      -> Nothing is lost. Give the file that came too late a version above all that are applied, or apply it by hand as the tool's manual says. Until then the tool runs nothing.
    "#);
    assert!(kept.said("migration-rehearsal").starts_with("skip: goose would run nothing"));
}

#[test]
fn an_edited_file_is_told_by_content_or_by_line_ends() {
    let files = [
        (SQLX, "20240101000002_notes.sql"),
        (REFINERY, "V2__notes.sql"),
        (PRISMA, "20240101000002_notes/migration.sql"),
        (DRIZZLE, "0001_step2.sql"),
        (DRIZZLE_FOLDERS, "20261121165752_step2/migration.sql"),
    ];
    let mut all = String::new();
    for (fixture, file) in files {
        let kept = Kept::by(fixture);
        kept.edit(file, |text| text.replace('\n', "\r\n"));
        let said = |kept: &Kept| {
            let said = kept.said("migration-history");
            format!("{}  {}", said.lines().next().unwrap(), kept.gate(&[]))
        };
        let _ = writeln!(all, "{}: {}", fixture.folder, said(&kept));
        kept.edit(file, |text| text.replacen("body", "\"body\"", 1).replacen("`\"body\"`", "`body` ", 1));
        let _ = writeln!(all, "{}: {}", fixture.folder, said(&kept));
    }
    insta::assert_snapshot!(all, @"
    sqlx: fail: migration 20240101000002 is not the file that was applied: it differs by its line ends only; sqlx refuses to run  incompatible: sqlx would run nothing: migration 20240101000002 is not the one that was applied: it differs by its line ends only (do not swap) [2]
    sqlx: fail: migration 20240101000002 is not the file that was applied: it differs by its content; sqlx refuses to run  incompatible: sqlx would run nothing: migration 20240101000002 is not the one that was applied: it differs by its content (do not swap) [2]
    refinery: fail: migration 2 is not the file that was applied: it differs by its line ends only; refinery refuses to run  incompatible: refinery would run nothing: migration 2 is not the one that was applied: it differs by its line ends only (do not swap) [2]
    refinery: fail: migration 2 is not the file that was applied: it differs by its content; refinery refuses to run  incompatible: refinery would run nothing: migration 2 is not the one that was applied: it differs by its content (do not swap) [2]
    prisma: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 20240101000002_notes is not the file that was applied: it differs by its line ends only; Prisma takes no notice  migrations needed: pending [20240101000004_archive] (binary will apply on first Open) [1]
    prisma: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 20240101000002_notes is not the file that was applied: it differs by its content; Prisma warns of it and runs on, and the store has the shape that the files make today (comments, layout or rows may differ)  migrations needed: pending [20240101000004_archive] (binary will apply on first Open) [1]
    drizzle: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 0001_step2 is not the file that was applied: it differs by its line ends only; drizzle takes no notice  migrations needed: pending [0003_step4] (binary will apply on first Open) [1]
    drizzle: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 0001_step2 is not the file that was applied: it differs by its content; drizzle takes no notice, and the store has the shape that the files make today (comments, layout or rows may differ)  migrations needed: pending [0003_step4] (binary will apply on first Open) [1]
    drizzle-folders: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 20261121165752_step2 is not the file that was applied: it differs by its line ends only; drizzle takes no notice  migrations needed: pending [20261121165854_step4] (binary will apply on first Open) [1]
    drizzle-folders: pass: 3 applied migrations, and the files of 2 are those that were applied; migration 20261121165752_step2 is not the file that was applied: it differs by its content; drizzle takes no notice, and the store has the shape that the files make today (comments, layout or rows may differ)  migrations needed: pending [20261121165854_step4] (binary will apply on first Open) [1]
    ");
    let kept = Kept::by(SQLX);
    kept.edit("20240101000002_notes.sql", |text| text.replace('\n', "\r\n"));
    insta::assert_snapshot!(kept.said("migration-history"), @r#"
    fail: migration 20240101000002 is not the file that was applied: it differs by its line ends only; sqlx refuses to run
      id 20240101000002, kind "folder-differs": migration 20240101000002 is not the file that was applied: it differs by its line ends only; sqlx refuses to run
      1 in all
      -> Nothing is wrong with the store. Keep the line ends from being changed at checkout (`*.sql text eol=lf` in .gitattributes, or -text), and check the files out again.
    "#);
}

#[test]
fn files_of_one_version_are_a_fault_of_the_folder() {
    let mut all = String::new();
    for (fixture, first, second) in [
        (SQLX, "20240101000002_notes.sql", "20240101000002_again.sql"),
        (GOLANG_MIGRATE, "000002_notes.up.sql", "2_again.up.sql"),
        (GOOSE, "00002_notes.sql", "2_again.sql"),
        (REFINERY, "V2__notes.sql", "V02__again.sql"),
        (DBMATE, "20240101000002_notes.sql", "20240101000002again.sql"),
        (DIESEL, "2024-01-01-000002_notes/up.sql", "2024-01-01000002_again/up.sql"),
    ] {
        let kept = Kept::by(fixture);
        kept.write(second, &kept.text(first));
        let said = kept.said("migration-history");
        let _ = writeln!(all, "{}: {}  {}", fixture.folder, said.lines().next().unwrap(), kept.gate(&[]));
    }
    insta::assert_snapshot!(all, @r"
    sqlx: fail: several files have the version 20240101000002 (20240101000002_again.sql, 20240101000002_notes.sql): sqlx refuses to run  incompatible: sqlx would run nothing: several files have the version 20240101000002 (do not swap) [2]
    golang-migrate: fail: several files have the version 2 (000002_notes.up.sql, 2_again.up.sql): golang-migrate refuses to run  incompatible: golang-migrate would run nothing: several files have the version 2 (do not swap) [2]
    goose: fail: several files have the version 2 (00002_notes.sql, 2_again.sql): goose refuses to run  incompatible: goose would run nothing: several files have the version 2 (do not swap) [2]
    refinery: fail: several files have the version 2 (V02__again.sql, V2__notes.sql): refinery refuses to run  incompatible: refinery would run nothing: several files have the version 2 (do not swap) [2]
    dbmate: fail: several files have the version 20240101000002 (20240101000002_notes.sql, 20240101000002again.sql): dbmate refuses to run  incompatible: dbmate would run nothing: several files have the version 20240101000002 (do not swap) [2]
    diesel: fail: several files have the version 20240101000002 (2024-01-01-000002_notes/up.sql, 2024-01-01000002_again/up.sql): diesel runs one of them and forgets the other  incompatible: several files have the version 20240101000002 (2024-01-01-000002_notes/up.sql, 2024-01-01000002_again/up.sql): diesel runs one of them and forgets the other (do not swap) [2]
    ");
}

#[test]
fn a_file_that_drizzle_will_never_run_is_named() {
    let kept = Kept::by(DRIZZLE);
    kept.edit("meta/_journal.json", |text| {
        let mut journal: serde_json::Value = serde_json::from_str(text).unwrap();
        let late = serde_json::json!({"idx": 4, "version": "6", "when": 1_700_000_000_000_i64, "tag": "0004_late", "breakpoints": true});
        journal["entries"].as_array_mut().unwrap().push(late);
        journal.to_string()
    });
    kept.write("0004_late.sql", "CREATE TABLE late (x);");
    kept.write("0005_forgotten.sql", "CREATE TABLE forgotten (x);");
    kept.write("seed.sql", "INSERT INTO notebooks VALUES (9, 'nine');");
    insta::assert_snapshot!(kept.said("migration-history"), @r#"
    fail: 0004_late.sql will never run: it is older than the newest migration that is applied, and drizzle does not mention it; 0005_forgotten.sql will never run: the journal does not name it, and drizzle does not mention it
      kind "folder-differs": 0004_late.sql will never run: it is older than the newest migration that is applied, and drizzle does not mention it
      kind "folder-differs": 0005_forgotten.sql will never run: the journal does not name it, and drizzle does not mention it
      2 in all
      -> Make the migration anew, so that it comes after all that are applied, and take the old file away. Or write by hand what it should have done.
    "#);
}

#[test]
fn dirty_and_failed_are_told_by_the_stores_shape() {
    let dirty = |fixture: Fixture, ledger: &str| {
        let kept = Kept::unrecorded(fixture);
        kept.write_ledger(fixture, ledger);
        kept
    };
    let kept = dirty(GOLANG_MIGRATE, "ledger-dirty");
    insta::assert_snapshot!(kept.said("schema-state"), @r#"
    fail: golang-migrate's ledger `schema_migrations`: 3 applied, and version 4 is dirty: it was at work there and did not come to its end; the store has the shape from before it: nothing of it is there; golang-migrate runs nothing before that is settled
      id 4, kind "migration-unfinished", table "schema_migrations": version 4 is dirty: it was at work there and did not come to its end; the store has the shape from before it: nothing of it is there
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. The store has nothing of the migration. 3. Tell golang-migrate so (`migrate force VERSION`), and let it go on.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
    insta::assert_snapshot!(kept.gate(&[]), @r"incompatible: golang-migrate would run nothing: version 4 is dirty (do not swap) [2]");
    kept.place.sql("ALTER TABLE notebooks ADD COLUMN archived INTEGER NOT NULL DEFAULT 0");
    insta::assert_snapshot!(kept.said("schema-state"), @r#"
    fail: golang-migrate's ledger `schema_migrations`: 3 applied, and version 4 is dirty: it was at work there and did not come to its end; the store has the shape that it leaves: all of it is there; golang-migrate runs nothing before that is settled
      id 4, kind "migration-unfinished", table "schema_migrations": version 4 is dirty: it was at work there and did not come to its end; the store has the shape that it leaves: all of it is there
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. The store has all of the migration. 3. Tell golang-migrate so (`migrate force VERSION`), and let it go on.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
    assert!(kept.said("schema-shape").starts_with("pass: "), "{}", kept.said("schema-shape"));
    kept.place
        .sql("CREATE TABLE notebooks_new (x); ALTER TABLE notebooks DROP COLUMN archived");
    insta::assert_snapshot!(kept.said("schema-state"), @r#"
    fail: golang-migrate's ledger `schema_migrations`: 3 applied, and version 4 is dirty: it was at work there and did not come to its end; the store has the shape from before it: nothing of it is there; golang-migrate runs nothing before that is settled
      id 4, kind "migration-unfinished", table "schema_migrations": version 4 is dirty: it was at work there and did not come to its end; the store has the shape from before it: nothing of it is there
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. The store has nothing of the migration. 3. Tell golang-migrate so (`migrate force VERSION`), and let it go on.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
    let kept = dirty(PRISMA, "ledger-failed");
    insta::assert_snapshot!(kept.said("schema-state"), @r#"
    fail: Prisma's ledger `_prisma_migrations`: 3 applied, and migration 20240101000004_archive failed; the store has the shape from before it: nothing of it is there; Prisma runs nothing before that is settled
      kind "migration-unfinished", table "_prisma_migrations": migration 20240101000004_archive failed; the store has the shape from before it: nothing of it is there
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. The store has nothing of the migration. 3. Tell Prisma so (`prisma migrate resolve`), and let it go on.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
    let kept = Kept::by(SQLX);
    kept.place.sql("UPDATE _sqlx_migrations SET success = 0 WHERE version = 20240101000003");
    insta::assert_snapshot!(kept.said("schema-state"), @r#"
    fail: sqlx's ledger `_sqlx_migrations`: 2 applied, and migration 20240101000003 failed; the store has the shape that it leaves: all of it is there; sqlx runs nothing before that is settled
      id 20240101000003, kind "migration-unfinished", table "_sqlx_migrations": migration 20240101000003 failed; the store has the shape that it leaves: all of it is there
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. The store has all of the migration. 3. Let sqlx go on as its manual says.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

#[test]
fn an_empty_ledger_over_objects_that_are_all_there_is_said() {
    for fixture in ALL {
        let kept = Kept::by(fixture);
        kept.place.sql(&match fixture.table {
            "" => "PRAGMA user_version = 0".to_owned(),
            table => format!("DELETE FROM \"{table}\""),
        });
        let said = kept.said("schema-state");
        assert!(
            said.contains("nothing applied, and yet the store has what the first "),
            "{fixture:?}: {said}"
        );
        // What the tool would then run fails on what is there already.
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.contains("already exists") && gate.ends_with("[2]"), "{fixture:?}: {gate}");
    }
    let kept = Kept::by(D1);
    kept.place.sql("DELETE FROM d1_migrations");
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: D1's ledger `d1_migrations`: nothing applied, and yet the store has what the first 3 migrations of the folder make: D1 would run them again
      -> 1. Do not let D1 migrate the store: it would begin at the first migration. Keep a copy of all its files. 2. Find out how its tables were made, and record as applied what is there, as D1's manual says (often called a baseline).
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    ");
}

#[test]
fn a_store_with_tables_and_without_a_ledger_is_no_answer() {
    let kept = Kept::unrecorded(SQLX);
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: could not look: it has tables, and none of them is a ledger of sqlx: either its migrations were never recorded, or neither the name nor the columns of its ledger tell (say which table it is with --ledger)
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    insta::assert_snapshot!(kept.gate(&[]), @r"cannot tell: [PLACE]/store/state.db: it has tables, and none of them is a ledger of sqlx: either its migrations were never recorded, or neither the name nor the columns of its ledger tell (say which table it is with --ledger) [3]");
    let row = kept.row("schema-shape");
    assert_eq!(row["status"], "fail", "nobody asked for the row that says why: {row}");
}

#[test]
fn another_tools_ledger_is_no_answer() {
    let kept = Kept::by(GOOSE);
    fs::remove_dir_all(kept.folder()).unwrap();
    let prisma = Kept::by(PRISMA);
    fs::rename(prisma.folder(), kept.folder()).unwrap();
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: could not look: the folder looks as if it were made for Prisma, and the store has goose's ledger `goose_db_version`; these are no migrations of goose: nothing in the folder is named as its migrations are
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"cannot tell: [PLACE]/store/state.db: the folder looks as if it were made for Prisma, and the store has goose's ledger `goose_db_version`; these are no migrations of goose: nothing in the folder is named as its migrations are [3]");
    let kept = Kept::made(
        "CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied datetime NOT NULL)",
        &[("1_a.sql", "CREATE TABLE a (x);")],
    );
    insta::assert_snapshot!(kept.gate(&[]), @"cannot tell: [PLACE]/store/state.db: the folder looks as if it were made for sqlx, D1 or user_version, and the store has Django's ledger `django_migrations`; these are no migrations of Django: nothing in the folder is named as its migrations are [3]");
}

/// One file that the tool itself would not take.
#[test]
fn a_folder_that_the_ledgers_tool_would_not_take_says_which_file_is_wrong() {
    let kept = Kept::by(SQLX);
    kept.write("seed_data.sql", "SELECT 1;");
    insta::assert_snapshot!(kept.gate(&[]), @r"cannot tell: --migrations migrations: these are no migrations of sqlx: seed_data.sql: before its first underscore stands no number [3]");
    let kept = Kept::by(USER_VERSION);
    fs::remove_dir_all(kept.folder()).unwrap();
    for file in ["1_a.sql", "2_b.sql", "2_c.sql"] {
        kept.write(file, "SELECT 1;");
    }
    insta::assert_snapshot!(kept.gate(&[]), @r"cannot tell: [PLACE]/store/state.db: user_version is 3 and may count its migrations, but 2_c.sql: two files have one number, so user_version cannot tell which were applied; it has tables, and none of them is a ledger of sqlx or D1 either (say which table it is with --ledger) [3]");
}

/// Drift, found whatever tool applied the migrations.
#[test]
fn drift_in_a_column_an_index_and_a_trigger_is_found() {
    let goose = "SELECT 1";
    for fixture in ALL {
        let index = match fixture.folder {
            "drizzle" | "drizzle-folders" => "CREATE INDEX extra ON notes (body)",
            _ => "DROP INDEX notes_by_notebook",
        };
        for drift in [
            "ALTER TABLE notes ADD COLUMN extra TEXT",
            index,
            "CREATE TRIGGER extra AFTER DELETE ON notes BEGIN DELETE FROM notebooks; END",
            "CREATE TABLE extra (x)",
            goose,
        ] {
            let kept = Kept::by(fixture);
            kept.place.sql(drift);
            // An index that no migration makes does no harm.
            let wanted = if drift == goose || drift.starts_with("CREATE INDEX") {
                "pass"
            } else {
                "fail"
            };
            assert_eq!(
                kept.row("schema-shape")["status"],
                wanted,
                "{fixture:?}: {drift}: {}",
                kept.said("schema-shape")
            );
        }
    }
    let kept = Kept::by(SQLX);
    kept.place.sql(
        "ALTER TABLE notes DROP COLUMN colour; DROP INDEX notes_by_notebook;
         CREATE TRIGGER behind AFTER DELETE ON notes BEGIN DELETE FROM notebooks; END;
         CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);",
    );
    insta::assert_snapshot!(kept.said("schema-shape"), @r#"
    fail: notes.colour: the column is missing (what reads it may fail); notes: an extra trigger, behind (changes rows behind the application's back); and 1 more difference
      column "colour", kind "shape-differs", table "notes": the column is missing (what reads it may fail)
      kind "shape-differs", table "notes": an extra trigger, behind (changes rows behind the application's back)
      kind "shape-differs", table "notes": the index on notebook_id is missing (it is read and written all the same)
      3 in all
      -> 1. Stop the application, and keep a copy of all files of the store. 2. Find out what changed the schema, or which file was changed after it was applied (`migration-history`). 3. Put it right with a new migration, or restore a backup whose schema is whole. The rows that are there are not lost.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
    "#);
}

/// A rehearsal compares the shape too, and is in the same words.
#[test]
fn a_rehearsal_speaks_of_the_application_too() {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", "CREATE TABLE later (x);");
    kept.place
        .sql("CREATE TRIGGER behind AFTER DELETE ON notes BEGIN DELETE FROM notebooks; END");
    let report = kept.report();
    assert!(report.contains("changes rows behind the application's back"), "{report}");
    assert!(!report.contains("daemon"), "{report}");
}

#[test]
fn a_ledger_that_cannot_be_read_as_one_is_no_answer_and_no_value_is_told() {
    for (fixture, sql) in [
        (GOLANG_MIGRATE, "INSERT INTO schema_migrations VALUES (99, 0)"),
        (D1, "UPDATE d1_migrations SET name = x'736563726574' WHERE id = 2"),
        (USER_VERSION, "PRAGMA user_version = -3"),
    ] {
        let kept = Kept::by(fixture);
        kept.place.sql(sql);
        let gate = kept.gate(&[]);
        assert!(gate.starts_with("cannot tell: ") && gate.ends_with("[3]"), "{fixture:?}: {gate}");
        assert!(!gate.contains("secret"), "{gate}");
    }
}
