//! The pages of an index: entries in order, each hashed.

use super::walk::Bound;
use super::worker::Worker;
use crate::compare::{Entry, Follows, check_order, check_order_by_name};
use crate::damage::{Damage, Result};
use crate::hash::{Hash, Keys, Sum};
use crate::page::Page;
use crate::record::Classes;
use crate::row::Visitor;
use crate::schema::Index;

impl<V: Visitor> Worker<'_, V> {
    /// Checks a page of an index, leaf or interior: each entry is an index entry, and each comes after the one before it.
    ///
    /// No entry is compared with more than its neighbour. The first is held against the bound below, the last against the bound
    /// above, and between them the order is transitive; the bounds are the keys of the parents, which were held against theirs.
    ///
    /// # Errors
    /// The damage of the page.
    pub(super) fn entries(
        &mut self,
        (tree, table, index): (usize, usize, usize),
        page: &Page<'_>,
        number: u32,
        low: &Bound,
        high: &Bound,
    ) -> Result<()> {
        let pass = self.pass;
        let of = pass
            .schema
            .tables
            .get(table)
            .and_then(|table| table.indexes.get(index))
            .ok_or(Damage::Schema)?;
        self.cover.begin(page)?;
        let mut sum = Sum::default();
        let mut before = None;
        for at in 0..page.cells() {
            let cell = page.entry(at)?;
            self.cover.take(cell.at, cell.size)?;
            let here = self.whole_entry(&cell.payload, number, at)?;
            let (entry, first) = self.buffers.read(at, here, cell.payload.len, before)?;
            sum.add(judge(entry, of, &pass.keys)?);
            if let Some(first) = first.or_else(|| low.entry()) {
                check_behind(first, entry, of)?;
            }
            if at + 1 == page.cells() {
                check_before(entry, high, of)?;
            }
            before = Some(here);
        }
        if let Some(of_tree) = self.tally.entries.get_mut(tree) {
            of_tree.take(sum);
        }
        self.cover.end(page)
    }
}

/// Checks that an entry is one of this index, its columns and then the rowid, and returns its hash.
#[inline]
fn judge(entry: Entry<'_>, of: &Index, keys: &Keys) -> Result<u64> {
    let (rowid, key) = if of.naming.is_some() {
        (None, entry.fields)
    } else {
        let (rowid, key) = entry.fields.split_last().ok_or(Damage::FieldCount)?;
        (Some(rowid), key)
    };
    if key.len() != of.orders.len() {
        return Err(Damage::FieldCount);
    }
    if rowid.is_some_and(|rowid| rowid.class != Classes::INTEGER) {
        return Err(Damage::Record);
    }
    let mut hash = Hash::new(keys);
    for field in key {
        if field.class == Classes::REAL && field.real(entry.payload).is_none() {
            return Err(Damage::NotANumber);
        }
        hash.field(*field, entry.payload);
    }
    if let Some(rowid) = rowid {
        hash.integer(rowid.integer(entry.payload).ok_or(Damage::Record)?);
    }
    Ok(hash.finish())
}

/// Checks that the last entry of a page comes before its bound.
#[inline(never)]
fn check_before(entry: Entry<'_>, high: &Bound, of: &Index) -> Result<()> {
    high.entry().map_or(Ok(()), |high| check_behind(entry, high, of))
}

/// Checks that an entry comes after another, with another key if keys are unique. Entries are in order, so that two with one key
/// are neighbours, also across two pages: their bound is compared too.
#[inline]
fn check_behind(first: Entry<'_>, second: Entry<'_>, of: &Index) -> Result<()> {
    let key = of.orders.len() - of.naming.unwrap_or(0);
    let follows = if of.naming.is_some() {
        check_order_by_name(first, second, &of.orders, key)?
    } else {
        check_order(first, second, &of.orders)?
    };
    if follows == Follows::Rowid && of.unique {
        let key = second.fields.get(..key).unwrap_or_default();
        // Two keys with NULL in them are never the same.
        if !key.iter().any(|field| field.class == Classes::NULL) {
            return Err(Damage::NotUnique);
        }
    }
    Ok(())
}
