//! How a map is filled: by any number of threads, in any order, in bounded memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

use super::gathered::{self, Gathered};
use super::{Block, CODES, Class, Count, MOST_BLOCKS, Marked, Named, PageMap, Place, Role, Tree};
use crate::text::escape::escape_untrusted;

/// The most pages that are kept one by one while a map is filled: 16 MiB.
pub(super) const MOST_SINGLE: u32 = 1 << 23;

/// The longest name of a tree, in characters.
const LONGEST_NAME: usize = 160;

/// The longest reason for which the looking ended, in characters.
const LONGEST_REASON: usize = 400;

/// The classes that a block tells apart; the rest of its pages it only counts.
pub(super) const MOST_PARTS: usize = 4;

/// The damaged places that a map names one by one; all are counted.
pub(super) const MOST_PLACES: usize = 64;

/// The bit of a page that is damaged.
const DAMAGED: u16 = 1 << 15;

/// The bit of a page that the WAL replaces.
const REPLACED: u16 = 1 << 14;

/// The bits of a page's class.
const CLASS: u16 = REPLACED - 1;

/// A map that is being filled. Trees are named first; then any number of threads tell what the pages are, in any order.
#[derive(Debug)]
pub(crate) struct Builder {
    pages: u32,
    shift: u32,
    trees: Vec<Named>,
    filled: Filled,
}

/// What was told.
#[derive(Debug)]
enum Filled {
    /// Of each page, its class and its two bits.
    Single(Vec<AtomicU16>),
    /// Of each block, what is in it; and how many pages of each class there are.
    Blocks(Vec<Mutex<Gathered>>, Vec<AtomicU32>),
}

impl Builder {
    /// A map of a store of this many pages, of which nothing is known yet.
    pub(crate) fn new(pages: u32) -> Self {
        Self::keeping(pages, MOST_SINGLE)
    }

    /// The same; up to `single` pages are kept one by one.
    pub(super) fn keeping(pages: u32, single: u32) -> Self {
        let shift = (0..32).find(|shift| pages.div_ceil(1 << shift) <= MOST_BLOCKS).unwrap_or(31);
        let filled = if pages <= single {
            Filled::Single((0..pages).map(|_| AtomicU16::new(0)).collect())
        } else {
            let blocks = 0..pages.div_ceil(1 << shift);
            Filled::Blocks(
                blocks.map(|_| Mutex::default()).collect(),
                (0..CODES).map(|_| AtomicU32::new(0)).collect(),
            )
        };
        Self {
            pages,
            shift,
            trees: Vec::new(),
            filled,
        }
    }

    /// Names a table. The name may be anything: it is cut and made safe to print here.
    pub(crate) fn table(&mut self, name: &str) -> Tree {
        self.tree(name, Role::Table, Tree::FURTHER_TABLES)
    }

    /// Names an index, of this table where that is known.
    pub(crate) fn index(&mut self, name: &str, of: Option<Tree>) -> Tree {
        self.tree(name, Role::Index(of), Tree::FURTHER_INDEXES)
    }

    fn tree(&mut self, name: &str, role: Role, further: Tree) -> Tree {
        let Some(tree) = u16::try_from(self.trees.len()).ok().filter(|n| *n < Tree::FURTHER_TABLES.0) else {
            return further;
        };
        self.trees.push(Named {
            name: escape_untrusted(name, LONGEST_NAME),
            role,
        });
        Tree(tree)
    }

