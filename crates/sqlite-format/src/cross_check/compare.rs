//! The keys of rows and of index entries, and one index held against its table.

use std::collections::{HashMap, HashSet};

use super::super::compare::{Entry, check_order};
use super::super::damage::Damage;
use super::super::encoding::Encoding;
use super::super::hash::{Hash, Keys};
use super::super::overflow::{Chain, whole};
use super::super::page::Cell;
use super::super::record::{Classes, Field, Fields};
use super::super::scan::scan;
use super::super::schema::DefaultValue;
use super::super::source::Source;
use super::objects::{IndexObject, Object};
use super::{CrossCheckContext, Named, RowName, TableFacts};
use crate::interrupt::Interrupted;

/// The most bytes of a row or entry that are put together.
const MOST_HELD: usize = 128 << 10;

/// The number of rows that are held at a time: 16 bytes each.
const ROWS_AT_A_TIME: u64 = 1 << 20;

/// The most rows without an entry whose keys are looked for in other rows.
const MOST_DUPLICATES: usize = 10_000;

/// A key that is not known: a row or an entry that is too long, or a value that an expression gives.
const UNKNOWN: u64 = 0;

/// The length of a UUID.
const UUID_LEN: usize = 36;

/// Reads rows and entries, and makes numbers of what identifies them: the rowid itself, or a keyed hash of the primary key; and a
/// keyed hash of the columns of an index.
pub(super) struct KeyReader<'p> {
    source: &'p Source<'p>,
    keys: &'p Keys,
    encoding: Encoding,
    fields: Fields,
    payload: Vec<u8>,
    page: Vec<u8>,
    rowid: i64,
    id: u64,
    has_rowid: bool,
}

impl<'p> KeyReader<'p> {
    pub(super) fn new(source: &'p Source<'p>, keys: &'p Keys, encoding: Encoding) -> Self {
        Self {
            source,
            keys,
            encoding,
            fields: Fields::default(),
            payload: Vec::new(),
            page: Vec::new(),
            rowid: 0,
            id: 0,
            has_rowid: true,
        }
    }

    /// Puts a record together, as far as it is held. Returns `false` when it is none.
    fn read(&mut self, cell: &Cell<'_>) -> bool {
        let payload = &cell.payload;
        let is_held = payload.overflow.is_some()
            && payload.len <= MOST_HELD
            && whole(self.source, payload, MOST_HELD, &mut self.page, &mut self.payload).is_ok();
        if !is_held {
            self.payload.clear();
            self.payload.extend_from_slice(payload.local);
        }
        self.fields.read(&self.payload, payload.len).is_ok()
    }

    /// Reads a row of a table. Returns `false` when it is none.
    pub(super) fn read_row(&mut self, object: &Object, cell: &Cell<'_>) -> bool {
        if !self.read(cell) {
            return false;
        }
        self.rowid = cell.rowid;
        let primary = object.shape.as_ref().and_then(|shape| shape.primary.as_ref());
        self.has_rowid = !object.without_rowid;
        self.id = match primary {
            None => cell.rowid.cast_unsigned(),
            // These are the first columns of the row.
            Some(primary) => match self.hash(0..primary.len()) {
                Some(id) => id,
                None => return false,
            },
        };
        true
    }

    /// Returns the identity of the row that was read.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the hash of the columns of an index in the row that was read, as the index stores them; `None` when they are not
    /// known.
    pub(super) fn key_of_row(&self, object: &Object, index: &IndexObject) -> Option<u64> {
        let (shape, columns) = (object.shape.as_ref()?, index.columns.as_ref()?);
        let fields = self.fields.all();
        let mut hash = Hash::new(self.keys);
        for column in columns {
            if shape.rowid_alias == Some(*column) {
                hash.integer(self.rowid);
                continue;
            }
            match fields.get(*shape.stored_at.get(*column)?) {
                Some(field) if field.to as usize <= self.payload.len() => hash.field(*field, &self.payload),
                Some(_) => return None,
                None => match &shape.columns.get(*column)?.default {
                    DefaultValue::Null => hash.null(),
                    DefaultValue::Integer(value) => hash.integer(*value),
                    DefaultValue::Real(value) => hash.real(*value),
                    DefaultValue::Text(text) => hash.text(&self.encoding.encode(text.as_bytes())),
                    DefaultValue::NotUnderstood => return None,
                },
            }
        }
        Some(hash.finish())
    }

