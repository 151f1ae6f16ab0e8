//! One thread of a pass: the pages of a task, and what they come to.

use super::sets::Recent;
use super::walk::{Bound, Task};
use super::{Of, Pass};
use crate::compare::Entry;
use crate::cover::Cover;
use crate::damage::{Damage, Result};
use crate::hash::Sum;
use crate::overflow::{Chain, whole};
use crate::page::{Cell, Page, Payload};
use crate::pointer_map::Use;
use crate::record::{Field, Fields};
use crate::row::Visitor;
use crate::schema::Unsupported;

/// So much of a payload is held at once; an index entry has to fit.
pub(super) const MOST_HELD: usize = 128 << 10;

/// So many bytes of pages that follow one another are read together.
const READ_AT_ONCE: usize = 128 << 10;

/// So many values are looked at before it is asked whether to go on.
const MOST_EFFORT: usize = 1 << 17;

/// The counts and sums of one thread.
pub(super) struct Tally<S> {
    /// For each tree: of an index, the entries that its table wants there.
    pub wanted: Vec<Sum>,
    /// For each tree: of an index, its entries.
    pub entries: Vec<Sum>,
    /// For each tree: of a table, its rows.
    pub rows: Vec<u64>,
    /// For each tree: of an index, that its table could not tell all entries that it wants there; of a table, that a row breaks a
    /// CHECK constraint, or that only SQLite can tell.
    pub doubts: Vec<Option<Damage>>,
    /// The sum of the entries that the pointer map must have.
    pub pointers: Sum,
    /// The state that the visitor gathered.
    pub state: S,
}

impl<S> Tally<S> {
    /// Notes why a tree is not known to be as its table wants it. That a value is forbidden stays.
    pub(super) fn doubt(&mut self, tree: usize, damage: Damage) {
        if let Some(doubt) = self.doubts.get_mut(tree)
            && *doubt != Some(Damage::Forbidden)
        {
            *doubt = Some(damage);
        }
    }

    /// Adds what another thread came to; the visitor's part is the caller's.
    pub(super) fn take(&mut self, other: Self) -> S {
        let sums = |into: &mut Vec<Sum>, from: Vec<Sum>| {
            into.iter_mut().zip(from).for_each(|(into, from)| into.take(from));
        };
        sums(&mut self.wanted, other.wanted);
        sums(&mut self.entries, other.entries);
        self.rows.iter_mut().zip(other.rows).for_each(|(into, from)| *into += from);
        for (tree, doubt) in other.doubts.into_iter().enumerate() {
            if let Some(damage) = doubt {
                self.doubt(tree, damage);
            }
        }
        self.pointers.take(other.pointers);
        other.state
    }
}

/// Room for an entry and the one before it; of a row, the first is used.
///
/// The two are used in turn, so that an entry that lies on overflow pages stays where it was put together while the next one is.
#[derive(Default)]
pub(super) struct Buffers {
    /// The fields.
    pub fields: [Fields; 2],
    /// The payloads, where they do not lie in one page.
    pub held: [Vec<u8>; 2],
}

/// The payload of an entry that lies in one page; `None` where it was put together in its buffer.
pub(super) type Here<'b> = Option<&'b [u8]>;

impl Buffers {
    /// Reads the fields of the entry at this place of its page, and returns it with the one before it, if that is not the first.
    ///
    /// # Errors
    /// The damage of the record.
    #[inline]
    pub(super) fn read<'b>(
        &'b mut self,
        at: usize,
        here: Here<'b>,
        len: usize,
        before: Option<Here<'b>>,
    ) -> Result<(Entry<'b>, Option<Entry<'b>>)> {
        let ([even, odd], [even_held, odd_held]) = (&mut self.fields, &self.held);
        let (own, own_held, other, other_held) = if at.is_multiple_of(2) {
            (even, even_held, odd, odd_held)
        } else {
            (odd, odd_held, even, even_held)
        };
        let payload = here.unwrap_or(own_held);
        own.read(payload, len)?;
        let before = before.map(|lies| Entry {
            payload: lies.unwrap_or(other_held),
            fields: other.all(),
        });
        let fields = own.all();
        Ok((Entry { payload, fields }, before))
    }
}

