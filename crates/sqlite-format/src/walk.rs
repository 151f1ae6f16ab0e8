//! The tolerant walks: what can still be read of a damaged store, page by page.
//!
//! The strict walk of [`super::check`] leaves a tree at its first fault, because it only says whether a store is sound, and is
//! as fast as it can be. A page map and a salvage need what lies behind the fault. Here a page that cannot be read costs
//! what only it leads to, and the walk goes on.
//!
//! The visitor claims each page before it is read, and refuses one that something else has. So no page is entered twice: a
//! circle ends, and a walk reads no more pages than the store has. Only the child numbers of the pages on the way down are held.

use super::freelist::Trunk;
use super::header::Layout;
use super::page::Page;
use super::source::Source;

/// Pages that can be read one by one.
pub trait Pages {
    /// Returns the layout of the pages.
    fn layout(&self) -> Layout;

    /// Reads a page; returns `false` when there is none of this number, or it cannot be read.
    fn read_page(&self, number: u32, into: &mut Vec<u8>) -> bool;
}

impl Pages for Source<'_> {
    fn layout(&self) -> Layout {
        Source::layout(self)
    }

    fn read_page(&self, number: u32, into: &mut Vec<u8>) -> bool {
        into.resize(self.layout().page_size, 0);
        self.page(number, into).is_ok()
    }
}

/// The answer of a visitor to a page number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The page is not the tree's.
    Refused,
    /// The page is the tree's, and need not be read.
    Taken,
    /// The page is the tree's, and is read next.
    Enter,
}

/// Takes what a walk of a tree finds.
pub trait TreeVisitor {
    /// Why a walk ends early.
    type Stop;

    /// Claims a page to which `parent` leads; the root has none.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    fn claim(&mut self, page: u32, parent: Option<u32>) -> Result<Claim, Self::Stop>;

    /// Takes a claimed page, `None` when it is no b-tree page. Returns true if the walk follows its children.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool, Self::Stop>;

    /// Notes that some children of a page cannot be followed.
    fn note_fault(&mut self, page: u32);
}

/// The order in which the children of a page are followed. It decides which parent has a page that two lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildOrder {
    /// The leftmost child first.
    Ascending,
    /// The rightmost child first.
    Descending,
}

/// The most levels of interior pages that are followed: SQLite follows no more (`BTCURSOR_MAX_DEPTH`). So the child numbers that
/// are held are bounded too, whatever a hostile file chains together.
const MOST_LEVELS: usize = 20;

/// An interior page on the way down.
struct WalkLevel {
    number: u32,
    /// The children still to come, the next one last; `None` for one whose number cannot be read.
    children: Vec<Option<u32>>,
}

/// Walks a tree from its root.
///
/// # Errors
/// Fails with the error of the visitor.
pub fn walk_tree<V: TreeVisitor>(
    pages: &impl Pages,
    root: u32,
    order: ChildOrder,
    visitor: &mut V,
) -> Result<(), V::Stop> {
    let layout = pages.layout();
    let mut bytes = Vec::new();
    let mut levels: Vec<WalkLevel> = Vec::new();
    let mut next = Some((root, None));
    loop {
        if let Some((number, parent)) = next.take()
            && visitor.claim(number, parent)? == Claim::Enter
        {
            let is_read = pages.read_page(number, &mut bytes);
            let page = Page::parse(layout, number, &bytes).ok().filter(|_| is_read);
            if visitor.enter(number, page.as_ref())?
                && let Some(page) = page
            {
                if levels.len() < MOST_LEVELS {
                    let mut children = read_children(&page);
                    if order == ChildOrder::Ascending {
                        children.reverse();
                    }
                    levels.push(WalkLevel { number, children });
                } else {
                    visitor.note_fault(number);
                }
            }
        }
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        match level.children.pop() {
            Some(Some(child)) => next = Some((child, Some(level.number))),
            Some(None) => visitor.note_fault(level.number),
            None => {
                levels.pop();
            }
        }
    }
}

/// Returns the children of an interior page, the leftmost first; `None` for one whose number cannot be read. The rightmost one is
/// always among them: its number stands in the page's header, and may be right where the count of cells is wrong.
pub fn read_children(page: &Page<'_>) -> Vec<Option<u32>> {
    let most = page.cells().min(page.most_cells());
    (0..most).chain([page.cells()]).map(|at| page.child(at).ok()).collect()
}

