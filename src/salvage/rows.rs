//! Finds the rows of a page: by its cell pointers, each judged alone, and in the bytes to which no pointer leads.

mod carve;

use super::Result;
use super::gaps::{adds_up, free_space};
use super::notes::{Owner, PageNotes};
use super::row_layout::{RowLayout, match_layout};
use super::schema::StoreSchema;
use super::view::PayloadReader;
use super::view::StoreView;
use sqlite_format::bytes::read_varint;
use sqlite_format::encoding::{Decoder, Encoding};
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::{Field, Fields};

/// The place where a row was found. The later variants are believed more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the tree of another table: a copy, perhaps of an older state. A page's own rows are never found as this.
    OtherTree,
    /// In free space: it was deleted, or is an older state of a row.
    FreeSpace,
    /// In bytes that no cell pointer leads to, of a page that is not free.
    Gap,
    /// A cell of an orphaned page, to which nothing leads and which is not free.
    Orphan,
    /// A cell of a page of its table's own tree.
    OwnTree,
}

/// The place of a record: enough to read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its page.
    pub page: u32,
    /// The offset in that page at which it begins.
    pub at: u32,
    /// Its length in bytes, with the part on overflow pages.
    pub len: u32,
}

/// A row that was found.
pub struct FoundRow<'r> {
    /// The place where it was found.
    pub origin: Origin,
    /// True if its page does not vouch for it: its header says that nothing is there, or does not add up.
    pub is_unvouched: bool,
    /// True if the freelist, or the free space of a sound page, proves that it was deleted.
    pub is_freed: bool,
    /// The rowid, where it stands before the record.
    pub rowid: Option<i64>,
    /// The place of its record.
    pub place: RecordPlace,
    /// The table and layout that it fits; `None` for a record of a table's own tree that has another number of fields than any row of it.
    pub fit: Option<RowLayout>,
    /// The record.
    pub payload: &'r [u8],
    /// Its fields.
    pub fields: &'r [Field],
}

/// Takes a record: its place, the layout that it fits, its bytes and its fields.
type EachRecord<'e> = dyn FnMut(RecordPlace, Option<RowLayout>, &[u8], &[Field]) -> Result<()> + 'e;

/// Takes rows.
pub type EachRow<'e> = dyn FnMut(&FoundRow<'_>) -> Result<()> + 'e;

/// Finds rows.
pub struct RowFinder<'a> {
    view: &'a StoreView<'a>,
    schema: &'a StoreSchema,
    /// Reads overflow chains.
    pub payloads: PayloadReader,
    fields: Fields,
    decoder: Decoder,
    whole: Vec<u8>,
    taken: Vec<(usize, usize)>,
    free: Vec<(usize, usize)>,
    /// True if the page adds up, so that its free space is what it says.
    is_sound: bool,
    /// The bytes of the page that may still be handed out. Without a bound, cells that share their bytes would cost time without end.
    left: usize,
}

/// The most times that a page's bytes are handed out, together. In a sound page no byte is in two cells.
const MOST_TIMES: usize = 8;

/// A record in a page, before its overflow pages were looked for.
#[derive(Debug, Clone, Copy)]
struct Local {
    at: usize,
    len: usize,
    here: usize,
    overflow: Option<u32>,
}

impl<'a> RowFinder<'a> {
    /// Creates a finder in these pages.
    pub fn new(view: &'a StoreView<'a>, schema: &'a StoreSchema) -> Self {
        Self {
            view,
            schema,
            payloads: PayloadReader::new(view.pages()),
            fields: Fields::default(),
            decoder: Decoder::new(view.encoding()),
            whole: Vec::new(),
            taken: Vec::new(),
            free: Vec::new(),
            is_sound: false,
            left: 0,
        }
    }

    /// Hands out each row of a page that is not an index's.
    ///
    /// # Errors
    /// Fails if `each` fails.
    pub fn page(&mut self, number: u32, bytes: &[u8], notes: &PageNotes, each: &mut EachRow<'_>) -> Result<()> {
        let owner = notes.owner(number);
        let usable = bytes.get(..self.view.layout().usable).unwrap_or_default();
        self.taken.clear();
        self.free.clear();
        self.is_sound = false;
        self.left = MOST_TIMES * usable.len();
        let begin = if number == 1 { 100 } else { 0 };
        match Page::parse(self.view.layout(), number, bytes) {
            Ok(page) if page.kind() == Kind::TableLeaf => {
                free_space(&page, &mut self.free);
                self.is_sound = adds_up(&page, &self.free) && !self.view.is_stale(number);
                let own = match owner {
                    Owner::Table(table) => Some(table),
                    _ => None,
                };
                let is_all = self.cells(number, &page, owner, own, each)?;
                if !self.schema.has_known_values && (self.is_sound || is_all) {
                    // What no pointer leads to was deleted.
                    return Ok(());
                }
                let origin = if owner == Owner::Free {
                    Origin::FreeSpace
                } else {
                    Origin::Gap
                };
                self.carve(number, usable, (begin + 8, usable.len()), (origin, own), each)
            }
            // An inner page or an index's has no rows. Where nothing leads to it, its kind may be what is damaged.
            Ok(_) if matches!(owner, Owner::Table(_) | Owner::Index(..) | Owner::Other) => Ok(()),
            _ => {
                let origin = if owner == Owner::Free {
                    Origin::FreeSpace
                } else {
                    Origin::Gap
                };
                let own = match owner {
                    Owner::Table(table) if !self.schema.has_known_values => Some(table),
                    _ => None,
                };
                self.carve(number, usable, (begin, usable.len()), (origin, own), each)
            }
        }
    }

