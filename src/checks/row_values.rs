//! Checks that every value looks like one that the application wrote. The doctor's own reader judges each where it lies in its page.
//!
//! If it finds a value that is none, or may not read because the store's writers never rest, or does not understand a table,
//! SQL reads the tables: one pass over each, by the same rules. A test holds both to the same rows.

mod any;

use std::collections::BTreeMap;
use std::io;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::application::values::address::is_uuid;
use crate::application::{self, Application, Column, Problem, Rule};
use crate::checks::check::LeftOut;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::report::outcome::Outcome;
use crate::store::introspect::{self, OrdinaryColumns, quoted};
use crate::store::page_reader::ValueCounts;
use crate::store::{LONGEST_VALUE, ReadOnly};
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::RowValues,
    summary: "each value is one that the application could have written: text, JSON, times",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let application = context.application;
    if !application.has_builtin_migrations() {
        return any::look(context, handle);
    }
    if application.tables.is_empty() {
        return Ok(Outcome::skip(format!(
            "it is not known what {} writes into its columns",
            application.name()
        )));
    }
    let read = context.sound()?.values.as_ref();
    let read: Vec<_> = read.iter().flat_map(|read| &read.tables).map(|table| table.sound).collect();
    let found = scan_tables(handle, application, &application.tables, &read, introspect::ordinary_columns)?;
    Ok(found.outcome(application))
}

/// Looks at every value of these tables, as far as they are there. `read`: the figures of those that the reader has found sound,
/// at the places of the tables. `columns_of` returns the columns of one of them.
fn scan_tables<'a>(
    handle: &ReadOnly,
    application: &Application,
    tables: &'a [application::Table],
    read: &[Option<ValueCounts>],
    columns_of: impl Fn(&ReadOnly, &str) -> Result<OrdinaryColumns>,
) -> Result<ValueFindings<'a>> {
    let mut found = ValueFindings::default();
    for (at, table) in tables.iter().enumerate() {
        if let Some(Some(sound)) = read.get(at) {
            found.take_from_reader(*sound);
            continue;
        }
        let mut rows = 0;
        let ended = columns_of(handle, &table.name).and_then(|there| {
            let table = ReadableTable::known(&there, table);
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
            // A table WITHOUT ROWID in the order of a collation that only the application has.
            Err(error) if !application.has_builtin_migrations() && error.is_refusal() && error.is_while_preparing() => {
                let why = match error.sqlite_message() {
                    said if said.starts_with("no query solution") => {
                        "a collation of the application's orders it".to_owned()
                    }
                    said => said,
                };
                found.refused.count(why, &table.name);
            }
            Err(error) => found.unreadable.push(Unreadable {
                table: &table.name,
                rows,
                error,
            }),
            Ok(()) => {}
        }
    }
    Ok(found)
}

/// The number of faulty columns that are named.
const MOST_PLACES: usize = 30;

/// The number of unreadable tables that are named one by one.
const MOST_UNREADABLE: usize = 10;

/// The findings in all tables.
#[derive(Default)]
struct ValueFindings<'a> {
    rows: u64,
    /// The number of columns that were looked at, and of those in the same tables that have no rule.
    columns: u64,
    without_rule: u64,
    /// The number of values that are too long to be read at once and cannot be read in pieces.
    too_long: u64,
    findings: Findings,
    /// The number of faulty values in each column.
    by_column: BTreeMap<(&'a str, &'a str), u64>,
    unreadable: Vec<Unreadable<'a>>,
    /// Tables that SQLite refuses to read.
    refused: LeftOut,
}

/// A table that could not be read to its end.
struct Unreadable<'a> {
    table: &'a str,
    /// The number of rows that were looked at before the error.
    rows: u64,
    error: Error,
}

/// One of the application's tables, and those of its columns that are there.
struct ReadableTable<'a> {
    name: &'a str,
    columns: Vec<&'a Column>,
    /// The number of its other columns.
    without_rule: u64,
    /// The name of the rowid; `None` in a table WITHOUT ROWID.
    rowid: Option<&'static str>,
    /// True if a cell can be read in pieces: SQLite opens none of a table with generated columns.
    in_pieces: bool,
}

