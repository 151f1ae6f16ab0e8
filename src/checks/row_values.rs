//! Does every value look like one that banger wrote? One pass over each table, each value judged where it lies.

mod rules;

use std::collections::BTreeMap;
use std::io;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use self::rules::{Rule, TABLES};
use crate::check::{Check, Finding, Findings, KEEP_AND_SAVE, Look, Needs, Outcome};
use crate::error::{Error, Result};
use crate::schema::tables::{self, quoted};
use crate::store::{LONGEST_VALUE, ReadOnly};
use crate::subject::Subject;
use crate::values::address::is_uuid;
use crate::words::counted;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "row-values",
    summary: "each value is one that banger could have written: text, JSON, times",
    needs: Needs::ReadOnly,
    look: Look::Handle(look),
};

fn look(_subject: &Subject<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let mut found = Found::default();
    for (table, rules) in TABLES {
        let mut rows = 0;
        let ended = columns(handle, table, rules).and_then(|columns| {
            if columns.is_empty() {
                return Ok(());
            }
            let (of_table, ended) = Table { name: table, columns }.scan(handle);
            rows = of_table.rows;
            found.take(of_table);
            ended
        });
        match ended {
            Err(error) if error.stopped().is_some() => return Err(error),
            Err(error) => found.unreadable.push(Unreadable { table, rows, error }),
            Ok(()) => {}
        }
    }
    Ok(found.outcome())
}

/// What was found in all tables.
#[derive(Default)]
struct Found {
    rows: u64,
    not_looked_at: u64,
    findings: Findings,
    /// How many values are wrong in each column.
    by_column: BTreeMap<(&'static str, &'static str), u64>,
    unreadable: Vec<Unreadable>,
}

/// A table that could not be read to its end.
struct Unreadable {
    table: &'static str,
    /// How many of its rows were looked at before that.
    rows: u64,
    error: Error,
}

/// One of banger's tables, and those of its columns that are there.
struct Table {
    name: &'static str,
    columns: Vec<(&'static str, Rule)>,
}

/// Which of banger's columns a table has; what is missing is `schema-shape`'s to say.
fn columns(
    handle: &ReadOnly,
    table: &str,
    rules: &'static [(&'static str, Rule)],
) -> Result<Vec<(&'static str, Rule)>> {
    let there = tables::columns(handle, table)?;
    Ok(rules
        .iter()
        .copied()
        .filter(|(name, _)| there.iter().any(|column| column == name))
        .collect())
}

impl Table {
    /// What was found, and what ended the scan before its end.
    fn scan(&self, handle: &ReadOnly) -> (Found, Result<()>) {
        let mut found = Found::default();
        let mut ended = self.scan_whole_values(handle, &mut found);
        // A value is longer than is ever read whole: begin again, and read the long ones in pieces.
        if matches!(&ended, Err(Error::Sqlite { source, .. }) if is_too_big(source)) {
            found = Found::default();
            ended = self.scan_long_values(handle, &mut found);
        }
        (found, ended)
    }

    fn scan_whole_values(&self, handle: &ReadOnly, found: &mut Found) -> Result<()> {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        let sql = format!("SELECT rowid, {} FROM {} NOT INDEXED", names.join(", "), quoted(self.name));
        handle.rows(&sql, [], |row| {
            found.rows += 1;
            for (at, (name, rule)) in self.columns.iter().enumerate() {
                if let Some(what) = rule.fault(row.get_ref(at + 1).map_err(Error::sqlite(&sql))?) {
                    found.add(self.name, name, what, row);
                }
            }
            Ok(())
        })
    }

