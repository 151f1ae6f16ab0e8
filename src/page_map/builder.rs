//! Fills a map: from any number of threads, in any order, in bounded memory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    CODES, ClassCount, DamagedRange, MOST_BLOCKS, MarkCount, NamedTree, PageBlock, PageClass, PageMap, TreeId, TreeKind,
};
use crate::text::escape::escape_untrusted;

/// The most pages that are kept one by one while a map is filled, in 16 MiB.
pub(super) const MOST_SINGLE: u32 = 1 << 23;

/// The longest name of a tree, in characters.
const LONGEST_NAME: usize = 160;

/// The longest reason for an incomplete map, in characters.
const LONGEST_REASON: usize = 400;

/// The most classes that a finished block names; the rest of its pages it only counts.
pub(super) const MOST_PARTS: usize = 4;

/// The most damaged ranges that a map names; all damaged pages are counted.
pub(super) const MOST_RANGES: usize = 64;

/// The most classes that a block counts while it is filled; pages of further classes only count as pages.
const MOST_CLASSES: usize = 64;

/// The most pages with a mark that a block keeps one by one.
const MOST_MARKS: usize = 64;

/// The bit of a page that is damaged.
const DAMAGED: u16 = 1 << 15;

/// The bit of a page that the WAL replaces.
const REPLACED: u16 = 1 << 14;

/// The bits of a page's class.
const CLASS: u16 = REPLACED - 1;

/// A map that is being filled. Trees are named first; then any number of threads enter the classes of pages, in any order.
#[derive(Debug)]
pub(crate) struct PageMapBuilder {
    pages: u32,
    /// A block is two to this power of pages.
    shift: u32,
    trees: Vec<NamedTree>,
    entered: Entered,
}

/// The pages that were entered.
#[derive(Debug)]
enum Entered {
    /// The class and the two bits of each page.
    Pages(Vec<AtomicU16>),
    /// A tally of each block, and the number of pages of each class.
    Blocks(Vec<Mutex<BlockTally>>, Vec<AtomicU32>),
}

impl PageMapBuilder {
    /// Creates a map of a store of this many pages, of which nothing is known yet.
    pub(crate) fn new(pages: u32) -> Self {
        Self::with_single_pages(pages, MOST_SINGLE)
    }

    /// Creates a map that keeps up to `single` pages one by one.
    pub(super) fn with_single_pages(pages: u32, single: u32) -> Self {
        let shift = (0..32).find(|shift| pages.div_ceil(1 << shift) <= MOST_BLOCKS).unwrap_or(31);
        let entered = if pages <= single {
            Entered::Pages((0..pages).map(|_| AtomicU16::new(0)).collect())
        } else {
            let blocks = 0..pages.div_ceil(1 << shift);
            Entered::Blocks(
                blocks.map(|_| Mutex::default()).collect(),
                (0..CODES).map(|_| AtomicU32::new(0)).collect(),
            )
        };
        Self {
            pages,
            shift,
            trees: Vec::new(),
            entered,
        }
    }

    /// Names a table. The name is untrusted: it is cut and escaped here.
    pub(crate) fn add_table(&mut self, name: &str) -> TreeId {
        self.add_tree(name, TreeKind::Table, TreeId::FURTHER_TABLES)
    }

    /// Names an index, of this table where that is known.
    pub(crate) fn add_index(&mut self, name: &str, of: Option<TreeId>) -> TreeId {
        self.add_tree(name, TreeKind::Index(of), TreeId::FURTHER_INDEXES)
    }

    fn add_tree(&mut self, name: &str, kind: TreeKind, further: TreeId) -> TreeId {
        let Some(tree) = u16::try_from(self.trees.len()).ok().filter(|n| *n < TreeId::FURTHER_TABLES.0) else {
            return further;
        };
        self.trees.push(NamedTree {
            name: escape_untrusted(name, LONGEST_NAME),
            kind,
        });
        TreeId(tree)
    }

