//! The description of a store's schema: its tables in every physical layout, their unique indexes, and which values each column
//! can hold.
//!
//! It is one plain value, so that the engine knows no application: it only asks which table and layout a record fits, which
//! keys it has and which values are invalid. Today [`replay`] makes it from the migrations of an application; a description
//! made from any other source serves the engine as well.

pub mod replay;

use rusqlite::types::ValueRef;
use sqlite_format::record::{Classes, Field};

use crate::application;

/// The most unique indexes of a table that are read. A table with more is judged by its first ones.
pub const MOST_KEYS: usize = 4;

/// The place of a stored column that no version of its table has.
pub const UNKNOWN_COLUMN: usize = usize::MAX;

/// A store's schema, in all versions of it.
#[derive(Debug, Clone, Default)]
pub struct StoreSchema {
    /// The tables.
    pub tables: Vec<TableSchema>,
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct TableSchema {
    /// Its name.
    pub name: String,
    /// Every column that it has in any version of the schema.
    pub columns: Vec<ColumnSchema>,
    /// The places of the columns that lie in a row, in their order: one layout for each version of the schema that has another.
    pub layouts: Vec<Vec<usize>>,
    /// The place of the column that is an alias of the rowid.
    pub rowid_alias: Option<usize>,
    /// Its unique indexes, the primary key's first.
    pub keys: Vec<UniqueKey>,
}

/// A column.
#[derive(Debug, Clone)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// The rule for its values, where there is one.
    pub rule: Option<ValueRule>,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its name in `sqlite_schema`.
    pub name: String,
    /// The places of its columns.
    pub columns: Vec<usize>,
}

/// A schema together with the migrations that make it.
#[derive(Debug, Clone, Default)]
pub struct KnownStore {
    /// The schema, the ledger among its tables.
    pub schema: StoreSchema,
    /// The ledger of applied migrations.
    pub ledger: KnownLedger,
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
pub struct ValueRule(application::Rule);

impl ValueRule {
    /// Returns true if a value of this storage class can stand in the column at all.
    pub fn allows_class(self, class: Classes) -> bool {
        match self.0 {
            application::Rule::Flag => class == Classes::INTEGER,
            application::Rule::Optional => class == Classes::TEXT || class == Classes::NULL,
            _ => class == Classes::TEXT,
        }
    }

    /// Returns the fault of a value, if it has one.
    pub fn fault(self, field: Field, payload: &[u8]) -> Option<&'static str> {
        let bytes = payload.get(field.range()).unwrap_or_default();
        self.0.fault(match field.class {
            Classes::TEXT => ValueRef::Text(bytes),
            Classes::BLOB => ValueRef::Blob(bytes),
            Classes::INTEGER => field.integer(payload).map_or(ValueRef::Null, ValueRef::Integer),
            Classes::REAL => field.real(payload).map_or(ValueRef::Null, ValueRef::Real),
            _ => ValueRef::Null,
        })
    }

    /// Returns a time as a number that grows with it, where the column holds times: it tells an older copy of a row from a newer
    /// one.
    pub fn time_of(self, field: Field, payload: &[u8]) -> Option<u64> {
        if !matches!(self.0, application::Rule::Time) {
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
