//! The lines of SQLite's integrity check, grouped by the table or index that they are about.

use std::collections::{BTreeMap, BTreeSet};

use super::derived;
use super::evidence::Evidence;
use crate::application::Damage;
use crate::error::{Error, Result};
use crate::findings::{Finding, LONGEST_NAME};
use crate::store::ReadOnly;
use crate::store::integrity::unread_page;
use crate::text::words::cut;

/// The longest line that is kept, in characters.
const LONGEST_LINE: usize = 600;

/// The longest message of the module of a virtual table that is kept, in characters: it may name a hundred faults.
const LONGEST_MESSAGE: usize = 8_000;

/// A line, and where it says that something is wrong. Names in it are cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    words: String,
    place: Place,
}

/// The place of the fault that a line reports.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In a tree, by its root, at a page.
    Tree(u64, Option<u64>),
    /// At a page of such a tree that could not be read, so that nothing is known of what is in it.
    Unread(u64, Option<u64>),
    /// At a page that two places lead to, of which the first is perhaps the freelist: the root, the page, and the page that is used twice.
    Twice(u64, Option<u64>, u64),
    /// At a page that nothing uses.
    NeverUsed,
    /// In an index, by its name.
    Index(Damage, String),
    /// In a virtual table, by a message of its module's.
    Virtual,
    /// Somewhere else.
    Other(Damage),
}

impl Line {
    /// Returns true if the module of a virtual table says it.
    pub(super) fn is_of_virtual_table(&self) -> bool {
        self.place == Place::Virtual
    }

    /// Returns the root of the tree in which the line found damage.
    pub(super) fn damaged_tree(&self) -> Option<u64> {
        match self.place {
            Place::Tree(root, _) => Some(root),
            _ => None,
        }
    }

    /// Returns the page that it names, in a tree.
    pub(super) fn page(&self) -> Option<u64> {
        match self.place {
            Place::Tree(_, page) => page,
            _ => None,
        }
    }

    /// Returns true if the line says that an index holds another number than SQLite computes, which differs in its last digits alone.
    pub(super) fn is_about_rounding(&self) -> bool {
        matches!(self.place, Place::Index(..))
            && self.words.starts_with("index ")
            && self.words.contains(" stores an imprecise floating-point value for row ")
    }

    /// Returns the index that it is about, by its name.
    pub(super) fn index(&self) -> Option<&str> {
        match &self.place {
            Place::Index(_, index) => Some(index),
            _ => None,
        }
    }

    /// Returns the words.
    pub(super) fn into_words(self) -> String {
        self.words
    }

    /// Reads a message of the module of a virtual table that the schema does not name.
    pub(super) fn of_unknown_table(message: &str) -> Self {
        let damage = if message.starts_with("unable to validate") {
            Damage::NotChecked
        } else {
            Damage::Rows
        };
        Self {
            words: cut(message, LONGEST_LINE),
            place: Place::Other(damage),
        }
    }

    /// Reads a line of SQLite's.
    pub(super) fn of(line: &str) -> Self {
        if let Some((root, page, what)) = tree_line(line) {
            if let Some(error) = unread_page(what) {
                return Self {
                    words: format!("the page could not be read: {}", error.sqlite_message()),
                    place: Place::Unread(root, page),
                };
            }
            let twice = what.rsplit_once("2nd reference to page ").and_then(|(_, page)| page.parse().ok());
            return Self {
                words: cut(what, LONGEST_LINE),
                place: twice.map_or(Place::Tree(root, page), |twice| Place::Twice(root, page, twice)),
            };
        }
        if derived::name_in(line).is_some() {
            return Self {
                words: cut(line, LONGEST_MESSAGE),
                place: Place::Virtual,
            };
        }
        let place = if let Some(index) = index_of(line) {
            // Two rows that a unique index forbids are the rows' fault: REINDEX would refuse them.
            let damage = if line.starts_with("non-unique ") {
                Damage::Constraint
            } else {
                Damage::Index
            };
            Place::Index(damage, cut(index, LONGEST_NAME))
        } else if is_of_value(line) {
            Place::Other(Damage::Constraint)
        } else if line.starts_with("Page ") && line.ends_with(": never used") {
            Place::NeverUsed
        } else if line.starts_with("Freelist") {
            Place::Other(Damage::Freelist)
        } else if line.starts_with("Page ") || line.contains("rootpage") {
            Place::Other(Damage::Unaccounted)
        } else if line.contains("vtable constructor") {
            Place::Other(Damage::NotChecked)
        } else {
            Place::Other(Damage::Rows)
        };
        Self {
            words: cut(line, LONGEST_LINE),
            place,
        }
    }

