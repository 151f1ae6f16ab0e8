//! Writes the output: SQL that makes a new store of what was found.
//!
//! Each statement of the schema was written again and tried before it comes here. Each row is one plain INSERT on one line; a row
//! that is doubtful is the same within a comment, which cannot end early because no value breaks a line.

use std::collections::HashSet;
use std::io::{self, Write};

use super::literal;
use super::row_layout::{KeyHasher, RowLayout};
use super::schema::replay::{ColumnConstraints, TargetSchema};
use super::schema::{KnownLedger, Role, StoreSchema, TableSchema};
use super::trial::Trials;
use sqlite_format::encoding::Encoding;
use sqlite_format::record::{Classes, Field};

/// Writes the output.
pub struct SqlWriter<'a> {
    out: &'a mut dyn Write,
    schema: &'a StoreSchema,
    target: &'a TargetSchema,
    encoding: Encoding,
    hasher: KeyHasher,
    /// The hashes of the unique keys that were written.
    used: HashSet<u64>,
    trials: Trials,
    line: Vec<u8>,
    /// The late unique indexes of which two rows have the same key.
    broken: HashSet<usize>,
}

/// The most unique keys that are remembered. Of others the new store takes the first.
const MOST_USED: usize = 1_800_000;

/// A row to be written.
#[derive(Clone, Copy)]
pub struct SqlRow<'l> {
    /// Its table and layout.
    pub fit: RowLayout,
    /// Its rowid; `None` only in a comment.
    pub rowid: Option<i64>,
    /// Its fields.
    pub fields: &'l [Field],
    /// Its record.
    pub payload: &'l [u8],
}

impl<'a> SqlWriter<'a> {
    /// Creates a writer to this output, for a store with text in this encoding.
    pub fn new(out: &'a mut dyn Write, schema: &'a StoreSchema, target: &'a TargetSchema, encoding: Encoding) -> Self {
        Self {
            out,
            schema,
            target,
            encoding,
            hasher: KeyHasher::default(),
            used: HashSet::new(),
            trials: Trials::default(),
            line: Vec::new(),
            broken: HashSet::new(),
        }
    }

