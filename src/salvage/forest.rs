//! Finds the owner of each page: by the schema where it can be read, by the trees' own interior pages where not.
//!
//! The order of the claims decides where two want one page. The trees of known tables come first, then their indexes, then other
//! trees: what the schema leads to is live. Then the freelist. Children of stale interior pages come after it, since an older
//! parent may lead to pages that were freed since; unless the freelist is damaged too, which then says no more than they. What is left has no root any more, and interior pages without a parent become
//! the roots of what is left of their trees.

mod freelist;
mod roots;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::notes::{Owner, PageNotes};
use super::schema::StoreSchema;
use super::view::StoreView;
use super::{Result, SalvageError};
use crate::limits::stop::Stop;
use sqlite_format::header::Header;
use sqlite_format::page::{Kind, Page};
use sqlite_format::walk::{ChildOrder, Claim, TreeVisitor, read_children, walk_tree};

/// The owners of all pages, and the state of the trees.
#[derive(Debug)]
pub struct Forest {
    /// The kind and the owner of each page.
    pub notes: PageNotes,
    /// For each table and key, whether every page of the index was found and is of the right kind.
    pub whole: Vec<Vec<bool>>,
    /// For each table and key, whether the schema leads to the root of the index.
    pub led_to: Vec<Vec<bool>>,
    /// For each table, whether there are pages of an index of it that may be free ones.
    pub is_ambiguous: Vec<bool>,
    /// True if the freelist is known, so that an orphaned page is not merely a free one.
    pub is_freelist_known: bool,
    /// The pages of each index tree that no schema names, found by its interior pages; the root first.
    pub unnamed_indexes: Vec<Vec<u32>>,
    /// The pages of each table tree that no schema names, the root first.
    pub unnamed_tables: Vec<Vec<u32>>,
    /// For each table, the names of its columns in the store's own schema, where that can be read.
    pub columns: Vec<Option<Vec<String>>>,
    /// For each table, whether its tree was found.
    pub rooted: Vec<bool>,
    /// For each table, the ranges of rowids whose leaves were not found, where the freelist is not known: a row on a page that
    /// nothing leads to can be live in these alone.
    pub open_ranges: Vec<Vec<RangeInclusive<i64>>>,
    /// For each table, whether every page that the schema and its inner pages name was found; or the whole schema has no such table.
    pub complete_tables: Vec<bool>,
    /// True if the schema is intact and leads to every page of the tables and indexes that are not known: no other table has their rows.
    pub are_others_known: bool,
    /// The names of the tables in the schema that are not known ones, the first [`MOST_NAMES`] of them, and their number.
    pub other_tables: (Vec<String>, u64),
    /// True if the schema is intact and names tables, none of which is a known one.
    pub is_anothers: bool,
}

/// The most interior pages without a parent that are looked at.
const MOST_INNER: usize = 1 << 20;

/// The most roots of unknown trees that are followed.
const MOST_ROOTS: usize = 40_000;

/// The most names of tables that are not known which are kept.
const MOST_NAMES: usize = 20;

/// The most ranges without a leaf that are kept for a table.
const MOST_OPEN_RANGES: usize = 10_000;

