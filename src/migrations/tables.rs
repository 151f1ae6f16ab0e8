//! The tables of a store, and names in SQL.

use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::store::ReadOnly;
use crate::text::words::cut;

/// How many bytes the names of a store's tables may take together. SQLite's own bound on memory lets no real schema have more.
const MOST_NAMES: usize = 8 << 20;

/// A table that the schema names.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// Its name; `None` where it is not UTF-8, and cannot be written in a statement of ours.
    pub name: Option<String>,
    /// Whether a module keeps it, and it has no pages of its own.
    pub is_virtual: bool,
}

/// Every table of a store in the schema's order, SQLite's own among them.
///
/// # Errors
/// What SQLite says; and that there is no memory for a stranger's names.
pub(crate) fn all(handle: &ReadOnly) -> Result<Vec<Named>> {
    let sql = "SELECT name, ifnull(rootpage, 0) = 0 FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
    let mut bytes = 0;
    let mut out = Vec::new();
    handle.rows(sql, [], |row| {
        let read = || -> rusqlite::Result<Named> {
            let name = row.get_ref(0)?.as_bytes_or_null()?.unwrap_or_default();
            Ok(Named {
                name: std::str::from_utf8(name).ok().map(str::to_owned),
                is_virtual: row.get(1)?,
            })
        };
        let named = read().map_err(Error::sqlite(sql))?;
        bytes += named.name.as_ref().map_or(0, String::len);
        if bytes > MOST_NAMES {
            return Err(Error::out_of_memory(sql));
        }
        out.push(named);
        Ok(())
    })?;
    Ok(out)
}

/// The ordinary tables of a store: no views, no virtual tables, none of SQLite's own.
#[derive(Debug, Default)]
pub(crate) struct Ordinary {
    /// Their names, in the schema's order.
    pub names: Vec<String>,
    /// How many more there are, whose names are not UTF-8.
    pub passed_over: u64,
}

/// The ordinary tables of a store.
///
/// # Errors
/// As [`all`].
pub(crate) fn ordinary(handle: &ReadOnly) -> Result<Ordinary> {
    let mut out = Ordinary::default();
    for table in all(handle)?.into_iter().filter(|table| !table.is_virtual) {
        match table.name {
            Some(name) if name.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("sqlite_")) => {}
            Some(name) => out.names.push(name),
            None => out.passed_over += 1,
        }
    }
    Ok(out)
}

/// The columns of an ordinary table.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// Their names in lower case, without hidden and generated ones; none where there is no such table.
    pub names: Vec<String>,
    /// How the number of a row is called; `None` in a table WITHOUT ROWID.
    pub rowid: Option<&'static str>,
    /// Whether there are generated or hidden ones beside these.
    pub has_generated: bool,
}

impl Columns {
    /// Whether there is an ordinary column of this name, which is in lower case.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|column| column == name)
    }

    /// What stands for the number of a row in a SELECT.
    pub(crate) fn rowid_or_null(&self) -> &'static str {
        self.rowid.unwrap_or("NULL")
    }
}

/// The columns of an ordinary table.
///
/// # Errors
/// What SQLite says.
pub(crate) fn columns(handle: &ReadOnly, table: &str) -> Result<Columns> {
    // A view or a virtual table of that name is not the application's.
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
    if handle.collect(sql, [table], |_| Ok(()))?.is_empty() {
        return Ok(Columns::default());
    }
    let sql = format!("PRAGMA table_xinfo({})", quoted(table));
    let all = handle.collect(&sql, [], |row| {
        let name = row.get_ref("name")?.as_bytes_or_null()?.unwrap_or_default();
        let name = cut(&String::from_utf8_lossy(name), LONGEST_NAME).to_ascii_lowercase();
        Ok((name, row.get::<_, i64>("hidden")?))
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
    Ok(Columns {
        names: ordinary.map(|(name, _)| name).collect(),
        rowid,
        has_generated,
    })
}

/// Whether the rows of a table have numbers. One WITHOUT ROWID always has an index, and none of its indexes ends with such a
/// number. Not with `PRAGMA table_list`, which compiles each view of the schema.
fn has_rowid(handle: &ReadOnly, table: &str) -> Result<bool> {
    let mut indexes =
        handle.collect(&format!("PRAGMA index_list({})", quoted(table)), [], |row| row.get::<_, String>("name"))?;
    let Some(index) = indexes.pop() else {
        return Ok(true);
    };
    let columns =
        handle.collect(&format!("PRAGMA index_xinfo({})", quoted(&index)), [], |row| row.get::<_, i64>("cid"))?;
    Ok(columns.contains(&-1))
}

/// A name as SQL takes it, in quotes only where it needs them: in statements that a report may quote. No keyword of SQL's holds an
/// underscore but `CURRENT_DATE` and its like.
pub(crate) fn identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if name.contains('_') && name.chars().all(is_plain) && !name.starts_with("current_") {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A name as SQL takes it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
