//! `doctor --salvage`: what it refuses, how it ends, and that it leaves no trace.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, pipe};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::damage::{leaves, overwrite_page};
use crate::support::stores::{Lies, sized};
use crate::support::{Place, Ran, needs};

/// The store that the output makes.
fn loaded(ran: &Ran) -> Connection {
    let memory = Connection::open_in_memory().unwrap();
    memory.execute_batch(&ran.stdout).unwrap();
    assert!(memory.is_autocommit() && ran.stdout.ends_with("\nCOMMIT;\n"));
    memory
}

/// Each row of a table with its rowid.
fn rows(conn: &Connection, table: &str) -> Vec<String> {
    let columns = conn.prepare(&format!("SELECT rowid, * FROM {table}")).unwrap().column_count();
    let mut statement = conn.prepare(&format!("SELECT rowid, * FROM {table} ORDER BY rowid")).unwrap();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|at| Ok(format!("{:?}", row.get::<_, rusqlite::types::Value>(at)?)))
            .collect::<Result<Vec<_>, _>>()
    });
    rows.unwrap().map(|row| row.unwrap().join(" ")).collect()
}

#[test]
fn in_each_situation_what_is_committed_comes_back_and_no_trace_is_left() {
    for lies in Lies::ALL {
        let place = Place::new();
        let writer = lies.make(&place.store());
        let ran = place.ask(&["--salvage"]);
        let what = lies.situation();
        if lies == Lies::RollbackLive {
            // It is in the middle of writing to the file itself.
            assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
            assert!(ran.stderr.contains("another process holds the store's write lock"), "{what}: {ran:?}");
            assert_eq!(ran.stdout, "", "{what}");
            drop(writer);
            continue;
        }
        if lies == Lies::NotAWal {
            assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
            assert!(ran.stderr.contains("the -wal beside it is not this store's log"), "{what}: {ran:?}");
            continue;
        }
        if !lies.failing().is_empty() {
            // A migration in the log, which only a newer program knows.
            assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
            assert!(
                ran.stderr.contains("a migration is applied that this binary does not know"),
                "{what}: {ran:?}"
            );
            drop(writer);
            continue;
        }
        assert_eq!(ran.code, Some(0), "{what}: {ran:?}");
        assert!(ran.stderr.contains("PASS: "), "{what}: {}", ran.stderr);
        let saved = loaded(&ran);
        drop(writer);
        // SQLite rolls back what was not committed.
        let store = Connection::open(place.store()).unwrap();
        for table in ["vms", "images", "schema_migrations"] {
            assert_eq!(rows(&saved, table), rows(&store, table), "{what}: {table}");
        }
    }
}

