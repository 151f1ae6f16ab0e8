//! Holds each index of a damaged database against its table, and looks at the pages that nothing leads to.
//!
//! The strict [`super::check`] leaves a tree at its first fault and says no more than that something is wrong. SQLite's own check
//! reports "wrong # of entries in index" for two opposite faults: an index that lost entries is derived data, which `REINDEX` makes
//! again, but an entry whose row is not in the table testifies that the table lost the row. Counts alone do not tell them apart:
//! an index leaf that is put back after a split has more entries than the table has rows, and no entry without its row. So
//! each entry is looked up.
//!
//! Every page is read with the tolerant walk, in three steps: the trees are walked once, their pages are taken into account, and
//! keyed sums of rows and entries tell which indexes agree with their tables. Each index that does not is held against its
//! table again, in as many passes as keep a part of the rows in memory at a time. Then the pages that no tree and no freelist
//! has are looked at: which of them hold rows.

mod compare;
mod objects;
mod pages;

pub use self::pages::{FreelistFacts, Orphan, PageFacts};

use std::cell;

use self::compare::KeyReader;
use self::objects::Object;
use super::check::accounts::Accounts;
use super::damage::Damage;
use super::hash::{Keys, Sum};
use super::header::Header;
use super::overflow::Chain;
use super::page::{Cell, Page};
use super::source::Source;
use super::walk::{ChildOrder, Claim, Pages, TreeVisitor, walk_tree};
use crate::interrupt::{Interrupt, Interrupted};

/// The number of rows that are named of each kind.
pub const MOST_NAMED: usize = 20;

/// The agreement of the tables, indexes and pages of a database.
#[derive(Debug, Default)]
pub struct CrossCheck {
    /// The tables that have pages, `sqlite_schema` first.
    pub tables: Vec<TableFacts>,
    /// The pages that no tree has, and the freelist.
    pub pages: PageFacts,
    /// The number of pages that two trees, or two places of a tree, lead to.
    pub used_twice: u64,
}

/// A table and its indexes.
#[derive(Debug, Default)]
pub struct TableFacts {
    /// The table's name.
    pub name: String,
    /// Its root page.
    pub root: u32,
    /// The number of its rows that can be read.
    pub rows: u64,
    /// The number of those whose overflow pages are not all there.
    pub torn_rows: u64,
    /// `true` when each page and cell of its tree could be read.
    pub is_whole: bool,
    /// The pages that its tree leads to and that are no pages of a tree.
    pub damaged: DamagedPages,
    /// Its indexes.
    pub indexes: Vec<IndexFacts>,
}

/// Pages that a tree leads to and that are no pages of a tree.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DamagedPages {
    /// Their number.
    pub count: u64,
    /// The number of those that hold nothing but zeroes.
    pub zeroes: u64,
}

/// An index, held against its table.
#[derive(Debug, Default)]
pub struct IndexFacts {
    /// The index's name.
    pub name: String,
    /// Its root page.
    pub root: u32,
    /// The number of its entries that can be read.
    pub entries: u64,
    /// `true` when each page and cell of its tree could be read.
    pub is_whole: bool,
    /// `true` when an entry has overflow pages.
    pub has_long_entries: bool,
    /// `true` when its entries were looked up in the table.
    pub is_compared: bool,
    /// The entries whose row is not in the table.
    pub keys_without_rows: Named,
    /// The rows that have no entry; none for an index that need not have one for each row.
    pub rows_without_keys: Named,
    /// The rows whose entry has another key than the row.
    pub differing: Named,
    /// Two rows with the same key in a unique index, of which one has no entry.
    pub duplicates: Vec<(i64, i64)>,
}

/// A number of rows, of which the first are named.
#[derive(Debug, Default, Clone)]
pub struct Named {
    /// The number.
    pub count: u64,
    /// The first ones.
    pub first: Vec<RowName>,
}

/// A row, as an index or a table names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowName {
    /// The rowid; `None` in a table WITHOUT ROWID.
    pub rowid: Option<i64>,
    /// The text of a key of one column, when it is as long as a UUID: the caller must not print it unless it is one.
    pub key: Option<Vec<u8>>,
}

impl Named {
    fn add(&mut self, name: impl FnOnce() -> RowName) {
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(name());
        }
    }
}

