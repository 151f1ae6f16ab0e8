//! What works for the tool works in the rehearsal, and what SQLite refuses the tool it refuses there.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::harness::{GOLANG_MIGRATE, Kept, SQLX};

/// A store with one pending migration, which sqlx puts into a transaction.
fn pending(sql: &str) -> Kept {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", sql);
    kept
}

#[test]
fn tables_of_sqlites_own_modules_are_written_to_in_replay_and_rehearsal() {
    for (module, write) in [
        (
            "fts4(x)",
            "INSERT INTO v VALUES ('hello world'); UPDATE v SET x = 'hello'; DELETE FROM v WHERE v MATCH 'hello';",
        ),
        ("fts3(x)", "INSERT INTO v VALUES ('hello world'); INSERT INTO v(v) VALUES ('optimize');"),
        (
            "fts5(x)",
            "INSERT INTO v VALUES ('hello world'); INSERT INTO v(v) VALUES ('rebuild'); DELETE FROM v;",
        ),
        ("rtree(id, a, b)", "INSERT INTO v VALUES (1, 2, 3); UPDATE v SET a = 1; DELETE FROM v;"),
    ] {
        let kept = pending(&format!("CREATE VIRTUAL TABLE v USING {module}; {write}"));
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("migrations needed: ") && gate.ends_with("[1]"), "{module}: {gate}");
        assert!(kept.said("migration-rehearsal").starts_with("pass: "), "{module}");
    }
}

/// As many notes, each so many characters long.
fn filled(kept: &Kept, notes: u32, characters: u32) {
    kept.place.sql(&format!(
        "PRAGMA synchronous=OFF; WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < {notes})
         INSERT INTO notes (id, notebook_id, body) SELECT i, 1, hex(randomblob({}))  FROM n",
        characters / 2
    ));
}

/// The rows do not find room in the memory that SQLite may take.
#[test]
fn what_takes_much_room_for_a_while_takes_it_on_the_disk() {
    let kept = pending("CREATE INDEX bodies ON notes(body);");
    filled(&kept, 50_000, 1_000);
    for sql in [
        "CREATE INDEX bodies ON notes(body);",
        "CREATE TEMP TABLE kept AS SELECT * FROM notes; DELETE FROM notes; INSERT INTO notes SELECT * FROM kept; DROP TABLE kept;",
        "-- no-transaction\nVACUUM;",
    ] {
        kept.write("20240101000004_archive.sql", sql);
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("migrations needed: "), "{sql}: {gate}");
    }
}

/// Each row of the index takes a page of its own, and some of the next.
#[test]
fn an_index_may_be_larger_than_its_table() {
    let kept = pending("CREATE INDEX bodies ON notes(body, id); CREATE INDEX more ON notes(body, notebook_id);");
    filled(&kept, 4_000, 1_100);
    let gate = kept.gate(&["--rehearse"]);
    assert!(gate.starts_with("migrations needed: "), "{gate}");
}

#[test]
fn what_a_stranger_sorts_fills_no_disk() {
    let kept = pending(
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
         SELECT hex(randomblob(500)) AS x FROM n ORDER BY x;",
    );
    filled(&kept, 2_000, 1_000);
    let gate = kept.gate(&["--rehearse"]);
    assert!(
        gate.starts_with("cannot tell: ") && gate.contains("write more than fits into the "),
        "{gate}"
    );
    assert_eq!(kept.place.left_in_tmp(), [""; 0]);
}

