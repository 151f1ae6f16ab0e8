//! Follows the rows while a tool's migrations run: which migration leaves fewer, and what the actions of foreign keys take.
//!
//! To drop a table deletes its rows first, and to replace a row deletes the old one; where foreign keys hold, that cascades into the
//! tables that refer to it: no statement names those rows or references. SQLite reports for each
//! statement, while it prepares it, to which tables its foreign keys' actions may write: those are looked at before and after it.
//! That needs no second run, and holds wherever a migration switches foreign keys on or off.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;

use rusqlite::{Connection, OptionalExtension};

use super::kept::{RowHashes, RowKeys, RowPlace, exists};
use super::references::References;
use super::verify::{RowCounts, count_rows};
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::migrations::tool_runner::{DriverDifference, StatementObserver};
use crate::store::{Touched, Write};
use crate::text::words::cut;

/// A table of which there is less after a migration, which is given by its position.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FewerRows {
    table: String,
    step: usize,
}

/// The losses of one run.
#[derive(Debug, Default)]
pub(super) struct Losses {
    hash: RandomState,
    /// The number of rows of each table when it was last counted.
    last: RowCounts,
    /// The places from which the running statement may take rows.
    around: StatementEffects,
    /// The rows that the statement before it left, where they were read.
    left: BTreeMap<RowPlace, RowHashes>,
    /// The rows and references that the actions of foreign keys took.
    taken: Vec<CascadeEffect>,
    /// Tables that have other names now, in the order in which they got them: the old name and the new one.
    renamed: Vec<(String, String)>,
    /// The tables with fewer rows after a migration.
    fewer: Vec<FewerRows>,
    /// The names of the tables that were dropped.
    pub(super) dropped: BTreeSet<String>,
    /// The names of the tables that statements wrote to, altered or dropped.
    pub(super) touched: BTreeSet<String>,
}

/// The state around one statement.
#[derive(Debug, Default)]
struct StatementEffects {
    rows: BTreeMap<RowPlace, RowHashes>,
    references: References,
    /// The change count of the connection before it.
    changes: u64,
    /// The page of the table that is altered: it stays the same under a new name.
    root: Option<(String, i64)>,
}

/// The rows that the action of a foreign key took from one place in one statement.
#[derive(Debug)]
struct CascadeEffect {
    place: RowPlace,
    /// The number of renames before it.
    since: usize,
    step: usize,
    /// The number of rows before.
    before: u64,
    /// The rows that were taken.
    rows: RowHashes,
    how: CascadeCause,
    /// The rows that the statement itself deleted: the table, its number of rows before, and the rows.
    deleted: Option<(String, u64, RowHashes)>,
    /// The table to which an emptied column refers.
    parent: Option<String>,
}

/// The kind of statement that set a foreign key's action off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CascadeCause {
    /// The table to which the rows refer was dropped.
    Dropped,
    /// Rows to which they refer were replaced, or deleted and made again.
    Replaced,
}

/// Rows or references that the action of a foreign key removed and that are still missing at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CascadeLoss {
    pub(super) table: String,
    /// The column that was emptied, unless it is whole rows that went.
    pub(super) column: Option<String>,
    pub(super) rows: u64,
    /// The number of rows before, and at the end.
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) steps: Vec<usize>,
    pub(super) how: CascadeCause,
}

impl Losses {
    /// Creates a record for tables with these numbers of rows.
    pub(super) fn of(counts: &RowCounts) -> Self {
        Self {
            last: counts.clone(),
            ..Self::default()
        }
    }

    /// Returns the positions of the migrations after which a table had fewer rows.
    pub(super) fn fewer_in(&self, table: &str) -> Vec<usize> {
        self.fewer.iter().filter(|fewer| fewer.table == table).map(|fewer| fewer.step).collect()
    }

    /// Returns the first name that a table had.
    pub(super) fn former(&self, table: &str) -> String {
        let renamed = self.renamed.iter().rev();
        let first = renamed.fold(table, |name, (old, new)| if new.eq_ignore_ascii_case(name) { old } else { name });
        first.to_owned()
    }

    /// Returns the rows and references that the actions of foreign keys removed and that are still missing at the end. A migration may save
    /// rows elsewhere and restore them. A table that no longer exists has no missing rows.
    ///
    /// # Errors
    /// Fails if SQLite refuses a statement.
    pub(super) fn find_cascade_losses(&self, conn: &Connection) -> Result<Vec<CascadeLoss>> {
        let mut places: BTreeMap<RowPlace, Vec<&CascadeEffect>> = BTreeMap::new();
        for taken in &self.taken {
            let Some(table) = self.name_now(conn, &taken.place.table, taken.since)? else {
                continue;
            };
            if self.is_written(conn, taken)? || self.has_lost_parents(conn, taken)? {
                continue;
            }
            let column = taken.place.column.clone();
            places.entry(RowPlace { table, column }).or_default().push(taken);
        }
        let losses = places.into_iter().map(|(place, taken)| self.find_cascade_losses_in(conn, place, &taken));
        losses.filter_map(Result::transpose).collect()
    }

