//! Beside a writer in rollback mode that keeps no journal on disk, nothing in the file is taken for committed.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use banger_doctor::inside::each_look;
use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::daemon::say_ready;
use crate::support::stores::{healthy, rollback};
use crate::support::{Daemon, Place};

const CANNOT_TELL: &str = "another process holds the store's write lock, and no journal with a header lies beside it";

/// What the gate says; nothing beside the store changes.
fn gate(place: &Place) -> (Option<i32>, String) {
    let before = place.footprint();
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    before.assert_same(&place.footprint(), "a locked store");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    (ran.code, ran.stdout)
}

#[test]
fn uncommitted_rows_of_a_writer_without_a_journal_on_disk_are_no_answer_and_no_damage() {
    for mode in ["MEMORY", "OFF"] {
        let place = Place::new();
        rollback(&place.store());
        let _writer = Daemon::start(mode, &place.store());

        let (code, said) = gate(&place);
        assert_eq!(code, Some(3), "{mode}: {said}");
        assert!(said.contains(CANNOT_TELL), "{mode}: {said}");

        let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
        assert_eq!(ran.report()["situation"], "write-locked", "{mode}");
        assert_eq!(ran.failing(), ["read-only"], "{mode}: {}", ran.stdout);
        let row = ran.row("read-only");
        assert!(row["detail"].as_str().unwrap().contains(CANNOT_TELL), "{mode}: {row}");
        assert!(row["remedy"].as_str().unwrap().contains("Do not kill it"), "{mode}: {row}");
    }
}

#[test]
fn the_rows_of_a_store_whose_write_lock_is_held_say_what_was_looked_at() {
    let place = Place::new();
    healthy(&place.store());
    Connection::open(place.store())
        .unwrap()
        .execute_batch("PRAGMA journal_mode=DELETE")
        .unwrap();
    let _writer = Daemon::start("BEGIN EXCLUSIVE", &place.store());
    let ran = place
        .doctor()
        .args(["--only", "file,journal,read-only,page-structure"])
        .arg(place.store())
        .run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes, while another process holds its write lock
    pass  journal         another process holds the write lock, and no journal with a header lies beside the store: it has written nothing yet, or keeps no journal on disk
    FAIL  read-only       could not look: another process holds the store's write lock, and no journal with a header lies beside it: it has written nothing yet, as after BEGIN EXCLUSIVE, or what it has written may never be committed
    skip  page-structure  not examined, because `read-only` failed

    FAIL: 1 of 4 checks failed (read-only), 1 skipped
    It is not known whether data is lost.

    What to do (read-only):
      Let that process finish, and run the doctor again. Do not kill it: if it has written without a journal on disk, that cannot be undone.

    More: doctor --explain read-only
    --- exit 1 ---
    ");
}

#[test]
fn a_lock_that_is_let_go_soon_is_waited_for() {
    let place = Place::new();
    rollback(&place.store());
    let writer = Daemon::start("MEMORY", &place.store());
    let running = place.doctor().arg("--check-migrations").arg(place.store()).start();
    writer.end();
    let ran = running.end();
    // What it had begun was rolled back.
    assert_eq!(ran.stdout, "compatible: all 3 migrations applied\n");
}

#[test]
fn a_lock_that_is_never_let_go_ends_within_the_time_limit() {
    let place = Place::new();
    rollback(&place.store());
    let _writer = Daemon::start("MEMORY", &place.store());
    let begun = Instant::now();
    let ran = place
        .doctor()
        .args(["--check-migrations", "--time-limit", "0.05"])
        .arg(place.store())
        .run();
    assert_eq!(ran.code, Some(3));
    assert!(ran.stdout.contains("the time limit of 0.05 s ran out"), "{}", ran.stdout);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_exclusive_lock_over_a_wal_hides_nothing_and_one_in_rollback_mode_everything() {
    let place = Place::new();
    healthy(&place.store());
    let reader = Daemon::start("reading with an exclusive lock", &place.store());
    assert_eq!(gate(&place), (Some(0), "compatible: all 3 migrations applied\n".to_owned()));
    drop(reader);

    let role = "idle with an exclusive lock";
    let place = Place::new();
    healthy(&place.store());
    let writer = Daemon::start(role, &place.store());
    let (code, said) = gate(&place);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("incompatible: unknown [77]"), "{said}");
    drop(writer);

    let place = Place::new();
    rollback(&place.store());
    let _writer = Daemon::start(role, &place.store());
    let (code, said) = gate(&place);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(CANNOT_TELL), "{said}");
}

#[test]
fn a_lock_that_is_taken_while_the_store_is_read_is_noticed() {
    let place = Place::new();
    rollback(&place.store());
    let mut looks = Vec::new();
    let mut writer = None;
    let last = each_look(&place.store(), |is_ready| {
        looks.push(is_ready);
        // It has written nothing yet, and nothing in the file system shows that it may.
        writer.get_or_insert_with(|| Daemon::start("BEGIN EXCLUSIVE", &place.store()));
    });
    assert_eq!(looks, [true, false]);
    assert!(last.as_ref().unwrap_err().contains(CANNOT_TELL), "{last:?}");
}

/// The role of a writer that keeps its journal in memory.
const WRITER: &str = "busy without a journal on disk";

/// Plays the writer's role, where it is asked for.
pub fn play(role: &str, store: &Path) -> bool {
    if role == WRITER {
        write_until_told(store);
    }
    role == WRITER
}

/// The writer's part, in a process of its own: transaction after transaction takes migration 3 out of the ledger, writes that
/// to the file, puts it back and commits, until its standard input ends.
fn write_until_told(store: &Path) {
    let told = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        });
        let conn = Connection::open(store).unwrap();
        conn.busy_timeout(Duration::from_secs(60)).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=1; PRAGMA cache_spill=1",
        )
        .unwrap();
        say_ready();
        while !told.load(Ordering::Relaxed) {
            conn.execute_batch(
                "BEGIN; CREATE TEMP TABLE taken AS SELECT * FROM schema_migrations WHERE id = 3;
                 DELETE FROM schema_migrations WHERE id = 3;
                 UPDATE vms SET stats_json = '{\"half\":\"' || hex(randomblob(200)) || '\"}';
                 INSERT INTO schema_migrations SELECT * FROM taken; DROP TABLE taken; COMMIT",
            )
            .unwrap();
        }
    });
}

#[test]
fn a_writer_that_never_rests_and_keeps_its_journal_in_memory_is_never_read_in_mid_transaction() {
    let place = Place::new();
    rollback(&place.store());
    let writer = Daemon::start(WRITER, &place.store());
    for run in 0..15 {
        let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
        let told = ran.code == Some(0) || (ran.code == Some(3) && ran.stdout.contains(CANNOT_TELL));
        assert!(told, "run {run}: {ran:?}");
    }
    drop(writer);
}