impl<'a> ReadableTable<'a> {
    /// Returns which of the application's columns a table has, where it has any; what is missing is `schema-shape`'s to say.
    fn known(there: &OrdinaryColumns, table: &'a application::Table) -> Option<Self> {
        let columns: Vec<&Column> = table.columns.iter().filter(|column| there.has(&column.name)).collect();
        let without_rule = (there.names.len() - columns.len()) as u64;
        (!columns.is_empty()).then_some(Self {
            name: &table.name,
            columns,
            without_rule,
            rowid: there.rowid,
            in_pieces: there.rowid.is_some() && !there.has_generated,
        })
    }

    /// Returns a SELECT of the row's number and of these parts.
    fn select(&self, parts: &[String]) -> String {
        let rowid = self.rowid.unwrap_or("NULL");
        format!("SELECT {rowid}, {} FROM {} NOT INDEXED", parts.join(", "), quoted(self.name))
    }

    /// Returns the findings, and the reason if the scan ended early.
    fn scan(&self, handle: &ReadOnly) -> (ValueFindings<'a>, Result<()>) {
        let mut found = ValueFindings::default();
        let mut ended = self.scan_whole_values(handle, &mut found);
        // A value is longer than is ever read whole: begin again, and read the long ones in pieces.
        if matches!(&ended, Err(error) if error.sqlite_code() == Some(rusqlite::ErrorCode::TooBig)) {
            found = ValueFindings::default();
            ended = self.scan_long_values(handle, &mut found);
        }
        (found, ended)
    }

    fn scan_whole_values(&self, handle: &ReadOnly, found: &mut ValueFindings<'a>) -> Result<()> {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let sql = self.select(&names);
        handle.rows(&sql, [], |row| {
            found.rows += 1;
            for (at, column) in self.columns.iter().enumerate() {
                if let Some(what) = column.rule.fault(row.get_ref(at + 1).map_err(Error::sqlite(&sql))?) {
                    found.add(self.name, &column.name, what, row);
                }
            }
            Ok(())
        })
    }

    /// Scans a table whose long values are only measured at first, and read in pieces afterwards.
    fn scan_long_values(&self, handle: &ReadOnly, found: &mut ValueFindings<'a>) -> Result<()> {
        let parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| quoted(&column.name))
            .map(|name| {
                let long = format!("octet_length({name}) > {LONGEST_VALUE}");
                format!("{long}, typeof({name}) = 'text', CASE WHEN NOT ifnull({long}, 0) THEN {name} END AS {name}")
            })
            .collect();
        let sql = self.select(&parts);
        // A cell is opened by its row's number, and read as the bytes that lie there.
        let in_pieces =
            self.in_pieces && handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))? == ["UTF-8"];
        handle.rows(&sql, [], |row| {
            found.rows += 1;
            for (n, column) in self.columns.iter().enumerate() {
                let get = |at: usize| row.get_ref(1 + 3 * n + at).map_err(Error::sqlite(&sql));
                let fault = match (get(0)?, get(1)?) {
                    (ValueRef::Integer(1), ValueRef::Integer(1)) if in_pieces => {
                        self.long_fault(handle, column, row)?
                    }
                    (ValueRef::Integer(1), ValueRef::Integer(1)) => {
                        found.too_long += 1;
                        None
                    }
                    (ValueRef::Integer(1), _) if column.rule == Rule::Unknown => None,
                    (ValueRef::Integer(1), _) => Some("a blob where text belongs"),
                    _ => column.rule.fault(get(2)?),
                };
                if let Some(what) = fault {
                    found.add(self.name, &column.name, what, row);
                }
            }
            Ok(())
        })
    }

    fn long_fault(&self, handle: &ReadOnly, column: &Column, row: &Row<'_>) -> Result<Option<&'static str>> {
        let rowid = row.get(0).map_err(Error::sqlite("rowid"))?;
        let open = || handle.cell(self.name, &column.name, rowid).map_err(io::Error::other);
        column
            .rule
            .fault_in(open)
            .map_err(|error| match error.downcast::<Error>().map_err(io::Error::downcast) {
                Ok(error) => error,
                Err(Ok(error)) => Error::sqlite("incremental blob I/O")(error),
                Err(Err(error)) => {
                    Error::Internal(format!("a long value was read from something else than SQLite: {error}"))
                }
            })
    }
}

