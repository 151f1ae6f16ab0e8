//! A store before and after its migrations → what went wrong. What was wrong before is other checks' to say, and what is
//! merely extra does no harm.

use std::collections::BTreeMap;
use std::hash::RandomState;

use rusqlite::Connection;

use super::dangling::Dangling;
use super::usable::Use;
use crate::application::Impact;
use crate::error::{Error, Result};
use crate::findings::{Finding, LONGEST_NAME};
use crate::migrations::shape::{Shape, ShapeDifference};
use crate::store::PrivateCopy;
use crate::store::ReadOnly;
use crate::store::integrity::{Extent, each_message, unread_page};
use crate::store::introspect::{self, quoted};
use crate::text::words::{cut, plural, thousands};

/// One thing that the migrations fail at or leave wrong.
#[derive(Debug, Clone)]
pub(crate) struct RehearsalFault {
    /// In a line, with its place.
    pub(crate) line: String,
    /// The finding for this fault.
    pub(crate) finding: Finding,
    /// True if it was there before the migrations: a shape that this binary cannot work with.
    pub(crate) was_there: bool,
    /// True if a cascade that no statement names took rows or references.
    pub(crate) by_cascade: bool,
}

impl RehearsalFault {
    /// Creates the fault of a migration that fails.
    pub(super) fn of_migration(error: &Error) -> Self {
        // Without the SQL: the migration's name stands for that.
        let fails = |why: &Error| match why {
            // Whatever the store holds.
            Error::RefusedByDriver(why) => format!("fails: {why}"),
            why => format!("fails on this store: {}", why.sqlite_message()),
        };
        let (id, line, what) = match error {
            Error::Migration { id, name, source } => {
                let fails = fails(source);
                (Some(*id), format!("migration {id} ({name}) {fails}"), fails)
            }
            Error::Step {
                migration,
                file,
                stays,
                source,
            } => {
                let place = if file.is_empty() {
                    String::new()
                } else {
                    format!(", {file},")
                };
                // A finding has no place for a key that is text.
                let line = format!("migration {migration}{place} {}{stays}", fails(source));
                (None, line.clone(), line)
            }
            error => (None, format!("the migrations {}", fails(error)), fails(error)),
        };
        Self {
            line,
            finding: Finding {
                id,
                ..Finding::new(what)
            },
            was_there: false,
            by_cascade: false,
        }
    }

    /// Creates the fault of a shape that differs from a fresh store's.
    fn of_shape(difference: &ShapeDifference, cost: &str, was_there: bool) -> Self {
        let old = if was_there { ", as before the migrations" } else { "" };
        let what = format!("{} ({cost}{old})", difference.what);
        let column = difference.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
        Self {
            line: format!("not as in a fresh store: {}{column}: {what}", difference.table),
            finding: Finding {
                column: difference.column.clone(),
                index: difference.index.clone(),
                ..Finding::new(format!("not as in a fresh store: {what}")).table(&difference.table)
            },
            was_there,
            by_cascade: false,
        }
    }

    /// Creates the fault of something that could be used before the migrations, and cannot be afterwards.
    pub(super) fn of_unusable(of: &Use, why: &str) -> Self {
        match of {
            Use::View(view) => {
                Self::of_table(&cut(view, LONGEST_NAME), format!("the view cannot be read any more: {why}"))
            }
            Use::Write(table, verb) => Self::of_table(
                &cut(table, LONGEST_NAME),
                format!("{verb} fails afterwards, because of a trigger or a foreign key: {why}"),
            ),
            Use::Search(index) => Self::of_table(
                &cut(index, LONGEST_NAME),
                format!("the full-text index is out of step with the table that it indexes: {why}"),
            ),
        }
    }

    /// Appends words to the fault.
    pub(super) fn append(mut self, words: &str) -> Self {
        self.line.push_str(words);
        self.finding.what.to_mut().push_str(words);
        self
    }

    /// Marks it as the work of a cascade that no statement names.
    pub(super) fn of_cascade(mut self) -> Self {
        self.by_cascade = true;
        self
    }

    /// Creates the fault of lost rows.
    pub(super) fn of_lost(lost: &LostRows) -> Self {
        let rows = plural(lost.rows(), "row is lost", "rows are lost");
        Self::of_table(&lost.table, format!("{rows}: {}", lost.counts()))
    }

    pub(super) fn of_column(table: &str, column: &str, what: String) -> Self {
        let (table, column) = (cut(table, LONGEST_NAME), cut(column, LONGEST_NAME));
        Self {
            line: format!("{table}.{column}: {what}"),
            finding: Finding::new(what).table(&table).column(&column),
            was_there: false,
            by_cascade: false,
        }
    }

    pub(crate) fn of_table(table: &str, what: String) -> Self {
        Self {
            line: format!("{table}: {what}"),
            finding: Finding::new(what).table(table),
            was_there: false,
            by_cascade: false,
        }
    }
}

/// Another copy of the store as it was, behind a handle, with the files that go with it.
pub(super) type Untouched = (ReadOnly, Option<PrivateCopy>);

