//! The schema of a database, as `sqlite_schema` defines it: tables, their columns, indexes and foreign keys.

mod affinity;
mod column;
pub(crate) mod evaluable;
mod expression;
mod foreign;
mod index;
mod link;
mod spatial;
pub mod table;
mod tokens;

pub use affinity::{Affinity, may_be_number};
pub use evaluable::{Comparison, Computed, Expression, Operator};
use expression::is_plain_expression;
pub(crate) use index::parse as parse_index;
pub use link::StoredRow;
pub(super) use link::link;
pub use spatial::SpatialIndex;

use super::compare::{Collation, Order};
use super::encoding::Encoding;
use super::record::Classes;

/// A feature of a database that the reader does not support: only SQLite's own check can judge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A collation or a default that would have to be put into UTF-16.
    #[error("text in UTF-16")]
    Utf16,
    /// More pages, statements or trees than the maximum of the reader.
    #[error("more than is kept account of")]
    TooMuch,
    /// A statement that the reader does not parse, or that only SQLite can judge.
    #[error("a statement that is not taken apart")]
    Statement,
    /// A view or a trigger, unless SQLite is known to accept the schema.
    #[error("a view or a trigger")]
    ViewOrTrigger,
    /// A virtual table.
    #[error("a virtual table")]
    VirtualTable,
    /// A table without rowids.
    #[error("a table without rowids")]
    WithoutRowid,
    /// A generated column.
    #[error("a generated column")]
    GeneratedColumn,
    /// A CHECK constraint.
    #[error("a CHECK constraint")]
    Check,
    /// A collation that is not built in.
    #[error("a collation of the application's")]
    Collation,
    /// An index over an expression.
    #[error("an index over an expression")]
    Expression,
    /// An index over some of the rows.
    #[error("a partial index")]
    PartialIndex,
    /// A row that was written before its column was added, whose value is an expression.
    #[error("a default that is an expression")]
    Default,
    /// An index entry longer than the maximum.
    #[error("an index entry too long to be held")]
    LongEntry,
    /// Text in a column of numbers that looks like a number, and may be none to SQLite: `1e`, `1.2.3`.
    #[error("text that looks like a number")]
    NumberAsText,
    /// A foreign key whose parent's key is not supported.
    #[error("a foreign key to what is not understood")]
    Parent,
}

type Result<T, E = Unsupported> = std::result::Result<T, E>;

/// A store's tables.
#[derive(Debug, Default)]
pub struct Schema {
    /// The tables; `sqlite_schema` itself is the first.
    pub tables: Vec<Table>,
    /// The unsupported feature that belongs to no table.
    pub beyond: Option<Unsupported>,
    /// The largest root page.
    pub largest_root: u32,
    /// True if SQLite has read this schema without an error.
    pub loads: bool,
    /// The encoding of all text.
    pub encoding: Encoding,
}

impl Schema {
    /// Returns the table of this name, and its index.
    pub fn table(&self, name: &str) -> Option<(usize, &Table)> {
        self.tables.iter().enumerate().find(|(_, table)| table.name.eq_ignore_ascii_case(name))
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its root page; 0 for a virtual table, which has none.
    pub root: u32,
    /// Its columns; empty if its rows cannot be read.
    pub columns: Vec<Column>,
    /// The column that is an alias of the rowid.
    pub rowid_alias: Option<usize>,
    /// The form of its rows if it is WITHOUT ROWID; `None` if its rows have rowids.
    pub keyed: Option<KeyedRows>,
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// Its foreign keys, in the order of its statement.
    pub foreign_keys: Vec<ForeignKey>,
    /// The unsupported feature because of which its rows cannot be read.
    pub rows_beyond: Option<Unsupported>,
    /// The spatial index that it is, if it is a virtual table of that kind.
    pub spatial: Option<SpatialIndex>,
    /// The unsupported rule for its rows.
    pub rules_beyond: Option<Unsupported>,
    /// The expressions of its CHECK constraints, in parentheses.
    pub checks: Vec<String>,
    /// The expressions of its CHECK constraints, parsed; empty unless each of them can be evaluated here.
    pub evaluable_checks: Vec<Expression>,
}

impl Table {
    /// Returns a condition that holds of each row that breaks a CHECK constraint, in SQL; `None` unless a query certainly
    /// evaluates each expression as SQLite's integrity check does.
    ///
    /// SQLite's check finds the rows of which an expression is false, and passes one that is NULL; so does `NOT`. In a query an
    /// expression could mean more: it may hold a subquery, functions that a constraint must not call, or a name that is none of
    /// the table's. So it may only hold columns of the table, literals, operators, and functions of which all this is known.
    pub fn broken_checks(&self) -> Option<String> {
        let is_column = |name: &str| self.column(name).is_some();
        let is_plain = self.checks.iter().all(|check| is_plain_expression(check, is_column));
        // A comment at the end of an expression ends with its line.
        let conditions: Vec<String> = self.checks.iter().map(|check| format!("NOT {check}")).collect();
        (is_plain && !conditions.is_empty()).then(|| conditions.join(" OR "))
    }

    /// Returns the index of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// The form of the rows of a table WITHOUT ROWID: entries of the index of its primary key.
#[derive(Debug)]
pub struct KeyedRows {
    /// The columns of the primary key, then all others, in the order in which they are stored.
    pub columns: Vec<usize>,
    /// The order of each column of the primary key.
    pub orders: Vec<Order>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its affinity.
    pub affinity: Affinity,
    /// The storage classes of its values.
    pub allowed: Classes,
    /// True if it may also hold text that is no number.
    pub numbers_as_text: bool,
    /// Its collation, if it is a built-in one.
    pub collation: Option<Collation>,
    /// The value of a row that was written before the column was added.
    pub default: DefaultValue,
}

/// A default value, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Anything else.
    NotUnderstood,
}

/// An index.
#[derive(Debug)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its root page.
    pub root: u32,
    /// True if each key may occur only once.
    pub unique: bool,
    /// True for the index of the primary key.
    pub primary: bool,
    /// The columns of its key; in a table WITHOUT ROWID then those of the primary key that are not among them.
    pub columns: Vec<usize>,
    /// The number of columns at the end that are there only to name the row; `None` where each entry ends with a rowid.
    pub naming: Option<usize>,
    /// The order of each column.
    pub orders: Vec<Order>,
    /// The unsupported feature of it; its pages are still walked.
    pub beyond: Option<Unsupported>,
    /// The way in which its entries are computed, if it is `beyond` because of an expression or a condition that can be evaluated
    /// here. It has an order for each value of its key, and no columns.
    pub computed: Option<Computed>,
}

impl Index {
    /// Returns the columns of its key, without those that are there only to name the row.
    pub(crate) fn key(&self) -> &[usize] {
        let count = self.columns.len() - self.naming.unwrap_or(0).min(self.columns.len());
        self.columns.get(..count).unwrap_or_default()
    }
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<usize>,
    /// The table that they refer to.
    pub parent: String,
    /// Its columns; empty if it is the primary key.
    pub parent_columns: Vec<String>,
}

#[cfg(test)]
mod tests;
