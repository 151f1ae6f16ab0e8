//! What each page of a store is: plain values, filled in by whoever reads the pages, drawn by a renderer.
//!
//! A map is bounded, however many pages a store has. While it is filled, it takes two bytes a page, and of a store of more
//! than eight million pages it counts blocks of pages only. Filled, it is at most [`MOST_BLOCKS`] blocks. A block never
//! hides a damaged page. No value of a cell is in it: the only text is the trees' names, made safe where they enter.

mod builder;
mod gathered;
mod mapped;
mod names;
mod outside;
mod reading;
mod walk;

pub(crate) use self::builder::Builder;
pub(crate) use self::mapped::Mapped;
pub(crate) use self::reading::{Known, of_pages, of_store};

/// The most blocks of a map that is filled.
pub(crate) const MOST_BLOCKS: u32 = 2_048;

/// A tree of a store: a table or an index, by its place among those that a map names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tree(u16);

impl Tree {
    /// The tables for whose names there was no room.
    const FURTHER_TABLES: Self = Self(2_046);
    /// The indexes for whose names there was no room.
    const FURTHER_INDEXES: Self = Self(2_047);
}

/// What a tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A table's rows, also those of a table without rowids.
    Table,
    /// An index, of this table where that is known.
    Index(Option<Tree>),
}

/// What a page is within its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// It holds rows or entries.
    Leaf,
    /// It leads to other pages.
    Interior,
    /// It holds the rest of a long row or entry.
    Overflow,
    /// The tree leads to it, and what it is cannot be told.
    Unclear,
}

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Nobody told of it: nothing that could be read leads to it, or the looking ended before.
    Unreached,
    /// A page of the freelist that lists others.
    FreeTrunk,
    /// A page that the freelist lists.
    FreeLeaf,
    /// A page of the pointer map, which says who refers to whom (auto-vacuum).
    PointerMap,
    /// The page of the bytes that SQLite locks, which is never used.
    LockByte,
    /// A page of a tree.
    Tree(Tree, Part),
}

/// The bits of a class that are its tree; those above are the part.
const TREE: u16 = 2_047;

/// More than any class's code.
const CODES: usize = 5 << 11;

impl Class {
    fn code(self) -> u16 {
        let part = |part: u16, tree: Tree| (part << 11) | (tree.0 & TREE);
        match self {
            Self::Unreached => 0,
            Self::FreeTrunk => 1,
            Self::FreeLeaf => 2,
            Self::PointerMap => 3,
            Self::LockByte => 4,
            Self::Tree(tree, Part::Leaf) => part(1, tree),
            Self::Tree(tree, Part::Interior) => part(2, tree),
            Self::Tree(tree, Part::Overflow) => part(3, tree),
            Self::Tree(tree, Part::Unclear) => part(4, tree),
        }
    }

    fn of(code: u16) -> Self {
        let tree = Tree(code & TREE);
        match (code >> 11, code) {
            (0, 1) => Self::FreeTrunk,
            (0, 2) => Self::FreeLeaf,
            (0, 3) => Self::PointerMap,
            (0, 4) => Self::LockByte,
            (1, _) => Self::Tree(tree, Part::Leaf),
            (2, _) => Self::Tree(tree, Part::Interior),
            (3, _) => Self::Tree(tree, Part::Overflow),
            (4, _) => Self::Tree(tree, Part::Unclear),
            _ => Self::Unreached,
        }
    }
}

/// How many pages carry a mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// How many are known.
    pub(crate) pages: u32,
    /// Whether there may be more.
    pub(crate) at_least: bool,
}

impl Marked {
    /// Whether no page carries it.
    pub(crate) fn is_empty(self) -> bool {
        self.pages == 0 && !self.at_least
    }

    fn add(&mut self, other: Self) {
        self.pages += other.pages;
        self.at_least |= other.at_least;
    }
}

/// How many pages of a class a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// The class.
    pub(crate) class: Class,
    /// How many pages.
    pub(crate) pages: u32,
    /// How many of them are damaged; unknown where the pages were not kept one by one.
    pub(crate) damaged: Option<u32>,
}

/// Pages that follow one another, as a map draws them: one page, or a power of two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The first page, counted from 1.
    pub(crate) first: u32,
    /// How many pages.
    pub(crate) pages: u32,
    /// What most of them are, the most common class first; at most four.
    pub(crate) parts: Vec<(Class, u32)>,
    /// How many are unreached, also where that is none of the most common classes.
    pub(crate) unreached: u32,
    /// How many are damaged.
    pub(crate) damaged: Marked,
    /// How many the WAL replaces.
    pub(crate) replaced: Marked,
}

impl Block {
    /// The last page.
    pub(crate) fn last(&self) -> u32 {
        self.first + (self.pages - 1)
    }
}

/// Damaged pages that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first.
    pub(crate) first: u32,
    /// The last.
    pub(crate) last: u32,
    /// What they are; unknown where the pages were not kept one by one.
    pub(crate) class: Option<Class>,
}

/// A tree's name and role.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    role: Role,
}

/// What every page of a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageMap {
    pages: u32,
    shift: u32,
    trees: Vec<Named>,
    blocks: Vec<Block>,
    counts: Vec<Count>,
    damaged: Marked,
    replaced: Marked,
    places: Vec<Place>,
    ended: Option<String>,
}

impl PageMap {
    /// How many pages the store has.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// How many pages a block is, but for the last one.
    pub(crate) fn block_pages(&self) -> u32 {
        1 << self.shift
    }

    /// The blocks, in the pages' order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many pages of each class there are. They add up to the store's pages.
    pub(crate) fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// How many pages are damaged; each of them is also counted in its class.
    pub(crate) fn damaged(&self) -> Marked {
        self.damaged
    }

    /// How many pages the WAL replaces; each of them is also counted in its class.
    pub(crate) fn replaced(&self) -> Marked {
        self.replaced
    }

    /// The first places where pages are damaged.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Why the looking ended before every page was looked at; then [`Class::Unreached`] only means "not looked at".
    pub(crate) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// A tree's name, safe to print.
    pub(crate) fn name(&self, tree: Tree) -> &str {
        match self.named(tree) {
            Some(named) => &named.name,
            None if tree == Tree::FURTHER_INDEXES => "further indexes",
            None => "further tables",
        }
    }

    /// What a tree holds.
    pub(crate) fn role(&self, tree: Tree) -> Role {
        match self.named(tree) {
            Some(named) => named.role,
            None if tree == Tree::FURTHER_INDEXES => Role::Index(None),
            None => Role::Table,
        }
    }

    fn named(&self, tree: Tree) -> Option<&Named> {
        self.trees.get(usize::from(tree.0))
    }
}

#[cfg(test)]
mod tests;
