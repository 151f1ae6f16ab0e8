//! The trees of a store, cut into tasks: the leaves below one page, or some of them.
//!
//! All threads share one walk, behind a lock. A thread that needs work takes the next task, and so walks the interior pages on the
//! way to it: they are one page of a hundred or fewer, so that the lock is rarely waited for. The leaves, which are nearly all the
//! work, are read outside the lock. The walk holds no more than the path down to one page, however large the tree is.
//!
//! Each task carries the two keys that bound what is below its page, so that a leaf can be held against its neighbours without
//! reading these: the order of a whole tree follows from the order within each page and between the bounds.

use super::worker::Worker;
use super::{Of, Pass};
use crate::compare::Entry;
use crate::damage::{Damage, Result};
use crate::page::Page;
use crate::pointer_map::Use;
use crate::record::Fields;
use crate::row::Visitor;
use crate::scan::MOST_LEVELS;

/// So many bytes of leaves are one task, or sixteen leaves.
const TASK_BYTES: usize = 1 << 20;

/// A key between two subtrees: what is below it is no greater, or what is above it is greater.
#[derive(Debug, Default, Clone)]
pub(super) struct Bound {
    /// `true` when there is one.
    pub is_set: bool,
    /// The rowid, in a table.
    pub rowid: i64,
    /// The entry, in an index: its payload and its fields.
    pub payload: Vec<u8>,
    /// The fields of that payload.
    pub fields: Fields,
}

impl Bound {
    /// The rowid, where there is one.
    #[inline]
    pub(super) fn rowid(&self) -> Option<i64> {
        self.is_set.then_some(self.rowid)
    }

    /// The entry, where there is one.
    #[inline]
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        self.is_set.then_some(Entry {
            payload: &self.payload,
            fields: self.fields.all(),
        })
    }
}

/// A piece of work: some children of a page, all of them leaves; or a root that is a leaf itself.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// The tree's place among all.
    pub tree: usize,
    /// The content of the tree.
    pub of: Of,
    /// `true` for a tree of rowids.
    pub is_table: bool,
    /// The page.
    pub number: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Which of its children.
    pub from: usize,
    /// Up to which, exclusively.
    pub to: usize,
    /// The key that all entries below the page are greater than.
    pub low: Bound,
    /// The key that no entry below the page is greater than.
    pub high: Bound,
}

/// A page on the way down.
struct Level {
    number: u32,
    bytes: Vec<u8>,
    cells: usize,
    /// The child that comes next.
    next: usize,
}

/// The walk.
#[derive(Default)]
pub(super) struct Walk {
    /// The tree that comes next.
    tree: usize,
    of: Of,
    is_table: bool,
    /// The number of levels of the tree.
    levels: usize,
    way: Vec<Level>,
    spare: Vec<Vec<u8>>,
}

impl Walk {
    /// Prepares the next task; `false` where there is none.
    pub(super) fn next<V: Visitor>(&mut self, worker: &mut Worker<'_, V>, task: &mut Task) -> bool {
        let pass = worker.pass;
        loop {
            if pass.is_time_to_stop() {
                return false;
            }
            if self.way.is_empty() {
                let Some(tree) = pass.trees.get(self.tree) else {
                    return false;
                };
                task.tree = self.tree;
                self.tree += 1;
                self.of = tree.of;
                match self.begin(worker, tree.root, task) {
                    Ok(true) => return true,
                    Ok(false) => {}
                    Err((page, damage)) => self.abandon(pass, task.tree, page, damage),
                }
                continue;
            }
            let tree = self.tree - 1;
            if pass.has_failed(tree) {
                self.leave();
                continue;
            }
            task.tree = tree;
            task.of = self.of;
            task.is_table = self.is_table;
            match self.step(worker, task) {
                Ok(true) => return true,
                Ok(false) => {}
                Err((page, damage)) => self.abandon(pass, tree, page, damage),
            }
        }
    }

    fn abandon<V: Visitor>(&mut self, pass: &Pass<'_, V>, tree: usize, page: u32, damage: Damage) {
        pass.fail(tree, page, damage);
        self.leave();
    }

    fn leave(&mut self) {
        self.spare.extend(self.way.drain(..).map(|level| level.bytes));
    }

    fn read<V: Visitor>(&mut self, pass: &Pass<'_, V>, number: u32) -> Result<Vec<u8>> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.resize(pass.layout.page_size, 0);
        pass.source.page(number, &mut bytes)?;
        Ok(bytes)
    }

