//! The map of a store's pages: plain values, which a renderer draws.
//!
//! A map is bounded, however many pages a store has. While it is filled, it takes two bytes a page, and of a store of more
//! than eight million pages it counts blocks of pages only. Finished, it has at most [`MOST_BLOCKS`] blocks. A block never
//! hides a damaged page. It holds no value of a cell: the only text is the names of trees, which are escaped where they enter.

mod builder;
mod names;
mod reading;

use std::sync::Arc;

pub(crate) use self::builder::PageMapBuilder;
pub(crate) use self::reading::{KnownDamage, check_cover, map_pages, map_store};
use crate::text::escape::escape_untrusted;

/// The most blocks of a finished map.
pub(crate) const MOST_BLOCKS: u32 = 2_048;

/// The longest reason why there is no map, in characters.
const LONGEST_REASON: usize = 400;

/// The number of a tree, a table or an index, among those that a map names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TreeId(u16);

impl TreeId {
    /// All tables for whose names there was no room.
    const FURTHER_TABLES: Self = Self(2_046);
    /// All indexes for whose names there was no room.
    const FURTHER_INDEXES: Self = Self(2_047);
}

/// The content of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TreeKind {
    /// The rows of a table, also of one without rowids.
    Table,
    /// The entries of an index, with its table where that is known.
    Index(Option<TreeId>),
}

/// The place of a page within its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PageRole {
    /// A leaf page, with rows or entries.
    Leaf,
    /// An interior page, which leads to others.
    Interior,
    /// An overflow page, with the rest of a long row or entry.
    Overflow,
    /// A page to which the tree leads and which is no page of its kind.
    Unclear,
}

/// The use of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PageClass {
    /// Nothing that could be read leads to it, or the walk ended before.
    Unreached,
    /// A trunk page of the freelist.
    FreeTrunk,
    /// A leaf page of the freelist.
    FreeLeaf,
    /// A page of the pointer map (auto-vacuum).
    PointerMap,
    /// The lock-byte page, which is never used.
    LockByte,
    /// A page of a tree.
    Tree(TreeId, PageRole),
}

/// The bits of a class's code that are the tree's number; those above are the role.
const TREE_BITS: u16 = 2_047;

/// The number of codes.
const CODES: usize = 5 << 11;

impl PageClass {
    fn code(self) -> u16 {
        let code = |role: u16, tree: TreeId| (role << 11) | (tree.0 & TREE_BITS);
        match self {
            Self::Unreached => 0,
            Self::FreeTrunk => 1,
            Self::FreeLeaf => 2,
            Self::PointerMap => 3,
            Self::LockByte => 4,
            Self::Tree(tree, PageRole::Leaf) => code(1, tree),
            Self::Tree(tree, PageRole::Interior) => code(2, tree),
            Self::Tree(tree, PageRole::Overflow) => code(3, tree),
            Self::Tree(tree, PageRole::Unclear) => code(4, tree),
        }
    }

    fn from_code(code: u16) -> Self {
        let tree = TreeId(code & TREE_BITS);
        match (code >> 11, code) {
            (0, 1) => Self::FreeTrunk,
            (0, 2) => Self::FreeLeaf,
            (0, 3) => Self::PointerMap,
            (0, 4) => Self::LockByte,
            (1, _) => Self::Tree(tree, PageRole::Leaf),
            (2, _) => Self::Tree(tree, PageRole::Interior),
            (3, _) => Self::Tree(tree, PageRole::Overflow),
            (4, _) => Self::Tree(tree, PageRole::Unclear),
            _ => Self::Unreached,
        }
    }
}

/// A number of pages with a mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MarkCount {
    /// The pages that are known.
    pub(crate) pages: u32,
    /// True if there may be more.
    pub(crate) at_least: bool,
}

impl MarkCount {
    /// Returns true if no page has the mark.
    pub(crate) fn is_empty(self) -> bool {
        self.pages == 0 && !self.at_least
    }

    fn add(&mut self, other: Self) {
        self.pages += other.pages;
        self.at_least |= other.at_least;
    }
}

/// The number of pages of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClassCount {
    /// The class.
    pub(crate) class: PageClass,
    /// Its pages.
    pub(crate) pages: u32,
    /// Those of them that are damaged; `None` where the pages were not kept one by one.
    pub(crate) damaged: Option<u32>,
}

