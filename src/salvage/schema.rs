//! The description of a store's schema: its tables in every physical layout, their unique indexes, and which values each column
//! can hold.
//!
//! It is one plain value, so that the engine knows no application: it only asks which table and layout a record fits, which
//! keys it has and which values are invalid. [`replay`] makes it from the migrations of an application whose values are known,
//! [`statements`] from the statements of any schema: the store's own, or another one's.

pub mod objects;
pub mod replay;
pub mod statements;

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use sqlite_format::record::{Classes, Field};
use sqlite_format::schema::{Affinity, may_be_number};

use self::objects::SchemaObject;
use super::matching::DeclaredAs;
use super::notes::Owner;
use crate::application;

/// The most indexes of a table that are read. A table with more is judged by its first ones.
pub const MOST_KEYS: usize = 4;

/// The place of a stored column that no version of its table has.
pub const UNKNOWN_COLUMN: usize = usize::MAX;

/// A store's schema, in all versions of it.
#[derive(Debug, Clone, Default)]
pub struct StoreSchema {
    /// The tables.
    pub tables: Vec<TableSchema>,
    /// True if the values tell the tables apart: a row on a page without an owner is then known by them.
    pub has_known_values: bool,
}

/// The kind of a table, by which its rows are found and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Its rows have rowids.
    #[default]
    Rows,
    /// It is WITHOUT ROWID: its rows are the entries of an index.
    Keyed,
    /// It is `sqlite_sequence`.
    Sequence,
    /// It is an R-tree, whose rows lie in the nodes of another table.
    Spatial(Spatial),
    /// It holds a part of a virtual table. Nothing of it is written as it is.
    Part,
    /// Its statement cannot be used: its rows are given under another name, with numbered columns.
    Nameless,
}

/// An R-tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spatial {
    /// The place of the table with its nodes.
    pub nodes: usize,
    /// The place of the table that has the node of each row, and its auxiliary columns.
    pub rows: usize,
    /// The number of coordinates of a row.
    pub coordinates: usize,
    /// True if the coordinates are integers.
    pub is_integer: bool,
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct TableSchema {
    /// Its name.
    pub name: String,
    /// The name under which `sqlite_schema` has its tree, where that is another one.
    pub tree: Option<String>,
    /// Its kind.
    pub role: Role,
    /// True if its rows may end before the last columns: it was altered after they were written.
    pub has_short_rows: bool,
    /// True if the new store may refuse one of its rows because of another.
    pub has_conflicts: bool,
    /// Every column that it has in any version of the schema.
    pub columns: Vec<ColumnSchema>,
    /// The places of the columns that lie in a row, in their order: one layout for each version of the schema that has another.
    pub layouts: Vec<Vec<usize>>,
    /// The place of the column that is an alias of the rowid.
    pub rowid_alias: Option<usize>,
    /// Its unique indexes, the primary key's first; then others that name every row.
    pub keys: Vec<UniqueKey>,
    /// The keys of which the new store takes each only once, whether or not their indexes are read.
    pub uniques: Vec<UniqueKey>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// The rule for its values, where there is one.
    pub rule: Option<ValueRule>,
}

/// An index that names rows by their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its name in `sqlite_schema`.
    pub name: String,
    /// The places of its columns.
    pub columns: Vec<usize>,
    /// True if it takes any number of rows with the same values: then it names rows, and does not tell keys apart.
    pub is_shared: bool,
    /// The columns that are compared without regard to the case of ASCII letters, and those without regard to blanks at the end.
    pub folded: (Vec<usize>, Vec<usize>),
}

/// A schema together with the migrations that make it.
#[derive(Debug, Clone, Default)]
pub struct KnownStore {
    /// The schema, the ledger among its tables.
    pub schema: StoreSchema,
    /// The ledger of applied migrations, where the migrations make the schema of the new store.
    pub ledger: Option<KnownLedger>,
    /// Set where the schema is the store's own, which has to be read first.
    pub own: Option<OwnSchema>,
}

/// How a store is salvaged by its own schema.
#[derive(Debug, Clone, Default)]
pub struct OwnSchema {
    /// True if triggers are made anew.
    pub with_triggers: bool,
    /// The objects of another schema of the same application, for what the store's own has lost.
    pub given: Vec<SchemaObject>,
}

