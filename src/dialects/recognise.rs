//! Whose ledger a store has: by the columns of its tables with their declared types, then by their names.
//!
//! Names alone are not enough: five tools call theirs `schema_migrations`. Columns alone are not enough either: `id`,
//! `name` and `applied_at` are D1's.

use super::ledger::{self, Applied, Declared, Entry, Ledger, Malformed, Reach, Row, Rows};
use super::named::{NAMED, Named};
use super::{Dialect, Key, TOOLS};

/// What a store tells about itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its ordinary tables: no views, no virtual tables.
    pub tables: &'a [Table],
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
}

/// File formats whose `user_version` is their own, and counts no migrations: `GeoPackage` (three ids), `MBTiles`, and Fossil's
/// repository, checkout and settings. From the list that comes with SQLite, `magic.txt`.
const FORMATS: [i32; 7] = [
    0x4750_4b47,
    0x4750_3130,
    0x4750_3131,
    0x4d50_4258,
    0x0f05_5111,
    0x0f05_5112,
    0x0f05_5113,
];

/// An ordinary table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, the generated ones among them.
    pub columns: Vec<Column>,
}

/// A column, as `PRAGMA table_xinfo` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type; empty where none was declared.
    pub declared: String,
    /// Whether it was declared NOT NULL.
    pub not_null: bool,
    /// Its place in the primary key, from 1; 0 where it is not in it.
    pub key: u32,
    /// Whether it is generated or hidden: reading it would run what stands in the schema.
    pub generated: bool,
}

/// A store's ledger.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// Whose it is.
    pub tool: Tool,
    /// Its table; none where `PRAGMA user_version` is all there is.
    pub table: Option<String>,
    /// Other tables that are some tool's ledger too. Where there are any, somebody has to say which one counts.
    pub also: Vec<(Tool, String)>,
    layout: Layout,
}

/// Whose a ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// A tool whose ledger and files are understood.
    Understood(Dialect),
    /// A tool that is named and no more: its migrations are not plain SQL.
    Named(&'static Named),
}

impl Tool {
    /// How people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Understood(dialect) => dialect.name(),
            Self::Named(named) => named.name,
        }
    }
}

/// How a ledger's rows are read.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Table(&'static Ledger, ledger::Reader),
    /// The rows are counted.
    Counted,
    UserVersion(i32),
}

/// Whose ledger a store has. None: it has no ledger that is known, and its `user_version` is 0.
///
/// Where several tables are ledgers, it is the one under its tool's own name, and of those the first in the order of the
/// tools; [`Recognised::also`] has the others.
pub fn recognise(facts: &Facts<'_>) -> Option<Recognised> {
    let mut found: Vec<(bool, Recognised)> = facts.tables.iter().filter_map(of_table).collect();
    // The sort is stable: of equals, the one that stands first in the store.
    found.sort_by_key(|(own_name, recognised)| (!own_name, recognised.rank()));
    let mut found = found.into_iter().map(|(_, recognised)| recognised);
    let Some(mut first) = found.next() else {
        let counts = facts.user_version != 0 && !FORMATS.contains(&facts.application_id);
        return counts.then(|| Recognised::user_version(facts.user_version));
    };
    first.also = found.filter_map(|other| Some((other.tool, other.table?))).collect();
    Some(first)
}

/// The ledger in a table, and whether it has its tool's own name.
fn of_table(table: &Table) -> Option<(bool, Recognised)> {
    let own_name = |name: &str| table.name.eq_ignore_ascii_case(name);
    let mut best: Option<(bool, Recognised)> = None;
    for tool in TOOLS {
        for ledger in tool.ledgers {
            let own = own_name(ledger.name);
            if (own || ledger.known_by_columns) && fits(ledger.columns, table) {
                let layout = Layout::Table(ledger, tool.reader);
                let recognised = Recognised::of(Tool::Understood(tool.dialect), table, layout);
                if own {
                    return Some((true, recognised));
                }
                best.get_or_insert((false, recognised));
            }
        }
    }
    let named = NAMED.iter().find(|named| named.wrote(table));
    let named = named.map(|named| (true, Recognised::of(Tool::Named(named), table, Layout::Counted)));
    named.or(best)
}

