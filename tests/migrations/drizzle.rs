//! What drizzle itself, or the driver below it, makes of a folder.

use super::harness::{DRIZZLE, Kept};

/// The rehearsal of one pending migration of this text, and the gate's answer.
fn rehearsed(sql: &str) -> (String, String) {
    let kept = Kept::by(DRIZZLE);
    kept.write("0003_step4.sql", sql);
    (kept.said("migration-rehearsal"), kept.gate(&["--rehearse"]))
}

#[test]
fn a_piece_of_several_statements_or_of_none_fails() {
    let (row, gate) = rehearsed("CREATE TABLE b (x);\nCREATE TABLE c (x);");
    insta::assert_snapshot!(gate, @"incompatible: migration rehearsal failed: migration 0003_step4, 0003_step4.sql, fails: a piece between two breakpoints has 2 statements: better-sqlite3 refuses it; libsql runs the first alone, and takes the file for applied; everything that is pending is rolled back with it (do not swap) [2]");
    assert!(row.starts_with("fail: "), "{row}");
    for sql in [
        "CREATE TABLE b (x);--> statement-breakpoint\n",
        "-- Custom SQL migration file, put your code below! --",
    ] {
        let (row, gate) = rehearsed(sql);
        assert!(row.starts_with("fail: ") && gate.ends_with("[2]"), "{row}{gate}");
        assert!(gate.contains("has no statement, which better-sqlite3 and libsql refuse"), "{gate}");
    }
}

#[test]
fn what_every_driver_runs_passes() {
    for sql in [
        "CREATE TABLE b (x);--> statement-breakpoint\nCREATE TABLE c (x)",
        "-- the first;\nCREATE TABLE b (x DEFAULT ';'); -- the only one; as yet\n/* ; */",
        "CREATE TEMP TRIGGER t AFTER INSERT ON notes BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 2; END;",
        "CREATE TRIGGER t AFTER DELETE ON notes BEGIN UPDATE notes SET body = ''; END;--> statement-breakpoint\nSELECT 1",
    ] {
        let (row, gate) = rehearsed(sql);
        assert!(row.starts_with("pass: ") && !row.contains("refuse"), "{sql}: {row}");
        assert!(gate.starts_with("migrations needed: ") && gate.ends_with("[1]"), "{sql}: {gate}");
    }
}
