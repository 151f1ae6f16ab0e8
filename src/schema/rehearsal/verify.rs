//! A store before and after its migrations → what went wrong. What was wrong before is other checks' to say.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::schema::migrations::{LEDGER, Migration};
use crate::schema::shape::{Difference, Shape};
use crate::schema::tables::{self, quoted};
use crate::store::ReadOnly;
use crate::words::{counted, thousands};

/// One thing that the migrations fail at or leave wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// In a line, with its place.
    pub(crate) line: String,
    /// The same as a finding.
    pub(crate) finding: Finding,
    /// Whether it was so before the migrations.
    pub(crate) was_there: bool,
}

impl Fault {
    /// A migration that fails.
    pub(super) fn of_migration(error: Error) -> Self {
        let (id, line, why) = match error {
            Error::Migration { id, name, source } => {
                let why = words(&source);
                (Some(id), format!("migration {id} ({name}) fails on this store: {why}"), why)
            }
            error => {
                let why = words(&error);
                (None, format!("the migrations fail on this store: {why}"), why)
            }
        };
        Self {
            line,
            finding: Finding {
                id,
                ..Finding::new(format!("fails on this store: {why}"))
            },
            was_there: false,
        }
    }

    fn of_table(table: &str, what: String) -> Self {
        Self {
            line: format!("{table}: {what}"),
            finding: Finding::new(what).table(table),
            was_there: false,
        }
    }
}

/// What SQLite says, without the SQL: the migration's name stands for that. What a trigger raises is an expression of the
/// store's own, which may hold a cell's value.
fn words(error: &Error) -> String {
    match error {
        Error::Sqlite { source, .. }
            if source.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER) =>
        {
            "a trigger of the store refuses it".to_owned()
        }
        Error::Sqlite { source, .. } => crate::error::sqlite_words(source),
        error => error.to_string(),
    }
}

/// What a store was before its migrations.
pub(super) struct Before<'a> {
    source: &'a ReadOnly,
    counts: BTreeMap<String, u64>,
    applied: Vec<Migration>,
    all: &'a [Migration],
}

impl<'a> Before<'a> {
    /// Counts the rows of each table in the copy: in the store itself a daemon may have added some since.
    pub(super) fn of(
        source: &'a ReadOnly,
        copy: &Connection,
        applied: &[i64],
        migrations: &'a [Migration],
    ) -> Result<Self> {
        let is_applied = |migration: &&Migration| applied.contains(&migration.id);
        Ok(Self {
            source,
            counts: counts_before(copy)?,
            applied: migrations.iter().filter(is_applied).copied().collect(),
            all: migrations,
        })
    }

    /// How many rows there are, but for the ledger's.
    pub(super) fn rows(&self) -> u64 {
        self.counts
            .iter()
            .filter(|(table, _)| !table.eq_ignore_ascii_case(LEDGER))
            .map(|(_, count)| count)
            .sum()
    }

    /// What is wrong afterwards and was not before.
    pub(super) fn faults(&self, after: &ReadOnly, compare_shape: bool) -> Result<Vec<Fault>> {
        let mut faults = self.lost_rows(after)?;
        faults.extend(self.dangling(after)?);
        faults.extend(self.integrity(after)?);
        if compare_shape {
            faults.extend(self.shape(after)?);
        }
        Ok(faults)
    }

    /// Tables that are still there and have fewer rows.
    fn lost_rows(&self, after: &ReadOnly) -> Result<Vec<Fault>> {
        let after = counts(after)?;
        let lost = |(table, before): (&String, &u64)| {
            let now = after.get(table)?;
            (now < before).then(|| {
                let rows = counted(before - now, "row is lost", "rows are lost");
                Fault::of_table(table, format!("{rows}: {} before, {} after", thousands(*before), thousands(*now)))
            })
        };
        Ok(self.counts.iter().filter_map(lost).collect())
    }