/// Takes what a walk of the freelist finds.
pub trait FreelistVisitor {
    /// Why a walk ends early.
    type Stop;

    /// Claims a page to which `parent` leads: a trunk page, or a leaf page that a trunk lists. Returns true if it is the
    /// freelist's. A trunk that is not ends the walk.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    fn claim(&mut self, page: u32, parent: u32, is_trunk: bool) -> Result<bool, Self::Stop>;

    /// Notes that a trunk page cannot be read, or counts more leaves than it has room for.
    fn note_fault(&mut self, trunk: u32);
}

/// Walks the freelist from its first trunk page, 0 for none. Returns true if the chain of trunk pages has an end.
///
/// # Errors
/// Fails with the error of the visitor.
pub fn walk_freelist<V: FreelistVisitor>(pages: &impl Pages, first: u32, visitor: &mut V) -> Result<bool, V::Stop> {
    let mut bytes = Vec::new();
    // Page 1 names the first trunk page.
    let (mut from, mut trunk) = (1, first);
    while trunk != 0 {
        if !visitor.claim(trunk, from, true)? {
            return Ok(false);
        }
        let is_read = pages.read_page(trunk, &mut bytes);
        let Some(page) = Trunk::parse(pages.layout(), &bytes).filter(|_| is_read) else {
            visitor.note_fault(trunk);
            return Ok(false);
        };
        for leaf in page.leaves() {
            visitor.claim(leaf, trunk, false)?;
        }
        (from, trunk) = (trunk, page.next());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages of a store without a header, page 1 first.
    struct Few(Vec<[u8; 512]>);

    impl Pages for Few {
        fn layout(&self) -> Layout {
            Layout::new(512, 0).unwrap()
        }

        fn read_page(&self, number: u32, into: &mut Vec<u8>) -> bool {
            let page = (number as usize).checked_sub(1).and_then(|at| self.0.get(at));
            into.clear();
            into.extend(page.into_iter().flatten());
            page.is_some()
        }
    }

    /// An interior page of a table without a cell whose rightmost child is this page.
    fn interior(right_child: u32) -> [u8; 512] {
        let mut page = [0; 512];
        page[0] = 5;
        page[8..12].copy_from_slice(&right_child.to_be_bytes());
        page
    }

    #[derive(Default)]
    struct Seen {
        entered: Vec<u32>,
        faults: Vec<u32>,
    }

    impl TreeVisitor for Seen {
        type Stop = std::convert::Infallible;

        fn claim(&mut self, page: u32, _: Option<u32>) -> Result<Claim, Self::Stop> {
            let is_new = (2..200).contains(&page) && !self.entered.contains(&page);
            Ok(if is_new { Claim::Enter } else { Claim::Refused })
        }

        fn enter(&mut self, number: u32, page: Option<&Page<'_>>) -> Result<bool, Self::Stop> {
            self.entered.push(number);
            Ok(page.is_some_and(|page| !page.kind().is_leaf()))
        }

        fn note_fault(&mut self, page: u32) {
            self.faults.push(page);
        }
    }

    fn walked(pages: Vec<[u8; 512]>) -> Seen {
        let mut seen = Seen::default();
        let Ok(()) = walk_tree(&Few(pages), 2, ChildOrder::Ascending, &mut seen);
        seen
    }

    #[test]
    fn the_rightmost_child_of_a_page_that_counts_too_many_cells_is_followed() {
        let mut leaf = [0; 512];
        leaf[0] = 13;
        for cells in [1_u16, 85, 86, 500, u16::MAX] {
            let mut root = interior(3);
            root[3..5].copy_from_slice(&cells.to_be_bytes());
            let seen = walked(vec![[0; 512], root, leaf]);
            assert_eq!(seen.entered, [2, 3], "{cells} cells");
        }
    }

    #[test]
    fn a_tree_without_end_is_left_at_the_depth_that_sqlite_follows() {
        let pages = (1..100).map(|number| interior(number + 1)).collect();
        let seen = walked(pages);
        assert_eq!(seen.entered, (2..=22).collect::<Vec<u32>>());
        assert_eq!(seen.faults, [22]);
    }
}
