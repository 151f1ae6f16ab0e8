//! What SQLite runs and the driver of a tool does not, or not in the same way.

use super::harness::{D1, DIESEL, DRIZZLE, Fixture, GOLANG_MIGRATE, GOOSE, Kept, PRISMA, SQLX};

/// A store of this tool in which a migration of this text is pending.
fn pending(fixture: Fixture, sql: &str) -> Kept {
    let kept = Kept::by(fixture);
    let (file, text) = match fixture.folder {
        "drizzle" => ("0003_step4.sql", sql.replace(";\n", ";--> statement-breakpoint\n")),
        "prisma" => ("20240101000004_archive/migration.sql", sql.to_owned()),
        "d1" => ("0011_archive.sql", sql.to_owned()),
        "sqlx" => ("20240101000004_archive.sql", sql.to_owned()),
        "diesel" => ("2024-01-03-000004-0000_archive/up.sql", sql.to_owned()),
        "golang-migrate" => ("000004_archive.up.sql", sql.to_owned()),
        "goose" => ("00005_archive.sql", format!("-- +goose Up\n{sql}\n-- +goose Down\nSELECT 1;\n")),
        other => panic!("{other}"),
    };
    kept.write(file, &text);
    kept
}

/// The gate's answer to a rehearsal without cascades.
fn gate(fixture: Fixture, sql: &str) -> String {
    pending(fixture, sql).gate(&["--rehearse", "--foreign-keys", "off"])
}

fn rebuild(copy: &str) -> String {
    format!(
        "CREATE TABLE anew (id INTEGER PRIMARY KEY, title TEXT NOT NULL, kind TEXT);\nINSERT INTO anew {copy};\nDROP TABLE notebooks;\nALTER TABLE anew RENAME TO notebooks;"
    )
}

