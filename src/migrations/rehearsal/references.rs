//! Which tables of a copy refer to which: there it matters whether foreign keys hold.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::error::Result;
use crate::store::introspect;

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
        let mut out = Self::default();
        // A name that is not UTF-8 cannot be written in a statement of ours.
        let text = |name: &[u8]| std::str::from_utf8(name).ok().map(str::to_owned);
        // No table of the store can hide a pragma, as it can hide the function of that name.
        let ordinary = introspect::tables(conn)?.into_iter().filter(|table| !table.is_virtual);
        for child in ordinary.filter_map(|table| table.name) {
            for key in introspect::foreign_keys(conn, &child)? {
                let column = key.columns.first().and_then(|(from, _)| text(from));
                if let (Some(parent), Some(column)) = (text(&key.parent), column) {
                    let child = child.clone();
                    let of_parent = out.to.entry(parent.to_ascii_lowercase()).or_default();
                    of_parent.push(Reference { child, column, parent });
                }
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
