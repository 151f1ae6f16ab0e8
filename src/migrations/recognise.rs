//! Whose ledger a table is: by its columns with their declared types, then by its name.
//!
//! Names alone are not enough: five tools call theirs `schema_migrations`. Columns alone are not enough either: D1's are
//! common words.

use crate::migrations::dialects::named::{NAMED, NamedTool};
use crate::migrations::dialects::{Dialect, TOOLS};
use crate::migrations::ledger::{Fit, LedgerTable};

/// An ordinary table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableDeclaration {
    pub(super) name: String,
    /// Its columns, the generated ones among them.
    pub(super) columns: Vec<LedgerColumn>,
}

/// A column, as `PRAGMA table_xinfo` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LedgerColumn {
    pub(super) name: String,
    /// Its declared type; empty where none was declared.
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) is_key: bool,
    /// True if it is generated or hidden: reading it would run an expression of the untrusted schema.
    pub(super) is_generated: bool,
}

/// A table that is a tool's ledger.
#[derive(Debug, Clone)]
pub(crate) struct LedgerMatch {
    /// Its tool.
    pub(crate) tool: Tool,
    /// Its name.
    pub(crate) table: String,
    /// True if it has its tool's own name.
    pub(super) has_own_name: bool,
}

/// The owner of a ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tool {
    /// A tool whose ledger is understood, and the ledger's columns.
    Understood(&'static Dialect, LedgerLayout),
    /// A tool that is named and no more: its migrations are not plain SQL.
    Named(&'static NamedTool),
}

/// The columns of a ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedgerLayout(pub(super) &'static LedgerTable);

impl Tool {
    /// Returns the name as its users write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Understood(dialect, _) => dialect.name,
            Self::Named(named) => named.name,
        }
    }
}

impl LedgerMatch {
    fn new(tool: Tool, table: &TableDeclaration, has_own_name: bool) -> Self {
        Self {
            tool,
            table: table.name.clone(),
            has_own_name,
        }
    }

    /// Returns its rank, the smallest first: one under its tool's own name, and of those the first in the order of the tools.
    pub(super) fn rank(&self) -> (bool, usize) {
        let name = self.tool.name();
        let named = || NAMED.iter().position(|named| named.name == name).map(|at| TOOLS.len() + at);
        let at = TOOLS.iter().position(|dialect| dialect.name == name).or_else(named);
        (!self.has_own_name, at.unwrap_or(usize::MAX))
    }
}

impl LedgerLayout {
    /// Returns the columns of a table that --ledger names: those that are read must be there.
    pub(super) fn of_named(dialect: &Dialect, table: &TableDeclaration) -> Option<Self> {
        let has = |name: &str| {
            let is = |column: &LedgerColumn| column.name.eq_ignore_ascii_case(name) && !column.is_generated;
            table.columns.iter().any(is)
        };
        // The layout that reads the most stands last.
        let mut layouts = dialect.ledgers.iter().rev();
        layouts.find(|ledger| ledger.read_columns().all(has)).map(Self)
    }
}

/// Identifies the tool whose ledger a table is; `None` for no known tool. For the `likely` tools the columns alone are enough.
pub(super) fn recognise(table: &TableDeclaration, likely: &[&Dialect]) -> Option<LedgerMatch> {
    let mut by_columns = None;
    for dialect in TOOLS {
        for ledger in dialect.ledgers {
            let own_name = table.name.eq_ignore_ascii_case(ledger.name);
            let columns_tell = ledger.known_by_columns || likely.contains(dialect);
            if (own_name || columns_tell) && fits(ledger, table) {
                let recognised = LedgerMatch::new(Tool::Understood(dialect, LedgerLayout(ledger)), table, own_name);
                if own_name {
                    return Some(recognised);
                }
                by_columns.get_or_insert(recognised);
            }
        }
    }
    let named = NAMED.iter().find(|named| named.matches(table));
    named.map(|named| LedgerMatch::new(Tool::Named(named), table, true)).or(by_columns)
}

/// Returns true if a table has the columns of a ledger, as closely as the tool's versions have them.
fn fits(ledger: &LedgerTable, table: &TableDeclaration) -> bool {
    let is_exact = ledger.fit == Fit::Exact;
    (ledger.fit == Fit::SomeNames || ledger.columns.len() == table.columns.len())
        && ledger.columns.iter().all(|wanted| {
            table.columns.iter().any(|column| {
                let any_type = wanted.types.is_empty() && !is_exact;
                column.name.eq_ignore_ascii_case(wanted.name)
                    && (any_type || wanted.types.contains(&spelled(&column.declared).as_str()))
                    && (!is_exact || (column.not_null == wanted.not_null && column.is_key == wanted.key))
                    && !column.is_generated
            })
        })
}

/// Returns a declared type in capitals, with single blanks.
fn spelled(declared: &str) -> String {
    let words: Vec<&str> = declared.split_ascii_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}