#[test]
fn a_copy_that_selects_what_is_no_column_fails_for_every_tool() {
    let copy = rebuild("(\"id\", \"title\", \"kind\") SELECT \"id\", \"title\", \"kind\" FROM notebooks");
    insta::assert_snapshot!(gate(DRIZZLE, &copy), @r#"incompatible: migration rehearsal failed: migration 0003_step4, 0003_step4.sql, fails: "kind" is no column there: better-sqlite3 and libsql refuse it; a driver that takes it for a text writes 'kind' into kind of every row; everything that is pending is rolled back with it (do not swap) [2]"#);
    insta::assert_snapshot!(gate(SQLX, &copy), @r#"incompatible: migration rehearsal failed: anew.kind: "kind" is no column of the table that is copied, in migration 20240101000004: SQLite takes it for a text and writes that into 3 rows; drivers with DQS=0 refuse the file (do not swap) [2]"#);
    for fixture in [PRISMA, D1, DIESEL, GOLANG_MIGRATE, GOOSE] {
        let gate = gate(fixture, &copy);
        assert!(gate.contains("\"kind\" is no column") && gate.ends_with("[2]"), "{gate}");
    }
    // Nothing is copied, and so nothing overwritten.
    let kept = pending(D1, &copy);
    kept.place.sql("DELETE FROM notes; DELETE FROM notebooks");
    assert!(kept.gate(&["--rehearse"]).ends_with("[1]"));
    // Misspelt, and without a list of columns.
    for copy in [
        "(id, title) SELECT id, \"tilte\" FROM notebooks",
        "SELECT \"id\", upper(\"tilte\"), NULL FROM notebooks",
    ] {
        let gate = gate(SQLX, &rebuild(copy));
        assert!(gate.contains("anew.title: \"tilte\" is no column") && gate.ends_with("[2]"), "{gate}");
    }
}

#[test]
fn a_constant_in_double_quotes_fails_only_where_the_drivers_refuse_it() {
    for sql in [
        "UPDATE notes SET body = \"none\" WHERE body = '';",
        "INSERT INTO notes (id, notebook_id, body) VALUES (99, 1, \"none\");",
        "CREATE TABLE jobs (state TEXT CHECK (state IN ('idle', \"none\")));",
        "DELETE FROM notes WHERE body = \"none\";",
    ] {
        for fixture in [DRIZZLE, PRISMA] {
            let gate = gate(fixture, sql);
            assert!(gate.contains("\"none\" is no column") && gate.ends_with("[2]"), "{sql}: {gate}");
        }
        for fixture in [SQLX, D1, DIESEL, GOLANG_MIGRATE, GOOSE] {
            let kept = pending(fixture, sql);
            assert!(kept.gate(&["--rehearse"]).ends_with("[1]"), "{sql}");
            let row = kept.said("migration-rehearsal");
            assert!(
                row.starts_with("pass: ") && row.contains("\"none\" is no column and so a text"),
                "{sql}: {row}"
            );
        }
    }
    let constant = rebuild("(id, title, kind) SELECT id, title, \"plain\" FROM notebooks");
    assert!(gate(GOOSE, &constant).ends_with("[1]"));
}

#[test]
fn a_name_in_double_quotes_that_is_one_is_no_text() {
    let names = "CREATE TABLE \"log\" (\"name\" TEXT UNIQUE DEFAULT \"none\", \"n\" INTEGER);
CREATE TRIGGER \"t\" AFTER UPDATE ON \"notes\" WHEN \"new\".\"body\" <> \"old\".\"body\" BEGIN INSERT INTO \"log\"(\"name\") VALUES (\"new\".\"body\"); END;
INSERT INTO \"log\"(\"name\", \"n\") VALUES ('a', 1) ON CONFLICT(\"name\") DO UPDATE SET \"n\" = \"excluded\".\"n\";
INSERT INTO \"log\" SELECT \"rowid\", \"notebook_id\" AS \"number\" FROM \"notes\" AS \"x\" ORDER BY \"number\", \"x\".\"id\";
CREATE INDEX \"i\" ON \"log\"(\"n\", \"name\");";
    for fixture in [DRIZZLE, PRISMA, SQLX, D1] {
        let kept = pending(fixture, names);
        assert!(kept.gate(&["--rehearse"]).ends_with("[1]"));
        assert!(!kept.said("migration-rehearsal").contains("no column"));
    }
}

#[test]
fn what_d1_does_not_authorize_or_wrangler_does_not_send_fails() {
    let pattern = format!("DELETE FROM notes WHERE body LIKE '%{}%';", "x".repeat(60));
    for (sql, why) in [
        (
            "CREATE TABLE z (a);\nCREATE INDEX n ON notes(body)\n",
            "its last statement has no semicolon",
        ),
        ("CREATE TEMP TABLE z AS SELECT * FROM notes;", "D1 does not authorize temporary tables"),
        ("PRAGMA user_version = 3;", "D1 does not authorize PRAGMA user_version"),
        ("PRAGMA journal_mode = WAL;", "D1 does not authorize PRAGMA journal_mode"),
        ("SAVEPOINT a; CREATE TABLE z (a); RELEASE a;", "D1 does not authorize SAVEPOINT"),
        (
            "CREATE VIRTUAL TABLE z USING rtree(id, low, high);",
            "D1 does not authorize the module rtree",
        ),
        ("UPDATE notes SET body = power(id, 2);", "D1 does not authorize the function power()"),
        (
            "-- no BEGIN TRANSACTION here\nCREATE TABLE z (a);",
            "wrangler refuses a file with BEGIN TRANSACTION in it",
        ),
        (&pattern, "LIKE or GLOB pattern too complex"),
    ] {
        let gate = gate(D1, sql);
        assert!(gate.contains(why) && gate.ends_with("[2]"), "{sql}: {gate}");
        // Elsewhere it runs.
        if !sql.contains("journal_mode") && !sql.contains("power") {
            let gate = self::gate(SQLX, sql);
            assert!(gate.ends_with("[1]"), "{sql}: {gate}");
        }
    }
}

#[test]
fn what_d1_and_wrangler_take_passes() {
    for sql in [
        "BEGIN TRANSACTION;\nALTER TABLE notes ADD COLUMN at TEXT;\nUPDATE notes SET at = 'never';\nCOMMIT;\n",
        "PRAGMA defer_foreign_keys = true;\nCREATE VIRTUAL TABLE search USING fts5(body);\nPRAGMA foreign_key_check;\nPRAGMA optimize;\n-- done\n",
        "CREATE TRIGGER n AFTER INSERT ON notes BEGIN UPDATE notebooks SET title = title; END;",
        "UPDATE notes SET body = round(sqrt(id), 2) || pow(2, 2) || json_object('a', 1);",
        "ALTER TABLE notes RENAME COLUMN body TO text; ALTER TABLE notes DROP COLUMN text;",
    ] {
        let gate = gate(D1, sql);
        assert!(gate.ends_with("[1]"), "{sql}: {gate}");
    }
}

#[test]
fn a_function_that_a_driver_lacks_is_a_reason_or_a_remark() {
    let math = "UPDATE notes SET body = sqrt(id);";
    insta::assert_snapshot!(gate(SQLX, math), @"cannot tell: migration 20240101000004 (archive) cannot be run here (20240101000004_archive.sql): it uses sqrt(), which sqlx's driver lacks [3]");
    for (fixture, sql, remark) in [
        (DRIZZLE, math, ""),
        (DRIZZLE, "UPDATE notes SET body = pow(id, 2);", "pow(), which libsql lacks"),
        (DIESEL, math, "sqrt(), which diesel's driver has or lacks, depending on how it was built"),
    ] {
        let row = pending(fixture, sql).said("migration-rehearsal");
        assert!(
            row.starts_with("pass: ") && row.contains(remark) && row.contains("which") != remark.is_empty(),
            "{row}"
        );
    }
}

#[test]
fn a_folder_with_libsqls_own_sql_is_skipped_and_taken_to_have_foreign_keys_off() {
    let alter = "ALTER TABLE `notes` ALTER COLUMN \"body\" TO \"body\" text;";
    let kept = pending(DRIZZLE, alter);
    insta::assert_snapshot!(kept.said("migration-rehearsal"), @"skip: the pending migrations cannot be tried: 0003_step4.sql is SQL for libSQL (Turso)");
    assert!(kept.gate(&["--rehearse"]).ends_with("[3]"));
    // Where such a file is applied, the next one is run as libSQL's migrator runs it.
    let kept = Kept::by(DRIZZLE);
    kept.edit("0002_step3.sql", |text| format!("{text}--> statement-breakpoint\n{alter}"));
    let row = kept.said("migration-rehearsal");
    assert!(
        row.contains("if foreign keys are on") && row.contains("as is usual for the tool"),
        "{row}"
    );
}
