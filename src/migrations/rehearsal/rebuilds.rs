//! Follows tables that a migration drops and makes again: rows that the copy leaves out, columns and values that come out as others, and the
//! triggers and indexes that went with the table.
//!
//! A table is read when it is dropped, and its successor at the end of the migration: what is written in between is the copy's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::kept::{exists, hash_value};
use super::losses::{name_of, root_of};
use super::verify::count_rows;
use crate::error::{Error, Result};
use crate::store::introspect::{self, quoted};
use crate::store::{Touched, Write};
use crate::text::words::plural;

/// The most values that are kept of one table: its first rows stand for all where it has more.
const MOST_VALUES: usize = 1 << 19;

/// The length in bytes from which only the length of a value is compared.
const LONGEST_COMPARED: usize = 1 << 20;

/// Something that became of a table, in the migration at this position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableChange {
    pub(super) table: String,
    pub(super) step: usize,
    pub(super) what: ChangeKind,
}

/// The change of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// So many of so many rows are not in its successor, and no statement deletes them.
    NotCopied { rows: u64, of: u64 },
    /// A column that had so many values is gone.
    ColumnGone { column: String, values: u64 },
    /// Each row has another value in a column than under the same key before, and no UPDATE names it.
    EveryValueChanged { column: String, compared: Compared },
    /// Each value of a column is the column's own name.
    OwnName { column: String, compared: Compared },
    /// So many values are kept as another type of SQLite's.
    OtherClass {
        column: String,
        from: Class,
        to: Class,
        values: u64,
    },
}

/// The rows that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    rows: u64,
    is_all: bool,
}

impl Compared {
    /// Returns them in words: "in all 3 rows", "in the first 1,000 rows".
    pub(super) fn words(self) -> String {
        let rows = plural(self.rows, "row", "rows");
        if self.is_all {
            format!("in {rows}")
        } else {
            format!("in the first {rows}, which alone were compared")
        }
    }
}

/// The way in which SQLite keeps a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Null,
    Integer,
    Real,
    Text,
    Blob,
}

impl Class {
    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(_) => Self::Integer,
            ValueRef::Real(_) => Self::Real,
            ValueRef::Text(_) => Self::Text,
            ValueRef::Blob(_) => Self::Blob,
        }
    }

    /// Returns its name as SQLite's `typeof` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Blob => "blob",
        }
    }
}

/// What is kept of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    hash: u64,
    class: Class,
    is_own_name: bool,
}

/// A table as it was when it was dropped.
#[derive(Debug)]
struct DroppedTable {
    name: String,
    step: usize,
    rows: u64,
    columns: Vec<String>,
    /// The columns of its key; none where its rows cannot be recognised.
    key: Vec<String>,
    /// The cells of the first rows, by the hash of their key.
    cells: HashMap<u64, Vec<Cell>>,
    is_all: bool,
}

/// A trigger or an index that went with its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoneObject {
    pub(super) table: String,
    pub(super) step: usize,
    /// "trigger" or "index".
    pub(super) kind: String,
    pub(super) name: String,
}

/// The tables that were dropped and made again in one run.
#[derive(Debug, Default)]
pub(super) struct Rebuilds {
    hash: RandomState,
    /// Those that the running migration dropped.
    open: Vec<DroppedTable>,
    /// The rows that statements of the running migration deleted from each table, whose name is in lower case.
    deleted: BTreeMap<String, u64>,
    /// The columns that statements of the running migration updated, in lower case.
    updated: BTreeSet<(String, String)>,
    /// The tables from which triggers or actions of the running statement may delete, and their rows before it.
    deleting: Vec<(String, u64)>,
    /// The column that the running statement drops, with its table and number of values.
    dropping: Option<(String, String, u64)>,
    /// The table that the running statement alters, and its root page.
    altering: Option<(String, i64)>,
    objects: Vec<GoneObject>,
    changes: Vec<TableChange>,
}

impl Rebuilds {
    /// Returns the changes of tables, in the order of the migrations.
    pub(super) fn changes(&self) -> &[TableChange] {
        &self.changes
    }

    /// Returns the triggers and indexes that went with tables that are there again, and that are not there themselves.
    ///
    /// # Errors
    /// Fails if SQLite refuses a statement.
    pub(super) fn find_gone_objects(&self, conn: &Connection) -> Result<Vec<GoneObject>> {
        let mut gone = Vec::new();
        for object in &self.objects {
            let sql = "SELECT 1 FROM main.sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE";
            let there = conn.query_row(sql, [&object.kind, &object.name], |_| Ok(())).optional();
            let is_there = there.map_err(Error::sqlite(sql))?.is_some();
            if !is_there && exists(conn, &object.table)? && !gone.contains(object) {
                gone.push(object.clone());
            }
        }
        Ok(gone)
    }

