//! Whatever a path looks like, the store at it is found, with its sidecar files.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use insta::assert_snapshot;

use crate::support::footprint::names;
use crate::support::stores::{beside, crashed};
use crate::support::{Doctor, Place};

#[test]
fn any_path_works() {
    let odd: [&[u8]; 12] = [
        b"a b",
        b"what?mode=rwc&cache=shared",
        b"#fragment",
        b"%41%00",
        b"it's \"quoted\"",
        b"new\nline",
        b"\xff\xfe not UTF-8",
        "é\u{301}…\u{1f9d1}".as_bytes(),
        b"-wal",
        b"\\back\\slash",
        b"file:state.db?immutable=1",
        b":memory:",
    ];
    for name in odd {
        let place = Place::new();
        let folder = place.folder().join(OsStr::from_bytes(name));
        fs::create_dir(&folder).unwrap();
        let store = folder.join(OsStr::from_bytes(name));
        // A migration in the WAL alone: the sidecar files are found as well.
        made_elsewhere(&store);
        assert_unknown_77(&place, &store, &[]);
        // The same, named from within its folder.
        let mut relative = OsString::from("./");
        relative.push(OsStr::from_bytes(name));
        assert_unknown_77(&place, Path::new(&relative), &[("in", folder.as_path())]);
    }
}

/// A crashed store at a path that SQLite itself could not be told of so easily.
fn made_elsewhere(store: &Path) {
    let elsewhere = Place::new();
    crashed(&elsewhere.store());
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&elsewhere.store(), suffix), beside(store, suffix)).unwrap();
    }
}

fn assert_unknown_77(place: &Place, store: &Path, within: &[(&str, &Path)]) {
    let before = place.footprint();
    let mut doctor = place.doctor().arg("--check-migrations").arg(store);
    for (_, folder) in within {
        doctor.command.current_dir(folder);
    }
    let ran = doctor.run();
    assert_eq!(ran.code, Some(2), "{}: {ran:?}", store.display());
    assert!(ran.stdout.starts_with("incompatible: unknown [77]"), "{}: {ran:?}", store.display());
    before.assert_same(&place.footprint(), &store.display().to_string());
}

#[test]
fn a_chain_of_links_leads_to_the_sidecars_beside_the_store() {
    let place = Place::new();
    crashed(&place.store());
    let link = |to: &str, name: &str| {
        let path = place.home().join(name);
        symlink(to, &path).unwrap();
        path
    };
    link("../store/state.db", "first");
    link("./first", "second");
    let third = link(place.home().join("second").to_str().unwrap(), "third");
    assert_unknown_77(&place, &third, &[]);
    assert_eq!(names(&place.home()), ["first", "second", "third"]);
}

#[test]
fn bytes_of_a_path_that_are_not_text_are_spelled_out() {
    let place = Place::new();
    let store = place.folder().join(OsStr::from_bytes(b"\xff\n\x1b[2J.db"));
    let ran = place.doctor().args(["--only", "file"]).arg(store).run();
    assert_snapshot!(ran.text(), @r"
    [PLACE]/store/\xff\n\u{1b}[2J.db

    FAIL  file  there is no such file, so nothing could be examined

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      1. Check the path. If banger has never run here, start it once, and it makes its store.
      2. If it has, the store was moved or deleted: restore a backup.

    More: doctor --explain file
    --- exit 1 ---
    ");
}

/// The exit code of the gate, asked without a path; 2 only where the store with migration 77 was found.
fn default_store(place: &Place, change: impl Fn(Doctor) -> Doctor) -> Option<i32> {
    change(place.doctor().arg("--check-migrations")).run().code
}

#[test]
fn without_a_path_it_is_this_users_store() {
    let place = Place::new();
    let state = place.home().join(".local/state");
    fs::create_dir_all(state.join("banger")).unwrap();
    crashed(&state.join("banger/state.db"));
    assert_eq!(default_store(&place, |doctor| doctor), Some(2));
    // Empty or relative, it counts for nothing.
    assert_eq!(default_store(&place, |doctor| doctor.env("XDG_STATE_HOME", "")), Some(2));
    assert_eq!(default_store(&place, |doctor| doctor.env("XDG_STATE_HOME", "store")), Some(2));
    assert_eq!(default_store(&place, |doctor| doctor.env("XDG_STATE_HOME", place.folder())), Some(3));
    // With it, no home is needed.
    assert_eq!(
        default_store(&place, |doctor| doctor.env("XDG_STATE_HOME", &state).without_env("HOME")),
        Some(2)
    );
}

#[test]
fn a_home_folder_is_written_as_a_tilde() {
    let place = Place::new();
    let state = place.home().join("elsewhere");
    let ran = place.doctor().args(["--only", "file"]).env("XDG_STATE_HOME", &state).run();
    assert!(ran.stdout.starts_with("~/elsewhere/banger/state.db\n"), "{ran:?}");
    let ran = place.doctor().args(["--only", "file"]).run();
    assert_snapshot!(ran.text(), @"
    ~/.local/state/banger/state.db

    FAIL  file  there is no such file, so nothing could be examined

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      1. Check the path. If banger has never run here, start it once, and it makes its store.
      2. If it has, the store was moved or deleted: restore a backup.

    More: doctor --explain file
    --- exit 1 ---
    ");
}

#[test]
fn without_a_path_and_without_a_home_it_says_what_to_do() {
    let ran = Place::new().doctor().without_env("HOME").run();
    assert_snapshot!(ran.text(), @"
    --- stderr ---
    error: no store is named, and there is no home folder to look in; give a path, or --system

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    --- exit 64 ---
    ");
    let ran = Place::new().doctor().arg("--check-migrations").without_env("HOME").run();
    assert_snapshot!(ran.text(), @"
    cannot tell: no store is named, and there is no home folder to look in; give a path, or --system
    --- exit 3 ---
    ");
}
