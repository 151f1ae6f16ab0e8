//! What was deleted stays deleted, also where the first page is gone and with it the way to the freelist.

use std::path::Path;

use rusqlite::Connection;

use super::random::Random;
use super::saved::save;
use super::stores::{begin, insert, open};

/// A store in which nothing that is freed is overwritten.
pub fn store(path: &Path) -> Connection {
    let connection = open(path);
    connection
        .execute_batch("PRAGMA page_size=4096; PRAGMA secure_delete=OFF; CREATE TABLE first(x); DROP TABLE first")
        .unwrap();
    begin(path);
    connection
        .execute_batch(
            "INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at)
             VALUES ('11111111-2222-4333-8444-555555555555', 'image', '/r', '/k', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z')",
        )
        .unwrap();
    connection
}

/// Adds so many rows in one transaction.
pub fn fill(connection: &Connection, random: &mut Random, numbers: std::ops::Range<usize>) {
    connection.execute_batch("BEGIN").unwrap();
    for number in numbers {
        insert(connection, random, number);
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// How many rows are live, and how many come back where the first page is gone; none of them was deleted.
fn without_first_page(path: &Path, connection: Connection) -> (usize, usize) {
    let live = super::stores::rows(&connection);
    drop(connection);
    let mut bytes = std::fs::read(path).unwrap();
    bytes[..4096].fill(0);
    let saved = save(&bytes, None).vms();
    assert!(saved.iter().all(|(rowid, row)| live.get(rowid) == Some(row)), "{live:?} {saved:?}");
    (live.len(), saved.len())
}

#[test]
fn rows_that_were_deleted_over_time_are_not_given() {
    for (ever, left) in [(60, 12), (200, 12), (400, 60)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let connection = store(&path);
        let mut random = Random(5);
        let mut there: Vec<i64> = Vec::new();
        let mut number = 0;
        while number < ever || there.len() > left {
            if number < ever && there.len() < ever / 2 {
                number += 1;
                insert(&connection, &mut random, number);
                there.push(connection.last_insert_rowid());
            }
            if !there.is_empty() && (there.len() >= ever / 2 || number >= ever || random.once_in(3)) {
                let rowid = there.swap_remove(random.below(there.len()));
                connection.execute("DELETE FROM vms WHERE rowid = ?1", [rowid]).unwrap();
            }
        }
        assert_eq!(without_first_page(&path, connection), (left, left));
    }
}

#[test]
fn a_table_that_was_emptied_stays_empty() {
    for sql in [
        "DELETE FROM vms",
        "DELETE FROM vms WHERE rowid > 0",
        "DELETE FROM vms WHERE rowid > 5",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let connection = store(&path);
        fill(&connection, &mut Random(7), 1..1000);
        connection.execute_batch(sql).unwrap();
        let (live, given) = without_first_page(&path, connection);
        assert_eq!(live, given, "{sql}");
    }
}

/// The first bytes of the leaves in which rows of `vms` lie.
fn leaves(bytes: &[u8], with: &[u8]) -> Vec<usize> {
    let pages = bytes.chunks_exact(4096).enumerate().skip(1);
    let leaves = pages.filter(|(_, page)| page[0] == 13 && page.windows(with.len()).any(|bytes| bytes == with));
    leaves.map(|(at, _)| at * 4096).collect()
}

#[test]
fn a_copy_in_another_table_is_an_older_state_and_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let connection = store(&path);
    fill(&connection, &mut Random(7), 1..100);
    connection
        .execute_batch("CREATE TABLE vms_old AS SELECT * FROM vms; UPDATE vms SET state = 'was gone'")
        .unwrap();
    let live = super::stores::rows(&connection);
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let leaf = leaves(&bytes, b"was gone")[1];
    bytes[leaf..leaf + 4096].fill(0);
    let saved = save(&bytes, None);
    let rows = saved.vms();
    assert!(rows.iter().all(|(rowid, row)| live.get(rowid) == Some(row)));
    let of = saved.of_vms();
    assert_eq!((rows.len() as u64 + of.lost.count, of.flagged.count), (99, 0));
    assert!(of.lost.count > 0 && of.older == of.lost.count, "{of:?}");
}

/// Where the entries of the primary key's index lie: its leaves, in the file's order.
fn index_leaves(bytes: &[u8], connection_root: usize) -> Vec<usize> {
    let root = &bytes[(connection_root - 1) * 4096..connection_root * 4096];
    let cells = usize::from(u16::from_be_bytes([root[3], root[4]]));
    let number = |at: usize| u32::from_be_bytes(root[at..at + 4].try_into().unwrap()) as usize;
    let cell = |at: usize| usize::from(u16::from_be_bytes([root[12 + 2 * at], root[13 + 2 * at]]));
    let mut out: Vec<usize> = (0..cells).map(|at| (number(cell(at)) - 1) * 4096).collect();
    out.push((number(8) - 1) * 4096);
    out
}

/// A store of so many rows, its bytes after more rows were added, and the root of the index of the primary key.
fn grown(path: &Path, rows: usize, more: usize) -> (Vec<u8>, Vec<u8>, usize) {
    let connection = store(path);
    let mut random = Random(7);
    fill(&connection, &mut random, 1..rows);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_vms_1'";
    let root: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
    let root = root as usize;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let before = std::fs::read(path).unwrap();
    fill(&connection, &mut random, rows..rows + more);
    drop(connection);
    (before, std::fs::read(path).unwrap(), root)
}

#[test]
fn a_broken_primary_key_index_costs_no_row_that_another_index_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    // A leaf of the index as it was before the last rows came.
    let (before, now, root) = grown(&path, 400, 8);
    let mut stale = now.clone();
    let leaf = index_leaves(&now, root)
        .into_iter()
        .find(|leaf| before[*leaf..*leaf + 4096] != now[*leaf..*leaf + 4096]);
    let leaf = leaf.unwrap();
    stale[leaf..leaf + 4096].copy_from_slice(&before[leaf..leaf + 4096]);
    // One leaf of it over another.
    let mut double = now.clone();
    let leaves = index_leaves(&now, root);
    double.copy_within(leaves[2]..leaves[2] + 4096, leaves[1]);
    for bytes in [&stale, &double] {
        let saved = save(bytes, None);
        let of = saved.of_vms();
        assert_eq!((of.given, of.lost.count, of.doubtful.count), (407, 0, 0), "{:?}", of.flagged.count);
        assert_eq!(saved.vms().len(), 407);
    }
}

#[test]
fn an_index_of_three_levels_without_its_root_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let connection = open(&path);
    connection
        .execute_batch("PRAGMA page_size=512; CREATE TABLE first(x); DROP TABLE first")
        .unwrap();
    drop(connection);
    let connection = store(&path);
    fill(&connection, &mut Random(7), 1..600);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_vms_1'";
    let root: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
    let root = root as usize;
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 512..root * 512].fill(0);
    let saved = save(&bytes, None);
    let of = saved.of_vms();
    assert_eq!((of.given, of.flagged.count, of.lost.count, of.doubtful.count), (599, 0, 0, 0));
}
