//! Checks that every row that refers to another refers to an existing one.
//!
//! SQLite enforces foreign keys only for an application that asks for it, and many never do. Where it is not known to, a key is told
//! from a loss by the form of its fault: that all rows dangle, that the parent is empty or was never made, or that 0, '' or -1 stands
//! for "none", is not what damage leaves behind.

use std::collections::BTreeMap;

use crate::application::{Application, Problem};
use crate::checks::check::LeftOut;
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings, LONGEST_NAME, MOST_FINDINGS};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::{self, ForeignKeyInfo, quoted};
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
    let are_enforced = are_enforced(context, handle);
    handle.with_long_values(|| check_tables(context.application, handle, are_enforced))?
}

/// Returns true if the application is known to have SQLite enforce its foreign keys.
fn are_enforced(context: &StoreContext<'_>, handle: &ReadOnly) -> bool {
    let application = context.application;
    let Some(folder) = application.folder() else {
        return application.has_builtin_migrations();
    };
    folder.foreign_keys.unwrap_or_else(|| {
        // Where the tool cannot be told, nothing is excused.
        let by_default = context.status(handle).ok().map(|status| status.dialect.foreign_keys);
        by_default.unwrap_or(true)
    })
}

fn check_tables(application: &Application, handle: &ReadOnly, are_enforced: bool) -> Result<Outcome> {
    let tables = introspect::ordinary_tables(handle)?;
    let mut found = KeyFindings {
        unnamed: tables.passed_over,
        are_enforced,
        ..KeyFindings::default()
    };
    // Table by table: over the whole store one mismatched definition would end the check.
    for table in &tables.names {
        match found.check(handle, table) {
            // A table that cannot be read is noted and the next one looked at; the doctor's own bounds end the check.
            Err(error) if error.is_own_bound() => return Err(error),
            // A collation that only the application has, or a key that SQLite refuses: neither need be a fault.
            Err(error) if !application.has_builtin_migrations() && error.is_refusal() && error.is_while_preparing() => {
                found.refused.count(error.sqlite_message(), table);
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
    /// True if the application has SQLite enforce its keys.
    are_enforced: bool,
    /// The number of rows that dangle.
    rows: u64,
    findings: Findings,
    /// The keys that were never enforced.
    never_enforced: Vec<NeverEnforced>,
    never_enforced_total: u64,
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
        let keys = introspect::foreign_keys(handle, table)?;
        if keys.is_empty() {
            return Ok(());
        }
        let found = dangling(handle, table, &keys)?;
        self.keys += keys.len() as u64;
        for (id, dangling) in found {
            let key = keys.iter().find(|key| key.id == id);
            let form = match key.filter(|_| !self.are_enforced) {
                Some(key) => form(handle, table, key, dangling.rows)?,
                None => None,
            };
            if let (Some(form), Some(key)) = (form, key) {
                self.never_enforced_total += 1;
                if self.never_enforced.len() < MOST_UNREADABLE {
                    self.never_enforced.push(NeverEnforced::new(table, key, dangling.rows, form));
                }
                continue;
            }
            self.rows += dangling.rows;
            let more = dangling.rows - dangling.kept.len() as u64;
            for finding in dangling.kept {
                self.findings.add(|| finding);
            }
            self.findings.total += more;
        }
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
            let keys = match self.keys - self.never_enforced_total {
                0 if self.never_enforced_total > 0 => "no other foreign key".to_owned(),
                0 if self.refused.reasons() > 0 => "no other table has a foreign key".to_owned(),
                0 => "no table has a foreign key".to_owned(),
                keys => plural(keys, "foreign key holds", "foreign keys hold"),
            };
            let mut notes = Findings::default();
            for key in &self.never_enforced {
                notes.add(|| key.note());
            }
            notes.total = self.never_enforced_total;
            return Outcome::noted(keys + &self.describe_never_enforced() + &left_out, notes);
        }
        self.failure(&left_out)
    }

    /// Returns the keys that were never enforced, after what holds.
    fn describe_never_enforced(&self) -> String {
        let keys: Vec<String> = self.never_enforced.iter().map(NeverEnforced::describe).collect();
        let more = match self.never_enforced_total - self.never_enforced.len() as u64 {
            0 => String::new(),
            more => format!("; {}", plural(more, "more such key", "more such keys")),
        };
        if keys.is_empty() {
            return String::new();
        }
        format!(
            "; SQLite enforces foreign keys only for an application that asks for it, and these seem never to have been: {}{more}",
            keys.join("; ")
        )
    }

    fn failure(self, left_out: &str) -> Outcome {
        let never_enforced = self.describe_never_enforced();
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
            Problem::Dangling { rows: self.rows }
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
        Outcome::found(said.join("; ") + &never_enforced + left_out, problem, findings)
    }
}

/// The rows of one key that dangle.
#[derive(Debug, Default)]
struct DanglingRows {
    rows: u64,
    /// The first ones.
    kept: Vec<Finding>,
}

/// Returns the rows of a table that refer to rows that are not there, by the numbers of its keys.
fn dangling(handle: &ReadOnly, table: &str, keys: &[ForeignKeyInfo]) -> Result<BTreeMap<i64, DanglingRows>> {
    let mut found: BTreeMap<i64, DanglingRows> = BTreeMap::new();
    let mut kept = 0;
    let sql = format!("PRAGMA foreign_key_check({})", quoted(table));
    handle.rows(&sql, [], |row| {
        let get = || -> rusqlite::Result<(Option<i64>, String, i64)> {
            let parent = row.get_ref("parent")?.as_bytes_or_null()?.unwrap_or_default();
            let parent = cut(&String::from_utf8_lossy(parent), LONGEST_NAME);
            Ok((row.get("rowid")?, parent, row.get("fkid")?))
        };
        let (rowid, parent, key) = get().map_err(Error::sqlite(&sql))?;
        let dangling = found.entry(key).or_default();
        dangling.rows += 1;
        if dangling.kept.len() < MOST_FINDINGS && kept < MOST_KEPT {
            kept += 1;
            dangling.kept.push(Finding {
                row: rowid,
                column: keys.iter().find(|other| other.id == key).map(shown_columns),
                ..Finding::new(format!("refers to a row of {parent} that is not there")).table(cut(table, LONGEST_NAME))
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The most findings that are kept of all keys of one table.
const MOST_KEPT: usize = 10 * MOST_FINDINGS;

/// Returns the referring columns of a key. Their names are cut: they are only printed.
fn shown_columns(key: &ForeignKeyInfo) -> String {
    let name = |(from, _): &(Vec<u8>, Vec<u8>)| cut(&String::from_utf8_lossy(from), LONGEST_NAME);
    let columns: Vec<String> = key.columns.iter().map(name).collect();
    columns.join(", ")
}

/// The form of a fault that no damage leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The parent was never made.
    NoParent,
    /// The parent has no row.
    EmptyParent,
    /// Every row that refers at all dangles.
    All,
    /// Every row that dangles holds 0, '' or -1.
    Placeholder,
}

/// A key of which all dangling rows have such a form.
#[derive(Debug)]
struct NeverEnforced {
    table: String,
    columns: String,
    parent: String,
    rows: u64,
    form: Form,
}

impl NeverEnforced {
    fn new(table: &str, key: &ForeignKeyInfo, rows: u64, form: Form) -> Self {
        Self {
            table: cut(table, LONGEST_NAME),
            columns: shown_columns(key),
            parent: cut(&String::from_utf8_lossy(&key.parent), LONGEST_NAME),
            rows,
            form,
        }
    }

    fn describe(&self) -> String {
        let Self {
            table,
            columns,
            parent,
            rows,
            form,
        } = self;
        let rows = plural(*rows, "row", "rows");
        match form {
            Form::NoParent => format!("{table}.{columns} ({rows}) refers to the table {parent}, which does not exist"),
            Form::EmptyParent => format!("{table}.{columns} ({rows}) refers to {parent}, which is empty"),
            Form::All => format!("all {rows} of {table}.{columns} refer to rows of {parent} that are not there"),
            Form::Placeholder => {
                format!("{table}.{columns} holds 0, '' or -1 for no row of {parent} ({rows})")
            }
        }
    }

    fn note(&self) -> Finding {
        let finding = Finding::note(Kind::KeyNotEnforced, self.describe());
        Finding {
            count: Some(self.rows),
            ..finding.table(&self.table).column(&self.columns)
        }
    }
}

/// Returns the form of a key's fault, if no damage leaves such a one behind. `rows` is the number of rows that dangle.
///
/// If SQLite refuses one of these statements, nothing is excused.
fn form(handle: &ReadOnly, table: &str, key: &ForeignKeyInfo, rows: u64) -> Result<Option<Form>> {
    let number = |sql: &str| match handle.number(sql) {
        Err(error) if error.is_own_bound() => Err(error),
        number => Ok(number.ok().and_then(|number| u64::try_from(number).ok())),
    };
    let names = |name: &[u8]| std::str::from_utf8(name).ok().map(quoted);
    let from: Option<Vec<String>> = key.columns.iter().map(|(from, _)| names(from)).collect();
    let (Some(parent), Some(from)) = (names(&key.parent), from) else {
        return Ok(None);
    };
    let is_parent = "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    if handle.collect(is_parent, [std::str::from_utf8(&key.parent).ok()], |_| Ok(()))?.is_empty() {
        return Ok(Some(Form::NoParent));
    }
    if number(&format!("SELECT EXISTS (SELECT 1 FROM {parent})"))? == Some(0) {
        return Ok(Some(Form::EmptyParent));
    }
    let table = quoted(table);
    let refers: Vec<String> = from.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    let refers = refers.join(" AND ");
    // One row alone has no form.
    if rows > 1 && number(&format!("SELECT count(*) FROM {table} AS c WHERE {refers}"))? == Some(rows) {
        return Ok(Some(Form::All));
    }
    let ([column], [(_, to)]) = (from.as_slice(), key.columns.as_slice()) else {
        return Ok(None);
    };
    let Some(to) = parent_column(handle, &key.parent, to)? else {
        return Ok(None);
    };
    let placeholders = format!(
        "SELECT count(*) FROM {table} AS c WHERE c.{column} IN (0, '', -1)
         AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.{to} = c.{column})"
    );
    Ok((number(&placeholders)? == Some(rows)).then_some(Form::Placeholder))
}

/// Returns the column of a parent to which a key refers, as SQL takes it: the one that it names, or the primary key.
fn parent_column(handle: &ReadOnly, parent: &[u8], named: &[u8]) -> Result<Option<String>> {
    if !named.is_empty() {
        return Ok(std::str::from_utf8(named).ok().map(quoted));
    }
    let Ok(parent) = std::str::from_utf8(parent) else {
        return Ok(None);
    };
    let mut key = None;
    introspect::each_column(handle, parent, |column| {
        if column.key_position == 1 {
            key = std::str::from_utf8(column.name).ok().map(quoted);
        }
    })?;
    Ok(key)
}