    /// Tells what a page is, counted from 1; a page that the store does not have is passed over. Each page is told once.
    ///
    /// Two that claim one page are damage, and whoever notices says so with [`Self::damaged`]. Of their claims the map keeps
    /// the same one in every run, whichever thread came first; where only blocks are kept, it counts what comes first.
    pub(crate) fn tell(&self, page: u32, class: Class) {
        let code = class.code();
        let Some(at) = self.place(page) else { return };
        match &self.filled {
            Filled::Single(pages) => {
                let claimed = |old: u16| {
                    let was = old & CLASS;
                    (code != 0 && (was == 0 || code < was)).then_some((old & !CLASS) | code)
                };
                // Nothing is left to do where the other claim is kept.
                let _ = pages[at].fetch_update(Relaxed, Relaxed, claimed);
            }
            Filled::Blocks(blocks, totals) => {
                let block = at >> self.shift;
                if code != 0 && gathered::of(&blocks[block]).tell(code, self.pages_of(block)) {
                    totals[usize::from(code)].fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Tells that a page is damaged, whatever it is; once or often, before or after it is told what it is.
    pub(crate) fn damaged(&self, page: u32) {
        self.mark(page, DAMAGED);
    }

    /// Tells that the WAL replaces a page, once or often.
    pub(crate) fn replaced(&self, page: u32) {
        self.mark(page, REPLACED);
    }

    fn mark(&self, page: u32, bit: u16) {
        let Some(at) = self.place(page) else { return };
        match &self.filled {
            Filled::Single(pages) => {
                pages[at].fetch_or(bit, Relaxed);
            }
            Filled::Blocks(blocks, _) => {
                let mut block = gathered::of(&blocks[at >> self.shift]);
                if bit == DAMAGED {
                    block.damaged.add(page);
                } else {
                    block.replaced.add(page);
                }
            }
        }
    }

    /// Where a page of the store is kept.
    fn place(&self, page: u32) -> Option<usize> {
        (1..=self.pages).contains(&page).then(|| page as usize - 1)
    }

    /// How many pages a block has.
    fn pages_of(&self, block: usize) -> u32 {
        let before = u64::try_from(block).unwrap_or(u64::MAX) << self.shift;
        u64::from(self.pages)
            .saturating_sub(before)
            .min(1 << self.shift)
            .try_into()
            .unwrap_or(u32::MAX)
    }

    /// The map. Of what nobody told, nothing that could be read leads there.
    pub(crate) fn finish(self) -> PageMap {
        self.built(None)
    }

    /// The map of a look that ended early, and why. What nobody told was not looked at.
    pub(crate) fn ended(self, why: &str) -> PageMap {
        self.built(Some(escape_untrusted(why, LONGEST_REASON)))
    }

    fn built(self, ended: Option<String>) -> PageMap {
        let mut map = PageMap {
            pages: self.pages,
            shift: self.shift,
            trees: Vec::new(),
            blocks: Vec::new(),
            counts: Vec::new(),
            damaged: Marked::default(),
            replaced: Marked::default(),
            places: Vec::new(),
            ended,
        };
        match &self.filled {
            Filled::Single(pages) => map.count_pages(pages),
            Filled::Blocks(blocks, totals) => {
                for (n, block) in blocks.iter().enumerate() {
                    map.take(&gathered::of(block), self.pages_of(n));
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
    /// Makes blocks of pages that were kept one by one.
    fn count_pages(&mut self, pages: &[AtomicU16]) {
        let mut totals = vec![(0, Some(0)); CODES];
        let mut counted = vec![0_u32; CODES];
        for pages in pages.chunks(1 << self.shift) {
            let first = self.next_page();
            let mut codes = Vec::new();
            let (mut damaged, mut replaced) = (Marked::default(), Marked::default());
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
                    self.add_place(page, Some(Class::of(code)));
                }
            }
            let unreached = counted[0];
            let parts = codes.iter().map(|code| (*code, std::mem::take(&mut counted[usize::from(*code)])));
            self.blocks.push(Block {
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

    /// Takes over a block whose pages were not kept.
    fn take(&mut self, gathered: &Gathered, pages: u32) {
        let unreached = gathered.untold(pages);
        let mut parts = gathered.classes().to_vec();
        if unreached > 0 {
            parts.push((0, unreached));
        }
        for page in gathered.damaged.pages() {
            self.add_place(page, None);
        }
        self.blocks.push(Block {
            first: self.next_page(),
            pages,
            parts: most_common(parts),
            unreached,
            damaged: gathered.damaged.count(),
            replaced: gathered.replaced.count(),
        });
    }

    fn next_page(&self) -> u32 {
        self.blocks.last().map_or(1, |block| block.last() + 1)
    }

    fn add_place(&mut self, page: u32, class: Option<Class>) {
        let follows = |place: &&mut Place| place.last + 1 == page && place.class == class;
        if let Some(place) = self.places.last_mut().filter(follows) {
            place.last = page;
        } else if self.places.len() < MOST_PLACES {
            self.places.push(Place {
                first: page,
                last: page,
                class,
            });
        }
    }

    /// Of each class's code, how many pages there are and how many of them are damaged. What is missing was never told.
    fn set_counts(&mut self, totals: &[(u32, Option<u32>)]) {
        let told: u32 = totals.iter().skip(1).map(|(pages, _)| pages).sum();
        self.counts = (0..)
            .zip(totals)
            .map(|(code, (pages, damaged))| Count {
                class: Class::of(code),
                pages: if code == 0 { self.pages - told } else { *pages },
                damaged: *damaged,
            })
            .filter(|count| count.pages > 0)
            .collect();
    }
}

/// The most common classes, the most common first; of two as common, the one with the lower code.
fn most_common(mut parts: Vec<(u16, u32)>) -> Vec<(Class, u32)> {
    parts.sort_unstable_by_key(|(code, pages)| (u32::MAX - pages, *code));
    parts.into_iter().take(MOST_PARTS).map(|(code, pages)| (Class::of(code), pages)).collect()
}
