//! Reads the objects that a store's own schema names: each with its kind, its name, its root and its statement.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::limits::stop::Stop;
use crate::salvage::Result;
use crate::salvage::view::{PayloadReader, StoreView};
use sqlite_format::bytes::read_varint;
use sqlite_format::encoding::Decoder;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::{Classes, Field, Fields};

/// The most bytes of all statements together.
const MOST_BYTES: usize = 12 << 20;

/// The most objects that are read.
const MOST_OBJECTS: usize = 40_000;

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A table, perhaps a virtual one.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
}

impl ObjectKind {
    /// Returns the kind by its word.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        match word {
            b"table" => Some(Self::Table),
            b"index" => Some(Self::Index),
            b"view" => Some(Self::View),
            b"trigger" => Some(Self::Trigger),
            _ => None,
        }
    }

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
        }
    }
}

/// An object of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaObject {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name; not all names are UTF-8.
    pub name: Vec<u8>,
    /// The table that it belongs to.
    pub table: Vec<u8>,
    /// Its root page; 0 for what has none.
    pub root: u32,
    /// Its statement; `None` for an index of a constraint, and for one that is no UTF-8.
    pub sql: Option<String>,
}

/// The objects of a store's schema.
#[derive(Debug, Clone, Default)]
pub struct StoredSchema {
    /// The objects, in the order in which they were created.
    pub objects: Vec<SchemaObject>,
    /// True if the tree of the schema is whole: no object is missing.
    pub is_whole: bool,
    /// The pages on which objects were found.
    pub pages: Vec<u32>,
}

impl StoredSchema {
    /// Adds the objects of another schema that this one lacks, where a part of this one is missing. The order is the other's.
    pub fn complete_with(&mut self, given: &[SchemaObject]) {
        if self.is_whole || given.is_empty() {
            return;
        }
        let key = |object: &SchemaObject| (object.kind, object.name.to_ascii_lowercase());
        let mut own: HashMap<_, _> = std::mem::take(&mut self.objects)
            .into_iter()
            .enumerate()
            .map(|(at, object)| (key(&object), (at, object)))
            .collect();
        for object in given {
            let stored = own.remove(&key(object)).map(|(_, object)| object);
            self.objects.push(stored.unwrap_or_else(|| SchemaObject {
                root: 0,
                ..object.clone()
            }));
        }
        let mut rest: Vec<(usize, SchemaObject)> = own.into_values().collect();
        rest.sort_by_key(|(at, _)| *at);
        self.objects.extend(rest.into_iter().map(|(_, object)| object));
    }
}

/// Reads the schema of a store by its tree; where that is broken, by every leaf whose records are objects.
///
/// # Errors
/// Fails if it is time to stop.
pub fn read_schema(view: &StoreView<'_>, stop: &Stop) -> Result<StoredSchema> {
    let mut reader = SchemaReader::new(view);
    let mut out = StoredSchema {
        is_whole: true,
        ..StoredSchema::default()
    };
    let mut stack = vec![1_u32];
    let mut seen = BTreeSet::new();
    let mut bytes = Vec::new();
    while let Some(number) = stack.pop() {
        stop.check()?;
        if !seen.insert(number) || !view.page(number, &mut bytes) || view.is_stale(number) {
            out.is_whole = false;
            continue;
        }
        match Page::parse(view.layout(), number, &bytes) {
            Ok(page) if page.kind() == Kind::TableLeaf => {
                out.pages.push(number);
                if !reader.take(&page, &mut out.objects) {
                    out.is_whole = false;
                    reader.carve(&bytes, &mut out.objects);
                }
            }
            Ok(page) if page.kind() == Kind::TableInterior => {
                // The leftmost child comes first.
                let mut children: Vec<u32> = page.all_cells().filter_map(|cell| Some(cell.ok()?.child)).collect();
                out.is_whole &= children.len() == page.cells();
                children.push(page.right_child());
                stack.extend(children.into_iter().rev());
            }
            _ => {
                out.is_whole = false;
                if number > 1 && reader.carve(&bytes, &mut out.objects) > 0 {
                    out.pages.push(number);
                }
            }
        }
    }
    // A database without any object has an empty page of the kind.
    if !out.is_whole {
        view.each(stop, &|number| !seen.contains(&number), &mut |number, bytes| {
            if let Ok(page) = Page::parse(view.layout(), number, bytes)
                && page.kind() == Kind::TableLeaf
                && reader.is_of_schema(&page)
            {
                reader.take(&page, &mut out.objects);
                out.pages.push(number);
            }
            Ok(())
        })?;
    }
    Ok(out)
}

/// Reads rows of `sqlite_schema`.
pub struct SchemaReader<'a> {
    view: &'a StoreView<'a>,
    payloads: PayloadReader,
    decoder: Decoder,
    fields: Fields,
    whole: Vec<u8>,
    left: usize,
    /// The objects that were read.
    seen: HashSet<(ObjectKind, Vec<u8>)>,
}

impl<'a> SchemaReader<'a> {
    /// Creates a reader of these pages.
    pub fn new(view: &'a StoreView<'a>) -> Self {
        Self {
            view,
            payloads: PayloadReader::new(view.pages()),
            decoder: Decoder::new(view.encoding()),
            fields: Fields::default(),
            whole: Vec::new(),
            left: MOST_BYTES,
            seen: HashSet::new(),
        }
    }

