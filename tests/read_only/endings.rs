//! Signals, limits and pipes: the program ends, says so with its exit code, and leaves nothing behind.

use std::io::{Read, pipe};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::read_only::hangs::{endless, signal_at_work};
use crate::read_only::interruptions::stopped;
use crate::support::stores::{healthy, hot, sized};
use crate::support::{Doctor, Place, is_root, needs};

#[test]
fn each_signal_that_asks_it_to_end_has_its_exit_code_and_leaves_nothing() {
    needs!("strace");
    for (signal, code) in [
        (Signal::INT, 130),
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::QUIT, 131),
        (Signal::ALARM, 142),
        (Signal::XCPU, 152),
    ] {
        let place = Place::new();
        hot(&place.store());
        let before = place.footprint();
        // The probe reads it once; then it is copied.
        let stopped = stopped(&place, &place.store(), "read", 2);
        assert_eq!(place.left_in_tmp().len(), 1);
        kill_process(Pid::from_raw(stopped.pid).unwrap(), signal).unwrap();
        let ran = stopped.go_on();
        assert_eq!(ran.code, Some(code), "{signal:?}: {ran:?}");
        assert!(
            ran.stdout.contains("could not look:") && ran.stdout.contains("interrupted"),
            "{signal:?}: {ran:?}"
        );
        assert_eq!(place.left_in_tmp(), [""; 0], "{signal:?}");
        before.assert_same(&place.footprint(), "a signal while a copy is made");
    }
}