impl CrossCheck {
    /// Reads all pages of a database.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    pub fn read(header: &Header, source: &Source<'_>, stop: &dyn Interrupt) -> Result<Self, Interrupted> {
        let pages = source.pages();
        if pages > Accounts::MOST_PAGES {
            return Ok(Self::default());
        }
        let taken = Accounts::new(pages);
        let objects = objects::read(source, header, stop)?;
        let pass = CrossCheckContext {
            source,
            stop,
            keys: Keys::random(),
            encoding: header.encoding,
            taken: &taken,
            used_twice: cell::Cell::new(0),
            damaged: cell::Cell::default(),
        };
        let mut tables = Vec::with_capacity(objects.len());
        for object in &objects {
            tables.push(pass.table(object)?);
        }
        for (object, table) in objects.iter().zip(&mut tables) {
            pass.compare(object, table)?;
        }
        let pages = pages::look(&pass, header, &objects, &tables)?;
        Ok(Self {
            tables,
            pages,
            used_twice: pass.used_twice.get(),
        })
    }

    /// Returns `true` when each page of each tree could be read, so that all rows were counted.
    pub fn all_rows_read(&self) -> bool {
        !self.tables.is_empty() && self.used_twice == 0 && self.tables.iter().all(|table| table.is_whole)
    }

    /// Returns `true` when pages are used by nothing, or by two, or when the freelist is wrong.
    pub fn has_wrong_pages(&self) -> bool {
        self.used_twice > 0 || self.pages.orphans() > 0 || self.pages.freelist.is_wrong()
    }

    /// Returns an index and its table.
    pub fn index(&self, name: &str) -> Option<(&TableFacts, &IndexFacts)> {
        self.tables.iter().find_map(|table| {
            let index = table.indexes.iter().find(|index| index.name == name)?;
            Some((table, index))
        })
    }
}

/// The state that all steps share.
struct CrossCheckContext<'p> {
    source: &'p Source<'p>,
    stop: &'p dyn Interrupt,
    keys: Keys,
    encoding: super::encoding::Encoding,
    /// The pages that a tree, the freelist or the pointer map has.
    taken: &'p Accounts,
    used_twice: cell::Cell<u64>,
    /// The damaged pages of the tree that was walked last.
    damaged: cell::Cell<DamagedPages>,
}

