//! What is seen, at the widths and in the environments that people have.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::place::{DOCTOR, Place, text};

/// The checks whose rows are the same on every machine.
const SAME: &str = "--only=file,journal,page-structure,schema-state,unknown-ids,foreign-keys";

#[test]
fn a_healthy_store_at_80_columns() {
    let place = Place::new();
    place.store("state.db");
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 0);
    assert_snapshot!(screen, @r"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    pass  foreign-keys    1 foreign key holds

    PASS: 6 of 6 checks passed
    ");
}

#[test]
fn a_failing_store_at_80_and_at_200_columns() {
    let place = Place::new();
    place.dangling("state.db");
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 1);
    assert_snapshot!(screen, @r"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    FAIL  foreign-keys    1 row refers to a row that is not there: deleted, or lost
                          · vms row 1 image_id: refers to a row of images that is
                            not there
                          → stop banger and keep a copy of the store with its -wal,
                            -shm and -journal; then give back what is missing (a VM
                            whose image is gone cannot start until the image is
                            registered again), or let banger remove what these rows
                            stand for; do not delete them with SQL

    FAIL: 1 of 6 checks failed (foreign-keys)
    ");
    let (screen, _) = place.screen(200, &[], &[SAME, "--color=never", "state.db"]);
    assert_snapshot!(screen, @r"
    state.db

    pass  file            an SQLite database, 9 pages of 4096 bytes
    pass  journal         nothing is waiting to be written back
    pass  page-structure  9 pages checked
    pass  schema-state    all 3 known migrations are applied
    pass  unknown-ids     none: this binary knows every applied migration
    FAIL  foreign-keys    1 row refers to a row that is not there: deleted, or lost
                          · vms row 1 image_id: refers to a row of images that is not there
                          → stop banger and keep a copy of the store with its -wal, -shm and -journal; then give back what is missing (a VM whose image is gone cannot start until the image is registered
                            again), or let banger remove what these rows stand for; do not delete them with SQL

    FAIL: 1 of 6 checks failed (foreign-keys)
    ");
}

#[test]
fn a_missing_store_says_what_that_may_mean() {
    let place = Place::new();
    let (screen, code) = place.screen(80, &[], &[SAME, "--color=never", "state.db"]);
    assert_eq!(code, 1);
    assert_snapshot!(screen, @r"
    state.db

    FAIL  file            there is no such file, so there was nothing to look at
                          → check the path; if banger has never run here, start it
                            once and it makes its store; if it has, the store was
                            moved or deleted: restore state.db from a backup
    skip  journal         needs `file`
    skip  page-structure  needs `file`
    skip  schema-state    needs `file`
    skip  unknown-ids     needs `file`
    skip  foreign-keys    needs `file`

    FAIL: 1 of 6 checks failed (file), 5 skipped
    ");
}

#[test]
fn several_stores_take_a_line_each() {
    let place = Place::new();
    place.store("a/state.db");
    place.newer("b/state.db");
    place.store("c/state.db");
    let (screen, code) = place.screen(
        80,
        &[],
        &[
            SAME,
            "--color=never",
            "a/state.db",
            "b/state.db",
            "c/state.db",
            "d/state.db",
        ],
    );
    assert_eq!(code, 1);
    assert_snapshot!(screen, @r"
    pass  a/state.db
    FAIL  b/state.db: 2 of 6 checks failed
          FAIL  schema-state  1 migration applied that this binary does not know; no
                              data is lost
                              → the store is newer than this binary: update banger
                                to the version that last used it; do not delete the
                                store or edit its ledger, and do not swap this
                                binary in
          FAIL  unknown-ids   1 unknown id: [99]
                              · migration 99: applied, and unknown to this binary
                              → the store is newer than this binary: update banger
                                to the version that last used it; do not delete the
                                store or edit its ledger, and do not swap this
                                binary in
    pass  c/state.db
    FAIL  d/state.db: 1 of 6 checks failed, 5 skipped
          FAIL  file  there is no such file, so there was nothing to look at
                      → check the path; if banger has never run here, start it once
                        and it makes its store; if it has, the store was moved or
                        deleted: restore state.db from a backup

    FAIL: 2 of 4 stores failed, 5 rows skipped
    ");
}

#[test]
fn colour_is_only_where_it_belongs() {
    let place = Place::new();
    place.store("state.db");
    let colored = |env: &[(&str, &str)], args: &[&str]| place.screen(80, env, args).0.contains('\x1b');
    assert!(colored(&[], &["state.db"]));
    assert!(!colored(&[("NO_COLOR", "1")], &["state.db"]));
    assert!(colored(&[("NO_COLOR", "")], &["state.db"]), "an empty NO_COLOR does not count");
    assert!(!colored(&[("TERM", "dumb")], &["state.db"]));
    assert!(!colored(&[], &["--color=never", "state.db"]));
    assert!(
        colored(&[("NO_COLOR", "1")], &["--color=always", "state.db"]),
        "what is asked for counts more"
    );
    assert!(!colored(&[], &["--format=markdown", "state.db"]));
    assert!(!colored(&[], &["--format=json", "state.db"]));
    // Not on a terminal: plain, and not folded.
    let piped = text(&place.doctor(&["state.db"]).stdout);
    assert!(!piped.contains('\x1b') && piped.lines().any(|line| line.len() > 100), "{piped}");
    assert!(text(&place.doctor(&["--color=always", "state.db"]).stdout).contains('\x1b'));
}

#[test]
fn without_a_home_folder_it_says_what_to_give() {
    let place = Place::new();
    let ran = place.command(DOCTOR).env_remove("HOME").output().unwrap();
    assert_eq!(ran.status.code(), Some(64));
    assert_snapshot!(text(&ran.stderr), @r"
    error: no store is named, and there is no home folder to look in; give a path, or --system

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    ");
    let gate = place.command(DOCTOR).env_remove("HOME").arg("--check-migrations").output().unwrap();
    assert_eq!(gate.status.code(), Some(3));
    assert!(text(&gate.stdout).starts_with("cannot tell: no store is named"), "{gate:?}");
}

#[test]
fn this_users_store_is_where_the_specification_puts_it() {
    let place = Place::new();
    place.store(".local/state/banger/state.db");
    place.store("elsewhere/banger/state.db");
    let store = |state: Option<&str>| {
        let mut command = place.command(DOCTOR);
        command.args(["--only=file"]);
        if let Some(state) = state {
            command.env("XDG_STATE_HOME", state);
        }
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        text(&ran.stdout).lines().next().unwrap().to_owned()
    };
    assert_eq!(store(None), "~/.local/state/banger/state.db");
    assert_eq!(store(Some("")), "~/.local/state/banger/state.db");
    assert_eq!(store(Some("relative")), "~/.local/state/banger/state.db");
    let elsewhere = place.path().join("elsewhere");
    assert_eq!(store(elsewhere.to_str()), "~/elsewhere/banger/state.db");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let place = Place::new();
    place.dangling("state.db");
    let mut stores = vec!["state.db"; 300];
    for args in [vec!["state.db"], {
        stores.insert(0, "--only=foreign-keys");
        stores.clone()
    }] {
        let mut child = place
            .command(DOCTOR)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal(), said.as_str()), (Some(1), None, ""));
    }
}

#[test]
fn output_that_cannot_be_written_is_never_an_answer() {
    let place = Place::new();
    place.store("state.db");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let gate = place
        .command(DOCTOR)
        .args(["--check-migrations", "state.db"])
        .stdout(full())
        .output()
        .unwrap();
    assert_eq!(gate.status.code(), Some(3));
    let doctor = place.command(DOCTOR).arg("state.db").stdout(full()).output().unwrap();
    assert_eq!(doctor.status.code(), Some(70));
    assert!(text(&doctor.stderr).starts_with("doctor: cannot print"), "{doctor:?}");
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let place = Place::new();
    for option in ["--only", "--skip", "--explain"] {
        let ran = place.doctor(&[option, "foregn-keys", "state.db"]);
        assert_eq!(ran.status.code(), Some(64));
        assert!(text(&ran.stderr).contains("'foreign-keys'"), "{ran:?}");
    }
    let none = place.doctor(&["--only=file", "--skip=file", "state.db"]);
    assert_eq!(none.status.code(), Some(64));
    assert!(text(&none.stderr).contains("leave no check to run"), "{none:?}");
}

#[test]
fn the_gate_never_takes_help_or_a_mistake_for_an_answer() {
    let place = Place::new();
    let mistakes: [&[&str]; 6] = [
        &["--help"],
        &["--version"],
        &["--list-checks"],
        &["--explain=file"],
        &["--generate=man"],
        &["a.db", "b.db"],
    ];
    for args in mistakes {
        let ran = place.command(DOCTOR).arg("--check-migrations").args(args).output().unwrap();
        assert_eq!(ran.status.code(), Some(64), "{args:?}");
    }
}
