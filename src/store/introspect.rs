//! Questions about the schema of a store, put to SQLite: tables, columns, indexes, foreign keys, definitions.
//!
//! Names in a schema need not be UTF-8, so they are handed out as bytes. A statement is UTF-8: what bears another name cannot be
//! asked for, and is counted instead.
//!
//! `PRAGMA table_list` is never used: it compiles each view of the schema, and the views of an untrusted store can take for ever.

use rusqlite::{Connection, Params, Row};

use super::ReadOnly;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::text::words::cut;

/// The size in bytes that the names of a store's tables may have together. SQLite's own bound on memory lets no real schema have
/// more.
const MOST_NAMES: usize = 8 << 20;

/// The longest definition that is read from an untrusted store, in bytes. Real ones are far below it; each costs memory.
pub(crate) const LONGEST_DEFINITION: usize = 64 << 10;

/// A connection that answers questions about its schema.
pub(crate) trait Query {
    /// The prefix that makes a pragma ask about the store itself. A copy that migrations ran on may have temporary tables, which
    /// hide those of the store.
    const PREFIX: &'static str;

    /// Runs a query and hands out each row.
    ///
    /// # Errors
    /// Fails with SQLite's error, or the one that `each` returns.
    fn each_row(&self, sql: &str, params: impl Params, each: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()>;
}

impl Query for ReadOnly {
    const PREFIX: &'static str = "";

    fn each_row(&self, sql: &str, params: impl Params, each: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        self.rows(sql, params, each)
    }
}

impl Query for Connection {
    const PREFIX: &'static str = "main.";

    fn each_row(&self, sql: &str, params: impl Params, mut each: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let mut statement = self.prepare(sql).map_err(Error::preparing(sql))?;
        let mut rows = statement.query(params).map_err(Error::sqlite(sql))?;
        while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
            each(row)?;
        }
        Ok(())
    }
}

/// Returns the bytes of a text in a row; none for NULL.
fn bytes<'r>(row: &'r Row<'_>, column: &str) -> rusqlite::Result<&'r [u8]> {
    Ok(row.get_ref(column)?.as_bytes_or_null()?.unwrap_or_default())
}

/// A table that the schema names.
#[derive(Debug, Clone)]
pub(crate) struct NamedTable {
    /// Its name; `None` when it is not UTF-8 and cannot be written in a statement.
    pub name: Option<String>,
    /// True for a virtual table, which a module keeps and which has no pages of its own.
    pub is_virtual: bool,
}

impl NamedTable {
    /// Returns the name, when this is an ordinary table: not virtual and not one of SQLite's own.
    pub(crate) fn into_ordinary(self) -> Option<String> {
        self.name.filter(|name| !self.is_virtual && !is_sqlites_own(name.as_bytes()))
    }
}

/// Returns true for a name that SQLite keeps for its own tables and indexes.
pub(crate) fn is_sqlites_own(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case(b"sqlite_"))
}

/// Returns every table of a store in the schema's order, SQLite's own among them.
///
/// # Errors
/// Fails with SQLite's error; out of memory when the names are longer than [`MOST_NAMES`] together.
pub(crate) fn tables<Q: Query>(source: &Q) -> Result<Vec<NamedTable>> {
    let sql = "SELECT name, ifnull(rootpage, 0) = 0 FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
    let mut bytes = 0;
    let mut tables = Vec::new();
    source.each_row(sql, [], |row| {
        let read = || -> rusqlite::Result<NamedTable> {
            let name = row.get_ref(0)?.as_bytes_or_null()?.unwrap_or_default();
            Ok(NamedTable {
                name: std::str::from_utf8(name).ok().map(str::to_owned),
                is_virtual: row.get(1)?,
            })
        };
        let table = read().map_err(Error::sqlite(sql))?;
        bytes += table.name.as_ref().map_or(0, String::len);
        if bytes > MOST_NAMES {
            return Err(Error::out_of_memory(sql));
        }
        tables.push(table);
        Ok(())
    })?;
    Ok(tables)
}