    /// Tables in which more rows than before refer to rows that are not there.
    fn dangling(&self, after: &ReadOnly) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        for table in tables::ordinary(after)? {
            let before = || -> Result<u64> {
                if self.counts.contains_key(&table) {
                    dangling(self.source, &table)
                } else {
                    Ok(0)
                }
            };
            let what = match dangling(after, &table) {
                Ok(0) => continue,
                Ok(now) => match before()? {
                    before if before >= now => continue,
                    before => format!(
                        "{} to rows that are not there",
                        counted(now - before, "row comes to refer", "rows come to refer")
                    ),
                },
                Err(error) if error.stopped().is_some() || error.is_damage() => return Err(error),
                Err(error) => match before() {
                    // It could not be checked before either, which `foreign-keys` says.
                    Err(_) => continue,
                    Ok(_) => format!("its foreign keys cannot be checked any more: {error}"),
                },
            };
            faults.push(Fault::of_table(&table, what));
        }
        Ok(faults)
    }

    fn integrity(&self, after: &ReadOnly) -> Result<Vec<Fault>> {
        let now = integrity(after)?;
        if now == 0 || integrity(self.source)? >= now {
            return Ok(Vec::new());
        }
        let what = "SQLite's integrity check finds faults that were not there before (a value that is NULL or twice where it may not be, or an index that lacks rows)";
        Ok(vec![Fault {
            line: what.to_owned(),
            finding: Finding::new(what),
            was_there: false,
        }])
    }

    /// How the shape differs from a fresh store's.
    fn shape(&self, after: &ReadOnly) -> Result<Vec<Fault>> {
        let differences = Shape::replay(self.all)?.differences(after)?;
        if differences.total == 0 {
            return Ok(Vec::new());
        }
        let before = match Shape::replay(&self.applied) {
            Ok(shape) => shape.differences(self.source)?.kept,
            // The ledger's history cannot be replayed, which `schema-shape` says; nothing is known to be old.
            Err(_) => Vec::new(),
        };
        let fault = |difference: &Difference| {
            let was_there = before.contains(difference);
            let old = if was_there { ", as before the migrations" } else { "" };
            let what = format!("{} ({}{old})", difference.what, difference.cost.words());
            let column = difference.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
            Fault {
                line: format!("not as in a fresh store: {}{column}: {what}", difference.table),
                finding: Finding {
                    column: difference.column.clone(),
                    index: difference.index.clone(),
                    ..Finding::new(format!("not as in a fresh store: {what}")).table(&difference.table)
                },
                was_there,
            }
        };
        Ok(differences.kept.iter().map(fault).collect())
    }
}

fn counts_before(copy: &Connection) -> Result<BTreeMap<String, u64>> {
    let tables = || -> rusqlite::Result<Vec<String>> {
        copy.prepare(tables::ORDINARY)?.query_map([], |row| row.get(0))?.collect()
    };
    let mut out = BTreeMap::new();
    for table in tables().map_err(Error::sqlite(tables::ORDINARY))? {
        let sql = format!("SELECT count(*) FROM {}", quoted(&table));
        let count: i64 = copy.query_row(&sql, [], |row| row.get(0)).map_err(Error::sqlite(&sql))?;
        out.insert(table, u64::try_from(count).unwrap_or(0));
    }
    Ok(out)
}

fn counts(handle: &ReadOnly) -> Result<BTreeMap<String, u64>> {
    let mut out = BTreeMap::new();
    for table in tables::ordinary(handle)? {
        let count = handle.number(&format!("SELECT count(*) FROM {}", quoted(&table)))?;
        out.insert(table, u64::try_from(count).unwrap_or(0));
    }
    Ok(out)
}

fn dangling(handle: &ReadOnly, table: &str) -> Result<u64> {
    let mut count = 0;
    handle.rows(&format!("PRAGMA foreign_key_check({})", quoted(table)), [], |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// How many lines SQLite's check says, up to a bound; what one says may be a page's number, which moves.
fn integrity(handle: &ReadOnly) -> Result<u64> {
    let sql = "PRAGMA integrity_check(1000)";
    let mut count = 0;
    handle.rows(sql, [], |row| {
        let line = row.get_ref(0).map_err(Error::sqlite(sql))?;
        count += u64::from(line.as_bytes().ok() != Some(b"ok"));
        Ok(())
    })?;
    Ok(count)
}