    fn is_free(&self, from: usize, to: usize) -> bool {
        self.free.iter().any(|(begin, end)| from < *end && *begin < to)
    }

    /// Hands out the rows to which cell pointers lead; returns true if each of them leads to one.
    fn cells(
        &mut self,
        number: u32,
        page: &Page<'_>,
        owner: Owner,
        own: Option<usize>,
        each: &mut EachRow<'_>,
    ) -> Result<bool> {
        let origin = match owner {
            Owner::Table(_) => Origin::OwnTree,
            Owner::Free => Origin::FreeSpace,
            _ => Origin::Orphan,
        };
        let sound = self.is_sound;
        let mut count = 0;
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            if cell.at < 8 || cell.payload.len == 0 {
                continue;
            }
            let bytes = page.bytes().get(cell.at..).unwrap_or_default();
            let used = read_varint(bytes).map_or(0, |(_, used)| used);
            let used = used + read_varint(bytes.get(used..).unwrap_or_default()).map_or(0, |(_, used)| used);
            let local = Local {
                at: cell.at + used,
                len: cell.payload.len,
                here: cell.payload.local.len(),
                overflow: cell.payload.overflow,
            };
            let is_free = self.is_free(cell.at, cell.at + cell.size);
            let taken =
                self.record(number, page.bytes(), local, (own, false), &mut |place, fit, payload, fields| {
                    each(&FoundRow {
                        origin,
                        is_unvouched: !sound || is_free,
                        is_freed: owner == Owner::Free || (sound && is_free),
                        rowid: Some(cell.rowid),
                        place,
                        fit,
                        payload,
                        fields,
                    })
                })?;
            if taken {
                count += 1;
                self.taken.push((cell.at, cell.at + cell.size));
            }
        }
        Ok(count == page.cells())
    }

    /// Hands out a record, if its header describes it exactly and it can be a row; returns whether it is one.
    fn record(
        &mut self,
        number: u32,
        page: &[u8],
        local: Local,
        (own, is_carved): (Option<usize>, bool),
        each: &mut EachRecord<'_>,
    ) -> Result<bool> {
        let Some(begin) = page.get(local.at..local.at + local.here) else {
            return Ok(false);
        };
        if self.fields.read(begin, local.len).is_err() {
            return Ok(false);
        }
        let Some(left) = self.left.checked_sub(local.here) else {
            return Ok(false);
        };
        let fit = match_layout(self.schema, own, self.fields.all());
        if fit.is_none() && (own.is_none() || is_carved) {
            return Ok(false);
        }
        self.left = left;
        let payload = match local.overflow {
            None => begin,
            Some(first) => {
                if !self.payloads.read_payload(self.view, begin, local.len, first, &mut self.whole) {
                    return Ok(false);
                }
                &self.whole
            }
        };
        let place = RecordPlace {
            page: number,
            at: u32::try_from(local.at).unwrap_or(0),
            len: u32::try_from(local.len).unwrap_or(0),
        };
        let (payload, fields) = self.decoder.decode_record(payload, self.fields.all());
        each(place, fit, payload, fields)?;
        Ok(fit.is_some())
    }

    /// Reads a record again; returns `false` when it is not there any more.
    pub fn read_again(&mut self, place: RecordPlace, into: &mut Vec<u8>, fields: &mut Fields) -> bool {
        let mut page = Vec::new();
        if !self.view.page(place.page, &mut page) {
            return false;
        }
        let (at, len) = (place.at as usize, place.len as usize);
        let here = self.view.layout().local(Kind::TableLeaf, len);
        let Some(local) = page.get(at..at + here) else {
            return false;
        };
        if here == len {
            into.clear();
            into.extend_from_slice(local);
        } else {
            let Some(first) = page.get(at + here..at + here + 4).and_then(|four| four.try_into().ok()) else {
                return false;
            };
            if !self.payloads.read_payload(self.view, local, len, u32::from_be_bytes(first), into) {
                return false;
            }
        }
        if fields.read(into, len).is_err() {
            return false;
        }
        if self.view.encoding() != Encoding::Utf8 {
            let (payload, now) = self.decoder.decode_record(into, fields.all());
            let (payload, now) = (payload.to_vec(), now.to_vec());
            *into = payload;
            fields.replace(&now);
        }
        true
    }
}