impl CrossCheckContext<'_> {
    /// Walks the trees of a table and its indexes for the first time: takes their pages into account, counts, and sums.
    fn table(&self, object: &Object) -> Result<TableFacts, Interrupted> {
        let mut facts = TableFacts {
            name: object.name.clone(),
            root: object.root,
            ..TableFacts::default()
        };
        let mut reader = KeyReader::new(self.source, &self.keys, self.encoding);
        let mut wanted: Vec<Option<Sum>> = object.indexes.iter().map(|_| Some(Sum::default())).collect();
        let (mut rows, mut torn_rows) = (0, 0);
        facts.is_whole = self.each_cell(object.root, self.taken, |cell| {
            let is_whole = self.take_chain(cell);
            if !reader.read_row(object, cell) {
                return false;
            }
            rows += 1;
            torn_rows += u64::from(!is_whole);
            for (index, wanted) in object.indexes.iter().zip(&mut wanted) {
                let of_row = reader.key_of_row(object, index);
                *wanted = wanted.take().zip(of_row).map(|(mut sum, key)| {
                    sum.add(reader.pair(key, reader.id()));
                    sum
                });
            }
            is_whole
        })?;
        facts.rows = rows;
        facts.torn_rows = torn_rows;
        facts.damaged = self.damaged.take();
        for (index, wanted) in object.indexes.iter().zip(wanted) {
            let mut of_index = IndexFacts {
                name: index.name.clone(),
                root: index.root,
                ..IndexFacts::default()
            };
            let (mut entries, mut has_long_entries, mut found) = (0, false, Some(Sum::default()));
            of_index.is_whole = self.each_cell(index.root, self.taken, |cell| {
                let is_whole = self.take_chain(cell);
                entries += 1;
                has_long_entries |= cell.payload.overflow.is_some();
                let entry = reader.read_entry(object, index, cell);
                found = found.take().zip(entry).map(|(mut sum, (id, key))| {
                    sum.add(reader.pair(key, id));
                    sum
                });
                // With a collation of its own a column of the primary key stands in the entry twice, which is not understood.
                is_whole && (entry.is_some() || object.without_rowid)
            })?;
            of_index.entries = entries;
            of_index.has_long_entries = has_long_entries;
            of_index.is_compared = wanted.is_some() && wanted == found && index.columns.is_some();
            facts.indexes.push(of_index);
        }
        Ok(facts)
    }

    /// Takes the overflow pages of a cell into account. Returns `false` when the chain is damaged.
    fn take_chain(&self, cell: &Cell<'_>) -> bool {
        let mut chain = Chain::new(self.source, &cell.payload);
        loop {
            match chain.next() {
                Ok(None) => return true,
                Err(_) => return false,
                Ok(Some(page)) => match self.taken.take(page) {
                    Ok(()) if chain.skip().is_ok() => {}
                    Ok(()) => return false,
                    Err(damage) => {
                        count_if_used_twice(&self.used_twice, damage);
                        return false;
                    }
                },
            }
        }
    }

    /// Hands out each row of a table or each entry of an index. `each` returns `false` for one that is damaged. Returns `true` when
    /// nothing of the tree is damaged.
    fn each_cell(&self, root: u32, taken: &Accounts, each: impl FnMut(&Cell<'_>) -> bool) -> Result<bool, Interrupted> {
        self.damaged.take();
        let mut visitor = Cells {
            source: self.source,
            damaged: &self.damaged,
            taken,
            used_twice: &self.used_twice,
            stop: self.stop,
            is_table: None,
            is_whole: true,
            each,
        };
        walk_tree(self.source, root, ChildOrder::Ascending, &mut visitor)?;
        Ok(visitor.is_whole)
    }

    /// Hands out each row or entry once more.
    fn again(&self, root: u32, each: impl FnMut(&Cell<'_>)) -> Result<(), Interrupted> {
        let mut each = each;
        let counted = self.used_twice.get();
        let taken = Accounts::new(self.source.pages());
        let walked = self.each_cell(root, &taken, |cell| {
            each(cell);
            true
        });
        self.used_twice.set(counted);
        walked.map(|_| ())
    }
}

fn count_if_used_twice(counter: &cell::Cell<u64>, damage: Damage) {
    counter.set(counter.get() + u64::from(damage == Damage::UsedTwice));
}

/// Hands out the cells of one tree.
struct Cells<'w, F> {
    source: &'w Source<'w>,
    damaged: &'w cell::Cell<DamagedPages>,
    taken: &'w Accounts,
    used_twice: &'w cell::Cell<u64>,
    stop: &'w dyn Interrupt,
    /// The kind of the tree, once its root was read.
    is_table: Option<bool>,
    is_whole: bool,
    each: F,
}

impl<F: FnMut(&Cell<'_>) -> bool> TreeVisitor for Cells<'_, F> {
    type Stop = Interrupted;

    fn claim(&mut self, page: u32, _parent: Option<u32>) -> Result<Claim, Interrupted> {
        if self.stop.is_due() {
            return Err(Interrupted);
        }
        match self.taken.take(page) {
            Ok(()) => Ok(Claim::Enter),
            Err(damage) => {
                count_if_used_twice(self.used_twice, damage);
                self.is_whole = false;
                Ok(Claim::Refused)
            }
        }
    }

    fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool, Interrupted> {
        let Some(page) = page else {
            self.is_whole = false;
            let mut bytes = Vec::new();
            let is_zero = self.source.read_page(number, &mut bytes) && bytes.iter().all(|byte| *byte == 0);
            let before = self.damaged.get();
            self.damaged.set(DamagedPages {
                count: before.count + 1,
                zeroes: before.zeroes + u64::from(is_zero),
            });
            return Ok(false);
        };
        let kind = page.kind();
        if *self.is_table.get_or_insert(kind.is_table()) != kind.is_table() {
            self.is_whole = false;
            return Ok(false);
        }
        for cell in page.all_cells() {
            match cell {
                Ok(_) if kind.is_table() && !kind.is_leaf() => {}
                Ok(cell) => self.is_whole &= (self.each)(&cell),
                Err(_) => self.is_whole = false,
            }
        }
        Ok(!kind.is_leaf())
    }

    fn note_fault(&mut self, _page: u32) {
        self.is_whole = false;
    }
}