    /// Returns true if the line is about pages that are used twice or by nothing, or about the freelist.
    pub(super) fn is_about_use_of_pages(&self) -> bool {
        matches!(self.place, Place::NeverUsed | Place::Twice(..) | Place::Other(Damage::Freelist))
    }

    /// Returns true if the line only says that an entry was not found where the order of one of these indexes has it.
    pub(super) fn is_about_order_of(&self, ordered: &BTreeSet<String>) -> bool {
        match &self.place {
            Place::Index(_, index) => {
                ordered.contains(index)
                    && (self.words.starts_with("row ") && self.words.contains(" missing from index ")
                        || self.words.starts_with("non-unique "))
            }
            Place::Other(_) => {
                let table = self.words.split_once("not in PRIMARY KEY order for ").map(|(_, table)| table);
                table.is_some_and(|table| ordered.contains(table))
            }
            _ => false,
        }
    }
}

/// Returns the index that a line names. A line is told by how it begins, up to the name, which can hold any words and line ends.
fn index_of(line: &str) -> Option<&str> {
    let before = |words| line.strip_prefix(words);
    let of_row = |begin, words| {
        let rest = line.strip_prefix(begin)?;
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').strip_prefix(words)
    };
    before("wrong # of entries in index ")
        .or_else(|| before("non-unique entry in index "))
        .or_else(|| of_row("row ", " missing from index "))
        .or_else(|| of_row("row ", " values differ from index "))
        .or_else(|| of_row("rowid not at end-of-record for row ", " of index "))
        .or_else(|| before("index ")?.rsplit_once(" stores an imprecise ").map(|(index, _)| index))
}

/// Returns true for a line about a value that its column or a CHECK constraint forbids.
fn is_of_value(line: &str) -> bool {
    const BEGINS: [&str; 4] = [
        "NULL value in ",
        "NUMERIC value in ",
        "TEXT value in ",
        "CHECK constraint failed in ",
    ];
    let of_type = || Some(line.strip_prefix("non-")?.split_once(' ')?.1.starts_with("value in "));
    BEGINS.iter().any(|begin| line.starts_with(begin)) || of_type().unwrap_or_default()
}

/// Takes `Tree 5 page 7 cell 3: words` apart: root, page, words.
fn tree_line(line: &str) -> Option<(u64, Option<u64>, &str)> {
    let rest = line.strip_prefix("Tree ")?;
    let (place, what) = rest.split_once(": ")?;
    let mut words = place.split(' ');
    let root = words.next()?.parse().ok()?;
    let page = match (words.next(), words.next()) {
        (Some("page"), Some(page)) => page.parse().ok(),
        _ => None,
    };
    Some((root, page, what))
}

/// SQLite's lines, grouped by the table or index that they are about.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The groups, by damage, table and index.
    groups: BTreeMap<(Damage, Option<String>, Option<String>), Group>,
    /// True if a line says that nothing uses a page.
    pub(super) has_unused_pages: bool,
}

/// The number of lines, the first one, and the page that it names.
type Group = (u64, String, Option<u64>);

