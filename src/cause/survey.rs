//! One tolerant walk over the pages of a failing store, which notes for each page what it is and who uses it.
//!
//! It reads each page once, and keeps five bytes of it. Only a page that accounts for each of its bytes is believed to say which
//! other pages there are: what a damaged page leads to contradicts nothing.

use std::collections::HashMap;

use sqlite_format::bytes::read_u32;
use sqlite_format::check::accounts::Accounts;
use sqlite_format::header::Header;
use sqlite_format::interrupt::Interrupt;
use sqlite_format::overflow::whole;
use sqlite_format::page::{Cell, Kind, Page};
use sqlite_format::pointer_map::PointerMap;
use sqlite_format::reader::all_pages_there;
use sqlite_format::record::Fields;
use sqlite_format::schema::StoredRow;
use sqlite_format::source::{Overlay, ReadAt, Source};
use sqlite_format::walk::{ChildOrder, Claim, FreelistVisitor, TreeVisitor, walk_freelist, walk_tree};

use super::page::{Content, Form, PageJudge};
use super::zeros::ZeroRun;
use crate::findings::LONGEST_NAME;
use crate::limits::stop::{Stop, Stopped};
use crate::text::words::cut;

/// The most pages of a store that is looked at.
const MOST_PAGES: u32 = 1 << 22;

/// The most places that are kept of each kind.
const MOST_KEPT: usize = 1 << 14;

/// The most trees that are walked.
const MOST_TREES: usize = 1 << 14;

/// The longest row of `sqlite_schema` that is read, in bytes.
const LONGEST_ROW: usize = 128 << 10;

/// What is wrong with a page that something leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Zeros only.
    Zero,
    /// A block of it is zeros.
    PartlyZero,
    /// No page of a database.
    Other(Content),
    /// A page of which a part does not fit the rest.
    Partly,
    /// A sound page of another kind than its tree or chain has.
    OtherKind,
    /// A sound page whose rows do not belong there: its parent gives it other rowids.
    OutOfRange,
    /// A sound page whose records have another number of fields than the tree's.
    OtherFields,
}

/// A page with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) page: u32,
    pub(super) what: What,
    /// The kind that the page should have, where that is known.
    pub(super) is_table: Option<bool>,
    /// The rowids that its parent gives it.
    pub(super) range: Option<(i64, i64)>,
}

/// A number in a sound page that leads to no page that could be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongChild {
    /// The page that holds the number.
    pub(super) parent: u32,
    /// The number.
    pub(super) child: u32,
}

/// What was seen on the pages.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) page_size: u32,
    /// The pages that are there.
    pub(super) pages: u32,
    /// The number of pages that trees and chains use.
    pub(super) used: u64,
    pub(super) faults: Vec<Fault>,
    /// Runs of pages of zeros, of which something uses at least one.
    pub(super) zero_runs: Vec<ZeroRun>,
    /// The pages to which two sound pages lead.
    pub(super) used_twice: Vec<u32>,
    /// The pages that a tree uses and the freelist lists.
    pub(super) free_in_use: Vec<u32>,
    /// True if the freelist is shorter or longer than the header says, or leads to no page.
    pub(super) is_freelist_wrong: bool,
    /// Pages that nothing leads to: those with the form of a tree's page, and the number of all.
    pub(super) orphans: Vec<u32>,
    pub(super) orphaned: u64,
    /// Numbers that lead behind the last page.
    pub(super) beyond_end: u64,
    pub(super) wrong_children: Vec<WrongChild>,
    /// Chains of overflow pages that end too early or too late.
    pub(super) broken_chains: u64,
    /// A page that stands where another should be, and the one that it equals.
    pub(super) copies: Vec<(u32, u32)>,
    /// Pages that one bit makes sound, with the offset of the byte and the bit.
    pub(super) flipped: Vec<(u32, usize, u8)>,
    /// The first page that the trees use behind the last one that the header counts.
    pub(super) used_behind_end: Option<u32>,
    /// The trees, with the rows or entries of each.
    trees: Vec<Tree>,
}

impl Survey {
    /// Returns the pages with faults that `is` of this kind.
    pub(super) fn pages_with(&self, is: impl Fn(What) -> bool) -> Vec<u32> {
        self.faults.iter().filter(|fault| is(fault.what)).map(|fault| fault.page).collect()
    }

