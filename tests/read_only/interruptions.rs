//! What happens in the middle of a run: signals, no room, and others who change the store.
//!
//! `strace` sends the signal at a given system call, so nothing here depends on how fast anything is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::footprint::names;
use crate::support::stores::{Lies, apply, healthy, hot, rollback, sized};
use crate::support::{Daemon, Doctor, Kernel, Mounted, Place, Ran, Running, needs, skipped};

const CHECKS: [&str; 2] = ["--only", "file,journal,read-only,page-structure,schema-state"];

/// The doctor, sent this signal at its `nth` call of this name on what lies at this path.
fn signalled(place: &Place, signal: &str, path: &Path, call: &str, nth: u32) -> Doctor {
    let inject = format!("inject={call}:signal={signal}:when={nth}");
    place.traced_doctor(&[
        "-P",
        path.to_str().unwrap(),
        "-e",
        &format!("trace={call}"),
        "-e",
        &inject,
    ])
}

/// The doctor, sent this signal as SQLite reads the store for the `nth` time.
fn signalled_at_read(place: &Place, signal: &str, nth: u32) -> Doctor {
    signalled(place, signal, &place.store(), "pread64", nth)
}

/// The doctor, about to be stopped, and told to go on.
pub fn stopped(place: &Place, path: &Path, call: &str, nth: u32) -> Stopped {
    let doctor = signalled(place, "SIGSTOP", path, call, nth).args(CHECKS).arg(place.store());
    let mut running = doctor.start();
    loop {
        if let Some(line) = place.trace().lines().find(|line| line.contains("--- stopped by SIGSTOP ---")) {
            let pid = line.split_whitespace().next().unwrap().parse().unwrap();
            return Stopped { running, pid };
        }
        assert!(!running.has_ended(), "it ended before {call} {nth}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The doctor, stopped as SQLite reads the store for the third time.
fn stopped_at_read(place: &Place) -> Stopped {
    stopped(place, &place.store(), "pread64", 3)
}

pub struct Stopped {
    running: Running,
    pub pid: i32,
}

impl Stopped {
    pub fn go_on(self) -> Ran {
        kill_process(Pid::from_raw(self.pid).unwrap(), Signal::CONT).unwrap();
        self.running.end()
    }
}

#[test]
fn ctrl_c_prints_the_rows_so_far_and_exits_130() {
    needs!("strace");
    let place = Place::new();
    healthy(&place.store());
    let before = place.footprint();
    let ran = signalled_at_read(&place, "SIGINT", 1).args(CHECKS).arg(place.store()).run();
    before.assert_same(&place.footprint(), "Ctrl-C");
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  read-only       no -wal lies beside it; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    FAIL  page-structure  could not look: interrupted
    skip  schema-state    interrupted

    FAIL: 1 of 5 checks failed (page-structure), 1 skipped
    It is not known whether data is lost.

    What to do (page-structure):
      Run the doctor again, and let it finish.

    Interrupted: the checks that are skipped or could not look did not see the whole store.
    --- exit 130 ---
    ");
}

#[test]
fn being_asked_to_end_is_the_same_as_ctrl_c() {
    needs!("strace");
    for (signal, code) in [("SIGTERM", 143), ("SIGHUP", 129)] {
        let place = Place::new();
        healthy(&place.store());
        let ran = signalled_at_read(&place, signal, 1).args(CHECKS).arg(place.store()).run();
        assert_eq!(ran.code, Some(code), "{signal}: {ran:?}");
        assert!(ran.stdout.contains("pass  file"), "{signal}: {ran:?}");
    }
}

#[test]
fn ctrl_c_in_the_middle_of_a_long_check_ends_it() {
    needs!("strace");
    let place = Place::new();
    sized(&place.store(), 30_000);
    let ran = signalled_at_read(&place, "SIGINT", 500)
        .args(["--only", "file,page-structure"])
        .arg(place.store())
        .run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 2,420 pages of 4096 bytes
    FAIL  page-structure  could not look: interrupted

    FAIL: 1 of 2 checks failed (page-structure)
    It is not known whether data is lost.

    What to do (page-structure):
      Run the doctor again, and let it finish.

    Interrupted: the checks that are skipped or could not look did not see the whole store.
    --- exit 130 ---
    ");
}

#[test]
fn ctrl_c_leaves_the_stores_that_come_after_alone() {
    needs!("strace");
    let place = Place::new();
    healthy(&place.store());
    let ran = signalled_at_read(&place, "SIGINT", 1)
        .args(["--only", "file", "--format", "json"])
        .args(std::iter::repeat_n(place.store(), 20))
        .run();
    assert_eq!(ran.code, Some(130));
    // One store at a time, because they are one file: what was begun by then is printed, and nothing is begun after it.
    assert!(ran.stdout.lines().count() <= 2, "{ran:?}");
    assert!(ran.stderr.contains("interrupted; "), "{ran:?}");
}

#[test]
fn a_gate_that_is_interrupted_gives_no_answer_and_leaves_nothing() {
    needs!("strace");
    let place = Place::new();
    hot(&place.store());
    let before = place.footprint();
    // The probe reads it twice, once to see whether a folder is needed; then it is copied.
    let ran = signalled(&place, "SIGINT", &place.store(), "read", 3)
        .arg("--check-migrations")
        .arg(place.store())
        .run();
    before.assert_same(&place.footprint(), "an interrupted gate");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    assert_snapshot!(ran.text(), @"
    cannot tell: [PLACE]/store/state.db: a private copy of the store is needed (it holds what a writer left unfinished) and could not be made: interrupted
    --- exit 3 ---
    ");
}

#[test]
fn the_private_folder_is_closed_to_others_and_gone_after_ctrl_c() {
    needs!("strace");
    let place = Place::new();
    hot(&place.store());
    let before = place.footprint();
    // The probe reads it once; then it is copied.
    let stopped = stopped(&place, &place.store(), "read", 2);
    let [folder] = place.left_in_tmp().try_into().unwrap();
    assert!(folder.starts_with("doctor-"), "{folder}");
    let mode = fs::metadata(place.tmp().join(folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    kill_process(Pid::from_raw(stopped.pid).unwrap(), Signal::INT).unwrap();
    let ran = stopped.go_on();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    before.assert_same(&place.footprint(), "Ctrl-C while a copy is made");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_and_what_a_running_one_has_is_not() {
    needs!("strace");
    let place = Place::new();
    hot(&place.store());
    let killed = stopped(&place, &place.store(), "read", 2);
    let [folder] = place.left_in_tmp().try_into().unwrap();
    let gate = || place.doctor().arg("--check-migrations").arg(place.store()).run();
    gate();
    assert_eq!(place.left_in_tmp(), std::slice::from_ref(&folder), "its run is alive");
    kill_process(Pid::from_raw(killed.pid).unwrap(), Signal::KILL).unwrap();
    drop(killed.go_on());
    assert_eq!(place.left_in_tmp(), [folder], "it was killed");
    gate();
    assert_eq!(place.left_in_tmp(), [""; 0]);
}

#[test]
fn a_store_that_is_deleted_in_mid_run_is_missing() {
    needs!("strace");
    let place = Place::new();
    healthy(&place.store());
    let stopped = stopped_at_read(&place);
    fs::remove_file(place.store()).unwrap();
    assert_snapshot!(stopped.go_on().text(), @"
    [PLACE]/store/state.db

    FAIL  file            there is no such file, so nothing could be examined
    skip  journal         not examined, because `file` failed (also read-only, page-structure, schema-state)

    FAIL: 1 of 5 checks failed (file), 4 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Check the path. If banger has never run here, start it once, and it makes its store.
      2. If it has, the store was moved or deleted: restore a backup.

    More: doctor --explain file
    --- exit 1 ---
    ");
    assert_eq!(names(&place.folder()), [""; 0], "it is not made again");
}

#[test]
fn a_store_that_is_replaced_in_mid_run_is_looked_at_again() {
    needs!("strace");
    let place = Place::new();
    healthy(&place.store());
    let other = place.home().join("other.db");
    healthy(&other);
    apply(&rusqlite::Connection::open(&other).unwrap(), 99);
    let stopped = stopped_at_read(&place);
    fs::rename(&other, place.store()).unwrap();
    assert_snapshot!(stopped.go_on().text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  read-only       no -wal lies beside it; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    pass  page-structure  9 pages checked
    FAIL  schema-state    1 migration applied that this binary does not know; no data is lost

    FAIL: 1 of 5 checks failed (schema-state)
    No data is lost.

    What to do (schema-state):
      Update banger to the version that last used the store, or a later one: this one is older. Do not delete the store or edit its ledger, and do not swap this binary in.

    More: doctor --explain schema-state
    --- exit 1 ---
    ");
}

#[test]
fn a_store_that_is_committed_to_in_mid_run_is_looked_at_again() {
    needs!("strace");
    for lies in [Lies::Closed, Lies::Rollback] {
        let place = Place::new();
        lies.make(&place.store());
        let stopped = stopped_at_read(&place);
        let conn = rusqlite::Connection::open(place.store()).unwrap();
        apply(&conn, 99);
        drop(conn);
        let after = place.footprint();
        let ran = stopped.go_on();
        assert_eq!(ran.code, Some(1), "{lies:?}: {ran:?}");
        assert!(
            ran.stdout.contains("1 migration applied that this binary does not know"),
            "{lies:?}: {ran:?}"
        );
        after.assert_same(&place.footprint(), &format!("{lies:?}"));
    }
}

#[test]
fn a_daemon_that_starts_in_mid_run_finds_its_files_left_alone() {
    needs!("strace");
    let place = Place::new();
    healthy(&place.store());
    let stopped = stopped_at_read(&place);
    let daemon = Daemon::start("live", &place.store());
    let after = place.footprint();
    let ran = stopped.go_on();
    assert!(ran.stdout.contains("1 migration applied that this binary does not know"), "{ran:?}");
    after.assert_same(&place.footprint(), "a daemon starts");
    drop(daemon);
}

#[test]
fn what_takes_longer_than_the_time_limit_is_a_failing_row_and_the_rest_is_skipped() {
    let place = Place::new();
    sized(&place.store(), 30_000);
    let ran = place.doctor().args(CHECKS).args(["--time-limit", "0.000001"]).arg(place.store()).run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 2,420 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  read-only       no -wal lies beside it; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    FAIL  page-structure  could not look: the time limit of 0.000001 s ran out
    skip  schema-state    the time limit of 0.000001 s ran out

    FAIL: 1 of 5 checks failed (page-structure), 1 skipped
    It is not known whether data is lost.

    What to do (page-structure):
      Give it more time with --time-limit, or leave this check out with --skip.

    More: doctor --explain page-structure
    --- exit 1 ---
    ");
}

#[test]
fn without_room_for_a_copy_the_row_says_how_much_is_needed() {
    let place = Place::new();
    hot(&place.store());
    let Some(_mounted) = Mounted::with_room_for(&place.tmp(), "64k") else {
        return skipped!("mount");
    };
    let before = place.footprint();
    let ran = place.doctor().args(CHECKS).arg(place.store()).run();
    before.assert_same(&place.footprint(), "a full folder");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 108 pages of 4096 bytes, with an unfinished transaction
    pass  journal         a hot rollback journal: 15 pages of an unfinished transaction will be rolled back when banger opens the store
    FAIL  read-only       could not look: a private copy of the store is needed (it holds what a writer left unfinished) and could not be made: cannot copy the store to [PLACE]/tmp/doctor-[RANDOM]/0: 504 KiB are needed and 64 KiB are free
    skip  page-structure  not examined, because `read-only` failed (also schema-state)

    FAIL: 1 of 5 checks failed (read-only), 2 skipped
    It is not known whether data is lost.

    What to do (read-only):
      Set TMPDIR to a folder that you may write to and that has room for the store, and run the doctor again.

    More: doctor --explain read-only
    --- exit 1 ---
    ");
}

#[test]
fn without_a_folder_for_a_copy_the_row_says_what_to_do() {
    let place = Place::new();
    hot(&place.store());
    let before = place.footprint();
    let nowhere = place.home().join("nowhere");
    let ran = place.doctor().env("TMPDIR", &nowhere).args(CHECKS).arg(place.store()).run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file            an SQLite database, 108 pages of 4096 bytes, with an unfinished transaction
    pass  journal         a hot rollback journal: 15 pages of an unfinished transaction will be rolled back when banger opens the store
    FAIL  read-only       could not look: a private copy of the store is needed (it holds what a writer left unfinished) and could not be made: cannot make a private folder in ~/nowhere: No such file or directory (os error 2)
    skip  page-structure  not examined, because `read-only` failed (also schema-state)

    FAIL: 1 of 5 checks failed (read-only), 2 skipped
    It is not known whether data is lost.

    What to do (read-only):
      Set TMPDIR to a folder that you may write to and that has room for the store, and run the doctor again.

    More: doctor --explain read-only
    --- exit 1 ---
    ");
    let ran = place.doctor().env("TMPDIR", &nowhere).arg("--check-migrations").arg(place.store()).run();
    assert_snapshot!(ran.text(), @"
    cannot tell: [PLACE]/store/state.db: a private copy of the store is needed (it holds what a writer left unfinished) and could not be made: cannot make a private folder in ~/nowhere: No such file or directory (os error 2)
    --- exit 3 ---
    ");
    before.assert_same(&place.footprint(), "no folder for copies");
}

#[test]
fn where_no_copy_is_needed_nobody_asks_for_a_folder() {
    for lies in Lies::ALL.into_iter().filter(|lies| !lies.needs_a_copy(Kernel::Whole)) {
        let place = Place::new();
        let daemon = lies.make(&place.store());
        let ran = place
            .doctor()
            .env("TMPDIR", "/nowhere")
            .args(["--format", "json"])
            .arg(place.store())
            .run();
        assert_eq!(ran.failing(), lies.failing(), "{lies:?}: {ran:?}");
        drop(daemon);
    }
}

#[test]
fn a_store_in_rollback_mode_that_a_reader_holds_is_read_all_the_same() {
    let place = Place::new();
    rollback(&place.store());
    let conn = rusqlite::Connection::open(place.store()).unwrap();
    let mut statement = conn.prepare("SELECT * FROM vms").unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    let ran = place.doctor().args(CHECKS).arg(place.store()).run();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
