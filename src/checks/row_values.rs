//! Does every value look like one that banger wrote? One pass over each table, each value judged where it lies.

pub(crate) mod rules;

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
        let ended = Table::known(handle, table, rules).and_then(|table| {
            let Some(table) = table else { return Ok(()) };
            found.columns += table.columns.len() as u64;
            found.without_rule += table.without_rule;
            let (of_table, ended) = table.scan(handle);
            rows = of_table.rows;
            found.take(of_table);
            ended
        });
        match ended {
            Err(error) if error.is_own_bound() => return Err(error),
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
    /// How many columns were looked at, and how many of the same tables were not, because banger does not have them.
    columns: u64,
    without_rule: u64,
    /// How many values are too long to be read at once, and cannot be read in pieces.
    too_long: u64,
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
    /// How many other columns it has.
    without_rule: u64,
    /// How the number of a row is called; `None` in a table WITHOUT ROWID.
    rowid: Option<&'static str>,
}

impl Table {
    /// Which of banger's columns a table has, where it has any; what is missing is `schema-shape`'s to say.
    fn known(handle: &ReadOnly, name: &'static str, rules: &'static [(&'static str, Rule)]) -> Result<Option<Self>> {
        let there = tables::columns(handle, name)?;
        let columns: Vec<(&str, Rule)> = rules.iter().copied().filter(|(column, _)| there.has(column)).collect();
        let without_rule = (there.names.len() - columns.len()) as u64;
        Ok((!columns.is_empty()).then_some(Self {
            name,
            columns,
            without_rule,
            rowid: there.rowid,
        }))
    }

    /// A SELECT of the row's number and of these parts.
    fn select(&self, parts: &[String]) -> String {
        let rowid = self.rowid.unwrap_or("NULL");
        format!("SELECT {rowid}, {} FROM {} NOT INDEXED", parts.join(", "), quoted(self.name))
    }

    /// What was found, and what ended the scan before its end.
    fn scan(&self, handle: &ReadOnly) -> (Found, Result<()>) {
        let mut found = Found::default();
        let mut ended = self.scan_whole_values(handle, &mut found);
        // A value is longer than is ever read whole: begin again, and read the long ones in pieces.
        if matches!(&ended, Err(error) if error.sqlite_code() == Some(rusqlite::ErrorCode::TooBig)) {
            found = Found::default();
            ended = self.scan_long_values(handle, &mut found);
        }
        (found, ended)
    }

    fn scan_whole_values(&self, handle: &ReadOnly, found: &mut Found) -> Result<()> {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        let sql = self.select(&names);
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
        let sql = self.select(&parts);
        // A cell is opened by its row's number, and read as the bytes that lie there.
        let in_pieces =
            self.rowid.is_some() && handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))? == ["UTF-8"];
        handle.rows(&sql, [], |row| {
            found.rows += 1;
            for (n, (name, rule)) in self.columns.iter().enumerate() {
                let get = |at: usize| row.get_ref(1 + 3 * n + at).map_err(Error::sqlite(&sql));
                let fault = match (get(0)?, get(1)?) {
                    (ValueRef::Integer(1), ValueRef::Integer(1)) if in_pieces => {
                        self.long_fault(handle, name, *rule, row)?
                    }
                    (ValueRef::Integer(1), ValueRef::Integer(1)) => {
                        found.too_long += 1;
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
            .map_err(|error| match error.downcast::<Error>().map_err(io::Error::downcast) {
                Ok(error) => error,
                Err(Ok(error)) => Error::sqlite("incremental blob I/O")(error),
                // Nothing else is read from.
                Err(Err(_)) => Error::NotAStore("a long value could not be read to its end".to_owned()),
            })
    }
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
        self.too_long += other.too_long;
        self.by_column.extend(other.by_column);
        let not_kept = other.findings.total - other.findings.kept.len() as u64;
        for finding in other.findings.kept {
            self.findings.add(|| finding);
        }
        self.findings.total += not_kept;
    }

    /// What was not looked at.
    fn left_out(&self) -> String {
        let mut out = String::new();
        if self.without_rule > 0 {
            out += &format!("; not looked at: {}", counted(self.without_rule, "other column", "other columns"));
        }
        if self.too_long > 0 {
            out += &format!("; {} too long to look at", counted(self.too_long, "value was", "values were"));
        }
        out
    }

    fn outcome(mut self) -> Outcome {
        if self.findings.is_empty() && self.unreadable.is_empty() {
            let rows = counted(self.rows, "row", "rows");
            let columns = counted(self.columns, "column", "columns");
            let known = format!("every value of {rows} in {columns} looks like banger's");
            return Outcome::pass(known + &self.left_out());
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
        Outcome::found(said.join("; ") + &self.left_out(), remedy, self.findings)
    }
}

const REMEDY: &str = "stop banger, keep a copy of the store with its -wal, -shm and -journal, and suspect the disk or whatever else wrote to the store; restore a backup, or let banger re-create the VMs and images that are named";

/// The row's id, where it is a UUID and tells nothing: the first column after the rowid that was read as text.
fn uuid_of(row: &Row<'_>) -> Option<String> {
    let at = row.as_ref().column_index("id").ok()?;
    match row.get_ref(at).ok()? {
        ValueRef::Text(bytes) if is_uuid(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