    /// Called before a statement of this text runs that may do this, in the migration at this position.
    pub(super) fn before_statement(
        &mut self,
        conn: &Connection,
        sql: &str,
        statement: &Touched,
        step: usize,
    ) -> Result<()> {
        for table in &statement.dropped {
            if exists(conn, table)? {
                self.conclude(conn, table)?;
                let dropped = DroppedTable::read(conn, table, step, &self.hash)?;
                self.objects.extend(objects_of(conn, table, step)?);
                self.open.push(dropped);
                let table = table.to_ascii_lowercase();
                self.deleted.remove(&table);
                self.updated.retain(|(of, _)| *of != table);
            }
        }
        let lower = |(table, column): &(String, String)| (table.to_ascii_lowercase(), column.to_ascii_lowercase());
        self.updated.extend(statement.updates.iter().map(lower));
        self.deleting.clear();
        for table in &statement.deletes_elsewhere {
            if exists(conn, table)? {
                self.deleting.push((table.clone(), count_rows(conn, table)?));
            }
        }
        self.dropping = None;
        self.altering = None;
        if let Some(table) = &statement.altered {
            self.altering = root_of(conn, table)?.map(|root| (table.clone(), root));
            if let Some(column) = dropped_column(sql) {
                let values = count_values(conn, table, &column)?;
                self.dropping = Some((table.clone(), column, values));
            }
        }
        Ok(())
    }

    /// Called after it ran.
    pub(super) fn after_statement(&mut self, conn: &Connection, statement: &Touched, step: usize) -> Result<()> {
        // SQLite announces the rows of a table that is dropped as deleted, and does not count them.
        if let Some(Write::Delete(table)) = statement.target.as_ref().filter(|_| statement.dropped.is_empty()) {
            *self.deleted.entry(table.to_ascii_lowercase()).or_default() += conn.changes();
        }
        for (table, before) in std::mem::take(&mut self.deleting) {
            if exists(conn, &table)? {
                let deleted = before.saturating_sub(count_rows(conn, &table)?);
                *self.deleted.entry(table.to_ascii_lowercase()).or_default() += deleted;
            }
        }
        if let Some((table, column, values)) = self.dropping.take().filter(|(_, _, values)| *values > 0) {
            let what = ChangeKind::ColumnGone { column, values };
            self.changes.push(TableChange { table, step, what });
        }
        if let Some((old, root)) = self.altering.take()
            && !exists(conn, &old)?
            && let Some(new) = name_of(conn, root)?
        {
            self.rename(&old.to_ascii_lowercase(), &new.to_ascii_lowercase());
        }
        Ok(())
    }

    /// Called after each migration.
    pub(super) fn after_step(&mut self, conn: &Connection) -> Result<()> {
        while let Some(dropped) = self.open.first() {
            let table = dropped.name.clone();
            self.conclude(conn, &table)?;
            // It is gone for good, or comes again in another migration.
            self.open.retain(|open| !open.name.eq_ignore_ascii_case(&table));
        }
        self.deleted.clear();
        self.updated.clear();
        Ok(())
    }

    fn rename(&mut self, old: &str, new: &str) {
        if let Some(rows) = self.deleted.remove(old) {
            *self.deleted.entry(new.to_owned()).or_default() += rows;
        }
        let updated = std::mem::take(&mut self.updated);
        let renamed = |(table, column)| (if table == old { new.to_owned() } else { table }, column);
        self.updated = updated.into_iter().map(renamed).collect();
    }

    /// Compares a table that was dropped with its successor, if it has one by now.
    fn conclude(&mut self, conn: &Connection, table: &str) -> Result<()> {
        let Some(at) = self.open.iter().position(|open| open.name.eq_ignore_ascii_case(table)) else {
            return Ok(());
        };
        if !exists(conn, table)? {
            return Ok(());
        }
        let before = self.open.swap_remove(at);
        let lower = table.to_ascii_lowercase();
        let deleted = self.deleted.get(&lower).copied().unwrap_or(0);
        let now = count_rows(conn, table)?;
        let mut found = Vec::new();
        let rows = before.rows.saturating_sub(now).saturating_sub(deleted);
        if rows > 0 {
            found.push(ChangeKind::NotCopied { rows, of: before.rows });
        }
        let is_updated = |column: &str| self.updated.contains(&(lower.clone(), column.to_ascii_lowercase()));
        before.compare(conn, table, is_updated, &self.hash, &mut found)?;
        self.changes.extend(found.into_iter().map(|what| TableChange {
            table: before.name.clone(),
            step: before.step,
            what,
        }));
        Ok(())
    }
}

