//! Tables, read from pragmas and from the text of their definitions.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::definition::{self, TableText};
use super::tokens;
use crate::error::{Error, Result};
use crate::store::ReadOnly;
use crate::store::introspect;

/// The longest definition whose text is compared, in bytes. Real ones are far below it; each costs memory, and the store is untrusted.
pub(super) const LONGEST_SQL: usize = 64 << 10;

/// The longest name that is read, in characters. What is longer is no application's.
const LONGEST_NAME: usize = 256;

/// The kind of an object of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Table,
    VirtualTable,
    View,
    Trigger,
    Index,
}

impl ObjectKind {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::VirtualTable => "virtual table",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::Index => "index",
        }
    }
}

/// An object that the schema names.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    /// Its name as it is written.
    pub(super) name: String,
    /// The table that it belongs to.
    pub(super) table: String,
    /// Its definition; `None` where it has none, or one that is too long to be real.
    pub(super) sql: Option<String>,
}

/// A table by its meaning. Names are in lower case.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: BTreeMap<String, Column>,
    pub(super) indexes: Vec<Index>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) text: TableText,
    /// True if the text is too long to be real and was not read.
    pub(super) text_is_missing: bool,
}

impl Table {
    /// Returns true for an index that is unique on just the columns of the primary key.
    pub(super) fn is_primary_key(&self, index: &Index) -> bool {
        let in_key = |name: &String| self.columns.get(name).is_some_and(|column| column.key > 0);
        let keys = self.columns.values().filter(|column| column.key > 0).count();
        index.unique
            && index.filter.is_none()
            && index.columns.len() == keys
            && index.columns.iter().all(|(name, ..)| in_key(name))
    }
}

/// A column by its meaning.
#[derive(Debug)]
pub(super) struct Column {
    /// Its type as it is declared, in lower case.
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    /// Its place in the primary key, counted from 1; 0 where it is no part of it.
    pub(super) key: i64,
    /// 0 for an ordinary column, 1 hidden, 2 computed when read, 3 computed when written.
    pub(super) hidden: i64,
}

/// An index by its meaning: its name means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) unique: bool,
    /// Column or expression, collation, descending.
    pub(super) columns: Vec<(String, String, bool)>,
    /// The condition of a partial index.
    pub(super) filter: Option<String>,
    /// True if an expression is indexed, which can fail on a row.
    pub(super) computed: bool,
    /// Its name, which takes no part in the comparison.
    pub(super) name: IgnoredName,
}

/// A name that makes no difference.
#[derive(Debug, Clone)]
pub(super) struct IgnoredName(pub(super) String);

impl PartialEq for IgnoredName {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for IgnoredName {}

/// A foreign key by its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKey {
    /// The pairs of columns, the referring one first.
    pub(super) columns: Vec<(String, String)>,
    pub(super) parent: String,
    pub(super) on_update: String,
    pub(super) on_delete: String,
}

/// Hands out every object that the schema names, but for SQLite's own tables and what makes up a table.
pub(super) fn objects(handle: &ReadOnly, mut each: impl FnMut(Object)) -> Result<()> {
    let sql = format!(
        "SELECT type, substr(name, 1, {LONGEST_NAME}), substr(tbl_name, 1, {LONGEST_NAME}), ifnull(rootpage, 0),
                iif(octet_length(sql) > {LONGEST_SQL} OR type = 'index', NULL, sql)
         FROM sqlite_schema
         WHERE NOT (type IN ('table', 'index') AND lower(substr(name, 1, 7)) = 'sqlite_')"
    );
    handle.rows(&sql, [], |row| {
        if let Some(object) = object(row).map_err(Error::sqlite(&sql))? {
            each(object);
        }
        Ok(())
    })
}

fn object(row: &Row<'_>) -> rusqlite::Result<Option<Object>> {
    let kind = match text(row, 0)?.as_str() {
        "table" if row.get_ref(3)?.as_i64().unwrap_or(0) == 0 => ObjectKind::VirtualTable,
        "table" => ObjectKind::Table,
        "view" => ObjectKind::View,
        "trigger" => ObjectKind::Trigger,
        "index" => ObjectKind::Index,
        _ => return Ok(None),
    };
    Ok(Some(Object {
        kind,
        name: text(row, 1)?,
        table: text(row, 2)?,
        sql: row.get_ref(4)?.as_bytes_or_null()?.map(|sql| String::from_utf8_lossy(sql).into_owned()),
    }))
}

