//! Whose row a record can be: by the number of its fields and by what they hold.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use super::schema::{MOST_KEYS, StoreSchema};
use crate::application::values::address::is_uuid;
use sqlite_format::record::{Classes, Field};

/// A table and one of its layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// The table's place.
    pub table: usize,
    /// The layout's place among the table's.
    pub layout: usize,
}

/// Hashes of the values that a row has in its table's unique indexes; 0 where it has none there.
pub type Hashes = [u64; MOST_KEYS];

/// The table and the layout that a record fits; of a row in a table's own tree, that table's alone.
pub fn fit(schema: &StoreSchema, own: Option<usize>, fields: &[Field]) -> Option<Fit> {
    let mut almost = None;
    for (table, of) in schema.tables.iter().enumerate() {
        if own.is_some_and(|own| own != table) {
            continue;
        }
        for (layout, columns) in of.layouts.iter().enumerate() {
            if columns.len() != fields.len() {
                continue;
            }
            let takes = |(column, field): (&usize, &Field)| {
                if of.rowid_alias == Some(*column) {
                    return field.class == Classes::NULL;
                }
                let rule = of.columns.get(*column).and_then(|column| column.rule);
                rule.is_none_or(|rule| rule.allows_class(field.class))
            };
            if columns.iter().zip(fields).all(takes) {
                return Some(Fit { table, layout });
            }
            almost.get_or_insert(Fit { table, layout });
        }
    }
    // In a table's own tree a value of another class is a broken value; elsewhere it is another table's row.
    almost.filter(|_| own.is_some())
}

/// Whether a value is none that the application writes.
pub fn has_invalid_value(schema: &StoreSchema, fit: Fit, fields: &[Field], payload: &[u8]) -> bool {
    let Some(table) = schema.tables.get(fit.table) else {
        return true;
    };
    let columns = table.layouts.get(fit.layout).map(Vec::as_slice).unwrap_or_default();
    columns.iter().zip(fields).any(|(column, field)| {
        let rule = table.columns.get(*column).and_then(|column| column.rule);
        rule.is_some_and(|rule| rule.fault(*field, payload).is_some())
    })
}

/// Whether text has a UUID's length and dashes, and is none: a letter of it is damaged.
pub fn is_broken_uuid(field: Field, payload: &[u8]) -> bool {
    let text = payload.get(field.range()).unwrap_or_default();
    field.class == Classes::TEXT && text.len() == 36 && !is_uuid(text)
}

/// The latest of the times that a row holds, as a number.
pub fn latest_time(schema: &StoreSchema, fit: Fit, fields: &[Field], payload: &[u8]) -> u64 {
    let table = schema.tables.get(fit.table);
    let columns = table
        .and_then(|table| table.layouts.get(fit.layout))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let time = |(column, field): (&usize, &Field)| {
        let rule = table.and_then(|table| table.columns.get(*column)).and_then(|column| column.rule)?;
        rule.time_of(*field, payload)
    };
    columns.iter().zip(fields).filter_map(time).max().unwrap_or(0)
}

/// Makes the hashes of one salvage; nobody can foresee them.
#[derive(Debug, Default)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// The hash of the values of some fields; 0 where one of them is NULL, as a unique index takes any number of those.
    pub fn hash_values<'f>(&self, payload: &[u8], fields: impl Iterator<Item = Option<&'f Field>>) -> u64 {
        let mut hasher = self.0.build_hasher();
        for field in fields {
            let Some(field) = field.filter(|field| field.class != Classes::NULL) else {
                return 0;
            };
            match field.integer(payload).filter(|_| field.class == Classes::INTEGER) {
                Some(value) => value.hash(&mut hasher),
                None => payload.get(field.range()).unwrap_or_default().hash(&mut hasher),
            }
        }
        hasher.finish() | 1
    }

    /// The hashes of a row.
    pub fn hash_row(&self, schema: &StoreSchema, fit: Fit, fields: &[Field], payload: &[u8]) -> Hashes {
        let mut out = Hashes::default();
        let Some(table) = schema.tables.get(fit.table) else {
            return out;
        };
        for (slot, key) in out.iter_mut().zip(&table.keys) {
            let places = key.columns.iter().map(|column| fields.get(table.field_of(fit.layout, *column)?));
            *slot = self.hash_values(payload, places);
        }
        out
    }

    /// The hash of an index entry: all of its fields but the last, which is the rowid.
    pub fn hash_entry(&self, payload: &[u8], fields: &[Field]) -> u64 {
        let keys = fields.split_last().map(|(_, keys)| keys).unwrap_or_default();
        self.hash_values(payload, keys.iter().map(Some))
    }
}