/// A store as it was before its migrations.
pub(super) struct StoreBefore<'a> {
    source: &'a ReadOnly,
    /// Makes another copy, for when the one that the migrations ran on is not enough.
    again: &'a dyn Fn() -> Result<Untouched>,
    counts: RowCounts,
}

/// The number of rows of each table. Long names are cut: tables that then have one name are counted together.
pub(super) type RowCounts = BTreeMap<String, u64>;

/// A table that is still there and has fewer rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostRows {
    pub(super) table: String,
    pub(super) before: u64,
    pub(super) after: u64,
}

impl LostRows {
    pub(super) fn rows(&self) -> u64 {
        self.before - self.after
    }

    /// "5 before, 2 after".
    pub(super) fn counts(&self) -> String {
        format!("{} before, {} after", thousands(self.before), thousands(self.after))
    }
}

impl<'a> StoreBefore<'a> {
    /// Creates it from the numbers of rows in the copy: in the store itself a daemon may have added some since.
    pub(super) fn of(source: &'a ReadOnly, again: &'a dyn Fn() -> Result<Untouched>, counts: RowCounts) -> Self {
        Self { source, again, counts }
    }

    /// Returns the tables that are still there and have fewer rows.
    pub(super) fn find_lost_rows(&self, after: &RowCounts) -> Vec<LostRows> {
        let lost = |(table, before): (&String, &u64)| {
            let (table, before, after) = (table.clone(), *before, now(after, table)?);
            (after < before).then_some(LostRows { table, before, after })
        };
        self.counts.iter().filter_map(lost).collect()
    }

    /// Returns the tables that had rows and no longer exist under that name, with their former number of rows.
    pub(super) fn find_dropped_tables(&self, after: &RowCounts) -> Vec<(String, u64)> {
        let is_gone = |(table, before): &(&String, &u64)| **before > 0 && now(after, table).is_none();
        self.counts
            .iter()
            .filter(is_gone)
            .map(|(table, before)| (table.clone(), *before))
            .collect()
    }

    /// Returns the tables with new dangling references. `former` gives the name that a table had before it
    /// was renamed.
    pub(super) fn dangling(&self, after: &ReadOnly, former: impl Fn(&str) -> String) -> Result<Vec<RehearsalFault>> {
        let mut faults = Vec::new();
        let hash = RandomState::new();
        // A table that is made anew gets its old name in the end.
        let before_name = |table: &str| {
            if self.counts.contains_key(&cut(table, LONGEST_NAME)) {
                table.to_owned()
            } else {
                former(table)
            }
        };
        for table in introspect::ordinary_tables(after)?.names {
            let name = cut(&table, LONGEST_NAME);
            let old = before_name(&table);
            let before = || -> Result<Dangling> {
                if self.counts.contains_key(&cut(&old, LONGEST_NAME)) {
                    Dangling::count(self.source, &old)
                } else {
                    Ok(Dangling::default())
                }
            };
            let what = match Dangling::count(after, &table) {
                Ok(Dangling { count: 0, .. }) => continue,
                Ok(mut now) => {
                    let mut before = before()?;
                    if before.count > 0 {
                        let told = before.tell_apart(self.source, &old, str::to_owned, &hash);
                        match told.and_then(|()| now.tell_apart(after, &table, before_name, &hash)) {
                            Err(error) if is_unrelated_to_migrations(&error) => return Err(error),
                            _ => {}
                        }
                    }
                    match now.more_than(&before) {
                        0 => continue,
                        more => {
                            format!("{} to rows that are not there", plural(more, "more row refers", "more rows refer"))
                        }
                    }
                }
                Err(error) if is_unrelated_to_migrations(&error) => return Err(error),
                Err(error) => match before() {
                    Err(error) if is_unrelated_to_migrations(&error) => return Err(error),
                    // It could not be checked before either, which `foreign-keys` says.
                    Err(_) => continue,
                    Ok(_) => format!("its foreign keys cannot be checked any more: {error}"),
                },
            };
            faults.push(RehearsalFault::of_table(&name, what));
        }
        Ok(faults)
    }

    /// Returns the fault that SQLite's check finds more than before. In the store itself it does not see the CHECK constraints, which it sees
    /// in a copy: so the comparison is with another copy.
    pub(super) fn integrity(&self, after: &ReadOnly) -> Result<Vec<RehearsalFault>> {
        let now = integrity(after);
        if matches!(now, Ok(IntegrityCounts { lines: 0, .. })) {
            return Ok(Vec::new());
        }
        let (before, _files) = (self.again)()?;
        let what = match (now, before.with_long_values(|| integrity(&before))?) {
            (Err(error), _) | (_, Err(error)) if is_unrelated_to_migrations(&error) => return Err(error),
            // It could not be asked before, which `page-structure` says.
            (_, Err(_)) => return Ok(Vec::new()),
            (Ok(now), Ok(before)) if !now.is_worse_than(&before) => return Ok(Vec::new()),
            (Ok(_), Ok(_)) => {
                "SQLite's integrity check finds faults that were not there before (a NULL or a duplicate where that is forbidden, a value that a CHECK constraint forbids, or an index that lacks rows)".to_owned()
            }
            (Err(error), Ok(_)) => format!("SQLite's integrity check cannot be run any more: {error}"),
        };
        Ok(vec![RehearsalFault {
            line: what.clone(),
            finding: Finding::new(what),
            was_there: false,
            by_cascade: false,
        }])
    }