    /// Returns true if an index has as many entries as its table has rows.
    pub(super) fn has_an_entry_for_each_row(&self, root: u32) -> bool {
        let index = self.trees.iter().find(|tree| tree.root == root);
        let table = index.and_then(|index| {
            self.trees
                .iter()
                .find(|tree| !tree.is_index && tree.table.eq_ignore_ascii_case(&index.table))
        });
        matches!((index, table), (Some(index), Some(table)) if index.cells == table.cells)
    }

    /// Returns true if a page is no page, or not all of one, so that pages to which it led have nothing that leads to them.
    pub(super) fn has_lost_pages(&self) -> bool {
        let is_lost = |what| matches!(what, What::Zero | What::PartlyZero | What::Other(_) | What::Partly);
        self.faults.iter().any(|fault| is_lost(fault.what)) || self.beyond_end > 0
    }
}

/// Walks a store; `None` if it is larger than is looked at, or has no header that can be used.
///
/// # Errors
/// Fails if it is time to stop.
pub(super) fn survey(
    database: &dyn ReadAt,
    overlay: Option<&Overlay<'_>>,
    stop: &Stop,
) -> Result<Option<Survey>, Stopped> {
    let Ok((header, source)) = all_pages_there(database, overlay) else {
        return Ok(None);
    };
    if source.pages() > MOST_PAGES || source.pages() == 0 {
        return Ok(None);
    }
    let mut walk = Walk::new(&header, &source, stop);
    walk.walk_all()?;
    walk.judge_afterwards()?;
    Ok(Some(walk.out))
}

/// A tree that the schema names.
#[derive(Debug, Clone)]
struct Tree {
    root: u32,
    is_index: bool,
    /// The table, or that of the index.
    table: String,
    /// The rows or entries that were read.
    cells: u64,
}

struct Walk<'s> {
    header: &'s Header,
    source: &'s Source<'s>,
    stop: &'s Stop,
    judge: PageJudge,
    used: Accounts,
    free: Accounts,
    /// The hash of each page that was read.
    hashes: Vec<u32>,
    /// The tree of each page of a tree, by its number in `trees`, from 1.
    trees_of: Vec<u16>,
    /// The rowids that the children which are still to come may have.
    ranges: HashMap<u32, (i64, i64)>,
    /// For each leaf of an index, the number of fields of its first record.
    fields_of: Vec<(u32, u16, usize)>,
    fields: Fields,
    payload: Vec<u8>,
    page: Vec<u8>,
    pages_read: u64,
    out: Survey,
}

impl<'s> Walk<'s> {
    fn new(header: &'s Header, source: &'s Source<'s>, stop: &'s Stop) -> Self {
        let pages = source.pages();
        Self {
            header,
            source,
            stop,
            judge: PageJudge::new(header.layout),
            used: Accounts::new(pages),
            free: Accounts::new(pages),
            hashes: vec![0; pages as usize + 1],
            trees_of: vec![0; pages as usize + 1],
            ranges: HashMap::new(),
            fields_of: Vec::new(),
            fields: Fields::default(),
            payload: Vec::new(),
            page: vec![0; header.layout.page_size],
            pages_read: 0,
            out: Survey {
                page_size: u32::try_from(header.layout.page_size).unwrap_or(0),
                pages,
                trees: vec![Tree {
                    root: 1,
                    is_index: false,
                    table: "sqlite_schema".to_owned(),
                    cells: 0,
                }],
                ..Survey::default()
            },
        }
    }

    fn walk_all(&mut self) -> Result<(), Stopped> {
        self.stop.reads_pages(u64::from(self.source.pages()));
        let mut at = 0;
        while let Some((root, is_index)) = self.out.trees.get(at).map(|tree| (tree.root, tree.is_index)) {
            self.walk_tree(at, root, is_index)?;
            at += 1;
        }
        self.walk_freelist()?;
        self.take_own_pages()?;
        self.look_at_orphans()?;
        self.stop.reads_pages(0);
        Ok(())
    }

