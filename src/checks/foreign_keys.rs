//! Does every row that refers to another refer to one that is there?

use crate::application::{Application, Problem};
use crate::checks::check::LeftOut;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::{self, quoted};
use crate::text::words::{cut, plural};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::ForeignKeys,
    summary: "every row that refers to another row refers to one that is there",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    if let Some(keys) = context.sound()?.foreign_keys {
        return Ok(KeyFindings {
            keys,
            ..KeyFindings::default()
        }
        .outcome());
    }
    // SQLite compares the values of keys whole, however long they are.
    handle.with_long_values(|| check_tables(context.application, handle))?
}

fn check_tables(application: &Application, handle: &ReadOnly) -> Result<Outcome> {
    let tables = introspect::ordinary_tables(handle)?;
    let mut found = KeyFindings {
        unnamed: tables.passed_over,
        ..KeyFindings::default()
    };
    // Table by table: over the whole store one mismatched definition would end the check.
    for table in &tables.names {
        match found.check(handle, table) {
            // A table that cannot be read is noted and the next one looked at; the doctor's own bounds end the check.
            Err(error) if error.is_own_bound() => return Err(error),
            // A collation that only the application has, or a key that SQLite refuses: neither need be a fault.
            Err(error) if !application.has_builtin_migrations() && error.is_refusal() && error.is_while_preparing() => {
                found.refused.count(error.said_by_sqlite(), table);
            }
            Err(error) => {
                found.unreadable_total += 1;
                if found.unreadable.len() < MOST_UNREADABLE {
                    found.unreadable.push((cut(table, LONGEST_NAME), error));
                }
            }
            Ok(()) => {}
        }
    }
    Ok(found.outcome())
}

/// The number of unchecked tables that are named one by one.
const MOST_UNREADABLE: usize = 10;

/// The findings in all tables.
#[derive(Default)]
struct KeyFindings {
    keys: u64,
    findings: Findings,
    /// Tables that could not be checked, and why: the first ones.
    unreadable: Vec<(String, Error)>,
    unreadable_total: u64,
    /// The number of tables whose names are not UTF-8 and cannot be queried.
    unnamed: u64,
    /// Tables whose keys SQLite refuses to check.
    refused: LeftOut,
}

impl KeyFindings {
    fn check(&mut self, handle: &ReadOnly, table: &str) -> Result<()> {
        let columns = referring_columns(handle, table)?;
        if !columns.is_empty() {
            check_table(handle, table, &columns, &mut self.findings)?;
        }
        self.keys += columns.len() as u64;
        Ok(())
    }

    /// Returns the tables that were not looked at, which is no fault of the store.
    fn left_out(&self) -> String {
        let mut out = String::new();
        if self.unnamed > 0 {
            let tables = plural(self.unnamed, "table whose name is not UTF-8", "tables whose names are not UTF-8");
            out += &format!("; not looked at: {tables}");
        }
        for table in self.refused.words() {
            out += &format!("; not checked: {table}");
        }
        out
    }

    fn outcome(self) -> Outcome {
        let left_out = self.left_out();
        if self.findings.is_empty() && self.unreadable.is_empty() {
            let keys = match self.keys {
                0 if self.refused.reasons() > 0 => "no other table has a foreign key".to_owned(),
                0 => "no table has a foreign key".to_owned(),
                keys => plural(keys, "foreign key holds", "foreign keys hold"),
            };
            return Outcome::pass(keys + &left_out);
        }
        self.failure(&left_out)
    }

    fn failure(self, left_out: &str) -> Outcome {
        let Self {
            mut findings,
            unreadable,
            ..
        } = self;
        let mut said = Vec::new();
        let problem = if findings.is_empty() {
            Problem::KeysNotChecked {
                tables: self.unreadable_total,
            }
        } else {
            Problem::Dangling { rows: findings.total }
        };
        if !findings.is_empty() {
            findings.at_least = !unreadable.is_empty();
            said.push(format!(
                "{} not there: deleted, or lost",
                findings.count("row refers to a row that is", "rows refer to rows that are")
            ));
        }
        let unsaid = self.unreadable_total - unreadable.len() as u64;
        for (table, error) in unreadable {
            said.push(format!("{table} could not be checked: {error}"));
            findings.add(|| Finding::new("could not be checked").table(table));
        }
        if unsaid > 0 {
            said.push(format!("{} could not be checked either", plural(unsaid, "more table", "more tables")));
            findings.total += unsaid;
        }
        Outcome::found(said.join("; ") + left_out, problem, findings)
    }
}

/// Returns the referring columns of each of a table's foreign keys, by the key's number. Their names are cut: they are only printed.
fn referring_columns(handle: &ReadOnly, table: &str) -> Result<Vec<(i64, Vec<String>)>> {
    let name = |(from, _): &(Vec<u8>, Vec<u8>)| cut(&String::from_utf8_lossy(from), LONGEST_NAME);
    let keys = introspect::foreign_keys(handle, table)?;
    Ok(keys.iter().map(|key| (key.id, key.columns.iter().map(name).collect())).collect())
}

fn check_table(handle: &ReadOnly, table: &str, columns: &[(i64, Vec<String>)], findings: &mut Findings) -> Result<()> {
    let sql = format!("PRAGMA foreign_key_check({})", quoted(table));
    handle.rows(&sql, [], |row| {
        let get = || -> rusqlite::Result<(Option<i64>, String, i64)> {
            let parent = row.get_ref("parent")?.as_bytes_or_null()?.unwrap_or_default();
            let parent = cut(&String::from_utf8_lossy(parent), LONGEST_NAME);
            Ok((row.get("rowid")?, parent, row.get("fkid")?))
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