/// The ordinary tables of a store: no views, no virtual tables, none of SQLite's own.
#[derive(Debug, Default)]
pub(crate) struct OrdinaryTables {
    /// Their names, in the schema's order.
    pub names: Vec<String>,
    /// The number of further ones, whose names are not UTF-8.
    pub passed_over: u64,
}

/// Returns the ordinary tables of a store.
///
/// # Errors
/// Fails as [`tables`].
pub(crate) fn ordinary_tables<Q: Query>(source: &Q) -> Result<OrdinaryTables> {
    let mut out = OrdinaryTables::default();
    for table in tables(source)? {
        out.passed_over += u64::from(!table.is_virtual && table.name.is_none());
        out.names.extend(table.into_ordinary());
    }
    Ok(out)
}

/// An object that the schema names: a row of `sqlite_schema`.
#[derive(Debug)]
pub(crate) struct SchemaObject<'r> {
    pub kind: ObjectKind,
    pub name: &'r [u8],
    /// Its definition; `None` when it has none, or one that is too long to be read.
    pub sql: Option<&'r [u8]>,
    /// True when the definition is longer than is read.
    pub is_too_long: bool,
}

/// The kind of an object of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Table,
    VirtualTable,
    View,
    Trigger,
    Index,
}

/// Hands out every object that the schema names, in its order, with definitions of at most `longest` bytes. Objects of an unknown
/// kind are left out.
///
/// # Errors
/// Fails with SQLite's error, or the one that `each` returns.
pub(crate) fn each_object<Q: Query>(
    source: &Q,
    longest: usize,
    mut each: impl FnMut(SchemaObject<'_>) -> Result<()>,
) -> Result<()> {
    let sql = format!(
        "SELECT type, name, ifnull(rootpage, 0) = 0 AS is_virtual,
                ifnull(octet_length(sql) > {longest}, 0) AS is_too_long,
                iif(octet_length(sql) > {longest}, NULL, sql) AS sql
         FROM sqlite_schema"
    );
    source.each_row(&sql, [], |row| {
        let read = || -> rusqlite::Result<Option<SchemaObject<'_>>> {
            // By their places: a name would be looked up for each row.
            let text = |at: usize| -> rusqlite::Result<Option<&[u8]>> { Ok(row.get_ref(at)?.as_bytes_or_null()?) };
            let kind = match text(0)?.unwrap_or_default() {
                b"table" if row.get(2)? => ObjectKind::VirtualTable,
                b"table" => ObjectKind::Table,
                b"view" => ObjectKind::View,
                b"trigger" => ObjectKind::Trigger,
                b"index" => ObjectKind::Index,
                _ => return Ok(None),
            };
            Ok(Some(SchemaObject {
                kind,
                name: text(1)?.unwrap_or_default(),
                sql: text(4)?,
                is_too_long: row.get(3)?,
            }))
        };
        read().map_err(Error::sqlite(&sql))?.map_or(Ok(()), &mut each)
    })
}

/// A column of a table, as `PRAGMA table_xinfo` has it.
#[derive(Debug)]
pub(crate) struct ColumnInfo<'r> {
    pub name: &'r [u8],
    /// Its type as it is declared.
    pub declared: &'r [u8],
    pub is_not_null: bool,
    /// The SQL of its default value.
    pub default: Option<&'r [u8]>,
    /// Its position in the primary key, counted from 1; 0 when it is no part of it.
    pub key_position: i64,
    /// 0 for an ordinary column, 1 hidden, 2 computed when read, 3 computed when written.
    pub hidden: i64,
}

/// Hands out the columns of a table, hidden and generated ones among them; none when there is no such table.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn each_column<Q: Query>(source: &Q, table: &str, mut each: impl FnMut(ColumnInfo<'_>)) -> Result<()> {
    let sql = format!("PRAGMA {}table_xinfo({})", Q::PREFIX, quoted(table));
    source.each_row(&sql, [], |row| {
        let read = || -> rusqlite::Result<ColumnInfo<'_>> {
            Ok(ColumnInfo {
                name: bytes(row, "name")?,
                declared: bytes(row, "type")?,
                is_not_null: row.get("notnull")?,
                default: row.get_ref("dflt_value")?.as_bytes_or_null()?,
                key_position: row.get("pk")?,
                hidden: row.get("hidden")?,
            })
        };
        each(read().map_err(Error::sqlite(&sql))?);
        Ok(())
    })
}