    fn walk_tree(&mut self, at: usize, root: u32, is_index: bool) -> Result<(), Stopped> {
        self.ranges.clear();
        let source = self.source;
        let mut visitor = TreeReader {
            walk: self,
            number: u16::try_from(at + 1).unwrap_or(u16::MAX),
            is_table: !is_index,
            // A table WITHOUT ROWID is named a table and has the pages of an index.
            is_certain: is_index || root == 1,
            is_root: true,
        };
        walk_tree(source, root, ChildOrder::Ascending, &mut visitor)
    }

    /// Reads a page that is no sound one of a tree, and judges it. Returns its hash too, and whether it could be read.
    fn judge_anew(&mut self, number: u32) -> (Form, u32, bool) {
        let mut bytes = std::mem::take(&mut self.page);
        bytes.resize(self.source.layout().page_size, 0);
        let is_read = self.source.page(number, &mut bytes).is_ok();
        let form = self.judge.judge(number, &bytes);
        let hash = hash(bytes.get(..self.source.layout().usable).unwrap_or_default());
        self.page = bytes;
        (form, hash, is_read)
    }

    /// Notes that a page was read.
    fn note_read(&mut self, number: u32, hash: u32) -> Result<(), Stopped> {
        if let Some(slot) = self.hashes.get_mut(number as usize) {
            *slot = hash;
        }
        self.pages_read += 1;
        if self.pages_read.is_multiple_of(64) {
            self.stop.pages_read(64);
            self.stop.check()?;
        }
        Ok(())
    }

    fn note_fault(&mut self, fault: Fault) {
        if self.out.faults.len() < MOST_KEPT {
            self.out.faults.push(fault);
        }
    }

    /// Takes a page to which a sound page leads; `false` when it cannot be had.
    fn take(&mut self, page: u32, parent: u32) -> bool {
        match self.used.take(page) {
            Ok(()) => {
                self.out.used += 1;
                if self.header.pages.is_some_and(|counted| page > counted) {
                    self.out.used_behind_end.get_or_insert(page);
                }
                true
            }
            Err(_) if page == 0 || page > self.source.pages() => {
                // A file that was cut lacks pages that its header counts.
                if self.header.pages.is_some_and(|counted| page <= counted) && page > 0 {
                    self.out.beyond_end += 1;
                }
                self.note_wrong_child(parent, page);
                false
            }
            Err(_) => {
                if self.out.used_twice.len() < MOST_KEPT {
                    self.out.used_twice.push(page);
                }
                self.note_wrong_child(parent, page);
                false
            }
        }
    }

    fn note_wrong_child(&mut self, parent: u32, child: u32) {
        if self.out.wrong_children.len() < MOST_KEPT {
            self.out.wrong_children.push(WrongChild { parent, child });
        }
    }

    /// Takes a row of `sqlite_schema`.
    fn take_schema_row(&mut self, cell: &Cell<'_>) {
        if self.out.trees.len() >= MOST_TREES
            || whole(self.source, &cell.payload, LONGEST_ROW, &mut self.page, &mut self.payload).is_err()
            || self.fields.read(&self.payload, self.payload.len()).is_err()
        {
            return;
        }
        let row = StoredRow::new(&self.payload, self.fields.all());
        let kind = row.kind().map(|kind| self.header.encoding.decode_lossy(kind));
        let is_index = match kind.as_deref() {
            Some("table") => false,
            Some("index") => true,
            _ => return,
        };
        if let Some(root) = row.root().filter(|root| *root > 1) {
            let table = row.table().map(|table| self.header.encoding.decode_lossy(table));
            self.out.trees.push(Tree {
                root,
                is_index,
                table: cut(&table.unwrap_or_default(), LONGEST_NAME),
                cells: 0,
            });
        }
    }

    /// Walks the overflow pages of a cell on a sound page.
    fn walk_chain(&mut self, cell: &Cell<'_>, owner: u32) -> Result<(), Stopped> {
        let Some(mut next) = cell.payload.overflow else {
            return Ok(());
        };
        let each = self.source.layout().usable - 4;
        let mut left = cell.payload.len - cell.payload.local.len();
        let mut from = owner;
        while left > 0 {
            if next == 0 {
                self.out.broken_chains += 1;
                self.note_broken_link(from, owner)?;
                return Ok(());
            }
            if !self.take(next, from) {
                if from != owner {
                    self.note_broken_link(from, owner)?;
                }
                return Ok(());
            }
            let mut page = std::mem::take(&mut self.page);
            page.resize(self.source.layout().page_size, 0);
            let is_read = self.source.page(next, &mut page).is_ok();
            self.note_read(next, hash(page.get(..self.source.layout().usable).unwrap_or_default()))?;
            left = left.saturating_sub(each);
            (from, next) = (next, read_u32(&page, 0).filter(|_| is_read).unwrap_or(0));
            self.page = page;
        }
        if next != 0 {
            self.out.broken_chains += 1;
            self.note_broken_link(from, owner)?;
        }
        Ok(())
    }

