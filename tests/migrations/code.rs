//! Folders that are not plain SQL: a skip that names the file, and all that can be said without it.

use super::harness::{DRIZZLE, GOLANG_MIGRATE, GOOSE, Kept, PRISMA, REFINERY, SQLX};

fn of(kept: &Kept) -> String {
    ["schema-state", "schema-shape", "migration-rehearsal"]
        .map(|check| kept.said(check))
        .concat()
}

#[test]
fn steps_in_code_among_the_applied_leave_the_rehearsal_of_the_pending() {
    let kept = Kept::by(GOOSE);
    kept.write("00003_note_colour.go", "package migrations");
    std::fs::remove_file(kept.folder().join("00003_note_colour.sql")).unwrap();
    insta::assert_snapshot!(of(&kept), @r#"
    pass: goose's ledger `goose_db_version`: 4 applied, pending [5]: goose applies them when it next migrates
    skip: not all applied migrations can be replayed: 00003_note_colour.go is a step in Go
    fail: notes: 6 rows are lost if foreign keys are on, in migration 5, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off, as is usual for the tool, they stay
      kind "rehearsal-fails", table "notes": 6 rows are lost if foreign keys are on, in migration 5, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off, as is usual for the tool, they stay
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again. 3. Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.
    "#);
    assert!(!kept.failing().contains(&"schema-shape".to_owned()));
}

#[test]
fn steps_in_code_among_the_pending_are_not_tried() {
    let kept = Kept::by(REFINERY);
    kept.write("later/V11__seed.rs", "pub fn migration() -> String { String::new() }");
    insta::assert_snapshot!(of(&kept), @r"
    pass: refinery's ledger `refinery_schema_history`: 3 applied, pending [10 11]: refinery applies them when it next migrates
    pass: 2 tables are what replaying [1 2 3] gives
    skip: the pending migrations cannot be tried: later/V11__seed.rs is a step in Rust
    ");
    insta::assert_snapshot!(kept.gate(&[]), @r"migrations needed: pending [10 11] (binary will apply on first Open) [1]");
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"cannot tell: the pending migrations cannot be tried: later/V11__seed.rs is a step in Rust [3]");
}

#[test]
fn hooks_beside_the_files_count_with_their_version() {
    let kept = Kept::by(GOLANG_MIGRATE);
    kept.write("000004_postmigrate.go", "package migrations");
    insta::assert_snapshot!(of(&kept), @r"
    pass: golang-migrate's ledger `schema_migrations`: 3 applied, pending [4]: golang-migrate applies them when it next migrates
    pass: 2 tables are what replaying [1 2 3] gives
    skip: the pending migrations cannot be tried: 000004_postmigrate.go is a step in Go
    ");
    let kept = Kept::by(PRISMA);
    kept.write("20240101000002_notes/backfill.ts", "export {}");
    insta::assert_snapshot!(of(&kept), @r#"
    pass: Prisma's ledger `_prisma_migrations`: 3 applied, pending [20240101000004_archive]: Prisma applies them when it next migrates
    skip: not all applied migrations can be replayed: 20240101000002_notes/backfill.ts is a step in TypeScript
    fail: notes: 6 rows are lost, in migration 20240101000004_archive, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
      kind "rehearsal-fails", table "notes": 6 rows are lost, in migration 20240101000004_archive, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again. 3. Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.
    "#);
}

#[test]
fn placeholders_and_other_databases_are_named() {
    for (text, why) in [
        ("CREATE TABLE ${prefix}a (x);", "holds places that the application fills in"),
        ("CREATE EXTENSION citext;", "is SQL for PostgreSQL"),
        ("SELECT 1;\0SELECT 2;", "holds a NUL character"),
    ] {
        let kept = Kept::by(SQLX);
        kept.write("20240101000004_archive.sql", text);
        let said = kept.said("migration-rehearsal");
        assert!(
            said.starts_with("skip: ") && said.contains("20240101000004_archive.sql") && said.contains(why),
            "{said}"
        );
        assert!(kept.said("schema-shape").starts_with("pass: "));
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("cannot tell: ") && gate.ends_with("[3]"), "{gate}");
    }
    let kept = Kept::by(DRIZZLE);
    kept.edit("meta/_journal.json", |text| text.replace("\"sqlite\"", "\"postgresql\""));
    insta::assert_snapshot!(of(&kept), @r"
    pass: drizzle's ledger `__drizzle_migrations`: 3 applied, pending [0003_step4]: drizzle applies them when it next migrates
    skip: not all applied migrations can be replayed: 0000_step1.sql is SQL for PostgreSQL (and 2 more)
    skip: the pending migrations cannot be tried: 0003_step4.sql is SQL for PostgreSQL
    ");
}

/// Functions, modules and collations that only the application has say nothing about the store.
#[test]
fn what_only_the_application_has_is_no_fault() {
    for sql in [
        "UPDATE notes SET body = slug(body);",
        "CREATE VIRTUAL TABLE v USING vec0(e float[8]);",
        "CREATE TABLE c (x TEXT COLLATE unicase); CREATE INDEX i ON c (x);",
    ] {
        let kept = Kept::by(SQLX);
        kept.write("20240101000004_archive.sql", sql);
        let said = kept.said("migration-rehearsal");
        assert!(said.starts_with("skip: ") && said.contains("20240101000004_archive.sql"), "{sql}: {said}");
    }
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", "UPDATE notes SET body = slug(body);");
    insta::assert_snapshot!(kept.said("migration-rehearsal"), @r"skip: migration 20240101000004 (archive) cannot be run here (20240101000004_archive.sql): no such function: slug [1]");
}
