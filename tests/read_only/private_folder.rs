//! Where private copies go: a folder is made only where it is needed, and where it changes no store's folder; what is written
//! there is bounded by the store's size.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::read_only::system_calls::made_a_folder;
use crate::support::stores::{hot, sized};
use crate::support::{Doctor, Mounted, Place, needs, skipped};

/// More machines than find room in a copy in memory.
const LARGE: u32 = 30_000;

/// A large store in WAL mode, closed.
fn large(path: &Path) {
    sized(path, LARGE);
    assert!(fs::metadata(path).unwrap().len() > 8 << 20);
}

/// The same, with a migration pending.
fn pending(path: &Path) {
    large(path);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3")
        .unwrap();
}

/// The ways of calling the doctor with a store in whose own folder temporary files shall go.
fn with_the_stores_folder_for_temporary_files(place: &Place) -> [(&'static str, Doctor); 2] {
    let mut inside = place.doctor().env("TMPDIR", "");
    inside.command.current_dir(place.folder());
    [
        ("TMPDIR names it", place.doctor().env("TMPDIR", place.folder())),
        ("TMPDIR is empty and it is the working directory", inside),
    ]
}

#[test]
fn no_folder_is_made_in_a_stores_folder() {
    for make in [hot, large, pending] {
        let place = Place::new();
        make(&place.store());
        let before = place.footprint();
        for (when, doctor) in with_the_stores_folder_for_temporary_files(&place) {
            let ran = doctor.args(["--format", "json"]).arg(place.store()).run();
            before.assert_same(&place.footprint(), when);
            assert_eq!(ran.failing(), [""; 0], "{when}: {ran:?}");
        }
        for (when, doctor) in with_the_stores_folder_for_temporary_files(&place) {
            let ran = doctor.args(["--check-migrations", "--rehearse"]).arg(place.store()).run();
            before.assert_same(&place.footprint(), when);
            assert!(ran.code.is_some_and(|code| code < 2), "{when}: {ran:?}");
        }
    }
}

#[test]
fn the_folder_of_a_link_to_a_store_is_left_alone_as_well() {
    let place = Place::new();
    let elsewhere = place.home().join("elsewhere.db");
    hot(&elsewhere);
    // What lies beside the link is nobody's; SQLite looks beside its target.
    std::os::unix::fs::symlink(&elsewhere, place.store()).unwrap();
    let before = place.footprint();
    let ran = place
        .doctor()
        .env("TMPDIR", place.folder())
        .arg("--check-migrations")
        .arg(place.store())
        .run();
    before.assert_same(&place.footprint(), "a link's folder");
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn where_every_folder_for_temporary_files_holds_a_store_the_row_says_so() {
    let place = Place::new();
    hot(&place.store());
    let before = place.footprint();
    let ran = place
        .doctor()
        .env("TMPDIR", place.folder())
        .args(["--only", "read-only", "--format", "json"])
        .arg(place.store())
        // Nothing lies there: that the folders would be a store's is enough.
        .args(["/tmp/doctor-test-nothing.db", "/var/tmp/doctor-test-nothing.db"])
        .run();
    before.assert_same(&place.footprint(), "no folder to go to");
    let report: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    let row = &report["rows"][0];
    let detail = row["detail"].as_str().unwrap();
    assert!(
        detail.contains("no private folder is made in /var/tmp, because a store is in it"),
        "{row}"
    );
    assert!(row["remedy"].as_str().unwrap().starts_with("Set TMPDIR to a folder"), "{row}");
}

#[test]
fn no_folder_is_made_where_no_copy_can_be_needed() {
    needs!("strace");
    let place = Place::new();
    pending(&place.store());
    let hot_store = place.folder().join("hot.db");
    hot(&hot_store);
    let cases: [(&[&str], PathBuf, bool); 6] = [
        // What is rehearsed is copied, and a large store does not go to memory.
        (&[], place.store(), true),
        (&["--check-migrations", "--rehearse"], place.store(), true),
        (&["--check-migrations"], place.store(), false),
        (&["--skip", "migration-rehearsal"], place.store(), false),
        // Only SQLite can roll back, and only in a copy; plain reads need none.
        (&["--check-migrations"], hot_store.clone(), true),
        (&["--only", "file,journal"], hot_store, false),
    ];
    for (arguments, store, made) in cases {
        place.traced_doctor(&["-e", "trace=/^mkdir"]).args(arguments).arg(&store).run();
        assert_eq!(made_a_folder(&place), made, "{arguments:?} {}", store.display());
    }
}

/// Makes each row that is added to the ledger write five gigabytes.
fn plant_a_trigger_that_fills_the_disk(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE junk(x);
         CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN
             INSERT INTO junk WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             SELECT zeroblob(1000000) FROM n;
         END",
    )
    .unwrap();
}

#[test]
fn a_copy_that_a_strangers_trigger_writes_to_stays_in_proportion_to_the_store() {
    for machines in [12, LARGE] {
        let place = Place::new();
        let path = place.store();
        sized(&path, machines);
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3")
            .unwrap();
        drop(conn);
        plant_a_trigger_that_fills_the_disk(&path);
        let size = fs::metadata(&path).unwrap().len();

        let ran = place.doctor().args(["--check-migrations", "--rehearse"]).arg(&path).run();
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(
            ran.stdout
                .contains("could not be rehearsed: the migrations write more than fits into the"),
            "{ran:?}"
        );
        let ran = place.doctor().args(["--format", "json"]).arg(&path).run();
        assert!(ran.row("migration-rehearsal")["status"] == "fail", "{ran:?}");

        let Some(mounted) = Mounted::with_room_for(&place.tmp(), "256m") else {
            return skipped!("mount");
        };
        let mut running = place.doctor().args(["--check-migrations", "--rehearse"]).arg(&path).start();
        let mut most = 0;
        while !running.has_ended() {
            most = most.max(mounted.used());
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(running.end().code, Some(3));
        assert!(most < 4 * size + (8 << 20), "a store of {size} bytes took {most} bytes");
        assert_eq!(place.left_in_tmp(), [""; 0]);
    }
}

#[test]
fn what_migrations_of_banger_write_fits_into_the_bound() {
    let place = Place::new();
    pending(&place.store());
    let ran = place.doctor().args(["--check-migrations", "--rehearse"]).arg(place.store()).run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.starts_with("migrations needed: pending [3]"), "{ran:?}");
}

#[test]
fn the_gate_says_one_line_whatever_close_says() {
    needs!("strace");
    let place = Place::new();
    hot(&place.store());
    for nth in 1..40 {
        let inject = format!("inject=close:error=EIO:when={nth}");
        let ran = place
            .traced_doctor(&["-e", "trace=close", "-e", &inject])
            .arg("--check-migrations")
            .arg(place.store())
            .run();
        assert_eq!(ran.stdout.lines().count(), 1, "close {nth}: {ran:?}");
        assert!(
            ran.code == Some(0) && ran.stdout.starts_with("compatible") || ran.code == Some(3),
            "close {nth}: {ran:?}"
        );
        assert_eq!(place.left_in_tmp(), [""; 0], "close {nth}");
    }
}