    /// Judges an overflow page that leads to no page that could follow.
    fn note_broken_link(&mut self, page: u32, owner: u32) -> Result<(), Stopped> {
        if page == owner {
            return Ok(());
        }
        let mut bytes = vec![0; self.source.layout().page_size];
        if self.source.page(page, &mut bytes).is_err() {
            return self.stop.check();
        }
        // A page of a chain begins with the number of the next one, and holds a part of a value, which may look like anything. What no
        // number can be was written by something else.
        let next = read_u32(&bytes, 0).unwrap_or(0);
        let is_number = next <= self.source.pages().saturating_mul(2).saturating_add(1_000);
        let what = match self.judge.judge(page, &bytes) {
            Form::Sound => What::OtherKind,
            Form::Zero => What::Zero,
            _ if bytes.iter().take(super::page::SECTOR).all(|byte| *byte == 0) => What::PartlyZero,
            _ if is_number => return self.stop.check(),
            _ => What::Other(Content::of(&bytes)),
        };
        self.note_fault(Fault {
            page,
            what,
            is_table: None,
            range: None,
        });
        self.stop.check()
    }

    fn walk_freelist(&mut self) -> Result<(), Stopped> {
        let source = self.source;
        let mut visitor = FreePages {
            walk: self,
            listed: 0,
            has_fault: false,
            zero_trunks: Vec::new(),
        };
        let has_end = walk_freelist(source, visitor.walk.header.freelist_trunk, &mut visitor)?;
        let (listed, has_fault) = (visitor.listed, visitor.has_fault);
        let zero_trunks = visitor.zero_trunks;
        self.out.is_freelist_wrong = !has_end || has_fault || listed != u64::from(self.header.freelist_pages);
        // An empty trunk page at the end of the list is zeros too: only the header's count tells.
        let zero_trunks = if self.out.is_freelist_wrong {
            zero_trunks
        } else {
            Vec::new()
        };
        for page in zero_trunks {
            self.note_fault(Fault {
                page,
                what: What::Zero,
                is_table: None,
                range: None,
            });
        }
        Ok(())
    }

