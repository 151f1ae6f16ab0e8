//! Files of odd sizes, names and neighbours: what SQLite would read in them, and the true reason where it would not.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::stores::{apply, beside, crashed, healthy, hot, rollback};
use crate::support::{Place, Ran};

/// What the gate says of a store; it changes nothing and leaves nothing.
pub(super) fn gate_at(place: &Place, store: &Path) -> (Option<i32>, String) {
    let before = place.footprint();
    let ran = place.doctor().arg("--check-migrations").arg(store).run();
    before.assert_same(&place.footprint(), &store.display().to_string());
    assert_eq!(place.left_in_tmp(), [""; 0]);
    (ran.code, ran.shown_stdout())
}

fn gate(place: &Place) -> (Option<i32>, String) {
    gate_at(place, &place.store())
}

/// The report of these checks, as a table.
fn rows(place: &Place, checks: &str) -> Ran {
    let before = place.footprint();
    let ran = place.doctor().args(["--only", checks]).arg(place.store()).run();
    before.assert_same(&place.footprint(), checks);
    ran
}

#[test]
fn an_empty_file_beside_a_wal_with_commits_is_no_empty_store() {
    let place = Place::new();
    crashed(&place.store());
    File::create(place.store()).unwrap();
    let (code, said) = gate(&place);
    assert_eq!(code, Some(3));
    assert_snapshot!(said, @"cannot tell: [PLACE]/store/state.db: it is empty (0 bytes), and the -wal beside it holds 4,152 bytes; keep a copy of that file: SQLite deletes it as soon as the store is opened");
    assert_snapshot!(rows(&place, "file").text(), @"
    [PLACE]/store/state.db

    FAIL  file  it is empty (0 bytes), and the -wal beside it holds 4,152 bytes; keep a copy of that file: SQLite deletes it as soon as the store is opened

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      1. Keep a copy of the -wal before banger or anything else opens the store: the latest commits are only in that file:
         umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
      2. If this is a copy, stop banger where it came from, and copy all the files again, together. Otherwise restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  empty: the file has 0 bytes: it was made and never written, or something cut it to nothing

    More: doctor --explain file
    --- exit 1 ---
    ");
}

#[test]
fn an_empty_file_beside_a_wal_that_cannot_be_read_is_no_empty_store() {
    let place = Place::new();
    File::create(place.store()).unwrap();
    assert!(Command::new("mkfifo").arg(beside(&place.store(), "-wal")).status().unwrap().success());
    let (code, said) = gate(&place);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("-wal") && said.contains("cannot be read: it is a pipe"), "{said}");
}

