//! Matches records with the tables whose rows they can be: by the number of their fields and by the storage class of each.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use super::schema::{MOST_KEYS, StoreSchema, UniqueKey};
use crate::application::values::address::is_uuid;
use sqlite_format::record::{Classes, Field};

/// A table and one of its layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLayout {
    /// The table's place.
    pub table: usize,
    /// The layout's place among the table's.
    pub layout: usize,
}

/// The hashes of the values that a row has in its table's unique indexes; 0 where it has none there.
pub type Hashes = [u64; MOST_KEYS];

/// Returns the table and the layout that a record fits. A record in a table's own tree fits that table alone.
pub fn match_layout(schema: &StoreSchema, own: Option<usize>, fields: &[Field]) -> Option<RowLayout> {
    let mut almost = None;
    // Without known values, any number of tables could have such a row.
    let all = 0..if schema.has_known_values {
        schema.tables.len()
    } else {
        0
    };
    let tables = own.map_or(all, |own| own..own + 1);
    for (table, of) in tables.filter_map(|table| Some((table, schema.tables.get(table)?))) {
        for (layout, columns) in of.layouts.iter().enumerate() {
            if !of.takes_fields(columns, fields.len()) {
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
                return Some(RowLayout { table, layout });
            }
            almost.get_or_insert(RowLayout { table, layout });
        }
    }
    // In a table's own tree a value of another class is a broken value; elsewhere it is another table's row.
    almost.filter(|_| own.is_some())
}

/// Returns true if a row has a value that the application never writes.
pub fn has_invalid_value(schema: &StoreSchema, fit: RowLayout, fields: &[Field], payload: &[u8]) -> bool {
    let Some(table) = schema.tables.get(fit.table) else {
        return true;
    };
    let columns = table.layouts.get(fit.layout).map(Vec::as_slice).unwrap_or_default();
    columns.iter().zip(fields).any(|(column, field)| {
        let rule = table.columns.get(*column).and_then(|column| column.rule);
        rule.is_some_and(|rule| rule.is_broken_by(*field, payload))
    })
}

/// Returns true if text is as long as a UUID and is none: a letter of it is damaged.
pub fn is_broken_uuid(field: Field, payload: &[u8]) -> bool {
    let text = payload.get(field.range()).unwrap_or_default();
    field.class == Classes::TEXT && text.len() == 36 && !is_uuid(text)
}

/// Returns the latest of the times that a row holds, as a number.
pub fn latest_time(schema: &StoreSchema, fit: RowLayout, fields: &[Field], payload: &[u8]) -> u64 {
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

/// Hashes the keys of one salvage. They are keyed with a random number, so that no store can be made whose keys collide.
#[derive(Debug, Default)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// Returns the hash of the values of some fields; 0 when one of them is NULL, as a unique index takes any number of those.
    pub fn hash_values<'f>(
        &self,
        payload: &[u8],
        fields: impl Iterator<Item = Option<&'f Field>>,
        is_shared: bool,
    ) -> u64 {
        let mut hasher = self.0.build_hasher();
        for field in fields {
            let Some(field) = field.filter(|field| is_shared || field.class != Classes::NULL) else {
                return 0;
            };
            match whole_number(*field, payload) {
                _ if field.class == Classes::NULL => 0_u8.hash(&mut hasher),
                Some(value) => value.hash(&mut hasher),
                None => payload.get(field.range()).unwrap_or_default().hash(&mut hasher),
            }
        }
        hasher.finish() | 1
    }

    /// Returns the hashes of a row.
    pub fn hash_row(&self, schema: &StoreSchema, fit: RowLayout, fields: &[Field], payload: &[u8]) -> Hashes {
        let mut out = Hashes::default();
        let Some(table) = schema.tables.get(fit.table) else {
            return out;
        };
        for (slot, key) in out.iter_mut().zip(&table.keys) {
            let places = key.columns.iter().map(|column| fields.get(table.field_of(fit.layout, *column)?));
            *slot = self.hash_values(payload, places, key.is_shared);
        }
        out
    }

    /// Returns the hash of the key of a row in an index, as text. Letters count in either case, so that two keys rather clash than not.
    pub fn hash_text(&self, index: usize, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        (usize::MAX, index).hash(&mut hasher);
        key.to_ascii_lowercase().hash(&mut hasher);
        hasher.finish() | 1
    }

    /// Returns the hash of an index entry: of all its fields but the last, which is the rowid.
    pub fn hash_entry(&self, payload: &[u8], fields: &[Field], is_shared: bool) -> u64 {
        let keys = fields.split_last().map(|(_, keys)| keys).unwrap_or_default();
        self.hash_values(payload, keys.iter().map(Some), is_shared)
    }

    /// Returns the hash of the key of a row as the new store compares it; 0 if it holds NULL, as any number of rows may have that.
    pub fn hash_unique(&self, table: usize, key: (usize, &UniqueKey), line: (&[usize], &[Field], &[u8])) -> u64 {
        let (layout, fields, payload) = line;
        let mut hasher = self.0.build_hasher();
        (table, key.0).hash(&mut hasher);
        for column in &key.1.columns {
            let field = layout.iter().position(|there| there == column).and_then(|at| fields.get(at));
            let Some(field) = field.filter(|field| field.class != Classes::NULL) else {
                return 0;
            };
            let bytes = payload.get(field.range()).unwrap_or_default();
            match whole_number(*field, payload) {
                Some(value) => value.hash(&mut hasher),
                None if field.class == Classes::TEXT && key.1.folded.0.contains(column) => {
                    bytes.to_ascii_lowercase().hash(&mut hasher);
                }
                None if field.class == Classes::TEXT && key.1.folded.1.contains(column) => {
                    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
                    bytes.get(..end).unwrap_or_default().hash(&mut hasher);
                }
                None => bytes.hash(&mut hasher),
            }
        }
        hasher.finish() | 1
    }
}

/// Returns the integer that a number is. A column of floating point numbers stores one that is an integer as such, and an index does not.
fn whole_number(field: Field, payload: &[u8]) -> Option<i64> {
    match field.class {
        Classes::INTEGER => field.integer(payload),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the number is compared with what is left of it"
        )]
        Classes::REAL => field
            .real(payload)
            .filter(|real| real.abs() < 1e15 && real.fract().abs() < f64::MIN_POSITIVE)
            .map(|real| real as i64),
        _ => None,
    }
}
