//! Which tables of a copy refer to which: there it matters whether foreign keys hold.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::error::{Error, Result};

/// The references between tables.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Those that refer to a table, whose name is in lower case.
    to: BTreeMap<String, Vec<Reference>>,
}

/// A column that refers to a table.
#[derive(Debug)]
struct Reference {
    /// The table that refers, as it is written.
    child: String,
    /// The first column that does.
    column: String,
    /// The table to which it refers.
    parent: String,
}

impl References {
    /// Reads them from the schema of the store itself.
    pub(super) fn of(conn: &Connection) -> Result<Self> {
        let sql = "SELECT child.name, key.\"table\", key.\"from\"
                   FROM main.sqlite_schema AS child, pragma_foreign_key_list(child.name, 'main') AS key
                   WHERE child.type = 'table' AND child.rootpage > 0 AND key.seq = 0";
        let mut out = Self::default();
        let mut statement = conn.prepare(sql).map_err(Error::preparing(sql))?;
        let mut rows = statement.query([]).map_err(Error::sqlite(sql))?;
        while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
            let text = |column| row.get_ref(column).ok().and_then(|text| text.as_str().ok()).map(str::to_owned);
            // A name that is not UTF-8 cannot be written in a statement of ours.
            if let (Some(child), Some(parent), Some(column)) = (text(0), text(1), text(2)) {
                out.to
                    .entry(parent.to_ascii_lowercase())
                    .or_default()
                    .push(Reference { child, column, parent });
            }
        }
        Ok(out)
    }

    /// Returns the tables that refer to this one, and those that refer to them; the table itself is none of them.
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

    /// Returns the table to which a column refers.
    pub(super) fn parent(&self, child: &str, column: &str) -> Option<String> {
        let is_it = |reference: &&Reference| {
            reference.child.eq_ignore_ascii_case(child) && reference.column.eq_ignore_ascii_case(column)
        };
        self.to.values().flatten().find(is_it).map(|reference| reference.parent.clone())
    }

    /// Returns true if one of these tables, whose names are in lower case, refers to another or is referred to.
    pub(super) fn touch(&self, tables: &BTreeSet<String>) -> bool {
        self.to.iter().any(|(parent, references)| {
            tables.contains(parent)
                || references.iter().any(|reference| tables.contains(&reference.child.to_ascii_lowercase()))
        })
    }
}
