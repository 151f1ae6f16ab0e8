//! What SQLite does without asking anybody: within a function, and in `count(*)`. It ends all the same, in time and in order.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::stores::{healthy, sized};
use crate::support::{Place, Running, needs};

/// Puts an index into a store of which one entry takes minutes: the sum of many searches for half a megabyte that is almost
/// there. Within a call of a function SQLite asks nobody.
pub fn add_endless_index(path: &Path) {
    let conn = Connection::open(path).unwrap();
    let terms: Vec<String> = (0..40).map(|n| format!("instr(a, b || '{n}')")).collect();
    conn.execute_batch(
        "CREATE TABLE z (a, b); CREATE INDEX zi ON z (a);
         INSERT INTO z VALUES (replace(hex(zeroblob(450000)), '0', 'a'), replace(hex(zeroblob(225000)), '0', 'a') || 'b');
         PRAGMA writable_schema=ON",
    )
    .unwrap();
    let sql = format!("CREATE INDEX zi ON z ({})", terms.join(" + "));
    conn.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'zi'", [sql]).unwrap();
}

/// A store on whose index SQLite works for minutes.
pub fn endless(path: &Path) {
    healthy(path);
    add_endless_index(path);
}

const PAGE: usize = 4096;

/// A page of a tree with these cells, each of them the same.
fn page(kind: u8, cell: &[u8], cells: usize, right: Option<u32>) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let first = if right.is_some() { 12 } else { 8 };
    let number = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
    for n in 0..cells {
        let at = PAGE - (n + 1) * cell.len();
        page[at..at + cell.len()].copy_from_slice(cell);
        page[first + 2 * n..first + 2 * n + 2].copy_from_slice(&number(at));
    }
    page[0] = kind;
    page[3..5].copy_from_slice(&number(cells));
    page[5..7].copy_from_slice(&number(PAGE - cells * cell.len()));
    if let Some(right) = right {
        page[8..12].copy_from_slice(&right.to_be_bytes());
    }
    page
}

/// A store with a pending migration and a table of 40^12 rows, on thirteen pages: each page has one child, forty times.
/// `count(*)` walks it, and looks at nothing but SQLite's own interrupt.
fn uncountable(path: &Path) {
    const DEPTH: u32 = 12;
    healthy(path);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3;
         CREATE TABLE z (x); INSERT INTO z VALUES (1)",
    )
    .unwrap();
    let root: u32 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'z'", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let pages = u32::try_from(file.metadata().unwrap().len() / PAGE as u64).unwrap();
    let inner = |child: u32| {
        let mut cell = child.to_be_bytes().to_vec();
        cell.push(1);
        page(5, &cell, 39, Some(child))
    };
    let write = |bytes: &[u8], number: u64| file.write_all_at(bytes, (number - 1) * PAGE as u64).unwrap();
    for level in 1..DEPTH {
        write(&inner(pages + level + 1), u64::from(pages + level));
    }
    write(&page(13, &[2, 1, 2, 8], 1, None), u64::from(pages + DEPTH));
    write(&inner(pages + 1), root.into());
    file.write_all_at(&(pages + DEPTH).to_be_bytes(), 28).unwrap();
}

/// How much processor time a run uses before it is at what does not end: everything else that it does takes less.
pub const AT_WORK: Duration = Duration::from_millis(700);

/// Sends a signal to a run that is at work on what does not end.
pub fn signal_at_work(running: &Running, signal: Signal) {
    running.wait_for_cpu_time(AT_WORK);
    running.signal(signal);
}

const CHECKS: [&str; 2] = ["--only", "file,journal,read-only,page-structure,schema-state"];

