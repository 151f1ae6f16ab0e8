//! Does every row that refers to another refer to one that is there?

use crate::check::{Check, Finding, Findings, Look, Needs, Outcome};
use crate::error::{Error, Result};
use crate::schema::tables::{self, quoted};
use crate::store::ReadOnly;
use crate::subject::Subject;
use crate::words::counted;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "foreign-keys",
    summary: "every row that refers to another row refers to one that is there",
    needs: Needs::ReadOnly,
    look: Look::Handle(look),
};

fn look(_subject: &Subject<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let mut findings = Findings::default();
    let mut unreadable = Vec::new();
    let mut keys = 0;
    // Table by table: over the whole store one mismatched definition would end the check.
    for table in tables::ordinary(handle)? {
        let columns = match referring_columns(handle, &table) {
            Ok(columns) => columns,
            Err(error) => {
                stop_or_note(error, &table, &mut unreadable)?;
                continue;
            }
        };
        if columns.is_empty() {
            continue;
        }
        keys += columns.len() as u64;
        if let Err(error) = check_table(handle, &table, &columns, &mut findings) {
            stop_or_note(error, &table, &mut unreadable)?;
        }
    }
    Ok(outcome(keys, findings, &unreadable))
}

/// A table that cannot be read is noted and the next one looked at; the time limit ends the check.
fn stop_or_note(error: Error, table: &str, unreadable: &mut Vec<(String, Error)>) -> Result<()> {
    if error.stopped().is_some() {
        return Err(error);
    }
    unreadable.push((table.to_owned(), error));
    Ok(())
}

fn outcome(keys: u64, mut findings: Findings, unreadable: &[(String, Error)]) -> Outcome {
    if findings.is_empty() && unreadable.is_empty() {
        return Outcome::pass(match keys {
            0 => "no table has a foreign key".to_owned(),
            _ => counted(keys, "foreign key holds", "foreign keys hold"),
        });
    }
    let mut said = Vec::new();
    let remedy = if findings.is_empty() {
        "mend first what `page-structure` found, then run the doctor again"
    } else {
        "stop banger and keep a copy of the store with its -wal, -shm and -journal; then give back what is missing (a VM whose image is gone cannot start until the image is registered again), or let banger remove what these rows stand for; do not delete them with SQL"
    };
    if !findings.is_empty() {
        findings.at_least = !unreadable.is_empty();
        said.push(format!(
            "{} not there: deleted, or lost",
            findings.count("row refers to a row that is", "rows refer to rows that are")
        ));
    }
    for (table, error) in unreadable {
        said.push(format!("{table} could not be checked: {error}"));
        findings.add(|| Finding::new("could not be checked").table(table));
    }
    Outcome::found(said.join("; "), remedy, findings)
}

/// The referring columns of each of a table's foreign keys, by the key's number.
fn referring_columns(handle: &ReadOnly, table: &str) -> Result<Vec<(i64, Vec<String>)>> {
    let sql = format!("PRAGMA foreign_key_list({})", quoted(table));
    let mut keys: Vec<(i64, Vec<String>)> = Vec::new();
    for (id, column) in handle.collect(&sql, [], |row| Ok((row.get("id")?, row.get("from")?)))? {
        match keys.iter_mut().find(|(known, _)| *known == id) {
            Some((_, columns)) => columns.push(column),
            None => keys.push((id, vec![column])),
        }
    }
    Ok(keys)
}

fn check_table(handle: &ReadOnly, table: &str, columns: &[(i64, Vec<String>)], findings: &mut Findings) -> Result<()> {
    let sql = format!("PRAGMA foreign_key_check({})", quoted(table));
    handle.rows(&sql, [], |row| {
        let get = || -> rusqlite::Result<(Option<i64>, String, i64)> {
            Ok((row.get("rowid")?, row.get("parent")?, row.get("fkid")?))
        };
        let (rowid, parent, key) = get().map_err(Error::sqlite(&sql))?;
        findings.add(|| Finding {
            row: rowid,
            column: columns.iter().find(|(id, _)| *id == key).map(|(_, columns)| columns.join(", ")),
            ..Finding::new(format!("refers to a row of {parent} that is not there")).table(table)
        });
        Ok(())
    })
}
