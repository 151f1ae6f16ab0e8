//! The ledgers in a store: looked for and read through a handle, in bounds.

use crate::error::{Error, Result};
use crate::migrations::dialects::Dialect;
use crate::migrations::ledger::{self, Applied, Malformed, Row, Rows, Value};
use crate::migrations::recognise::{Column, Layout, Recognised, Table, Tool, recognise};
use crate::store::ReadOnly;
use crate::store::integrity::check_pages;
use crate::store::introspect::{self, quoted};

/// The most columns that a ledger has, and more than any tool's.
const MOST_COLUMNS: usize = 32;

/// The longest name or declared type of a column that is told apart from others, in bytes: longer than any tool's.
const LONGEST_WORD: usize = 64;

/// How many tables that are ledgers are kept. An application has one, or two.
const MOST_LEDGERS: usize = 100;

/// How many bytes the values that are read from a ledger may take together.
const MOST_BYTES: usize = 2 << 20;

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) rows: u64,
    /// Whether there are more.
    pub(crate) or_more: bool,
}

/// The tables that are tools' ledgers, the likeliest first: one under its tool's own name, in the order of the tools.
///
/// # Errors
/// What SQLite says.
pub(crate) fn ledgers(handle: &ReadOnly) -> Result<Vec<Recognised>> {
    ledgers_for(handle, &[])
}

/// The same, where the store is likely to have a ledger of one of these tools.
///
/// # Errors
/// What SQLite says.
pub(super) fn ledgers_for(handle: &ReadOnly, likely: &[&Dialect]) -> Result<Vec<Recognised>> {
    let mut found = Vec::new();
    for name in introspect::ordinary_tables(handle)?.names {
        let columns = columns(handle, &name)?;
        if columns.len() <= MOST_COLUMNS {
            found.extend(recognise(&Table { name, columns }, likely));
        }
        if found.len() == MOST_LEDGERS {
            break;
        }
    }
    // The sort is stable: of equals, the one that stands first in the store.
    found.sort_by_key(Recognised::rank);
    Ok(found)
}

/// The ordinary table of this name, and whose ledger it is.
///
/// # Errors
/// What SQLite says.
pub(super) fn table(handle: &ReadOnly, name: &str) -> Result<Option<(Table, Option<Tool>)>> {
    let names = introspect::ordinary_tables(handle)?.names;
    let Some(name) = names.into_iter().find(|other| other.eq_ignore_ascii_case(name)) else {
        return Ok(None);
    };
    let columns = columns(handle, &name)?;
    let table = Table { name, columns };
    let whose = recognise(&table, &[]).map(|recognised| recognised.tool);
    Ok(Some((table, whose)))
}

/// The columns of a table, as many as a ledger may have and one more.
fn columns(handle: &ReadOnly, table: &str) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    let sql = format!("PRAGMA table_xinfo({})", quoted(table));
    handle.rows(&sql, [], |row| {
        let word = |name: &str| -> rusqlite::Result<String> {
            let bytes = row.get_ref(name)?.as_bytes_or_null()?.unwrap_or_default();
            let known = std::str::from_utf8(bytes).ok().filter(|word| word.len() <= LONGEST_WORD);
            // No tool's column is called by this, nor has this type.
            Ok(known.unwrap_or("?").to_owned())
        };
        let get = || -> rusqlite::Result<Column> {
            Ok(Column {
                name: word("name")?,
                declared: word("type")?,
                not_null: row.get("notnull")?,
                is_key: row.get::<_, i64>("pk")? > 0,
                is_generated: row.get::<_, i64>("hidden")? != 0,
            })
        };
        if columns.len() <= MOST_COLUMNS {
            columns.push(get().map_err(Error::sqlite(&sql))?);
        }
        Ok(())
    })?;
    Ok(columns)
}

/// What the ledger of a tool that is understood says, or why it says nothing.
///
/// # Errors
/// What SQLite says, and that the ledger's own pages are damaged.
pub(crate) fn applied(
    handle: &ReadOnly,
    dialect: &Dialect,
    layout: Layout,
    table: &str,
) -> Result<std::result::Result<Applied, Malformed>> {
    match check_pages(handle, table) {
        // What SQLite cannot check is read as it is: a constraint may call a function that is not here.
        Err(error) if error.is_own_bound() || error.is_damage() || error.is_io() => return Err(error),
        _ => {}
    }
    let rows = match rows(handle, &layout.0.select(table)) {
        Err(error) if is_refused(&error) => return Ok(Err(Malformed::whole(error.said_by_sqlite()))),
        rows => rows?,
    };
    Ok(rows.and_then(|rows| (dialect.reader)(&Rows::new(layout.0, &rows))))
}

/// The rows that a statement gives, in bounds.
fn rows(handle: &ReadOnly, sql: &str) -> Result<std::result::Result<Vec<Row>, Malformed>> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    handle.rows(sql, [], |row| {
        let columns = row.as_ref().column_count();
        let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|at| row.get_ref(at).map(Value::from)).collect();
        let values = values.map_err(Error::sqlite(sql))?;
        bytes += values.iter().map(Value::bytes).sum::<usize>();
        if bytes <= MOST_BYTES {
            rows.push(values);
        }
        Ok(())
    })?;
    if rows.len() > ledger::MOST_ROWS || bytes > MOST_BYTES {
        return Ok(Err(Malformed::whole("it is larger than any ledger is")));
    }
    Ok(Ok(rows))
}

/// How many rows a table has, as far as anybody counts; `None` where SQLite refuses to read it.
///
/// # Errors
/// What SQLite says.
pub(crate) fn count(handle: &ReadOnly, table: &str) -> Result<Option<Count>> {
    const MOST: u64 = 100_000;
    let sql = format!("SELECT 1 FROM {} NOT INDEXED LIMIT {}", quoted(table), MOST + 1);
    let mut rows = 0;
    let ended = handle.rows(&sql, [], |_| {
        rows += 1;
        Ok(())
    });
    match ended {
        Err(error) if is_refused(&error) => Ok(None),
        ended => ended.map(|()| {
            Some(Count {
                rows: rows.min(MOST),
                or_more: rows > MOST,
            })
        }),
    }
}

/// Whether SQLite reads no row of a table: one WITHOUT ROWID in the order of a collation that only the application has.
fn is_refused(error: &Error) -> bool {
    error.is_refusal() && error.is_while_preparing()
}