    /// Begins a tree; `true` where its root is a leaf, which is the task.
    fn begin<V: Visitor>(
        &mut self,
        worker: &mut Worker<'_, V>,
        root: u32,
        task: &mut Task,
    ) -> Result<bool, (u32, Damage)> {
        let at_root = |damage| (root, damage);
        let pass = worker.pass;
        worker.take(root, Use::Root, 0).map_err(at_root)?;
        let bytes = self.read(pass, root).map_err(at_root)?;
        let kind = Page::parse(pass.layout, root, &bytes).map_err(at_root)?.kind();
        self.is_table = kind.is_table();
        let expected = match self.of {
            Of::Table(_) => true,
            Of::Index(..) | Of::Keyed(_) => false,
            Of::Opaque => self.is_table,
        };
        if expected != self.is_table {
            return Err((root, Damage::PageKind));
        }
        task.of = self.of;
        task.is_table = self.is_table;
        task.low.is_set = false;
        task.high.is_set = false;
        if kind.is_leaf() {
            task.number = root;
            self.spare.push(std::mem::replace(&mut task.bytes, bytes));
            return Ok(true);
        }
        self.levels = self.height(pass, root, &bytes)?;
        self.enter(worker, root, bytes, task).map_err(at_root)?;
        Ok(false)
    }

    /// Counts the levels of a tree, along its leftmost children. The walk then refuses every leaf at another depth.
    fn height<V: Visitor>(&mut self, pass: &Pass<'_, V>, root: u32, bytes: &[u8]) -> Result<usize, (u32, Damage)> {
        let mut below = self.spare.pop().unwrap_or_default();
        below.clear();
        below.extend_from_slice(bytes);
        let mut number = root;
        for levels in 1..=MOST_LEVELS {
            let at = |damage| (number, damage);
            let page = Page::parse(pass.layout, number, &below).map_err(at)?;
            if page.kind().is_leaf() {
                self.spare.push(below);
                return Ok(levels);
            }
            let child = page.child(0).map_err(at)?;
            pass.source.page(child, &mut below).map_err(at)?;
            number = child;
        }
        Err((root, Damage::TooDeep))
    }

    /// Goes down to an interior page, after having looked at it.
    fn enter<V: Visitor>(
        &mut self,
        worker: &mut Worker<'_, V>,
        number: u32,
        bytes: Vec<u8>,
        task: &mut Task,
    ) -> Result<()> {
        let page = Page::parse(worker.pass.layout, number, &bytes)?;
        if page.kind().is_leaf() {
            return Err(Damage::Depth);
        }
        if page.kind().is_table() != self.is_table {
            return Err(Damage::PageKind);
        }
        let cells = page.cells();
        // Page 1 has less room than others, so that its tree can have one child alone.
        if cells == 0 && number != 1 {
            return Err(Damage::CellCount);
        }
        self.bounds(worker, task, self.way.len())?;
        worker.interior(task, &page, number)?;
        self.way.push(Level {
            number,
            bytes,
            cells,
            next: 0,
        });
        Ok(())
    }

    /// The bounds of what is below the child that was taken last of the pages above this level.
    fn bounds<V: Visitor>(&self, worker: &mut Worker<'_, V>, task: &mut Task, level: usize) -> Result<()> {
        task.low.is_set = false;
        task.high.is_set = false;
        for level in self.way.get(..level).unwrap_or_default().iter().rev() {
            let page = Page::parse(worker.pass.layout, level.number, &level.bytes)?;
            let child = level.next.saturating_sub(1);
            if let (false, Some(before)) = (task.low.is_set, child.checked_sub(1)) {
                worker.bound(&page.cell(before)?, self.of, &mut task.low)?;
            }
            if !task.high.is_set && child < level.cells {
                worker.bound(&page.cell(child)?, self.of, &mut task.high)?;
            }
        }
        Ok(())
    }

    /// One step: up, down, or to the next task, in which case `true`.
    fn step<V: Visitor>(&mut self, worker: &mut Worker<'_, V>, task: &mut Task) -> Result<bool, (u32, Damage)> {
        let depth = self.way.len();
        let Some(level) = self.way.last_mut() else {
            return Ok(false);
        };
        let at = level.number;
        if level.next > level.cells {
            self.spare.extend(self.way.pop().map(|level| level.bytes));
            return Ok(false);
        }
        if depth + 1 >= self.levels {
            let count = (TASK_BYTES / worker.pass.layout.page_size).max(16);
            task.from = level.next;
            task.to = level.next.saturating_add(count).min(level.cells + 1);
            level.next = task.to;
            task.number = at;
            task.bytes.clear();
            task.bytes.extend_from_slice(&level.bytes);
            self.bounds(worker, task, depth - 1).map_err(|damage| (at, damage))?;
            return Ok(true);
        }
        let child = Page::parse(worker.pass.layout, at, &level.bytes).and_then(|page| page.child(level.next));
        let child = child.map_err(|damage| (at, damage))?;
        level.next += 1;
        let mut down = || {
            worker.take(child, Use::Tree, at)?;
            let bytes = self.read(worker.pass, child)?;
            self.enter(worker, child, bytes, task)
        };
        down().map_err(|damage| (child, damage))?;
        Ok(false)
    }
}
