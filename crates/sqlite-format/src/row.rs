//! A row whose values are borrowed from its page.

use std::io::{self, Read};

use super::damage::{Damage, Result};
use super::overflow::Chain;
use super::record::{Classes, Field};
use super::schema::{Affinity, DefaultValue, Table};
use crate::interrupt::{Interrupt, Interrupted};

/// A row of a table.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// The table's index in the schema.
    pub table: usize,
    /// The rowid; 0 in a table WITHOUT ROWID.
    pub rowid: i64,
    pub(super) of: &'r Table,
    /// The payload in the cell: all of it, unless the row is long.
    pub(super) payload: &'r [u8],
    pub(super) fields: &'r [Field],
    /// The overflow chain.
    pub(super) rest: Option<Chain<'r>>,
    pub(super) stop: &'r dyn Interrupt,
}

/// A value.
#[derive(Clone, Copy)]
pub enum Value<'r> {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(&'r [u8]),
    /// A blob.
    Blob(&'r [u8]),
    /// Text or a blob that is too long to be held at once.
    Long(Long<'r>),
}

impl Row<'_> {
    /// Returns the table.
    pub fn of(&self) -> &Table {
        self.of
    }

    /// Returns the number of columns of its table.
    #[inline]
    pub fn columns(&self) -> usize {
        self.of.columns.len()
    }

    /// Returns the value of a column, by its index in the table; NULL if there is no such column.
    ///
    /// # Errors
    /// Fails with the damage of a long row that can no longer be read.
    #[inline]
    pub fn value(&self, column: usize) -> Result<Value<'_>> {
        match self.stored(column)? {
            // An integer in a column of floating point numbers is one to save room only.
            Value::Integer(value) if self.of.columns.get(column).is_some_and(|of| of.affinity == Affinity::Real) =>
            {
                #[expect(clippy::cast_precision_loss, reason = "SQLite stored it so because nothing is lost")]
                Ok(Value::Real(value as f64))
            }
            value => Ok(value),
        }
    }

    /// Returns the value of a column as it is stored.
    #[inline]
    pub(super) fn stored(&self, column: usize) -> Result<Value<'_>> {
        let Some(field) = self.fields.get(column) else {
            return Ok(self.default(column));
        };
        match (self.payload.get(field.range()), field.class) {
            (Some(bytes), Classes::TEXT) => Ok(Value::Text(bytes)),
            (Some(bytes), Classes::BLOB) => Ok(Value::Blob(bytes)),
            (_, Classes::NULL) => Ok(self.null(column)),
            (Some(_), _) => Ok(number(*field, self.payload)),
            (None, _) => self.beyond(*field),
        }
    }

    /// Returns the rowid for the column that is its alias, otherwise NULL.
    fn null(&self, column: usize) -> Value<'_> {
        if self.of.rowid_alias == Some(column) {
            Value::Integer(self.rowid)
        } else {
            Value::Null
        }
    }

    #[inline(never)]
    fn default(&self, column: usize) -> Value<'_> {
        match self.of.columns.get(column).map(|column| &column.default) {
            Some(DefaultValue::Integer(value)) => Value::Integer(*value),
            Some(DefaultValue::Real(value)) => Value::Real(*value),
            Some(DefaultValue::Text(text)) => Value::Text(text.as_bytes()),
            _ => self.null(column),
        }
    }

    /// Reads a value that is not within the part of the payload in memory.
    #[inline(never)]
    fn beyond(&self, field: Field) -> Result<Value<'_>> {
        let long = Long { row: self, field };
        if matches!(field.class, Classes::TEXT | Classes::BLOB) {
            return Ok(Value::Long(long));
        }
        let mut number = [0; 8];
        let number = number.get_mut(..field.range().len()).ok_or(Damage::Record)?;
        long.open().read_exact(number).map_err(|_| Damage::Unreadable)?;
        let there = Field {
            from: 0,
            to: field.to - field.from,
            ..field
        };
        Ok(self::number(there, number))
    }
}

