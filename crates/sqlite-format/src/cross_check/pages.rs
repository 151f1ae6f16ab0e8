//! The freelist, and the pages that nothing leads to: free pages that the list lost, or rows out of reach.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::bytes::read_u32;
use super::super::check::accounts::Accounts;
use super::super::freelist::Trunk;
use super::super::hash::Hash;
use super::super::header::Header;
use super::super::page::{Cell, Kind, Page};
use super::super::pointer_map::PointerMap;
use super::super::record::Fields;
use super::super::walk::{FreelistVisitor, walk_freelist};
use super::objects::Object;
use super::{CrossCheckContext, TableFacts};
use crate::interrupt::Interrupted;

/// The most pages that are kept one by one.
const MOST_KEPT: usize = 1 << 16;

/// The most rows out of reach that are looked for in tables.
const MOST_ROWS: usize = 1 << 20;

/// The content of an orphaned page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Orphan {
    /// Zeroes.
    Zeroes,
    /// A free page that the freelist lost, whatever it held before.
    Free,
    /// Entries of an index, which are derived from rows.
    Index,
    /// A page that leads to others and holds no rows.
    Interior,
    /// Rows of a table.
    Rows,
    /// Content that is no b-tree page: the rest of a long row.
    Overflow,
}

/// The pages that no tree has.
#[derive(Debug, Default)]
pub struct PageFacts {
    /// The freelist.
    pub freelist: FreelistFacts,
    /// The pages that nothing leads to, by what they hold: their number and the first of them.
    pub by_kind: BTreeMap<Orphan, (u64, u32)>,
    /// The rows on such pages that no table has, as far as they are known.
    pub rows: u64,
    /// `true` when there may be more.
    pub at_least: bool,
}

/// The freelist.
#[derive(Debug, Default)]
pub struct FreelistFacts {
    /// The number of pages that the header counts.
    pub counted: u64,
    /// The number of pages that it lists and that nothing else has.
    pub listed: u64,
    /// The pages that it lists although something else uses them, or that it lists twice: the first ones.
    pub in_use: BTreeSet<u32>,
    /// `true` when it lists a page that is none, or cannot be read to its end.
    pub is_broken: bool,
}

impl FreelistFacts {
    /// Returns `true` when it is not what the header says, or lists pages that are not free.
    pub fn is_wrong(&self) -> bool {
        self.is_broken || self.counted != self.listed || !self.in_use.is_empty()
    }
}

impl PageFacts {
    /// Returns the number of pages that nothing leads to.
    pub fn orphans(&self) -> u64 {
        self.by_kind.values().map(|(pages, _)| pages).sum()
    }

    /// Returns the number of such pages of a kind.
    pub fn count(&self, kind: Orphan) -> u64 {
        self.by_kind.get(&kind).map_or(0, |(pages, _)| *pages)
    }

    /// Returns the number of pages that hold rows, or parts of rows, that no table has; and the first of them.
    pub fn out_of_reach(&self) -> Option<(u64, u32)> {
        let has_rows = self.rows > 0 || self.at_least;
        let of = |kind| self.by_kind.get(&kind).copied();
        let rows = of(Orphan::Rows).filter(|_| has_rows);
        match (rows, of(Orphan::Overflow)) {
            (Some((a, first)), Some((b, other))) => Some((a + b, first.min(other))),
            (rows, overflow) => rows.or(overflow),
        }
    }

    fn add(&mut self, kind: Orphan, page: u32) {
        self.by_kind.entry(kind).or_insert((0, page)).0 += 1;
    }
}

