//! Checks that a store is sound: one pass over all of its pages, on as many threads as there are cores.
//!
//! It covers all that SQLite's integrity check covers, and says "sound" only where SQLite would say "ok". What an
//! index holds is held against its table by sums of keyed hashes over (columns, rowid): an index in order, whose entries are
//! as many as the rows and have the same sum, is one in which each row's entry is found.

pub mod accounts;
mod conclude;
mod entries;
mod references;
mod rows;
mod sets;
mod spatial;
mod walk;
mod worker;

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use self::accounts::Accounts;
use self::references::{Reference, References};
use self::rows::Plan;
use self::walk::{Task, Walk};
use self::worker::{Tally, Worker};
use super::answer::{Answer, Checked, Fault};
use super::damage::Damage;
use super::freelist;
use super::hash::{Hash, Keys};
use super::header::Layout;
use super::pointer_map::{PointerMap, Use};
use super::reader::Reader;
use super::row::Visitor;
use super::schema::{Expression, Schema, Unsupported};
use super::source::Source;
use crate::interrupt::{Interrupt, Interrupted};

/// Below this many bytes, one thread is faster than two.
const WORTH_A_THREAD: u64 = 8 << 20;

/// With fewer pages than this for each tree, one thread is faster than two.
const PAGES_OF_A_TREE: usize = 16;

/// No more threads than this.
const MOST_THREADS: usize = 4;

/// The progress of a pass.
#[derive(Debug, Default)]
pub struct PagesDone {
    done: AtomicU64,
    of: AtomicU64,
}

impl PagesDone {
    /// Returns the number of pages that were read, and that of all pages.
    pub fn now(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }
}

/// The settings of a pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The number of threads, instead of as many as there are cores.
    pub threads: Option<NonZero<usize>>,
    /// The counter for the pages.
    pub progress: Option<&'a PagesDone>,
}

/// The content of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Of {
    /// The rows of a table.
    Table(usize),
    /// The rows of a table WITHOUT ROWID.
    Keyed(usize),
    /// The entries of an index: its table and its place there.
    Index(usize, usize),
    /// Content that is not understood: only pages and cells are looked at.
    #[default]
    Opaque,
}

struct Tree {
    root: u32,
    of: Of,
}

/// The state that all threads share.
struct Pass<'p, V> {
    source: &'p Source<'p>,
    layout: Layout,
    schema: &'p Schema,
    trees: Vec<Tree>,
    plans: Vec<Plan>,
    references: References,
    keys: Keys,
    accounts: Accounts,
    pointer_map: Option<PointerMap>,
    visitor: &'p V,
    stop: &'p dyn Interrupt,
    stopped: AtomicBool,
    progress: Option<&'p PagesDone>,
    failed: Vec<AtomicBool>,
    faults: Mutex<Vec<Option<(u32, Damage)>>>,
}

impl<V> Pass<'_, V> {
    fn is_time_to_stop(&self) -> bool {
        if !self.stopped.load(Ordering::Relaxed) && self.stop.is_due() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.stopped.load(Ordering::Relaxed)
    }

    fn progress(&self, pages: u64) {
        self.stop.pages_read(pages);
        if let Some(progress) = self.progress {
            progress.done.fetch_add(pages, Ordering::Relaxed);
        }
    }

    fn has_failed(&self, tree: usize) -> bool {
        self.failed.get(tree).is_none_or(|failed| failed.load(Ordering::Relaxed))
    }

    /// Notes the first oddity of a tree.
    fn fail(&self, tree: usize, page: u32, damage: Damage) {
        if let Some(failed) = self.failed.get(tree) {
            failed.store(true, Ordering::Relaxed);
        }
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = faults.get_mut(tree) {
            fault.get_or_insert((page, damage));
        }
    }

    /// The hash of an entry of the pointer map.
    fn pointer(&self, page: u32, what: u8, parent: u32) -> u64 {
        let mut hash = Hash::new(&self.keys);
        hash.pair(u64::from(page) << 8 | u64::from(what), u64::from(parent));
        hash.finish()
    }
}

/// Reads the whole store.
///
/// # Errors
/// Fails with [`Interrupted`] when `stop` is due.
pub fn check<V: Visitor>(
    reader: &Reader<'_>,
    visitor: &V,
    ask: &Ask<'_>,
    stop: &dyn Interrupt,
) -> Result<Checked<V::State>, Interrupted> {
    let Reader {
        source, header, schema, ..
    } = reader;
    let pages = source.pages();
    if let Some(progress) = ask.progress {
        progress.of.store(u64::from(pages), Ordering::Relaxed);
    }
    if pages > Accounts::MOST_PAGES {
        return Ok(Checked::unknown(Answer::NotUnderstood(Unsupported::TooMuch), schema, visitor.begin()));
    }
    let references = References::new(schema, &mut |table| reader.largest_rowid(table));
    let (trees, plans) = plans(schema, &references, visitor);
    let pass = Pass {
        source,
        layout: header.layout,
        schema,
        failed: trees.iter().map(|_| AtomicBool::new(false)).collect(),
        faults: Mutex::new(vec![None; trees.len()]),
        trees,
        plans,
        references,
        keys: Keys::random(),
        accounts: Accounts::new(pages),
        pointer_map: (header.largest_root != 0).then(|| PointerMap::new(header.layout, pages)),
        visitor,
        stop,
        stopped: AtomicBool::new(false),
        progress: ask.progress,
    };
    let mut first = Worker::new(&pass);
    let file = before(&pass, header, &mut first);
    let threads = threads(pages, pass.trees.len(), header.layout, ask);
    let tally = run(&pass, first, threads);
    let checked = conclude::conclude(&pass, file, tally);
    if pass.stopped.load(Ordering::Relaxed) {
        Err(Interrupted)
    } else {
        Ok(checked)
    }
}