/// One thread.
pub(super) struct Worker<'p, V: Visitor> {
    pub(super) pass: &'p Pass<'p, V>,
    pub(super) tally: Tally<V::State>,
    pub(super) recent: Vec<Recent>,
    pub(super) cover: Cover,
    pub(super) buffers: Buffers,
    /// The fields of a row WITHOUT ROWID in the order of its table's columns.
    pub(super) in_order: Vec<Field>,
    /// An overflow page.
    pub(super) page: Vec<u8>,
    /// Pages that follow one another.
    run: Vec<u8>,
    children: Vec<(u32, u32)>,
    low: Bound,
    high: Bound,
    /// Pages that were read and not yet counted.
    uncounted: u64,
    /// The number of values looked at since the interrupt was last asked.
    effort: usize,
}

impl<'p, V: Visitor> Worker<'p, V> {
    pub(super) fn new(pass: &'p Pass<'p, V>) -> Self {
        let trees = pass.trees.len();
        Self {
            pass,
            tally: Tally {
                wanted: vec![Sum::default(); trees],
                entries: vec![Sum::default(); trees],
                rows: vec![0; trees],
                doubts: vec![None; trees],
                pointers: Sum::default(),
                state: pass.visitor.begin(),
            },
            recent: pass.references.all.iter().map(|_| Recent::default()).collect(),
            cover: Cover::new(pass.layout),
            buffers: Buffers::default(),
            in_order: Vec::new(),
            page: Vec::new(),
            run: Vec::new(),
            children: Vec::new(),
            low: Bound::default(),
            high: Bound::default(),
            uncounted: 0,
            effort: 0,
        }
    }

    /// Takes a page into the accounts, and notes what the pointer map ought to say of it.
    #[inline]
    pub(super) fn take(&mut self, number: u32, what: Use, parent: u32) -> Result<()> {
        self.pass.accounts.take(number)?;
        if self.pass.pointer_map.is_some() && number > 1 {
            self.tally.pointers.add(self.pass.pointer(number, what.number(), parent));
        }
        self.uncounted += 1;
        if self.uncounted >= 64 {
            self.count()?;
        }
        Ok(())
    }

    /// Notes that so many values are looked at now: a few rows of a hostile store can be as much work as many pages.
    #[inline]
    pub(super) fn spend(&mut self, values: usize) -> Result<()> {
        self.effort += values;
        if self.effort < MOST_EFFORT {
            return Ok(());
        }
        self.count()
    }

    /// Reports how many pages were read, and asks the interrupt.
    pub(super) fn count(&mut self) -> Result<()> {
        self.pass.progress(std::mem::take(&mut self.uncounted));
        self.effort = 0;
        if self.pass.is_time_to_stop() {
            Err(Damage::Stopped)
        } else {
            Ok(())
        }
    }

    /// Does a task: the leaves below one page.
    ///
    /// # Errors
    /// The first oddity, and its page.
    pub(super) fn work(&mut self, task: &Task) -> Result<(), (u32, Damage)> {
        self.count().map_err(|damage| (task.number, damage))?;
        let parent = Page::parse(self.pass.layout, task.number, &task.bytes);
        let parent = parent.map_err(|damage| (task.number, damage))?;
        if parent.kind().is_leaf() {
            let done = self.leaf(task, &parent, task.number, &task.low, &task.high);
            return done.map_err(|damage| (task.number, damage));
        }
        let mut children = std::mem::take(&mut self.children);
        let mut run = std::mem::take(&mut self.run);
        let done = self.all_children(task, &parent, &mut children, &mut run);
        self.children = children;
        self.run = run;
        done
    }