    /// Writes everything before the first row.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_head(&mut self) -> io::Result<()> {
        self.out.write_all(
            b"-- This holds everything that the store held, secrets too: it is no report. Keep it to yourself.\n\
              -- Load it into a file that is not there yet: sqlite3 -bail -safe NEW.db < THIS\n\
              PRAGMA foreign_keys=OFF;\n",
        )?;
        if let Some(name) = self.encoding.pragma_name() {
            writeln!(self.out, "PRAGMA encoding='{name}';")?;
        }
        for pragma in &self.target.pragmas {
            writeln!(self.out, "{pragma}")?;
        }
        self.out.write_all(b"BEGIN;\n")?;
        for statement in &self.target.before {
            writeln!(self.out, "{statement}")?;
        }
        Ok(())
    }

    /// Writes everything behind the last row. Without `commit`, nothing of the output is loaded.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_end(&mut self, commit: bool) -> io::Result<()> {
        if commit {
            for (at, late) in self.target.uniques.iter().enumerate() {
                // Two rows with one key would be an error, and nothing would be loaded.
                let is_sure = !self.broken.contains(&at) && self.used.len() < MOST_USED;
                let comment = if is_sure {
                    ""
                } else {
                    "-- not made anew, two rows may have the same key: "
                };
                writeln!(self.out, "{comment}{}", late.sql)?;
            }
            for statement in &self.target.after {
                writeln!(self.out, "{statement}")?;
            }
            self.out.write_all(b"COMMIT;\n")?;
        } else {
            self.out
                .write_all(b"-- There is no COMMIT here: this was broken off, and loads nothing.\nROLLBACK;\n")?;
        }
        self.out.flush()
    }

    /// Writes a comment.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_comment(&mut self, words: &str) -> io::Result<()> {
        let words: String = words.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        writeln!(self.out, "-- {words}")
    }

    /// Writes a row of the ledger that was lost.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_ledger_row(&mut self, ledger: &KnownLedger, id: i64, name: &str, applied_at: &str) -> io::Result<()> {
        let table = self.schema.tables.get(ledger.table).map_or("", |table| &table.name);
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let values = [id.to_string(), text(name), text(applied_at)].join(",");
        writeln!(
            self.out,
            "INSERT INTO {}(\"id\",\"name\",\"applied_at\") VALUES({values});",
            identifier(table)
        )
    }

    /// Returns true if the new store takes a row: it has no NULL where the schema forbids it.
    pub fn fits_schema(&self, line: &SqlRow<'_>) -> bool {
        let Some(table) = self.schema.tables.get(line.fit.table) else {
            return false;
        };
        let layout = layout_of(table, line);
        let columns = self.target.columns.get(line.fit.table).map(Vec::as_slice).unwrap_or_default();
        let is_missing = |(column, constraints): (usize, &Option<ColumnConstraints>)| {
            constraints.is_some_and(ColumnConstraints::needs_value)
                && !layout.contains(&column)
                && table.rowid_alias != Some(column)
        };
        columns.iter().any(Option::is_some)
            && !columns.iter().enumerate().any(is_missing)
            && layout.iter().zip(line.fields).all(|(column, field)| {
                let constraints = self.target.constraints(line.fit.table, *column);
                let forbids_null = constraints.is_some_and(|of| of.forbids_null && !of.is_generated);
                let strict = table.columns.get(*column).and_then(|column| column.rule);
                let is_refused = strict.is_some_and(|rule| rule.is_refused(*field, line.payload));
                !is_refused && (!forbids_null || table.rowid_alias == Some(*column) || !is_null(*field, line.payload))
            })
    }

    /// Returns true if the new store takes a row beside those that were written, and remembers its keys then. `agree` has the keys of the row
    /// that an index names, as a set of bits.
    ///
    /// # Errors
    /// Fails if the row cannot be tried.
    pub fn takes_row(&mut self, line: &SqlRow<'_>, agree: u8) -> io::Result<bool> {
        if !self.fits_schema(line) {
            return Ok(false);
        }
        let Some(table) = self.schema.tables.get(line.fit.table) else {
            return Ok(false);
        };
        let layout = layout_of(table, line);
        let late = || self.target.uniques.iter().enumerate().filter(|(_, late)| late.table == line.fit.table);
        let mut keys = Vec::new();
        let mut broken = Vec::new();
        for key in table.uniques.iter().enumerate() {
            let hash = self.hasher.hash_unique(line.fit.table, key, (layout, line.fields, line.payload));
            if hash != 0 && self.used.contains(&hash) {
                match late().find(|(_, late)| late.unique == Some(key.0)) {
                    // The index itself names the row beside the other one: it is not unique.
                    Some((at, late)) if late.key.is_none_or(|key| agree >> key & 1 == 1) => broken.push(at),
                    _ => return Ok(false),
                }
            }
            keys.push(hash);
        }
        if let Some(statements) = self.target.tried.get(&line.fit.table) {
            let mut sql = std::mem::take(&mut self.line);
            sql.clear();
            self.write_insert_to(&mut sql, line)?;
            let queries: Vec<(usize, &str)> = late()
                .filter(|(_, late)| late.unique.is_none())
                .map(|(at, late)| (at, late.query.as_str()))
                .collect();
            let takes = self.trials.takes(line.fit.table, statements, &sql, &queries);
            self.line = sql;
            let Some(found) = takes else {
                return Ok(false);
            };
            for (at, key) in found {
                let hash = self.hasher.hash_text(at, &key);
                if self.used.contains(&hash) {
                    broken.push(at);
                }
                keys.push(hash);
            }
        }
        self.broken.extend(broken);
        if self.used.len() < MOST_USED {
            self.used.extend(keys.into_iter().filter(|hash| *hash != 0));
        }
        Ok(true)
    }

    /// Returns true if a row has a value of a column that the schema does not have.
    pub fn loses_column(&self, line: &SqlRow<'_>) -> bool {
        let table = self.schema.tables.get(line.fit.table);
        let layout = table.map(|table| layout_of(table, line)).unwrap_or_default();
        layout.iter().any(|column| self.target.constraints(line.fit.table, *column).is_none())
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_row(&mut self, line: &SqlRow<'_>) -> io::Result<()> {
        self.write_insert(line)?;
        self.out.write_all(b"\n")
    }

    /// Writes a row in a comment, with the reason.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_doubtful(&mut self, why: &str, line: &SqlRow<'_>) -> io::Result<()> {
        write!(self.out, "-- {why}: ")?;
        self.write_insert(line)?;
        self.out.write_all(b"\n")
    }

    /// Writes values that fit no version of a table in a comment.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_values(
        &mut self,
        why: &str,
        table: usize,
        rowid: Option<i64>,
        fields: &[Field],
        payload: &[u8],
    ) -> io::Result<()> {
        let name = self.schema.tables.get(table).map_or("", |table| &table.name);
        write!(self.out, "-- {why}: {} rowid {}: ", identifier(name), rowid.unwrap_or(0))?;
        for (at, field) in fields.iter().enumerate() {
            self.out.write_all(if at == 0 { b"" } else { b"," })?;
            literal::write(self.out, *field, payload, self.encoding)?;
        }
        self.out.write_all(b"\n")
    }

    fn write_insert(&mut self, line: &SqlRow<'_>) -> io::Result<()> {
        let mut sql = std::mem::take(&mut self.line);
        sql.clear();
        self.write_insert_to(&mut sql, line)?;
        let written = self.out.write_all(&sql);
        self.line = sql;
        written
    }

    fn write_insert_to(&self, out: &mut Vec<u8>, line: &SqlRow<'_>) -> io::Result<()> {
        let Some(table) = self.schema.tables.get(line.fit.table) else {
            return Ok(());
        };
        if table.role == Role::Sequence {
            return self.write_sequence(out, line);
        }
        let layout = layout_of(table, line);
        let ignores = if table.has_conflicts { "OR IGNORE " } else { "" };
        write!(out, "INSERT {ignores}INTO {}(", identifier(&table.name))?;
        let mut names = Vec::new();
        let mut values = Vec::new();
        if let Some(rowid) = rowid_name(table).filter(|_| table.role != Role::Keyed) {
            names.push(rowid);
            values
                .extend_from_slice(line.rowid.map_or_else(|| "NULL".to_owned(), |rowid| rowid.to_string()).as_bytes());
        }
        let is_there = |column: usize| {
            let constraints = self.target.constraints(line.fit.table, column);
            table.rowid_alias != Some(column) && constraints.is_some_and(|of| !of.is_generated)
        };
        let name = |column: usize| identifier(table.columns.get(column).map_or("", |column| &column.name));
        for (column, field) in layout.iter().zip(line.fields).filter(|(column, _)| is_there(**column)) {
            names.push(name(*column));
            if !values.is_empty() {
                values.push(b',');
            }
            literal::write(&mut values, *field, line.payload, self.encoding)?;
        }
        // Where the default is an expression, SQLite reads NULL in a row that ends before the column.
        let whole = table.layouts.get(line.fit.layout).map(Vec::as_slice).unwrap_or_default();
        for column in whole.iter().skip(line.fields.len()).filter(|column| is_there(**column)) {
            let constraints = self.target.constraints(line.fit.table, *column);
            if constraints.is_some_and(|of| of.has_computed_default && !of.forbids_null) {
                names.push(name(*column));
                values.extend_from_slice(if values.is_empty() { b"NULL" } else { b",NULL" });
            }
        }
        if names.is_empty() {
            out.truncate(out.len() - 1);
            return out.write_all(b" DEFAULT VALUES;");
        }
        out.write_all(names.join(",").as_bytes())?;
        out.write_all(b") VALUES(")?;
        out.write_all(&values)?;
        out.write_all(b");")
    }

    /// Writes the number that a table counted to. SQLite may have begun to count when its rows came.
    fn write_sequence(&self, out: &mut Vec<u8>, line: &SqlRow<'_>) -> io::Result<()> {
        let [name, number, ..] = line.fields else {
            return Ok(());
        };
        out.write_all(b"DELETE FROM sqlite_sequence WHERE name=")?;
        literal::write(out, *name, line.payload, self.encoding)?;
        out.write_all(b"; INSERT INTO sqlite_sequence(name,seq) VALUES(")?;
        literal::write(out, *name, line.payload, self.encoding)?;
        out.write_all(b",")?;
        literal::write(out, *number, line.payload, self.encoding)?;
        out.write_all(b");")
    }

    /// Writes a row of a table that has no name, with numbered columns.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_nameless(
        &mut self,
        name: &str,
        rowid: Option<i64>,
        fields: &[Field],
        payload: &[u8],
    ) -> io::Result<()> {
        let columns: Vec<String> = (0..fields.len()).map(|at| format!("c{at}")).collect();
        let rowid_column = if rowid.is_some() { "rowid," } else { "" };
        write!(self.out, "INSERT INTO {}({rowid_column}{}) VALUES(", identifier(name), columns.join(","))?;
        if let Some(rowid) = rowid {
            write!(self.out, "{rowid},")?;
        }
        for (at, field) in fields.iter().enumerate() {
            self.out.write_all(if at == 0 { b"" } else { b"," })?;
            literal::write(self.out, *field, payload, self.encoding)?;
        }
        self.out.write_all(b");\n")
    }

    /// Writes a statement of our own making.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_statement(&mut self, sql: &str) -> io::Result<()> {
        writeln!(self.out, "{sql}")
    }
}

/// Returns the columns of a row, of which the last ones may be missing.
fn layout_of<'t>(table: &'t TableSchema, line: &SqlRow<'_>) -> &'t [usize] {
    let layout = table.layouts.get(line.fit.layout).map(Vec::as_slice).unwrap_or_default();
    layout.get(..line.fields.len().min(layout.len())).unwrap_or_default()
}

/// Returns the name by which the rowid can be set; `None` when columns have taken all of its names.
fn rowid_name(table: &TableSchema) -> Option<String> {
    let taken = |name: &&str| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    match table.rowid_alias.and_then(|column| table.columns.get(column)) {
        Some(column) => Some(identifier(&column.name)),
        None => ["rowid", "_rowid_", "oid"].into_iter().find(taken).map(str::to_owned),
    }
}

/// Quotes a name for SQL. All names were looked at before they come here: none holds a control character.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_null(field: Field, payload: &[u8]) -> bool {
    field.class == Classes::NULL || (field.class == Classes::REAL && field.real(payload).is_none())
}
