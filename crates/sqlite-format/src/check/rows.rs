//! The leaves of a table: rows in order, each judged, hashed for every index, and handed out.

use super::Pass;
use super::sets::Recent;
use super::walk::Bound;
use super::worker::{Buffers, MOST_HELD, Tally, Worker};
use crate::compare::{Entry, check_order_by_name};
use crate::damage::{Damage, Result};
use crate::encoding::Encoding;
use crate::hash::Hash;
use crate::page::Page;
use crate::record::{Classes, Field};
use crate::row::{Row, Value, Visitor};
use crate::schema::{Computed, DefaultValue, Unsupported, may_be_number};

/// The plan for the rows of a table.
pub(super) struct Plan {
    /// Its indexes that are understood: the tree of each and its columns.
    pub indexes: Vec<(usize, Vec<usize>)>,
    /// Its indexes over expressions or some of the rows, as far as they are evaluated: the tree of each and its entries.
    pub computed: Vec<(usize, Computed)>,
    /// The storage classes that each column allows.
    pub allowed: Vec<Classes>,
    /// Its foreign keys, by their places among all.
    pub references: Vec<usize>,
    /// `true` when the visitor wants its rows.
    pub visited: bool,
    /// The number of values that are looked at in each row.
    pub effort: usize,
}

impl<V: Visitor> Worker<'_, V> {
    /// A leaf of a table.
    ///
    /// # Errors
    /// The damage of the page.
    pub(super) fn rows(
        &mut self,
        (tree, table): (usize, usize),
        page: &Page<'_>,
        number: u32,
        low: &Bound,
        high: &Bound,
    ) -> Result<()> {
        let pass = self.pass;
        let of = pass.schema.tables.get(table).ok_or(Damage::Schema)?;
        let plan = pass.plans.get(table).ok_or(Damage::Schema)?;
        let present = pass.references.present.get(table).and_then(Option::as_ref);
        self.cover.begin(page)?;
        let mut before = low.rowid();
        for at in 0..page.cells() {
            let cell = page.row(at)?;
            self.cover.take(cell.at, cell.size)?;
            if before.is_some_and(|before| before >= cell.rowid) {
                return Err(Damage::RowidOrder);
            }
            before = Some(cell.rowid);
            self.spend(plan.effort)?;
            let rest = match cell.payload.overflow {
                Some(_) => self.gather(&cell.payload, number, 0)?,
                None => None,
            };
            let Buffers {
                fields: [of_row, _],
                held: [held, spare],
            } = &mut self.buffers;
            let payload = if cell.payload.overflow.is_some() {
                held
            } else {
                cell.payload.local
            };
            of_row.read(payload, cell.payload.len)?;
            let row = Row {
                table,
                rowid: cell.rowid,
                of,
                payload,
                fields: of_row.all(),
                rest,
                stop: pass.stop,
            };
            take_row(pass, plan, tree, &row, &mut self.tally, &mut self.recent, spare)?;
            if let Some(present) = present {
                present.set(cell.rowid);
            }
        }
        if before.zip(high.rowid()).is_some_and(|(last, high)| last > high) {
            return Err(Damage::RowidOrder);
        }
        if let Some(rows) = self.tally.rows.get_mut(tree) {
            *rows += page.cells() as u64;
        }
        self.cover.end(page)
    }
}

