//! What drizzle itself, or the driver below it, makes of a folder.

use super::harness::{DRIZZLE, Kept};

/// The rehearsal of the one pending migration, and the gate, which is not closed by what depends on the driver.
fn rehearsed(sql: &str) -> String {
    let kept = Kept::by(DRIZZLE);
    kept.write("0003_step4.sql", sql);
    let gate = kept.gate(&["--rehearse"]);
    assert!(gate.starts_with("migrations needed: ") && gate.ends_with("[1]"), "{sql}: {gate}");
    kept.said("migration-rehearsal")
}

#[test]
fn what_only_some_drivers_run_is_noted() {
    insta::assert_snapshot!(rehearsed("CREATE TABLE b (x);\nCREATE TABLE c (x);"), @r"pass: rehearsed [0003_step4] on 9 rows in [TIME] ms; 0003_step4.sql: several statements without a breakpoint between them, which better-sqlite3 refuses");
    insta::assert_snapshot!(rehearsed("CREATE TABLE b (x);--> statement-breakpoint\n"), @r"pass: rehearsed [0003_step4] on 9 rows in [TIME] ms; 0003_step4.sql: a piece without a statement, which better-sqlite3 and libsql refuse");
    insta::assert_snapshot!(rehearsed("-- Custom SQL migration file, put your code below! --"), @r"pass: rehearsed [0003_step4] on 9 rows in [TIME] ms; 0003_step4.sql: a piece without a statement, which better-sqlite3 and libsql refuse");
}

#[test]
fn what_every_driver_runs_is_not() {
    for sql in [
        "CREATE TABLE b (x);--> statement-breakpoint\nCREATE TABLE c (x)",
        "-- the first;\nCREATE TABLE b (x DEFAULT ';'); -- the only one; as yet\n/* ; */",
        "CREATE TEMP TRIGGER t AFTER INSERT ON notes BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 2; END;",
        "CREATE TRIGGER t AFTER DELETE ON notes BEGIN UPDATE notes SET body = ''; END;--> statement-breakpoint\nSELECT 1",
    ] {
        assert!(!rehearsed(sql).contains("refuse"), "{sql}: {}", rehearsed(sql));
    }
}
