//! A ledger as data: its columns, the statement that reads it in bounds, and what its rows say.

use std::collections::HashMap;
use std::fmt;

use rusqlite::types::ValueRef;

use crate::migrations::checksum::hex;
use crate::migrations::key::MigrationKey;
use crate::store::introspect::quoted;

/// The most rows that a ledger may have. A real one has hundreds; each row costs memory, and the store is untrusted.
pub(super) const MOST_ROWS: usize = 10_000;

/// The longest text or blob that is read from a ledger, in bytes: a file name has 255 at most.
const LONGEST_VALUE: usize = 512;

/// The value that the statement returns in place of a longer one: no tool ever writes infinity.
const TOO_LONG: f64 = f64::INFINITY;

/// A value as SQLite stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LedgerValue {
    Null,
    Integer(i64),
    /// Infinity stands for a value longer than [`LONGEST_VALUE`].
    Real(f64),
    /// Its bytes may be anything.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl LedgerValue {
    /// Returns the kind of value, in words: the value itself is never printed.
    fn words(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an integer",
            Self::Real(real) if *real == TOO_LONG => "longer than any version or name",
            Self::Real(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::Blob(_) => "a blob",
        }
    }

    /// Returns the number of bytes that it takes beside the enum's own.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl From<ValueRef<'_>> for LedgerValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(text.to_vec()),
            ValueRef::Blob(blob) => Self::Blob(blob.to_vec()),
        }
    }
}

/// A row of a ledger: the values in the order of the statement's columns.
pub(super) type LedgerRow = Vec<LedgerValue>;

/// The applied migrations, as a ledger lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The applied migrations in the tool's order, each once.
    pub(crate) entries: Vec<AppliedEntry>,
    /// True if these are all.
    pub(crate) reach: Reach,
    /// The state that the ledger itself records.
    pub(crate) state: LedgerState,
    /// Notes about other rows.
    pub(crate) notes: Vec<LedgerNote>,
    /// True if it is not known which of the folder's migrations are applied beside these: the ledger has one that builds on some of them,
    /// and that the folder does not have.
    pub(crate) is_undecided: bool,
}

/// An applied migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppliedEntry {
    /// Its version or name.
    pub(crate) key: MigrationKey,
    /// Its file's checksum when it was applied, where the tool writes one: text, or a blob in lower-case hex.
    pub(super) checksum: Option<String>,
    /// drizzle's `created_at`, which is its key in one layout and stands beside it in the other.
    pub(super) when: Option<i64>,
}

/// The migrations that one row of a ledger covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Itself.
    Each,
    /// Itself and everything before it: the tool keeps only the latest version.
    UpTo,
    /// Itself and everything on which it builds: the tool keeps only the latest of each branch.
    Behind,
}

/// The state that a ledger records of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LedgerState {
    /// Nothing went wrong.
    Clean,
    /// golang-migrate: it was at work towards this version and did not come to its end. The store may have the shape
    /// before or after it, or, where it was going down, the one after the next.
    Dirty(MigrationKey),
    /// This migration failed, and the tool runs nothing before the failure is settled.
    Failed(MigrationKey),
}

/// Something in a ledger that is worth a word and no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LedgerNote {
    /// Migrations that were applied and taken back: they count as not applied.
    RolledBack(usize),
    /// goose's row for version 0 is missing.
    NoZeroRow,
    /// drizzle: rows without the name that this layout goes by; the tool passes over them.
    Nameless(usize),
    /// refinery ends with a panic when it reads these dates.
    BadDates(usize),
}

/// A ledger that cannot be what its columns say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MalformedLedger {
    /// Which row of those that were read, from 1; none where it is the ledger as a whole.
    row: Option<usize>,
    /// A description of the fault, without the value.
    what: String,
}

impl fmt::Display for MalformedLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "in row {row} {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl MalformedLedger {
    pub(super) fn whole(what: impl Into<String>) -> Self {
        Self {
            row: None,
            what: what.into(),
        }
    }
}

/// A ledger's table as the tool declares it.
#[derive(Debug)]
pub(super) struct LedgerTable {
    /// The name that it has unless the application chose another.
    pub(super) name: &'static str,
    /// Its columns; a table with others is not this one.
    pub(super) columns: &'static [DeclaredColumn],
    /// True if the columns alone identify the tool, so that the table may have any name.
    pub(super) known_by_columns: bool,
    /// How closely a table must agree with these columns.
    pub(super) fit: Fit,
}

