//! `in-use`: who has the store open, and whether they work with the files that lie there. Each program is a real process.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::Place;
use crate::support::asking::{commands, type_command};
use crate::support::daemon::Daemon;
use crate::support::stores::{IN_THE_WAL, beside, healthy};

const CHECK: &str = "in-use";

/// A place with a healthy store in WAL mode, and a program that has it open.
fn with_program(role: &str) -> (Place, Daemon) {
    let place = Place::new();
    healthy(&place.store());
    let program = Daemon::start(role, &place.store());
    (place, program)
}

/// The row, with placeholders for the program's name and number and those of descriptors.
fn said(place: &Place, program: &Daemon) -> String {
    let row = place.said(CHECK, &[]);
    let pid = program.pid().to_string();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let row = row.replace(name.trim_end(), "[NAME]").replace(&pid, "[PID]");
    let mut parts = row.split("/fd/");
    let first = parts.next().unwrap().to_owned();
    let rest = parts.map(|part| "/fd/[FD]".to_owned() + part.trim_start_matches(|c: char| c.is_ascii_digit()));
    first + &rest.collect::<String>()
}

/// The row where `/proc` is covered by an empty file system; `None` where that cannot be done.
fn said_without_proc(place: &Place) -> Option<serde_json::Value> {
    let script = "mount -t tmpfs none /proc && exec \"$@\"";
    let ran = std::process::Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            script,
            "sh",
            env!("CARGO_BIN_EXE_doctor"),
            "--only",
            CHECK,
            "--format",
            "json",
        ])
        .arg(place.store())
        .output()
        .ok()?;
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).ok()?;
    Some(report["rows"][0].clone())
}

#[test]
fn without_proc_nothing_is_said_of_programs_and_why() {
    let (place, _program) = with_program("live");
    let quiet = Place::new();
    healthy(&quiet.store());
    let (Some(used), Some(quiet)) = (said_without_proc(&place), said_without_proc(&quiet)) else {
        return;
    };
    let why = "/proc shows no process: No such file or directory (os error 2)";
    assert_eq!((&used["status"], &quiet["status"]), (&"skip".into(), &"skip".into()), "{used} {quiet}");
    assert_eq!(quiet["detail"], format!("could not look who has it open: {why}"));
    let by_its_locks = "another program has it open, by its locks; which one, and whether it sees these files, could not be looked for: ";
    assert_eq!(used["detail"], format!("{by_its_locks}{why}"));
}

fn delete_log(store: &Path) {
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(beside(store, suffix)).unwrap();
    }
}

fn gate(place: &Place) -> (Option<i32>, String) {
    let ran = place.ask(&["--check-migrations"]);
    (ran.code, ran.stdout)
}