    /// Returns true if the records of a leaf have the form of objects.
    fn is_of_schema(&mut self, page: &Page<'_>) -> bool {
        let (mut objects, mut others) = (0_usize, 0_usize);
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            if self.fields.read(cell.payload.local, cell.payload.len).is_err() {
                continue;
            }
            let (payload, fields) = self.decoder.decode_record(cell.payload.local, self.fields.all());
            let is_object = read_object(payload, fields).is_some_and(|object| {
                let sql = fields.get(4).and_then(|sql| payload.get(sql.from as usize..));
                let is_statement =
                    sql.is_some_and(|sql| sql.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case(b"CREATE ")));
                is_statement || (object.kind == ObjectKind::Index && object.name.starts_with(b"sqlite_autoindex_"))
            });
            if is_object {
                objects += 1;
            } else {
                others += 1;
            }
        }
        objects > 4 * others
    }

    /// Takes the objects of a page whose header or pointers are damaged, by their records: a header of five serial types, of which the first is that
    /// of a kind's word, before that word. Returns their number.
    fn carve(&mut self, bytes: &[u8], into: &mut Vec<SchemaObject>) -> usize {
        const WORDS: [&[u8]; 4] = [b"table", b"index", b"view", b"trigger"];
        let layout = self.view.layout();
        let usable = bytes.get(..layout.usable).unwrap_or_default();
        let before = into.len();
        let mut at = 0;
        while let Some(header) = usable.get(at..).and_then(|rest| rest.first()).copied().map(usize::from) {
            let begin = at;
            at += 1;
            if !(6..=20).contains(&header) {
                continue;
            }
            let Some(len) = record_len(usable.get(begin..begin + header).unwrap_or_default()) else {
                continue;
            };
            let here = layout.local(Kind::TableLeaf, len);
            let Some(local) = usable.get(begin..begin + here) else {
                continue;
            };
            if self.fields.read(local, len).is_err() || self.fields.all().len() != 5 {
                continue;
            }
            let is_kind = {
                let (payload, fields) = self.decoder.decode_record(local, self.fields.all());
                let word = fields.first().and_then(|field| payload.get(field.range()));
                word.is_some_and(|word| WORDS.contains(&word))
            };
            if !is_kind {
                continue;
            }
            let payload = if here < len {
                let first = usable.get(begin + here..begin + here + 4).and_then(|four| four.try_into().ok());
                let first = first.map_or(0, u32::from_be_bytes);
                if len > self.left || !self.payloads.read_payload(self.view, local, len, first, &mut self.whole) {
                    continue;
                }
                &self.whole
            } else {
                local
            };
            let (payload, fields) = self.decoder.decode_record(payload, self.fields.all());
            let Some(object) = read_object(payload, fields) else {
                continue;
            };
            if into.len() >= MOST_OBJECTS || payload.len() > self.left {
                break;
            }
            at = begin + here;
            if self.seen.insert((object.kind, object.name.to_ascii_lowercase())) {
                self.left -= payload.len();
                into.push(object);
            }
        }
        into.len() - before
    }

    /// Takes the rows of a leaf; returns true if every cell of it is an object that could be kept.
    pub fn take(&mut self, page: &Page<'_>, into: &mut Vec<SchemaObject>) -> bool {
        let mut count = 0;
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            let local = cell.payload.local;
            if self.fields.read(local, cell.payload.len).is_err() || self.fields.all().len() != 5 {
                continue;
            }
            let payload = match cell.payload.overflow {
                None => local,
                Some(_) if cell.payload.len > self.left => continue,
                Some(first) => {
                    if !self.payloads.read_payload(self.view, local, cell.payload.len, first, &mut self.whole) {
                        continue;
                    }
                    &self.whole
                }
            };
            let (payload, fields) = self.decoder.decode_record(payload, self.fields.all());
            let Some(object) = read_object(payload, fields) else {
                continue;
            };
            count += 1;
            let size = payload.len();
            if into.len() >= MOST_OBJECTS || size > self.left {
                return false;
            }
            // The first of one name is the one that SQLite takes.
            if self.seen.insert((object.kind, object.name.to_ascii_lowercase())) {
                self.left -= size;
                into.push(object);
            }
        }
        count == page.cells()
    }
}

/// Returns the length of a record of five fields by its header.
fn record_len(header: &[u8]) -> Option<usize> {
    let (len, used) = read_varint(header)?;
    let mut rest = header.get(used..)?;
    let mut sum = len;
    let mut count = 0;
    while !rest.is_empty() {
        let (serial, used) = read_varint(rest)?;
        rest = rest.get(used..)?;
        count += 1;
        sum = sum.checked_add(match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial,
            5 => 6,
            6 => 8,
            7 | 10 | 11 => return None,
            longer => (longer - 12) / 2,
        })?;
    }
    usize::try_from(sum).ok().filter(|_| count == 5)
}

/// Returns the object that a row of the schema describes, if it is one.
fn read_object(payload: &[u8], fields: &[Field]) -> Option<SchemaObject> {
    let [kind, name, table, root, sql] = fields else {
        return None;
    };
    let text = |field: &Field| payload.get(field.range()).filter(|_| field.class == Classes::TEXT);
    let kind = ObjectKind::from_word(text(kind)?)?;
    let root = match root.class {
        Classes::INTEGER => u32::try_from(root.integer(payload)?).unwrap_or(0),
        _ => 0,
    };
    Some(SchemaObject {
        kind,
        name: text(name)?.to_vec(),
        table: text(table)?.to_vec(),
        root,
        sql: text(sql).and_then(|sql| std::str::from_utf8(sql).ok()).map(str::to_owned),
    })
}