    /// Returns `true` when a column of an index is NULL in the row that was read: such keys are never the same.
    fn has_null(&self, object: &Object, index: &IndexObject) -> bool {
        let (Some(shape), Some(columns)) = (&object.shape, &index.columns) else {
            return true;
        };
        let is_null = |column: &usize| {
            if shape.rowid_alias == Some(*column) {
                return false;
            }
            let field = shape.stored_at.get(*column).and_then(|at| self.fields.all().get(*at));
            match field {
                Some(field) => field.class == Classes::NULL,
                None => shape.columns.get(*column).is_none_or(|column| column.default == DefaultValue::Null),
            }
        };
        columns.iter().any(is_null)
    }

    /// Reads an entry of an index. Returns the identity of its row, and the hash of its key; `None` when it is no entry.
    pub(super) fn read_entry(&mut self, object: &Object, index: &IndexObject, cell: &Cell<'_>) -> Option<(u64, u64)> {
        if !self.read(cell) {
            return None;
        }
        let fields = self.fields.all();
        let primary = object.shape.as_ref().and_then(|shape| shape.primary.as_ref());
        self.has_rowid = !object.without_rowid;
        if !can_be_compared(object, index) {
            return Some((0, UNKNOWN));
        }
        let id = match (primary, &index.columns) {
            (None, columns) => {
                let last = fields.last().filter(|field| field.class == Classes::INTEGER)?;
                if columns.as_ref().is_some_and(|columns| columns.len() + 1 != fields.len()) {
                    return None;
                }
                self.rowid = if last.to as usize <= self.payload.len() {
                    last.integer(&self.payload)?
                } else {
                    self.integer_beyond(cell, *last)?
                };
                self.rowid.cast_unsigned()
            }
            (Some(primary), Some(columns)) => {
                // The columns of the primary key that the index does not have stand behind its own.
                let mut behind = columns.len();
                let mut places = Vec::with_capacity(primary.len());
                for column in primary {
                    places.push(columns.iter().position(|own| own == column).unwrap_or_else(|| {
                        behind += 1;
                        behind - 1
                    }));
                }
                if behind != fields.len() {
                    return None;
                }
                self.hash(places)?
            }
            (Some(_), None) => return None,
        };
        self.id = id;
        let key = index.columns.as_ref().and_then(|columns| self.hash(0..columns.len()));
        Some((id, key.unwrap_or(UNKNOWN)))
    }

    /// Reads an integer that does not lie within what is held of a long entry.
    fn integer_beyond(&self, cell: &Cell<'_>, field: Field) -> Option<i64> {
        let mut chain = Chain::new(self.source, &cell.payload);
        let (from, to) = (field.from as usize, field.to as usize);
        let mut at = cell.payload.local.len();
        while at + chain.here() <= from {
            at += chain.skip().ok()?;
        }
        let (mut page, mut tail) = (Vec::new(), Vec::new());
        while at + tail.len() < to {
            chain.read(&mut page, &mut tail).ok()?;
        }
        let there = Field {
            from: field.from - u32::try_from(at).ok()?,
            to: field.to - u32::try_from(at).ok()?,
            ..field
        };
        there.integer(&tail)
    }

    /// Returns the hash of the fields at these places; `None` when one is not held.
    fn hash(&self, places: impl IntoIterator<Item = usize>) -> Option<u64> {
        let mut hash = Hash::new(self.keys);
        for place in places {
            let field = self.fields.all().get(place)?;
            if field.to as usize > self.payload.len() {
                return None;
            }
            hash.field(*field, &self.payload);
        }
        Some(hash.finish())
    }