    fn find_cascade_losses_in(
        &self,
        conn: &Connection,
        place: RowPlace,
        taken: &[&CascadeEffect],
    ) -> Result<Option<CascadeLoss>> {
        let (Some(first), Some(now)) = (taken.first(), RowHashes::of(conn, &place, &self.hash)?) else {
            return Ok(None);
        };
        let by_key = match keys_of(taken) {
            Some(keys) => keys.count_missing_keys(conn, &place, &self.hash)?,
            None => None,
        };
        // Rows without keys cannot be recognised when they come back: at most as many are missing as the table has fewer at the end.
        let counted = || {
            let went: u64 = taken.iter().map(|taken| taken.rows.count).sum();
            went.min(first.before.saturating_sub(now.count))
        };
        let rows = by_key.unwrap_or_else(counted);
        Ok((rows > 0).then(|| CascadeLoss {
            table: place.table,
            column: place.column,
            rows,
            before: first.before,
            after: now.count,
            steps: taken.iter().map(|taken| taken.step).collect(),
            how: first.how,
        }))
    }

    /// Returns true if the text asked for what a foreign key's action did: a statement deleted rows that are missing at the end. What a
    /// deletion that stays takes along is as the schema's author had it.
    fn is_written(&self, conn: &Connection, taken: &CascadeEffect) -> Result<bool> {
        let Some((table, before, rows)) = &taken.deleted else {
            return Ok(false);
        };
        let Some(table) = self.name_now(conn, table, taken.since)? else {
            return Ok(true);
        };
        let place = RowPlace { table, column: None };
        let by_key = match &rows.keys {
            Some(keys) => keys.count_missing_keys(conn, &place, &self.hash)?,
            None => None,
        };
        Ok(match by_key {
            Some(missing) => missing > 0,
            None => count_rows(conn, &place.table)? < *before,
        })
    }

    /// Returns true if the rows to which an emptied column could refer are gone.
    fn has_lost_parents(&self, conn: &Connection, taken: &CascadeEffect) -> Result<bool> {
        match &taken.parent {
            Some(parent) => Ok(self.name_now(conn, parent, taken.since)?.is_none()),
            None => Ok(false),
        }
    }

