//! Where rows go while a tool's migrations run: which migration has fewer afterwards, and what a dropped table takes along.
//!
//! To drop a table deletes its rows first, and where foreign keys hold, that cascades into the tables that refer to it: nobody
//! wrote a statement that deletes those, or that empties their references. So their rows are counted around each such statement, and
//! after each migration those of the tables that it may have deleted from.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::references::{Reference, References};
use super::verify::{Counts, count_rows};
use crate::error::{Error, Result};
use crate::finding::LONGEST_NAME;
use crate::schema::tool::Watch;
use crate::words::cut;

/// Something of which there is less after a migration, which is given by its position, or after a statement of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fewer<T> {
    pub(super) what: T,
    pub(super) step: usize,
    pub(super) before: u64,
    pub(super) after: u64,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How many rows each table had when it was last counted.
    last: Counts,
    /// What is about to be dropped with a table, as far as others refer to it.
    before_drop: BeforeDrop,
    /// What went with a dropped table, from the tables that refer to it.
    cascaded: Vec<Fewer<String>>,
    /// Which references went empty with it.
    emptied: Vec<Fewer<Reference>>,
    /// What each migration left fewer.
    pub(super) fewer: Vec<Fewer<String>>,
    /// The names of the tables that were dropped.
    pub(super) dropped: BTreeSet<String>,
    /// Whether one of them was referred to by another table.
    pub(super) drops_referenced: bool,
}

#[derive(Debug, Default)]
struct BeforeDrop {
    rows: BTreeMap<String, u64>,
    references: BTreeMap<Reference, u64>,
}

/// References that went empty, and did not come back: how many, and where.
#[derive(Debug)]
pub(super) struct Emptied {
    pub(super) reference: Reference,
    pub(super) rows: u64,
    pub(super) steps: Vec<usize>,
}

impl Losses {
    /// Of tables that have so many rows now.
    pub(super) fn of(counts: &Counts) -> Self {
        Self {
            last: counts.clone(),
            ..Self::default()
        }
    }

    /// How many rows went from a table with others that were dropped, and did not come back until it had so many as it has at the
    /// end; and where they went. A migration may save rows elsewhere before it drops what they refer to.
    pub(super) fn cascaded_from(&self, table: &str, at_the_end: u64) -> (u64, Vec<usize>) {
        let of: Vec<_> = self.cascaded.iter().filter(|fewer| fewer.what == table).collect();
        (went(&of, at_the_end), of.iter().map(|fewer| fewer.step).collect())
    }

    /// Where a table had fewer rows after a migration.
    pub(super) fn fewer_in(&self, table: &str) -> Vec<usize> {
        self.fewer.iter().filter(|fewer| fewer.what == table).map(|fewer| fewer.step).collect()
    }

    /// The references that went empty with the tables to which they refer, of which there is one again at the end.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn emptied(&self, conn: &Connection) -> Result<Vec<Emptied>> {
        let mut out = Vec::new();
        for reference in self.emptied.iter().map(|fewer| &fewer.what).collect::<BTreeSet<_>>() {
            let of: Vec<_> = self.emptied.iter().filter(|fewer| fewer.what == *reference).collect();
            // Where there is nothing to refer to any more, the references mean nothing.
            if !exists(conn, &reference.parent)? {
                continue;
            }
            let at_the_end = reference.count(conn)?;
            let rows = at_the_end.map_or(0, |at_the_end| went(&of, at_the_end));
            if rows > 0 {
                out.push(Emptied {
                    reference: reference.clone(),
                    rows,
                    steps: of.iter().map(|fewer| fewer.step).collect(),
                });
            }
        }
        Ok(out)
    }
}

/// How much went in all of these, as far as it is missed at the end.
fn went<T>(of: &[&Fewer<T>], at_the_end: u64) -> u64 {
    let went: u64 = of.iter().map(|fewer| fewer.before - fewer.after).sum();
    let missed = of.first().map_or(0, |first| first.before.saturating_sub(at_the_end));
    went.min(missed)
}

impl Watch for Losses {
    fn drops(&mut self, conn: &Connection, tables: &[String]) -> Result<()> {
        let mut look = || -> Result<()> {
            let references = References::of(conn)?;
            for table in tables {
                for child in references.descendants(table) {
                    self.drops_referenced = true;
                    let rows = count_rows(conn, &child)?;
                    self.before_drop.rows.insert(child, rows);
                }
                for reference in references.emptied_with(table) {
                    let rows = reference.count(conn)?.unwrap_or(0);
                    self.before_drop.references.insert(reference, rows);
                }
            }
            Ok(())
        };
        look().map_err(not_rehearsed)?;
        self.dropped.extend(tables.iter().map(|table| cut(table, LONGEST_NAME)));
        Ok(())
    }

    fn dropped(&mut self, conn: &Connection, step: usize) -> Result<()> {
        let before = std::mem::take(&mut self.before_drop);
        let mut gone = BTreeMap::new();
        for (table, before) in before.rows {
            if let Some(after) = rows_of(conn, &table).map_err(not_rehearsed)? {
                gone.insert(table.clone(), before.saturating_sub(after));
                push(&mut self.cascaded, cut(&table, LONGEST_NAME), step, before, after);
            }
        }
        for (reference, before) in before.references {
            let after = reference.count(conn).map_err(not_rehearsed)?;
            // A row that went itself took its reference along.
            let gone = gone.get(&reference.child).copied().unwrap_or(0);
            if let Some(after) = after {
                push(&mut self.emptied, reference, step, before, after.saturating_add(gone));
            }
        }
        Ok(())
    }

    fn ended(&mut self, conn: &Connection, step: usize, deleted_from: &BTreeSet<String>) -> Result<()> {
        for table in deleted_from {
            let key = cut(table, LONGEST_NAME);
            if let Some(now) = rows_of(conn, table).map_err(not_rehearsed)? {
                let before = self.last.insert(key.clone(), now).unwrap_or(0);
                push(&mut self.fewer, key, step, before, now);
            }
        }
        Ok(())
    }
}

fn push<T>(out: &mut Vec<Fewer<T>>, what: T, step: usize, before: u64, after: u64) {
    if after < before {
        out.push(Fewer {
            what,
            step,
            before,
            after,
        });
    }
}

/// To count is none of the migrations' statements.
fn not_rehearsed(error: Error) -> Error {
    Error::Rehearsal(error.into())
}

/// How many rows a table has, if there is an ordinary one of this name; SQLite's own are nobody's.
fn rows_of(conn: &Connection, table: &str) -> Result<Option<u64>> {
    if exists(conn, table)? {
        count_rows(conn, table).map(Some)
    } else {
        Ok(None)
    }
}

fn exists(conn: &Connection, table: &str) -> Result<bool> {
    let sql =
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE
               AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
    let found: i64 = conn.query_row(sql, [table], |row| row.get(0)).map_err(Error::sqlite(sql))?;
    Ok(found > 0)
}