/// A ledger of migrations.
#[derive(Debug, Clone, Default)]
pub struct KnownLedger {
    /// The place of its table in the schema.
    pub table: usize,
    /// The SQL that creates it.
    pub sql: String,
    /// Every known migration, in order.
    pub migrations: Vec<KnownMigration>,
}

/// A known migration.
#[derive(Debug, Clone, Default)]
pub struct KnownMigration {
    /// Its id.
    pub id: i64,
    /// Its name, and the names that it had before.
    pub names: Vec<String>,
    /// Its SQL.
    pub sql: String,
}

impl StoreSchema {
    /// Returns the place of the table of this name.
    pub fn find_table(&self, name: &[u8]) -> Option<usize> {
        self.tables.iter().position(|table| table.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Returns true if the tree of an owner is an index's: an index, or a table WITHOUT ROWID.
    pub fn has_index_tree(&self, owner: Owner) -> bool {
        match owner {
            Owner::Index(..) => true,
            Owner::Table(table) => self.tables.get(table).is_some_and(|table| table.role == Role::Keyed),
            _ => false,
        }
    }

    /// Returns the place of each table by the name of its tree, in lower case.
    pub fn trees(&self) -> HashMap<Vec<u8>, usize> {
        let has_tree = |table: &TableSchema| !matches!(table.role, Role::Spatial(_));
        let tables = self.tables.iter().enumerate().filter(|(_, table)| has_tree(table));
        let tree = |table: &TableSchema| table.tree.as_ref().unwrap_or(&table.name).to_ascii_lowercase().into_bytes();
        tables.rev().map(|(at, table)| (tree(table), at)).collect()
    }

    /// Returns the index of this name: its table's place and its own among that table's keys.
    pub fn find_key(&self, name: &[u8]) -> Option<(usize, usize)> {
        self.tables.iter().enumerate().find_map(|(table, of)| {
            let key = of.keys.iter().position(|key| key.name.as_bytes().eq_ignore_ascii_case(name))?;
            Some((table, key))
        })
    }

    /// Adds the layouts of the store's own schema, where it has columns in another order, or others. `columns` are their names
    /// for each table whose statement could be read. A table that lacks what every version of it has is left as it is: its
    /// statement may be what is damaged.
    #[must_use]
    pub fn with_columns(mut self, columns: &[Option<Vec<String>>]) -> Self {
        for (table, names) in self.tables.iter_mut().zip(columns) {
            let Some(names) = names else { continue };
            let place = |name: &String| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
            let own: Vec<usize> = names.iter().map(|name| place(name).unwrap_or(UNKNOWN_COLUMN)).collect();
            if table.layouts.contains(&own) {
                continue;
            }
            let has_all =
                |part: &[usize]| table.layouts.iter().any(|known| known.iter().all(|column| part.contains(column)));
            // A row that was written before the last columns were added ends before them.
            let parts: Vec<Vec<usize>> = (1..=own.len())
                .rev()
                .filter_map(|len| own.get(..len))
                .filter(|part| has_all(part))
                .map(<[usize]>::to_vec)
                .collect();
            for (at, part) in parts.into_iter().enumerate() {
                if at == 0 {
                    table.layouts.insert(0, part);
                } else if !table.layouts.contains(&part) {
                    table.layouts.push(part);
                }
            }
        }
        self
    }
}

impl TableSchema {
    /// Returns true if its rows are found one by one and written as they are.
    pub fn is_read_by_rows(&self) -> bool {
        matches!(self.role, Role::Rows | Role::Sequence)
    }

    /// Returns the place of the key of this name.
    pub fn find_key(&self, name: &[u8]) -> Option<usize> {
        self.keys.iter().position(|key| key.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Returns true if it is only a part of another table, and no table to those who use the store.
    pub fn is_part(&self) -> bool {
        self.role == Role::Part
    }

    /// Returns true if a record with so many fields can be a row of this layout.
    pub fn takes_fields(&self, layout: &[usize], fields: usize) -> bool {
        layout.len() == fields || (self.has_short_rows && (1..layout.len()).contains(&fields))
    }

    /// Returns the field of a column in a layout.
    pub fn field_of(&self, layout: usize, column: usize) -> Option<usize> {
        self.layouts.get(layout)?.iter().position(|there| *there == column)
    }
}

impl KnownLedger {
    /// Returns true if a known migration has this name, or had it before.
    pub fn has_migration_named(&self, name: &[u8]) -> bool {
        let mut names = self.migrations.iter().flat_map(|migration| &migration.names);
        names.any(|known| known.as_bytes() == name)
    }
}

/// The rule for the values of a column.
#[derive(Debug, Clone, Copy)]
pub enum ValueRule {
    /// The application is known to write such values alone.
    Known(KnownRule),
    /// SQLite stores such values alone, by the column's declaration.
    Declared(DeclaredColumn),
}

/// What an application is known to write into a column.
#[derive(Debug, Clone, Copy)]
pub struct KnownRule(application::Rule);

/// The declaration of a column, as far as it bounds the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredColumn {
    /// Its affinity.
    pub affinity: Affinity,
    /// What its type says beside that.
    pub kind: DeclaredAs,
    /// True if it forbids NULL.
    pub forbids_null: bool,
    /// The classes of its values if its table is STRICT.
    pub strict: Option<Classes>,
}

impl DeclaredColumn {
    /// Returns true if SQLite can have stored a value in the column.
    fn allows(self, field: Field, payload: &[u8]) -> bool {
        if field.class == Classes::NULL {
            return !self.forbids_null;
        }
        if let Some(strict) = self.strict {
            return strict.holds(field.class);
        }
        match self.affinity {
            _ if field.class == Classes::TEXT && has_zeros(payload.get(field.range()).unwrap_or_default()) => false,
            Affinity::Blob => true,
            Affinity::Text => field.class == Classes::TEXT || field.class == Classes::BLOB,
            Affinity::Numeric | Affinity::Integer | Affinity::Real => {
                field.class != Classes::TEXT || !is_number(payload.get(field.range()).unwrap_or_default())
            }
        }
    }
}

/// Returns true if text holds a long run of zeros: what was written there is gone.
fn has_zeros(text: &[u8]) -> bool {
    const RUN: usize = 64;
    text.len() >= RUN && text.chunks_exact(RUN / 2).any(|part| part.iter().all(|byte| *byte == 0)) && {
        text.split(|byte| *byte != 0).any(|run| run.len() >= RUN)
    }
}

/// Returns true if text is certainly a number to SQLite: then a column of numbers never stores it as text.
fn is_number(text: &[u8]) -> bool {
    may_be_number(text) && std::str::from_utf8(text).is_ok_and(|text| text.trim_ascii().parse::<f64>().is_ok())
}

impl ValueRule {
    /// Returns true if a value of this storage class can stand in the column at all.
    pub fn allows_class(self, class: Classes) -> bool {
        match self {
            Self::Known(KnownRule(application::Rule::Flag)) => class == Classes::INTEGER,
            Self::Known(KnownRule(application::Rule::Optional)) => class == Classes::TEXT || class == Classes::NULL,
            Self::Known(_) => class == Classes::TEXT,
            Self::Declared(_) => true,
        }
    }

    /// Returns true if a value is not one of the column's.
    pub fn is_broken_by(self, field: Field, payload: &[u8]) -> bool {
        let rule = match self {
            Self::Known(KnownRule(rule)) => rule,
            Self::Declared(declared) => return !declared.allows(field, payload),
        };
        let bytes = payload.get(field.range()).unwrap_or_default();
        let fault = rule.fault(match field.class {
            Classes::TEXT => ValueRef::Text(bytes),
            Classes::BLOB => ValueRef::Blob(bytes),
            Classes::INTEGER => field.integer(payload).map_or(ValueRef::Null, ValueRef::Integer),
            Classes::REAL => field.real(payload).map_or(ValueRef::Null, ValueRef::Real),
            _ => ValueRef::Null,
        });
        fault.is_some()
    }

    /// Returns true if the new store refuses a value.
    pub fn is_refused(self, field: Field, _: &[u8]) -> bool {
        match self {
            Self::Declared(declared) => {
                field.class != Classes::NULL && declared.strict.is_some_and(|strict| !strict.holds(field.class))
            }
            Self::Known(_) => false,
        }
    }

    /// Returns a time as a number that grows with it, where the column holds times: it tells an older copy of a row from a newer
    /// one.
    pub fn time_of(self, field: Field, payload: &[u8]) -> Option<u64> {
        if !matches!(self, Self::Known(KnownRule(application::Rule::Time))) {
            return None;
        }
        let digits = payload.get(field.range())?.iter().filter(|byte| byte.is_ascii_digit()).take(17);
        let mut out = 0;
        let mut count = 0;
        for digit in digits {
            out = out * 10 + u64::from(digit - b'0');
            count += 1;
        }
        Some(out * 10_u64.pow(17 - count))
    }
}
