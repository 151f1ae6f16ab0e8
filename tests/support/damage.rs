//! Damage to the bytes of a store that lies in rollback mode, or was closed.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

/// Each test's store has pages of this size, unless the test says another.
pub const PAGE_SIZE: usize = 4096;

/// Changes a file's bytes.
pub fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips a bit.
pub fn flip(path: &Path, at: usize) {
    change(path, |bytes| bytes[at] ^= 1);
}

/// The pages of a table or an index that hold its entries, in their order.
pub fn leaves(path: &Path, tree: &str) -> Vec<usize> {
    let conn = Connection::open(path).unwrap();
    let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path";
    let mut statement = conn.prepare(sql).unwrap();
    let pages = statement.query_map([tree], |row| row.get::<_, u32>(0)).unwrap();
    pages.map(|page| page.unwrap() as usize).collect()
}

/// The first page of a table or an index.
pub fn root(path: &Path, tree: &str) -> usize {
    let conn = Connection::open(path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    conn.query_row(sql, [tree], |row| row.get::<_, u32>(0)).unwrap() as usize
}

/// Fills a page with this byte: with zeros, as a disk does that lost a write.
pub fn overwrite_page(path: &Path, page: usize, byte: u8) {
    change(path, |bytes| bytes[(page - 1) * PAGE_SIZE..page * PAGE_SIZE].fill(byte));
}
