//! Two tables → what is different, and what each difference costs.

use sqlite_format::schema::Affinity;

use super::read::{Column, ForeignKey, Index, Table};
use crate::application::Impact;

impl Impact {
    /// Returns true if the daemon cannot work with a store that has this difference.
    pub(crate) fn stops_the_daemon(self) -> bool {
        matches!(self, Self::Reads | Self::Writes)
    }

    /// Returns true if rows can become wrong by it.
    pub(crate) fn harms_rows(self) -> bool {
        matches!(self, Self::SilentChange | Self::Unguarded)
    }

    /// Returns the words that follow a difference.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Reads => "the daemon cannot read it",
            Self::SilentChange => "changes rows behind the daemon's back",
            Self::Writes => "the daemon cannot write it",
            Self::Unguarded => "wrong rows are no longer refused",
            Self::Equivalent => "the daemon reads and writes it all the same",
            Self::Extra => "merely extra",
        }
    }

    /// Returns the words that follow a difference, for an application of which only the migrations are known.
    pub(crate) fn words_for_unknown_app(self) -> &'static str {
        match self {
            Self::Reads => "what reads it may fail",
            Self::SilentChange => "changes rows behind the application's back",
            Self::Writes => "what writes it may fail",
            Self::Equivalent => "it is read and written all the same",
            Self::Unguarded | Self::Extra => self.words(),
        }
    }
}

/// The words for a table that no migration makes.
pub(super) const EXTRA_TABLE: &str = "an extra table";

/// One thing that is not as replaying the migrations gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShapeDifference {
    /// The impact on the application.
    pub(crate) cost: Impact,
    /// The table, view or trigger's table.
    pub(crate) table: String,
    /// The column.
    pub(crate) column: Option<String>,
    /// The index.
    pub(crate) index: Option<String>,
    /// The difference in words.
    pub(crate) what: String,
}

impl ShapeDifference {
    pub(super) fn new(cost: Impact, table: &str, what: impl Into<String>) -> Self {
        Self {
            cost,
            table: table.to_owned(),
            column: None,
            index: None,
            what: what.into(),
        }
    }

    /// Returns true for a table that no migration makes.
    pub(crate) fn is_extra_table(&self) -> bool {
        self.cost == Impact::Extra && self.column.is_none() && self.index.is_none() && self.what == EXTRA_TABLE
    }

    /// Returns place, difference and impact in a line.
    pub(crate) fn line(&self) -> String {
        let column = self.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
        format!("{}{column}: {} ({})", self.table, self.what, self.cost.words())
    }
}

/// Compares two tables of one name. `are_keys_written`: each row is written with its key, so that a table without rowids, whose key
/// may not be NULL and has no number by itself, takes it too.
pub(super) fn tables(name: &str, expected: &Table, found: &Table, are_keys_written: bool) -> Vec<ShapeDifference> {
    let mut comparison = Comparison {
        table: name,
        has_harmless_key: are_keys_written && found.text.without_rowid && !expected.text.without_rowid,
        out: Vec::new(),
    };
    comparison.columns(expected, found);
    comparison.options(expected, found);
    // Where there are no rowids, an index stands for the primary key, which is the table's own tree.
    let is_own = |index: &&Index| comparison.has_harmless_key && found.is_primary_key(index);
    let found_indexes: Vec<Index> = found.indexes.iter().filter(|index| !is_own(index)).cloned().collect();
    comparison.indexes(&expected.indexes, &found_indexes);
    comparison.foreign_keys(&expected.foreign_keys, &found.foreign_keys);
    comparison.texts(expected, found);
    comparison.out
}

struct Comparison<'a> {
    table: &'a str,
    /// True if the key may not be NULL and never is.
    has_harmless_key: bool,
    out: Vec<ShapeDifference>,
}