    /// Returns the name that a table has now: the last that it got, of those that are there. `None` where it is gone.
    fn name_now(&self, conn: &Connection, table: &str, since: usize) -> Result<Option<String>> {
        let mut names = vec![table];
        for (old, new) in &self.renamed[since..] {
            if names.last().is_some_and(|last| last.eq_ignore_ascii_case(old)) {
                names.push(new);
            }
        }
        for name in names.into_iter().rev() {
            if exists(conn, name)? {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    /// Reads the places from which the actions of foreign keys may take something, before a statement runs.
    //
    // SQLite itself says which: while it prepares a statement, its authorizer asks about each table that the program of a foreign key's
    // action reads or writes. So nothing is read around the many statements that can take nothing, and each place is read once: the rows
    // after one statement are those before the next.
    fn before(&mut self, conn: &Connection, statement: &Touched) -> Result<StatementEffects> {
        let mut left = std::mem::take(&mut self.left);
        let mut around = StatementEffects {
            changes: conn.total_changes(),
            ..StatementEffects::default()
        };
        if let Some(table) = &statement.altered {
            around.root = root_of(conn, table)?.map(|root| (table.clone(), root));
        }
        if statement.by_reference.is_empty() {
            return Ok(around);
        }
        around.references = References::of(conn)?;
        for place in places(statement, &around.references) {
            let rows = match left.remove(&place) {
                Some(rows) => Some(rows),
                None => RowHashes::of(conn, &place, &self.hash)?,
            };
            around.rows.extend(rows.map(|rows| (place, rows)));
        }
        Ok(around)
    }

    /// Reads the same places again after the statement ran: the rows that are gone were taken by an action.
    //
    // `changes()` counts the rows that the statement itself wrote, `total_changes()` those of triggers and foreign keys too
    // (https://www.sqlite.org/c3ref/total_changes.html). Where both agree no action ran, and nothing has to be read again. DROP TABLE
    // counts in neither, although it deletes the rows first where foreign keys are enforced (https://www.sqlite.org/foreignkeys.html,
    // section 5): there the places are always read.
    fn after(&mut self, conn: &Connection, statement: &Touched, around: StatementEffects, step: usize) -> Result<()> {
        if let Some((old, root)) = around.root
            && !exists(conn, &old)?
        {
            self.renamed.extend(name_of(conn, root)?.map(|new| (old, new)));
        }
        let how = if statement.dropped.is_empty() {
            CascadeCause::Replaced
        } else {
            CascadeCause::Dropped
        };
        let target = statement.target.as_ref().map(Write::table);
        let changed = conn.total_changes() - around.changes;
        if how == CascadeCause::Replaced && changed == conn.changes() {
            // The statement changed rows of its own table and no others.
            let others = around.rows.into_iter().filter(|(place, _)| Some(place.table.as_str()) != target);
            self.left = others.collect();
            return Ok(());
        }
        let mut lost = BTreeMap::new();
        for (place, before) in around.rows {
            if let Some(now) = RowHashes::of(conn, &place, &self.hash)? {
                lost.insert(place.clone(), (before.count, before.without(&now)));
                self.left.insert(place, now);
            }
        }
        let deleted = match &statement.target {
            Some(Write::Delete(table)) => {
                let rows = lost.remove(&RowPlace::whole(table));
                rows.map(|(before, rows)| (table.clone(), before, rows))
            }
            _ => None,
        };
        for (place, (before, rows)) in lost {
            if rows.count == 0 {
                continue;
            }
            let column = place.column.as_deref();
            self.taken.push(CascadeEffect {
                parent: column.and_then(|column| around.references.parent(&place.table, column)),
                since: self.renamed.len(),
                deleted: deleted.clone(),
                place,
                step,
                before,
                rows,
                how,
            });
        }
        Ok(())
    }
}

/// Returns the keys of all the rows that went, where all of them are known by keys of the same columns.
fn keys_of(taken: &[&CascadeEffect]) -> Option<RowKeys> {
    let mut keys = taken.iter().map(|taken| taken.rows.keys.as_ref());
    let first = keys.next()??.clone();
    keys.try_fold(first, |all, more| all.and(more?))
}

/// Returns the places from which the actions of foreign keys may delete in a statement, and the table from which it deletes itself.
fn places(statement: &Touched, references: &References) -> BTreeSet<RowPlace> {
    let parents = statement.dropped.iter().map(String::as_str);
    let parents: Vec<&str> = parents.chain(statement.target.as_ref().map(Write::table)).collect();
    let refers = |table: &str| {
        let is_parent = parents.iter().any(|parent| parent.eq_ignore_ascii_case(table));
        // What a trigger deletes takes others along; that is as the schema's author had it.
        is_parent || parents.iter().any(|parent| references.descendants(parent).contains(table))
    };
    let is_dropped = |table: &str| statement.dropped.iter().any(|dropped| dropped == table);
    let place = |write: &Write| match write {
        Write::Insert(_) => None,
        Write::Delete(table) => Some(RowPlace::whole(table)),
        Write::Update(table, column) => references.parent(table, column).map(|_| RowPlace {
            table: table.clone(),
            column: Some(column.clone()),
        }),
    };
    let actions = statement.by_reference.iter().filter(|write| refers(write.table()));
    let own = statement.target.iter().filter(|write| matches!(write, Write::Delete(_)));
    let places = actions.chain(own).filter_map(place);
    places.filter(|place| !is_dropped(&place.table)).collect()
}

impl StatementObserver for Losses {
    fn before_statement(&mut self, conn: &Connection, _: &str, statement: &Touched, _: usize) -> Result<()> {
        self.around = self.before(conn, statement).map_err(wrap_rehearsal_error)?;
        let written = statement.target.as_ref().map(Write::table);
        let written = written.into_iter().chain(statement.altered.as_deref());
        self.touched.extend(written.map(str::to_ascii_lowercase));
        self.touched.extend(statement.dropped.iter().map(|table| table.to_ascii_lowercase()));
        self.dropped.extend(statement.dropped.iter().map(|table| cut(table, LONGEST_NAME)));
        Ok(())
    }

    fn after_statement(&mut self, conn: &Connection, statement: &Touched, step: usize) -> Result<()> {
        let around = std::mem::take(&mut self.around);
        self.after(conn, statement, around, step).map_err(wrap_rehearsal_error)
    }

    fn after_step(&mut self, conn: &Connection, step: usize, deleted_from: &BTreeSet<String>) -> Result<()> {
        for table in deleted_from {
            let key = cut(table, LONGEST_NAME);
            if exists(conn, table).map_err(wrap_rehearsal_error)? {
                let now = count_rows(conn, table).map_err(wrap_rehearsal_error)?;
                let before = self.last.insert(key.clone(), now).unwrap_or(0);
                if now < before {
                    self.fewer.push(FewerRows { table: key, step });
                }
            }
        }
        Ok(())
    }

    fn driver_differs(&mut self, _: usize, _: DriverDifference) {}
}

/// Wraps an error of the rehearsal's own statements, which is no failure of a migration.
pub(super) fn wrap_rehearsal_error(error: Error) -> Error {
    Error::Rehearsal(error.into())
}

/// Returns the root page of a table, which it keeps under another name.
pub(super) fn root_of(conn: &Connection, table: &str) -> Result<Option<i64>> {
    let sql =
        "SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
    conn.query_row(sql, [table], |row| row.get(0)).optional().map_err(Error::sqlite(sql))
}

/// Returns the name of the table with this root page.
pub(super) fn name_of(conn: &Connection, root: i64) -> Result<Option<String>> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage = ?1";
    conn.query_row(sql, [root], |row| row.get(0)).optional().map_err(Error::sqlite(sql))
}