    /// Enters the class of a page, counted from 1. A page that the store does not have is passed over. Each page is entered once.
    ///
    /// Two that claim one page are damage, which the caller marks with [`Self::mark_damaged`]. Of two classes the map keeps the
    /// one with the lower code, so that every run draws the same map, whichever thread came first. Where only blocks are kept, the
    /// class that comes first counts.
    pub(crate) fn set_class(&self, page: u32, class: PageClass) {
        let code = class.code();
        let Some(at) = self.slot(page) else { return };
        match &self.entered {
            Entered::Pages(pages) => {
                let claimed = |old: u16| {
                    let was = old & CLASS;
                    (code != 0 && (was == 0 || code < was)).then_some((old & !CLASS) | code)
                };
                // Nothing is left to do where the other claim is kept.
                let _ = pages[at].fetch_update(Relaxed, Relaxed, claimed);
            }
            Entered::Blocks(blocks, totals) => {
                let block = at >> self.shift;
                if code != 0 && lock(&blocks[block]).count_page(code, self.block_pages(block)) {
                    totals[usize::from(code)].fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Marks a page as damaged, once or often, before or after its class is entered.
    pub(crate) fn mark_damaged(&self, page: u32) {
        self.mark(page, DAMAGED);
    }

    /// Marks a page as one that the WAL replaces, once or often.
    pub(crate) fn mark_replaced(&self, page: u32) {
        self.mark(page, REPLACED);
    }

    fn mark(&self, page: u32, bit: u16) {
        let Some(at) = self.slot(page) else { return };
        match &self.entered {
            Entered::Pages(pages) => {
                pages[at].fetch_or(bit, Relaxed);
            }
            Entered::Blocks(blocks, _) => {
                let mut block = lock(&blocks[at >> self.shift]);
                if bit == DAMAGED {
                    block.damaged.add(page);
                } else {
                    block.replaced.add(page);
                }
            }
        }
    }

    /// Returns the place where a page of the store is kept.
    fn slot(&self, page: u32) -> Option<usize> {
        (1..=self.pages).contains(&page).then(|| page as usize - 1)
    }

    /// Returns the number of pages of a block.
    fn block_pages(&self, block: usize) -> u32 {
        let before = u64::try_from(block).unwrap_or(u64::MAX) << self.shift;
        u64::from(self.pages)
            .saturating_sub(before)
            .min(1 << self.shift)
            .try_into()
            .unwrap_or(u32::MAX)
    }

    /// Finishes the map of a walk that reached all that can be read: nothing leads to the pages that were not entered.
    pub(crate) fn finish(self) -> PageMap {
        self.build(None)
    }

    /// Finishes the map of a walk that ended early, with the reason. The pages that were not entered were not looked at.
    pub(crate) fn finish_early(self, why: &str) -> PageMap {
        self.build(Some(escape_untrusted(why, LONGEST_REASON)))
    }

    fn build(self, incomplete_reason: Option<String>) -> PageMap {
        let mut map = PageMap {
            pages: self.pages,
            shift: self.shift,
            trees: Vec::new(),
            blocks: Vec::new(),
            counts: Vec::new(),
            damaged: MarkCount::default(),
            replaced: MarkCount::default(),
            damaged_ranges: Vec::new(),
            incomplete_reason,
        };
        match &self.entered {
            Entered::Pages(pages) => map.add_pages(pages),
            Entered::Blocks(blocks, totals) => {
                for (n, block) in blocks.iter().enumerate() {
                    map.add_block(&lock(block), self.block_pages(n));
                }
                map.set_counts(&totals.iter().map(|total| (total.load(Relaxed), None)).collect::<Vec<_>>());
            }
        }
        for block in &map.blocks {
            map.damaged.add(block.damaged);
            map.replaced.add(block.replaced);
        }
        map.trees = self.trees;
        map
    }
}

impl PageMap {
    /// Adds the blocks of pages that were kept one by one.
    fn add_pages(&mut self, pages: &[AtomicU16]) {
        let mut totals = vec![(0, Some(0)); CODES];
        let mut counted = vec![0_u32; CODES];
        for pages in pages.chunks(1 << self.shift) {
            let first = self.next_page();
            let mut codes = Vec::new();
            let (mut damaged, mut replaced) = (MarkCount::default(), MarkCount::default());
            for (page, bits) in (first..).zip(pages) {
                let bits = bits.load(Relaxed);
                let (code, is_damaged) = (bits & CLASS, bits & DAMAGED != 0);
                let at = usize::from(code);
                if counted[at] == 0 {
                    codes.push(code);
                }
                counted[at] += 1;
                totals[at].0 += 1;
                totals[at].1 = totals[at].1.map(|sum| sum + u32::from(is_damaged));
                damaged.pages += u32::from(is_damaged);
                replaced.pages += u32::from(bits & REPLACED != 0);
                if is_damaged {
                    self.add_damaged(page, Some(PageClass::from_code(code)));
                }
            }
            let unreached = counted[0];
            let parts = codes.iter().map(|code| (*code, std::mem::take(&mut counted[usize::from(*code)])));
            self.blocks.push(PageBlock {
                first,
                pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
                parts: most_common(parts.collect()),
                unreached,
                damaged,
                replaced,
            });
        }
        self.set_counts(&totals);
    }

    /// Adds a block whose pages were not kept.
    fn add_block(&mut self, tally: &BlockTally, pages: u32) {
        let unreached = tally.unreached(pages);
        let mut parts = tally.classes().to_vec();
        if unreached > 0 {
            parts.push((0, unreached));
        }
        for page in tally.damaged.pages() {
            self.add_damaged(page, None);
        }
        self.blocks.push(PageBlock {
            first: self.next_page(),
            pages,
            parts: most_common(parts),
            unreached,
            damaged: tally.damaged.count(),
            replaced: tally.replaced.count(),
        });
    }

    fn next_page(&self) -> u32 {
        self.blocks.last().map_or(1, |block| block.last() + 1)
    }

    fn add_damaged(&mut self, page: u32, class: Option<PageClass>) {
        let follows = |range: &&mut DamagedRange| range.last + 1 == page && range.class == class;
        if let Some(range) = self.damaged_ranges.last_mut().filter(follows) {
            range.last = page;
        } else if self.damaged_ranges.len() < MOST_RANGES {
            self.damaged_ranges.push(DamagedRange {
                first: page,
                last: page,
                class,
            });
        }
    }

    /// Sets the numbers of pages and of damaged pages of each class, by the class's code. The rest of the pages is unreached.
    fn set_counts(&mut self, totals: &[(u32, Option<u32>)]) {
        let entered: u32 = totals.iter().skip(1).map(|(pages, _)| pages).sum();
        self.counts = (0..)
            .zip(totals)
            .map(|(code, (pages, damaged))| ClassCount {
                class: PageClass::from_code(code),
                pages: if code == 0 { self.pages - entered } else { *pages },
                damaged: *damaged,
            })
            .filter(|count| count.pages > 0)
            .collect();
    }
}

/// Returns the most common classes, the most common first; of two as common, the one with the lower code.
fn most_common(mut parts: Vec<(u16, u32)>) -> Vec<(PageClass, u32)> {
    parts.sort_unstable_by_key(|(code, pages)| (u32::MAX - pages, *code));
    parts
        .into_iter()
        .take(MOST_PARTS)
        .map(|(code, pages)| (PageClass::from_code(code), pages))
        .collect()
}

/// The tally of a block whose pages are not kept one by one. It is bounded, whatever is entered.
#[derive(Debug, Default)]
struct BlockTally {
    /// The codes of classes, and the number of pages of each.
    classes: Vec<(u16, u32)>,
    /// The number of pages that were entered.
    entered: u32,
    /// The damaged pages.
    damaged: Marks,
    /// The pages that the WAL replaces.
    replaced: Marks,
}

/// Locks a block. A count that a thread made before it panicked still holds.
fn lock(block: &Mutex<BlockTally>) -> MutexGuard<'_, BlockTally> {
    block.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlockTally {
    /// Counts a page of a class; returns `false` when all of the block's pages were counted before.
    fn count_page(&mut self, code: u16, pages: u32) -> bool {
        if self.entered >= pages {
            return false;
        }
        self.entered += 1;
        if let Some((_, count)) = self.classes.iter_mut().find(|(known, _)| *known == code) {
            *count += 1;
        } else if self.classes.len() < MOST_CLASSES {
            self.classes.push((code, 1));
        }
        true
    }

    /// Returns the codes of classes, and the number of pages of each.
    fn classes(&self) -> &[(u16, u32)] {
        &self.classes
    }

    /// Returns the number of the block's pages that were not entered.
    fn unreached(&self, pages: u32) -> u32 {
        pages.saturating_sub(self.entered)
    }
}

/// The pages of a block with a mark.
#[derive(Debug, Default)]
struct Marks {
    pages: BTreeSet<u32>,
    more: bool,
}

impl Marks {
    /// Marks a page, once or often. The first pages of the block are kept, in whatever order they are marked.
    fn add(&mut self, page: u32) {
        self.pages.insert(page);
        if self.pages.len() > MOST_MARKS {
            self.pages.pop_last();
            self.more = true;
        }
    }

    /// Returns the pages that are kept, in their order.
    fn pages(&self) -> impl Iterator<Item = u32> {
        self.pages.iter().copied()
    }

    /// Returns the number of pages.
    fn count(&self) -> MarkCount {
        MarkCount {
            pages: u32::try_from(self.pages.len()).unwrap_or(u32::MAX),
            at_least: self.more,
        }
    }
}