    /// Takes the pages that belong to no tree: that of the lock byte, and those of the pointer map.
    fn take_own_pages(&mut self) -> Result<(), Stopped> {
        let layout = self.source.layout();
        let _ = self.free.take(layout.lock_byte_page());
        if self.header.largest_root == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; layout.page_size];
        for page in PointerMap::new(layout, self.source.pages()).own_pages() {
            self.stop.check()?;
            if self.free.take(page).is_err() || self.source.page(page, &mut bytes).is_err() {
                continue;
            }
            // Each entry is a kind of page from 1 to 5 and a page; behind the last page of the file there are none.
            let entries = bytes.get(..layout.usable).unwrap_or_default().chunks_exact(5);
            let (mut used, mut wrong) = (0, 0);
            for entry in entries.take(self.source.pages().saturating_sub(page) as usize) {
                used += 1;
                wrong += usize::from(!entry.first().is_some_and(|kind| (1..=5).contains(kind)));
            }
            let what = match bytes.iter().all(|byte| *byte == 0) {
                true if used > 0 => What::Zero,
                false if 2 * wrong > used => What::Other(Content::of(&bytes)),
                _ => continue,
            };
            self.note_fault(Fault {
                page,
                what,
                is_table: None,
                range: None,
            });
        }
        Ok(())
    }

    /// Looks at the pages that nothing leads to.
    fn look_at_orphans(&mut self) -> Result<(), Stopped> {
        let last = self.header.pages.unwrap_or(u32::MAX).min(self.source.pages());
        let mut bytes = vec![0; self.source.layout().page_size];
        for page in 1..=last {
            if self.used.has(page) || self.free.has(page) {
                continue;
            }
            self.out.orphaned += 1;
            if self.out.orphans.len() >= MOST_KEPT {
                continue;
            }
            if self.source.page(page, &mut bytes).is_ok() {
                self.note_read(page, hash(bytes.get(..self.source.layout().usable).unwrap_or_default()))?;
                if self.judge.is_sound(page, &bytes) {
                    self.out.orphans.push(page);
                }
            }
        }
        Ok(())
    }

    /// Judges what the walk of one tree alone does not tell.
    fn judge_afterwards(&mut self) -> Result<(), Stopped> {
        self.find_zero_runs()?;
        self.find_other_fields();
        self.find_copies()?;
        self.find_flipped_bits()
    }

    /// Finds the runs of pages of zeros around those that something uses.
    fn find_zero_runs(&mut self) -> Result<(), Stopped> {
        let mut used = self.out.pages_with(|what| what == What::Zero);
        used.sort_unstable();
        let mut bytes = vec![0; self.source.layout().page_size];
        for page in used {
            if let Some(run) = self.out.zero_runs.last_mut().filter(|run| page <= run.last) {
                run.last_used = page;
                continue;
            }
            let mut run = ZeroRun {
                first: page,
                last: page,
                first_used: page,
                last_used: page,
            };
            while run.first > 1 && self.is_zero(run.first - 1, &mut bytes)? {
                run.first -= 1;
            }
            while run.last < self.source.pages() && self.is_zero(run.last + 1, &mut bytes)? {
                run.last += 1;
            }
            self.out.zero_runs.push(run);
        }
        Ok(())
    }

    fn is_zero(&mut self, page: u32, bytes: &mut [u8]) -> Result<bool, Stopped> {
        self.stop.check()?;
        Ok(self.source.page(page, bytes).is_ok() && bytes.iter().all(|byte| *byte == 0))
    }

    /// Finds leaves of an index whose records have another number of fields than those of its other leaves.
    fn find_other_fields(&mut self) {
        let mut by_tree: HashMap<u16, HashMap<usize, u32>> = HashMap::new();
        for (_, tree, fields) in &self.fields_of {
            *by_tree.entry(*tree).or_default().entry(*fields).or_default() += 1;
        }
        let usual = |tree: &u16| {
            let counts = by_tree.get(tree)?;
            let (fields, count) = counts.iter().max_by_key(|(_, count)| **count)?;
            let all: u32 = counts.values().sum();
            (2 * count > all).then_some(*fields)
        };
        let other: Vec<u32> = self
            .fields_of
            .iter()
            .filter(|(_, tree, fields)| usual(tree).is_some_and(|usual| usual != *fields))
            .map(|(page, ..)| *page)
            .collect();
        for page in other {
            if !self.out.faults.iter().any(|fault| fault.page == page) {
                self.note_fault(Fault {
                    page,
                    what: What::OtherFields,
                    is_table: Some(false),
                    range: None,
                });
            }
        }
    }

    /// Finds pages that stand in a wrong place and equal another.
    fn find_copies(&mut self) -> Result<(), Stopped> {
        let mut by_hash: Vec<(u32, u32)> = (1..=self.source.pages())
            .map(|page| (self.hashes[page as usize], page))
            .filter(|(hash, _)| *hash != 0)
            .collect();
        by_hash.sort_unstable();
        let equals: Vec<&[(u32, u32)]> = by_hash
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| (2..=8).contains(&group.len()))
            .collect();
        let (mut one, mut other) = (vec![0; self.source.layout().page_size], vec![0; self.source.layout().page_size]);
        for group in equals {
            self.stop.check()?;
            for (n, (_, a)) in group.iter().enumerate() {
                for (_, b) in group.iter().skip(n + 1) {
                    if let Some((wrong, right)) = self.in_wrong_place(*a, *b)
                        && self.source.page(*a, &mut one).is_ok()
                        && self.source.page(*b, &mut other).is_ok()
                        && one == other
                        && self.out.copies.len() < MOST_KEPT
                    {
                        self.out.copies.push((wrong, right));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns which of two equal pages stands in a wrong place, if one does, and the other one.
    fn in_wrong_place(&self, a: u32, b: u32) -> Option<(u32, u32)> {
        let is_wrong = |page: u32| {
            let has_fault = self.out.faults.iter().any(|fault| fault.page == page && fault.what != What::Zero);
            has_fault || self.out.wrong_children.iter().any(|wrong| wrong.parent == page)
        };
        if !self.used.has(a) || !self.used.has(b) {
            return None;
        }
        let tree = |page: u32| self.trees_of.get(page as usize).copied().unwrap_or(0);
        match (is_wrong(a), is_wrong(b)) {
            (true, false) => Some((a, b)),
            (false, true) => Some((b, a)),
            // Two pages of one tree never hold the same rows.
            _ if tree(a) == tree(b) && tree(a) != 0 => Some((b, a)),
            _ => None,
        }
    }

    /// Finds pages that one bit makes sound.
    fn find_flipped_bits(&mut self) -> Result<(), Stopped> {
        /// The most pages that are tried: each costs thousands of attempts.
        const MOST_TRIED: usize = 8;
        let tried: Vec<Fault> = self
            .out
            .faults
            .iter()
            .filter(|fault| {
                matches!(fault.what, What::Partly | What::OtherKind | What::OutOfRange | What::Other(Content::Data))
            })
            .copied()
            .collect();
        // A bit that flips harms one page: where pages contradict each other, another cause is at work, and of the many pages of
        // another moment one bit may make some fit.
        let is_mixed = !self.out.free_in_use.is_empty() || self.out.used_behind_end.is_some();
        let is_alone = |fault: &Fault| self.out.faults.iter().all(|other| other.page == fault.page);
        if tried.len() > MOST_TRIED || is_mixed || !tried.iter().all(is_alone) {
            return Ok(());
        }
        let mut bytes = vec![0; self.source.layout().page_size];
        for fault in tried {
            if self.source.page(fault.page, &mut bytes).is_err() {
                continue;
            }
            if let Some((at, bit)) = self.flipped_bit(&fault, &mut bytes)? {
                self.out.flipped.push((fault.page, at, bit));
            }
        }
        if self.out.wrong_children.len() == 1 && self.out.faults.is_empty() {
            let wrong = self.out.wrong_children[0];
            if let Some((at, bit)) = self.flipped_child(wrong)? {
                self.out.flipped.push((wrong.parent, at, bit));
            }
        }
        Ok(())
    }

    /// Returns the byte and the bit of a page whose change makes it sound, where it is among what the page says of itself: its
    /// header, its pointers, the beginnings of its cells and free blocks.
    fn flipped_bit(&mut self, fault: &Fault, bytes: &mut [u8]) -> Result<Option<(usize, u8)>, Stopped> {
        let number = fault.page;
        let header_at = if number == 1 { 100 } else { 0 };
        let mut places: Vec<usize> = (header_at..header_at + 12).collect();
        places.extend(self.places_of_cells(number, bytes));
        places.sort_unstable();
        places.dedup();
        for at in places {
            self.stop.check()?;
            for bit in 0..8 {
                let Some(byte) = bytes.get_mut(at) else { continue };
                *byte ^= 1 << bit;
                let is_sound = self.fits(fault, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
                if is_sound {
                    return Ok(Some((at, bit)));
                }
            }
        }
        Ok(None)
    }

    /// Returns true if the bytes are a sound page that belongs where a fault was found.
    fn fits(&mut self, fault: &Fault, bytes: &[u8]) -> bool {
        let Ok(page) = Page::parse(self.source.layout(), fault.page, bytes) else {
            return false;
        };
        let is_of_kind = fault.is_table.is_none_or(|is_table| page.kind().is_table() == is_table);
        is_of_kind
            && page.cells() > 0
            && self.judge.is_sound_page(&page)
            && fault.range.is_none_or(|range| is_in_range(&page, range))
            && (page.kind().is_leaf() || has_plausible_children(&page, self.source.pages()))
    }

    /// Returns the offsets of the cell pointers of a page and of the beginnings of what they point at, by each count of cells that its
    /// header can mean.
    fn places_of_cells(&self, number: u32, bytes: &[u8]) -> Vec<usize> {
        /// The longest beginning of a cell: a child, a length and a rowid, and the length of a record's header.
        const BEGINNING: usize = 4 + 9 + 9;
        let Ok(page) = Page::parse(self.source.layout(), number, bytes) else {
            return Vec::new();
        };
        let pointers_at = page.pointers_end() - 2 * page.cells();
        let most = page.cells().min(self.source.layout().usable / 6);
        let mut out: Vec<usize> = (pointers_at..pointers_at + 2 * most).collect();
        let pointer = |n: usize| sqlite_format::bytes::read_u16(bytes, pointers_at + 2 * n);
        for at in (0..most).filter_map(pointer).chain([page.first_free_block()]) {
            out.extend(at..at + BEGINNING);
        }
        out.retain(|at| *at < self.source.layout().usable);
        out
    }

    /// Returns the byte and the bit whose change makes a wrong child one that nothing else leads to.
    fn flipped_child(&mut self, wrong: WrongChild) -> Result<Option<(usize, u8)>, Stopped> {
        let mut found = (0..32).filter(|bit| self.out.orphans.contains(&(wrong.child ^ (1 << bit))));
        let (Some(bit), None) = (found.next(), found.next()) else {
            return Ok(None);
        };
        let mut bytes = vec![0; self.source.layout().page_size];
        if self.source.page(wrong.parent, &mut bytes).is_err() {
            return Ok(None);
        }
        self.stop.check()?;
        let number = wrong.child.to_be_bytes();
        let at = bytes.windows(4).position(|four| four == number);
        Ok(at.map(|at| (at + 3 - bit / 8, u8::try_from(bit % 8).unwrap_or(0))))
    }
}

/// Returns true if the rowids of a page lie between these.
fn is_in_range(page: &Page<'_>, (low, high): (i64, i64)) -> bool {
    let rowid = |at: usize| page.cell(at).ok().map(|cell| cell.rowid);
    match page.cells().checked_sub(1) {
        Some(last) => rowid(0).is_some_and(|first| first > low || low == i64::MIN) && rowid(last) <= Some(high),
        None => true,
    }
}

fn has_plausible_children(page: &Page<'_>, pages: u32) -> bool {
    page.all_cells().all(|cell| cell.is_ok_and(|cell| (2..=pages).contains(&cell.child)))
        && (2..=pages).contains(&page.right_child())
}

/// Returns a hash of a page, 0 for one of zeros only.
fn hash(bytes: &[u8]) -> u32 {
    let mut all: u64 = 0;
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for eight in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..eight.len()].copy_from_slice(eight);
        let word = u64::from_le_bytes(word);
        all |= word;
        sum = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    if all == 0 {
        return 0;
    }
    u32::try_from((sum ^ (sum >> 32)) & u64::from(u32::MAX)).unwrap_or(1).max(1)
}

/// Reads the pages of one tree.
struct TreeReader<'w, 's> {
    walk: &'w mut Walk<'s>,
    number: u16,
    is_table: bool,
    is_certain: bool,
    is_root: bool,
}

impl TreeReader<'_, '_> {
    fn note_fault(&mut self, page: u32, what: What, range: Option<(i64, i64)>) {
        let is_table = self.is_certain.then_some(self.is_table);
        self.walk.note_fault(Fault {
            page,
            what,
            is_table,
            range,
        });
    }

    /// Gives each child of a sound interior page of a table the rowids that it may have.
    fn give_ranges(&mut self, page: &Page<'_>, (low, high): (i64, i64)) {
        let mut from = low;
        for cell in page.all_cells().flatten() {
            self.walk.ranges.insert(cell.child, (from, cell.rowid));
            from = cell.rowid;
        }
        self.walk.ranges.insert(page.right_child(), (from, high));
    }
}

impl TreeVisitor for TreeReader<'_, '_> {
    type Stop = Stopped;

    fn claim(&mut self, page: u32, parent: Option<u32>) -> Result<Claim, Stopped> {
        Ok(if self.walk.take(page, parent.unwrap_or(1)) {
            Claim::Enter
        } else {
            Claim::Refused
        })
    }

    fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool, Stopped> {
        let is_root = std::mem::replace(&mut self.is_root, false);
        let range = self.walk.ranges.remove(&number);
        let (form, hash, is_read) = match page {
            Some(page) if self.walk.judge.is_sound_page(page) => (Form::Sound, hash(page.bytes()), true),
            _ => self.walk.judge_anew(number),
        };
        self.walk.note_read(number, hash)?;
        if !is_read {
            // The file ends within the page, or the disk does not give it: nothing was seen.
            self.walk.out.beyond_end += 1;
            return Ok(false);
        }
        if let Some(slot) = self.walk.trees_of.get_mut(number as usize) {
            *slot = self.number;
        }
        let what = match form {
            Form::Sound => None,
            Form::Zero => Some(What::Zero),
            Form::PartlyZero => Some(What::PartlyZero),
            Form::Partly => Some(What::Partly),
            Form::Other(content) => Some(What::Other(content)),
        };
        if let Some(what) = what {
            self.note_fault(number, what, range);
            return Ok(false);
        }
        let Some(page) = page else { return Ok(false) };
        let kind = page.kind();
        if is_root && !self.is_certain {
            (self.is_table, self.is_certain) = (kind.is_table(), true);
        }
        if kind.is_table() != self.is_table {
            self.note_fault(number, What::OtherKind, range);
            return Ok(false);
        }
        if let Some(range) = range.filter(|range| kind.is_table() && !is_in_range(page, *range)) {
            self.note_fault(number, What::OutOfRange, Some(range));
            return Ok(false);
        }
        if kind == Kind::TableInterior {
            self.give_ranges(page, range.unwrap_or((i64::MIN, i64::MAX)));
        }
        if kind == Kind::IndexLeaf
            && let Some(fields) = self.walk.judge.count_fields(page)
        {
            self.walk.fields_of.push((number, self.number, fields));
        }
        if (kind.is_leaf() || !kind.is_table())
            && let Some(tree) = self.walk.out.trees.get_mut(usize::from(self.number) - 1)
        {
            tree.cells += page.cells() as u64;
        }
        for cell in page.all_cells().flatten() {
            if self.number == 1 && kind.is_leaf() {
                self.walk.take_schema_row(&cell);
            }
            self.walk.walk_chain(&cell, number)?;
        }
        Ok(!kind.is_leaf())
    }

    fn note_fault(&mut self, _: u32) {}
}

/// Takes the pages of the freelist.
struct FreePages<'w, 's> {
    walk: &'w mut Walk<'s>,
    listed: u64,
    has_fault: bool,
    zero_trunks: Vec<u32>,
}

impl FreelistVisitor for FreePages<'_, '_> {
    type Stop = Stopped;

    fn claim(&mut self, page: u32, _: u32, is_trunk: bool) -> Result<bool, Stopped> {
        let is_there = (2..=self.walk.source.pages()).contains(&page);
        if !is_there {
            self.has_fault = true;
            if self.walk.header.pages.is_some_and(|counted| page <= counted) && page > 1 {
                self.walk.out.beyond_end += 1;
            }
            return Ok(false);
        }
        if self.walk.used.has(page) {
            self.has_fault = true;
            if self.walk.out.free_in_use.len() < MOST_KEPT {
                self.walk.out.free_in_use.push(page);
            }
            return Ok(false);
        }
        let is_taken = self.walk.free.take(page).is_ok();
        self.has_fault |= !is_taken;
        self.listed += u64::from(is_taken);
        if is_trunk && is_taken {
            let mut bytes = vec![0; self.walk.source.layout().page_size];
            let is_zero = self.walk.source.page(page, &mut bytes).is_ok() && bytes.iter().all(|byte| *byte == 0);
            if is_zero {
                self.zero_trunks.push(page);
            }
        }
        Ok(is_taken)
    }

    fn note_fault(&mut self, trunk: u32) {
        self.has_fault = true;
        let mut bytes = vec![0; self.walk.source.layout().page_size];
        if self.walk.source.page(trunk, &mut bytes).is_ok() {
            let what = match self.walk.judge.judge(trunk, &bytes) {
                Form::Zero => What::Zero,
                Form::PartlyZero => What::PartlyZero,
                Form::Sound => What::OtherKind,
                Form::Partly => What::Partly,
                Form::Other(content) => What::Other(content),
            };
            self.walk.note_fault(Fault {
                page: trunk,
                what,
                is_table: None,
                range: None,
            });
        }
    }
}