impl Comparison<'_> {
    fn add(&mut self, cost: Impact, what: impl Into<String>) {
        self.out.push(ShapeDifference::new(cost, self.table, what));
    }

    fn add_column(&mut self, cost: Impact, column: &str, what: impl Into<String>) {
        self.out.push(ShapeDifference {
            column: Some(column.to_owned()),
            ..ShapeDifference::new(cost, self.table, what)
        });
    }

    fn columns(&mut self, expected: &Table, found: &Table) {
        for (name, column) in &expected.columns {
            match found.columns.get(name) {
                None => self.add_column(Impact::Reads, name, "the column is missing"),
                Some(other) => {
                    self.column(name, column, other);
                    if expected.collation(name) != found.collation(name) {
                        self.add_column(Impact::Reads, name, "has another collation, so that searches find other rows");
                    }
                    if column.hidden == other.hidden
                        && expected.text.generated.get(name) != found.text.generated.get(name)
                    {
                        self.add_column(Impact::Reads, name, "is computed by another expression");
                    }
                }
            }
        }
        for (name, column) in found.columns.iter().filter(|(name, _)| !expected.columns.contains_key(*name)) {
            let needed = column.not_null && column.default.is_none() && column.hidden == 0;
            if needed {
                self.add_column(Impact::Writes, name, "an extra column that may not be NULL and has no default");
            } else {
                self.add_column(Impact::Extra, name, "an extra column");
            }
        }
    }

    fn column(&mut self, name: &str, expected: &Column, found: &Column) {
        if expected.declared != found.declared {
            let (cost, what) = if Affinity::of(&expected.declared) == Affinity::of(&found.declared) {
                (Impact::Equivalent, "is declared with another type of the same affinity")
            } else {
                (Impact::Reads, "has a type of another affinity, so that values get another storage class")
            };
            self.add_column(cost, name, what);
        }
        match (expected.not_null, found.not_null) {
            (true, false) => self.add_column(Impact::Unguarded, name, "may be NULL"),
            (false, true) if self.has_harmless_key && found.key > 0 => {}
            (false, true) => self.add_column(Impact::Writes, name, "may not be NULL"),
            _ => {}
        }
        if expected.default != found.default {
            let (cost, what) = match (&expected.default, &found.default) {
                (Some(_), None) if found.not_null => (Impact::Writes, "has no default, and may not be NULL"),
                (Some(_), None) => (Impact::Writes, "has no default, so that rows written without it get NULL"),
                (None, Some(_)) => (Impact::Unguarded, "has a default, where a value must be given"),
                _ => (Impact::Writes, "has another default, so that rows written without it get another value"),
            };
            self.add_column(cost, name, what);
        }
        if expected.key != found.key {
            let what = match (expected.key, found.key) {
                (_, 0) => "is not part of the primary key",
                (0, _) => "is part of the primary key",
                _ => "has another place in the primary key",
            };
            self.add_column(Impact::Writes, name, what);
        }
        if expected.hidden != found.hidden {
            let what = match found.hidden {
                0 => "is an ordinary column, where it should be generated",
                1 => "is hidden",
                _ => "is a generated column",
            };
            self.add_column(Impact::Writes, name, what);
        }
    }

    fn options(&mut self, expected: &Table, found: &Table) {
        if found.text_is_missing {
            return;
        }
        match (expected.text.strict, found.text.strict) {
            (true, false) => self.add(Impact::Unguarded, "is not STRICT"),
            (false, true) => self.add(Impact::Writes, "is STRICT, which refuses values of another type"),
            _ => {}
        }
        match (expected.text.without_rowid, found.text.without_rowid) {
            (true, false) => self.add(Impact::Equivalent, "has rowids, where it should have none"),
            (false, true) => self.add(Impact::Equivalent, "has no rowids (WITHOUT ROWID)"),
            _ => {}
        }
        if expected.text.autoincrement != found.text.autoincrement {
            let has = if found.text.autoincrement { "has" } else { "lacks" };
            self.add(Impact::Equivalent, format!("{has} AUTOINCREMENT"));
        }
    }

    fn indexes(&mut self, expected: &[Index], found: &[Index]) {
        let (missing, extra) = unmatched(expected, found);
        for index in missing {
            let cost = if index.unique {
                Impact::Unguarded
            } else {
                Impact::Equivalent
            };
            self.add(cost, format!("{} is missing", words(index)));
        }
        for index in extra {
            let cost = if index.unique || index.computed {
                Impact::Writes
            } else {
                Impact::Extra
            };
            self.out.push(ShapeDifference {
                index: Some(index.name.0.clone()),
                ..ShapeDifference::new(cost, self.table, format!("{} is extra", words(index)))
            });
        }
    }

    fn foreign_keys(&mut self, expected: &[ForeignKey], found: &[ForeignKey]) {
        let (missing, mut extra) = unmatched(expected, found);
        for key in missing {
            let same_columns = |other: &&ForeignKey| other.columns == key.columns && other.parent == key.parent;
            if let Some(at) = extra.iter().position(same_columns) {
                let other = extra.swap_remove(at);
                let (cost, event, action) = if other.on_delete == key.on_delete {
                    (cost_of_action(&other.on_update), "updated", &other.on_update)
                } else {
                    (cost_of_action(&other.on_delete), "deleted", &other.on_delete)
                };
                let what = format!("{} acts differently when the parent is {event}: {action}", key_words(key));
                self.add(cost, what);
            } else {
                self.add(Impact::Unguarded, format!("{} is missing", key_words(key)));
            }
        }
        for key in extra {
            let cost = match (cost_of_action(&key.on_delete), cost_of_action(&key.on_update)) {
                (Impact::SilentChange, _) | (_, Impact::SilentChange) => Impact::SilentChange,
                _ => Impact::Writes,
            };
            self.add(cost, format!("{} is extra", key_words(key)));
        }
    }

    /// Compares what only the definitions' text shows.
    fn texts(&mut self, expected: &Table, found: &Table) {
        if found.text_is_missing {
            self.add(
                Impact::Equivalent,
                "its definition is missing or longer than 65,536 bytes, and was only compared in part",
            );
            return;
        }
        let (missing, extra) = unmatched(&expected.text.checks, &found.text.checks);
        for _ in missing {
            self.add(Impact::Unguarded, "a CHECK constraint is missing or different");
        }
        for _ in extra {
            self.add(Impact::Writes, "a CHECK constraint is extra or different");
        }
        let (missing, extra) = unmatched(&expected.text.conflicts, &found.text.conflicts);
        if !missing.is_empty() || !extra.is_empty() {
            self.add(Impact::SilentChange, "a constraint handles conflicts differently (ON CONFLICT)");
        }
        if expected.text.deferred != found.text.deferred {
            self.add(Impact::Unguarded, "a foreign key is checked at a different time (DEFERRABLE)");
        }
    }
}