    /// Returns the hash of a key and what identifies its row.
    pub(super) fn pair(&self, key: u64, id: u64) -> u64 {
        let mut hash = Hash::new(self.keys);
        hash.pair(key, id);
        hash.finish()
    }

    /// Returns `false` when the index has a column that is the rowid by another name, and the entry that was read holds another
    /// number there than at its end.
    fn has_own_rowid(&self, object: &Object, index: &IndexObject) -> bool {
        let alias = object.shape.as_ref().and_then(|shape| shape.rowid_alias);
        let place = index
            .columns
            .as_ref()
            .and_then(|columns| columns.iter().position(|column| Some(*column) == alias));
        let copy = place.and_then(|place| self.fields.all().get(place));
        copy.is_none_or(|copy| copy.integer(&self.payload) == Some(self.rowid))
    }

    /// Returns the entry that was read.
    fn entry(&self) -> Entry<'_> {
        Entry {
            payload: &self.payload,
            fields: self.fields.all(),
        }
    }

    /// Returns the name of the row or entry that was read.
    fn name(&self) -> RowName {
        let first = self.fields.all().first().filter(|field| field.class == Classes::TEXT);
        let text = first.and_then(|field| self.payload.get(field.range()));
        RowName {
            rowid: self.has_rowid.then_some(self.rowid),
            key: text.filter(|text| text.len() == UUID_LEN).map(<[u8]>::to_vec),
        }
    }
}

/// Returns `true` when an entry of the index tells which row it belongs to.
fn can_be_compared(object: &Object, index: &IndexObject) -> bool {
    !object.without_rowid || object.shape.is_some() && index.columns.is_some()
}