/// The migrations that a store's ledger holds, as SQLite reads it in a copy.
fn ledger(store: &Path) -> Vec<i64> {
    let conn = Connection::open(store).unwrap();
    let mut rows = conn.prepare("SELECT id FROM schema_migrations").unwrap();
    let ids = rows.query_map((), |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

#[test]
fn a_store_that_no_program_has_open_passes() {
    let place = Place::new();
    healthy(&place.store());
    // Another user's programs may not be looked at, unless the test is run by root.
    let row = place.row(CHECK, &[]);
    assert_eq!(row["status"], "pass");
    assert!(row["detail"].as_str().unwrap().starts_with("no program "), "{row}");
}

#[test]
fn a_program_that_uses_the_store_is_named() {
    for role in ["live", "rollback-live", "idle with an exclusive lock"] {
        let (place, program) = with_program(role);
        let row = said(&place, &program);
        assert!(row.starts_with("pass: in use by [NAME] (pid [PID])"), "{role}: {row}");
        assert_eq!(row.lines().count(), 1, "{row}");
    }
}

#[test]
fn a_program_that_reads_the_file_without_sqlite_is_named_as_such() {
    let (place, program) = with_program("reading without SQLite");
    let row = said(&place, &program);
    let expected = "pass: open for reading by [NAME] (pid [PID]), without SQLite's locks: a copy made now may be torn";
    assert!(row.starts_with(expected), "{row}");
}

#[test]
fn a_log_deleted_under_a_program_fails_and_can_be_copied_while_it_runs() {
    let (place, program) = with_program("live");
    delete_log(&place.store());
    assert_snapshot!(said(&place, &program), @"
    fail: [NAME] (pid [PID]) has the store open, and its -wal and -shm were deleted: what it commits goes into a file that has no name, and is lost if it is killed
      -> 1. Do not kill the program, and let nothing else open the store. While it runs, copy its files. 2. Stop the program in order: alone, it writes its log back into the store when it closes it. Then run the doctor again.
         $ umask 077 && mkdir kept && cp /proc/[PID]/fd/[FD] kept/[PID]-state.db && cp /proc/[PID]/fd/[FD] kept/[PID]-state.db-wal
    ");
    let report = place.ask(&["--format", "json"]).report();
    assert_eq!((&report["verdict"], &report["data_lost"]), (&"fail".into(), &"unknown".into()));
    let (code, line) = gate(&place);
    assert_eq!(code, Some(3));
    assert!(
        line.contains(&format!("(pid {}) has the store open, and its -wal and -shm were deleted", program.pid())),
        "{line}"
    );
    let saved = place.ask(&["--salvage"]);
    assert_eq!(saved.code, Some(1), "{saved:?}");
    assert!(saved.stderr.contains("what it committed there is not given"), "{saved:?}");
    assert!(!saved.stderr.contains("nothing that the store names is lost"), "{saved:?}");

    // The command of the remedy saves what was committed.
    let row = place.row(CHECK, &[]);
    let command = commands(&row)[0];
    let output = type_command(place.root(), command);
    assert!(output.status.success(), "{command}: {output:?}");
    let kept = place.root().join("kept").join(format!("{}-state.db", program.pid()));
    assert!(ledger(&kept).contains(&IN_THE_WAL));
    // Stopped in order, and alone, the program writes its log back.
    program.end();
    assert!(ledger(&place.store()).contains(&IN_THE_WAL));
}

#[test]
fn a_log_made_anew_beside_a_deleted_one_is_said() {
    let (place, _program) = with_program("live");
    delete_log(&place.store());
    let _another = Daemon::start("live", &place.store());
    let row = place.row(CHECK, &[]);
    assert_eq!((&row["status"], &row["kind"]), (&"fail".into(), &"log-deleted".into()));
    assert!(
        row["remedy"].as_str().unwrap().contains("Another program has made a -wal here since"),
        "{row}"
    );
    assert_eq!(gate(&place).0, Some(3));
}

#[test]
fn a_store_replaced_under_a_program_fails() {
    let (place, program) = with_program("live");
    let other = place.root().join("other.db");
    healthy(&other);
    fs::rename(&other, place.store()).unwrap();
    assert_snapshot!(said(&place, &program), @"
    fail: [NAME] (pid [PID]) has a database open that lay here and has no name any more, while another lies here: what it commits is not in this store, and is lost if it is killed
      -> 1. Do not kill the program, and let nothing else open the store. While it runs, copy its files. 2. The two are different databases. Keep a copy of what lies here as well. 3. Find out which is the right one before anything else is started. Then stop the program in order, and run the doctor on the copies.
         $ umask 077 && mkdir kept && cp /proc/[PID]/fd/[FD] kept/[PID]-state.db && cp /proc/[PID]/fd/[FD] kept/[PID]-state.db-wal
         $ cp -a [PLACE]/store/state.db* kept
    ");
    assert_eq!(gate(&place).0, Some(3));
}

#[test]
fn a_log_of_a_program_with_another_database_fails() {
    let (place, program) = with_program("live");
    let other = place.root().join("other.db");
    healthy(&other);
    fs::rename(place.store(), place.root().join("moved.db")).unwrap();
    fs::rename(&other, place.store()).unwrap();
    assert_snapshot!(said(&place, &program), @"
    fail: [NAME] (pid [PID]) writes to the -wal or -shm that lies here, and the database that it has open is not the one that lies here
      -> 1. Do not kill the program, and let nothing else open the store. While it runs, copy its files. 2. The two are different databases. Keep a copy of what lies here as well. 3. Find out which is the right one before anything else is started. Then stop the program in order, and run the doctor on the copies.
         $ umask 077 && mkdir kept && cp /proc/[PID]/fd/[FD] kept/[PID]-state.db-wal
         $ cp -a [PLACE]/store/state.db* kept
    ");
    assert_eq!(gate(&place).0, Some(3));
}

#[test]
fn a_program_that_lost_its_locks_fails_and_the_gate_still_answers() {
    let (place, program) = with_program("without its locks");
    assert_snapshot!(said(&place, &program), @"
    fail: [NAME] (pid [PID]) has the store open in WAL mode without the lock that SQLite always holds then: any program that opens and closes the store deletes the -wal under it
      -> 1. Let nothing else open the store until the program has ended. No data is lost by this yet. 2. Stop the program in order, and start it again. 3. The program must not open and close the store's files beside its own SQLite (a copy of the file, a checksum): that drops its locks.
    ");
    // Its commits are in the log that lies here.
    assert_eq!(gate(&place).0, Some(2));
}

#[test]
fn each_of_many_stores_has_its_own_answer_and_two_paths_to_one_have_the_same() {
    let (place, program) = with_program("live");
    let quiet = place.folder().join("quiet.db");
    healthy(&quiet);
    let link = place.root().join("link.db");
    std::os::unix::fs::symlink(place.store(), &link).unwrap();
    let ran = place
        .doctor()
        .args(["--only", CHECK, "--format", "json"])
        .arg(place.store())
        .arg(&quiet)
        .arg(&link)
        .run();
    let detail = |line: &str| {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        report["rows"][0]["detail"].as_str().unwrap().to_owned()
    };
    let details: Vec<String> = ran.stdout.lines().map(detail).collect();
    let program_label = format!("(pid {})", program.pid());
    let says_so: Vec<bool> = details.iter().map(|detail| detail.contains(&program_label)).collect();
    assert_eq!(says_so, [true, false, true], "{details:?}");
}

#[test]
fn a_file_named_as_a_deleted_one_is_no_fault() {
    let (place, program) = with_program("live");
    fs::write(beside(&place.store(), "-wal (deleted)"), "").unwrap();
    assert!(said(&place, &program).starts_with("pass: in use by "));
}