#[test]
fn an_empty_file_beside_the_journal_of_a_store_that_had_pages_is_no_empty_store() {
    let place = Place::new();
    hot(&place.store());
    File::create(place.store()).unwrap();
    let (code, said) = gate(&place);
    assert_eq!(code, Some(3));
    assert_snapshot!(said, @"cannot tell: [PLACE]/store/state.db: it is empty (0 bytes), and the -journal beside it was begun when the store had 24 pages; keep a copy of that file: SQLite deletes it as soon as the store is opened");
    assert_snapshot!(rows(&place, "file").text(), @"
    [PLACE]/store/state.db

    FAIL  file  it is empty (0 bytes), and the -journal beside it was begun when the store had 24 pages; keep a copy of that file: SQLite deletes it as soon as the store is opened

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      1. Keep a copy of the -journal before banger or anything else opens the store: it holds pages that the store had:
         umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
      2. If this is a copy, stop banger where it came from, and copy all the files again, together. Otherwise restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  empty: the file has 0 bytes: it was made and never written, or something cut it to nothing

    More: doctor --explain file
    --- exit 1 ---
    ");
}

#[test]
fn an_empty_file_beside_the_journal_of_its_first_transaction_is_an_empty_store() {
    let place = Place::new();
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    let conn = Connection::open(&source).unwrap();
    let sql = "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; CREATE TABLE t(x);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT zeroblob(900) FROM n";
    conn.execute_batch(sql).unwrap();
    fs::copy(beside(&source, "-journal"), beside(&place.store(), "-journal")).unwrap();
    assert_eq!(fs::read(beside(&place.store(), "-journal")).unwrap()[0], 0xd9, "it is hot");
    File::create(place.store()).unwrap();
    let (code, said) = gate(&place);
    assert_eq!(code, Some(1), "{said}");
    // SQLite takes it for empty as well.
    let conn = Connection::open(place.store()).unwrap();
    assert_eq!(
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
            .unwrap(),
        0
    );
}

#[test]
fn what_vacuum_makes_of_a_store_without_tables_is_whole() {
    let place = Place::new();
    let copy = place.folder().join("copy.db");
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE t(x); DROP TABLE t; VACUUM").unwrap();
    conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    drop(conn);
    for store in [place.store(), copy] {
        let bytes = fs::read(&store).unwrap();
        assert_eq!((&bytes[44..48], &bytes[56..60]), (&[0; 4][..], &[0, 0, 0, 1][..]), "format 0, encoding 1");
        let ran = place.doctor().args(["--only", "file", "--format", "json"]).arg(&store).run();
        assert_eq!(ran.failing(), [""; 0], "{}", ran.stdout);
    }
    // In a store that has tables, the same is damage.
    let place = Place::new();
    healthy(&place.store());
    let mut bytes = fs::read(place.store()).unwrap();
    bytes[44..48].fill(0);
    fs::write(place.store(), bytes).unwrap();
    let ran = place.doctor().args(["--only", "file", "--format", "json"]).arg(place.store()).run();
    assert_eq!(ran.failing(), ["file"], "{}", ran.stdout);
}

#[test]
fn a_page_that_is_cut_at_the_files_end_is_whole_where_the_wal_holds_it() {
    let place = Place::new();
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    healthy(&source);
    let conn = Connection::open(&source).unwrap();
    let sql = "PRAGMA wal_autocheckpoint=0; CREATE TABLE t(x);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) INSERT INTO t SELECT zeroblob(3000) FROM n";
    conn.execute_batch(sql).unwrap();
    for suffix in ["", "-wal"] {
        fs::copy(beside(&source, suffix), beside(&place.store(), suffix)).unwrap();
    }
    let mut file = File::options().append(true).open(place.store()).unwrap();
    file.write_all(&[0; 1000]).unwrap();
    drop(file);
    let ran = rows(&place, "file,journal,page-structure,row-values");
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes and 1,000 bytes more, which the WAL replaces
    pass  journal         2 commits (16 frames) in the WAL
    pass  page-structure  22 pages checked
    pass  row-values      every value of 15 rows in 25 columns looks like banger's

    PASS: 4 of 4 checks passed
    --- exit 0 ---
    ");
    // Without the WAL, nothing holds it.
    fs::remove_file(beside(&place.store(), "-wal")).unwrap();
    let text = rows(&place, "file").text();
    assert!(
        text.contains("pass  file  an SQLite database, 9 pages of 4096 bytes, and 1,000 more bytes behind them"),
        "{text}"
    );
}

#[test]
fn a_file_without_a_size_is_not_taken_for_an_empty_store() {
    let place = Place::new();
    let (code, said) = gate_at(&place, Path::new("/proc/self/maps"));
    assert_eq!(code, Some(3), "{said}");
    let ran = place.doctor().args(["--only", "file"]).arg("/proc/self/maps").run();
    assert_snapshot!(ran.text(), @"
    /proc/self/maps

    FAIL  file  the system reports a size of 0 bytes, but the file holds data: SQLite would take it for an empty store; nothing is known about its data

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      Copy its content to an ordinary file, and examine that file.

    More: doctor --explain file
    --- exit 1 ---
    ");
}

#[test]
fn what_has_no_path_of_its_own_is_named() {
    let place = Place::new();
    let on_stdin = |stdin: Stdio| {
        let mut doctor = place.doctor().args(["--check-migrations", "/dev/stdin"]);
        doctor.command.stdin(stdin);
        doctor.run().stdout
    };
    assert_eq!(
        on_stdin(Stdio::piped()),
        "cannot tell: /dev/stdin: it is a pipe (FIFO), not a regular file\n"
    );

    healthy(&place.store());
    let file = File::open(place.store()).unwrap();
    fs::remove_file(place.store()).unwrap();
    assert_eq!(
        on_stdin(file.into()),
        "cannot tell: /dev/stdin: it cannot be read: the file was deleted\n"
    );

    // A file that has a path is found by it.
    healthy(&place.store());
    let said = on_stdin(File::open(place.store()).unwrap().into());
    assert_eq!(said, "compatible: all 3 migrations applied\n");
}

#[test]
fn a_link_in_the_place_of_a_sidecar_is_told_at_once() {
    let open = |store: &Path| -> rusqlite::Result<usize> {
        let conn = Connection::open(store)?;
        conn.execute_batch("PRAGMA journal_mode=WAL")?;
        conn.execute("UPDATE vms SET state = 'running'", [])
    };
    for suffix in ["-wal", "-shm", "-journal"] {
        for target in ["nowhere", &format!("state.db{suffix}"), "/proc/1/fd/nothing"] {
            let when = format!("{suffix} -> {target}");
            let place = Place::new();
            rollback(&place.store());
            symlink(target, beside(&place.store(), suffix)).unwrap();
            let begun = Instant::now();
            let (code, said) = gate(&place);
            assert_eq!(code, Some(3), "{when}: {said}");
            assert!(said.contains(suffix) && said.contains("it is a symbolic link"), "{when}: {said}");
            let ran = rows(&place, "file,journal");
            assert!(
                ran.text().contains("FAIL  journal  something is wrong with the"),
                "{when}: {}",
                ran.text()
            );
            assert!(!ran.text().contains("unfinished"), "{when}: {}", ran.text());
            assert!(begun.elapsed() < Duration::from_secs(5), "{when}: {:?}", begun.elapsed());
            // Nor could banger open it.
            assert!(open(&place.store()).is_err(), "{when}");
        }
    }
}

#[test]
fn a_file_of_several_names_says_what_may_lie_beside_the_others() {
    let place = Place::new();
    crashed(&place.store());
    let other = place.folder().join("other.db");
    fs::hard_link(place.store(), &other).unwrap();
    let ran = place.doctor().args(["--only", "journal"]).arg(&other).run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/other.db

    pass  journal  nothing is waiting to be written back; the file has 2 names (hard links): a -wal beside another of them may hold commits, and was not examined

    PASS: 1 of 1 checks passed
    --- exit 0 ---
    ");
}

#[test]
fn a_header_whose_pages_have_no_size_is_refused_whatever_lies_beside_it() {
    let place = Place::new();
    hot(&place.store());
    let mut bytes = fs::read(place.store()).unwrap();
    bytes[16..18].fill(0);
    fs::write(place.store(), bytes).unwrap();
    let journal = beside(&place.store(), "-journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[24..28].fill(0);
    fs::write(&journal, bytes).unwrap();
    let (code, said) = gate(&place);
    assert_eq!(code, Some(3));
    assert_snapshot!(said, @"cannot tell: [PLACE]/store/state.db: its header is damaged: page size 0 is not a power of two between 512 and 65536");
}

#[test]
fn a_journal_of_empty_segments_ends_within_the_time_limit() {
    let place = Place::new();
    hot(&place.store());
    let journal = beside(&place.store(), "-journal");
    let mut segment = fs::read(&journal).unwrap()[..32].to_vec();
    segment[8..12].fill(0);
    segment[20..24].copy_from_slice(&32_u32.to_be_bytes());
    fs::write(&journal, segment.repeat(2_000_000)).unwrap();
    let ran = place
        .doctor()
        .args(["--only", "journal", "--time-limit", "0.05", "--format", "json"])
        .arg(place.store())
        .run();
    let row = ran.row("journal");
    assert_eq!(row["status"], "fail", "{row}");
    assert!(row["detail"].as_str().unwrap().contains("the time limit of 0.05 s ran out"), "{row}");
}

#[test]
fn a_ledger_in_a_wal_of_ten_thousand_commits_is_read() {
    let place = Place::new();
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    let conn = Connection::open(&source).unwrap();
    conn.execute_batch("PRAGMA page_size=512; PRAGMA journal_mode=WAL").unwrap();
    drop(conn);
    healthy(&source);
    let conn = Connection::open(&source).unwrap();
    conn.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF; CREATE TABLE t(x)")
        .unwrap();
    for _ in 0..10_000 {
        conn.execute("INSERT INTO t VALUES (zeroblob(440))", []).unwrap();
    }
    apply(&conn, 77);
    for suffix in ["", "-wal"] {
        fs::copy(beside(&source, suffix), beside(&place.store(), suffix)).unwrap();
    }
    assert_eq!(gate(&place).0, Some(2));
}
