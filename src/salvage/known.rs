//! What is known of the stores that are salvaged: their tables, in every physical layout, and how a value of each column
//! looks.
//!
//! It is a plain description, so that the engine names no application. It is made in one place, [`replay`].

pub mod replay;
mod rule;

pub use rule::Rule;

/// So many unique indexes of a table are looked at. A table with more is judged by its first ones.
pub const MOST_KEYS: usize = 4;

/// A column of a store's that no version of its table has.
pub const STRANGE: usize = usize::MAX;

/// What is known of an application's stores.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The tables, the ledger among them.
    pub tables: Vec<Table>,
    /// The ledger's place among them.
    pub ledger: usize,
    /// What makes the ledger.
    pub ledger_sql: String,
    /// Every known migration, in order.
    pub migrations: Vec<Migration>,
}

/// A known migration.
#[derive(Debug, Clone, Default)]
pub struct Migration {
    /// Its id.
    pub id: i64,
    /// Its name, and those that it had before.
    pub names: Vec<String>,
    /// What it does.
    pub sql: String,
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Every column that it has in any version of the schema.
    pub columns: Vec<Column>,
    /// Which columns lie in a row, in order: one layout for each version of the schema that has another.
    pub layouts: Vec<Vec<usize>>,
    /// The column that is the rowid by another name.
    pub rowid_alias: Option<usize>,
    /// Its unique indexes, the primary key's first.
    pub keys: Vec<Key>,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds, where that is known.
    pub rule: Option<Rule>,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in `sqlite_schema`.
    pub name: String,
    /// Its columns.
    pub columns: Vec<usize>,
}

impl Known {
    /// The table of this name.
    pub fn table(&self, name: &[u8]) -> Option<usize> {
        self.tables.iter().position(|table| table.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The index of this name: its table's place and its own among that table's keys.
    pub fn key(&self, name: &[u8]) -> Option<(usize, usize)> {
        self.tables.iter().enumerate().find_map(|(table, of)| {
            let key = of.keys.iter().position(|key| key.name.as_bytes().eq_ignore_ascii_case(name))?;
            Some((table, key))
        })
    }

    /// The same, where the store's own schema has columns in another order, or others: their names for each table, where they
    /// are known. A table that lacks what every version of it has is left as it is: its statement may be what is damaged.
    #[must_use]
    pub fn with_columns(mut self, columns: &[Option<Vec<String>>]) -> Self {
        for (table, names) in self.tables.iter_mut().zip(columns) {
            let Some(names) = names else { continue };
            let place = |name: &String| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
            let own: Vec<usize> = names.iter().map(|name| place(name).unwrap_or(STRANGE)).collect();
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

    /// The known migration of this name, under its present name or an older one.
    pub fn is_name_of_a_migration(&self, name: &[u8]) -> bool {
        let mut names = self.migrations.iter().flat_map(|migration| &migration.names);
        names.any(|known| known.as_bytes() == name)
    }
}

impl Table {
    /// Where a column lies in a layout.
    pub fn place(&self, layout: usize, column: usize) -> Option<usize> {
        self.layouts.get(layout)?.iter().position(|there| *there == column)
    }
}
