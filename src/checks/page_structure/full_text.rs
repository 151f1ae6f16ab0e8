//! The rows that a full-text index names.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::store::ReadOnly;
use crate::store::introspect::quoted;

/// The most rows of an index that are told apart.
const MOST_ROWS: usize = 1 << 20;

/// Returns the number of rows that the index of a full-text table names and that its own table of content does not have.
///
/// FTS4 and FTS5 keep the size of each row in a table beside the index. FTS3 has none: there the index itself is read.
///
/// # Errors
/// SQLite's error; out of memory where the index names too many rows.
pub(super) fn lost_rows(handle: &ReadOnly, table: &str, has_sizes: bool, is_fts5: bool) -> Result<u64> {
    let content = quoted(&format!("{table}_content"));
    let key = if is_fts5 { "id" } else { "docid" };
    if has_sizes {
        let sizes = quoted(&format!("{table}_docsize"));
        let sql = format!("SELECT count(*) FROM {sizes} WHERE {key} NOT IN (SELECT {key} FROM {content})");
        return Ok(u64::try_from(handle.number(&sql)?).unwrap_or(0));
    }
    if is_fts5 {
        return Ok(0);
    }
    let mut named = rows_named(handle, table)?;
    let sql = format!("SELECT {key} FROM {content}");
    handle.rows(&sql, [], |row| {
        named.remove(&row.get::<_, i64>(0).map_err(Error::sqlite(&sql))?);
        Ok(())
    })?;
    Ok(named.into_values().filter(|is_live| *is_live).count() as u64)
}

/// Returns the rows that the segments of an FTS3 index name, and if they are live: the newest segment that names a row decides. A
/// deleted row has no position in it.
fn rows_named(handle: &ReadOnly, table: &str) -> Result<BTreeMap<i64, bool>> {
    let segdir = quoted(&format!("{table}_segdir"));
    let segments = quoted(&format!("{table}_segments"));
    let mut all = BTreeMap::new();
    let sql = format!("SELECT start_block, leaves_end_block, root FROM {segdir} ORDER BY level % 1024, idx DESC");
    handle.rows(&sql, [], |row| {
        let (first, last): (i64, i64) =
            (row.get(0).map_err(Error::sqlite(&sql))?, row.get(1).map_err(Error::sqlite(&sql))?);
        let mut newer = BTreeMap::new();
        let mut take = |leaf: &[u8]| -> Result<()> {
            // A leaf that is damaged ends early: what it named before that counts.
            let _ = read_leaf(leaf, &mut newer);
            if newer.len() + all.len() > MOST_ROWS {
                return Err(Error::out_of_memory(&sql));
            }
            Ok(())
        };
        if first == 0 {
            take(row.get_ref(2).ok().and_then(|root| root.as_blob().ok()).unwrap_or_default())?;
        } else {
            let blocks = format!("SELECT block FROM {segments} WHERE blockid BETWEEN ?1 AND ?2");
            handle.rows(&blocks, [first, last], |row| {
                take(row.get_ref(0).ok().and_then(|block| block.as_blob().ok()).unwrap_or_default())
            })?;
        }
        for (row, is_live) in newer {
            all.entry(row).or_insert(is_live);
        }
        Ok(())
    })?;
    Ok(all)
}

/// Reads the rows that a leaf of a segment names ("FTS3/4 shadow tables", section "Segment B-Tree Leaf Nodes"): its height, and for
/// each term the bytes that it shares with the one before, those that follow, and the list of its rows.
fn read_leaf(leaf: &[u8], rows: &mut BTreeMap<i64, bool>) -> Option<()> {
    let mut rest = Varints(leaf);
    rest.next()?;
    let mut is_first = true;
    while !rest.0.is_empty() {
        if !std::mem::take(&mut is_first) {
            rest.next()?;
        }
        let term = rest.next()?;
        rest.bytes(term)?;
        let length = rest.next()?;
        let mut list = Varints(rest.bytes(length)?);
        let mut row = 0_i64;
        while !list.0.is_empty() {
            row = row.wrapping_add(list.next()?.cast_signed());
            let mut is_live = false;
            // A list of positions ends with 0. A column other than the first begins with 1 and its number.
            loop {
                match list.next()? {
                    0 => break,
                    1 => drop(list.next()?),
                    _ => is_live = true,
                }
            }
            *rows.entry(row).or_insert(false) |= is_live;
        }
    }
    Some(())
}

/// Numbers as FTS3 writes them: seven bits in each byte, the lowest first.
struct Varints<'a>(&'a [u8]);

impl<'a> Varints<'a> {
    fn next(&mut self) -> Option<u64> {
        let mut number = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f).wrapping_shl(7 * u32::try_from(at).ok()?);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..)?;
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }
}