/// Checks what is checked before the trees: the pages that no tree may have, and the freelist.
fn before<V: Visitor>(
    pass: &Pass<'_, V>,
    header: &super::header::Header,
    worker: &mut Worker<'_, V>,
) -> Result<(), (u32, Damage)> {
    let pages = pass.source.pages();
    let lock_byte = header.layout.lock_byte_page();
    if lock_byte <= pages {
        pass.accounts.take(lock_byte).map_err(|damage| (lock_byte, damage))?;
    }
    if let Some(map) = &pass.pointer_map {
        for own in map.own_pages() {
            pass.accounts.take(own).map_err(|damage| (own, damage))?;
        }
        if pass.schema.largest_root != header.largest_root {
            return Err((1, Damage::LargestRoot));
        }
    }
    freelist::walk(pass.source, header, &mut |page| worker.take(page, Use::Free, 0))
}

/// The trees of a schema, and what the rows of each table are looked at for.
fn plans<V: Visitor>(schema: &Schema, references: &References, visitor: &V) -> (Vec<Tree>, Vec<Plan>) {
    let mut trees = Vec::new();
    let mut plans = Vec::new();
    let mut places = 0..;
    let gathered = |place: &usize| references.all.get(*place).is_some_and(Reference::is_gathered);
    for (at, table) in schema.tables.iter().enumerate() {
        let of = match (table.rows_beyond, &table.keyed) {
            (None, None) => Of::Table(at),
            (None, Some(_)) => Of::Keyed(at),
            (Some(_), _) => Of::Opaque,
        };
        if table.root != 0 {
            trees.push(Tree { root: table.root, of });
        }
        let mut plan = Plan {
            indexes: Vec::new(),
            computed: Vec::new(),
            allowed: table.columns.iter().map(|column| column.allowed).collect(),
            references: places.by_ref().take(table.foreign_keys.len()).filter(gathered).collect(),
            visited: table.rows_beyond.is_none() && visitor.wants(at, table),
            effort: table.columns.len(),
        };
        for (place, index) in table.indexes.iter().enumerate() {
            let of = match (index.beyond, &index.computed) {
                (None, _) => {
                    plan.indexes.push((trees.len(), index.columns.clone()));
                    plan.effort += index.columns.len() + 1;
                    Of::Index(at, place)
                }
                (Some(_), Some(computed)) => {
                    plan.computed.push((trees.len(), computed.clone()));
                    plan.effort += computed.effort() + 1;
                    Of::Index(at, place)
                }
                (Some(_), None) => Of::Opaque,
            };
            trees.push(Tree { root: index.root, of });
        }
        plan.effort += 2 * plan.references.len();
        plan.effort += table.evaluable_checks.iter().map(Expression::effort).sum::<usize>();
        plans.push(plan);
    }
    (trees, plans)
}

fn threads(pages: u32, trees: usize, layout: Layout, ask: &Ask<'_>) -> usize {
    let cores = || {
        let is_small = u64::from(pages) * (layout.page_size as u64) < WORTH_A_THREAD;
        // Each tree is a task at least, for which threads wait for one another.
        if is_small || (pages as usize) < trees.saturating_mul(PAGES_OF_A_TREE) {
            1
        } else {
            thread::available_parallelism().map_or(1, NonZero::get)
        }
    };
    ask.threads.map_or_else(cores, NonZero::get).min(MOST_THREADS)
}

/// Walks all trees. A thread that is not to be had is no loss: the others do its work.
fn run<'p, V: Visitor>(pass: &'p Pass<'p, V>, mut first: Worker<'p, V>, threads: usize) -> Tally<V::State> {
    let walk = Mutex::new(Walk::default());
    let work = |worker: &mut Worker<'p, V>| {
        let mut task = Task::default();
        loop {
            let more = walk.lock().unwrap_or_else(PoisonError::into_inner).next(worker, &mut task);
            if !more {
                // The walk gave no more work, and has noted the reason if there is one.
                let _ = worker.count();
                return;
            }
            if let Err((page, damage)) = worker.work(&task) {
                pass.fail(task.tree, page, damage);
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map_while(|_| {
                let work = &work;
                let other = move || {
                    let mut worker = Worker::new(pass);
                    work(&mut worker);
                    worker.tally
                };
                thread::Builder::new().spawn_scoped(scope, other).ok()
            })
            .collect();
        work(&mut first);
        let mut tally = first.tally;
        for other in others {
            let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let state = tally.take(other);
            pass.visitor.merge(&mut tally.state, state);
        }
        tally
    })
}

impl<V> Pass<'_, V> {
    /// The answer for a tree, as far as it stands alone.
    fn answer(&self, tree: usize) -> Answer {
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).get(tree).copied().flatten();
        let root = self.trees.get(tree).map_or(0, |tree| tree.root);
        fault.map_or(Answer::Sound, |(page, damage)| Fault { root, page, damage }.into())
    }
}