/// Looks at the freelist and at all pages that no tree has.
///
/// # Errors
/// Fails if it is time to stop.
pub(super) fn look(
    pass: &CrossCheckContext<'_>,
    header: &Header,
    objects: &[Object],
    tables: &[TableFacts],
) -> Result<PageFacts, Interrupted> {
    let mut facts = PageFacts::default();
    if tables.is_empty() {
        // Without the schema it is not known which pages are used.
        return Ok(facts);
    }
    let layout = pass.source.layout();
    let lock_byte = layout.lock_byte_page();
    let mut own: Vec<u32> = (lock_byte <= pass.source.pages()).then_some(lock_byte).into_iter().collect();
    if header.largest_root != 0 {
        own.extend(PointerMap::new(layout, pass.source.pages()).own_pages());
    }
    for page in own {
        let _ = pass.taken.take(page);
    }
    facts.freelist = freelist(pass, header)?;
    let orphans: BTreeSet<u32> = unused(pass.taken, pass.source.pages()).take(MOST_KEPT + 1).collect();
    facts.at_least = orphans.len() > MOST_KEPT;
    let mut looked = Vec::with_capacity(orphans.len());
    let mut bytes = vec![0; layout.page_size];
    let former = former_free_pages(pass, &orphans);
    for page in &orphans {
        if page.is_multiple_of(64) && pass.stop.is_due() {
            return Err(Interrupted);
        }
        let kind = match pass.source.page(*page, &mut bytes) {
            Ok(()) if bytes.iter().all(|byte| *byte == 0) => Orphan::Zeroes,
            _ if former.contains(page) => Orphan::Free,
            Ok(()) => kind_of(pass, *page, &bytes),
            Err(_) => Orphan::Overflow,
        };
        looked.push((*page, kind));
    }
    // A freelist that is too short lost pages: where these are no more than it lacks, they are free.
    let lacks = facts.freelist.counted.saturating_sub(facts.freelist.listed);
    let with_content = looked.iter().filter(|(_, kind)| !matches!(kind, Orphan::Zeroes | Orphan::Free)).count();
    if with_content as u64 <= lacks {
        for (_, kind) in &mut looked {
            if *kind != Orphan::Zeroes {
                *kind = Orphan::Free;
            }
        }
    }
    rows_out_of_reach(pass, objects, &mut looked, &mut facts)?;
    attribute_overflow(pass, tables, &mut looked);
    for (page, kind) in looked {
        facts.add(kind, page);
    }
    Ok(facts)
}

/// Returns the pages that nothing took.
fn unused(taken: &Accounts, pages: u32) -> impl Iterator<Item = u32> {
    (1..=pages).filter(|page| !taken.has(*page))
}

fn kind_of(pass: &CrossCheckContext<'_>, number: u32, bytes: &[u8]) -> Orphan {
    let Ok(page) = Page::parse(pass.source.layout(), number, bytes) else {
        return Orphan::Overflow;
    };
    if page.cells() > 0 && page.all_cells().flatten().next().is_none() {
        return Orphan::Overflow;
    }
    match page.kind() {
        Kind::TableLeaf if page.cells() == 0 => Orphan::Interior,
        Kind::TableLeaf => Orphan::Rows,
        Kind::TableInterior => Orphan::Interior,
        Kind::IndexLeaf | Kind::IndexInterior => Orphan::Index,
    }
}

/// Walks the freelist.
fn freelist(pass: &CrossCheckContext<'_>, header: &Header) -> Result<FreelistFacts, Interrupted> {
    let mut visitor = Free {
        pass,
        facts: FreelistFacts {
            counted: u64::from(header.freelist_pages),
            ..FreelistFacts::default()
        },
    };
    let has_end = walk_freelist(pass.source, header.freelist_trunk, &mut visitor)?;
    visitor.facts.is_broken |= !has_end;
    Ok(visitor.facts)
}

struct Free<'f> {
    pass: &'f CrossCheckContext<'f>,
    facts: FreelistFacts,
}

impl FreelistVisitor for Free<'_> {
    type Stop = Interrupted;

    fn claim(&mut self, page: u32, _parent: u32, _is_trunk: bool) -> Result<bool, Interrupted> {
        if self.pass.stop.is_due() {
            return Err(Interrupted);
        }
        match self.pass.taken.take(page) {
            Ok(()) => {
                self.facts.listed += 1;
                Ok(true)
            }
            Err(crate::damage::Damage::UsedTwice) => {
                if self.facts.in_use.len() < MOST_KEPT {
                    self.facts.in_use.insert(page);
                }
                Ok(false)
            }
            Err(_) => {
                self.facts.is_broken = true;
                Ok(false)
            }
        }
    }

    fn note_fault(&mut self, _trunk: u32) {
        self.facts.is_broken = true;
    }
}

/// Returns the pages that were free before the header forgot the list: a trunk page that lists nothing but pages to which nothing
/// leads, and those pages.
fn former_free_pages(pass: &CrossCheckContext<'_>, orphans: &BTreeSet<u32>) -> BTreeSet<u32> {
    let layout = pass.source.layout();
    let mut former = BTreeSet::new();
    let mut bytes = vec![0; layout.page_size];
    for page in orphans {
        if pass.source.page(*page, &mut bytes).is_err() {
            continue;
        }
        let is_likely = read_u32(&bytes, 4).is_some_and(|count| count > 0);
        let Some(trunk) = Trunk::parse(layout, &bytes).filter(|_| is_likely) else {
            continue;
        };
        let mut leaves = BTreeSet::new();
        let next_fits = trunk.next() == 0 || orphans.contains(&trunk.next());
        if next_fits && trunk.leaves().all(|leaf| leaf != *page && orphans.contains(&leaf) && leaves.insert(leaf)) {
            former.insert(*page);
            former.append(&mut leaves);
            // The last trunk page may list nothing.
            former.extend(Some(trunk.next()).filter(|next| *next != 0));
        }
    }
    former
}