#[test]
fn signals_that_the_caller_ignores_stay_ignored() {
    for ignored in [Signal::INT, Signal::HUP, Signal::TERM] {
        let place = Place::new();
        endless(&place.store());
        let mut shell = place.doctor();
        let program = shell.command.get_program().to_owned();
        let name = format!("{ignored:?}");
        let script = format!("trap '' {} && exec \"$0\" \"$@\"", ignored.as_raw());
        shell = place.program(Path::new("/bin/sh")).args(["-c", &script]).arg(program);
        let running = shell
            .args(["--only", "file,page-structure", "--time-limit", "2"])
            .arg(place.store())
            .start();
        signal_at_work(&running, ignored);
        let ran = running.end();
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        assert!(ran.stdout.contains("could not look: the time limit of 2 s ran out"), "{name}: {ran:?}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_a_copy_that_cannot_be_made() {
    let place = Place::new();
    hot(&place.store());
    let limited = |arguments: &[&str]| {
        let program = place.doctor().command.get_program().to_owned();
        let script = "ulimit -f 8 && exec \"$0\" \"$@\"";
        let shell = place.program(Path::new("/bin/sh")).args(["-c", script]).arg(program);
        let ran = shell.args(arguments).arg(place.store()).run();
        assert_eq!(place.left_in_tmp(), [""; 0], "{ran:?}");
        ran
    };
    let ran = limited(&["--check-migrations"]);
    let why = "could not be made: cannot write [PLACE]/tmp/doctor-[RANDOM]/0/state.db: File too large (os error 27)";
    assert!(ran.code == Some(3) && ran.shown_stdout().contains(why), "{ran:?}");
    let ran = limited(&["--only", "file,read-only"]);
    assert!(ran.code == Some(1) && ran.shown_stdout().contains(why), "{ran:?}");
}

#[test]
fn a_pipe_that_nobody_reads_ends_with_the_signal() {
    for signals in [&[Signal::TERM][..], &[Signal::INT, Signal::INT]] {
        let place = Place::new();
        healthy(&place.store());
        // For the sake of a private folder.
        let other = place.folder().join("hot.db");
        hot(&other);
        let (mut reader, writer) = pipe().unwrap();
        let mut stores = vec![place.store(); 100];
        stores.push(other);
        let doctor = place.doctor().args(["--format", "json"]).args(stores).stdout(writer);
        let running = doctor.start();
        for signal in signals {
            running.wait_for_output(&reader);
            running.signal(*signal);
        }
        let ran = running.end();
        assert_eq!(ran.code, Some(128 + signals[0].as_raw()), "{signals:?}: {ran:?}");
        assert_eq!(place.left_in_tmp(), [""; 0], "{signals:?}");
        let mut said = Vec::new();
        reader.read_to_end(&mut said).unwrap();
        assert!(said.len() > 4096 && said.len() < 100_000, "it was waiting: {}", said.len());
    }
}

#[test]
fn a_slow_reader_gets_every_line_after_ctrl_c() {
    let place = Place::new();
    healthy(&place.store());
    let (mut reader, writer) = pipe().unwrap();
    let doctor = place.doctor().args(["--format", "json"]).args(vec![place.store(); 2_000]).stdout(writer);
    let running = doctor.start();
    running.wait_for_output(&reader);
    running.signal(Signal::INT);
    let mut said = Vec::new();
    let mut piece = [0; 8 << 10];
    loop {
        std::thread::sleep(Duration::from_millis(300));
        match reader.read(&mut piece).unwrap() {
            0 => break,
            n => said.extend_from_slice(&piece[..n]),
        }
    }
    assert_eq!(running.end().code, Some(130));
    let said = String::from_utf8(said).unwrap();
    assert!(said.ends_with("}\n"), "{said}");
    assert!(said.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{said}");
}

/// A shell that lets its command start no thread, run by a user to whom such a limit applies.
fn without_threads(place: &Place) -> Doctor {
    let program = place.doctor_of_nobody().command.get_program().to_owned();
    let mut doctor = place.program(Path::new("prlimit")).args(["--nproc=1"]).arg(program);
    if is_root() {
        doctor.command.uid(65_534).gid(65_534);
    }
    doctor.command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    doctor
}

#[test]
fn without_a_thread_to_be_had_everything_is_examined_all_the_same() {
    needs!("prlimit");
    let place = Place::new();
    // Large enough for two threads.
    sized(&place.store(), 30_000);
    let small = place.folder().join("small.db");
    healthy(&small);
    let checks = ["--only", "file,read-only,page-structure,schema-state,foreign-keys"];
    let ran = without_threads(&place).args(checks).arg(place.store()).run();
    assert!(ran.code == Some(0) && ran.stdout.ends_with("PASS: 5 of 5 checks passed\n"), "{ran:?}");
    let ran = without_threads(&place).args(checks).args([place.store(), small.clone(), small]).run();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.ends_with("PASS: no check failed in 3 stores\n"), "{ran:?}");
}

#[test]
fn a_folder_that_cannot_be_closed_gives_the_gate_no_second_line() {
    needs!("strace");
    let place = Place::new();
    hot(&place.store());
    let want = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(want.code, Some(0), "{want:?}");
    let traced = |options: &[&str]| {
        let mut all = vec!["-e", "trace=close"];
        all.extend(options);
        place.traced_doctor(&all).arg("--check-migrations").arg(place.store()).run()
    };
    traced(&[]);
    let closes = place.trace().matches("close(").count();
    let mut answers = 0;
    for nth in 1..=closes {
        let ran = traced(&["-e", &format!("inject=close:error=EIO:when={nth}")]);
        assert_eq!(
            (ran.stdout.lines().count(), ran.stderr.as_str()),
            (1, ""),
            "close {nth} of {closes}: {ran:?}"
        );
        let answered = ran.code == Some(0) && ran.stdout == want.stdout;
        answers += usize::from(answered);
        assert!(
            answered || (ran.code == Some(3) && ran.stdout.starts_with("cannot tell: ")),
            "close {nth}: {ran:?}"
        );
    }
    assert!(answers > 0, "an answer is not taken back because its folder cannot be closed");
}

#[test]
fn a_file_named_like_an_option_is_examined_and_the_gate_speaks_json_to_the_end() {
    let place = Place::new();
    let named = place.root().join("--check-migrations");
    healthy(&named);
    let ran = place.doctor().args(["--only", "file", "--", "--check-migrations"]).run();
    assert!(ran.code == Some(0) && ran.stdout.contains("pass  file"), "{ran:?}");
    // A mistake before it is the doctor's as well.
    let ran = place.doctor().args(["--help", "--", "--check-migrations"]).run();
    assert_eq!(ran.code, Some(0), "{ran:?}");

    let ran = place.doctor().without_env("HOME").args(["--check-migrations", "--format", "json"]).run();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            Some(3),
            "{\"format\":1,\"compatibility\":\"cannot-tell\",\"reason\":\"no store is named, and there is no home folder to look in; give a path, or --system\"}\n"
        )
    );
}

#[test]
fn names_longer_than_a_share_of_memory_pass_in_a_fleet_as_they_do_alone() {
    let place = Place::new();
    let long = |name: &str, mebibytes: u32| {
        let path = place.folder().join(name);
        healthy(&path);
        let conn = Connection::open(&path).unwrap();
        let sql = format!("UPDATE vms SET name = hex(zeroblob({})) WHERE rowid = 2", mebibytes << 19);
        conn.execute_batch(&sql).unwrap();
        path
    };
    let stores = [long("a.db", 10), long("b.db", 10)];
    let doctor = || place.doctor().args(["--only", "file,page-structure"]);
    for store in &stores {
        assert_eq!(doctor().arg(store).run().code, Some(0));
    }
    for _ in 0..3 {
        let ran = doctor().args(stores.iter().cycle().take(8)).run();
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}
