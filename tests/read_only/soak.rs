//! The doctor beside a writer that never rests: no false alarm, nothing left behind, and the writer does not notice.
//!
//! This is the short form; `benches/soak.py` is the long one, with figures.

use rusqlite::Connection;

use crate::support::Place;
use crate::support::daemon::Daemon;
use crate::support::footprint::names;
use crate::support::place::sandboxed_or_not;
use crate::support::stores::{beside, healthy};

/// How often the doctor is run beside each writer.
const RUNS: usize = 40;

/// After how many of them the writer is killed and started anew.
const KILLED_AFTER: usize = 10;

/// The busy timeout of banger's daemon, in milliseconds.
const DAEMONS_TIMEOUT: u64 = 5_000;

/// Runs the doctor beside a writer; fails on any false alarm, and on anything that the writer complains of.
fn soak(busy_timeout: u64, sandboxed: bool, killed: bool) {
    let place = Place::new();
    healthy(&place.store());
    let start = || Daemon::start(&format!("busy with a timeout of {busy_timeout}"), &place.store());
    let mut writer = start();
    for run in 1..=RUNS {
        let gate = run.is_multiple_of(3);
        let doctor = place.doctor().sandboxed(sandboxed).arg(place.store());
        let ran = if gate {
            doctor.arg("--check-migrations").run()
        } else {
            doctor.args(["--format", "json"]).run()
        };
        assert_eq!(ran.code, Some(0), "run {run} beside a writer: {ran:?}");
        if killed && run < RUNS && run.is_multiple_of(KILLED_AFTER) {
            writer.kill();
            // What it left is read as well.
            let ran = place.doctor().sandboxed(sandboxed).args(["--format", "json"]).arg(place.store()).run();
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
    for sandboxed in sandboxed_or_not() {
        soak(0, *sandboxed, false);
    }
}

#[test]
fn a_writer_that_switches_modes_and_is_killed_is_not_disturbed_and_raises_no_false_alarm() {
    for sandboxed in sandboxed_or_not() {
        soak(DAEMONS_TIMEOUT, *sandboxed, true);
    }
}