/// How closely a table must agree with the columns of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// These columns, with their types, keys and NOT NULL.
    Exact,
    /// These columns, with their types where any are given.
    Names,
    /// These columns among others, because the table's name can be no other tool's.
    SomeNames,
}

/// A column as a tool declares it.
#[derive(Debug)]
pub(super) struct DeclaredColumn {
    pub(super) name: &'static str,
    /// The types that the tool's versions gave it, in capitals.
    pub(super) types: &'static [&'static str],
    pub(super) not_null: bool,
    /// True if it is the primary key.
    pub(super) key: bool,
    /// True if it is read.
    read: bool,
}

/// Makes of a ledger's rows what was applied.
pub(super) type LedgerReader = fn(&LedgerRows<'_>) -> Result<Applied, MalformedLedger>;

impl DeclaredColumn {
    /// Creates a column that may be NULL, is not the key and is not read.
    pub(super) const fn new(name: &'static str, types: &'static [&'static str]) -> Self {
        Self {
            name,
            types,
            not_null: false,
            key: false,
            read: false,
        }
    }

    pub(super) const fn not_null(self) -> Self {
        Self { not_null: true, ..self }
    }

    pub(super) const fn key(self) -> Self {
        Self { key: true, ..self }
    }

    pub(super) const fn read(self) -> Self {
        Self { read: true, ..self }
    }
}

impl LedgerTable {
    /// Returns the columns that are read, in the order in which the statement gives them.
    pub(super) fn read_columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().filter(|column| column.read).map(|column| column.name)
    }

    /// Returns the statement that reads a ledger: bounded, and past every index, as one may be damaged.
    pub(super) fn select(&self, table: &str) -> String {
        let columns: Vec<String> = self.read_columns().map(bounded).collect();
        format!("SELECT {} FROM {} NOT INDEXED LIMIT {}", columns.join(", "), quoted(table), MOST_ROWS + 1)
    }
}

/// Returns an expression that gives infinity for what is too long; the length alone is found without reading the value.
fn bounded(column: &str) -> String {
    let column = quoted(column);
    format!("CASE WHEN octet_length({column}) > {LONGEST_VALUE} THEN 9e999 ELSE {column} END")
}

/// A ledger's rows with the names of their columns.
#[derive(Debug)]
pub(super) struct LedgerRows<'a> {
    columns: Vec<&'static str>,
    rows: &'a [LedgerRow],
}

impl<'a> LedgerRows<'a> {
    pub(super) fn new(ledger: &LedgerTable, rows: &'a [LedgerRow]) -> Self {
        Self {
            columns: ledger.read_columns().collect(),
            rows,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = LedgerCells<'_>> {
        let columns = self.columns.as_slice();
        self.rows.iter().enumerate().map(move |(at, values)| LedgerCells { at, columns, values })
    }
}

/// One row of a ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct LedgerCells<'a> {
    at: usize,
    columns: &'a [&'static str],
    values: &'a [LedgerValue],
}

impl<'a> LedgerCells<'a> {
    /// Returns the value of a column; NULL where the ledger has no such column.
    pub(super) fn value(self, column: &str) -> &'a LedgerValue {
        let at = self.columns.iter().position(|name| *name == column);
        at.and_then(|at| self.values.get(at)).unwrap_or(&LedgerValue::Null)
    }

    pub(super) fn is_null(self, column: &str) -> bool {
        *self.value(column) == LedgerValue::Null
    }

    pub(super) fn integer(self, column: &str) -> Result<i64, MalformedLedger> {
        match self.value(column) {
            LedgerValue::Integer(integer) => Ok(*integer),
            other => Err(self.wrong(format!("{column} is {}, not an integer", other.words()))),
        }
    }

    /// Returns a flag: an integer, of which only 0 means no.
    pub(super) fn flag(self, column: &str) -> Result<bool, MalformedLedger> {
        self.integer(column).map(|flag| flag != 0)
    }

    pub(super) fn text(self, column: &str) -> Result<&'a str, MalformedLedger> {
        match self.value(column) {
            LedgerValue::Text(bytes) => {
                std::str::from_utf8(bytes).map_err(|_| self.wrong(format!("{column} is text that is not UTF-8")))
            }
            other => Err(self.wrong(format!("{column} is {}, not text", other.words()))),
        }
    }

    /// Returns a version or a name: text with something in it.
    pub(super) fn name(self, column: &str) -> Result<&'a str, MalformedLedger> {
        match self.text(column)? {
            "" => Err(self.wrong(format!("{column} is empty"))),
            text => Ok(text),
        }
    }

    /// Returns a checksum: text, or a blob in hex. What is neither is none.
    pub(super) fn checksum(self, column: &str) -> Option<String> {
        match self.value(column) {
            LedgerValue::Text(text) => std::str::from_utf8(text).ok().map(str::to_owned),
            LedgerValue::Blob(bytes) => Some(hex(bytes)),
            _ => None,
        }
    }

    pub(super) fn wrong(self, what: impl Into<String>) -> MalformedLedger {
        MalformedLedger {
            row: Some(self.at + 1),
            what: what.into(),
        }
    }
}

