//! The evidence beside SQLite's lines: what indexes and tables say of each other, and what is on pages that nothing leads to.

use super::lines::Groups;
use crate::application::Damage;
use crate::application::values::address::is_uuid;
use crate::checks::context::StoreContext;
use crate::error::Result;
use crate::findings::kind::Kind;
use crate::findings::{Finding, LONGEST_NAME};
use crate::migrations::rehearsal::copy;
use crate::probe::open_plain;
use crate::store::ReadOnly;
use crate::store::introspect::quoted;
use crate::store::page_reader::{cross_check, cross_check_file};
use crate::text::words::{cut, plural};
use sqlite_format::cross_check::{CrossCheck, IndexFacts, Orphan, RowName, TableFacts};

/// The facts that were read of a store without SQLite; empty if it was not read.
#[derive(Debug, Default)]
pub(super) struct Evidence(Option<CrossCheck>);

impl Evidence {
    /// Reads a store: its own files when no lock is needed for them, and otherwise a private copy.
    ///
    /// # Errors
    /// If it is time to stop.
    pub(super) fn gather(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Self> {
        let stop = context.environment.stop;
        if let Some(facts) = cross_check(context.probe, context.access, stop)? {
            return Ok(Self(Some(facts).filter(|facts| !facts.tables.is_empty())));
        }
        let files = match copy::to_folder(context.probe, handle, context.environment) {
            Err(error) if error.stopped().is_some() => return Err(error),
            copied => copied.ok().and_then(copy::RehearsalCopy::into_files),
        };
        let Some(files) = files else {
            return Ok(Self::default());
        };
        let Ok(database) = open_plain(files.path()) else {
            return Ok(Self::default());
        };
        let facts = cross_check_file(&database, None, stop)?;
        Ok(Self(facts.filter(|facts| !facts.tables.is_empty())))
    }

    /// Returns true if the store was read.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Returns true if pages are used twice or by nothing, or the freelist is wrong.
    pub(super) fn has_wrong_pages(&self) -> bool {
        self.0.as_ref().is_some_and(CrossCheck::has_wrong_pages)
    }

    /// Returns true if each page of each tree could be read.
    pub(super) fn all_rows_read(&self) -> bool {
        self.0.as_ref().is_some_and(CrossCheck::all_rows_read)
    }

    /// Returns true if the freelist lists a page that something else uses.
    pub(super) fn is_listed_as_free(&self, page: u64) -> bool {
        let listed = self.0.as_ref().map(|facts| &facts.pages.freelist.in_use);
        u32::try_from(page).is_ok_and(|page| listed.is_some_and(|listed| listed.contains(&page)))
    }

    /// Describes the pages that nothing leads to and that hold rows, if there are any.
    pub(super) fn unreached_rows(&self, groups: &Groups) -> Option<String> {
        groups.has(Damage::OutOfReach).then(|| self.describe_pages())
    }

    fn index(&self, name: &str) -> Option<(&TableFacts, &IndexFacts)> {
        self.0.as_ref()?.tables.iter().find_map(|table| {
            let index = table.indexes.iter().find(|index| cut(&index.name, LONGEST_NAME) == name)?;
            Some((table, index))
        })
    }

    /// Returns the damage that an index with a fault stands for.
    pub(super) fn of_index(&self, name: &str) -> Damage {
        match self.index(name) {
            Some((_, index)) if index.keys_without_rows.count > 0 => Damage::Keys,
            Some((_, index)) if !index.is_compared => Damage::Disagree,
            Some((_, index)) if index.differing.count > 0 => Damage::Differ,
            Some((_, index)) if !index.duplicates.is_empty() => Damage::Duplicate,
            Some(_) => Damage::Index,
            None => Damage::Disagree,
        }
    }

    /// Adds the pages that nothing uses, by what is on them.
    pub(super) fn add_pages_to(&self, groups: &mut Groups) {
        let Some(CrossCheck { pages, .. }) = self.0.as_ref().filter(|_| groups.has_unused_pages) else {
            return;
        };
        let out_of_reach = pages.out_of_reach();
        if let Some(found) = out_of_reach {
            let words = match pages.rows {
                0 => "nothing leads to these pages, which hold parts of long rows".to_owned(),
                rows => format!(
                    "nothing leads to these pages, which hold {}{} that no table has",
                    if pages.at_least { "at least " } else { "" },
                    plural(rows, "row", "rows")
                ),
            };
            groups.count_pages(Damage::OutOfReach, found, words);
        }
        let kinds = [
            (Orphan::Zeroes, "zeroes"),
            (Orphan::Free, "what was deleted: they were free pages"),
            (Orphan::Index, "entries of an index"),
            (Orphan::Interior, "no rows"),
            (Orphan::Rows, "copies of rows that a table has"),
        ];
        let is_harmless = |kind: Orphan| kind != Orphan::Rows || pages.rows == 0 && !pages.at_least;
        let there: Vec<_> = kinds.iter().filter(|(kind, _)| is_harmless(*kind) && pages.count(*kind) > 0).collect();
        let sum = there.iter().map(|(kind, _)| pages.count(*kind)).sum();
        let first = there
            .iter()
            .filter_map(|(kind, _)| pages.by_kind.get(kind))
            .map(|(_, first)| *first)
            .min();
        if let Some(first) = first {
            let words: Vec<&str> = there.iter().map(|(_, words)| *words).collect();
            groups.count_pages(
                Damage::Unaccounted,
                (sum, first),
                format!("nothing leads to these pages, which hold {}", words.join(", or ")),
            );
        }
    }

    /// Adds the indexes that are ordered by a collation of the application's and name rows that their tables do not have: SQLite's
    /// check cannot find an entry in them. Each table is asked for the first such row.
    ///
    /// # Errors
    /// SQLite's error.
    pub(super) fn add_keys_to(&self, groups: &mut Groups, handle: &ReadOnly) -> Result<()> {
        for table in self.0.iter().flat_map(|facts| &facts.tables) {
            for index in &table.indexes {
                let Some(rowid) = index.keys_without_rows.first.first().and_then(|name| name.rowid) else {
                    continue;
                };
                let sql = format!("SELECT count(*) FROM {} NOT INDEXED WHERE rowid = {rowid}", quoted(&table.name));
                match handle.number(&sql) {
                    Ok(0) => {
                        let words = "the index names rows that the table does not have".to_owned();
                        groups.count_index(Damage::Keys, &table.name, &index.name, words);
                    }
                    Err(error) if error.is_own_bound() => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Returns the tables with rows that only an index has: for each the index that names the most.
    fn keys_of<'e>(&'e self, groups: &Groups) -> Vec<(&'e TableFacts, &'e IndexFacts)> {
        let mut out: Vec<(&TableFacts, &IndexFacts)> = Vec::new();
        for name in groups.indexes(Damage::Keys) {
            let Some((table, index)) = self.index(name) else {
                continue;
            };
            match out.iter_mut().find(|(other, _)| other.root == table.root) {
                Some((_, most)) if most.keys_without_rows.count < index.keys_without_rows.count => *most = index,
                Some(_) => {}
                None => out.push((table, index)),
            }
        }
        out
    }

    /// Returns the rows that the damage is about, one by one; those that only an index has if they are asked for.
    pub(super) fn findings(&self, groups: &Groups, names_lost_rows: bool) -> Vec<Finding> {
        let mut out = Vec::new();
        for (table, index) in self.keys_of(groups).into_iter().filter(|_| names_lost_rows) {
            for row in &index.keys_without_rows.first {
                let what = "the index names this row, and the table does not have it";
                out.push(of_row(table, index, row, what).kind_of(Kind::KeysWithoutRows));
            }
        }
        for (table, index) in self.of(groups, Damage::Differ) {
            for row in &index.differing.first {
                let what = "the index and the table hold different keys for this row";
                out.push(of_row(table, index, row, what).kind_of(Kind::IndexDiffers));
            }
        }
        for (table, index) in self.of(groups, Damage::Duplicate) {
            for (row, other) in &index.duplicates {
                let name = RowName {
                    rowid: Some(*row),
                    key: None,
                };
                let what = format!("row {row} has the same key as row {other}, and no entry in the index");
                out.push(of_row(table, index, &name, what).kind_of(Kind::DuplicateKey));
            }
        }
        out
    }

    /// Describes the worst damage, in figures.
    pub(super) fn describe(&self, worst: Damage, groups: &Groups) -> String {
        match worst {
            Damage::Keys => self.describe_keys(groups),
            Damage::OutOfReach => self.describe_pages(),
            Damage::Freelist if self.all_rows_read() && self.names_no_lost_row() => {
                "the freelist is wrong: no row is lost, but the next write fails or overwrites rows, so no program may write to the store"
                    .to_owned()
            }
            Damage::Freelist => {
                "the freelist is wrong: the next write fails or overwrites rows, so no program may write to the store"
                    .to_owned()
            }
            Damage::Disagree => {
                "an index and its table disagree, and it could not be counted which of them lacks rows".to_owned()
            }
            Damage::Differ => {
                let rows = self.of(groups, worst).map(|(_, index)| index.differing.count).max().unwrap_or(0);
                format!(
                    "an index and its table hold different keys for {}: one of the two is older, and nothing tells which",
                    plural(rows, "row", "rows")
                )
            }
            Damage::Duplicate => {
                let pair = self.of(groups, worst).find_map(|(table, index)| Some((table, *index.duplicates.first()?)));
                let (table, (row, other)) = match pair {
                    Some((table, pair)) => (cut(&table.name, LONGEST_NAME), pair),
                    None => (String::new(), (0, 0)),
                };
                format!(
                    "two rows have the same key in a unique index (rows {row} and {other} of {table}), which cannot be rebuilt until one of them is removed: no row is lost"
                )
            }
            Damage::Index if self.of(groups, worst).all(|(table, _)| table.is_whole) => {
                "only an index is wrong: no data is lost".to_owned()
            }
            Damage::Index => "only an index is known to be wrong".to_owned(),
            Damage::Unaccounted if self.all_rows_read() => {
                "pages are unaccounted for: no data is lost, only disk space".to_owned()
            }
            Damage::Unaccounted => "pages are unaccounted for".to_owned(),
            Damage::Rows => "pages that hold rows are damaged".to_owned(),
            Damage::NotChecked => {
                "not everything could be checked: it is not known whether data is lost".to_owned()
            }
            Damage::Constraint => {
                "rows hold values that their columns or a unique index forbid: no data is lost".to_owned()
            }
            Damage::Refused => {
                "a virtual table could not be checked, because its own module refuses it: it is not known whether it is damaged"
                    .to_owned()
            }
        }
    }

    /// Returns the indexes with this damage and their tables.
    fn of<'e>(&'e self, groups: &Groups, damage: Damage) -> impl Iterator<Item = (&'e TableFacts, &'e IndexFacts)> {
        let names: Vec<String> = groups.indexes(damage).map(str::to_owned).collect();
        names.into_iter().filter_map(|name| self.index(&name))
    }

    /// Returns true if no index and no page holds a row that its table does not have.
    fn names_no_lost_row(&self) -> bool {
        self.0.as_ref().is_some_and(|facts| {
            let mut indexes = facts.tables.iter().flat_map(|table| &table.indexes);
            facts.pages.out_of_reach().is_none() && indexes.all(|index| index.keys_without_rows.count == 0)
        })
    }

    fn describe_keys(&self, groups: &Groups) -> String {
        let found = self.keys_of(groups);
        let rows: u64 = found.iter().map(|(_, index)| index.keys_without_rows.count).sum();
        let figures: Vec<String> = found
            .iter()
            .take(3)
            .map(|(table, index)| {
                format!(
                    "{} has {}, its index {} has {}",
                    cut(&table.name, LONGEST_NAME),
                    plural(table.rows, "row", "rows"),
                    cut(&index.name, LONGEST_NAME),
                    plural(index.entries, "entry", "entries")
                )
            })
            .collect();
        let mut words = format!(
            "{} named by an index {} missing from the table: lost, or deleted without the index ({})",
            plural(rows, "row", "rows"),
            if rows == 1 { "is" } else { "are" },
            figures.join("; ")
        );
        if groups.has(Damage::OutOfReach) {
            words += "; ";
            words += &self.describe_pages();
        }
        words
    }

    fn describe_pages(&self) -> String {
        let pages = self.0.as_ref().map(|facts| &facts.pages);
        let (count, rows) =
            pages.map_or((0, 0), |pages| (pages.out_of_reach().map_or(0, |(count, _)| count), pages.rows));
        let pages = plural(count, "page", "pages");
        let that = if count == 1 { "holds" } else { "hold" };
        if rows > 0 {
            format!(
                "{pages} that nothing leads to {that} {} that no table has: rows are out of reach, or were deleted",
                plural(rows, "row", "rows")
            )
        } else {
            format!("{pages} that nothing leads to {that} parts of long rows: rows are out of reach, or were deleted")
        }
    }
}

fn of_row(
    table: &TableFacts,
    index: &IndexFacts,
    row: &RowName,
    what: impl Into<std::borrow::Cow<'static, str>>,
) -> Finding {
    let key = row.key.as_ref().filter(|key| is_uuid(key));
    Finding {
        table: Some(table.name.clone()),
        index: Some(index.name.clone()),
        row: row.rowid,
        key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
        ..Finding::new(what)
    }
}
