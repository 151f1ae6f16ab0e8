//! Which tables of a copy refer to which, and what happens to those that refer when the others' rows go.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::schema::tables::quoted;

/// The references between tables.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Those that refer to a table, whose name is in lower case.
    to: BTreeMap<String, Vec<Reference>>,
}

/// A column that refers to a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    /// The table that refers, as it is written.
    pub(super) child: String,
    /// The first column that does.
    pub(super) column: String,
    /// What happens to it, as SQLite says: `CASCADE`, `SET NULL`, …
    on_delete: String,
    /// The table to which it refers.
    pub(super) parent: String,
}

impl Reference {
    /// How many rows refer to anything by it; `None` where there is no such column any more.
    pub(super) fn count(&self, conn: &Connection) -> Result<Option<u64>> {
        let there = "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name = ?2";
        let there: i64 = conn
            .query_row(there, (&self.child, &self.column), |row| row.get(0))
            .map_err(Error::sqlite(there))?;
        if there == 0 {
            return Ok(None);
        }
        let sql = format!("SELECT count({}) FROM main.{} NOT INDEXED", quoted(&self.column), quoted(&self.child));
        let count: i64 = conn.query_row(&sql, [], |row| row.get(0)).map_err(Error::sqlite(&sql))?;
        Ok(Some(u64::try_from(count).unwrap_or(0)))
    }
}

impl References {
    /// Reads them from the schema of the store itself.
    pub(super) fn of(conn: &Connection) -> Result<Self> {
        let sql = "SELECT child.name, key.\"table\", key.\"from\", key.on_delete
                   FROM main.sqlite_schema AS child, pragma_foreign_key_list(child.name, 'main') AS key
                   WHERE child.type = 'table' AND child.rootpage > 0 AND key.seq = 0";
        let mut out = Self::default();
        let mut statement = conn.prepare(sql).map_err(Error::preparing(sql))?;
        let mut rows = statement.query([]).map_err(Error::sqlite(sql))?;
        while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
            let text = |column| row.get_ref(column).ok().and_then(|text| text.as_str().ok()).map(str::to_owned);
            // A name that is not UTF-8 cannot be written in a statement of ours.
            if let (Some(child), Some(parent), Some(column), Some(on_delete)) = (text(0), text(1), text(2), text(3)) {
                out.to.entry(parent.to_ascii_lowercase()).or_default().push(Reference {
                    child,
                    column,
                    on_delete,
                    parent,
                });
            }
        }
        Ok(out)
    }

    /// The tables that refer to this one, and those that refer to them; the table itself is none of them.
    pub(super) fn descendants(&self, table: &str) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut next = vec![table.to_ascii_lowercase()];
        while let Some(parent) = next.pop() {
            for reference in self.to.get(&parent).into_iter().flatten() {
                if !reference.child.eq_ignore_ascii_case(table) && out.insert(reference.child.clone()) {
                    next.push(reference.child.to_ascii_lowercase());
                }
            }
        }
        out
    }

    /// The columns that SQLite empties where rows of this table, or of those that refer to it, go.
    pub(super) fn emptied_with(&self, table: &str) -> BTreeSet<Reference> {
        let parents = self.descendants(table).into_iter().map(|child| child.to_ascii_lowercase());
        let to = parents
            .chain([table.to_ascii_lowercase()])
            .filter_map(|parent| self.to.get(&parent))
            .flatten();
        to.filter(|reference| reference.on_delete == "SET NULL" && !reference.child.eq_ignore_ascii_case(table))
            .cloned()
            .collect()
    }
}
