//! What stands in a migration's file is not told: it may hold values that nobody else should read.

use super::harness::{GOLANG_MIGRATE, GOOSE, Kept, PRISMA};

/// The report in each format, and the gate's line, each with a rehearsal.
fn everything_said(kept: &Kept) -> String {
    let mut all = String::new();
    for format in ["table", "markdown", "json", "html"] {
        let ran = kept.ask(&["--format", format]);
        all += &format!("{}{}", ran.stdout, ran.stderr);
    }
    all + &kept.gate(&["--rehearse"]) + &kept.gate(&["--rehearse", "--format", "json"])
}

#[test]
fn no_value_that_stands_in_a_file_is_told_wherever_it_fails() {
    let secret = "hunter2-secret";
    for sql in [
        "INSERT INTO notes (id, notebook_id, body) VALUES (99, 1, 'hunter2-secret'); CREATE TABLE notes (x);",
        "INSERT INTO notes (body) VALUES ('a' 'hunter2-secret');",
        "INSERT INTO notes (body) VALUES ('hunter2-secret",
        "INSERT INTO notes (id, notebook_id, body) VALUES (1, 1, 'hunter2-secret');",
        "INSERT INTO notes (id, notebook_id, body) SELECT 99, 1, json_extract('{}', 'hunter2-secret');",
        "ATTACH 'hunter2-secret' AS x;",
    ] {
        // A migration that failed is replayed to see what the store has of it; one that is pending is rehearsed.
        let failed = Kept::unrecorded(PRISMA);
        failed.write_ledger(PRISMA, "ledger-failed");
        failed.write("20240101000004_archive/migration.sql", sql);
        let dirty = Kept::unrecorded(GOLANG_MIGRATE);
        dirty.write_ledger(GOLANG_MIGRATE, "ledger-dirty");
        dirty.write("000004_archive.up.sql", sql);
        let pending = Kept::by(GOOSE);
        pending.write("00010_later.sql", &format!("-- +goose Up\n{sql}"));
        // One that is applied is replayed for the shape.
        let applied = Kept::by(GOOSE);
        applied.edit("00002_notes.sql", |text| {
            text.replace("-- +goose Down", &format!("{sql}\n-- +goose Down"))
        });
        for kept in [failed, dirty, pending, applied] {
            let said = everything_said(&kept);
            assert!(!said.contains(secret), "{sql}: {said}");
            assert!(!said.contains("INSERT INTO"), "{sql}: {said}");
        }
    }
}

#[test]
fn the_files_name_stands_for_its_text() {
    let kept = Kept::unrecorded(PRISMA);
    kept.write_ledger(PRISMA, "ledger-failed");
    kept.write(
        "20240101000004_archive/migration.sql",
        "INSERT INTO notebooks (id, title) VALUES (99, 'hunter2-secret'); CREATE TABLE notes (x);",
    );
    insta::assert_snapshot!(kept.said("schema-state").lines().next().unwrap(), @"fail: Prisma's ledger `_prisma_migrations`: 3 applied, and migration 20240101000004_archive failed; whether the store has it is not known: migration 20240101000004_archive failed (20240101000004_archive/migration.sql): SQLite says: table notes already exists [1]; what it did before that stays, because the tool runs it in no transaction; Prisma runs nothing before that is settled");
}
