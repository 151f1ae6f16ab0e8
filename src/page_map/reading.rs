//! Reads a store's files into a map of its pages.
//!
//! The pages are read where the reader may read: without a lock, from files that are compared afterwards, or from a private
//! copy. It is a pass of its own, because a map is wanted of a damaged store: the strict check leaves a tree at its first
//! fault, this pass marks the fault where it is and goes on.

use super::names::TreeNames;
use super::{MapResult, PageClass, PageMap, PageMapBuilder, PageRole, TreeId};
use crate::limits::stop::{Stop, Stopped};
use crate::probe::Probe;
use crate::store::Access;
use crate::store::page_reader::{Files, NotRead};
use crate::text::words::thousands;
use sqlite_format::check::accounts::Accounts;
use sqlite_format::cover::Cover;
use sqlite_format::damage::Damage;
use sqlite_format::header::Header;
use sqlite_format::interrupt::Interrupt;
use sqlite_format::overflow::Chain;
use sqlite_format::page::{Cell, Page, Payload};
use sqlite_format::pointer_map::PointerMap;
use sqlite_format::reader::pages_there;
use sqlite_format::source::{Overlay, ReadAt, Source};
use sqlite_format::walk::{ChildOrder, Claim, FreelistVisitor, TreeVisitor, walk_freelist, walk_tree};

/// The number of pages between two looks at whether it is time to stop.
const PAGES_BETWEEN_STOPS: u64 = 64;

/// The result of the checks for a store's pages.
#[derive(Debug, Default)]
pub(crate) struct KnownDamage {
    /// True if the pages are known to be sound: then what the map's own pass finds odd is no damage.
    pub is_sound: bool,
    /// The pages at which something is wrong.
    pub damaged_pages: Vec<u32>,
}

/// Maps the pages of a store.
pub(crate) fn map_store(probe: &Probe, access: &Access<'_>, known: &KnownDamage, stop: &Stop) -> MapResult {
    match read(probe, access, known, stop) {
        Ok(result) => result,
        Err(why) => MapResult::unavailable(why),
    }
}

fn read(probe: &Probe, access: &Access<'_>, known: &KnownDamage, stop: &Stop) -> Result<MapResult, NotRead> {
    let files = Files::open(probe, access, stop)?;
    let overlay = files.overlay()?;
    Ok(map_pages(&files.database, overlay.as_ref(), known, stop))
}

/// Maps the pages of a database file, with those of its log laid over them.
pub(crate) fn map_pages(
    database: &dyn ReadAt,
    overlay: Option<&Overlay<'_>>,
    known: &KnownDamage,
    stop: &Stop,
) -> MapResult {
    let Ok((header, source)) = pages_there(database, overlay) else {
        return MapResult::unavailable("the first page does not begin as a database does");
    };
    if source.pages() > Accounts::MOST_PAGES {
        let most = thousands(u64::from(Accounts::MOST_PAGES));
        return MapResult::unavailable(format!("the store has more than {most} pages"));
    }
    fill_map(&header, &source, overlay, known, stop).into()
}

fn fill_map(
    header: &Header,
    source: &Source<'_>,
    overlay: Option<&Overlay<'_>>,
    known: &KnownDamage,
    stop: &Stop,
) -> PageMap {
    let mut builder = PageMapBuilder::new(source.pages());
    for page in overlay.iter().flat_map(|overlay| overlay.numbers()) {
        builder.mark_replaced(page);
    }
    for page in &known.damaged_pages {
        builder.mark_damaged(*page);
    }
    stop.reads_pages(source.pages().into());
    let walked = walk_pages(header, source, &mut builder, known.is_sound, stop);
    stop.reads_pages(0);
    match walked {
        Ok(true) => builder.finish(),
        Ok(false) => builder.finish_early("the schema names more trees than are followed"),
        Err(why) => builder.finish_early(&why.to_string()),
    }
}

/// Walks all pages; returns whether all trees were walked.
fn walk_pages(
    header: &Header,
    source: &Source<'_>,
    builder: &mut PageMapBuilder,
    is_sound: bool,
    stop: &Stop,
) -> Result<bool, Stopped> {
    let mut walk = StoreWalk {
        source,
        stop,
        claimed: Accounts::new(source.pages()),
        is_sound,
        cover: Cover::new(source.layout()),
        unreported: 0,
    };
    // What the header places comes first: a tree that leads there is what is damaged.
    walk.walk_outside_of_trees(builder, header)?;
    let schema = builder.add_table("sqlite_schema");
    let mut names = TreeNames::new(source);
    walk.walk_tree(builder, (schema, 1), &mut |cell| names.take_row(cell))?;
    let is_all = !names.has_more;
    for tree in names.add_to(builder) {
        walk.walk_tree(builder, tree, &mut |_| ())?;
    }
    Ok(is_all)
}

/// A walk over the pages of one store, each once.
struct StoreWalk<'s> {
    source: &'s Source<'s>,
    stop: &'s Stop,
    claimed: Accounts,
    is_sound: bool,
    cover: Cover,
    /// Pages that were read and not yet reported as progress.
    unreported: u64,
}

