//! The doctor beside a writer that never rests: no false alarm, nothing left behind, and the writer does not notice.
//!
//! This is the short form; `benches/soak.py` is the long one, with figures.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::support::daemon::say_ready;
use crate::support::footprint::names;
use crate::support::stores::{beside, healthy};
use crate::support::{Daemon, Kernel, Place, kernels};

/// Where a WAL is read in place.
const IN_PLACE: [Kernel; 2] = [Kernel::Whole, Kernel::WithoutLandlock];

/// How often the doctor is run beside each writer.
const RUNS: usize = 40;

/// After how many of them the writer is killed and started anew.
const KILLED_AFTER: usize = 10;

/// The busy timeout of banger's daemon, in milliseconds.
const DAEMONS_TIMEOUT: u64 = 5_000;

/// Plays the writer's role, where it is asked for.
pub fn play(role: &str, store: &Path) -> bool {
    let timeout = role.strip_prefix("busy with a timeout of ").map(|timeout| timeout.parse().unwrap());
    timeout.map(|timeout| write_until_told(store, timeout)).is_some()
}

/// The writer's part, in a process of its own: commits, checkpoints, opens and closes the store, and, where it has a busy
/// timeout, switches between the WAL and rollback mode, until its standard input ends. It says what went wrong.
fn write_until_told(store: &Path, busy_timeout: u64) {
    let told = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        });
        let (commits, ended) = write(store, busy_timeout, &told);
        println!("{commits} commits");
        if let Err(error) = ended {
            println!("FAILED: {error}: {:?}", error.sqlite_extended_error_code());
        }
    });
}

fn write(store: &Path, busy_timeout: u64, told: &AtomicBool) -> (u32, rusqlite::Result<()>) {
    let open = || -> rusqlite::Result<Connection> {
        let conn = Connection::open(store)?;
        conn.busy_timeout(Duration::from_millis(busy_timeout))?;
        conn.execute_batch("PRAGMA synchronous=OFF")?;
        Ok(conn)
    };
    let mut commits: u32 = 0;
    let mut work = || -> rusqlite::Result<()> {
        let mut conn = open()?;
        say_ready();
        while !told.load(Ordering::Relaxed) {
            commits += 1;
            let sql = "UPDATE vms SET stats_json = '{\"n\":' || ?1 || '}' WHERE name = 'vm-' || (1 + ?1 % 12)";
            conn.execute(sql, [commits])?;
            let pragma = |sql: &str| conn.query_row(sql, [], |_| Ok(()));
            let leave_wal_mode = || match pragma("PRAGMA journal_mode=DELETE") {
                // Beside any reader, SQLite refuses this at once, whatever the busy timeout.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
                other => other,
            };
            match commits {
                n if n.is_multiple_of(307) && busy_timeout > 0 => leave_wal_mode()?,
                n if n.is_multiple_of(331) && busy_timeout > 0 => pragma("PRAGMA journal_mode=WAL")?,
                n if n.is_multiple_of(211) => conn = open_again(conn, &open)?,
                n if n.is_multiple_of(101) => pragma("PRAGMA wal_checkpoint(TRUNCATE)")?,
                n if n.is_multiple_of(37) => pragma("PRAGMA wal_checkpoint(PASSIVE)")?,
                _ => {}
            }
        }
        conn.close().map_err(|(_, error)| error)
    };
    let ended = work();
    (commits, ended)
}

fn open_again(conn: Connection, open: &impl Fn() -> rusqlite::Result<Connection>) -> rusqlite::Result<Connection> {
    conn.close().map_err(|(_, error)| error)?;
    open()
}

/// Runs the doctor beside a writer; fails on any false alarm, and on anything that the writer complains of.
fn soak(busy_timeout: u64, kernel: Kernel, killed: bool) {
    let place = Place::new();
    healthy(&place.store());
    let start = || Daemon::start(&format!("busy with a timeout of {busy_timeout}"), &place.store());
    let mut writer = start();
    for run in 1..=RUNS {
        let gate = run.is_multiple_of(3);
        let doctor = place.doctor().on(kernel).arg(place.store());
        let ran = if gate {
            doctor.arg("--check-migrations").run()
        } else {
            doctor.args(["--format", "json"]).run()
        };
        assert_eq!(ran.code, Some(0), "run {run} beside a writer: {ran:?}");
        if killed && run < RUNS && run.is_multiple_of(KILLED_AFTER) {
            writer.kill();
            // What it left is read as well.
            let ran = place.doctor().on(kernel).args(["--format", "json"]).arg(place.store()).run();
            assert_eq!(ran.code, Some(0), "after the writer was killed: {ran:?}");
            writer = start();
        }
    }
    let said = writer.end();
    assert!(!said.iter().any(|line| line.contains("FAILED")), "the writer: {said:?}");
    let commits = said.iter().find_map(|line| line.strip_suffix(" commits")?.parse::<u64>().ok());
    assert!(commits.is_some_and(|commits| commits > 0), "the writer did nothing: {said:?}");

    // Closed cleanly, by whatever mode it was in last.
    assert_eq!(names(&place.folder()), ["state.db"]);
    assert_eq!(place.left_in_tmp(), [""; 0]);
    let conn = Connection::open(place.store()).unwrap();
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert!(!beside(&place.store(), "-journal").exists());
}

#[test]
fn a_writer_in_wal_mode_without_any_busy_timeout_never_waits_for_the_doctor() {
    for &kernel in kernels!().iter().filter(|kernel| IN_PLACE.contains(kernel)) {
        soak(0, kernel, false);
    }
}

#[test]
fn a_writer_that_switches_modes_and_is_killed_is_not_disturbed_and_raises_no_false_alarm() {
    for &kernel in kernels!().iter().filter(|kernel| IN_PLACE.contains(kernel)) {
        soak(DAEMONS_TIMEOUT, kernel, true);
    }
}
