//! From a healthy store, all rows are the same, rowids included.

use super::saved::save;
use super::stores::{begin, make, open};

#[test]
fn a_healthy_store_comes_back_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..30 {
        let made = make(seed, folder.path());
        let saved = save(&made.bytes, made.log.as_ref());
        assert!(saved.account.is_complete(), "seed {seed}: {:?}", saved.account);
        assert_eq!(saved.vms(), made.live, "seed {seed}");
    }
}

#[test]
fn what_is_saved_opens_as_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(3, folder.path());
    let saved = save(&made.bytes, made.log.as_ref());
    let path = folder.path().join("saved.db");
    open(&path).execute_batch(&saved.sql).unwrap();
    assert!(begin(&path).is_empty());
}

#[test]
fn a_file_without_its_first_page_comes_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..30 {
        let mut made = make(seed, folder.path());
        if made.live.len() < 20 || made.log.is_some() {
            continue;
        }
        made.bytes[..made.page_size].fill(0);
        let saved = save(&made.bytes, None);
        assert_eq!(saved.vms(), made.live, "seed {seed}");
    }
}
