//! A map says of each page what SQLite says of it, and goes on where SQLite does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::page_map::{PageClass, PageRole};
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;
use crate::store::{Environment, Need, with_stable_store};

/// Tables with and without rowids, indexes, long rows, and pages that are free.
const STORE: &str = "
    CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT UNIQUE, body TEXT);
    CREATE TABLE tags(name TEXT PRIMARY KEY, pad) WITHOUT ROWID;
    CREATE INDEX \"by body\" ON notes(substr(body, 1, 9)) WHERE id > 3;
    CREATE TABLE gone(a);
    CREATE VIEW titles AS SELECT title FROM notes;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
    INSERT INTO notes SELECT i, 'title ' || i, hex(zeroblob(iif(i % 50 = 0, 4000, 100))) FROM n;
    INSERT INTO tags SELECT 'tag ' || id, hex(zeroblob(iif(id % 80 = 0, 2000, 50))) FROM notes;
    INSERT INTO gone SELECT zeroblob(3000) FROM notes;
    DELETE FROM gone;";

fn connect(path: &Path) -> Connection {
    #[expect(clippy::disallowed_methods, reason = "a store of the test's own")]
    let conn = Connection::open(path).unwrap();
    conn
}

fn make(before: &str) -> (tempfile::TempDir, PathBuf, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let conn = connect(&path);
    conn.execute_batch(&format!("{before}; {STORE}")).unwrap();
    (folder, path, conn)
}

fn mapped(path: &Path, known: &KnownDamage, stop: &Stop) -> MapResult {
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    with_stable_store(path, Need::Everything, &environment, |probe, access| match access {
        Ok(access) => map_store(probe, access, known, stop),
        Err(error) => MapResult::unavailable(error),
    })
    .unwrap()
}

fn map(path: &Path, known: &KnownDamage) -> PageMap {
    match mapped(path, known, &Stop::never()) {
        MapResult::Map(map) => PageMap::clone(&map),
        other => panic!("{other:?}"),
    }
}

