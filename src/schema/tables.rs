//! The tables of a store, and names in SQL.

use crate::error::Result;
use crate::store::ReadOnly;

/// Asks for the names of ordinary tables.
pub(crate) const ORDINARY: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid";

/// The names of a store's ordinary tables: no views, no virtual tables, none of SQLite's own. In the schema's order.
///
/// # Errors
/// What SQLite says.
pub fn ordinary(handle: &ReadOnly) -> Result<Vec<String>> {
    handle.collect(ORDINARY, [], |row| row.get(0))
}

/// The columns of an ordinary table, in lower case, without hidden and generated ones; none where there is no such table.
///
/// # Errors
/// What SQLite says.
pub fn columns(handle: &ReadOnly, table: &str) -> Result<Vec<String>> {
    // A view or a virtual table of that name is not banger's.
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
    if handle.collect(sql, [table], |_| Ok(()))?.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("PRAGMA table_xinfo({})", quoted(table));
    let all = handle.collect(&sql, [], |row| Ok((row.get::<_, String>("name")?, row.get::<_, i64>("hidden")?)))?;
    Ok(all
        .into_iter()
        .filter(|(_, hidden)| *hidden == 0)
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect())
}

/// A name as SQL takes it, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