impl<V: Visitor> Worker<'_, V> {
    /// A page of a table WITHOUT ROWID, leaf or interior: each entry is a row, in the order of the primary key. Entries are
    /// compared as those of an index are (see `entries`).
    ///
    /// # Errors
    /// The damage of the page.
    pub(super) fn keyed_rows(
        &mut self,
        (tree, table): (usize, usize),
        page: &Page<'_>,
        number: u32,
        low: &Bound,
        high: &Bound,
    ) -> Result<()> {
        let pass = self.pass;
        let of = pass.schema.tables.get(table).ok_or(Damage::Schema)?;
        let form = of.keyed.as_ref().ok_or(Damage::Schema)?;
        let plan = pass.plans.get(table).ok_or(Damage::Schema)?;
        let comes_behind = |first: Entry<'_>, second: Entry<'_>| {
            check_order_by_name(first, second, &form.orders, form.orders.len()).map(|_| ())
        };
        self.cover.begin(page)?;
        let mut before = None;
        for at in 0..page.cells() {
            let cell = page.entry(at)?;
            self.cover.take(cell.at, cell.size)?;
            self.spend(plan.effort)?;
            let here = self.whole_entry(&cell.payload, number, at)?;
            let (entry, first) = self.buffers.read(at, here, cell.payload.len, before)?;
            let fields = entry.fields;
            let payload = entry.payload;
            if let Some(first) = first.or_else(|| low.entry()) {
                comes_behind(first, entry)?;
            }
            if let (Some(high), true) = (high.entry(), at + 1 == page.cells()) {
                comes_behind(entry, high)?;
            }
            before = Some(here);
            put_in_order(fields, &form.columns, &mut self.in_order)?;
            let row = Row {
                table,
                rowid: 0,
                of,
                payload,
                fields: &self.in_order,
                rest: None,
                stop: pass.stop,
            };
            // All of the row is held.
            take_row(pass, plan, tree, &row, &mut self.tally, &mut self.recent, &mut Vec::new())?;
        }
        if let Some(rows) = self.tally.rows.get_mut(tree) {
            *rows += page.cells() as u64;
        }
        self.cover.end(page)
    }
}

/// Judges a row of this tree, and adds it to all that the rows of its table are looked at for. `spare` has room for a long value.
#[inline]
fn take_row<V: Visitor>(
    pass: &Pass<'_, V>,
    plan: &Plan,
    tree: usize,
    row: &Row<'_>,
    tally: &mut Tally<V::State>,
    recent: &mut [Recent],
    spare: &mut Vec<u8>,
) -> Result<()> {
    judge(row, &plan.allowed, pass.schema.encoding)?;
    let has_rowid = row.of.keyed.is_none();
    for (index_tree, columns) in &plan.indexes {
        let mut hash = Hash::new(&pass.keys);
        for column in columns {
            take(&mut hash, row, *column, spare)?;
        }
        if has_rowid {
            hash.integer(row.rowid);
        }
        if let Some(sum) = tally.wanted.get_mut(*index_tree) {
            sum.add(hash.finish());
        }
    }
    for (index_tree, computed) in &plan.computed {
        match computed.entry(row, &pass.keys) {
            Ok(None) => {}
            Ok(Some(hash)) => {
                if let Some(sum) = tally.wanted.get_mut(*index_tree) {
                    sum.add(hash);
                }
            }
            Err(damage) => tally.doubt(*index_tree, damage),
        }
    }
    for check in &row.of.evaluable_checks {
        match check.is_true(row) {
            Ok(Some(false)) => tally.doubt(tree, Damage::Forbidden),
            Ok(_) => {}
            Err(damage) => tally.doubt(tree, damage),
        }
    }
    for reference in &plan.references {
        if let (Some(reference), Some(recent)) = (pass.references.all.get(*reference), recent.get_mut(*reference)) {
            reference.gather(row, &pass.keys, recent);
        }
    }
    if plan.visited {
        pass.visitor.row(&mut tally.state, row);
    }
    Ok(())
}

/// Puts the fields of a row WITHOUT ROWID into the order of its table's columns. Columns that were added after the row was
/// written are the last of the table and the last that are stored.
fn put_in_order(stored: &[Field], columns: &[usize], in_order: &mut Vec<Field>) -> Result<()> {
    in_order.clear();
    in_order.resize(stored.len(), Field::default());
    if stored.len() > columns.len() {
        return Err(Damage::FieldCount);
    }
    for (field, column) in stored.iter().zip(columns) {
        *in_order.get_mut(*column).ok_or(Damage::FieldCount)? = *field;
    }
    Ok(())
}

