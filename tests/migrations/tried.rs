//! What works for the tool works in the rehearsal, and what SQLite refuses the tool it refuses there.

use super::harness::{Kept, SQLX};

/// A store with one pending migration, which sqlx puts into a transaction.
fn pending(sql: &str) -> Kept {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", sql);
    kept
}

#[test]
fn tables_of_sqlites_own_modules_are_written_to_in_replay_and_rehearsal() {
    for (module, write) in [
        ("fts4(x)", "INSERT INTO v VALUES ('hello world'); UPDATE v SET x = 'hello'; DELETE FROM v WHERE v MATCH 'hello';"),
        ("fts3(x)", "INSERT INTO v VALUES ('hello world'); INSERT INTO v(v) VALUES ('optimize');"),
        ("fts5(x)", "INSERT INTO v VALUES ('hello world'); INSERT INTO v(v) VALUES ('rebuild'); DELETE FROM v;"),
        ("rtree(id, a, b)", "INSERT INTO v VALUES (1, 2, 3); UPDATE v SET a = 1; DELETE FROM v;"),
    ] {
        let kept = pending(&format!("CREATE VIRTUAL TABLE v USING {module}; {write}"));
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("migrations needed: ") && gate.ends_with("[1]"), "{module}: {gate}");
        assert!(kept.said("migration-rehearsal").starts_with("pass: "), "{module}");
    }
}