impl AppliedEntry {
    /// Creates an entry without a checksum.
    pub(super) fn of(key: MigrationKey) -> Self {
        Self::with_checksum(key, None)
    }

    pub(super) fn with_checksum(key: MigrationKey, checksum: Option<String>) -> Self {
        Self {
            key,
            checksum,
            when: None,
        }
    }
}

impl Applied {
    /// Returns the keys alone.
    pub(super) fn keys(&self) -> impl Iterator<Item = &MigrationKey> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// Creates the content of an empty ledger.
    pub(super) fn nothing() -> Self {
        Self {
            entries: Vec::new(),
            reach: Reach::Each,
            state: LedgerState::Clean,
            notes: Vec::new(),
            is_undecided: false,
        }
    }

    /// Creates applied migrations that each cover themselves alone, in the order of their keys.
    pub(super) fn each(mut entries: Vec<AppliedEntry>) -> Self {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Self {
            entries,
            ..Self::nothing()
        }
    }
}

/// Fails if a key is in two rows. Only for tools whose own table cannot hold a key twice.
pub(super) fn reject_duplicates(entries: &[AppliedEntry]) -> Result<(), MalformedLedger> {
    let mut seen = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(first) = seen.insert(&entry.key, at + 1) {
            let key = entry.key.redacted().unwrap_or_else(|| "a name".to_owned());
            return Err(MalformedLedger {
                row: Some(at + 1),
                what: format!(
                    "is {key}, which is in row {first} too, and the tool takes each once: keep a copy of the store, and take one of the two rows out"
                ),
            });
        }
    }
    Ok(())
}

/// Reads a ledger of names, one a row.
pub(super) fn names(
    rows: &LedgerRows<'_>,
    column: &str,
    key: impl Fn(&str) -> MigrationKey,
) -> Result<Applied, MalformedLedger> {
    let entries: Result<Vec<AppliedEntry>, MalformedLedger> =
        rows.iter().map(|row| row.name(column).map(|name| AppliedEntry::of(key(name)))).collect();
    let entries = entries?;
    reject_duplicates(&entries)?;
    Ok(Applied::each(entries))
}

/// Reads a ledger of numbers, one a row. A number that stands twice is no fault here.
pub(super) fn numbers(rows: &LedgerRows<'_>, column: &str) -> Result<Applied, MalformedLedger> {
    let entries: Result<Vec<AppliedEntry>, MalformedLedger> = rows
        .iter()
        .map(|row| row.integer(column).map(|number| AppliedEntry::of(MigrationKey::number(number))))
        .collect();
    entries.map(Applied::each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_twice_in_a_ledger_is_named_with_both_rows() {
        let entries = |versions: &[i128]| -> Vec<AppliedEntry> {
            versions.iter().map(|version| AppliedEntry::of(MigrationKey::number(*version))).collect()
        };
        assert_eq!(reject_duplicates(&entries(&[1, 2, 3])), Ok(()));
        let malformed = reject_duplicates(&entries(&[1, 2, 3, 2])).unwrap_err();
        assert_eq!(
            malformed.to_string(),
            "in row 4 is 2, which is in row 2 too, and the tool takes each once: keep a copy of the store, and take one of the two rows out"
        );
    }
}