impl DroppedTable {
    fn read(conn: &Connection, table: &str, step: usize, hash: &RandomState) -> Result<Self> {
        let (columns, key) = columns_and_key(conn, table)?;
        let most = MOST_VALUES / (columns.len() + 1);
        let mut cells = HashMap::new();
        let mut is_all = true;
        if !key.is_empty() {
            each_row(conn, table, &key, &columns, hash, Some(most + 1), |key, row| {
                if cells.len() < most {
                    cells.insert(key, row.to_vec());
                } else {
                    is_all = false;
                }
            })?;
        }
        Ok(Self {
            name: table.to_owned(),
            step,
            rows: count_rows(conn, table)?,
            columns,
            key,
            cells,
            is_all,
        })
    }

    /// Compares the rows with those of the table that has its name now.
    fn compare(
        &self,
        conn: &Connection,
        table: &str,
        is_updated: impl Fn(&str) -> bool,
        hash: &RandomState,
        found: &mut Vec<ChangeKind>,
    ) -> Result<()> {
        let (now, _) = columns_and_key(conn, table)?;
        let has = |names: &[String], name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        if self.cells.is_empty() || !self.key.iter().all(|column| has(&now, column)) {
            return Ok(());
        }
        let mut pairs: Vec<ColumnPair> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            if has(&now, column) {
                pairs.push(ColumnPair::of(at, column));
            } else {
                // What was renamed by the copy holds the same values under another name.
                pairs.extend(now.iter().filter(|new| !has(&self.columns, new)).map(|new| ColumnPair::of(at, new)));
            }
        }
        let read: Vec<String> = pairs.iter().map(|pair| pair.now.clone()).collect();
        let mut matched = 0;
        for chunk in (0..pairs.len().max(1)).step_by(introspect::MOST_COLUMNS_ASKED) {
            let end = pairs.len().min(chunk + introspect::MOST_COLUMNS_ASKED);
            matched = 0;
            let names = read.get(chunk..end).unwrap_or_default();
            each_row(conn, table, &self.key, names, hash, None, |key, row| {
                let Some(before) = self.cells.get(&key) else { return };
                matched += 1;
                for (pair, now) in pairs.iter_mut().skip(chunk).zip(row) {
                    if let Some(before) = before.get(pair.before) {
                        pair.see(*before, *now);
                    }
                }
            })?;
        }
        if matched == 0 {
            return Ok(());
        }
        let compared = Compared {
            rows: matched,
            is_all: self.is_all,
        };
        for (at, column) in self.columns.iter().enumerate() {
            if !has(&now, column) {
                let is_renamed = pairs.iter().any(|pair| pair.before == at && pair.changed == 0 && pair.had > 0);
                let values = self.count_values(at);
                if !is_renamed && values > 0 {
                    found.push(ChangeKind::ColumnGone {
                        column: column.clone(),
                        values,
                    });
                }
                continue;
            }
            let Some(pair) = pairs.iter().find(|pair| pair.before == at) else {
                continue;
            };
            let column = column.clone();
            if is_updated(&column) {
                continue;
            }
            if pair.own_name == matched && pair.was_own_name < matched {
                found.push(ChangeKind::OwnName { column, compared });
            } else if pair.had > 0 && pair.changed == pair.had {
                found.push(ChangeKind::EveryValueChanged { column, compared });
            } else {
                found.extend(pair.classes.iter().map(|((from, to), values)| ChangeKind::OtherClass {
                    column: column.clone(),
                    from: *from,
                    to: *to,
                    values: *values,
                }));
            }
        }
        Ok(())
    }

    /// Returns the number of values that a column has in the rows that were kept.
    fn count_values(&self, column: usize) -> u64 {
        let has = |row: &&Vec<Cell>| row.get(column).is_some_and(|cell| cell.class != Class::Null);
        self.cells.values().filter(has).count() as u64
    }
}

/// A column before, and one of those after, with what was seen of both in the same rows.
#[derive(Debug, Default)]
struct ColumnPair {
    before: usize,
    now: String,
    /// The number of rows that had a value before.
    had: u64,
    /// The number of these that have another value, or none.
    changed: u64,
    own_name: u64,
    was_own_name: u64,
    classes: BTreeMap<(Class, Class), u64>,
}

impl ColumnPair {
    fn of(before: usize, now: &str) -> Self {
        Self {
            before,
            now: now.to_owned(),
            ..Self::default()
        }
    }

    fn see(&mut self, before: Cell, now: Cell) {
        self.own_name += u64::from(now.is_own_name);
        self.was_own_name += u64::from(before.is_own_name);
        if before.class == Class::Null {
            return;
        }
        self.had += 1;
        self.changed += u64::from(before.hash != now.hash);
        if before.class != now.class && now.class != Class::Null {
            *self.classes.entry((before.class, now.class)).or_default() += 1;
        }
    }
}