#[test]
fn commits_that_are_only_in_the_log_come_back_beside_a_writer_that_rests() {
    let place = Place::with(1, 50);
    let daemon = place.open();
    daemon
        .execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; UPDATE vms SET state = 'stopped' WHERE rowid < 9; DELETE FROM vms WHERE rowid = 20")
        .unwrap();
    let ran = place.ask(&["--salvage"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(rows(&loaded(&ran), "vms"), rows(&daemon, "vms"));
}

#[test]
fn what_is_lost_is_named_and_the_code_says_that_something_is() {
    let place = Place::with(1, 600);
    let of_vms = leaves(&place.store(), "vms");
    let kept = rows(&place.open(), "vms");
    overwrite_page(&place.store(), of_vms[of_vms.len() / 2], 0);
    let ran = place.ask(&["--salvage"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let saved = rows(&loaded(&ran), "vms");
    let lost: Vec<&String> = kept.iter().filter(|row| !saved.contains(row)).collect();
    assert!(!lost.is_empty() && saved.iter().all(|row| kept.contains(row)));
    for row in lost {
        let rowid = row.split(['(', ')']).nth(1).unwrap();
        assert!(ran.stderr.contains(&format!("· lost: row {rowid} (6f9c2f0e-")), "{rowid}: {}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db"),
        "{}",
        ran.stderr
    );
    // NothingSaved of a cell but ids is on standard error.
    assert!(!ran.stderr.contains("10.77."), "{}", ran.stderr);
}

#[test]
fn a_wrong_output_and_what_makes_no_sense_with_it_are_mistakes_of_the_caller() {
    let place = Place::with(1, 3);
    let before = place.footprint();
    for arguments in [
        &["--check-migrations"][..],
        &["--rehearse"],
        &["--only", "file"],
        &["--skip", "file"],
        &["--artifacts"],
        &["--format", "json"],
        &["--list-checks"],
        &["--explain", "file"],
        &["--generate", "man"],
        &["another.db"],
    ] {
        let ran = place.doctor().arg("--salvage").args(arguments).arg(place.store()).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}: {ran:?}");
    }
    fs::hard_link(place.store(), place.root().join("by-another-name")).unwrap();
    let wal = place.folder().join("state.db-wal");
    File::create(&wal).unwrap();
    for output in [place.store(), place.root().join("by-another-name"), wal.clone()] {
        let out = OpenOptions::new().append(true).open(&output).unwrap();
        let ran = place.doctor().arg("--salvage").arg(place.store()).stdout(out).run();
        assert_eq!(ran.code, Some(64), "{output:?}: {ran:?}");
        assert!(ran.stderr.contains("standard output leads into the store itself"), "{ran:?}");
    }
    fs::remove_file(wal).unwrap();
    fs::remove_file(place.root().join("by-another-name")).unwrap();
    assert_eq!(
        before.without(&place.folder()).without(&place.store()),
        place.footprint().without(&place.folder()).without(&place.store())
    );
}

#[test]
fn one_file_for_both_streams_is_refused() {
    let place = Place::with(1, 3);
    for (to, code) in [
        ("> both 2>&1", 64),
        ("> sql 2> account", 0),
        ("> /dev/null 2>&1", 0),
        ("2>&1 | cat > both", 64),
    ] {
        let line = format!(
            "set -o pipefail; {} --salvage {} {to}",
            env!("CARGO_BIN_EXE_doctor"),
            place.store().display()
        );
        let both = place.root().join("both");
        let _ = fs::remove_file(&both);
        let ran = std::process::Command::new("bash")
            .args(["-c", &line])
            .current_dir(place.root())
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(code), "{to}: {ran:?}");
        if code == 64 {
            let said = fs::read_to_string(&both).unwrap();
            assert!(said.contains("standard output and standard error are one file"), "{said}");
            assert!(!said.contains("INSERT"), "{said}");
        }
    }
}

#[test]
fn somebody_at_a_terminal_sees_how_far_it_is() {
    needs!("script");
    let place = Place::new();
    sized(&place.store(), 3_000);
    // Whoever takes the output is slow, so that there is something to wait for.
    let line = format!(
        "stty cols 100; {} --salvage {} | (sleep 1; cat > {})",
        env!("CARGO_BIN_EXE_doctor"),
        place.store().display(),
        place.root().join("sql").display()
    );
    let ran = place
        .program(std::path::Path::new("/usr/bin/script"))
        .args(["-qec", &line, "/dev/null"])
        .run();
    let (before, after) = ran.stdout.rsplit_once(" pages read").unwrap();
    assert!(before.contains("looking: "), "{ran:?}");
    // The line is taken away before the account.
    assert!(after.contains(" \r") && after.contains("3,000 rows given"), "{after:?}");
    assert!(fs::read_to_string(place.root().join("sql")).unwrap().ends_with("\nCOMMIT;\n"));
}

#[test]
fn a_terminal_is_refused() {
    needs!("script");
    let place = Place::with(1, 3);
    let line = format!("{} --salvage {}", env!("CARGO_BIN_EXE_doctor"), place.store().display());
    let ran = place
        .program(std::path::Path::new("/usr/bin/script"))
        .args(["-qec", &line, "/dev/null"])
        .run();
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.stdout.contains("redirect it to a file: doctor --salvage STORE > saved.sql"),
        "{ran:?}"
    );
}

#[test]
fn what_is_no_file_is_refused_as_the_report_refuses_it() {
    let place = Place::new();
    let folder = place.folder();
    assert!(std::process::Command::new("mkfifo").arg(folder.join("fifo")).status().unwrap().success());
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("text"), "this is no database\n").unwrap();
    for (name, why) in [
        ("missing", "there is no such file"),
        ("fifo", "it is a pipe (FIFO), not a regular file"),
        (".", "it is a folder, not a regular file"),
        ("empty", "it is empty (0 bytes)"),
        ("text", "nothing can be saved: "),
        ("/dev/zero", "it is a device, not a regular file"),
    ] {
        let ran = place.doctor().arg("--salvage").arg(folder.join(name)).run();
        assert_eq!(ran.code, Some(3), "{name}: {ran:?}");
        assert!(ran.stderr.contains(why) && !ran.stdout.contains("COMMIT;"), "{name}: {ran:?}");
    }
}