impl CrossCheckContext<'_> {
    /// Holds each index that does not agree with its table against it, entry by entry.
    pub(super) fn compare(&self, object: &Object, facts: &mut TableFacts) -> Result<(), Interrupted> {
        for (place, index) in object.indexes.iter().enumerate() {
            let has_agreed = facts.indexes.get(place).is_none_or(|of_index| of_index.is_compared);
            if object.root != 1 && !has_agreed && can_be_compared(object, index) {
                self.compare_index(object, index, place, facts)?;
            }
        }
        Ok(())
    }

    /// Returns the identities of the rows of entries that are out of order, or hold two numbers for one rowid: SQLite never
    /// writes one so, and an older page of the index is sound as well. Such an entry is damaged, whatever its table holds.
    fn misplaced_entries(&self, object: &Object, index: &IndexObject) -> Result<HashSet<u64>, Interrupted> {
        let mut misplaced = HashSet::new();
        let has_rowid = object.shape.as_ref().is_some_and(|shape| shape.primary.is_none());
        let Some(orders) = index.orders.as_ref().filter(|_| has_rowid && self.encoding == Encoding::Utf8) else {
            return Ok(misplaced);
        };
        let new = || KeyReader::new(self.source, &self.keys, self.encoding);
        let (mut before, mut here) = (new(), new());
        let mut is_first = true;
        let scanned = scan(self.source, index.root, self.stop, &mut |cell| {
            if here.read_entry(object, index, cell).is_none() {
                return Err(Damage::Record);
            }
            let is_misplaced =
                !is_first && matches!(check_order(before.entry(), here.entry(), orders), Err(Damage::EntryOrder));
            if is_misplaced && misplaced.len() < MOST_DUPLICATES {
                misplaced.extend([before.id, here.id]);
            }
            if !here.has_own_rowid(object, index) && misplaced.len() < MOST_DUPLICATES {
                misplaced.insert(here.id);
            }
            is_first = false;
            std::mem::swap(&mut before, &mut here);
            Ok(())
        });
        match scanned {
            Err(Damage::Stopped) => Err(Interrupted),
            _ => Ok(misplaced),
        }
    }

    fn compare_index(
        &self,
        object: &Object,
        index: &IndexObject,
        place: usize,
        facts: &mut TableFacts,
    ) -> Result<(), Interrupted> {
        let parts = facts.rows.div_ceil(ROWS_AT_A_TIME).max(1);
        let part_of = |id: u64| id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xffff_ffff;
        let mut reader = KeyReader::new(self.source, &self.keys, self.encoding);
        let Some(of_index) = facts.indexes.get_mut(place) else {
            return Ok(());
        };
        let misplaced = self.misplaced_entries(object, index)?;
        let mut is_understood = true;
        let mut lacking: Vec<(u64, i64)> = Vec::new();
        for part in 0..parts {
            let mut rows: Vec<(u64, u64)> = Vec::new();
            self.again(object.root, |cell| {
                if reader.read_row(object, cell) && part_of(reader.id()) % parts == part {
                    rows.push((reader.id(), reader.key_of_row(object, index).unwrap_or(UNKNOWN)));
                }
            })?;
            rows.sort_unstable();
            rows.dedup();
            // Of each row: if an entry agrees with it, and if one differs.
            let mut seen = vec![(false, false); rows.len()];
            let mut differing: HashMap<u64, RowName> = HashMap::new();
            self.again(index.root, |cell| {
                let Some((id, key)) = reader.read_entry(object, index, cell) else {
                    is_understood &= !object.without_rowid;
                    return;
                };
                if part_of(id) % parts != part {
                    return;
                }
                let from = rows.partition_point(|row| row.0 < id);
                let same = rows.get(from..).unwrap_or_default().iter().take_while(|row| row.0 == id).count();
                let known = rows.get(from..from + same).unwrap_or_default();
                if known.is_empty() {
                    of_index.keys_without_rows.add(|| reader.name());
                    return;
                }
                let agrees = |row: &(u64, u64)| row.1 == key || row.1 == UNKNOWN || key == UNKNOWN;
                let does_agree = known.iter().any(agrees);
                if !does_agree && differing.len() < MOST_DUPLICATES && !misplaced.contains(&id) {
                    differing.insert(id, reader.name());
                }
                for seen in seen.get_mut(from..from + same).unwrap_or_default() {
                    seen.0 |= does_agree;
                    seen.1 |= !does_agree;
                }
            })?;
            if index.columns.is_none() {
                continue;
            }
            // An entry that differs is one that is left over when another of the same row agrees.
            for ((id, _), _) in rows.iter().zip(&seen).filter(|(_, seen)| **seen == (false, true)) {
                if let Some(name) = differing.remove(id) {
                    of_index.differing.add(|| name);
                }
            }
            for ((id, key), _) in rows.iter().zip(&seen).filter(|(_, seen)| **seen == (false, false)) {
                let rowid = id.cast_signed();
                let name = || RowName {
                    rowid: reader.has_rowid.then_some(rowid),
                    key: None,
                };
                of_index.rows_without_keys.add(name);
                if *key != UNKNOWN && lacking.len() < MOST_DUPLICATES {
                    lacking.push((*key, rowid));
                }
            }
        }
        if !is_understood {
            of_index.keys_without_rows = Named::default();
            of_index.rows_without_keys = Named::default();
            of_index.differing = Named::default();
            return Ok(());
        }
        for named in [
            &mut of_index.keys_without_rows,
            &mut of_index.rows_without_keys,
            &mut of_index.differing,
        ] {
            named.first.sort_by_key(|name| name.rowid);
        }
        of_index.is_compared = true;
        if index.is_unique && reader.has_rowid && !lacking.is_empty() {
            let lacking: HashMap<u64, i64> = lacking.into_iter().collect();
            let duplicates = &mut of_index.duplicates;
            self.again(object.root, |cell| {
                if duplicates.len() < super::MOST_NAMED
                    && reader.read_row(object, cell)
                    && let Some(key) = reader.key_of_row(object, index)
                    && let Some(other) = lacking.get(&key).filter(|other| **other != cell.rowid)
                    && !reader.has_null(object, index)
                {
                    duplicates.push((*other, cell.rowid));
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_rows_are_counted_past_those_that_are_kept() {
        let mut named = Named::default();
        for rowid in 0..100 {
            named.add(|| RowName {
                rowid: Some(rowid),
                key: None,
            });
        }
        assert_eq!((named.count, named.first.len()), (100, super::super::MOST_NAMED));
    }
}
