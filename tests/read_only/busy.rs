//! Beside a writer in rollback mode that never rests: its commits are held up for a moment at most, and nobody waits for a
//! lock longer than he was told to.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::daemon::say_ready;
use crate::support::stores::{Lies, rollback};
use crate::support::{Daemon, Doctor, Place, Running, needs};

/// The role of a writer that commits some hundred times a second.
const COMMITTER: &str = "commits in rollback mode";

/// Plays the writer's role, where it is asked for.
pub fn play(role: &str, store: &Path) -> bool {
    if role == COMMITTER {
        commit_until_told(store);
    }
    role == COMMITTER
}

/// The writer's part, with banger's busy timeout. It says how many commits there were, how long the slowest took and what went
/// wrong.
fn commit_until_told(store: &Path) {
    let conn = Connection::open(store).unwrap();
    conn.busy_timeout(Duration::from_secs(5)).unwrap();
    conn.execute_batch("PRAGMA synchronous=OFF").unwrap();
    let told = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        });
        let (mut commits, mut slowest) = (0_u32, Duration::ZERO);
        while !told.load(Ordering::Relaxed) {
            commits += 1;
            if commits == 2 {
                say_ready();
            }
            let begun = Instant::now();
            let sql = "UPDATE vms SET stats_json = '{\"n\":' || ?1 || '}' WHERE name = 'vm-' || (?1 % 12)";
            if let Err(error) = conn.execute(sql, [commits]) {
                println!("FAILED: {error}");
                break;
            }
            slowest = slowest.max(begun.elapsed());
            thread::sleep(Duration::from_millis(3));
        }
        println!("{commits} commits, the slowest in {} ms", slowest.as_millis());
    });
}

/// Ends the writer, which must have met no error.
fn end(writer: Daemon) {
    let said = writer.end();
    assert!(
        said.iter().any(|line| line.contains(" commits, ")) && !said.iter().any(|line| line.contains("FAILED")),
        "the writer: {said:?}"
    );
}

/// A store in rollback mode with so many megabytes in a table that is not banger's.
fn large(path: &Path, megabytes: u32) {
    rollback(path);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA synchronous=OFF; CREATE TABLE filler(x)").unwrap();
    for _ in 0..megabytes {
        conn.execute("INSERT INTO filler VALUES (zeroblob(1000000))", []).unwrap();
    }
}

#[test]
fn the_gate_reads_one_page_of_a_large_store_whose_writer_never_rests() {
    let place = Place::new();
    large(&place.store(), 150);
    let writer = Daemon::start(COMMITTER, &place.store());
    let ran = place.doctor().args(["--check-migrations", "--time-limit", "30"]).arg(place.store()).run();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "compatible: all 3 migrations applied\n"),
        "{ran:?}"
    );
    end(writer);
}

#[test]
fn the_report_copies_a_large_store_whose_writer_never_rests_at_once() {
    let place = Place::new();
    large(&place.store(), 150);
    let writer = Daemon::start(COMMITTER, &place.store());
    let ran = place
        .doctor()
        .args([
            "--only",
            "read-only,schema-state",
            "--time-limit",
            "30",
            "--format",
            "json",
        ])
        .arg(place.store())
        .run();
    assert_eq!(ran.failing(), [""; 0], "{ran:?}");
    let detail = ran.row("read-only")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("read from a private copy, because it was being written to"), "{detail}");
    end(writer);
    assert_eq!(place.left_in_tmp(), [""; 0]);
}

/// The doctor on a machine on which each page of the store takes so many milliseconds to read.
fn on_a_slow_disk(place: &Place, milliseconds: u32) -> Doctor {
    let store = place.store();
    let delay = format!("inject=pread64:delay_exit={milliseconds}000");
    place.traced_doctor(&["-P", store.to_str().unwrap(), "-e", "trace=pread64", "-e", &delay])
}

#[test]
fn what_would_keep_the_writer_waiting_for_too_long_is_given_up_with_the_reason() {
    needs!("strace");
    let place = Place::new();
    large(&place.store(), 10);
    let reason = "the store is being written to, and reading it would keep its writers waiting for more than";

    let writer = Daemon::start(COMMITTER, &place.store());
    let begun = Instant::now();
    let ran = on_a_slow_disk(&place, 10).args(["--only", "read-only"]).arg(place.store()).run();
    assert!(ran.stdout.contains(&format!("could not look: {reason} 2 s")), "{ran:?}");
    assert!(ran.stdout.contains("Stop what writes to the store"), "{ran:?}");
    // Not at the time limit of 300 s.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    end(writer);
    assert_eq!(place.left_in_tmp(), [""; 0]);
}

#[test]
fn a_ledger_that_takes_too_long_to_read_keeps_no_writer_waiting() {
    needs!("strace");
    let place = Place::new();
    large(&place.store(), 10);
    // So many rows that its pages take longer than a second.
    let mut conn = Connection::open(place.store()).unwrap();
    let transaction = conn.transaction().unwrap();
    for id in 4..4_000 {
        let sql = "INSERT INTO schema_migrations VALUES (?1, 'from_the_future', '2026-04-28T18:41:31Z')";
        transaction.execute(sql, [id]).unwrap();
    }
    transaction.commit().unwrap();
    drop(conn);

    let writer = Daemon::start(COMMITTER, &place.store());
    let ran = on_a_slow_disk(&place, 100).arg("--check-migrations").arg(place.store()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stdout.contains("reading it would keep its writers waiting for more than 1 s"),
        "{ran:?}"
    );
    end(writer);
}

/// A store that a writer keeps to itself in the middle of a transaction, on a machine without a place for a copy: all that
/// is left is to wait for the lock.
fn waiting_for_a_lock(place: &Place, arguments: &[&str]) -> (Daemon, Running) {
    let writer = Lies::RollbackLive.make(&place.store()).unwrap();
    let doctor = place.doctor().env("TMPDIR", "/nowhere").args(arguments).arg(place.store());
    let running = doctor.start();
    running.wait_until_open(&place.store());
    (writer, running)
}

/// Shorter than a daemon waits for a lock.
const AT_ONCE: Duration = Duration::from_millis(4_500);

#[test]
fn the_time_limit_ends_the_waiting_for_a_lock() {
    for arguments in [
        &["--check-migrations", "--time-limit", "0.3"][..],
        &["--time-limit", "0.3"],
    ] {
        let place = Place::new();
        let (writer, running) = waiting_for_a_lock(&place, arguments);
        let begun = Instant::now();
        let ran = running.end();
        assert!(begun.elapsed() < AT_ONCE, "{arguments:?}: {:?}", begun.elapsed());
        assert!(ran.stdout.contains("the time limit of 0.3 s ran out"), "{arguments:?}: {ran:?}");
        drop(writer);
    }
}

#[test]
fn ctrl_c_ends_the_waiting_for_a_lock() {
    let place = Place::new();
    let (writer, running) = waiting_for_a_lock(&place, &[]);
    let begun = Instant::now();
    running.signal(Signal::INT);
    let ran = running.end();
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stdout.contains("interrupted"), "{ran:?}");
    drop(writer);
}

#[test]
fn a_lock_that_is_let_go_in_time_is_waited_for() {
    let place = Place::new();
    let (writer, running) = waiting_for_a_lock(&place, &["--format", "json"]);
    drop(writer);
    let ran = running.end();
    assert_eq!(ran.failing(), [""; 0], "{ran:?}");
}
