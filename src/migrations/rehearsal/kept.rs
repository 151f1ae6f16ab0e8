//! Which rows a table has, by their primary keys: to tell those that went from others that came in their place.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::{Error, Result};
use crate::store::introspect::{self, quoted};

/// The most keys that are kept of one table. Of one with more rows, the rows are only counted.
const MOST_KEYS: usize = 1 << 20;

/// The rows of a table, or those that have a value in a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowPlace {
    pub(super) table: String,
    pub(super) column: Option<String>,
}

/// The rows of a place: their number, and a hash of each key.
#[derive(Debug, Clone, Default)]
pub(super) struct RowHashes {
    pub(super) count: u64,
    /// Their keys; none where the table has no primary key, or too many rows.
    pub(super) keys: Option<RowKeys>,
}

/// Rows by the columns of their primary key.
#[derive(Debug, Clone, Default)]
pub(super) struct RowKeys {
    columns: Vec<String>,
    hashes: HashSet<u64>,
}

impl RowPlace {
    /// Reads all rows of a table.
    pub(super) fn whole(table: &str) -> Self {
        Self {
            table: table.to_owned(),
            column: None,
        }
    }
}

impl RowHashes {
    /// Reads the rows of a place; `None` where it does not exist.
    pub(super) fn of(conn: &Connection, place: &RowPlace, hash: &RandomState) -> Result<Option<Self>> {
        if !is_there(conn, place)? {
            return Ok(None);
        }
        let columns = key_of(conn, &place.table)?;
        let mut keys = (!columns.is_empty()).then(HashSet::new);
        let mut count = 0;
        let only = place.column.as_ref().map(|column| format!("{} IS NOT NULL", quoted(column)));
        each(conn, &place.table, &columns, only.as_deref(), hash, |key| {
            count += 1;
            if let Some(keys) = keys.as_mut().filter(|keys| keys.len() < MOST_KEYS) {
                keys.insert(key);
            } else {
                keys = None;
            }
        })?;
        let keys = keys.map(|hashes| RowKeys { columns, hashes });
        Ok(Some(Self { count, keys }))
    }

    /// Returns the rows that are not among those that are there now.
    pub(super) fn without(&self, now: &Self) -> Self {
        // By their keys where both sides have the same ones: then rows that were replaced by others of new keys count as gone although
        // the number of rows is the same. Otherwise by their number alone.
        let keys = match (&self.keys, &now.keys) {
            (Some(before), Some(now)) if before.columns == now.columns => Some(RowKeys {
                columns: before.columns.clone(),
                hashes: before.hashes.difference(&now.hashes).copied().collect(),
            }),
            _ => None,
        };
        let fewer = self.count.saturating_sub(now.count);
        Self {
            count: keys.as_ref().map_or(fewer, |keys| keys.hashes.len() as u64),
            keys,
        }
    }
}

impl RowKeys {
    /// Returns the union of two sets of keys; `None` if they are keys of different columns.
    pub(super) fn and(mut self, others: &Self) -> Option<Self> {
        self.hashes.extend(&others.hashes);
        (self.columns == others.columns).then_some(self)
    }

    /// Returns the number of these rows that are missing in a place: they are not in the table or, where it is about a column, they are there
    /// without a value. `None` where the table has not got the columns of the key any more.
    pub(super) fn count_missing_keys(
        &self,
        conn: &Connection,
        place: &RowPlace,
        hash: &RandomState,
    ) -> Result<Option<u64>> {
        for column in &self.columns {
            if !has_column(conn, &place.table, column)? {
                return Ok(None);
            }
        }
        let only = place.column.as_ref().map(|column| format!("{} IS NULL", quoted(column)));
        let mut found = HashSet::new();
        each(conn, &place.table, &self.columns, only.as_deref(), hash, |key| {
            if self.hashes.contains(&key) {
                found.insert(key);
            }
        })?;
        let found = found.len() as u64;
        Ok(Some(if place.column.is_some() {
            found
        } else {
            self.hashes.len() as u64 - found
        }))
    }
}

/// Returns the columns of a table's primary key, in its order.
fn key_of(conn: &Connection, table: &str) -> Result<Vec<String>> {
    let mut key = Vec::new();
    introspect::each_column(conn, table, |column| {
        if column.hidden == 0 && column.key_position > 0 {
            key.push((column.key_position, column.name.to_vec()));
        }
    })?;
    key.sort_unstable();
    let names = key.into_iter().map(|(_, name)| String::from_utf8(name));
    names.collect::<Result<_, _>>().map_err(|_| {
        let sql = format!("PRAGMA main.table_xinfo({})", quoted(table));
        Error::sqlite(&sql)(rusqlite::Error::InvalidColumnName("a name that is not UTF-8".to_owned()))
    })
}

fn is_there(conn: &Connection, place: &RowPlace) -> Result<bool> {
    let there = exists(conn, &place.table)?;
    match &place.column {
        Some(column) if there => has_column(conn, &place.table, column),
        _ => Ok(there),
    }
}

fn has_column(conn: &Connection, table: &str, column: &str) -> Result<bool> {
    let mut found = false;
    introspect::each_column(conn, table, |there| {
        found |= there.hidden == 0 && there.name.eq_ignore_ascii_case(column.as_bytes());
    })?;
    Ok(found)
}

/// Returns true if there is an ordinary table of this name that is not SQLite's own.
pub(super) fn exists(conn: &Connection, table: &str) -> Result<bool> {
    let sql =
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE
               AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
    let found: i64 = conn.query_row(sql, [table], |row| row.get(0)).map_err(Error::sqlite(sql))?;
    Ok(found > 0)
}

/// Steps through a table, with a hash of the columns of each row.
fn each(
    conn: &Connection,
    table: &str,
    columns: &[String],
    only: Option<&str>,
    hash: &RandomState,
    mut look: impl FnMut(u64),
) -> Result<()> {
    let asked: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let asked = if asked.is_empty() {
        "1".to_owned()
    } else {
        asked.join(", ")
    };
    let only = only.map_or_else(String::new, |only| format!(" WHERE {only}"));
    let sql = format!("SELECT {asked} FROM main.{} NOT INDEXED{only}", quoted(table));
    let mut statement = conn.prepare(&sql).map_err(Error::preparing(&sql))?;
    let mut rows = statement.query([]).map_err(Error::sqlite(&sql))?;
    while let Some(row) = rows.next().map_err(Error::sqlite(&sql))? {
        let mut hasher = hash.build_hasher();
        for at in 0..columns.len() {
            hash_value(row.get_ref(at).map_err(Error::sqlite(&sql))?, &mut hasher);
        }
        look(hasher.finish());
    }
    Ok(())
}

/// Hashes a value. A number and its digits as text are one key: a rebuild may change the type of a column.
pub(super) fn hash_value(value: ValueRef<'_>, hasher: &mut impl Hasher) {
    match value {
        ValueRef::Null => {}
        ValueRef::Integer(number) => hasher.write(number.to_string().as_bytes()),
        ValueRef::Real(number) => hasher.write(number.to_string().as_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => hasher.write(bytes),
    }
    // Where one value ends and the next begins.
    hasher.write_u8(0xff);
}
