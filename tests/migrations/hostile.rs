//! Folders from strangers: nothing in them reaches out of the private copy, runs for ever or prints what it likes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode};

use super::harness::{Kept, SQLX, USER_VERSION};

/// A store with one pending migration, which is a stranger's.
fn with_pending(sql: &str) -> Kept {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", sql);
    kept
}

/// `Kept::ask` holds that no file is made or changed anywhere.
#[test]
fn sql_that_reaches_out_is_refused_by_name_and_makes_no_file() {
    let outside = tempfile::tempdir().unwrap();
    let path = |name: &str| outside.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("there.db"), "").unwrap();
    for (sql, named) in [
        (format!("ATTACH '{}' AS other; CREATE TABLE other.t (x);", path("a.db")), "ATTACH"),
        (format!("ATTACH '{}' AS other;", path("there.db")), "ATTACH"),
        (format!("COMMIT; VACUUM INTO '{}'; BEGIN;", path("b.db")), "VACUUM INTO"),
        ("DETACH main;".to_owned(), "DETACH"),
        (format!("SELECT load_extension('{}');", path("x.so")), "load_extension()"),
        (
            "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'x'; PRAGMA writable_schema=RESET;".to_owned(),
            "PRAGMA writable_schema",
        ),
        (
            format!("PRAGMA temp_store_directory = '{}';", outside.path().display()),
            "PRAGMA temp_store_directory",
        ),
    ] {
        let kept = with_pending(&sql);
        let said = kept.said("migration-rehearsal");
        assert!(
            said.starts_with("skip: ") && said.contains(named) && said.contains("20240101000004_archive.sql"),
            "{sql}: {said}"
        );
        let gate = kept.gate(&["--rehearse"]);
        assert!(gate.starts_with("cannot tell: ") && gate.ends_with("[3]"), "{sql}: {gate}");
        let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["there.db"], "{sql}");
        assert_eq!(fs::metadata(path("there.db")).unwrap().len(), 0);
    }
    insta::assert_snapshot!(with_pending("ATTACH 'x.db' AS x;").said("migration-rehearsal"), @r"skip: migration 20240101000004 (archive) cannot be run here (20240101000004_archive.sql): it uses ATTACH, which no migration may do here");
}

/// The same among the applied files, which the shape is replayed from.
#[test]
fn sql_that_reaches_out_is_refused_in_a_replay_too() {
    let kept = Kept::by(USER_VERSION);
    kept.edit("02-notes/up.sql", |text| format!("{text}; ATTACH 'out.db' AS x;"));
    insta::assert_snapshot!(kept.said("schema-shape"), @r"skip: the applied migrations cannot be replayed in an empty database: migration 2 (notes) cannot be run here (02-notes/up.sql): it uses ATTACH, which no migration may do here");
}

#[test]
fn a_query_without_end_is_interrupted() {
    let endless =
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n;";
    let kept = with_pending(endless);
    let begun = Instant::now();
    let row = kept.row_with("migration-rehearsal", &["--time-limit", "1"]);
    assert_eq!(row["status"], "fail", "{row}");
    assert!(kept.gate(&["--rehearse", "--time-limit", "1"]).ends_with("[3]"));
    // In the replay, too.
    let kept = Kept::by(USER_VERSION);
    kept.edit("02-notes/up.sql", |text| format!("{text}; {endless}"));
    assert_eq!(kept.row_with("schema-shape", &["--time-limit", "1"])["status"], "fail");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_migration_that_fills_the_disk_is_bounded() {
    let kept = with_pending(
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT randomblob(100000) AS b FROM n;",
    );
    let row = kept.row("migration-rehearsal");
    assert_ne!(row["status"], "pass", "{row}");
    assert!(kept.gate(&["--rehearse"]).ends_with("[3]") || kept.gate(&["--rehearse"]).ends_with("[2]"));
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let kept = Kept::by(SQLX);
    let at = |name: &str| kept.folder().join(name);
    File::create(at("20250101_long.sql")).unwrap().set_len(100 << 20).unwrap();
    symlink("/dev/zero", at("20250102_zero.sql")).unwrap();
    rustix::fs::mknodat(CWD, at("20250103_pipe.sql"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("20250104_circle.sql", at("20250104_circle.sql")).unwrap();
    let begun = Instant::now();
    insta::assert_snapshot!(kept.said("migration-rehearsal"), @r"skip: the pending migrations cannot be tried: 20250101_long.sql is longer than 4,194,304 bytes (and 3 more)");
    fs::remove_file(at("20250101_long.sql")).unwrap();
    insta::assert_snapshot!(kept.said("migration-rehearsal"), @r"skip: the pending migrations cannot be tried: 20250102_zero.sql is a device, not a regular file (and 2 more)");
    fs::remove_file(at("20250102_zero.sql")).unwrap();
    insta::assert_snapshot!(kept.said("migration-rehearsal"), @r"skip: the pending migrations cannot be tried: 20250103_pipe.sql is a pipe (FIFO), not a regular file (and 1 more)");
    insta::assert_snapshot!(kept.gate(&[]), @r"migrations needed: pending [20250103 20250104 20240101000004] (binary will apply on first Open) [1]");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn names_with_control_characters_are_escaped_wherever_they_are_shown() {
    let kept = Kept::by(SQLX);
    for name in [
        &b"20250101_\x1b[2J\x07boo\n.sql"[..],
        b"20250102_\xff\xfe.sql",
        "20250103_\u{202e}lqs.sql".as_bytes(),
    ] {
        fs::write(kept.folder().join(OsStr::from_bytes(name)), "SELECT nothing();").unwrap();
    }
    fs::write(kept.folder().join(OsStr::from_bytes(b"20250101_again\x1b.sql")), "SELECT 1;").unwrap();
    for arguments in [
        &[][..],
        &["--format", "json"],
        &["--format", "markdown"],
        &["--check-migrations"],
        &["--check-migrations", "--rehearse"],
    ] {
        let ran = kept.ask(arguments);
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(bad) && !ran.stderr.contains(bad), "{arguments:?}: {ran:?}");
        assert!(arguments.contains(&"--check-migrations") <= (ran.stdout.lines().count() == 1), "{ran:?}");
    }
    // D1 calls a migration by its file's whole name.
    let ran = kept.ask(&["--dialect", "d1", "--check-migrations", "--format", "json"]);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{202e}'), "{ran:?}");
}

#[test]
fn ten_thousand_files_are_bounded_and_too_many_are_refused() {
    let kept = Kept::by(USER_VERSION);
    fs::remove_dir_all(kept.folder()).unwrap();
    fs::create_dir(kept.folder()).unwrap();
    for number in 1..=10_000 {
        fs::write(kept.folder().join(format!("{number}_step.sql")), "SELECT 1;\n").unwrap();
    }
    let begun = Instant::now();
    let said = kept.gate(&["--rehearse"]);
    assert!(
        said.starts_with("migrations needed: pending [4 5 6 ") && said.contains(" more] "),
        "{said}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    for number in 0..10_001 {
        fs::write(kept.folder().join(format!("{number}.txt")), "").unwrap();
    }
    let ran = kept.place.ask(&["--check-migrations", "--migrations", "migrations"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stdout.contains("more than 20,000 files and folders lie in it"), "{ran:?}");
}
