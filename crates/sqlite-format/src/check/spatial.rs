//! Spatial indexes: the tree of nodes that lies in ordinary tables, each of which was found sound before.
//!
//! It checks what SQLite's own check of such a tree does (`rtree.c`, `rtreeCheckTable`): each cell lies within that of its parent,
//! and the tables of rowids and of parents say where each cell is.

use std::collections::HashMap;

use super::Pass;
use super::worker::MOST_HELD;
use crate::answer::TableChecked;
use crate::damage::{Damage, Result};
use crate::hash::{Hash, Sum};
use crate::overflow::whole;
use crate::record::{Classes, Field, Fields};
use crate::row::Visitor;
use crate::scan::scan;
use crate::schema::{SpatialIndex, Table, Unsupported};

/// The most bytes that the nodes of one index may take.
const MOST_NODE_BYTES: usize = 16 << 20;

/// The deepest tree that the module reads.
const MOST_DEPTH: usize = 40;

/// The smallest node that the module takes.
const SMALLEST_ROOT: usize = 512 - 64;

/// The root node.
const ROOT: i64 = 1;

/// Checks a spatial index, the tables behind which have these answers.
///
/// # Errors
/// Fails unless it is sound.
pub(super) fn check<V: Visitor>(
    pass: &Pass<'_, V>,
    table: &Table,
    index: SpatialIndex,
    checked: &[TableChecked],
) -> Result<()> {
    let shadow = |suffix: &str, columns: [&str; 2]| {
        let (at, shadow) = pass.schema.table(&format!("{}{suffix}", table.name)).ok_or(NOT_UNDERSTOOD)?;
        let is_sound = checked.get(at).is_some_and(|checked| checked.whole().is_sound());
        let names = shadow.columns.iter().map(|column| column.name.as_str());
        let is_as_made = names.eq(columns) && shadow.rowid_alias == Some(0) && shadow.root != 0;
        if is_sound && is_as_made {
            Ok(shadow.root)
        } else {
            Err(NOT_UNDERSTOOD)
        }
    };
    let nodes = shadow("_node", ["nodeno", "data"])?;
    let rowids = shadow("_rowid", ["rowid", "nodeno"])?;
    let parents = shadow("_parent", ["nodeno", "parentnode"])?;
    let mut tree = Tree {
        index,
        nodes: HashMap::new(),
        cells: Sum::default(),
        children: Sum::default(),
        pair: &|a, b| pair(pass, a, b),
    };
    let mut bytes = 0;
    each_row(pass, nodes, |number, payload, data| {
        if data.class != Classes::BLOB {
            return Err(Damage::Forbidden);
        }
        bytes += data.range().len();
        if bytes > MOST_NODE_BYTES {
            return Err(NOT_UNDERSTOOD);
        }
        tree.nodes.insert(number, payload.get(data.range()).unwrap_or_default().to_vec());
        Ok(())
    })?;
    let root = tree.take(ROOT)?;
    if root.len() < SMALLEST_ROOT {
        return Err(Damage::CellCount);
    }
    let depth = usize::from(number_at(&root, 0)?);
    if depth > MOST_DEPTH {
        return Err(Damage::TooDeep);
    }
    tree.node(ROOT, &root, depth, None)?;
    let (cells, children) = (tree.cells, tree.children);
    if sums(pass, rowids)? == cells && sums(pass, parents)? == children {
        Ok(())
    } else {
        Err(Damage::Disagree)
    }
}

const NOT_UNDERSTOOD: Damage = Damage::Unsupported(Unsupported::VirtualTable);

/// Calls `each` with the rowid, the payload and the second field of each row of a table.
fn each_row<V: Visitor>(
    pass: &Pass<'_, V>,
    root: u32,
    mut each: impl FnMut(i64, &[u8], Field) -> Result<()>,
) -> Result<()> {
    let (mut page, mut held, mut fields) = (Vec::new(), Vec::new(), Fields::default());
    let ended = scan(pass.source, root, pass.stop, &mut |cell| {
        whole(pass.source, &cell.payload, MOST_HELD, &mut page, &mut held)?;
        fields.read(&held, held.len())?;
        let second = fields.all().get(1).ok_or(Damage::FieldCount)?;
        each(cell.rowid, &held, *second)
    });
    if ended == Err(Damage::Stopped) {
        // Notes that it was time.
        pass.is_time_to_stop();
    }
    ended
}

