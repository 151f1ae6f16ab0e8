//! Rows that vanish, and migrations that fail on the rows that are there.

use super::harness::{DRIZZLE, GOLANG_MIGRATE, GOOSE, Kept, SQLX};

const LEDGER: &str = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);";

/// A store of sqlx's with two tables that have rows, and one pending migration.
fn with_pending(sql: &str) -> Kept {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", sql);
    kept
}

fn rehearsed(kept: &Kept, options: &[&str]) -> String {
    kept.said_with("migration-rehearsal", options)
}

#[test]
fn what_fails_only_on_full_tables_is_found() {
    let kept = with_pending("ALTER TABLE notes ADD COLUMN made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP;");
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r#"
    fail: migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: Cannot add a column with non-constant default [1]
      kind "rehearsal-fails": migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: Cannot add a column with non-constant default [1]
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again.
    "#);
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"incompatible: migration rehearsal failed: migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: Cannot add a column with non-constant default [1] (do not swap) [2]");
    let unique = with_pending("CREATE UNIQUE INDEX one_note ON notes(notebook_id);");
    insta::assert_snapshot!(rehearsed(&unique, &[]), @r#"
    fail: migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: UNIQUE constraint failed: notes.notebook_id [2067]
      kind "rehearsal-fails": migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: UNIQUE constraint failed: notes.notebook_id [2067]
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again.
    "#);
    // On empty tables both pass.
    for kept in [kept, unique] {
        kept.place.sql("DELETE FROM notes; DELETE FROM notebooks");
        assert!(rehearsed(&kept, &[]).starts_with("pass: "));
        assert!(kept.gate(&["--rehearse"]).ends_with("[1]"));
    }
}

#[test]
fn a_cascade_that_nobody_wrote_names_the_table_the_count_and_the_migration() {
    let kept = Kept::by(DRIZZLE);
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r#"
    fail: notes: 6 rows are lost, in migration 0003_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
      kind "rehearsal-fails", table "notes": 6 rows are lost, in migration 0003_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after); with foreign keys off they stay
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again. 3. Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.
    "#);
    insta::assert_snapshot!(rehearsed(&kept, &["--foreign-keys", "on"]), @r#"
    fail: notes: 6 rows are lost, in migration 0003_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after)
      kind "rehearsal-fails", table "notes": 6 rows are lost, in migration 0003_step4, by a cascade that nobody wrote: a table to which they refer is dropped (6 before, 0 after)
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again. 3. Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.
    "#);
    insta::assert_snapshot!(rehearsed(&kept, &["--foreign-keys", "off"]), @r"pass: rehearsed [0003_step4] on 9 rows in [TIME] ms");
    assert!(kept.gate(&["--rehearse", "--foreign-keys", "on"]).ends_with("[2]"));
    assert!(kept.gate(&["--rehearse", "--foreign-keys", "off"]).ends_with("[1]"));
}

/// With foreign keys switched off before its own BEGIN, a rebuild is safe.
#[test]
fn a_rebuild_in_a_transaction_of_its_own_keeps_its_rows() {
    let kept = Kept::by(GOLANG_MIGRATE);
    kept.edit("000004_archive.up.sql", |text| {
        format!("PRAGMA foreign_keys=OFF;\nBEGIN;\n{text}COMMIT;\nPRAGMA foreign_keys=ON;\n")
    });
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r"pass: rehearsed [4] on 9 rows in [TIME] ms");
    insta::assert_snapshot!(rehearsed(&kept, &["--foreign-keys", "on"]), @r"pass: rehearsed [4] on 9 rows in [TIME] ms");
    let kept = with_pending(
        "-- no-transaction\nPRAGMA foreign_keys=OFF;\nBEGIN;\nCREATE TABLE n (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
         INSERT INTO n SELECT * FROM notebooks; DROP TABLE notebooks; ALTER TABLE n RENAME TO notebooks;\nCOMMIT;\nPRAGMA foreign_keys=ON;\n",
    );
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r"pass: rehearsed [20240101000004] on 9 rows in [TIME] ms");
}

#[test]
fn what_a_migration_deletes_by_its_text_is_said_and_no_fault() {
    let kept = with_pending("DELETE FROM notes WHERE notebook_id = 2;\nDROP TABLE IF EXISTS absent;");
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r"pass: rehearsed [20240101000004] on 9 rows in [TIME] ms; notes: 2 rows are deleted by the text of the migrations, in migration 20240101000004");
    assert!(kept.gate(&["--rehearse"]).ends_with("[1]"));
    let kept = with_pending("DROP TABLE notes;");
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r"pass: rehearsed [20240101000004] on 9 rows in [TIME] ms; notes: dropped, with 6 rows");
}