    /// Reads the children in the order in which they lie in the file: pages that follow one another together.
    fn all_children(
        &mut self,
        task: &Task,
        parent: &Page<'_>,
        children: &mut Vec<(u32, u32)>,
        run: &mut Vec<u8>,
    ) -> Result<(), (u32, Damage)> {
        children.clear();
        for at in task.from..task.to {
            let child = parent.child(at).map_err(|damage| (task.number, damage))?;
            children.push((child, u32::try_from(at).unwrap_or(u32::MAX)));
        }
        children.sort_unstable();
        let page_size = self.pass.layout.page_size;
        let most = (READ_AT_ONCE / page_size).max(1);
        let mut rest = &children[..];
        while let Some((first, _)) = rest.first().copied() {
            let follows = |(number, child): &(u32, u32)| first.checked_add(*number) == Some(*child);
            let children = rest.iter().map(|(child, _)| *child);
            let follow = (0..).zip(children).take(most).take_while(follows).count();
            let (now, later) = rest.split_at(follow.max(1));
            rest = later;
            let length = now.len() * page_size;
            if run.len() < length {
                // A small store needs no room for more pages than it has.
                run.resize(length, 0);
            }
            let into = run.get_mut(..length).ok_or((first, Damage::Unreadable))?;
            self.pass.source.run(first, into).map_err(|damage| (first, damage))?;
            for ((number, at), bytes) in now.iter().zip(into.chunks_exact(page_size)) {
                self.child(task, parent, *at as usize, *number, bytes)
                    .map_err(|damage| (*number, damage))?;
            }
        }
        Ok(())
    }

    fn child(&mut self, task: &Task, parent: &Page<'_>, at: usize, number: u32, bytes: &[u8]) -> Result<()> {
        self.take(number, Use::Tree, task.number)?;
        let mut low = std::mem::take(&mut self.low);
        let mut high = std::mem::take(&mut self.high);
        let done = (|| {
            let low = match at.checked_sub(1) {
                Some(before) => {
                    self.bound(&parent.cell(before)?, task.of, &mut low)?;
                    &low
                }
                None => &task.low,
            };
            let high = if at < parent.cells() {
                self.bound(&parent.cell(at)?, task.of, &mut high)?;
                &high
            } else {
                &task.high
            };
            let page = Page::parse(self.pass.layout, number, bytes)?;
            if page.cells() == 0 {
                return Err(Damage::CellCount);
            }
            self.leaf(task, &page, number, low, high)
        })();
        self.low = low;
        self.high = high;
        done
    }

    fn leaf(&mut self, task: &Task, page: &Page<'_>, number: u32, low: &Bound, high: &Bound) -> Result<()> {
        if !page.kind().is_leaf() {
            return Err(Damage::Depth);
        }
        if page.kind().is_table() != task.is_table {
            return Err(Damage::PageKind);
        }
        match task.of {
            Of::Table(table) => self.rows((task.tree, table), page, number, low, high),
            Of::Keyed(table) => self.keyed_rows((task.tree, table), page, number, low, high),
            Of::Index(table, index) => self.entries((task.tree, table, index), page, number, low, high),
            Of::Opaque if task.is_table => self.opaque_rows(page, number, low, high),
            Of::Opaque => self.opaque_entries(page, number),
        }
    }

    /// The key of an interior cell, which bounds what is below the pages beside it. The cell was looked at before.
    ///
    /// # Errors
    /// The damage of the page.
    pub(super) fn bound(&mut self, cell: &Cell<'_>, of: Of, into: &mut Bound) -> Result<()> {
        into.is_set = true;
        into.rowid = cell.rowid;
        if let Of::Index(..) | Of::Keyed(_) = of {
            whole(self.pass.source, &cell.payload, MOST_HELD, &mut self.page, &mut into.payload)?;
            into.fields.read(&into.payload, into.payload.len())?;
        }
        Ok(())
    }

    /// An interior page: its cells, in order and within its bounds.
    ///
    /// # Errors
    /// The damage of the page.
    pub(super) fn interior(&mut self, task: &Task, page: &Page<'_>, number: u32) -> Result<()> {
        match task.of {
            Of::Keyed(table) => self.keyed_rows((task.tree, table), page, number, &task.low, &task.high),
            Of::Index(table, index) => self.entries((task.tree, table, index), page, number, &task.low, &task.high),
            _ if task.is_table => self.interior_rowids(page, &task.low, &task.high),
            _ => self.opaque_entries(page, number),
        }
    }