impl StoreWalk<'_> {
    /// Claims a page; `false` when there is none of this number, or something else has it.
    fn claim(&mut self, page: u32) -> Result<bool, Stopped> {
        self.unreported += 1;
        if self.unreported >= PAGES_BETWEEN_STOPS {
            self.stop.pages_read(std::mem::take(&mut self.unreported));
            self.stop.check()?;
        }
        Ok(self.claimed.take(page).is_ok())
    }

    /// Claims a page to which another leads. When it cannot be had, something is wrong at both, and which of them is the one
    /// that is damaged cannot be told.
    fn claim_from(&mut self, builder: &PageMapBuilder, page: u32, from: u32) -> Result<bool, Stopped> {
        let is_claimed = self.claim(page)?;
        if !is_claimed {
            self.mark_fault(builder, from);
            self.mark_fault(builder, page);
        }
        Ok(is_claimed)
    }

    fn mark_fault(&self, builder: &PageMapBuilder, page: u32) {
        if !self.is_sound {
            builder.mark_damaged(page);
        }
    }

    /// Walks the pages that belong to no tree: the lock-byte page, the pointer map, the freelist.
    fn walk_outside_of_trees(&mut self, builder: &PageMapBuilder, header: &Header) -> Result<(), Stopped> {
        let lock_byte = header.layout.lock_byte_page();
        if self.claim(lock_byte)? {
            builder.set_class(lock_byte, PageClass::LockByte);
        }
        if header.largest_root != 0 {
            for page in PointerMap::new(header.layout, self.source.pages()).own_pages() {
                if self.claim_from(builder, page, page)? {
                    builder.set_class(page, PageClass::PointerMap);
                }
            }
        }
        let source = self.source;
        let mut freelist = Freelist { walk: self, builder };
        walk_freelist(source, header.freelist_trunk, &mut freelist)?;
        Ok(())
    }

    /// Walks a tree, and hands out the cells of its leaves.
    fn walk_tree(
        &mut self,
        builder: &PageMapBuilder,
        (tree, root): (TreeId, u32),
        each: &mut dyn FnMut(&Cell<'_>),
    ) -> Result<(), Stopped> {
        let source = self.source;
        let mut visitor = TreeReader {
            walk: self,
            builder,
            id: tree,
            is_table: None,
            each,
        };
        walk_tree(source, root, ChildOrder::Ascending, &mut visitor)
    }
}

/// Enters the freelist's pages into a map.
struct Freelist<'w, 's> {
    walk: &'w mut StoreWalk<'s>,
    builder: &'w PageMapBuilder,
}

impl FreelistVisitor for Freelist<'_, '_> {
    type Stop = Stopped;

    fn claim(&mut self, page: u32, parent: u32, is_trunk: bool) -> Result<bool, Stopped> {
        let is_claimed = self.walk.claim_from(self.builder, page, parent)?;
        if is_claimed {
            let class = if is_trunk {
                PageClass::FreeTrunk
            } else {
                PageClass::FreeLeaf
            };
            self.builder.set_class(page, class);
        }
        Ok(is_claimed)
    }

    fn note_fault(&mut self, trunk: u32) {
        self.walk.mark_fault(self.builder, trunk);
    }
}

/// A visitor that enters a tree's pages into a map.
struct TreeReader<'w, 's> {
    walk: &'w mut StoreWalk<'s>,
    builder: &'w PageMapBuilder,
    id: TreeId,
    /// True if it is a tree of rowids, as its root has it.
    is_table: Option<bool>,
    each: &'w mut dyn FnMut(&Cell<'_>),
}

impl TreeVisitor for TreeReader<'_, '_> {
    type Stop = Stopped;

    fn claim(&mut self, page: u32, parent: Option<u32>) -> Result<Claim, Stopped> {
        // Page 1 names the roots.
        let is_claimed = self.walk.claim_from(self.builder, page, parent.unwrap_or(1))?;
        Ok(if is_claimed { Claim::Enter } else { Claim::Refused })
    }

    fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool, Stopped> {
        let of_kind =
            page.filter(|page| *self.is_table.get_or_insert(page.kind().is_table()) == page.kind().is_table());
        let Some(page) = of_kind else {
            self.set_role(number, PageRole::Unclear);
            self.note_fault(number);
            return Ok(false);
        };
        let is_leaf = page.kind().is_leaf();
        self.set_role(number, if is_leaf { PageRole::Leaf } else { PageRole::Interior });
        if check_cover(&mut self.walk.cover, page).is_err() {
            self.note_fault(number);
        }
        // A cell that cannot be read was noticed before.
        for cell in page.all_cells().take(page.most_cells()).flatten() {
            if is_leaf {
                (self.each)(&cell);
            }
            self.walk_chain(&cell.payload, number)?;
        }
        Ok(!is_leaf)
    }

    fn note_fault(&mut self, page: u32) {
        self.walk.mark_fault(self.builder, page);
    }
}

impl TreeReader<'_, '_> {
    fn set_role(&self, page: u32, role: PageRole) {
        self.builder.set_class(page, PageClass::Tree(self.id, role));
    }

    /// Walks the overflow pages of a cell. A fault is marked at the last page that could be had.
    fn walk_chain(&mut self, payload: &Payload<'_>, owner: u32) -> Result<(), Stopped> {
        if payload.overflow.is_none() {
            return Ok(());
        }
        let mut chain = Chain::new(self.walk.source, payload);
        let mut from = owner;
        loop {
            let next = match chain.next() {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(()),
                Err(_) => break,
            };
            if !self.walk.claim_from(self.builder, next, from)? {
                return Ok(());
            }
            self.set_role(next, PageRole::Overflow);
            from = next;
            if chain.skip().is_err() {
                break;
            }
        }
        self.note_fault(from);
        Ok(())
    }
}

/// Checks that each byte of a page is used once, and that rowids ascend.
pub(crate) fn check_cover(cover: &mut Cover, page: &Page<'_>) -> Result<(), Damage> {
    cover.begin(page)?;
    let mut before = None;
    for at in 0..page.cells() {
        let cell = page.cell(at)?;
        cover.take(cell.at, cell.size)?;
        if page.kind().is_table() && before.replace(cell.rowid).is_some_and(|before| before >= cell.rowid) {
            return Err(Damage::RowidOrder);
        }
    }
    cover.end(page)
}

#[cfg(test)]
mod tests;
