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

/// A name as SQL takes it, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