    fn interior_rowids(&mut self, page: &Page<'_>, low: &Bound, high: &Bound) -> Result<()> {
        self.cover.begin(page)?;
        let mut before = low.rowid();
        for at in 0..page.cells() {
            let cell = self.cell(page, at)?;
            if before.is_some_and(|before| before >= cell.rowid) {
                return Err(Damage::RowidOrder);
            }
            before = Some(cell.rowid);
        }
        if let (Some(last), Some(high)) = (before, high.rowid())
            && page.cells() > 0
            && last >= high
        {
            return Err(Damage::RowidOrder);
        }
        self.cover.end(page)
    }

    /// A cell, which has its bytes alone.
    fn cell<'b>(&mut self, page: &Page<'b>, at: usize) -> Result<Cell<'b>> {
        let cell = page.cell(at)?;
        self.cover.take(cell.at, cell.size)?;
        Ok(cell)
    }

    /// Rows of a table that are not understood: only their cells and rowids are looked at.
    fn opaque_rows(&mut self, page: &Page<'_>, number: u32, low: &Bound, high: &Bound) -> Result<()> {
        self.cover.begin(page)?;
        let mut before = low.rowid();
        for at in 0..page.cells() {
            let cell = self.cell(page, at)?;
            in_order(before, cell.rowid, high)?;
            before = Some(cell.rowid);
            self.gather(&cell.payload, number, 0)?;
        }
        self.cover.end(page)
    }

    /// Entries of an index that is not understood: only their cells are looked at.
    fn opaque_entries(&mut self, page: &Page<'_>, number: u32) -> Result<()> {
        self.cover.begin(page)?;
        for at in 0..page.cells() {
            let cell = self.cell(page, at)?;
            if cell.payload.local.first().is_none_or(|header| *header < 2) {
                return Err(Damage::Record);
            }
            self.gather(&cell.payload, number, 0)?;
        }
        self.cover.end(page)
    }

    /// Returns the payload of an entry, all of which is held: in its page, or in the buffer of its place.
    ///
    /// # Errors
    /// The damage of its chain, or [`Unsupported::LongEntry`].
    #[inline]
    pub(super) fn whole_entry<'b>(&mut self, payload: &Payload<'b>, owner: u32, at: usize) -> Result<Here<'b>> {
        if payload.overflow.is_none() {
            return Ok(Some(payload.local));
        }
        if payload.len > MOST_HELD {
            return Err(Damage::Unsupported(Unsupported::LongEntry));
        }
        self.gather(payload, owner, at % 2)?;
        Ok(None)
    }

    /// Takes the overflow pages of a payload into the accounts, and puts its beginning together in `held`, no more than
    /// [`MOST_HELD`] bytes of it. What follows is given back.
    pub(super) fn gather(&mut self, payload: &Payload<'_>, owner: u32, into: usize) -> Result<Option<Chain<'p>>> {
        if payload.overflow.is_none() {
            return Ok(None);
        }
        let mut held = self.buffers.held.get_mut(into).map(std::mem::take).unwrap_or_default();
        held.clear();
        held.extend_from_slice(payload.local);
        let mut chain = Chain::new(self.pass.source, payload);
        let mut what = (Use::FirstOverflow, owner);
        let mut rest = None;
        let done = loop {
            let number = match chain.next() {
                Ok(Some(next)) => next,
                Ok(None) => break Ok(rest),
                Err(damage) => break Err(damage),
            };
            if let Err(damage) = self.take(number, what.0, what.1) {
                break Err(damage);
            }
            what = (Use::LaterOverflow, number);
            let read = if rest.is_none() && held.len() + chain.here() <= MOST_HELD {
                chain.read(&mut self.page, &mut held)
            } else {
                rest.get_or_insert(chain);
                chain.skip().map(|_| ())
            };
            if let Err(damage) = read {
                break Err(damage);
            }
        };
        if let Some(slot) = self.buffers.held.get_mut(into) {
            *slot = held;
        }
        done
    }
}

/// Checks that a row's rowid follows the one before it, and is not above its parent's.
fn in_order(before: Option<i64>, rowid: i64, high: &Bound) -> Result<()> {
    if before.is_some_and(|before| before >= rowid) || high.rowid().is_some_and(|high| rowid > high) {
        return Err(Damage::RowidOrder);
    }
    Ok(())
}
