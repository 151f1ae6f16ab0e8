//! Rows whose cell pointer or whose page's header is gone, found by their own record header: its sizes must add up.

use super::{Each, FoundRow, Local, Origin, RowFinder};
use crate::salvage::Result;
use crate::salvage::row_layout::has_invalid_value;
use sqlite_format::bytes::read_varint;
use sqlite_format::page::Kind;

impl RowFinder<'_> {
    /// Hands out the rows that lie whole in bytes which no cell has.
    pub(super) fn carve(
        &mut self,
        number: u32,
        page: &[u8],
        (from, to): (usize, usize),
        origin: Origin,
        each: &mut Each<'_>,
    ) -> Result<()> {
        self.taken.sort_unstable();
        let mut at = from;
        for next in 0..=self.taken.len() {
            let (begin, end) = self.taken.get(next).copied().unwrap_or((to, to));
            if at < begin {
                self.gap(number, page, (at, begin), origin, each)?;
            }
            at = at.max(end);
        }
        Ok(())
    }

    fn gap(
        &mut self,
        number: u32,
        page: &[u8],
        (from, to): (usize, usize),
        origin: Origin,
        each: &mut Each<'_>,
    ) -> Result<()> {
        let lengths = || self.schema.tables.iter().flat_map(|table| &table.layouts).map(Vec::len);
        let least = lengths().min().unwrap_or(0) + 1;
        let most = (lengths().max().unwrap_or(0) * 4 + 1).min(127);
        let mut at = from;
        while at + least < to {
            let header = page.get(at).copied().map_or(0, usize::from);
            let local = (least..=most)
                .contains(&header)
                .then(|| self.described(page, (from, to), at, header))
                .flatten();
            let Some(local) = local else {
                at += 1;
                continue;
            };
            let end = at + local.here + if local.overflow.is_some() { 4 } else { 0 };
            let (rowid, begin) = before(page, from, at, local.len);
            let origin = if self.is_free(begin, end) {
                Origin::FreeSpace
            } else {
                origin
            };
            let schema = self.schema;
            let mut odd = true;
            self.record(number, page, local, None, &mut |place, fit, payload, fields| {
                odd = fit.is_none_or(|fit| has_invalid_value(schema, fit, fields, payload));
                each(&FoundRow {
                    origin,
                    is_unvouched: true,
                    rowid,
                    place,
                    fit,
                    payload,
                    fields,
                })
            })?;
            // What is left of an older row may be a header over the bytes of another.
            at = if odd { at + 1 } else { end };
        }
        Ok(())
    }

    /// The record whose header may begin there: its number of fields is a known one, and all of it has room before the gap ends.
    fn described(&self, page: &[u8], (_, to): (usize, usize), at: usize, header: usize) -> Option<Local> {
        let mut serials = page.get(at + 1..(at + header).min(to))?;
        let mut count = 0;
        let mut len = header as u64;
        while !serials.is_empty() {
            let (serial, used) = read_varint(serials)?;
            serials = serials.get(used..)?;
            count += 1;
            len = len.checked_add(size(serial)?)?;
        }
        let is_known = self
            .schema
            .tables
            .iter()
            .any(|table| table.layouts.iter().any(|layout| layout.len() == count));
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

/// The size of a value by its serial type.
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

/// The rowid that stands before a record, where its length stands before that and agrees; and where the cell begins.
fn before(page: &[u8], from: usize, at: usize, len: usize) -> (Option<i64>, usize) {
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