/// Reads every page once, and walks the trees: those of these roots, or those that the store's own schema names.
///
/// # Errors
/// Fails if it is time to stop.
pub fn survey(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    given: Option<&[(Owner, u32)]>,
    stop: &Stop,
) -> Result<Forest> {
    let mut notes = PageNotes::new(view.pages());
    let layout = view.layout();
    view.each(stop, &|_| true, &mut |number, bytes| {
        let kind = Page::parse(layout, number, bytes).ok().map(|page| page.kind());
        notes.set_kind(number, kind);
        Ok(())
    })?;
    let mut forest = Forest {
        notes,
        whole: schema.tables.iter().map(|table| vec![false; table.keys.len()]).collect(),
        led_to: schema.tables.iter().map(|table| vec![false; table.keys.len()]).collect(),
        is_ambiguous: vec![false; schema.tables.len()],
        is_freelist_known: false,
        unnamed_indexes: Vec::new(),
        unnamed_tables: Vec::new(),
        columns: vec![None; schema.tables.len()],
        rooted: vec![false; schema.tables.len()],
        open_ranges: vec![vec![i64::MIN..=i64::MAX]; schema.tables.len()],
        complete_tables: vec![false; schema.tables.len()],
        are_others_known: false,
        other_tables: (Vec::new(), 0),
        is_anothers: false,
    };
    forest.notes.set_owner(1, Owner::Other);
    let mut walker = Walker {
        view,
        schema,
        stop,
        bytes: Vec::new(),
    };
    let roots = match given {
        Some(roots) => roots.to_vec(),
        None => walker.read_roots(schema, &mut forest)?,
    };
    let mut outdated = Vec::new();
    for &(owner, root) in &roots {
        let (pages, whole) = walker.walk(root, owner, &mut forest, Some(&mut outdated))?;
        forest.note_tree(owner, !pages.is_empty(), whole);
        forest.are_others_known &= whole || owner != Owner::Other;
    }
    // Only the newest state of a parent says which pages are its children. An outdated one may still name pages that the last
    // commit put on the freelist, with deleted rows in them: a sound freelist takes them first. Where the freelist is damaged
    // too, nothing says better than the outdated parent.
    let before = (!outdated.is_empty()).then(|| forest.notes.clone());
    forest.is_freelist_known = walker.claim_free(&mut forest)?;
    if let Some(before) = before.filter(|_| !forest.is_freelist_known) {
        forest.notes = before;
        walker.claim_outdated(&outdated, &mut forest)?;
        walker.claim_free(&mut forest)?;
    } else {
        walker.claim_outdated(&outdated, &mut forest)?;
    }
    if !forest.is_freelist_known || given.is_some() {
        for (owner, root) in roots {
            if let Owner::Table(table) = owner {
                let ranges = walker.find_open_ranges(root, owner, &mut forest.notes)?;
                if let Some(slot) = forest.open_ranges.get_mut(table) {
                    *slot = ranges;
                }
            }
        }
    }
    walker.adopt(&mut forest)?;
    Ok(forest)
}

impl Forest {
    /// Records if a tree has a root, and if all of its pages were found.
    fn note_tree(&mut self, owner: Owner, is_rooted: bool, whole: bool) {
        let set = |slot: Option<&mut bool>, value: bool| {
            if let Some(slot) = slot {
                *slot = value;
            }
        };
        match owner {
            Owner::Index(table, key) => {
                set(self.led_to.get_mut(table).and_then(|keys| keys.get_mut(key)), true);
                set(self.whole.get_mut(table).and_then(|keys| keys.get_mut(key)), whole);
            }
            Owner::Table(table) => {
                set(self.rooted.get_mut(table), is_rooted);
                set(self.complete_tables.get_mut(table), whole);
            }
            _ => {}
        }
    }

    /// Records that pages of a tree are missing.
    fn note_missing_pages(&mut self, owner: Owner) {
        let slot = match owner {
            Owner::Index(table, key) => self.whole.get_mut(table).and_then(|keys| keys.get_mut(key)),
            Owner::Table(table) => self.complete_tables.get_mut(table),
            _ => None,
        };
        if let Some(slot) = slot {
            *slot = false;
        }
    }
}

struct Walker<'a> {
    view: &'a StoreView<'a>,
    schema: &'a StoreSchema,
    stop: &'a Stop,
    bytes: Vec<u8>,
}

/// Claims the pages of a tree for its owner.
struct TreePages<'w> {
    walker: &'w Walker<'w>,
    notes: &'w mut PageNotes,
    owner: Owner,
    /// Takes the children of pages of which only an older state can be read. They are not followed then.
    outdated: Option<&'w mut Vec<(Owner, u32)>>,
    pages: Vec<u32>,
    /// True if every page of the tree was found.
    whole: bool,
}