/// Consecutive pages, as a map draws them: one page, or a power of two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageBlock {
    /// The first page, counted from 1.
    pub(crate) first: u32,
    /// The number of pages.
    pub(crate) pages: u32,
    /// The most common classes, the most common first; at most four.
    pub(crate) parts: Vec<(PageClass, u32)>,
    /// The unreached pages, also where that is none of the most common classes.
    pub(crate) unreached: u32,
    /// The damaged pages.
    pub(crate) damaged: MarkCount,
    /// The pages that the WAL replaces.
    pub(crate) replaced: MarkCount,
}

impl PageBlock {
    /// Returns the last page.
    pub(crate) fn last(&self) -> u32 {
        self.first + (self.pages - 1)
    }
}

/// Consecutive damaged pages of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DamagedRange {
    /// The first page.
    pub(crate) first: u32,
    /// The last page.
    pub(crate) last: u32,
    /// Their class; `None` where the pages were not kept one by one.
    pub(crate) class: Option<PageClass>,
}

/// A tree's name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedTree {
    name: String,
    kind: TreeKind,
}

/// The class of every page of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageMap {
    pages: u32,
    shift: u32,
    trees: Vec<NamedTree>,
    blocks: Vec<PageBlock>,
    counts: Vec<ClassCount>,
    damaged: MarkCount,
    replaced: MarkCount,
    damaged_ranges: Vec<DamagedRange>,
    incomplete_reason: Option<String>,
}

impl PageMap {
    /// Returns the number of pages of the store.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Returns the number of pages of a block; the last one may have fewer.
    pub(crate) fn block_pages(&self) -> u32 {
        1 << self.shift
    }

    /// Returns the blocks, in the order of the pages.
    pub(crate) fn blocks(&self) -> &[PageBlock] {
        &self.blocks
    }

    /// Returns the number of pages of each class. They add up to the store's pages.
    pub(crate) fn counts(&self) -> &[ClassCount] {
        &self.counts
    }

    /// Returns the number of damaged pages; each of them is also counted in its class.
    pub(crate) fn damaged(&self) -> MarkCount {
        self.damaged
    }

    /// Returns the number of pages that the WAL replaces; each of them is also counted in its class.
    pub(crate) fn replaced(&self) -> MarkCount {
        self.replaced
    }

    /// Returns the first ranges of damaged pages.
    pub(crate) fn damaged_ranges(&self) -> &[DamagedRange] {
        &self.damaged_ranges
    }

    /// Returns the reason if the walk ended before every page was looked at. Then [`PageClass::Unreached`] only means "not looked at".
    pub(crate) fn incomplete_reason(&self) -> Option<&str> {
        self.incomplete_reason.as_deref()
    }

    /// Returns the name of a tree, escaped.
    pub(crate) fn name(&self, tree: TreeId) -> &str {
        match self.named_tree(tree) {
            Some(named) => &named.name,
            None if tree == TreeId::FURTHER_INDEXES => "further indexes",
            None => "further tables",
        }
    }

    /// Returns the kind of a tree.
    pub(crate) fn tree_kind(&self, tree: TreeId) -> TreeKind {
        match self.named_tree(tree) {
            Some(named) => named.kind,
            None if tree == TreeId::FURTHER_INDEXES => TreeKind::Index(None),
            None => TreeKind::Table,
        }
    }

    fn named_tree(&self, tree: TreeId) -> Option<&NamedTree> {
        self.trees.get(usize::from(tree.0))
    }
}

/// A report's map of the pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum MapResult {
    /// No map was asked for.
    #[default]
    NotRequested,
    /// The map.
    Map(Arc<PageMap>),
    /// The reason why there is none, escaped.
    Unavailable(String),
}

impl MapResult {
    /// Returns a result without a map, with the reason.
    pub(crate) fn unavailable(why: impl std::fmt::Display) -> Self {
        Self::Unavailable(escape_untrusted(&why.to_string(), LONGEST_REASON))
    }
}

impl From<PageMap> for MapResult {
    fn from(map: PageMap) -> Self {
        Self::Map(Arc::new(map))
    }
}

#[cfg(test)]
mod tests;