/// The columns of an ordinary table by which its rows are read.
#[derive(Debug, Default)]
pub(crate) struct OrdinaryColumns {
    /// Their names in lower case, without hidden and generated ones; none when there is no such table.
    pub names: Vec<String>,
    /// The name of the rowid; `None` in a table WITHOUT ROWID.
    pub rowid: Option<&'static str>,
    /// True when there are generated or hidden ones beside these.
    pub has_generated: bool,
}

impl OrdinaryColumns {
    /// Returns true when there is an ordinary column of this name, which is in lower case.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|column| column == name)
    }

    /// Returns the expression for the rowid in a SELECT: `NULL` in a table WITHOUT ROWID.
    pub(crate) fn rowid_or_null(&self) -> &'static str {
        self.rowid.unwrap_or("NULL")
    }
}

/// The number of columns of one table that are asked for at once: SQLite takes 2,000 in a statement, and a long value takes three.
pub(crate) const MOST_COLUMNS_ASKED: usize = 600;

/// Returns true if this is a column's own name: one that was cut or mended is not.
pub(crate) fn can_be_asked_for(name: &str) -> bool {
    name.chars().count() < LONGEST_NAME && !name.contains(char::REPLACEMENT_CHARACTER)
}

/// Returns the columns of an ordinary table. A view or a virtual table of that name is not the application's and has none.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn ordinary_columns(handle: &ReadOnly, table: &str) -> Result<OrdinaryColumns> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
    if handle.collect(sql, [table], |_| Ok(()))?.is_empty() {
        return Ok(OrdinaryColumns::default());
    }
    columns_of_ordinary(handle, table)
}

/// Returns the columns of a table that is known to be an ordinary one. It does not search the schema for it, so that to ask for
/// each table takes no longer the more there are.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn columns_of_ordinary(handle: &ReadOnly, table: &str) -> Result<OrdinaryColumns> {
    let mut all = Vec::new();
    each_column(handle, table, |column| {
        let name = cut(&String::from_utf8_lossy(column.name), LONGEST_NAME).to_ascii_lowercase();
        all.push((name, column.hidden));
    })?;
    let rowid = if has_rowid(handle, table)? {
        // A column may have taken one of these names for itself.
        let is_free = |name: &&str| all.iter().all(|(column, _)| column != name);
        ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
    } else {
        None
    };
    let has_generated = all.iter().any(|(_, hidden)| *hidden != 0);
    let ordinary = all.into_iter().filter(|(_, hidden)| *hidden == 0);
    Ok(OrdinaryColumns {
        names: ordinary.map(|(name, _)| name).collect(),
        rowid,
        has_generated,
    })
}

/// Returns true when the rows of a table have rowids. A table WITHOUT ROWID always has the index of its primary key, to which
/// SQLite gives a name made of the table's, and none of its indexes ends with a rowid, which has the number -1 among the
/// columns. So any index whose name can be written tells.
fn has_rowid(handle: &ReadOnly, table: &str) -> Result<bool> {
    let indexes = indexes(handle, table)?;
    let Some(index) = indexes.iter().rev().find_map(|index| std::str::from_utf8(&index.name).ok()) else {
        return Ok(true);
    };
    Ok(index_columns(handle, index)?.iter().any(|column| column.number == -1))
}

/// An index of a table, as `PRAGMA index_list` has it.
#[derive(Debug)]
pub(crate) struct IndexInfo {
    pub name: Vec<u8>,
    pub is_unique: bool,
    /// True when a WHERE clause says which rows it covers.
    pub is_partial: bool,
    /// True for the index of a primary key.
    pub is_of_primary_key: bool,
}