impl TreeVisitor for TreePages<'_> {
    type Stop = SalvageError;

    fn claim(&mut self, page: u32, _: Option<u32>) -> Result<Claim> {
        if self.pages.len().is_multiple_of(64) {
            self.walker.stop.check()?;
        }
        let is_key = self.walker.schema.has_index_tree(self.owner);
        let kind = self.notes.kind(page).filter(|_| self.notes.owner(page) == Owner::Unowned);
        let Some(kind) = kind.filter(|kind| kind.is_table() != is_key || self.owner == Owner::Other) else {
            self.whole = false;
            return Ok(Claim::Refused);
        };
        self.notes.set_owner(page, self.owner);
        self.pages.push(page);
        Ok(if kind.is_leaf() { Claim::Taken } else { Claim::Enter })
    }

    fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool> {
        let Some(page) = page else {
            self.whole = false;
            return Ok(false);
        };
        self.whole &= page.cells() <= page.most_cells();
        let Some(outdated) = self.outdated.as_deref_mut().filter(|_| self.walker.view.is_stale(number)) else {
            return Ok(true);
        };
        for child in read_children(page) {
            match child.filter(|child| self.walker.is_child(*child)) {
                Some(child) => outdated.push((self.owner, child)),
                None => self.whole = false,
            }
        }
        Ok(false)
    }

    fn note_fault(&mut self, _: u32) {
        self.whole = false;
    }
}

