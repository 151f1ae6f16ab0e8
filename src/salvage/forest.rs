//! Which pages belong to which table and index: by the schema where it can be read, by the trees' own inner pages where not.

mod freelist;
mod roots;

use std::collections::BTreeSet;

use super::ended::Result;
use super::known::Known;
use super::notes::{Notes, Owner};
use super::view::View;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};

/// What was found out about all pages.
#[derive(Debug)]
pub struct Forest {
    /// Each page's note.
    pub notes: Notes,
    /// For each table, each key's tree: whether every page of it was found, and is of the right kind.
    pub whole: Vec<Vec<bool>>,
    /// For each table, each key: whether the schema leads to its root.
    pub led_to: Vec<Vec<bool>>,
    /// For each table, whether pages of an index of it are there of which nobody can tell whether they are free ones.
    pub unsure: Vec<bool>,
    /// Whether the freelist is known, so that a page that nothing leads to is not merely a free one.
    pub knows_free: bool,
    /// Trees of indexes that no schema names, found by their inner pages: their first page, and all.
    pub nameless: Vec<Vec<u32>>,
    /// The same of tables.
    pub nameless_tables: Vec<Vec<u32>>,
    /// For each table, its columns' names by the store's own schema, where that can be read.
    pub columns: Vec<Option<Vec<String>>>,
    /// For each table, whether its tree was found.
    pub rooted: Vec<bool>,
    /// For each table, whether every page that the schema and its inner pages name was found; or the whole schema has no such table.
    pub all_there: Vec<bool>,
}

/// How many inner pages that nobody leads to are looked at.
const MOST_INNER: usize = 1 << 20;

/// How many roots of unknown trees are followed.
const MOST_ROOTS: usize = 10_000;

/// Looks at every page once, and walks the trees.
///
/// # Errors
/// When it is time to stop.
pub fn survey(view: &View<'_>, known: &Known, stop: &Stop) -> Result<Forest> {
    let mut notes = Notes::new(view.pages());
    let layout = view.layout();
    view.each(stop, &|_| true, &mut |number, bytes| {
        let kind = Page::parse(layout, number, bytes).ok().map(|page| page.kind());
        notes.set_kind(number, kind);
        Ok(())
    })?;
    let mut forest = Forest {
        notes,
        whole: known.tables.iter().map(|table| vec![false; table.keys.len()]).collect(),
        led_to: known.tables.iter().map(|table| vec![false; table.keys.len()]).collect(),
        unsure: vec![false; known.tables.len()],
        knows_free: false,
        nameless: Vec::new(),
        nameless_tables: Vec::new(),
        columns: vec![None; known.tables.len()],
        rooted: vec![false; known.tables.len()],
        all_there: vec![false; known.tables.len()],
    };
    forest.notes.set_owner(1, Owner::Other);
    let mut walker = Walker {
        view,
        stop,
        bytes: Vec::new(),
    };
    for (owner, root) in walker.roots(known, &mut forest)? {
        let (pages, whole) = walker.walk(root, owner, &mut forest)?;
        match owner {
            Owner::Key(table, key) => {
                if let Some(slot) = forest.led_to.get_mut(table).and_then(|keys| keys.get_mut(key)) {
                    *slot = true;
                }
                if let Some(slot) = forest.whole.get_mut(table).and_then(|keys| keys.get_mut(key)) {
                    *slot = whole;
                }
            }
            Owner::Table(table) => {
                if let Some(slot) = forest.rooted.get_mut(table) {
                    *slot = !pages.is_empty();
                }
                if let Some(slot) = forest.all_there.get_mut(table) {
                    *slot = whole;
                }
            }
            _ => {}
        }
    }
    forest.knows_free = walker.free(&mut forest)?;
    walker.adopt(&mut forest)?;
    Ok(forest)
}

struct Walker<'a> {
    view: &'a View<'a>,
    stop: &'a Stop,
    bytes: Vec<u8>,
}

impl Walker<'_> {
    /// Walks a tree by its child pointers, each page once; says which pages it has, and whether all of it was there.
    fn walk(&mut self, root: u32, owner: Owner, forest: &mut Forest) -> Result<(Vec<u32>, bool)> {
        let is_key = matches!(owner, Owner::Key(..));
        let mut out = Vec::new();
        let mut whole = true;
        let mut stack = vec![root];
        while let Some(number) = stack.pop() {
            if out.len().is_multiple_of(64) {
                self.stop.check()?;
            }
            let fits = match forest.notes.kind(number) {
                Some(kind) => kind.is_table() != is_key || owner == Owner::Other,
                None => false,
            };
            if !fits || number > self.view.pages() || forest.notes.owner(number) != Owner::Nobody {
                whole = false;
                continue;
            }
            forest.notes.set_owner(number, owner);
            out.push(number);
            if forest.notes.kind(number).is_some_and(Kind::is_leaf) {
                continue;
            }
            self.view.page(number, &mut self.bytes);
            whole &= self.children(number, &mut stack);
        }
        Ok((out, whole))
    }

    /// The children of an inner page; says whether all of them could be read.
    fn children(&self, number: u32, into: &mut Vec<u32>) -> bool {
        let Ok(page) = Page::parse(self.view.layout(), number, &self.bytes) else {
            return false;
        };
        let most = self.view.layout().usable / 6;
        let mut whole = page.cells() <= most;
        for at in 0..=page.cells().min(most) {
            let at = if at == page.cells().min(most) { page.cells() } else { at };
            match page.child(at) {
                Ok(child) if child > 1 && child <= self.view.pages() => into.push(child),
                _ => whole = false,
            }
        }
        whole
    }

    /// Follows the inner pages that nobody leads to: each is the root of what is left of a tree.
    fn adopt(&mut self, forest: &mut Forest) -> Result<()> {
        let is_inner = |forest: &Forest, number: u32| {
            forest.notes.owner(number) == Owner::Nobody && forest.notes.kind(number).is_some_and(|kind| !kind.is_leaf())
        };
        let all = (2..=self.view.pages()).filter(|number| is_inner(forest, *number));
        let inner: Vec<u32> = all.take(MOST_INNER).collect();
        let mut children = Vec::new();
        let mut led_to = BTreeSet::new();
        for number in &inner {
            self.stop.check()?;
            self.view.page(*number, &mut self.bytes);
            children.clear();
            self.children(*number, &mut children);
            led_to.extend(children.iter().copied().filter(|child| is_inner(forest, *child)));
        }
        let roots = inner.into_iter().filter(|number| !led_to.contains(number)).take(MOST_ROOTS);
        let mut trees = Vec::new();
        for root in roots {
            let is_key = forest.notes.kind(root).is_some_and(|kind| !kind.is_table());
            // Taken for one of a kind, so that only pages of that kind are followed; whose it is comes later.
            let owner = if is_key { Owner::Key(0, 0) } else { Owner::Table(0) };
            let (pages, whole) = self.walk(root, owner, forest)?;
            for page in &pages {
                forest.notes.set_owner(*page, Owner::Nobody);
            }
            trees.push((is_key, whole, pages));
        }
        // The largest first.
        trees.sort_by_key(|(_, _, pages)| std::cmp::Reverse(pages.len()));
        for (is_key, whole, pages) in trees {
            if is_key && whole {
                forest.nameless.push(pages);
            } else if !is_key {
                forest.nameless_tables.push(pages);
            }
        }
        Ok(())
    }
}
