//! What `--migrations` goes with, and folders that are of no use.

use std::fs;

use super::harness::{D1, GOLANG_MIGRATE, GOOSE, Kept, SQLX};
use crate::support::Place;

#[test]
fn a_folder_that_is_of_no_use_is_bad_usage_and_no_answer() {
    let kept = Kept::by(SQLX);
    let place = &kept.place;
    fs::create_dir(place.root().join("empty")).unwrap();
    fs::write(place.root().join("empty/README.md"), "").unwrap();
    fs::write(place.root().join("file"), "").unwrap();
    fs::create_dir_all(place.root().join("journal/meta")).unwrap();
    fs::write(place.root().join("journal/meta/_journal.json"), "[]").unwrap();
    let mut all = String::new();
    for folder in ["nowhere", "file", "empty", "journal", "/dev/null"] {
        let report = place.ask(&["--migrations", folder]);
        let gate = place.ask(&["--check-migrations", "--migrations", folder]);
        assert_eq!((report.stdout.as_str(), gate.stderr.as_str()), ("", ""));
        all += &format!("{}\n{}\n", report.text(), gate.text());
    }
    insta::assert_snapshot!(all, @r"
    --- stderr ---
    error: --migrations nowhere: it cannot be read: there is no such folder; give the folder in which the application's migrations lie

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    cannot tell: --migrations nowhere: it cannot be read: there is no such folder; give the folder in which the application's migrations lie
    --- exit 3 ---
    --- stderr ---
    error: --migrations file: it is a regular file, not a folder; give the folder in which the application's migrations lie

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    cannot tell: --migrations file: it is a regular file, not a folder; give the folder in which the application's migrations lie
    --- exit 3 ---
    --- stderr ---
    error: --migrations empty: nothing in it is named as the migrations of a known tool are; give the folder in which the application's migrations lie, or say whose they are with --dialect

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    cannot tell: --migrations empty: nothing in it is named as the migrations of a known tool are; give the folder in which the application's migrations lie, or say whose they are with --dialect
    --- exit 3 ---
    --- stderr ---
    error: --migrations journal: these are no migrations of drizzle: meta/_journal.json: it is not a journal as drizzle-kit writes it

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    cannot tell: --migrations journal: these are no migrations of drizzle: meta/_journal.json: it is not a journal as drizzle-kit writes it
    --- exit 3 ---
    --- stderr ---
    error: --migrations /dev/null: it is a device, not a folder; give the folder in which the application's migrations lie

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    cannot tell: --migrations /dev/null: it is a device, not a folder; give the folder in which the application's migrations lie
    --- exit 3 ---
    ");
}

/// `prisma` for `prisma/migrations`.
#[test]
fn the_folder_below_is_named_where_that_looks_like_it() {
    let place = Place::new();
    let write = |path: &str, text: &str| {
        let path = place.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("prisma/schema.prisma", "");
    write("prisma/migrations/20240101000000_a/migration.sql", "CREATE TABLE a (x);");
    write("prisma/migrations/migration_lock.toml", "provider = \"sqlite\"");
    write("app/src/main.rs", "");
    write("app/db/seeds/README.md", "");
    write("app/db/migrate/1_a.sql", "CREATE TABLE a (x);");
    write("deep/1/2/3/1_a.sql", "CREATE TABLE a (x);");
    let error = |arguments: &[&str]| {
        let ran = place.ask(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
        ran.stderr.lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(error(&["--migrations", "prisma"]), @r"error: --migrations prisma: nothing in it is named as the migrations of a known tool are; prisma/migrations looks as if it were the folder: give that");
    insta::assert_snapshot!(error(&["--migrations", "app"]), @r"error: --migrations app: nothing in it is named as the migrations of a known tool are; app/db/migrate looks as if it were the folder: give that");
    insta::assert_snapshot!(error(&["--migrations", "prisma", "--dialect", "Prisma"]), @r"error: --migrations prisma: these are no migrations of Prisma: nothing in the folder is named as its migrations are; prisma/migrations looks as if it were the folder: give that");
    insta::assert_snapshot!(error(&["--migrations", "deep"]), @r"error: --migrations deep: nothing in it is named as the migrations of a known tool are; give the folder in which the application's migrations lie, or say whose they are with --dialect");
}

#[test]
fn what_it_does_not_go_with_is_bad_usage() {
    let kept = Kept::by(SQLX);
    for arguments in [
        &["--migrations", "migrations", "--any"][..],
        &["--dialect", "sqlx"],
        &["--ledger", "t"],
        &["--foreign-keys", "on"],
        &["--migrations", "migrations", "--dialect", "flyway"],
        &["--migrations", "migrations", "--foreign-keys", "perhaps"],
    ] {
        let ran = kept.place.ask(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
    }
    for arguments in [
        &["--migrations", "migrations"][..],
        &["--migrations", "migrations", "--system"],
    ] {
        let ran = Place::new().doctor().args(arguments).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
    }
    let ran = Place::new().doctor().args(["--migrations", "migrations"]).run();
    assert!(ran.stderr.contains("--migrations takes the paths of the stores"), "{}", ran.stderr);
}

/// Plain numbered files may be several tools'. The ledger tells; where there is none, somebody may say.
#[test]
fn the_dialect_settles_whose_a_folder_is() {
    let kept = Kept::by(D1);
    fs::write(kept.place.store(), "").unwrap();
    kept.place.sql("PRAGMA application_id = 7");
    insta::assert_snapshot!(kept.said("schema-state"), @r"pass: sqlx (no ledger yet): 0 applied, pending [1 2 10 11]: sqlx applies them when it next migrates; the folder may be D1's as well (--dialect says which)");
    insta::assert_snapshot!(kept.said_with("schema-state", &["--dialect", "d1"]), @r"pass: D1 (no ledger yet): 0 applied, pending [0001_notebooks.sql 0002_notes.sql 0010_note_colour.sql 0011_archive.sql]: D1 applies them when it next migrates");
    insta::assert_snapshot!(kept.said_with("schema-state", &["--dialect", "goose"]), @r"pass: goose (no ledger yet): 0 applied, pending [1 2 10 11]: goose applies them when it next migrates");
}

#[test]
fn the_ledger_may_be_named() {
    let kept = Kept::by(GOLANG_MIGRATE);
    kept.place.sql(
        "CREATE TABLE applied (version INTEGER, dirty INTEGER, note TEXT); INSERT INTO applied VALUES (2, 0, NULL)",
    );
    insta::assert_snapshot!(kept.said("schema-state"), @r"pass: golang-migrate's ledger `schema_migrations`: 3 applied, pending [4]: golang-migrate applies them when it next migrates");
    insta::assert_snapshot!(kept.said_with("schema-state", &["--ledger", "applied", "--dialect", "golang-migrate"]), @r"pass: golang-migrate's ledger `applied`: 2 applied, pending [3 4]: golang-migrate applies them when it next migrates; not looked at: golang-migrate's ledger `schema_migrations`");
    insta::assert_snapshot!(kept.said_with("schema-state", &["--ledger", "nowhere"]), @"
    fail: could not look: there is no ordinary table `nowhere` in it
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    insta::assert_snapshot!(kept.said_with("schema-state", &["--ledger", "notes"]), @"
    fail: could not look: `notes` has not the columns of a ledger of golang-migrate, sqlx, maragudk/migrate or user_version
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    // Two that are as likely.
    let kept = Kept::by(GOOSE);
    kept.place.sql("CREATE TABLE b AS SELECT 1 AS x; DROP TABLE b");
    kept.place.sql(
        "ALTER TABLE goose_db_version RENAME TO one;
         CREATE TABLE two (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))",
    );
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: could not look: several of its tables may be the ledger: goose's ledger `one`, goose's ledger `two` (say which with --ledger)
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    assert!(
        kept.said_with("schema-state", &["--ledger", "ONE"])
            .starts_with("pass: goose's ledger `one`: 4 applied")
    );
}
