//! What holds for the values of every store: that its text is in the store's encoding.

use super::scan_tables;
use crate::application::{Application, Column, Rule, Table};
use crate::error::Result;
use crate::findings::LONGEST_NAME;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect;
use crate::text::words::plural;

/// The number of columns that are looked at; each column of an untrusted schema costs memory.
const MOST_COLUMNS: usize = 50_000;

/// The number of columns of one table that are looked at: SQLite takes 2,000 in a statement, and a long value takes three.
const MOST_OF_A_TABLE: usize = 600;

pub(super) fn look(application: &Application, handle: &ReadOnly) -> Result<Outcome> {
    let encoding = handle.collect("PRAGMA encoding", [], |row| row.get::<_, String>(0))?;
    if encoding != ["UTF-8"] {
        return Ok(Outcome::skip(
            "the store keeps its text in UTF-16, which SQLite puts right as it reads it",
        ));
    }
    let (all, passed_over) = all_columns(handle)?;
    let found = scan_tables(handle, application, &all, introspect::columns_of_ordinary)?;
    let rows = plural(found.rows, "row", "rows");
    let tables = plural(all.len() as u64, "table", "tables");
    let mut sound = format!("the text in {rows} of {tables} is in the store's encoding, UTF-8");
    if passed_over > 0 {
        let words = plural(passed_over, "table whose name is not UTF-8", "tables whose names are not UTF-8");
        sound += &format!("; not looked at: {words}");
    }
    Ok(found.outcome_in_words(sound, |found| {
        format!("{} not UTF-8", found.count("value of text that is", "values of text that are"))
    }))
}

/// Returns the columns of all ordinary tables that can be asked for; and how many tables there are more, of which there is no name to
/// ask for. A column that is missing here is counted as one for which there is no rule.
fn all_columns(handle: &ReadOnly) -> Result<(Vec<Table>, u64)> {
    let ordinary = introspect::ordinary_tables(handle)?;
    let mut room = MOST_COLUMNS;
    let mut all = Vec::new();
    for name in ordinary.names {
        let names = introspect::columns_of_ordinary(handle, &name)?
            .names
            .into_iter()
            .filter(|name| is_whole(name));
        let columns: Vec<Column> = names.take(room.min(MOST_OF_A_TABLE)).map(column).collect();
        room -= columns.len();
        all.push(Table {
            name: name.into(),
            columns: columns.into(),
        });
    }
    Ok((all, ordinary.passed_over))
}

/// Returns true if this is a column's own name: one that was cut or mended is not.
fn is_whole(name: &str) -> bool {
    name.chars().count() < LONGEST_NAME && !name.contains(char::REPLACEMENT_CHARACTER)
}

fn column(name: String) -> Column {
    Column {
        name: name.into(),
        rule: Rule::Unknown,
        names_file: None,
    }
}
