//! The places where something is wrong, as checks report them: bounded, counted, and without a cell's value.

pub(crate) mod check_id;
pub(crate) mod kind;

use std::borrow::Cow;

use crate::text::words::{cut, plural};
use kind::Kind;

/// The most findings that a row keeps; the rest are counted.
pub(crate) const MOST_FINDINGS: usize = 100;

/// The longest name that is kept, in characters. Names in an untrusted store can have any length.
pub(crate) const LONGEST_NAME: usize = 160;

/// The longest words of a finding that are kept, in characters.
const LONGEST_WORDS: usize = 1_000;

/// The knowledge about lost data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Nothing is lost by it.
    No,
    /// Data may be lost, and it was not counted.
    Unknown,
    /// Data is lost.
    Yes,
}

/// The rows of a table of a damaged store, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountedTable {
    /// The table's name, safe to print.
    pub name: String,
    /// The number of its intact rows.
    pub intact: u64,
    /// The number of its lost rows, as far as indexes name them.
    pub lost: u64,
    /// True if there may be more lost rows.
    pub at_least: bool,
}

/// The places where something is wrong: the first [`MOST_FINDINGS`], and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The first ones.
    pub kept: Vec<Finding>,
    /// The number of places in all.
    pub total: u64,
    /// True if there may be more than `total`, because the looking ended early.
    pub at_least: bool,
}

/// One place where something is wrong. It names tables, rows, columns, counts and pages, never a cell's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The fixed word that says what is wrong there; `None` means the kind of the row.
    pub(crate) kind: Option<Kind>,
    pub(crate) table: Option<String>,
    pub(crate) index: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) row: Option<i64>,
    pub(crate) key: Option<String>,
    pub(crate) id: Option<i64>,
    pub(crate) page: Option<u64>,
    pub(crate) count: Option<u64>,
    pub(crate) what: Cow<'static, str>,
}

/// The place and the fault, as a report shows them.
impl Finding {
    /// Returns the fixed word for what is wrong there, as `docs/json.md` lists it; `None` means the word of the row.
    pub fn kind(&self) -> Option<&'static str> {
        self.kind.map(Kind::name)
    }

    /// Returns the table.
    pub fn table_name(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// Returns the index.
    pub fn index_name(&self) -> Option<&str> {
        self.index.as_deref()
    }

    /// Returns the column.
    pub fn column_name(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Returns the row's `rowid`.
    pub fn rowid(&self) -> Option<i64> {
        self.row
    }

    /// Returns the row's primary key, only if it is a UUID, which discloses nothing.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns a migration's id.
    pub fn migration(&self) -> Option<i64> {
        self.id
    }

    /// Returns the page, counted from 1 as SQLite does.
    pub fn page(&self) -> Option<u64> {
        self.page
    }

    /// Returns the number of places that this finding covers, if it covers several.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// Returns a description of the fault.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl Finding {
    /// Creates a finding that says `what` and no place yet.
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// Returns a note of a passing row: what is odd, and the fixed word for it.
    pub(crate) fn note(kind: Kind, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(what).kind_of(kind)
    }

    /// Returns true if it names rows that are lost, damaged or out of reach.
    pub(crate) fn names_rows(&self) -> bool {
        let is_of_rows = |kind| {
            matches!(
                kind,
                Kind::RowsLost | Kind::RowDamaged | Kind::RowDoubtful | Kind::KeysWithoutRows | Kind::RowsOutOfReach
            )
        };
        self.kind.is_some_and(is_of_rows)
    }

    /// Sets the fixed word for what is wrong.
    #[must_use]
    pub(crate) fn kind_of(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Sets the table.
    #[must_use]
    pub(crate) fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    /// Sets the column.
    #[must_use]
    pub(crate) fn column(mut self, name: impl Into<String>) -> Self {
        self.column = Some(name.into());
        self
    }

    /// Cuts names and words to their greatest lengths.
    fn bounded(self) -> Self {
        let name = |name: Option<String>| name.map(|name| cut(&name, LONGEST_NAME));
        Self {
            table: name(self.table),
            index: name(self.index),
            column: name(self.column),
            key: name(self.key),
            what: match self.what {
                Cow::Owned(words) => cut(&words, LONGEST_WORDS).into(),
                words @ Cow::Borrowed(_) => words,
            },
            ..self
        }
    }
}

impl Findings {
    /// Counts a finding, and keeps it while there is room; the finding is only built then, and its names are cut.
    pub(crate) fn add(&mut self, finding: impl FnOnce() -> Finding) {
        self.total += 1;
        if self.kept.len() < MOST_FINDINGS {
            self.kept.push(finding().bounded());
        }
    }

    /// Returns true if nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// "3 rows", "1 row", "at least 1,000 rows".
    pub(crate) fn count(&self, one: &str, many: &str) -> String {
        let least = if self.at_least { "at least " } else { "" };
        format!("{least}{}", plural(self.total, one, many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_past_the_bound_are_counted_and_not_kept() {
        let mut findings = Findings::default();
        for _ in 0..250 {
            findings.add(|| Finding::new("wrong"));
        }
        assert_eq!(findings.kept.len(), MOST_FINDINGS);
        assert_eq!(findings.count("row", "rows"), "250 rows");
    }

    #[test]
    fn names_are_cut_when_they_are_kept() {
        let mut findings = Findings::default();
        let name = "n".repeat(400_000);
        findings.add(|| Finding::new(format!("refers to a row of {name}")).table(&name).column(&name));
        let kept = &findings.kept[0];
        assert_eq!(kept.table.as_ref().unwrap().len(), kept.column.as_ref().unwrap().len());
        assert!(kept.table.as_ref().unwrap().chars().count() <= LONGEST_NAME);
        assert!(kept.what.chars().count() <= LONGEST_WORDS);
    }
}
