//! Do the indexes of a large store hold exactly its rows? Two linear passes instead of a search for every row.
//!
//! SQLite's integrity check looks every row up in every index, page by page all over the file. That an index is in order,
//! that it holds as many entries as the table has rows, and that the unordered sums of strong hashes over (columns, rowid)
//! agree says the same: an ordered index in which each row's entry lies is one in which each row's entry is found.
//!
//! This only ever says "sound". Whatever it does not understand or does not find sound is left to SQLite's check.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::error::{Error, Result};
use crate::schema::tables::{self, quoted};
use crate::store::ReadOnly;

/// Whether every index of every ordinary table is sound. `false`: perhaps not.
///
/// # Errors
/// What SQLite says where something cannot be read.
pub(super) fn are_sound(handle: &ReadOnly) -> Result<bool> {
    // In UTF-16 an index is in the order of other bytes than those that SQLite hands out.
    let encoding = handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))?;
    if encoding != ["UTF-8"] {
        return Ok(false);
    }
    // A stranger's schema may hold tables that bear a name of SQLite's own, and have indexes.
    for table in tables::all(handle)?.into_iter().filter(|table| !table.is_virtual) {
        let Some(table) = table.name else {
            return Ok(false);
        };
        let Some(indexes) = plain_indexes(handle, &table)? else {
            return Ok(false);
        };
        if !indexes.is_empty() && !agree(handle, &table, &indexes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An index over plain columns in ascending binary order.
struct Index {
    name: String,
    unique: bool,
    columns: Vec<String>,
}

/// A table's indexes; `None` where one is of another kind, or the table has no rowid.
fn plain_indexes(handle: &ReadOnly, table: &str) -> Result<Option<Vec<Index>>> {
    let sql = format!("PRAGMA index_list({})", quoted(table));
    let listed = handle.collect(&sql, [], |row| {
        Ok((
            row.get::<_, String>("name")?,
            row.get::<_, bool>("unique")?,
            row.get::<_, bool>("partial")?,
        ))
    })?;
    if listed.is_empty() {
        return Ok(Some(Vec::new()));
    }
    // Where a column has taken that name, both passes would read the column, and no entry's number.
    if tables::columns(handle, table)?.rowid != Some("rowid") {
        return Ok(None);
    }
    let key = integer_key(handle, table)?;
    let mut indexes = Vec::new();
    for (name, unique, partial) in listed {
        let sql = format!("PRAGMA index_xinfo({})", quoted(&name));
        let all = handle.collect(&sql, [], |row| {
            let column: Option<String> = row.get("name")?;
            let plain = !row.get::<_, bool>("desc")? && row.get::<_, String>("coll")? == "BINARY";
            Ok((row.get::<_, i64>("cid")?, column, plain))
        })?;
        // The last column of an index on a table with rowids is the rowid, which has number -1 and no name.
        let Some(((-1, None, true), columns)) = all.split_last() else {
            return Ok(None);
        };
        if columns.iter().any(|(number, ..)| Some(*number) == key) {
            return Ok(None);
        }
        let names: Option<Vec<String>> =
            columns.iter().map(|(_, name, plain)| name.clone().filter(|_| *plain)).collect();
        match names {
            Some(columns) if !partial && !columns.is_empty() => indexes.push(Index { name, unique, columns }),
            _ => return Ok(None),
        }
    }
    Ok(Some(indexes))
}

/// The number of the column that stands for the rowid, if one does: SQLite reads it from an entry's end, and never what the index
/// holds in that column's own place.
fn integer_key(handle: &ReadOnly, table: &str) -> Result<Option<i64>> {
    let sql = format!("PRAGMA table_xinfo({})", quoted(table));
    let columns = handle.collect(&sql, [], |row| {
        let is_integer = row.get::<_, String>("type")?.eq_ignore_ascii_case("INTEGER");
        Ok((row.get::<_, i64>("cid")?, row.get::<_, i64>("pk")? > 0, is_integer))
    })?;
    let mut keys = columns.into_iter().filter(|(_, is_key, _)| *is_key);
    Ok(match (keys.next(), keys.next()) {
        (Some((number, _, true)), None) => Some(number),
        _ => None,
    })
}

/// An entry in an order-keeping encoding: bytes compare as SQLite compares the columns ("Datatypes In SQLite", section 4.1).
#[derive(Debug, Default)]
struct Entry {
    bytes: Vec<u8>,
    has_null: bool,
}

impl Entry {
    /// Encodes columns; `false` where there is a number that is not an integer, which is left to SQLite.
    fn set<'v>(&mut self, columns: impl Iterator<Item = ValueRef<'v>>) -> bool {
        self.bytes.clear();
        self.has_null = false;
        for value in columns {
            match value {
                ValueRef::Null => {
                    self.bytes.push(0);
                    self.has_null = true;
                }
                ValueRef::Integer(number) => {
                    self.bytes.push(1);
                    self.bytes.extend_from_slice(&(number.cast_unsigned() ^ (1 << 63)).to_be_bytes());
                }
                ValueRef::Real(_) => return false,
                ValueRef::Text(text) => self.push_bytes(2, text),
                ValueRef::Blob(blob) => self.push_bytes(3, blob),
            }
        }
        true
    }

    /// Bytes that end in a way that no longer ones begin with.
    fn push_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.bytes.push(kind);
        for (n, part) in bytes.split(|byte| *byte == 0).enumerate() {
            if n > 0 {
                self.bytes.extend_from_slice(&[0, 0xff]);
            }
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(&[0, 0]);
    }
}

/// What a pass over entries came to: how many, and the sum of their hashes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    entries: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, keys: &RandomState, entry: &Entry, rowid: i64) {
        let mut hasher = keys.build_hasher();
        hasher.write(&entry.bytes);
        hasher.write_i64(rowid);
        self.entries += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }
}

