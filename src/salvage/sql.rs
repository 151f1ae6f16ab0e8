//! Writes the output: SQL that makes a new store of what was found.
//!
//! The schema comes from the application's migrations, never from the store. Each row is one plain INSERT on one line; a row
//! that is doubtful is the same within a comment, which cannot end early because no value breaks a line.

use std::io::{self, Write};

use super::literal;
use super::row_layout::RowLayout;
use super::schema::replay::{ColumnConstraints, TargetSchema};
use super::schema::{KnownLedger, StoreSchema};
use sqlite_format::encoding::Encoding;
use sqlite_format::record::{Classes, Field};

/// Writes the output.
pub struct SqlWriter<'a> {
    out: &'a mut dyn Write,
    schema: &'a StoreSchema,
    target: &'a TargetSchema,
    encoding: Encoding,
}

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
        self.out.write_all(b"BEGIN;\n")?;
        for statement in &self.target.before {
            writeln!(self.out, "{statement};")?;
        }
        Ok(())
    }

    /// Writes everything behind the last row. Without `commit`, nothing of the output is loaded.
    ///
    /// # Errors
    /// Fails if the output cannot be written.
    pub fn write_end(&mut self, commit: bool) -> io::Result<()> {
        if commit {
            for statement in &self.target.after {
                writeln!(self.out, "{statement};")?;
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
        let layout = table.layouts.get(line.fit.layout).map(Vec::as_slice).unwrap_or_default();
        let columns = self.target.columns.get(line.fit.table).map(Vec::as_slice).unwrap_or_default();
        let is_missing = |(column, constraints): (usize, &Option<ColumnConstraints>)| {
            constraints.is_some_and(ColumnConstraints::needs_value)
                && !layout.contains(&column)
                && table.rowid_alias != Some(column)
        };
        columns.iter().any(Option::is_some)
            && !columns.iter().enumerate().any(is_missing)
            && layout.iter().zip(line.fields).all(|(column, field)| {
                let forbids_null = self.target.constraints(line.fit.table, *column).is_some_and(|of| of.forbids_null);
                !forbids_null || table.rowid_alias == Some(*column) || !is_null(*field, line.payload)
            })
    }

    /// Returns true if a row has a value of a column that the schema does not have.
    pub fn loses_column(&self, line: &SqlRow<'_>) -> bool {
        let table = self.schema.tables.get(line.fit.table);
        let layout = table
            .and_then(|table| table.layouts.get(line.fit.layout))
            .map(Vec::as_slice)
            .unwrap_or_default();
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
        let Some(table) = self.schema.tables.get(line.fit.table) else {
            return Ok(());
        };
        let layout = table.layouts.get(line.fit.layout).map(Vec::as_slice).unwrap_or_default();
        write!(self.out, "INSERT INTO {}(", identifier(&table.name))?;
        let taken = |name: &&str| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let rowid = match table.rowid_alias.and_then(|column| table.columns.get(column)) {
            Some(column) => identifier(&column.name),
            None => ["rowid", "_rowid_", "oid"].into_iter().find(taken).unwrap_or("rowid").to_owned(),
        };
        self.out.write_all(rowid.as_bytes())?;
        let target = self.target;
        let there = || {
            let both = layout.iter().zip(line.fields);
            both.filter(|(column, _)| {
                table.rowid_alias != Some(**column) && target.constraints(line.fit.table, **column).is_some()
            })
        };
        for (column, _) in there() {
            let name = table.columns.get(*column).map_or("", |column| &column.name);
            write!(self.out, ",{}", identifier(name))?;
        }
        match line.rowid {
            Some(rowid) => write!(self.out, ") VALUES({rowid}")?,
            None => write!(self.out, ") VALUES(NULL")?,
        }
        for (_, field) in there() {
            self.out.write_all(b",")?;
            literal::write(self.out, *field, line.payload, self.encoding)?;
        }
        self.out.write_all(b");")
    }
}

/// Quotes a name for SQL. All names come from the migrations, never from the store.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_null(field: Field, payload: &[u8]) -> bool {
    field.class == Classes::NULL || (field.class == Classes::REAL && field.real(payload).is_none())
}
