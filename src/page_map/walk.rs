//! Walks all that the pages of a store belong to, and tells a map. What is odd is marked where it is, and the walk goes on.
//!
//! No page is walked twice, so that nothing is followed in a circle, and no more is held than the way down to one page.

use super::{Builder, Class, Part, Tree};
use crate::limits::stop::{Stop, Stopped};
use sqlite_format::check::accounts::Accounts;
use sqlite_format::cover::Cover;
use sqlite_format::damage::Damage;
use sqlite_format::interrupt::Interrupt;
use sqlite_format::overflow::Chain;
use sqlite_format::page::{Cell, Page, Payload};
use sqlite_format::scan::MOST_LEVELS;
use sqlite_format::source::Source;

/// So many pages are looked at before it is asked whether to go on.
const PAGES_BETWEEN_NEWS: u64 = 64;

/// A page on the way down, and which child comes next.
struct Level {
    number: u32,
    bytes: Vec<u8>,
    next: usize,
}

/// A tree that is walked.
#[derive(Clone, Copy)]
struct Walked<'b> {
    builder: &'b Builder,
    tree: Tree,
}

impl Walked<'_> {
    fn tell(&self, page: u32, part: Part) {
        self.builder.tell(page, Class::Tree(self.tree, part));
    }
}

/// The walk.
pub(super) struct Walk<'s> {
    pub(super) source: &'s Source<'s>,
    stop: &'s Stop,
    taken: Accounts,
    /// Whether the store is known to be sound, so that what looks odd is only not understood.
    is_sound: bool,
    cover: Cover,
    spare: Vec<Vec<u8>>,
    uncounted: u64,
}

impl<'s> Walk<'s> {
    pub(super) fn new(source: &'s Source<'s>, is_sound: bool, stop: &'s Stop) -> Self {
        Self {
            source,
            stop,
            taken: Accounts::new(source.pages()),
            is_sound,
            cover: Cover::new(source.layout()),
            spare: Vec::new(),
            uncounted: 0,
        }
    }

    /// Takes a page; `false` where there is none of this number, or something else has it.
    ///
    /// # Errors
    /// Where it is time to stop.
    pub(super) fn take(&mut self, page: u32) -> Result<bool, Stopped> {
        self.uncounted += 1;
        if self.uncounted >= PAGES_BETWEEN_NEWS {
            self.stop.pages_read(std::mem::take(&mut self.uncounted));
            self.stop.check()?;
        }
        Ok(self.taken.take(page).is_ok())
    }

    /// Marks a page at which something is wrong.
    pub(super) fn fault(&self, builder: &Builder, page: u32) {
        if !self.is_sound {
            builder.damaged(page);
        }
    }

    /// Takes a page that another leads to. Where it cannot be had, something is wrong at both.
    pub(super) fn take_from(&mut self, builder: &Builder, page: u32, from: u32) -> Result<bool, Stopped> {
        let is_had = self.take(page)?;
        if !is_had {
            self.fault(builder, from);
            self.fault(builder, page);
        }
        Ok(is_had)
    }

    /// Walks a tree, and hands out the cells of its leaves.
    ///
    /// # Errors
    /// Where it is time to stop.
    pub(super) fn tree(
        &mut self,
        builder: &Builder,
        (tree, root): (Tree, u32),
        each: &mut dyn FnMut(&Cell<'_>),
    ) -> Result<(), Stopped> {
        let walked = Walked { builder, tree };
        if !self.take_from(builder, root, 1)? {
            return Ok(());
        }
        let mut way: Vec<Level> = Vec::new();
        let mut is_table = None;
        way.extend(self.enter(walked, root, &mut is_table, each)?);
        while let Some(depth) = way.len().checked_sub(1) {
            let Some(level) = way.last_mut() else { break };
            let parent = level.number;
            let at = level.next;
            level.next += 1;
            let child = match Page::parse(self.source.layout(), parent, &level.bytes) {
                Ok(page) if at <= page.cells().min(self.most_cells()) => page.child(at),
                _ => {
                    self.spare.extend(way.pop().map(|level| level.bytes));
                    continue;
                }
            };
            match child {
                Err(_) => self.fault(builder, parent),
                Ok(child) if self.take_from(builder, child, parent)? => {
                    let entered = self.enter(walked, child, &mut is_table, each)?;
                    if depth + 1 < MOST_LEVELS {
                        way.extend(entered);
                    } else if entered.is_some() {
                        self.fault(builder, child);
                    }
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// No page has room for more cells.
    fn most_cells(&self) -> usize {
        self.source.layout().page_size / 6
    }

    /// Looks at a page of a tree; where it has children, it is the next level. The root says what the tree holds.
    fn enter(
        &mut self,
        walked: Walked<'_>,
        number: u32,
        is_table: &mut Option<bool>,
        each: &mut dyn FnMut(&Cell<'_>),
    ) -> Result<Option<Level>, Stopped> {
        let layout = self.source.layout();
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.resize(layout.page_size, 0);
        let read = self.source.page(number, &mut bytes);
        let page = match read.and_then(|()| Page::parse(layout, number, &bytes)) {
            Ok(page) if *is_table.get_or_insert(page.kind().is_table()) == page.kind().is_table() => page,
            _ => {
                walked.tell(number, Part::Unclear);
                self.fault(walked.builder, number);
                self.spare.push(bytes);
                return Ok(None);
            }
        };
        let is_leaf = page.kind().is_leaf();
        walked.tell(number, if is_leaf { Part::Leaf } else { Part::Interior });
        if self.covered(&page).is_err() {
            self.fault(walked.builder, number);
        }
        for cell in page.all_cells().take(self.most_cells()) {
            // One that is odd was noticed before.
            let Ok(cell) = cell else { continue };
            if is_leaf {
                each(&cell);
            }
            self.chain(walked, &cell.payload, number)?;
        }
        if is_leaf {
            self.spare.push(bytes);
            return Ok(None);
        }
        Ok(Some(Level { number, bytes, next: 0 }))
    }

    /// Whether each byte of a page is used once, and rowids ascend.
    fn covered(&mut self, page: &Page<'_>) -> Result<(), Damage> {
        self.cover.begin(page)?;
        let mut before = None;
        for at in 0..page.cells() {
            let cell = page.cell(at)?;
            self.cover.take(cell.at, cell.size)?;
            if page.kind().is_table() && before.replace(cell.rowid).is_some_and(|before| before >= cell.rowid) {
                return Err(Damage::RowidOrder);
            }
        }
        self.cover.end(page)
    }

    /// The overflow pages of a cell.
    fn chain(&mut self, walked: Walked<'_>, payload: &Payload<'_>, owner: u32) -> Result<(), Stopped> {
        if payload.overflow.is_none() {
            return Ok(());
        }
        let mut chain = Chain::new(self.source, payload);
        let mut from = owner;
        loop {
            let next = match chain.next() {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(()),
                Err(_) => break,
            };
            if !self.take_from(walked.builder, next, from)? {
                return Ok(());
            }
            walked.tell(next, Part::Overflow);
            from = next;
            if chain.skip().is_err() {
                break;
            }
        }
        self.fault(walked.builder, from);
        Ok(())
    }
}
