//! The committed frames of a write-ahead log lie over the file.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use sqlite_format::row::NoVisitor;
use sqlite_format::source::Overlay;

use super::sqlite::{open, verdict, visited};

/// The frames of a log that nobody damaged, as far as they are committed, and the pages of the last commit.
fn frames(log: &[u8]) -> (Vec<(u32, u64)>, u32) {
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let size = usize::try_from(number(8)).unwrap();
    let salts = &log[16..24];
    let (mut all, mut committed, mut pages) = (Vec::new(), 0, 0);
    let mut at = 32;
    while at + 24 + size <= log.len() && &log[at + 8..at + 16] == salts {
        all.push((number(at), at as u64 + 24));
        if number(at + 4) != 0 {
            pages = number(at + 4);
            committed = all.len();
        }
        at += 24 + size;
    }
    all.truncate(committed);
    (all, pages)
}

fn rows(file: &Vec<u8>, overlay: Option<&Overlay<'_>>) -> (bool, u64) {
    match visited(file, overlay, true, &NoVisitor, None) {
        Ok(checked) => (checked.store.is_sound(), checked.tables.iter().skip(1).map(|table| table.rows).sum()),
        Err(_) => (false, 0),
    }
}

fn both(path: &Path) -> (Vec<u8>, Vec<u8>) {
    (fs::read(path).unwrap(), fs::read(path.with_extension("db-wal")).unwrap())
}

#[test]
fn what_was_committed_to_the_log_is_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let mut conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA auto_vacuum=2; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=5;
         CREATE TABLE t(a TEXT UNIQUE, b); INSERT INTO t VALUES ('first', 1);
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
                INSERT INTO t SELECT 'key-' || i || ?1, hex(randomblob(i)) FROM n";
    conn.execute(many, ["a"]).unwrap();
    conn.execute("DELETE FROM t WHERE rowid % 3 = 0", []).unwrap();
    let transaction = conn.transaction().unwrap();
    transaction.execute(many, ["b"]).unwrap();
    let (file, log) = both(&path);
    let (frames, pages) = frames(&log);
    let overlay = Overlay::new(&log, 4096, pages, frames.iter().copied()).unwrap();

    assert_eq!(rows(&file, None), (true, 1), "the file alone is what it was");
    assert_eq!(rows(&file, Some(&overlay)), (true, 334), "with the log it is what was committed");
    drop(transaction);
    assert!(verdict(&open(&path, "mode=ro").unwrap()).sound);

    // A frame that is put in another page's place is seen.
    let mut swapped = frames.clone();
    let last = swapped.len() - 1;
    swapped[last].0 = if swapped[last].0 == 3 { 4 } else { 3 };
    let overlay = Overlay::new(&log, 4096, pages, swapped).unwrap();
    assert!(!rows(&file, Some(&overlay)).0);

    // Nor is a log with pages of another size this store's.
    let overlay = Overlay::new(&log, 8192, pages, frames).unwrap();
    assert!(!rows(&file, Some(&overlay)).0);
}