#[test]
fn a_function_that_does_not_end_costs_its_check_and_what_comes_after_it() {
    let place = Place::new();
    endless(&place.store());
    let before = place.footprint();
    let ran = place
        .doctor()
        .args(["--only", "file,page-structure,schema-state", "--time-limit", "2"])
        .arg(place.store())
        .run();
    before.assert_same(&place.footprint(), "a function that does not end");
    let shown = ran
        .text()
        .lines()
        .filter(|line| !line.contains("an SQLite database"))
        .collect::<Vec<_>>()
        .join("\n");
    assert_snapshot!(shown, @"
    [PLACE]/store/state.db

    FAIL  page-structure  could not look: the time limit of 2 s ran out, and what was running could not be interrupted
    skip  schema-state    the time limit of 2 s ran out

    FAIL: 1 of 3 checks failed (page-structure), 1 skipped
    It is not known whether data is lost.

    What to do (page-structure):
      Give it more time with --time-limit, or leave this check out with --skip.

    More: doctor --explain page-structure
    --- exit 1 ---
    ");
}

#[test]
fn a_gate_that_cannot_be_interrupted_cannot_tell() {
    for (format, said) in [
        (
            "table",
            "cannot tell: [PLACE]/store/state.db: the time limit of 2 s ran out, and what was running could not be interrupted\n",
        ),
        (
            "json",
            "{\"format\":1,\"compatibility\":\"cannot-tell\",\"reason\":\"[PLACE]/store/state.db: the time limit of 2 s ran out, and what was running could not be interrupted\"}\n",
        ),
    ] {
        let place = Place::new();
        endless(&place.store());
        let conn = Connection::open(place.store()).unwrap();
        conn.execute_batch("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3")
            .unwrap();
        drop(conn);
        let ran = place
            .doctor()
            .args([
                "--check-migrations",
                "--rehearse",
                "--time-limit",
                "2",
                "--format",
                format,
            ])
            .arg(place.store())
            .run();
        assert_eq!((ran.shown_stdout().as_str(), ran.stderr.as_str(), ran.code), (said, "", Some(3)));
    }
}

#[test]
fn a_count_that_does_not_end_is_interrupted() {
    let place = Place::new();
    uncountable(&place.store());
    let ran = place
        .doctor()
        .args(["--check-migrations", "--rehearse", "--time-limit", "1"])
        .arg(place.store())
        .run();
    assert_snapshot!(ran.text(), @"
    cannot tell: [PLACE]/store/state.db: the time limit of 1 s ran out
    --- exit 3 ---
    ");
    let running = place.doctor().args(["--only", "migration-rehearsal"]).arg(place.store()).start();
    signal_at_work(&running, Signal::INT);
    assert_snapshot!(running.end().text(), @"
    [PLACE]/store/state.db

    FAIL  migration-rehearsal  could not look: interrupted

    FAIL: 1 of 1 checks failed (migration-rehearsal)
    It is not known whether data is lost.

    What to do (migration-rehearsal):
      Run the doctor again, and let it finish.

    Interrupted: the checks that are skipped or could not look did not see the whole store.
    --- exit 130 ---
    ");
}

#[test]
fn a_signal_ends_what_cannot_be_interrupted_with_the_rows_so_far() {
    for (signals, code) in [
        (&[Signal::INT][..], 130),
        (&[Signal::TERM], 143),
        // Whoever asks twice does not want to wait.
        (&[Signal::INT, Signal::INT], 130),
    ] {
        let place = Place::new();
        endless(&place.store());
        let running = place.doctor().args(CHECKS).arg(place.store()).start();
        for signal in signals {
            signal_at_work(&running, *signal);
        }
        let ran = running.end();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{ran:?}");
        for wanted in [
            "pass  file",
            "FAIL  page-structure  could not look: interrupted, and what was running could not be interrupted",
            "skip  schema-state    interrupted",
        ] {
            assert_eq!(ran.stdout.matches(wanted).count(), 1, "{wanted}: {ran:?}");
        }
    }
}

#[test]
fn what_hangs_leaves_no_private_folder_behind() {
    let place = Place::new();
    // Too large for memory, with a pending migration: it is rehearsed on a copy in the private folder.
    sized(&place.store(), 30_000);
    add_endless_index(&place.store());
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3")
        .unwrap();
    drop(conn);
    let before = place.footprint();
    for signal in [None, Some(Signal::TERM)] {
        let limit = if signal.is_some() { "100" } else { "3" };
        let running = place
            .doctor()
            .args(["--only", "migration-rehearsal", "--time-limit", limit])
            .arg(place.store())
            .start();
        while place.left_in_tmp().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        if let Some(signal) = signal {
            running.wait_for_cpu_time(3 * AT_WORK);
            running.signal(signal);
        }
        let ran = running.end();
        assert_eq!(ran.code, Some(if signal.is_some() { 143 } else { 1 }), "{ran:?}");
        assert_eq!(place.left_in_tmp(), [""; 0], "{ran:?}");
        before.assert_same(&place.footprint(), "a rehearsal that hangs");
    }
}

#[test]
fn in_a_fleet_a_store_that_hangs_costs_its_own_row() {
    let place = Place::new();
    let bad = [0, 3, 4, 5, 11];
    let path = |n: usize| place.folder().join(format!("{n:02}.db"));
    endless(&path(0));
    healthy(&path(1));
    for n in 2..14 {
        let like = path(usize::from(!bad.contains(&n)));
        fs::copy(like, path(n)).unwrap();
    }
    let doctor = || place.doctor().args(["--only", "file,page-structure,schema-state"]);
    // Enough for a store that does not hang, on a machine that is busy with other things.
    let ran = doctor().args(["--time-limit", "2"]).args((0..14).map(path)).run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    // On a busy machine it takes so long that its progress is shown.
    assert!(ran.stderr.lines().all(|line| line.contains("of 14 stores examined")), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(".db")).collect();
    for (n, line) in lines.iter().enumerate() {
        let wanted = if bad.contains(&n) { "FAIL  " } else { "pass  " };
        assert!(line.starts_with(wanted) && line.contains(&format!("{n:02}.db")), "{line}: {ran:?}");
    }
    assert_eq!(lines.len(), 14);
    assert!(ran.stdout.ends_with("FAIL: 5 of 14 stores failed, 5 rows skipped\n"), "{ran:?}");

    // Ctrl-C: what was looked at is printed, and the rest is not begun.
    let running = doctor().args(["--time-limit", "100"]).args([path(1), path(0), path(0), path(1)]).start();
    signal_at_work(&running, Signal::INT);
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(
        ran.stdout.starts_with("pass  ") && ran.stdout.contains("could not look: interrupted"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "doctor: interrupted; 2 of 4 stores were not examined\n");
}

#[test]
fn a_file_that_does_not_open_costs_no_more_than_the_time_limit() {
    needs!("strace");
    // The system takes its time over SQLite's open(2), as over a FIFO that was put into the store's place.
    let place = Place::new();
    healthy(&place.store());
    let store = place.store();
    let traced = |options: &[&str]| {
        let mut all = vec!["-P", store.to_str().unwrap(), "-e", "trace=openat"];
        all.extend(options);
        place
            .traced_doctor(&all)
            .args(["--check-migrations", "--time-limit", "2"])
            .arg(&store)
            .run()
    };
    assert_eq!(traced(&[]).code, Some(0));
    let last = place.trace().matches("openat(").count();
    let ran = traced(&["-e", &format!("inject=openat:delay_enter=8000000:when={last}")]);
    let said = "the time limit of 2 s ran out, and what was running could not be interrupted\n";
    assert!(
        ran.code == Some(3) && ran.stdout.starts_with("cannot tell: ") && ran.stdout.ends_with(said),
        "{ran:?}"
    );
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
}
