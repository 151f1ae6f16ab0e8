//! Paths and names that are too long: for a sidecar's name beside them, for SQLite, for a line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::read_only::odd_files::gate_at;
use crate::support::Place;
use crate::support::stores::{beside, crashed, healthy, hot, rollback};

/// Makes a store elsewhere and moves its files to a path.
fn moved(to: &Path, make: impl FnOnce(&Path)) {
    let elsewhere = Place::new();
    make(&elsewhere.store());
    for suffix in ["", "-wal", "-shm", "-journal"] {
        if beside(&elsewhere.store(), suffix).exists() {
            fs::copy(beside(&elsewhere.store(), suffix), beside(to, suffix)).unwrap();
        }
    }
}

#[test]
fn a_name_that_leaves_no_room_for_a_sidecars_is_no_reason_not_to_look() {
    const CLOSED: (Option<i32>, &str) = (Some(0), "compatible: all 3 migrations applied\n");
    for length in [247, 248, 250, 251, 252, 255] {
        let place = Place::new();
        let store = place.folder().join("n".repeat(length));
        moved(&store, healthy);
        let begun = Instant::now();
        let (code, said) = gate_at(&place, &store);
        assert_eq!((code, said.as_str()), CLOSED, "{length} bytes");
        let ran = place.doctor().args(["--format", "json"]).arg(&store).run();
        assert_eq!(ran.failing(), [""; 0], "{length} bytes: {}", ran.stdout);
        assert!(begun.elapsed() < Duration::from_secs(10), "{length} bytes: {:?}", begun.elapsed());

        fs::remove_file(&store).unwrap();
        moved(&store, rollback);
        assert_eq!(gate_at(&place, &store).0, Some(0), "{length} bytes");
    }
    // A WAL's name is shorter than a journal's.
    let place = Place::new();
    let store = place.folder().join("n".repeat(251));
    moved(&store, crashed);
    assert_eq!(gate_at(&place, &store).0, Some(2));
}

/// A path of so many bytes below a folder, whose folders exist.
fn deep(folder: &Path, length: usize) -> PathBuf {
    let mut path = OsString::from(folder);
    let name = "/state.db";
    loop {
        let room = length - path.len() - name.len();
        match room {
            0 => break,
            1..=100 => path.push(format!("/{}", "d".repeat(room - 1))),
            // Never leaves room for a slash alone.
            _ => path.push(format!("/{}", "d".repeat(89))),
        }
    }
    fs::create_dir_all(&path).unwrap();
    path.push(name);
    assert_eq!(path.len(), length);
    path.into()
}

#[test]
fn a_path_that_sqlite_does_not_open_is_read_all_the_same() {
    for length in [600, 3000] {
        for (make, code) in [(healthy as fn(&Path), 0), (crashed, 2), (rollback, 0), (hot, 0)] {
            let place = Place::new();
            let store = deep(&place.folder(), length);
            moved(&store, make);
            let (ended, said) = gate_at(&place, &store);
            assert_eq!(ended, Some(code), "{length} bytes: {said}");
        }
        let place = Place::new();
        let store = deep(&place.folder(), length);
        moved(&store, healthy);
        let ran = place.doctor().args(["--format", "json"]).arg(&store).run();
        assert_eq!(ran.failing(), [""; 0], "{length} bytes: {}", ran.stdout);
    }
}

#[test]
fn a_long_path_leaves_room_for_the_reason() {
    let place = Place::new();
    let store = deep(&place.folder(), 3000);
    let (code, said) = gate_at(&place, &store);
    assert_eq!(code, Some(3));
    assert!(said.contains("characters more): there is no such file\n"), "{said}");
}

#[test]
fn a_path_is_copied_only_where_sqlite_does_not_open_it() {
    for (length, way) in [(504, "read in place"), (505, "read from a private copy")] {
        let place = Place::new();
        let store = deep(&place.folder(), length);
        moved(&store, healthy);
        let ran = place.doctor().args(["--only", "read-only", "--format", "json"]).arg(&store).run();
        let row = ran.row("read-only");
        assert_eq!(row["status"], "pass", "{length} bytes: {row}");
        assert!(row["detail"].as_str().unwrap().contains(way), "{length} bytes: {row}");
    }
}