impl Walker<'_> {
    /// Returns true if a number can be that of a child.
    fn is_child(&self, page: u32) -> bool {
        (2..=self.view.pages()).contains(&page)
    }

    /// Walks a tree by its child pointers, each page once; returns its pages, and whether all of it was there. With
    /// `outdated`, the children of pages of which only an older state can be read are put there instead, and not followed.
    fn walk(
        &self,
        root: u32,
        owner: Owner,
        forest: &mut Forest,
        outdated: Option<&mut Vec<(Owner, u32)>>,
    ) -> Result<(Vec<u32>, bool)> {
        let mut visitor = TreePages {
            walker: self,
            notes: &mut forest.notes,
            owner,
            outdated,
            pages: Vec::new(),
            whole: true,
        };
        walk_tree(self.view, root, ChildOrder::Descending, &mut visitor)?;
        Ok((visitor.pages, visitor.whole))
    }

    /// Claims the children of outdated pages for their trees, as far as nothing else has claimed them.
    fn claim_outdated(&mut self, children: &[(Owner, u32)], forest: &mut Forest) -> Result<()> {
        for (owner, child) in children {
            if !self.walk(*child, *owner, forest, None)?.1 {
                forest.note_missing_pages(*owner);
            }
        }
        Ok(())
    }

    /// Returns the ranges of rowids for which a table's tree leads to no leaf that was found.
    ///
    /// The rowids in an inner page divide its range among its children. So a leaf that was found answers for its whole range, and
    /// what another page holds of it is an older state. So does one that lay behind the end of a file that was cut off: it is
    /// lost, and no other page is it. Another child that is missing leaves its range open, and so does an inner page that is
    /// outdated or cannot be read, whatever it leads to.
    fn find_open_ranges(&mut self, root: u32, owner: Owner, notes: &mut PageNotes) -> Result<Vec<RangeInclusive<i64>>> {
        let cut_off = self.cut_off_pages();
        let mut open = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = vec![(root, i64::MIN..=i64::MAX)];
        while let Some((number, range)) = stack.pop() {
            self.stop.check()?;
            self.view.page(number, &mut self.bytes);
            let page = Page::parse(self.view.layout(), number, &self.bytes).ok();
            let is_own = notes.owner(number) == owner && !self.view.is_stale(number) && seen.insert(number);
            let Some(page) = page.filter(|page| is_own && page.kind() == Kind::TableInterior) else {
                // Its kind is what is damaged, unless nothing of it is left: then it may be its rows that are still there.
                if !self.schema.has_known_values
                    && notes.owner(number) == Owner::Unowned
                    && notes.kind(number).is_none()
                {
                    notes.set_owner(number, owner);
                }
                open.push(range);
                continue;
            };
            let mut children = Vec::new();
            let mut from = *range.start();
            for cell in page.all_cells() {
                match cell {
                    Ok(cell) if cell.rowid >= from && cell.rowid <= *range.end() => {
                        children.push((cell.child, from..=cell.rowid));
                        from = cell.rowid.saturating_add(1);
                    }
                    _ => open.push(range.clone()),
                }
            }
            children.push((page.right_child(), from..=*range.end()));
            let is_leaf = |child: u32| notes.owner(child) == owner && notes.kind(child) == Some(Kind::TableLeaf);
            // All children of a page are leaves if one is.
            let are_leaves = children.iter().any(|(child, _)| is_leaf(*child));
            children.retain(|(child, _)| !is_leaf(*child) && (!are_leaves || !cut_off.contains(child)));
            stack.extend(children);
            if open.len() > MOST_OPEN_RANGES {
                return Ok(vec![i64::MIN..=i64::MAX]);
            }
        }
        Ok(open)
    }

    /// Returns the numbers of the pages that the file had before its end was cut off, as far as its header tells.
    fn cut_off_pages(&mut self) -> RangeInclusive<u32> {
        self.view.page(1, &mut self.bytes);
        let header = self.bytes.first_chunk().and_then(|bytes| Header::parse(bytes).ok());
        let counted = header.and_then(|header| header.pages).unwrap_or(0);
        self.view.pages().saturating_add(1)..=counted
    }

    /// Returns the children of an inner page that can be read.
    fn children(&mut self, number: u32) -> Vec<u32> {
        self.view.page(number, &mut self.bytes);
        let page = Page::parse(self.view.layout(), number, &self.bytes);
        let children = page.map(|page| read_children(&page)).unwrap_or_default();
        children.into_iter().flatten().filter(|child| self.is_child(*child)).collect()
    }

    /// Follows the interior pages without a parent: each is the root of what is left of a tree.
    fn adopt(&mut self, forest: &mut Forest) -> Result<()> {
        let is_inner = |forest: &Forest, number: u32| {
            forest.notes.owner(number) == Owner::Unowned
                && forest.notes.kind(number).is_some_and(|kind| !kind.is_leaf())
        };
        let all = (2..=self.view.pages()).filter(|number| is_inner(forest, *number));
        let inner: Vec<u32> = all.take(MOST_INNER).collect();
        let mut led_to = BTreeSet::new();
        for number in &inner {
            self.stop.check()?;
            led_to.extend(self.children(*number).into_iter().filter(|child| is_inner(forest, *child)));
        }
        let roots = inner.into_iter().filter(|number| !led_to.contains(number)).take(MOST_ROOTS);
        let mut trees = Vec::new();
        for root in roots {
            let is_key = forest.notes.kind(root).is_some_and(|kind| !kind.is_table());
            // Any owner of the kind will do, so that only pages of that kind are followed; attribution finds the right one.
            let owner = if is_key {
                Owner::Index(0, 0)
            } else {
                Owner::Table(self.schema.tables.len())
            };
            let (pages, whole) = self.walk(root, owner, forest, None)?;
            for page in &pages {
                forest.notes.set_owner(*page, Owner::Unowned);
            }
            trees.push((is_key, whole, pages));
        }
        // The largest first.
        trees.sort_by_key(|(_, _, pages)| std::cmp::Reverse(pages.len()));
        for (is_key, whole, pages) in trees {
            if is_key && whole {
                forest.unnamed_indexes.push(pages);
            } else if !is_key {
                forest.unnamed_tables.push(pages);
            }
        }
        Ok(())
    }
}
