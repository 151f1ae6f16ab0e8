//! One pass: several threads come to what one comes to, pages are counted, and it ends when it is told to.

use std::num::NonZero;

use sqlite_format::check::{Ask, PagesDone};
use sqlite_format::interrupt::{Interrupted, Never};
use sqlite_format::reader::Reader;
use sqlite_format::row::NoVisitor;

/// A store of some thousand pages, with trees of three levels.
fn store() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    #[expect(clippy::disallowed_methods, reason = "a store is made")]
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA page_size=512; PRAGMA auto_vacuum=1; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;
         CREATE TABLE t(a TEXT, b TEXT, c INTEGER); CREATE INDEX i ON t(a DESC, c); CREATE UNIQUE INDEX j ON t(c);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO t SELECT hex(randomblob(8)), hex(zeroblob(i % 900)), i FROM n WHERE i % 20 > 0 OR i < 2000;
         CREATE TABLE other(x); INSERT INTO other SELECT c FROM t; DELETE FROM other WHERE x % 3 = 0;",
    )
    .unwrap();
    drop(conn);
    std::fs::read(path).unwrap()
}

#[test]
fn several_threads_come_to_what_one_comes_to() {
    let bytes = store();
    let reader = Reader::open(&bytes, None, false, &Never).unwrap();
    let mut rows = Vec::new();
    for threads in 1..=4 {
        let done = PagesDone::default();
        let ask = Ask {
            threads: NonZero::new(threads),
            progress: Some(&done),
        };
        let checked = reader.check(&NoVisitor, &ask, &Never).unwrap();
        assert!(checked.store.is_sound(), "{:?}", checked.store);
        rows.push(checked.tables.iter().map(|table| table.rows).collect::<Vec<_>>());
        let (read, of) = done.now();
        assert_eq!(of, u64::from(reader.source().pages()));
        assert!(read <= of && read + 64 * threads as u64 + 100 > of, "{read} of {of}");
    }
    assert!(rows.windows(2).all(|two| two[0] == two[1]), "{rows:?}");
}

#[test]
fn a_row_that_is_in_one_index_only_is_missed_by_any_number_of_threads() {
    let bytes = store();
    let reader = Reader::open(&bytes, None, false, &Never).unwrap();
    let root = reader.schema().tables.iter().find(|table| table.name == "t").unwrap().indexes[1].root;
    // The last byte of a leaf of the index is a rowid's.
    let page_size = 512;
    let mut page = usize::try_from(root).unwrap();
    while bytes[(page - 1) * page_size] == 2 {
        let right = (page - 1) * page_size + 8;
        page = usize::try_from(u32::from_be_bytes(bytes[right..right + 4].try_into().unwrap())).unwrap();
    }
    let mut changed = bytes.clone();
    changed[page * page_size - 1] ^= 1;
    let reader = Reader::open(&changed, None, false, &Never).unwrap();
    for threads in [1, 3] {
        let ask = Ask {
            threads: NonZero::new(threads),
            progress: None,
        };
        let checked = reader.check(&NoVisitor, &ask, &Never).unwrap();
        let table = &checked.tables[1];
        assert!(table.table.is_sound() && table.all_read);
        assert!(table.indexes[0].is_sound() && !table.indexes[1].is_sound());
        assert!(!checked.store.is_sound());
    }
}

#[test]
fn it_ends_when_it_is_told_to() {
    let bytes = store();
    let reader = Reader::open(&bytes, None, false, &Never).unwrap();
    let ended = reader.check(&NoVisitor, &Ask::default(), &|| true).map(|_| ());
    assert_eq!(ended, Err(Interrupted));
}