impl<'a> ValueFindings<'a> {
    /// Adds a table in which the reader found every value to follow its rule.
    fn take_from_reader(&mut self, sound: ValueCounts) {
        self.rows += sound.rows;
        self.columns += sound.columns;
        self.without_rule += sound.without_rule;
    }

    fn add(&mut self, table: &'a str, column: &'a str, what: &'static str, row: &Row<'_>) {
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

    /// Returns a description of the parts that were not read.
    fn left_out(&self) -> String {
        let mut out = String::new();
        if self.without_rule > 0 {
            out += &format!("; not looked at: {}", plural(self.without_rule, "other column", "other columns"));
        }
        if self.too_long > 0 {
            out += &format!("; {} too long to look at", plural(self.too_long, "value was", "values were"));
        }
        for table in self.refused.words() {
            out += &format!("; not looked at: {table}");
        }
        out
    }

    fn outcome(self, application: &Application) -> Outcome {
        let name = application.name();
        let rows = plural(self.rows, "row", "rows");
        let columns = plural(self.columns, "column", "columns");
        let sound = format!("every value of {rows} in {columns} looks like {name}'s");
        self.outcome_in_words(sound, |found| format!("{} that {name} never writes", found.count("value", "values")))
    }

    /// `sound`: what is said where nothing is wrong. `wrong`: what is said of the values that are.
    fn outcome_in_words(mut self, sound: String, wrong: impl FnOnce(&Findings) -> String) -> Outcome {
        if self.findings.is_empty() && self.unreadable.is_empty() {
            return Outcome::pass(sound + &self.left_out());
        }
        let mut said = Vec::new();
        if !self.findings.is_empty() {
            self.findings.at_least = !self.unreadable.is_empty();
            said.push(format!("{}, in {}", wrong(&self.findings), self.places()));
        }
        let unsaid = self.unreadable.len().saturating_sub(MOST_UNREADABLE) as u64;
        for Unreadable { table, rows, error } in self.unreadable.iter().take(MOST_UNREADABLE) {
            let rows = plural(*rows, "row", "rows");
            said.push(format!("{table} could not be read to its end: after {rows}, {error}"));
        }
        for Unreadable { table, .. } in &self.unreadable {
            self.findings.add(|| Finding::new("could not be read to its end").table(*table));
        }
        if unsaid > 0 {
            said.push(format!(
                "{} could not be read to the end either",
                plural(unsaid, "more table", "more tables")
            ));
        }
        let problem = if self.unreadable.is_empty() {
            Problem::Values {
                values: self.findings.total,
            }
        } else {
            Problem::NotReadToEnd {
                tables: self.unreadable.len() as u64,
            }
        };
        Outcome::found(said.join("; ") + &self.left_out(), problem, self.findings)
    }

    /// Returns the columns in which something is wrong, with the number of values in each.
    fn places(&self) -> String {
        let all = self.by_column.iter().take(MOST_PLACES);
        let places: Vec<String> = all.map(|((table, column), count)| format!("{table}.{column} ({count})")).collect();
        let more = match self.by_column.len().saturating_sub(MOST_PLACES) as u64 {
            0 => String::new(),
            more => format!(" and {}", plural(more, "more column", "more columns")),
        };
        places.join(", ") + &more
    }
}

/// Returns the row's id, only if it is a UUID, which discloses nothing: the first column after the rowid that was read as text.
fn uuid_of(row: &Row<'_>) -> Option<String> {
    let at = row.as_ref().column_index("id").ok()?;
    match row.get_ref(at).ok()? {
        ValueRef::Text(bytes) if is_uuid(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