/// Gives the overflow pages to the pages whose cells lead to them. The others are parts of rows, or of the entries that an index
/// lost: of entries, when there are no more chains than entries are missing from indexes with long ones.
fn attribute_overflow(pass: &CrossCheckContext<'_>, tables: &[TableFacts], looked: &mut [(u32, Orphan)]) {
    let layout = pass.source.layout();
    let mut overflow: BTreeSet<u32> = looked
        .iter()
        .filter(|(_, kind)| *kind == Orphan::Overflow)
        .map(|(page, _)| *page)
        .collect();
    if overflow.is_empty() {
        return;
    }
    let next = |page: u32| {
        let mut number = [0; 4];
        pass.source.part(page, 0, &mut number).ok().map(|()| u32::from_be_bytes(number))
    };
    let mut attributed: BTreeMap<u32, Orphan> = BTreeMap::new();
    let mut bytes = vec![0; layout.page_size];
    for (page, kind) in looked.iter().filter(|(_, kind)| matches!(kind, Orphan::Index | Orphan::Rows)) {
        if pass.source.page(*page, &mut bytes).is_err() {
            continue;
        }
        for cell in Page::parse(layout, *page, &bytes).iter().flat_map(Page::all_cells).flatten() {
            let mut at = cell.payload.overflow;
            while let Some(number) = at.filter(|number| overflow.remove(number)) {
                attributed.insert(number, *kind);
                at = next(number);
            }
        }
    }
    let followers: BTreeSet<u32> = overflow.iter().filter_map(|page| next(*page)).collect();
    let chains = overflow.difference(&followers).count() as u64;
    let long = tables.iter().flat_map(|table| &table.indexes).filter(|index| index.has_long_entries);
    let of_entries = chains <= long.map(|index| index.rows_without_keys.count).sum();
    for (page, kind) in looked.iter_mut().filter(|(_, kind)| *kind == Orphan::Overflow) {
        *kind = match attributed.get(page) {
            Some(owner) => *owner,
            None if of_entries => Orphan::Index,
            None => Orphan::Overflow,
        };
    }
}

/// Counts the rows on pages that nothing leads to, without those that a table has as well.
fn rows_out_of_reach(
    pass: &CrossCheckContext<'_>,
    objects: &[Object],
    looked: &mut [(u32, Orphan)],
    facts: &mut PageFacts,
) -> Result<(), Interrupted> {
    let layout = pass.source.layout();
    // The number of fields of the rows that index pages hold.
    let widths: HashSet<usize> = objects
        .iter()
        .filter_map(|object| object.shape.as_ref())
        .filter(|shape| shape.primary.is_some())
        .map(|shape| shape.columns.len())
        .collect();
    let mut rows: HashSet<u64> = HashSet::new();
    let mut bytes = vec![0; layout.page_size];
    let mut fields = Fields::default();
    let hash = |cell: &Cell<'_>| {
        let mut hash = Hash::new(&pass.keys);
        hash.integer(cell.rowid);
        hash.blob(cell.payload.local);
        hash.finish()
    };
    for (page, kind) in looked.iter_mut() {
        let may_have_rows = *kind == Orphan::Rows || *kind == Orphan::Index && !widths.is_empty();
        if !may_have_rows || pass.source.page(*page, &mut bytes).is_err() {
            continue;
        }
        let Ok(parsed) = Page::parse(layout, *page, &bytes) else {
            continue;
        };
        for cell in parsed.all_cells().flatten() {
            let is_row = fields.read(cell.payload.local, cell.payload.len).is_ok()
                && (*kind == Orphan::Rows || widths.contains(&fields.all().len()));
            if !is_row {
                continue;
            }
            if rows.len() < MOST_ROWS {
                rows.insert(hash(&cell));
            } else {
                facts.at_least = true;
            }
            if *kind == Orphan::Index {
                *kind = Orphan::Rows;
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    for object in objects {
        pass.again(object.root, |cell| {
            rows.remove(&hash(cell));
        })?;
    }
    facts.rows = rows.len() as u64;
    Ok(())
}