/// Whether a table has exactly these columns, with these types.
fn fits(declared: &[Declared], table: &Table) -> bool {
    declared.len() == table.columns.len()
        && declared.iter().all(|wanted| {
            table.columns.iter().any(|column| {
                column.name.eq_ignore_ascii_case(wanted.name)
                    && wanted.types.contains(&spelled(&column.declared).as_str())
                    && column.not_null == wanted.not_null
                    && (column.key > 0) == wanted.key
                    && !column.generated
            })
        })
}

/// A declared type in capitals, with single blanks.
fn spelled(declared: &str) -> String {
    let words: Vec<&str> = declared.split_ascii_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}

impl Recognised {
    fn of(tool: Tool, table: &Table, layout: Layout) -> Self {
        Self {
            tool,
            table: Some(table.name.clone()),
            also: Vec::new(),
            layout,
        }
    }

    /// A store that counts its migrations in `PRAGMA user_version`.
    pub fn user_version(user_version: i32) -> Self {
        Self {
            tool: Tool::Understood(Dialect::UserVersion),
            table: None,
            also: Vec::new(),
            layout: Layout::UserVersion(user_version),
        }
    }

    /// A table of which somebody says whose ledger it is: it needs the columns that are read, and no more.
    ///
    /// # Errors
    /// Which columns are missing.
    pub fn told(table: &Table, dialect: Dialect) -> Result<Self, String> {
        let tool = dialect.definition();
        let has = |name: &str| {
            table
                .columns
                .iter()
                .any(|column| column.name.eq_ignore_ascii_case(name) && !column.generated)
        };
        let missing = |ledger: &Ledger| -> Vec<&str> { ledger.read_columns().filter(|name| !has(name)).collect() };
        // The layout that reads the most stands last.
        let ledger = tool.ledgers.iter().rev().find(|ledger| missing(ledger).is_empty());
        match (ledger, tool.ledgers.first()) {
            (Some(ledger), _) => {
                let layout = Layout::Table(ledger, tool.reader);
                Ok(Self::of(Tool::Understood(dialect), table, layout))
            }
            (None, Some(ledger)) => {
                let missing = missing(ledger).join(" and ");
                Err(format!("it is no ledger of {}: it has no column {missing}", tool.name))
            }
            (None, None) => Err(format!("{} has no table for its ledger", tool.name)),
        }
    }

    /// Where a tool stands among the others: those that are understood come first.
    fn rank(&self) -> usize {
        match self.tool {
            Tool::Understood(dialect) => TOOLS.iter().position(|tool| tool.dialect == dialect).unwrap_or(TOOLS.len()),
            Tool::Named(named) => TOOLS.len() + NAMED.iter().position(|other| other.name == named.name).unwrap_or(0),
        }
    }

    /// The statement that reads the ledger: bounded in rows and in the length of values, and past every index. None where
    /// there is no table to read.
    pub fn select(&self) -> Option<String> {
        let table = self.table.as_deref()?;
        match self.layout {
            Layout::Table(ledger, _) => Some(ledger.select(table)),
            Layout::Counted => {
                let most = ledger::MOST_ROWS + 1;
                Some(format!("SELECT 1 FROM {} NOT INDEXED LIMIT {most}", ledger::quoted(table)))
            }
            Layout::UserVersion(_) => None,
        }
    }

    /// What the rows of [`Recognised::select`] say; of a tool that is named and no more, only how many there are.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(&self, rows: &[Row]) -> Result<Applied, Malformed> {
        match self.layout {
            Layout::Table(ledger, reader) => reader(&Rows::new(ledger, rows)?),
            Layout::Counted => Ok(Applied {
                rows: rows.len(),
                ..Applied::nothing()
            }),
            Layout::UserVersion(version) => match u32::try_from(version) {
                Err(_) => Err(Malformed::whole("user_version is below 0")),
                Ok(0) => Ok(Applied::nothing()),
                Ok(version) => Ok(Applied {
                    entries: vec![Entry::of(Key::number(version))],
                    reach: Reach::UpTo,
                    ..Applied::nothing()
                }),
            },
        }
    }
}