/// Returns the indexes of a table.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn indexes<Q: Query>(source: &Q, table: &str) -> Result<Vec<IndexInfo>> {
    let sql = format!("PRAGMA {}index_list({})", Q::PREFIX, quoted(table));
    let read = |row: &Row<'_>| -> rusqlite::Result<IndexInfo> {
        Ok(IndexInfo {
            name: bytes(row, "name")?.to_vec(),
            is_unique: row.get("unique")?,
            is_partial: row.get("partial")?,
            is_of_primary_key: bytes(row, "origin")? == b"pk",
        })
    };
    collect(source, &sql, read)
}

/// A column of an index, as `PRAGMA index_xinfo` has it.
#[derive(Debug)]
pub(crate) struct IndexColumn {
    /// The number of the table's column; -1 for the rowid, -2 for an expression.
    pub number: i64,
    /// The name of the table's column; `None` for the rowid and for an expression.
    pub name: Option<Vec<u8>>,
    pub collation: Vec<u8>,
    pub is_descending: bool,
    /// False for what only leads from the index to the row.
    pub is_in_key: bool,
}

/// Returns the columns of an index in their order; none when there is no such index.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn index_columns<Q: Query>(source: &Q, index: &str) -> Result<Vec<IndexColumn>> {
    let sql = format!("PRAGMA {}index_xinfo({})", Q::PREFIX, quoted(index));
    let read = |row: &Row<'_>| -> rusqlite::Result<IndexColumn> {
        Ok(IndexColumn {
            number: row.get("cid")?,
            name: row.get_ref("name")?.as_bytes_or_null()?.map(<[u8]>::to_vec),
            collation: bytes(row, "coll")?.to_vec(),
            is_descending: row.get("desc")?,
            is_in_key: row.get("key")?,
        })
    };
    collect(source, &sql, read)
}

/// A foreign key of a table, as `PRAGMA foreign_key_list` has it.
#[derive(Debug)]
pub(crate) struct ForeignKeyInfo {
    /// Its number, by which `PRAGMA foreign_key_check` names it.
    pub id: i64,
    pub parent: Vec<u8>,
    /// The referring columns, each with the one that it refers to; that one is empty when the key names the parent alone.
    pub columns: Vec<(Vec<u8>, Vec<u8>)>,
    pub on_update: Vec<u8>,
    pub on_delete: Vec<u8>,
}

/// Returns the foreign keys of a table by their numbers.
///
/// # Errors
/// Fails with SQLite's error.
pub(crate) fn foreign_keys<Q: Query>(source: &Q, table: &str) -> Result<Vec<ForeignKeyInfo>> {
    let sql = format!("PRAGMA {}foreign_key_list({})", Q::PREFIX, quoted(table));
    let mut keys: Vec<ForeignKeyInfo> = Vec::new();
    source.each_row(&sql, [], |row| {
        let mut read = || -> rusqlite::Result<()> {
            let id = row.get("id")?;
            let columns = (bytes(row, "from")?.to_vec(), bytes(row, "to")?.to_vec());
            // SQLite hands them out key by key.
            match keys.last_mut().filter(|last| last.id == id) {
                Some(key) => key.columns.push(columns),
                None => keys.push(ForeignKeyInfo {
                    id,
                    parent: bytes(row, "table")?.to_vec(),
                    columns: vec![columns],
                    on_update: bytes(row, "on_update")?.to_vec(),
                    on_delete: bytes(row, "on_delete")?.to_vec(),
                }),
            }
            Ok(())
        };
        read().map_err(Error::sqlite(&sql))
    })?;
    Ok(keys)
}

/// Runs a query and collects what `read` makes of its rows.
fn collect<Q: Query, T>(source: &Q, sql: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
    let mut out = Vec::new();
    source.each_row(sql, [], |row| {
        out.push(read(row).map_err(Error::sqlite(sql))?);
        Ok(())
    })?;
    Ok(out)
}

/// Returns a name as SQL takes it, in quotes only where it needs them: for statements that a report may quote. No keyword of SQL's
/// holds an underscore but `CURRENT_DATE` and its like.
pub(crate) fn identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if name.contains('_') && name.chars().all(is_plain) && !name.starts_with("current_") {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Returns a name as SQL takes it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