    /// In what the shape differs from the one that all migrations make so that this binary cannot work with it, or that rows come to
    /// be wrong and did not before. What is merely extra, or written otherwise, is `schema-shape`'s to say.
    pub(super) fn shape(
        &self,
        all: &Shape,
        after: &ReadOnly,
        applied: impl FnOnce() -> Result<Shape>,
        cost: impl Fn(Impact) -> &'static str,
    ) -> Result<Vec<RehearsalFault>> {
        let differences = all.differences(after)?;
        if differences.total == 0 {
            return Ok(Vec::new());
        }
        let before = match applied() {
            Ok(shape) => Some(shape.differences(self.source)?.kept),
            Err(error) if error.is_own_bound() => return Err(error),
            // The ledger's history cannot be replayed, which `schema-shape` says; nothing is known to be old or new.
            Err(_) => None,
        };
        let fault = |difference: &ShapeDifference| {
            let was_there = before.as_ref().map(|before| before.contains(difference));
            let is_reason =
                difference.cost.stops_the_daemon() || (difference.cost.harms_rows() && was_there == Some(false));
            is_reason.then(|| RehearsalFault::of_shape(difference, cost(difference.cost), was_there == Some(true)))
        };
        Ok(differences.kept.iter().filter_map(fault).collect())
    }
}

/// Returns the number of rows of a table now, whatever the case of its name has become.
fn now(after: &RowCounts, table: &str) -> Option<u64> {
    let in_other_case = || after.iter().find(|(name, _)| name.eq_ignore_ascii_case(table)).map(|(_, count)| count);
    after.get(table).or_else(in_other_case).copied()
}

/// Counts the rows of each ordinary table.
pub(super) fn counts(copy: &Connection) -> Result<RowCounts> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
    let mut out = RowCounts::new();
    let mut statement = copy.prepare(sql).map_err(Error::preparing(sql))?;
    let mut rows = statement.query([]).map_err(Error::sqlite(sql))?;
    while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
        // A name that is not UTF-8 cannot be written in a statement of ours.
        let Some(table) = row.get_ref(0).ok().and_then(|name| name.as_str().ok()) else {
            continue;
        };
        *out.entry(cut(table, LONGEST_NAME)).or_default() += count_rows(copy, table)?;
    }
    Ok(out)
}

/// Counts the rows of a table of the store.
///
/// `count(*)` would count entries of a tree, or of an index in its place, without ever asking whether to stop; to count a
/// constant, SQLite steps from row to row.
pub(super) fn count_rows(copy: &Connection, table: &str) -> Result<u64> {
    let sql = format!("SELECT count(1) FROM main.{} NOT INDEXED", quoted(table));
    let mut counting = copy.prepare(&sql).map_err(Error::preparing(&sql))?;
    let count: i64 = counting.query_row([], |row| row.get(0)).map_err(Error::sqlite(&sql))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns true if an error says nothing about the migrations: a limit of the doctor's, damage, a disk that cannot be read.
fn is_unrelated_to_migrations(error: &Error) -> bool {
    error.is_own_bound() || error.is_damage() || error.is_io()
}

/// The number of lines of SQLite's check. The lines themselves hold page numbers, which may change.
#[derive(Debug, Default)]
struct IntegrityCounts {
    lines: usize,
    /// The number of lines of each form.
    of_form: [usize; FORMS.len()],
}

/// The beginnings of lines that are about one row: an old one that goes must not hide a new one of another form.
const FORMS: [&str; 4] = [
    "NULL value in ",
    "CHECK constraint failed in ",
    "non-unique entry in ",
    "row ",
];

/// The most lines that are asked for.
const MOST_LINES: usize = 1000;

impl IntegrityCounts {
    fn is_worse_than(&self, before: &Self) -> bool {
        // Where there are more lines than were asked for, it is not known which were left out.
        let is_whole = self.lines.max(before.lines) < MOST_LINES;
        let is_new = || self.of_form.iter().zip(before.of_form).any(|(now, before)| *now > before);
        self.lines > before.lines || (is_whole && is_new())
    }
}

fn integrity(handle: &ReadOnly) -> Result<IntegrityCounts> {
    let mut out = IntegrityCounts::default();
    each_message(handle, Extent::Store { most_lines: MOST_LINES }, |message| {
        out.lines += usize::from(message != "ok");
        for (form, count) in FORMS.iter().zip(&mut out.of_form) {
            *count += usize::from(message.starts_with(form));
        }
        unread_page(message).map_or(Ok(()), Err)
    })?;
    Ok(out)
}