#[test]
fn what_is_broken_off_loads_nothing() {
    let place = Place::new();
    sized(&place.store(), 2_000);
    let ran = place.ask(&["--salvage", "--time-limit", "0.000001"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        !ran.stdout.contains("COMMIT;") && ran.stderr.contains("loads nothing: the time limit"),
        "{ran:?}"
    );

    // Somebody who reads a little and then no more, and Ctrl-C.
    let (mut reader, writer) = pipe().unwrap();
    let running = place.doctor().arg("--salvage").arg(place.store()).stdout(writer).start();
    let mut some = [0; 100];
    reader.read_exact(&mut some).unwrap();
    running.wait_for_output(&reader);
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("broken off"), "{ran:?}");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("COMMIT;"));

    // A pipe that nobody reads any more ends it quietly.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let ran = place.doctor().arg("--salvage").arg(place.store()).stdout(writer).run();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(141), ""), "{ran:?}");
}

#[test]
fn a_store_of_another_application_gives_nothing() {
    // Rows that have the form of the ledger's, and a table of which only the name is the application's.
    let history = "CREATE TABLE history(id INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL);
                   INSERT INTO history VALUES (4, 'event-4', '2021-03-04T17:44:33.742Z'), (5, 'event-5', '2021-03-05T17:44:33.742Z')";
    let tiles = "CREATE TABLE images(tile_data BLOB, tile_id TEXT); CREATE UNIQUE INDEX of_tiles ON images(tile_id);
                 WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k+1 FROM n WHERE k<200)
                 INSERT INTO images SELECT randomblob(60), printf('%032x', k) FROM n";
    for sql in [history, tiles] {
        let place = Place::new();
        Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
        let ran = place.ask(&["--salvage"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran:?}");
        assert!(ran.stderr.contains("it is another application's store"), "{ran:?}");
    }
}

#[test]
fn rows_of_another_table_are_none_of_the_ledger() {
    let place = Place::with(2, 40).after(
        "DROP TABLE schema_migrations;
         CREATE TABLE history(id INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL);
         INSERT INTO history VALUES (4, 'event-4', '2021-03-04T17:44:33.742Z'), (5, 'event-5', '2021-03-05T17:44:33.742Z')",
    );
    let ran = place.ask(&["--salvage"]);
    let saved = loaded(&ran);
    let ids = |sql: &str| saved.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(
        ids("SELECT group_concat(id) FROM (SELECT id FROM schema_migrations ORDER BY id)"),
        "1,2,3"
    );
    assert_eq!(ids("SELECT count(*) || '' FROM vms"), "40");
}

#[test]
fn a_table_that_the_application_does_not_have_is_said_not_to_be_given() {
    let place = Place::with(1, 2);
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE notes(x); INSERT INTO notes VALUES(1)").unwrap();
    drop(conn);
    let ran = place.ask(&["--salvage"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("the schema names 1 table that the application does not have"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains(": notes") && !ran.stderr.contains("nothing that the store names is lost"),
        "{ran:?}"
    );
}
