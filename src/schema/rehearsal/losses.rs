//! Where rows go while a tool's migrations run: which migration has fewer afterwards, and what a dropped table takes along.
//!
//! To drop a table deletes its rows first, and where foreign keys hold, that cascades into the tables that refer to it: nobody
//! wrote a statement that deletes those. So their rows are counted around each such statement, and after each migration those of the
//! tables that it may have deleted from.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::verify::{Counts, count_rows};
use crate::error::{Error, Result};
use crate::finding::LONGEST_NAME;
use crate::schema::tool::Watch;
use crate::words::cut;

/// Rows that a migration, by its position, left fewer in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fewer {
    pub(super) table: String,
    pub(super) step: usize,
    pub(super) rows: u64,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How many rows each table had when it was last counted.
    last: Counts,
    /// The same of the tables that refer to one that is about to be dropped.
    before_drop: BTreeMap<String, u64>,
    /// What went with a dropped table, from the tables that refer to it.
    pub(super) cascaded: Vec<Fewer>,
    /// What each migration left fewer.
    pub(super) fewer: Vec<Fewer>,
    /// The names of the tables that were dropped.
    pub(super) dropped: BTreeSet<String>,
    /// Whether one of them was referred to by another table.
    pub(super) drops_referenced: bool,
}

impl Losses {
    /// Of tables that have so many rows now.
    pub(super) fn of(counts: &Counts) -> Self {
        Self {
            last: counts.clone(),
            ..Self::default()
        }
    }
}

impl Watch for Losses {
    fn drops(&mut self, conn: &Connection, _: usize, tables: &[String]) -> Result<()> {
        let references = References::of(conn).map_err(not_rehearsed)?;
        for table in tables {
            self.dropped.insert(cut(table, LONGEST_NAME));
            for child in references.descendants(table) {
                self.drops_referenced = true;
                let rows = count_rows(conn, &child).map_err(not_rehearsed)?;
                self.before_drop.insert(child, rows);
            }
        }
        Ok(())
    }

    fn dropped(&mut self, conn: &Connection, step: usize) -> Result<()> {
        for (table, before) in std::mem::take(&mut self.before_drop) {
            // A table may refer to another one that is dropped by the same statement: a virtual table's.
            if !exists(conn, &table)? {
                continue;
            }
            let now = count_rows(conn, &table).map_err(not_rehearsed)?;
            push(&mut self.cascaded, &table, step, before, now);
        }
        Ok(())
    }

    fn ended(&mut self, conn: &Connection, step: usize, deleted_from: &BTreeSet<String>) -> Result<()> {
        for table in deleted_from {
            let key = cut(table, LONGEST_NAME);
            let before = self.last.get(&key).copied();
            if !exists(conn, table)? {
                continue;
            }
            let now = count_rows(conn, table).map_err(not_rehearsed)?;
            push(&mut self.fewer, table, step, before.unwrap_or(0), now);
            self.last.insert(key, now);
        }
        Ok(())
    }
}

fn push(out: &mut Vec<Fewer>, table: &str, step: usize, before: u64, now: u64) {
    if now < before {
        out.push(Fewer {
            table: cut(table, LONGEST_NAME),
            step,
            rows: before - now,
        });
    }
}

/// To count is none of the migrations' statements.
fn not_rehearsed(error: Error) -> Error {
    Error::Rehearsal(error.into())
}

/// Whether there is an ordinary table of this name, to the letter: SQLite's own are nobody's.
fn exists(conn: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1
               AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
    let found: i64 = conn
        .query_row(sql, [table], |row| row.get(0))
        .map_err(Error::sqlite(sql))
        .map_err(not_rehearsed)?;
    Ok(found > 0)
}

/// Which tables refer to which, in lower case; with the names of those that refer as they are written.
#[derive(Debug, Default)]
struct References {
    children: BTreeMap<String, BTreeSet<String>>,
}

impl References {
    fn of(conn: &Connection) -> Result<Self> {
        let sql = "SELECT child.name, key.\"table\" FROM main.sqlite_schema AS child,
                          pragma_foreign_key_list(child.name, 'main') AS key
                   WHERE child.type = 'table' AND child.rootpage > 0";
        let mut out = Self::default();
        let mut statement = conn.prepare(sql).map_err(Error::preparing(sql))?;
        let mut rows = statement.query([]).map_err(Error::sqlite(sql))?;
        while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
            let name = |column| row.get_ref(column).ok().and_then(|name| name.as_str().ok());
            // A name that is not UTF-8 cannot be written in a statement of ours.
            if let (Some(child), Some(parent)) = (name(0), name(1)) {
                out.children.entry(parent.to_ascii_lowercase()).or_default().insert(child.to_owned());
            }
        }
        Ok(out)
    }

    /// The tables that refer to this one, and those that refer to them; the table itself is none of them.
    fn descendants(&self, table: &str) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut next = vec![table.to_ascii_lowercase()];
        while let Some(parent) = next.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if !child.eq_ignore_ascii_case(table) && out.insert(child.clone()) {
                    next.push(child.to_ascii_lowercase());
                }
            }
        }
        out
    }
}