/// Reads text of a store, which need not be UTF-8.
fn text(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Returns text of a store, which need not be UTF-8.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns a name of a store in lower case, as SQLite compares names.
fn lower(bytes: &[u8]) -> String {
    lossy(bytes).to_ascii_lowercase()
}

impl Table {
    /// Reads an ordinary table of this name. Not with `PRAGMA table_list`: it compiles each view of the schema, and the
    /// views of an untrusted store can take for ever.
    pub(super) fn read(handle: &ReadOnly, name: &str, sql: Option<&str>) -> Result<Self> {
        Ok(Self {
            columns: columns(handle, name)?,
            indexes: indexes(handle, name)?,
            foreign_keys: foreign_keys(handle, name)?,
            text: sql.map(definition::table).unwrap_or_default(),
            text_is_missing: sql.is_none(),
        })
    }

    /// Returns the collation of a column; the name must be in lower case.
    pub(super) fn collation(&self, column: &str) -> &str {
        self.text.collations.get(column).map_or("binary", String::as_str)
    }
}

fn columns(handle: &ReadOnly, table: &str) -> Result<BTreeMap<String, Column>> {
    let mut out = BTreeMap::new();
    introspect::each_column(handle, table, |column| {
        let read = Column {
            declared: tokens::canonical(&tokens::tokens(&lossy(column.declared))),
            not_null: column.is_not_null,
            default: column.default.and_then(|sql| tokens::default(&lossy(sql))),
            key: column.key_position,
            hidden: column.hidden,
        };
        out.insert(lower(column.name), read);
    })?;
    Ok(out)
}

fn indexes(handle: &ReadOnly, table: &str) -> Result<Vec<Index>> {
    let listed = introspect::indexes(handle, table)?.into_iter();
    listed
        .map(|listed| index(handle, lossy(&listed.name), listed.is_unique, listed.is_partial))
        .collect()
}

fn index(handle: &ReadOnly, name: String, unique: bool, partial: bool) -> Result<Index> {
    /// The number that SQLite gives an expression among the columns of an index.
    const EXPRESSION: i64 = -2;
    let columns = introspect::index_columns(handle, &name)?.into_iter().filter(|column| column.is_in_key);
    let columns: Vec<(bool, String, String, bool)> = columns
        .map(|column| {
            let name = lower(&column.name.unwrap_or_default());
            (column.number == EXPRESSION, name, lower(&column.collation), column.is_descending)
        })
        .collect();
    let computed = columns.iter().any(|(expression, ..)| *expression);
    let text = if partial || computed {
        definition::index(&index_sql(handle, &name)?)
    } else {
        definition::IndexText::default()
    };
    let columns = columns
        .into_iter()
        .enumerate()
        .map(|(at, (expression, column, collation, descending))| {
            let column = if expression {
                text.columns.get(at).cloned().unwrap_or_default()
            } else {
                column
            };
            (column, collation, descending)
        })
        .collect();
    Ok(Index {
        unique,
        columns,
        filter: partial.then(|| text.filter.unwrap_or_default()),
        computed,
        name: IgnoredName(name),
    })
}

/// Returns an index's definition; empty where it is too long to be real.
fn index_sql(handle: &ReadOnly, name: &str) -> Result<String> {
    let sql = format!(
        "SELECT iif(octet_length(sql) > {LONGEST_SQL}, NULL, sql) FROM sqlite_schema WHERE type = 'index' AND name = ?1 LIMIT 1"
    );
    Ok(handle.collect(&sql, [name], |row| text(row, 0))?.pop().unwrap_or_default())
}

fn foreign_keys(handle: &ReadOnly, table: &str) -> Result<Vec<ForeignKey>> {
    let listed = introspect::foreign_keys(handle, table)?.into_iter();
    let mut keys: Vec<ForeignKey> = listed
        .map(|key| ForeignKey {
            columns: key.columns.iter().map(|(from, to)| (lower(from), lower(to))).collect(),
            parent: lower(&key.parent),
            on_update: lower(&key.on_update),
            on_delete: lower(&key.on_delete),
        })
        .collect();
    for key in &mut keys {
        if key.columns.iter().any(|(_, to)| to.is_empty()) {
            name_parent_key(handle, key)?;
        }
        key.columns.sort();
    }
    Ok(keys)
}

/// Writes out the primary key that `REFERENCES parent`, without columns, refers to.
fn name_parent_key(handle: &ReadOnly, key: &mut ForeignKey) -> Result<()> {
    let mut parent: Vec<(i64, String)> = columns(handle, &key.parent)?
        .into_iter()
        .filter(|(_, column)| column.key > 0)
        .map(|(name, column)| (column.key, name))
        .collect();
    parent.sort();
    for ((_, to), (_, name)) in key.columns.iter_mut().zip(parent) {
        *to = name;
    }
    Ok(())
}
