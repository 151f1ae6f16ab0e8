//! Carves rows whose cell pointer or whose page's header is gone.
//!
//! A record begins with its header: the header's length, then a serial type for each field ("Record Format",
//! <https://www.sqlite.org/fileformat2.html#record_format>). At each byte that no cell has, a header is tried: its length must be
//! one that a known table can have, its serial types must fill it exactly and be as many as a known layout has columns, and the
//! values that they describe must end before the gap does. The payload's length stands before the rowid, and the rowid before
//! the record: when the length agrees with the header, the rowid is the row's. By chance such bytes are rare, and a carved row is
//! only given when an index names it.

use super::{EachRow, FoundRow, Local, Origin, RowFinder};
use crate::salvage::Result;
use crate::salvage::row_layout::has_invalid_value;
use crate::salvage::schema::TableSchema;
use sqlite_format::bytes::read_varint;
use sqlite_format::page::Kind;

impl RowFinder<'_> {
    /// Hands out the rows in the bytes that no cell has.
    pub(super) fn carve(
        &mut self,
        number: u32,
        page: &[u8],
        (from, to): (usize, usize),
        (origin, own): (Origin, Option<usize>),
        each: &mut EachRow<'_>,
    ) -> Result<()> {
        self.taken.sort_unstable();
        let mut at = from;
        for next in 0..=self.taken.len() {
            let (begin, end) = self.taken.get(next).copied().unwrap_or((to, to));
            if at < begin {
                self.carve_gap(number, page, (at, begin), (origin, own), each)?;
            }
            at = at.max(end);
        }
        Ok(())
    }

    /// Hands out the rows of one gap between cells.
    fn carve_gap(
        &mut self,
        number: u32,
        page: &[u8],
        (from, to): (usize, usize),
        (origin, own): (Origin, Option<usize>),
        each: &mut EachRow<'_>,
    ) -> Result<()> {
        let Some((least, most)) = self.header_lengths(own) else {
            return Ok(());
        };
        let mut at = from;
        while at + least < to {
            let header = page.get(at).copied().map_or(0, usize::from);
            let local = (least..=most)
                .contains(&header)
                .then(|| self.read_header(page, (from, to), at, header, own))
                .flatten();
            let Some(local) = local else {
                at += 1;
                continue;
            };
            let end = at + local.here + if local.overflow.is_some() { 4 } else { 0 };
            let (rowid, begin) = read_cell_head(page, from, at, local.len);
            let is_free = self.is_free(begin, end);
            let is_freed = origin == Origin::FreeSpace || (self.is_sound && is_free);
            let origin = if is_free { Origin::FreeSpace } else { origin };
            let schema = self.schema;
            let mut odd = true;
            self.record(number, page, local, (own, true), &mut |place, fit, payload, fields| {
                odd = fit.is_none_or(|fit| has_invalid_value(schema, fit, fields, payload));
                each(&FoundRow {
                    origin,
                    is_unvouched: true,
                    is_freed,
                    rowid,
                    place,
                    fit,
                    payload,
                    fields,
                })
            })?;
            // A row with invalid values may be the header of an older row over the bytes of another one, which then begins inside it.
            at = if odd { at + 1 } else { end };
        }
        Ok(())
    }

    /// Returns the least and the greatest length of the header of a row of the page's own table, or of any table.
    fn header_lengths(&self, own: Option<usize>) -> Option<(usize, usize)> {
        let tables = match own {
            Some(own) => self.schema.tables.get(own..=own)?,
            None => &self.schema.tables,
        };
        let least = |table: &TableSchema| {
            let shortest = table.layouts.iter().map(Vec::len).min()?;
            Some(if table.has_short_rows {
                shortest.min(1)
            } else {
                shortest
            })
        };
        let longest = tables.iter().flat_map(|table| &table.layouts).map(Vec::len).max()?;
        Some((tables.iter().filter_map(least).min()? + 1, (longest * 4 + 1).min(127)))
    }

    /// Returns the record whose header may begin there: its number of fields is a known one, and it ends before the gap does.
    fn read_header(
        &self,
        page: &[u8],
        (_, to): (usize, usize),
        at: usize,
        header: usize,
        own: Option<usize>,
    ) -> Option<Local> {
        let mut serials = page.get(at + 1..(at + header).min(to))?;
        let mut count = 0;
        let mut len = header as u64;
        while !serials.is_empty() {
            let (serial, used) = read_varint(serials)?;
            serials = serials.get(used..)?;
            count += 1;
            len = len.checked_add(size(serial)?)?;
        }
        let takes = |table: &TableSchema| table.layouts.iter().any(|layout| table.takes_fields(layout, count));
        let is_known = match own {
            Some(own) => self.schema.tables.get(own).is_some_and(takes),
            None => self.schema.tables.iter().any(takes),
        };
        let len = usize::try_from(len).ok().filter(|len| i32::try_from(*len).is_ok() && is_known)?;
        let here = self.view.layout().local(Kind::TableLeaf, len);
        let end = at + here;
        let overflow = if here < len {
            let four = page.get(end..end + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(four))
        } else {
            None
        };
        let needed = if overflow.is_some() { end + 4 } else { end };
        (needed <= to).then_some(Local {
            at,
            len,
            here,
            overflow,
        })
    }
}

/// Returns the size of a value by its serial type.
fn size(serial: u64) -> Option<u64> {
    Some(match serial {
        0 | 8 | 9 => 0,
        1..=4 => serial,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        longer => (longer - 12) / 2,
    })
}

/// Returns the rowid that stands before a record, if the payload's length stands before that and agrees; and the start of the cell.
fn read_cell_head(page: &[u8], from: usize, at: usize, len: usize) -> (Option<i64>, usize) {
    let ends = |begin: usize, end: usize| {
        let (value, used) = read_varint(page.get(begin..end)?)?;
        (begin + used == end).then_some(value)
    };
    for back in 1..=9 {
        let Some(rowid_at) = at.checked_sub(back).filter(|rowid_at| *rowid_at >= from) else {
            break;
        };
        let Some(rowid) = ends(rowid_at, at) else { continue };
        for more in 1..=9 {
            let Some(begin) = rowid_at.checked_sub(more).filter(|begin| *begin >= from) else {
                break;
            };
            if ends(begin, rowid_at) == Some(len as u64) {
                return (Some(rowid.cast_signed()), begin);
            }
        }
    }
    (None, at)
}