/// The number of pages of each part of each tree, by its name.
type Trees = BTreeMap<(String, &'static str), u32>;

fn trees(map: &PageMap) -> Trees {
    let mut trees = Trees::new();
    for count in map.counts() {
        if let PageClass::Tree(tree, part) = count.class {
            let part = match part {
                PageRole::Leaf => "leaf",
                PageRole::Interior => "internal",
                PageRole::Overflow => "overflow",
                PageRole::Unclear => "unclear",
            };
            *trees.entry((map.name(tree).to_owned(), part)).or_default() += count.pages;
        }
    }
    trees
}

/// The numbers of pages as SQLite counts them.
fn trees_by_sqlite(conn: &Connection) -> Trees {
    let mut counts = conn.prepare("SELECT name, pagetype, count(*) FROM dbstat GROUP BY 1, 2").unwrap();
    let rows = counts.query_map([], |row| {
        let part = match row.get::<_, String>(1)?.as_str() {
            "leaf" => "leaf",
            "internal" => "internal",
            _ => "overflow",
        };
        Ok(((row.get(0)?, part), row.get(2)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn pages_of(map: &PageMap, class: PageClass) -> u32 {
    map.counts().iter().filter(|count| count.class == class).map(|count| count.pages).sum()
}

fn is_complete(map: &PageMap) {
    assert_eq!(map.counts().iter().map(|count| count.pages).sum::<u32>(), map.pages());
    assert_eq!((pages_of(map, PageClass::Unreached), map.incomplete_reason()), (0, None));
    assert!(map.damaged().is_empty(), "{:?}", map.damaged_ranges());
}

#[test]
fn each_page_of_a_sound_store_is_what_sqlite_says() {
    for before in [
        "",
        "PRAGMA page_size=512",
        "PRAGMA page_size=65536",
        "PRAGMA encoding='UTF-16le'",
        "PRAGMA encoding='UTF-16be'; PRAGMA page_size=1024",
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA page_size=512",
    ] {
        let (_folder, path, conn) = make(before);
        let expected = trees_by_sqlite(&conn);
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        let (pages, free) = (number("PRAGMA page_count"), number("PRAGMA freelist_count"));
        drop(conn);
        let map = map(&path, &KnownDamage::default());
        is_complete(&map);
        assert_eq!((map.pages(), trees(&map)), (pages, expected), "{before}");
        let freed = pages_of(&map, PageClass::FreeTrunk) + pages_of(&map, PageClass::FreeLeaf);
        assert_eq!(freed, free, "{before}");
        assert_eq!(pages_of(&map, PageClass::PointerMap) > 0, before.contains("auto_vacuum"), "{before}");
    }
}

#[test]
fn pages_that_the_log_holds_are_marked_and_read_from_there() {
    let (_folder, path, conn) = make("PRAGMA journal_mode=WAL");
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0")
        .unwrap();
    conn.execute_batch("UPDATE notes SET title = 'other' WHERE id = 300; CREATE TABLE fresh(a)")
        .unwrap();
    let expected = trees_by_sqlite(&conn);
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("a.db");
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display())).unwrap();
    }
    drop(conn);
    let frames = (fs::metadata(format!("{}-wal", copy.display())).unwrap().len() - 32) / (4096 + 24);
    let map = map(&copy, &KnownDamage::default());
    is_complete(&map);
    assert_eq!(trees(&map), expected);
    let replaced = u64::from(map.replaced().pages);
    assert!((3..=frames).contains(&replaced), "{replaced} of {frames}");
}

/// The leaves of a tree.
fn leaves(conn: &Connection, tree: &str) -> Vec<u32> {
    let mut pages = conn
        .prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY 1")
        .unwrap();
    pages.query_map([tree], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn overwrite(path: &Path, page: u32, bytes: &[u8]) {
    let mut file = fs::read(path).unwrap();
    let at = (page as usize - 1) * 4096;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, file).unwrap();
}

#[test]
fn what_is_damaged_is_marked_where_it_is_and_the_rest_is_as_it_was() {
    let (_folder, path, conn) = make("");
    let (leaf, before) = (leaves(&conn, "notes")[3], trees_by_sqlite(&conn));
    let root: u32 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'gone'", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    overwrite(&path, leaf, &[0xff; 4096]);
    let map_of = |known: &KnownDamage| map(&path, known);
    let seen = map_of(&KnownDamage::default());
    assert_eq!((seen.damaged().pages, seen.damaged_ranges()[0].first), (1, leaf));
    let mut expected = before;
    *expected.get_mut(&("notes".to_owned(), "leaf")).unwrap() -= 1;
    expected.insert(("notes".to_owned(), "unclear"), 1);
    let found = trees(&seen);
    let overflow = ("notes".to_owned(), "overflow");
    // What only that page led to, nothing leads to any more.
    let lost = expected[&overflow] - found[&overflow];
    assert_eq!(pages_of(&seen, PageClass::Unreached), lost);
    expected.insert(overflow, found[&("notes".to_owned(), "overflow")]);
    assert_eq!(found, expected);

    // What a check has said of a page is drawn, and where all is known to be sound, nothing is.
    let damaged = vec![root, 9_999_999];
    let told = map_of(&KnownDamage {
        is_sound: false,
        damaged_pages: damaged,
    });
    assert_eq!(told.damaged().pages, 2);
    let sound = map_of(&KnownDamage {
        is_sound: true,
        damaged_pages: Vec::new(),
    });
    assert!(sound.damaged().is_empty());
}

#[test]
fn the_last_child_of_a_page_that_counts_too_many_cells_is_mapped() {
    let (_folder, path, conn) = make("");
    let expected = trees_by_sqlite(&conn);
    let root: u32 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'notes'", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    overwrite(&path, root, &[5, 0, 0, 0xff, 0xff]);
    let map = map(&path, &KnownDamage::default());
    assert_eq!(
        map.damaged_ranges().iter().map(|place| (place.first, place.last)).collect::<Vec<_>>(),
        [(root, root)]
    );
    assert_eq!(trees(&map), expected);
}

#[test]
fn a_page_that_two_lead_to_is_walked_once_and_circles_end() {
    let (_folder, path, conn) = make("");
    let own = leaves(&conn, "notes")[0];
    let root: u32 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'notes'", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    // The last child of the root is the root, and the first trunk of the freelist is a leaf.
    let mut bytes = fs::read(&path).unwrap();
    let at = (root as usize - 1) * 4096;
    bytes[at + 8..at + 12].copy_from_slice(&root.to_be_bytes());
    bytes[32..36].copy_from_slice(&own.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let map = map(&path, &KnownDamage::default());
    assert_eq!(map.counts().iter().map(|count| count.pages).sum::<u32>(), map.pages());
    let damaged: Vec<u32> = map.damaged_ranges().iter().flat_map(|place| place.first..=place.last).collect();
    assert!(damaged.contains(&root) && damaged.contains(&own), "{damaged:?}");
    assert!(pages_of(&map, PageClass::Unreached) > 0);
}

#[test]
fn whatever_is_damaged_each_page_is_counted_once() {
    let (_folder, path, conn) = make("PRAGMA page_size=512; PRAGMA auto_vacuum=FULL");
    drop(conn);
    let sound = fs::read(&path).unwrap();
    let mut at = 0_usize;
    for n in 0..200_usize {
        let mut bytes = sound.clone();
        for _ in 0..=n % 5 {
            // Steps of a prime: they meet headers, pointers, cells and overflow pages.
            at = (at + 104_729) % (bytes.len() - 104) + 100;
            bytes[at..at + 4].copy_from_slice(&[[0; 4], [0xff; 4], [0, 0, 0, 9]][n % 3]);
        }
        fs::write(&path, bytes).unwrap();
        if let MapResult::Map(map) = mapped(&path, &KnownDamage::default(), &Stop::never()) {
            assert_eq!(map.counts().iter().map(|count| count.pages).sum::<u32>(), map.pages());
            let blocks: u32 = map.blocks().iter().map(|block| block.damaged.pages).sum();
            assert_eq!(blocks, map.damaged().pages);
        }
    }
}

#[test]
fn no_value_of_a_row_becomes_a_name() {
    let (_folder, path, conn) = make("CREATE TABLE secrets(a, b, c, d, e)");
    conn.execute_batch(
        "INSERT INTO secrets VALUES ('Xyzzy', 'Xyzzy', 'Xyzzy', 5, 'Xyzzy'), ('table', 7, 'Xyzzy', 5, 'Xyzzy')",
    )
    .unwrap();
    let root: u32 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'secrets'", [], |row| row.get(0))
        .unwrap();
    drop(conn);
    // The first page becomes one with no cell and one child: the table's.
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..112].copy_from_slice(&[5, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, u8::try_from(root).unwrap()]);
    fs::write(&path, bytes).unwrap();
    let map = map(&path, &KnownDamage::default());
    assert!(!format!("{map:?}").contains("Xyzzy"));
}

#[test]
fn there_is_no_map_where_nothing_may_be_read_and_a_part_of_one_where_there_was_no_time() {
    let (folder, path, conn) = make("PRAGMA journal_mode=DELETE");
    drop(conn);
    let stop = Stop::after(Duration::ZERO, std::sync::Arc::default());
    let MapResult::Map(begun) = mapped(&path, &KnownDamage::default(), &stop) else {
        panic!("a map that ended")
    };
    assert!(
        begun.incomplete_reason().unwrap().contains("time limit"),
        "{:?}",
        begun.incomplete_reason()
    );
    let text = folder.path().join("text");
    fs::write(&text, "no database at all").unwrap();
    let MapResult::Unavailable(why) = mapped(&text, &KnownDamage::default(), &Stop::never()) else {
        panic!("no map")
    };
    assert!(!why.is_empty());
}

#[test]
fn there_is_no_map_where_only_sqlite_may_read() {
    let (_folder, path, conn) = make("PRAGMA journal_mode=DELETE");
    drop(conn);
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[&path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    let mut looks = 0;
    let mapped = with_stable_store(&path, Need::Everything, &environment, |probe, access| {
        let access = access.unwrap();
        let mapped = map_store(probe, access, &KnownDamage::default(), &Stop::never());
        looks += 1;
        if access.plain_files(probe).is_some() {
            assert!(matches!(mapped, MapResult::Map(_)), "{mapped:?}");
            // Somebody writes to it each time that it is read without a lock.
            connect(&path)
                .execute_batch("UPDATE notes SET title = title || 'x' WHERE id = 1")
                .unwrap();
        }
        mapped
    });
    let MapResult::Unavailable(why) = mapped.unwrap() else {
        panic!("a map of what others write to")
    };
    assert!(looks > 1 && why.contains("only be read through SQLite"), "{looks}: {why}");
}
