//! Checks a rule for the values of every store: its text is in the store's encoding.

use super::scan_tables;
use crate::application::{Column, Rule, Table};
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::kind::Kind;
use crate::findings::{Finding, LONGEST_NAME};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::store::page_reader::{TableValues, ValueCounts, Values};
use crate::text::words::{cut, plural};

/// The number of columns that are looked at; each column of an untrusted schema costs memory.
const MOST_COLUMNS: usize = 50_000;

/// The tables whose values are read.
#[derive(Default)]
struct TablesToRead {
    tables: Vec<Table>,
    /// The figures of those that the reader has found sound, at the same places.
    read: Vec<Option<ValueCounts>>,
    /// The number of further tables, of which there is no name to ask for.
    passed_over: u64,
}

pub(super) fn look(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let looked = if let Some(values) = &context.sound()?.values {
        tables_after_reader(values, handle)?
    } else {
        let encoding = handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))?;
        if encoding != ["UTF-8"] {
            return Ok(Outcome::skip(
                "the store keeps its text in UTF-16, which SQLite puts right as it reads it",
            ));
        }
        all_tables(handle)?
    };
    let TablesToRead {
        tables,
        read,
        passed_over,
    } = &looked;
    let found = scan_tables(handle, context.application, tables, read, introspect::columns_of_ordinary)?;
    let rows = plural(found.rows, "row", "rows");
    let count = plural(tables.len() as u64, "table", "tables");
    let mut sound = format!("the text in {rows} of {count} is in the store's encoding, UTF-8");
    if *passed_over > 0 {
        let words = plural(*passed_over, "table whose name is not UTF-8", "tables whose names are not UTF-8");
        sound += &format!("; not looked at: {words}");
    }
    let outcome = found.outcome_in_words(sound, |found| {
        format!("{} not UTF-8", found.count("value of text that is", "values of text that are"))
    });
    Ok(with_counters(outcome, odd_counters(handle)?))
}

/// Returns all ordinary tables. The columns are asked for only of those that the reader has not found sound.
fn tables_after_reader(values: &Values, handle: &ReadOnly) -> Result<TablesToRead> {
    let mut room = MOST_COLUMNS;
    let mut looked = TablesToRead::default();
    for TableValues { name, sound } in &values.tables {
        let columns_of = |sound: &ValueCounts| usize::try_from(sound.columns).unwrap_or(usize::MAX);
        let sound = sound.filter(|sound| columns_of(sound) <= room);
        let columns = match &sound {
            Some(sound) => {
                room -= columns_of(sound);
                Vec::new()
            }
            None => columns_to_ask_for(handle, name, &mut room)?,
        };
        looked.tables.push(table(name.clone(), columns));
        looked.read.push(sound);
    }
    Ok(looked)
}

/// Returns all ordinary tables and those of their columns that can be asked for. A column that is missing here is counted as one
/// for which there is no rule.
fn all_tables(handle: &ReadOnly) -> Result<TablesToRead> {
    let ordinary = introspect::ordinary_tables(handle)?;
    let mut room = MOST_COLUMNS;
    let mut looked = TablesToRead {
        passed_over: ordinary.passed_over,
        ..TablesToRead::default()
    };
    for name in ordinary.names {
        let columns = columns_to_ask_for(handle, &name, &mut room)?;
        looked.tables.push(table(name, columns));
    }
    Ok(looked)
}

/// Returns the columns of a table that can be asked for, and takes them from the room that is left.
fn columns_to_ask_for(handle: &ReadOnly, table: &str, room: &mut usize) -> Result<Vec<Column>> {
    let names = introspect::columns_of_ordinary(handle, table)?.names.into_iter();
    let names = names.filter(|name| introspect::can_be_asked_for(name));
    let columns: Vec<Column> = names.take((*room).min(introspect::MOST_COLUMNS_ASKED)).map(column).collect();
    *room -= columns.len();
    Ok(columns)
}

fn table(name: String, columns: Vec<Column>) -> Table {
    Table {
        name: name.into(),
        columns: columns.into(),
    }
}

fn column(name: String) -> Column {
    Column {
        name: name.into(),
        rule: Rule::Unknown,
        names_file: None,
    }
}

/// The most counters that are named.
const MOST_COUNTERS: usize = 10;

/// Returns notes on the AUTOINCREMENT counters that are not what SQLite writes, or at their end: no row can be inserted into their
/// tables then ("SQLite Autoincrement"). SQLite takes the first of several rows for one table, and text for the number with which it
/// begins (`autoIncBegin` in `insert.c`). It writes NULL itself, after an INSERT of no row.
fn odd_counters(handle: &ReadOnly) -> Result<Vec<Finding>> {
    if handle.number("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sqlite_sequence'")? == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT name, count(*) AS rows, max(seq = 9223372036854775807) AS is_at_end, max(typeof(seq) NOT IN ('integer', 'null')) AS is_odd
         FROM sqlite_sequence WHERE name IN (SELECT name FROM sqlite_schema WHERE type = 'table') GROUP BY name
         HAVING rows > 1 OR is_at_end OR is_odd LIMIT {MOST_COUNTERS}"
    );
    let notes = handle.collect(&sql, [], |row| {
        let name = row.get_ref(0)?.as_bytes_or_null()?.unwrap_or_default();
        let table = cut(&String::from_utf8_lossy(name), LONGEST_NAME);
        let rows = row.get::<_, i64>(1)?;
        let is_at_end = row.get::<_, Option<bool>>(2)?.unwrap_or_default();
        let (kind, what) = if is_at_end {
            (Kind::CounterAtEnd, "is at its end, so that no row can be inserted".to_owned())
        } else if rows > 1 {
            let what = format!("is there {rows} times, of which SQLite takes one: rowids of deleted rows may be given again");
            (Kind::CounterWrong, what)
        } else {
            let what = "is no integer, and SQLite takes the number with which it begins, or 0: rowids of deleted rows may be given again";
            (Kind::CounterWrong, what.to_owned())
        };
        Ok(Finding::note(kind, format!("the AUTOINCREMENT counter of {table} in sqlite_sequence {what}")).table(table))
    });
    match notes {
        Err(error) if error.is_own_bound() => Err(error),
        // A table that cannot be read is for `page-structure` to report.
        notes => Ok(notes.unwrap_or_default()),
    }
}

/// Adds notes on counters to a pass.
fn with_counters(outcome: Outcome, counters: Vec<Finding>) -> Outcome {
    let Outcome::Pass { mut detail, mut notes } = outcome else {
        return outcome;
    };
    for note in counters {
        detail = format!("{detail}; {}", note.what());
        notes.add(|| note);
    }
    Outcome::Pass { detail, notes }
}