#[test]
fn a_file_that_fails_half_way_without_a_transaction_says_what_stays() {
    let kept = Kept::by(GOOSE);
    kept.write(
        "00005_archive.sql",
        "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE one (x);\nINSERT INTO nowhere VALUES (1);\n-- +goose Down\nSELECT 1;\n",
    );
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r#"
    fail: migration 5 (archive), 00005_archive.sql, fails on this store: no such table: nowhere [1]; what it did before that stays, because the tool runs it in no transaction
      kind "rehearsal-fails": migration 5 (archive), 00005_archive.sql, fails on this store: no such table: nowhere [1]; what it did before that stays, because the tool runs it in no transaction
      1 in all
      -> 1. Do not let these migrations run on this store: they would go wrong. Nothing was changed. 2. Mend the migration, and rehearse it again.
    "#);
}

#[test]
fn what_was_dangling_before_is_not_the_migrations_fault() {
    let kept = with_pending("ALTER TABLE notes ADD COLUMN more TEXT;");
    kept.place
        .sql("PRAGMA foreign_keys=OFF; INSERT INTO notes (id, notebook_id) VALUES (99, 99)");
    assert!(rehearsed(&kept, &[]).starts_with("pass: "), "{}", rehearsed(&kept, &[]));
    assert_eq!(kept.row("foreign-keys")["status"], "fail");
}

#[test]
fn several_pending_files_are_run_one_after_the_other() {
    let files = [
        ("1_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);"),
        ("2_b.sql", "CREATE TABLE b (a REFERENCES a(id));"),
        ("3_c.sql", "ALTER TABLE b ADD COLUMN c;"),
    ];
    let kept = Kept::made(LEDGER, &files);
    insta::assert_snapshot!(rehearsed(&kept, &[]), @r"pass: rehearsed [1 2 3] on 0 rows in [TIME] ms");
}

#[test]
fn rows_that_are_replaced_and_a_table_that_refers_to_itself_lose_what_nobody_deleted() {
    let kept = with_pending("REPLACE INTO notebooks SELECT * FROM notebooks;");
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"incompatible: migration rehearsal failed: notes: 6 rows are lost, in migration 20240101000004, by a cascade that nobody wrote: rows to which they refer are replaced (6 before, 0 after); with foreign keys off they stay (do not swap) [2]");
    assert!(kept.gate(&["--rehearse", "--foreign-keys", "off"]).ends_with("[1]"));
    let kept = with_pending(
        "CREATE TABLE tree (id INTEGER PRIMARY KEY, up REFERENCES tree(id));\nINSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2);",
    );
    kept.write(
        "20240101000005_rebuild.sql",
        "CREATE TABLE n (id INTEGER PRIMARY KEY, up REFERENCES tree(id) ON DELETE CASCADE);\nINSERT INTO n SELECT * FROM tree;\nDROP TABLE tree;\nALTER TABLE n RENAME TO tree;",
    );
    insta::assert_snapshot!(kept.gate(&["--rehearse", "--foreign-keys", "on"]), @r"incompatible: migration rehearsal failed: tree: 2 rows are lost, in migration 20240101000005, by a cascade that nobody wrote: a table to which they refer is dropped (3 before, 1 after) (do not swap) [2]");
}

#[test]
fn the_gate_says_which_rows_a_copy_leaves_out_in_its_line_and_all_notes_as_json() {
    let kept = with_pending(
        "CREATE TABLE anew (id INTEGER PRIMARY KEY, notebook_id INTEGER UNIQUE REFERENCES notebooks(id), body TEXT);
         INSERT OR IGNORE INTO anew SELECT id, notebook_id, body FROM notes; DROP TABLE notes; ALTER TABLE anew RENAME TO notes;",
    );
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @"migrations needed: pending [20240101000004] (binary will apply on first Open); rehearsed: notes: 3 of 6 rows are not copied into the table that replaces it, in migration 20240101000004 [1]");
    let json = kept.gate(&["--rehearse", "--format", "json"]);
    let notes =
        r#""notes":["notes: 3 of 6 rows are not copied into the table that replaces it, in migration 20240101000004""#;
    assert!(json.contains(notes) && json.ends_with("[1]"), "{json}");
    assert!(!rehearsed(&kept, &[]).contains("deleted by the text"));
}