/// Decodes a floating point number; NULL for NaN.
#[inline]
fn number<'r>(field: Field, payload: &[u8]) -> Value<'r> {
    if field.class == Classes::REAL {
        field.real(payload).map_or(Value::Null, Value::Real)
    } else {
        field.integer(payload).map_or(Value::Null, Value::Integer)
    }
}

/// A value that is too long for memory, and is read piece by piece.
#[derive(Clone, Copy)]
pub struct Long<'r> {
    row: &'r Row<'r>,
    field: Field,
}

impl<'r> Long<'r> {
    /// Returns `true` for text, `false` for a blob.
    pub fn is_text(&self) -> bool {
        self.field.class == Classes::TEXT
    }

    /// Returns its length in bytes.
    pub fn len(&self) -> usize {
        self.field.range().len()
    }

    /// Returns false: a long value is never empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a reader from its beginning. A read fails if the store can no longer be read, or if it is time to stop.
    pub fn open(&self) -> LongReader<'r> {
        let (row, from) = (self.row, self.field.range().start);
        LongReader {
            left: self.len(),
            head: row.payload.get(from..).unwrap_or_default(),
            skip: from.saturating_sub(row.payload.len()),
            chain: row.rest,
            stop: row.stop,
            page: Vec::new(),
            piece: Vec::new(),
            at: 0,
        }
    }
}

/// A reader of a long value.
pub struct LongReader<'r> {
    left: usize,
    head: &'r [u8],
    skip: usize,
    chain: Option<Chain<'r>>,
    stop: &'r dyn Interrupt,
    page: Vec<u8>,
    /// The bytes that were read of the chain. Those up to `at` were returned.
    piece: Vec<u8>,
    at: usize,
}

impl Read for LongReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut pages = 0_u32;
        while self.left > 0 && self.head.is_empty() && self.at >= self.piece.len() {
            if pages.is_multiple_of(64) && self.stop.is_due() {
                return Err(io::Error::other(Interrupted));
            }
            pages += 1;
            self.piece.clear();
            self.at = 0;
            let chain = self.chain.as_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
            if self.skip >= chain.here() {
                self.skip -= chain.skip().map_err(io::Error::other)?;
            } else {
                chain.read(&mut self.page, &mut self.piece).map_err(io::Error::other)?;
                self.at = std::mem::take(&mut self.skip);
            }
        }
        let there = if self.head.is_empty() {
            self.piece.get(self.at..).unwrap_or_default()
        } else {
            self.head
        };
        let count = there.len().min(into.len()).min(self.left);
        let (Some(to), Some(from)) = (into.get_mut(..count), there.get(..count)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.left -= count;
        if self.head.is_empty() {
            self.at += count;
        } else {
            self.head = self.head.get(count..).unwrap_or_default();
        }
        Ok(count)
    }
}

/// A visitor of each row of a pass, on several threads.
pub trait Visitor: Sync {
    /// The state of one thread.
    type State: Send;

    /// Returns true if the rows of a table are to be visited.
    fn wants(&self, table: usize, of: &Table) -> bool;

    /// Creates the state of a thread.
    fn begin(&self) -> Self::State;

    /// Visits a row, in no order. Rows of a table that is not sound afterwards may be wrong.
    fn row(&self, state: &mut Self::State, row: &Row<'_>);

    /// Merges the states of two threads.
    fn merge(&self, into: &mut Self::State, other: Self::State);
}

/// A visitor of no rows.
#[derive(Debug, Clone, Copy)]
pub struct NoVisitor;

impl Visitor for NoVisitor {
    type State = ();

    fn wants(&self, _: usize, _: &Table) -> bool {
        false
    }

    fn begin(&self) {}

    fn row(&self, (): &mut (), _: &Row<'_>) {}

    fn merge(&self, (): &mut (), (): ()) {}
}