/// Checks that a row is one of its table: as many fields as columns, or fewer, and each of a class that its column allows.
#[inline]
fn judge(row: &Row<'_>, allowed: &[Classes], encoding: Encoding) -> Result<()> {
    if row.fields.len() > allowed.len() || row.fields.is_empty() {
        return Err(Damage::FieldCount);
    }
    for (at, (field, allowed)) in row.fields.iter().zip(allowed).enumerate() {
        let class = field.class;
        if class == Classes::REAL || !allowed.holds(class) {
            look_closer(row, at, *allowed, encoding)?;
        }
    }
    if let Some(field) = row.of.rowid_alias.and_then(|alias| row.fields.get(alias))
        && field.class != Classes::NULL
    {
        return Err(Damage::RowidAlias);
    }
    if row.fields.len() < allowed.len() {
        defaults(row)
    } else {
        Ok(())
    }
}

/// Checks that a number is one, and that text in a column of numbers is none.
#[inline(never)]
fn look_closer(row: &Row<'_>, at: usize, allowed: Classes, encoding: Encoding) -> Result<()> {
    let (Some(field), Some(column)) = (row.fields.get(at), row.of.columns.get(at)) else {
        return Err(Damage::FieldCount);
    };
    let class = field.class;
    if class == Classes::REAL && !matches!(row.value(at), Ok(Value::Real(_))) {
        return Err(Damage::NotANumber);
    }
    if allowed.holds(class) || row.of.rowid_alias == Some(at) {
        return Ok(());
    }
    if class != Classes::TEXT || !column.numbers_as_text {
        return Err(Damage::Forbidden);
    }
    match row.payload.get(field.range()) {
        Some(text) if encoding == Encoding::Utf8 && !may_be_number(text) => Ok(()),
        _ => Err(Damage::Unsupported(Unsupported::NumberAsText)),
    }
}

/// The columns that were added after a row was written have their default values.
#[inline(never)]
fn defaults(row: &Row<'_>) -> Result<()> {
    for (at, column) in row.of.columns.iter().enumerate().skip(row.fields.len()) {
        let class = match column.default {
            DefaultValue::Null => Classes::NULL,
            DefaultValue::Integer(_) => Classes::INTEGER,
            DefaultValue::Real(_) => Classes::REAL,
            DefaultValue::Text(_) => Classes::TEXT,
            DefaultValue::NotUnderstood => return Err(Damage::Unsupported(Unsupported::Default)),
        };
        // Text that is a default in a column of numbers was found to be none.
        let allowed = column.allowed.holds(class) || class == Classes::TEXT && column.numbers_as_text;
        if !allowed && row.of.rowid_alias != Some(at) {
            return Err(Damage::Forbidden);
        }
    }
    Ok(())
}

/// Takes a column for the hash of an index entry, as the index stores it.
#[inline]
fn take(hash: &mut Hash<'_>, row: &Row<'_>, column: usize, held: &mut Vec<u8>) -> Result<()> {
    if row.of.rowid_alias == Some(column) {
        hash.integer(row.rowid);
        return Ok(());
    }
    match row.fields.get(column) {
        Some(field) if field.to as usize <= row.payload.len() => hash.field(*field, row.payload),
        _ => take_distant(hash, row, column, held)?,
    }
    Ok(())
}

/// Hashes or judges a value that does not lie within what is held of a long row, or is a default.
#[inline(never)]
fn take_distant(hash: &mut Hash<'_>, row: &Row<'_>, column: usize, held: &mut Vec<u8>) -> Result<()> {
    match row.stored(column)? {
        Value::Null => hash.null(),
        Value::Integer(value) => hash.integer(value),
        Value::Real(value) => hash.real(value),
        Value::Text(text) => hash.text(text),
        Value::Blob(blob) => hash.blob(blob),
        Value::Long(long) => {
            use std::io::Read;
            // Its entry would be longer than is held, too.
            if long.len() > MOST_HELD {
                return Err(Damage::Unsupported(Unsupported::LongEntry));
            }
            held.clear();
            long.open().read_to_end(held).map_err(|_| Damage::Unreadable)?;
            if long.is_text() {
                hash.text(held);
            } else {
                hash.blob(held);
            }
        }
    }
    Ok(())
}