/// Returns the impact of a foreign key's action that the migrations do not ask for.
fn cost_of_action(action: &str) -> Impact {
    match action {
        "cascade" | "set null" | "set default" => Impact::SilentChange,
        _ => Impact::Writes,
    }
}

/// Returns the elements of each side that the other lacks, with multiplicity.
fn unmatched<'a, T: PartialEq>(expected: &'a [T], found: &'a [T]) -> (Vec<&'a T>, Vec<&'a T>) {
    let mut extra: Vec<&T> = found.iter().collect();
    let mut missing = Vec::new();
    for one in expected {
        match extra.iter().position(|other| *other == one) {
            Some(at) => drop(extra.remove(at)),
            None => missing.push(one),
        }
    }
    (missing, extra)
}

/// Describes an index: "the unique index on name, state DESC where …". Expressions may quote anything, and are not printed.
fn words(index: &Index) -> String {
    let unique = if index.unique { "unique " } else { "" };
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|(column, collation, descending)| {
            let column = if column.contains([' ', '\'', '(']) {
                "an expression"
            } else {
                column
            };
            let collation = if collation == "binary" {
                String::new()
            } else {
                format!(" COLLATE {collation}")
            };
            format!("{column}{collation}{}", if *descending { " DESC" } else { "" })
        })
        .collect();
    let partial = if index.filter.is_some() {
        " over some of the rows"
    } else {
        ""
    };
    format!("the {unique}index on {}{partial}", columns.join(", "))
}

fn key_words(key: &ForeignKey) -> String {
    let columns: Vec<&str> = key.columns.iter().map(|(from, _)| from.as_str()).collect();
    format!("the foreign key of {} to {}", columns.join(", "), key.parent)
}
