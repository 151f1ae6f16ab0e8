//! Reads the entries of indexes.

use super::Result;
use super::gaps::{adds_up, free_space};
use super::notes::{Owner, PageNotes};
use super::row_layout::{KeyHasher, is_broken_uuid};
use super::schema::{StoreSchema, TableSchema, UniqueKey, ValueRule};
use super::view::PayloadReader;
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::encoding::Decoder;
use sqlite_format::page::Page;
use sqlite_format::record::{Classes, Field, Fields};

/// An entry of a known index.
pub struct Entry<'e> {
    /// The table's place.
    pub table: usize,
    /// The index's place among its keys.
    pub key: usize,
    /// The row that it names.
    pub rowid: i64,
    /// The hash of its values.
    pub hash: u64,
    /// True if it holds a value that the application never writes: then perhaps the entry is damaged, and not the row.
    pub is_odd: bool,
    /// The record, whose last field is the rowid.
    pub payload: &'e [u8],
    /// Its fields.
    pub fields: &'e [Field],
}

/// Takes a record of an index: its bytes, its fields, the rowid at its end.
type EachRecord<'e> = dyn FnMut(&[u8], &[Field], i64) -> Result<()> + 'e;

/// Reads an index page's records with two fields or more of which the last is an integer.
pub struct Entries<'a> {
    view: &'a StoreView<'a>,
    payloads: PayloadReader,
    fields: Fields,
    decoder: Decoder,
    whole: Vec<u8>,
    free: Vec<(usize, usize)>,
}

impl<'a> Entries<'a> {
    /// Creates a reader of these pages.
    pub fn new(view: &'a StoreView<'a>) -> Self {
        Self {
            view,
            payloads: PayloadReader::new(view.pages()),
            fields: Fields::default(),
            decoder: Decoder::new(view.encoding()),
            whole: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Hands out each record of a page; returns whether every cell gave one and the page adds up.
    ///
    /// # Errors
    /// Fails if `each` fails.
    pub fn page(&mut self, number: u32, bytes: &[u8], each: &mut EachRecord<'_>) -> Result<bool> {
        let Ok(page) = Page::parse(self.view.layout(), number, bytes) else {
            return Ok(false);
        };
        if page.kind().is_table() {
            return Ok(false);
        }
        let mut count = 0;
        // In a sound page no byte is in two cells. Without this bound, cells that share bytes would cost time without end.
        let mut left = 8 * bytes.len();
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            let local = cell.payload.local;
            if cell.at < 8 || self.fields.read(local, cell.payload.len).is_err() {
                continue;
            }
            let Some(still) = left.checked_sub(local.len()) else {
                return Ok(false);
            };
            left = still;
            let Some((last, keys)) = self.fields.all().split_last() else {
                continue;
            };
            if keys.is_empty() || last.class != Classes::INTEGER {
                continue;
            }
            let payload = match cell.payload.overflow {
                None => local,
                Some(first) => {
                    if !self.payloads.read_payload(self.view, local, cell.payload.len, first, &mut self.whole) {
                        continue;
                    }
                    &self.whole
                }
            };
            let Some(rowid) = last.integer(payload) else {
                continue;
            };
            count += 1;
            let (payload, fields) = self.decoder.decode_record(payload, self.fields.all());
            each(payload, fields, rowid)?;
        }
        self.free.clear();
        free_space(&page, &mut self.free);
        // Where the header does not add up, it may count entries that were deleted.
        Ok(count == page.cells() && adds_up(&page, &self.free))
    }
}

/// Hands out each entry of each known index, in the file's order. Afterwards an index of which a cell could not be read is not
/// whole.
///
/// # Errors
/// Fails if `each` fails, or it is time to stop.
pub fn for_each_entry(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    notes: &PageNotes,
    hasher: &KeyHasher,
    whole: &mut [Vec<bool>],
    stop: &Stop,
    each: &mut dyn FnMut(&Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut entries = Entries::new(view);
    let want = |number: u32| matches!(notes.owner(number), Owner::Index(..));
    view.each(stop, &want, &mut |number, bytes| {
        let Owner::Index(table, key) = notes.owner(number) else {
            return Ok(());
        };
        let of = schema.tables.get(table).and_then(|table| Some((table, table.keys.get(key)?)));
        let columns = of.map_or(0, |(_, key)| key.columns.len());
        // A stale page names deleted rows, and not the newest ones.
        let mut odd = view.is_stale(number);
        let all = entries.page(number, bytes, &mut |payload, fields, rowid| {
            if fields.len() != columns + 1 {
                odd = true;
                return Ok(());
            }
            let hash = hasher.hash_entry(payload, fields, of.is_some_and(|(_, key)| key.is_shared));
            let is_odd = of.is_some_and(|(table, key)| has_invalid_key(table, key, payload, fields));
            odd |= is_odd;
            each(&Entry {
                table,
                key,
                rowid,
                hash,
                is_odd,
                payload,
                fields,
            })
        })?;
        if (!all || odd)
            && let Some(slot) = whole.get_mut(table).and_then(|keys| keys.get_mut(key))
        {
            *slot = false;
        }
        Ok(())
    })
}

/// Returns true if an entry holds a value that the application never writes.
fn has_invalid_key(table: &TableSchema, key: &UniqueKey, payload: &[u8], fields: &[Field]) -> bool {
    key.columns.iter().zip(fields).any(|(column, field)| {
        let rule = table.columns.get(*column).and_then(|column| column.rule);
        rule.is_some_and(|rule| rule.is_broken_by(*field, payload))
            || (!matches!(rule, Some(ValueRule::Declared(_))) && is_broken_uuid(*field, payload))
    })
}
