//! Whose ledger a table is: by its columns with their declared types, then by its name.
//!
//! Names alone are not enough: five tools call theirs `schema_migrations`. Columns alone are not enough either: D1's are
//! common words.

use std::collections::HashSet;

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

/// What is known of a ledger before its columns are: its name, or a column that it has.
pub(super) struct LedgerSearch {
    /// The names of the tools' own tables, in lower case.
    names: HashSet<String>,
    /// The longest column of each ledger that is known by its columns.
    columns: Vec<&'static str>,
}

impl LedgerSearch {
    /// Creates the search for all ledgers that [`recognise`] identifies.
    pub(super) fn new(likely: &[&Dialect]) -> Self {
        let mut search = Self {
            names: NAMED.iter().map(|named| named.table.to_ascii_lowercase()).collect(),
            columns: Vec::new(),
        };
        for dialect in TOOLS {
            for ledger in dialect.ledgers {
                search.names.insert(ledger.name.to_ascii_lowercase());
                let longest = ledger.columns.iter().map(|column| column.name).max_by_key(|name| name.len());
                if let (true, Some(name)) = (ledger.known_by_columns || likely.contains(dialect), longest) {
                    search.columns.push(name);
                }
            }
        }
        search
    }

    /// Returns false for a table that [`recognise`] does not identify. `definition`: its statement, if it could be read.
    pub(super) fn may_find(&self, name: &str, definition: Option<&[u8]>) -> bool {
        let Some(definition) = definition else { return true };
        // Whatever its quotes, a column that is a word stands in the statement as that word.
        let is_end = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_');
        let is_column = |word: &[u8]| self.columns.iter().any(|column| word.eq_ignore_ascii_case(column.as_bytes()));
        self.names.contains(&name.to_ascii_lowercase()) || definition.split(is_end).any(is_column)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_of_a_ledger_is_a_word_by_which_its_definition_is_found() {
        for ledger in TOOLS.iter().flat_map(|dialect| dialect.ledgers) {
            let is_word = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            assert!(ledger.columns.iter().all(|column| is_word(column.name)), "{}", ledger.name);
        }
        let search = LedgerSearch::new(&[]);
        for (name, definition, found) in [
            ("t", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", false),
            ("SCHEMA_migrations", "CREATE TABLE SCHEMA_migrations(a)", true),
            ("t", "CREATE TABLE t(id, [Applied_Steps_Count], checksum)", true),
            ("t", "CREATE TABLE t(\"dirty\" NUMERIC, version)", true),
        ] {
            assert_eq!(search.may_find(name, Some(definition.as_bytes())), found, "{definition}");
        }
        assert!(search.may_find("t", None));
    }
}