impl Groups {
    /// Puts lines together, with the names that the schema has for their places, as far as it can be read.
    pub(super) fn of(lines: Vec<Line>, handle: &ReadOnly, evidence: &Evidence) -> Result<Self> {
        let trees = match Trees::named_by(&lines, handle) {
            Err(error) if error.is_own_bound() => return Err(error),
            trees => trees.unwrap_or_default(),
        };
        let mut groups = Self::default();
        let of_tree = |root: u64| {
            let tree = trees.by_root.get(&root).cloned().unwrap_or_default();
            let damage = tree.index.as_ref().map_or(Damage::Rows, |index| evidence.of_index(index));
            (damage, tree)
        };
        for line in lines {
            let (damage, tree, page) = match line.place {
                Place::Tree(root, page) => {
                    let (damage, tree) = of_tree(root);
                    (damage, tree, page)
                }
                Place::Twice(root, page, twice) => {
                    let (damage, tree) = of_tree(root);
                    let is_of_freelist = evidence.is_listed_as_free(twice);
                    (if is_of_freelist { Damage::Freelist } else { damage }, tree, page)
                }
                // The evidence has them, by what is on them.
                Place::NeverUsed if evidence.is_there() => {
                    groups.has_unused_pages = true;
                    continue;
                }
                Place::NeverUsed => (Damage::NotChecked, Tree::default(), None),
                Place::Unread(root, page) => {
                    let tree = trees.by_root.get(&root).cloned().unwrap_or_default();
                    (Damage::NotChecked, tree, page)
                }
                Place::Index(damage, index) => {
                    let table = trees.tables_of_indexes.get(&index).cloned();
                    let damage = if damage == Damage::Index {
                        evidence.of_index(&index)
                    } else {
                        damage
                    };
                    let index = Some(index);
                    (damage, Tree { table, index }, None)
                }
                Place::Virtual => (Damage::Rows, Tree::default(), None),
                Place::Other(damage) => (damage, Tree::default(), None),
            };
            groups.add((damage, tree.table, tree.index), line.words, page);
        }
        Ok(groups)
    }

    /// Counts what is wrong with a table, or with none in particular.
    pub(super) fn count(&mut self, damage: Damage, table: Option<String>, words: String) {
        self.add((damage, table, None), words, None);
    }

    fn add(&mut self, key: (Damage, Option<String>, Option<String>), words: String, page: Option<u64>) {
        self.groups.entry(key).or_insert((0, words, page)).0 += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn has(&self, damage: Damage) -> bool {
        self.groups.keys().any(|(found, ..)| *found == damage)
    }

    /// Adds what was counted without a line of SQLite's.
    pub(super) fn count_pages(&mut self, damage: Damage, (pages, first): (u64, u32), words: String) {
        self.groups.insert((damage, None, None), (pages, words, Some(first.into())));
    }

    /// Adds an index that no line of SQLite's is about.
    pub(super) fn count_index(&mut self, damage: Damage, table: &str, index: &str, words: String) {
        let name = |name| Some(cut(name, LONGEST_NAME));
        self.add((damage, name(table), name(index)), words, None);
    }

    /// Returns the indexes with this damage.
    pub(super) fn indexes(&self, damage: Damage) -> impl Iterator<Item = &str> {
        self.groups
            .keys()
            .filter(move |key| key.0 == damage)
            .filter_map(|(.., index)| index.as_deref())
    }

    /// Returns one finding for each group: the first line, and how many there are.
    pub(super) fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.groups.into_iter().map(|((_, table, index), (count, words, page))| Finding {
            table,
            index,
            page,
            count: Some(count),
            ..Finding::new(words)
        })
    }
}

/// A table or an index that has pages of its own.
#[derive(Debug, Clone, Default)]
struct Tree {
    table: Option<String>,
    /// The name of the index, if the tree is one.
    index: Option<String>,
}

/// The trees that lines are about.
#[derive(Debug, Default)]
struct Trees {
    by_root: BTreeMap<u64, Tree>,
    tables_of_indexes: BTreeMap<String, String>,
}