/// Returns the ordinary columns of a table and those of its primary key, as they are written; none where a name is not UTF-8.
fn columns_and_key(conn: &Connection, table: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (mut columns, mut key, mut is_text) = (Vec::new(), Vec::new(), true);
    introspect::each_column(conn, table, |column| {
        let Ok(name) = std::str::from_utf8(column.name) else {
            is_text = false;
            return;
        };
        if column.hidden == 0 {
            columns.push(name.to_owned());
        }
        if column.key_position > 0 {
            key.push((column.key_position, name.to_owned()));
        }
    })?;
    key.sort();
    let key = key.into_iter().map(|(_, name)| name).collect();
    Ok(if is_text { (columns, key) } else { Default::default() })
}

/// Steps through a table, with a hash of each row's key and what is kept of its columns.
fn each_row(
    conn: &Connection,
    table: &str,
    key: &[String],
    columns: &[String],
    hash: &RandomState,
    most: Option<usize>,
    mut look: impl FnMut(u64, &[Cell]),
) -> Result<()> {
    let asked = |column: &String| {
        let column = quoted(column);
        format!("iif(octet_length({column}) > {LONGEST_COMPARED}, octet_length({column}), {column})")
    };
    let asked: Vec<String> = key.iter().chain(columns).map(asked).collect();
    let most = most.map_or_else(String::new, |most| format!(" LIMIT {most}"));
    let sql = format!("SELECT {} FROM main.{} NOT INDEXED{most}", asked.join(", "), quoted(table));
    let mut statement = conn.prepare(&sql).map_err(Error::preparing(&sql))?;
    let mut rows = statement.query([]).map_err(Error::sqlite(&sql))?;
    let mut cells = Vec::with_capacity(columns.len());
    while let Some(row) = rows.next().map_err(Error::sqlite(&sql))? {
        let mut hasher = hash.build_hasher();
        for at in 0..key.len() {
            hash_value(row.get_ref(at).map_err(Error::sqlite(&sql))?, &mut hasher);
        }
        cells.clear();
        for (at, column) in columns.iter().enumerate() {
            let value = row.get_ref(key.len() + at).map_err(Error::sqlite(&sql))?;
            let mut of_cell = hash.build_hasher();
            hash_value(value, &mut of_cell);
            let is_own_name = matches!(value, ValueRef::Text(text) if text.eq_ignore_ascii_case(column.as_bytes()));
            cells.push(Cell {
                hash: of_cell.finish(),
                class: Class::of(value),
                is_own_name,
            });
        }
        look(hasher.finish(), &cells);
    }
    Ok(())
}

/// Returns the triggers and indexes that go with a table, but for those of its constraints.
fn objects_of(conn: &Connection, table: &str, step: usize) -> Result<Vec<GoneObject>> {
    let sql = "SELECT type, name FROM main.sqlite_schema
               WHERE type IN ('trigger', 'index') AND tbl_name = ?1 COLLATE NOCASE AND sql IS NOT NULL";
    let ask = || -> rusqlite::Result<Vec<GoneObject>> {
        let mut statement = conn.prepare(sql)?;
        let objects = statement.query_map([table], |row| {
            Ok(GoneObject {
                table: table.to_owned(),
                step,
                kind: row.get(0)?,
                name: String::from_utf8_lossy(row.get_ref(1)?.as_bytes()?).into_owned(),
            })
        })?;
        objects.collect()
    };
    ask().map_err(Error::sqlite(sql))
}

/// Returns the column that `ALTER TABLE … DROP COLUMN` names.
fn dropped_column(sql: &str) -> Option<String> {
    use sqlite_format::sql::lexer::{Lexer, TokenKind};
    let tokens: Vec<_> = Lexer::new(sql).filter(|token| !token.is_blank() && token.text != ";").collect();
    let is = |at: usize, word: &str| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
    };
    let end = tokens.len().checked_sub(1)?;
    let drops = is(end.checked_sub(1)?, "DROP") || (is(end - 1, "COLUMN") && is(end.checked_sub(2)?, "DROP"));
    let name = tokens.get(end).filter(|_| drops)?;
    Some(match name.kind {
        TokenKind::Word => name.text.to_owned(),
        _ => name.unquoted(),
    })
}

/// Returns the number of values of a column; 0 where there is no such column.
fn count_values(conn: &Connection, table: &str, column: &str) -> Result<u64> {
    let (columns, _) = columns_and_key(conn, table)?;
    if !columns.iter().any(|one| one.eq_ignore_ascii_case(column)) {
        return Ok(0);
    }
    let sql = format!(
        "SELECT count(1) FROM main.{} NOT INDEXED WHERE {} IS NOT NULL",
        quoted(table),
        quoted(column)
    );
    let count: i64 = conn.query_row(&sql, [], |row| row.get(0)).map_err(Error::sqlite(&sql))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
