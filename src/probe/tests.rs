//! Tests that plain reads tell what lies at a path.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn a_refusal_that_stays_the_same_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    symlink("state.db", &path).unwrap();
    let probe = Probe::of(&path);
    assert!(matches!(probe.kind, PathKind::Unreadable(_)), "{probe:?}");
    assert!(probe.is_unchanged());
    fs::remove_file(&path).unwrap();
    assert!(!probe.is_unchanged());

    let nothing = Probe::of(&path);
    assert!(nothing.is_unchanged());
    symlink("state.db", &path).unwrap();
    assert!(!nothing.is_unchanged());
}

#[test]
fn a_sidecar_that_comes_goes_or_turns_into_something_else_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let wal = folder.path().join("state.db-wal");
    let none = Probe::of(&path);
    fs::write(&wal, "").unwrap();
    let empty = Probe::of(&path);
    assert!(!none.is_unchanged() && empty.is_unchanged());
    fs::remove_file(&wal).unwrap();
    symlink("nowhere", &wal).unwrap();
    let link = Probe::of(&path);
    assert!(!empty.is_unchanged() && link.is_unchanged());
    assert!(link.wal.unreadable.is_some_and(|why| why.contains("a symbolic link")));
}

#[test]
fn a_wal_of_more_than_a_million_pages_has_too_large_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(MAGIC);
    page[16..20].copy_from_slice(&[16, 0, 2, 2]);
    fs::write(&path, page).unwrap();
    let is_too_large = |frames| {
        let wal = File::create(folder.path().join("state.db-wal")).unwrap();
        wal.set_len(32 + frames * (4096 + 24)).unwrap();
        Probe::of(&path).wal_index_is_too_large()
    };
    assert_eq!([0_u64, 1_000_000, 2_000_000].map(is_too_large), [false, false, true]);
}