/// What is promised for a store of any size holds for several at once, too.
#[test]
fn memory_stays_bounded_however_many_stores_are_tried_at_once() {
    const MOST: u64 = 64 << 10;
    let kept = pending("CREATE INDEX bodies ON notes(body);");
    filled(&kept, 400_000, 16);
    let stores: Vec<PathBuf> = ["1.db", "2.db", "3.db"].iter().map(|name| kept.place.folder().join(name)).collect();
    for store in &stores {
        fs::copy(kept.place.store(), store).unwrap();
    }
    let doctor = kept
        .place
        .doctor()
        .args(["--migrations", "migrations", "--only", "migration-rehearsal"])
        .arg(kept.place.store());
    let mut running = doctor.args(&stores).stdout(Stdio::null()).start();
    let mut peak = 0;
    // The kernel tells as long as the process lives; it only ever grows.
    while !running.has_ended() {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(running.end().code, Some(0));
    assert!(peak > 0 && peak < MOST, "{peak} KiB");
}

/// SQLite refuses it within a transaction, in which sqlx runs each migration, unless the store is in that mode already.
#[test]
fn a_journal_mode_is_changed_where_the_tool_can_change_it() {
    let enter = "PRAGMA journal_mode = WAL;";
    let kept = pending(enter);
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"incompatible: migration rehearsal failed: migration 20240101000004 (archive), 20240101000004_archive.sql, fails on this store: cannot change into wal mode from within a transaction [1] (do not swap) [2]");
    for sql in [
        "-- no-transaction\nPRAGMA journal_mode = WAL;",
        "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = MEMORY;",
        "PRAGMA journal_mode;",
    ] {
        kept.write("20240101000004_archive.sql", sql);
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("migrations needed: "), "{sql}: {gate}");
    }
    kept.place.sql("PRAGMA journal_mode = WAL");
    kept.write("20240101000004_archive.sql", enter);
    let gate = kept.gate(&["--rehearse"]);
    assert!(gate.starts_with("migrations needed: "), "{gate}");
    kept.write("20240101000004_archive.sql", "PRAGMA journal_mode = DELETE;");
    assert!(
        kept.gate(&["--rehearse"])
            .contains("cannot change out of wal mode from within a transaction")
    );
}

/// The usual way out of golang-migrate's own transaction.
#[test]
fn a_file_that_commits_the_tools_transaction_was_wrapped_and_so_were_the_others() {
    const OUT: &str = "COMMIT;\nPRAGMA foreign_keys=OFF;\nBEGIN;\nCREATE TABLE more (x);";
    let kept = Kept::by(GOLANG_MIGRATE);
    kept.write("000004_archive.up.sql", OUT);
    // It fails in a transaction alone.
    kept.write("000005_last.up.sql", "PRAGMA synchronous=NORMAL;");
    insta::assert_snapshot!(kept.gate(&["--rehearse"]), @r"incompatible: migration rehearsal failed: migration 5 (last), 000005_last.up.sql, fails on this store: Safety level may not be changed inside a transaction [1] (do not swap) [2]");
    kept.write("000005_last.up.sql", "CREATE TABLE last (x);");
    assert!(kept.gate(&["--rehearse"]).starts_with("migrations needed: pending [4 5]"));
    kept.write("000004_archive.up.sql", &format!("{OUT} COMMIT;"));
    assert!(kept.gate(&["--rehearse"]).contains("cannot commit - no transaction is active"));
}

/// Each file may have come with a release of its own, or all of them with the first start.
#[test]
fn a_store_is_healthy_whether_its_migrations_shared_a_connection_or_not() {
    let first = "PRAGMA legacy_alter_table=ON; CREATE TABLE t(x); CREATE VIEW v AS SELECT x FROM t;";
    let second = "ALTER TABLE t RENAME TO u;";
    for shared in [true, false] {
        let files = [
            ("1-a/up.sql", first),
            ("2-b/up.sql", second),
            ("3-c/up.sql", "CREATE TABLE more(x);"),
        ];
        let kept = Kept::made(if shared { first } else { &first[29..] }, &files);
        let legacy = if shared { "PRAGMA legacy_alter_table=ON;" } else { "" };
        kept.place.sql(&format!("{legacy} {second} PRAGMA user_version=2;"));
        assert_eq!(kept.failing(), [""; 0], "{shared}: {}", kept.report());
        kept.place.sql("ALTER TABLE u ADD COLUMN extra");
        assert!(kept.said("schema-shape").starts_with("fail: "));
    }
}

#[test]
fn a_table_that_only_some_builds_have_says_nothing_about_the_migration() {
    let kept = pending("INSERT INTO notebooks (title) SELECT 'n' || value FROM generate_series(1, 3);");
    let said = kept.said("migration-rehearsal");
    assert!(said.starts_with("skip: ") && said.contains("no such table: generate_series"), "{said}");
}