impl Trees {
    /// Looks the places of lines up in the schema; of all others nothing is kept.
    fn named_by(lines: &[Line], handle: &ReadOnly) -> Result<Self> {
        let mut roots = BTreeSet::new();
        let mut indexes = BTreeSet::new();
        for line in lines {
            match &line.place {
                Place::Tree(root, _) | Place::Unread(root, _) | Place::Twice(root, ..) => drop(roots.insert(*root)),
                Place::Index(_, index) => drop(indexes.insert(index.clone())),
                Place::Virtual | Place::Other(_) | Place::NeverUsed => {}
            }
        }
        let mut out = Self::default();
        if roots.is_empty() && indexes.is_empty() {
            return Ok(out);
        }
        let schema = "sqlite_schema".to_owned();
        out.by_root.insert(
            1,
            Tree {
                table: Some(schema),
                index: None,
            },
        );
        let sql = "SELECT rootpage, name, tbl_name, type = 'index' FROM sqlite_schema WHERE rootpage > 0";
        handle.rows(sql, [], |row| {
            let name = |at: usize| -> rusqlite::Result<String> {
                let bytes = row.get_ref(at)?.as_bytes_or_null()?.unwrap_or_default();
                Ok(cut(&String::from_utf8_lossy(bytes), LONGEST_NAME))
            };
            let mut read = || -> rusqlite::Result<()> {
                let root = row.get::<_, i64>(0)?.unsigned_abs();
                let index = if row.get(3)? { Some(name(1)?) } else { None };
                if let Some(index) = index.as_ref().filter(|index| indexes.contains(*index)) {
                    out.tables_of_indexes.insert(index.clone(), name(2)?);
                }
                if roots.contains(&root) {
                    let table = Some(name(2)?);
                    out.by_root.insert(root, Tree { table, index });
                }
                Ok(())
            };
            read().map_err(Error::sqlite(sql))
        })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlites_lines_about_a_tree_are_taken_apart() {
        assert_eq!(
            tree_line("Tree 5 page 7 cell 3: Rowid 9 out of order"),
            Some((5, Some(7), "Rowid 9 out of order"))
        );
        assert_eq!(
            tree_line("Tree 12 page 12: btreeInitPage() returns error code 11"),
            Some((12, Some(12), "btreeInitPage() returns error code 11"))
        );
        assert_eq!(tree_line("wrong # of entries in index x"), None);
    }

    #[test]
    fn a_page_that_the_disk_does_not_give_is_not_checked_and_not_called_damaged() {
        let line = Line::of("Tree 5 page 7: unable to get the page. error code=8458");
        assert_eq!(line.words, "the page could not be read: disk I/O error [8458]");
        assert_eq!(line.place, Place::Unread(5, Some(7)));
        for damaged in [
            "unable to get the page. error code=11",
            "btreeInitPage() returns error code 11",
        ] {
            assert_eq!(Line::of(&format!("Tree 5 page 7: {damaged}")).place, Place::Tree(5, Some(7)));
        }
    }

    #[test]
    fn a_line_about_an_index_names_it() {
        for line in [
            "row 2 missing from index i x",
            "wrong # of entries in index i x",
            "rowid not at end-of-record for row 7 of index i x",
            "row 7 values differ from index i x",
            "index i x stores an imprecise floating-point value for row 7",
        ] {
            assert_eq!(Line::of(line).place, Place::Index(Damage::Index, "i x".to_owned()), "{line}");
        }
        let twice = Line::of("non-unique entry in index i");
        assert_eq!(twice.place, Place::Index(Damage::Constraint, "i".to_owned()));
    }

    #[test]
    fn a_name_that_reads_like_a_line_of_sqlites_is_a_name() {
        for name in [
            "a\nb",
            "a\nTree 2 page 2: x",
            "x missing from index y",
            "a value in b",
            "ok",
        ] {
            let line = Line::of(&format!("row 7 missing from index {name}"));
            assert_eq!(line.place, Place::Index(Damage::Index, name.to_owned()));
            let line = Line::of(&format!("wrong # of entries in index {name}"));
            assert_eq!(line.place, Place::Index(Damage::Index, name.to_owned()));
            let line = Line::of(&format!("NULL value in {name}.Page 2: missing from index i"));
            assert_eq!(line.place, Place::Other(Damage::Constraint));
        }
    }

    #[test]
    fn a_line_with_a_long_name_is_cut() {
        let line = Line::of(&format!("row 2 missing from index {}", "n".repeat(400_000)));
        assert!(line.words.chars().count() <= LONGEST_LINE);
        let Place::Index(_, name) = line.place else {
            panic!("{line:?}")
        };
        assert!(name.chars().count() <= LONGEST_NAME);
    }
}