/// Whether each index holds what the table holds, in order. The hashes are keyed anew in each run, so that no store can be
/// made to deceive them.
fn agree(handle: &ReadOnly, table: &str, indexes: &[Index]) -> Result<bool> {
    let keys = RandomState::new();
    let Some(wanted) = table_sums(handle, table, indexes, &keys)? else {
        return Ok(false);
    };
    for (index, wanted) in indexes.iter().zip(wanted) {
        if index_sum(handle, table, index, &keys)? != Some(wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One pass over a table: for each index the sum of the entries that it ought to hold. `None`: left to SQLite.
fn table_sums(handle: &ReadOnly, table: &str, indexes: &[Index], keys: &RandomState) -> Result<Option<Vec<Sum>>> {
    let mut columns: Vec<&str> = indexes.iter().flat_map(|index| &index.columns).map(String::as_str).collect();
    columns.sort_unstable();
    columns.dedup();
    let place = |name: &String| columns.binary_search(&name.as_str()).unwrap_or(0);
    let places: Vec<Vec<usize>> = indexes.iter().map(|index| index.columns.iter().map(place).collect()).collect();
    let sql = format!("SELECT {}, rowid FROM {} NOT INDEXED", list(&columns), quoted(table));
    let mut sums = vec![Sum::default(); indexes.len()];
    let mut entry = Entry::default();
    let mut understood = true;
    handle.rows(&sql, [], |row| {
        let rowid = row.get(columns.len()).map_err(Error::sqlite(&sql))?;
        for (sum, places) in sums.iter_mut().zip(&places) {
            understood &= entry.set(places.iter().map(|at| value(row, *at)));
            sum.add(keys, &entry, rowid);
        }
        Ok(())
    })?;
    Ok(understood.then_some(sums))
}

/// One pass over an index in its own order: the sum of its entries. `None` where one is out of order, stands twice where it
/// may not, or is left to SQLite.
fn index_sum(handle: &ReadOnly, table: &str, index: &Index, keys: &RandomState) -> Result<Option<Sum>> {
    let columns: Vec<&str> = index.columns.iter().map(String::as_str).collect();
    let sql = format!(
        "SELECT {}, rowid FROM {} INDEXED BY {}",
        list(&columns),
        quoted(table),
        quoted(&index.name)
    );
    let mut sum = Sum::default();
    let (mut entry, mut before) = (Entry::default(), Entry::default());
    let mut rowid_before = i64::MIN;
    let mut sound = true;
    handle.rows(&sql, [], |row| {
        let rowid: i64 = row.get(columns.len()).map_err(Error::sqlite(&sql))?;
        sound &= entry.set((0..columns.len()).map(|at| value(row, at)));
        sound &= sum.entries == 0
            || match before.bytes.cmp(&entry.bytes) {
                Ordering::Less => true,
                Ordering::Equal => (!index.unique || entry.has_null) && rowid_before < rowid,
                Ordering::Greater => false,
            };
        sum.add(keys, &entry, rowid);
        std::mem::swap(&mut before, &mut entry);
        rowid_before = rowid;
        Ok(())
    })?;
    Ok(sound.then_some(sum))
}

fn list(columns: &[&str]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The value of a column that was asked for, and so is there.
fn value<'r>(row: &'r Row<'_>, at: usize) -> ValueRef<'r> {
    row.get_ref(at).unwrap_or(ValueRef::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[ValueRef<'_>]) -> Vec<u8> {
        let mut entry = Entry::default();
        assert!(entry.set(values.iter().copied()));
        entry.bytes
    }

    #[test]
    fn the_encoding_keeps_sqlites_order() {
        let ascending = [
            vec![ValueRef::Null],
            vec![ValueRef::Integer(i64::MIN)],
            vec![ValueRef::Integer(-1)],
            vec![ValueRef::Integer(0)],
            vec![ValueRef::Integer(i64::MAX)],
            vec![ValueRef::Text(b"")],
            vec![ValueRef::Text(b""), ValueRef::Integer(1)],
            vec![ValueRef::Text(b"\0")],
            vec![ValueRef::Text(b"\0\0")],
            vec![ValueRef::Text(b"\0a")],
            vec![ValueRef::Text(b"\x01")],
            vec![ValueRef::Text(b"a"), ValueRef::Text(b"z")],
            vec![ValueRef::Text(b"ab"), ValueRef::Text(b"a")],
            vec![ValueRef::Blob(b"")],
            vec![ValueRef::Blob(b"\xff")],
        ];
        for two in ascending.windows(2) {
            assert!(encoded(&two[0]) < encoded(&two[1]), "{:?} before {:?}", two[0], two[1]);
        }
        assert!(!Entry::default().set([ValueRef::Real(1.5)].into_iter()));
    }
}