    /// The same, where a long value is only measured in the scan and read in pieces afterwards.
    fn scan_long_values(&self, handle: &ReadOnly, found: &mut Found) -> Result<()> {
        let parts: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| quoted(name))
            .map(|name| {
                let long = format!("octet_length({name}) > {LONGEST_VALUE}");
                format!("{long}, typeof({name}) = 'text', CASE WHEN NOT ifnull({long}, 0) THEN {name} END AS {name}")
            })
            .collect();
        let sql = format!("SELECT rowid, {} FROM {} NOT INDEXED", parts.join(", "), quoted(self.name));
        let utf8 = handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))? == ["UTF-8"];
        handle.rows(&sql, [], |row| {
            found.rows += 1;
            for (n, (name, rule)) in self.columns.iter().enumerate() {
                let get = |at: usize| row.get_ref(1 + 3 * n + at).map_err(Error::sqlite(&sql));
                let fault = match (get(0)?, get(1)?) {
                    (ValueRef::Integer(1), ValueRef::Integer(1)) if utf8 => {
                        self.long_fault(handle, name, *rule, row)?
                    }
                    (ValueRef::Integer(1), ValueRef::Integer(1)) => {
                        found.not_looked_at += 1;
                        None
                    }
                    (ValueRef::Integer(1), _) => Some("a blob where text belongs"),
                    _ => rule.fault(get(2)?),
                };
                if let Some(what) = fault {
                    found.add(self.name, name, what, row);
                }
            }
            Ok(())
        })
    }

    fn long_fault(
        &self,
        handle: &ReadOnly,
        column: &'static str,
        rule: Rule,
        row: &Row<'_>,
    ) -> Result<Option<&'static str>> {
        let rowid = row.get(0).map_err(Error::sqlite("rowid"))?;
        rule.fault_in(|| handle.cell(self.name, column, rowid).map_err(io::Error::other))
            .map_err(|error| match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => Error::NotAStore(format!("a long value could not be read to its end: {error}")),
            })
    }
}

fn is_too_big(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::TooBig)
}

impl Found {
    fn add(&mut self, table: &'static str, column: &'static str, what: &'static str, row: &Row<'_>) {
        *self.by_column.entry((table, column)).or_default() += 1;
        self.findings.add(|| Finding {
            row: row.get(0).ok(),
            key: uuid_of(row),
            ..Finding::new(what).table(table).column(column)
        });
    }

    /// Adds what was found in another table.
    fn take(&mut self, other: Self) {
        self.rows += other.rows;
        self.not_looked_at += other.not_looked_at;
        self.by_column.extend(other.by_column);
        let not_kept = other.findings.total - other.findings.kept.len() as u64;
        for finding in other.findings.kept {
            self.findings.add(|| finding);
        }
        self.findings.total += not_kept;
    }

    fn outcome(mut self) -> Outcome {
        if self.findings.is_empty() && self.unreadable.is_empty() {
            let left_out = match self.not_looked_at {
                0 => String::new(),
                n => format!("; {} too long to look at in UTF-16", counted(n, "value was", "values were")),
            };
            let rows = counted(self.rows, "row", "rows");
            return Outcome::pass(format!("every value of {rows} looks like banger's{left_out}"));
        }
        let mut said = Vec::new();
        if !self.findings.is_empty() {
            self.findings.at_least = !self.unreadable.is_empty();
            let places: Vec<String> = self
                .by_column
                .iter()
                .map(|((table, column), count)| format!("{table}.{column} ({count})"))
                .collect();
            let values = self.findings.count("value", "values");
            said.push(format!("{values} that no banger wrote, in {}", places.join(", ")));
        }
        for Unreadable { table, rows, error } in &self.unreadable {
            let rows = counted(*rows, "row", "rows");
            said.push(format!("{table} could not be read to its end, after {rows} of it: {error}"));
            self.findings.add(|| Finding::new("could not be read to its end").table(*table));
        }
        let remedy = if self.unreadable.is_empty() {
            REMEDY
        } else {
            KEEP_AND_SAVE
        };
        Outcome::found(said.join("; "), remedy, self.findings)
    }
}

const REMEDY: &str = "stop banger, keep a copy of the store with its -wal, -shm and -journal, and suspect the disk or whatever else wrote to the store; restore a backup, or let banger re-create the VMs and images that are named; all other rows are whole";

/// The row's id, where it is a UUID and tells nothing: the first column after the rowid that was read as text.
fn uuid_of(row: &Row<'_>) -> Option<String> {
    let at = row.as_ref().column_index("id").ok()?;
    match row.get_ref(at).ok()? {
        ValueRef::Text(bytes) if is_uuid(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