/// Returns the sum over the rows of a table of two integers.
fn sums<V: Visitor>(pass: &Pass<'_, V>, root: u32) -> Result<Sum> {
    let mut sum = Sum::default();
    each_row(pass, root, |rowid, payload, second| {
        let second = second.integer(payload).filter(|_| second.class == Classes::INTEGER);
        sum.add(pair(pass, rowid, second.ok_or(Damage::Forbidden)?));
        Ok(())
    })?;
    Ok(sum)
}

fn pair<V>(pass: &Pass<'_, V>, a: i64, b: i64) -> u64 {
    let mut hash = Hash::new(&pass.keys);
    hash.pair(a.cast_unsigned(), b.cast_unsigned());
    hash.finish()
}

/// Returns a number of two bytes.
fn number_at(node: &[u8], at: usize) -> Result<u16> {
    let bytes = node.get(at..).and_then(<[u8]>::first_chunk).ok_or(Damage::CellCount)?;
    Ok(u16::from_be_bytes(*bytes))
}

struct Tree<'p> {
    index: SpatialIndex,
    /// The nodes that were not reached yet.
    nodes: HashMap<i64, Vec<u8>>,
    /// The sum of all cells of leaves with their nodes, and of all other cells with theirs.
    cells: Sum,
    children: Sum,
    pair: &'p dyn Fn(i64, i64) -> u64,
}

impl Tree<'_> {
    /// Takes a node out of those that were not reached: a second way to it is a fault.
    fn take(&mut self, number: i64) -> Result<Vec<u8>> {
        self.nodes.remove(&number).ok_or(Damage::PageNumber)
    }

    /// Checks a node and all below it. `within` has the coordinates of its cell in its parent.
    fn node(&mut self, number: i64, node: &[u8], depth: usize, within: Option<&[u8]>) -> Result<()> {
        let count = usize::from(number_at(node, 2)?);
        let coordinates = self.index.dimensions * 2 * 4;
        let cells = node.get(4..).unwrap_or_default().chunks_exact(8 + coordinates);
        if cells.len() < count {
            return Err(Damage::CellCount);
        }
        for cell in cells.take(count) {
            let (id, own) = cell.split_first_chunk().ok_or(Damage::CellCount)?;
            let id = i64::from_be_bytes(*id);
            self.check_coordinates(own, within)?;
            let hash = (self.pair)(id, number);
            if let Some(below) = depth.checked_sub(1) {
                self.children.add(hash);
                let child = self.take(id)?;
                self.node(id, &child, below, Some(own))?;
            } else {
                self.cells.add(hash);
            }
        }
        Ok(())
    }

    fn check_coordinates(&self, own: &[u8], within: Option<&[u8]>) -> Result<()> {
        let ranges = own.as_chunks::<8>().0.iter().map(|range| self.range(*range));
        let outer = within.map(|within| within.as_chunks::<8>().0);
        for (at, (low, high)) in ranges.enumerate() {
            let is_within = match outer.map(|outer| outer.get(at)) {
                None => true,
                Some(Some(outer)) => {
                    let (least, most) = self.range(*outer);
                    low >= least && high <= most
                }
                Some(None) => false,
            };
            // False for what is not a number, too.
            if !(low <= high && is_within) {
                return Err(Damage::EntryOrder);
            }
        }
        Ok(())
    }

    /// Returns the lower and the upper coordinate of a dimension. Every number of 32 bits is one of 64.
    fn range(&self, bytes: [u8; 8]) -> (f64, f64) {
        let [low, high] = bytes.as_chunks::<4>().0 else {
            return (f64::NAN, f64::NAN);
        };
        let coordinate = |bytes: [u8; 4]| {
            if self.index.has_integers {
                f64::from(i32::from_be_bytes(bytes))
            } else {
                f64::from(f32::from_be_bytes(bytes))
            }
        };
        (coordinate(*low), coordinate(*high))
    }
}
