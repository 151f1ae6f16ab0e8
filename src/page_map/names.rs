//! The trees of a store as its `sqlite_schema` names them, read row by row: one that is odd spoils no other.

use std::collections::HashMap;

use super::{Builder, Tree};
use crate::text::words::cut;
use sqlite_format::overflow::Chain;
use sqlite_format::page::Cell;
use sqlite_format::record::{Classes, Field, Fields};
use sqlite_format::source::Source;

/// So many trees are walked at most.
const MOST_TREES: usize = 1 << 18;

/// So many of them keep a name until they are told to the map, which has room for no more.
const MOST_NAMED: usize = 4_096;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 160;

/// So much of a row is put together to find its names and its root page, in bytes.
const MOST_HELD: usize = 128 << 10;

/// The encoding of a store's text, as its header numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// A row of `sqlite_schema` that has a tree.
struct Entry {
    is_index: bool,
    name: String,
    /// The table that it belongs to.
    table: String,
    root: u32,
}

/// Gathers the trees of a store.
pub(super) struct Names<'s> {
    source: &'s Source<'s>,
    text: Text,
    entries: Vec<Entry>,
    /// Whether there were more than are walked.
    pub(super) are_more: bool,
    fields: Fields,
    held: Vec<u8>,
    page: Vec<u8>,
}

impl<'s> Names<'s> {
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        let mut encoding = [0; 4];
        // What cannot be read is no name that matters.
        let read = source.part(1, 56, &mut encoding);
        let text = match (read, u32::from_be_bytes(encoding)) {
            (Ok(()), 2) => Text::Utf16Le,
            (Ok(()), 3) => Text::Utf16Be,
            _ => Text::Utf8,
        };
        Self {
            source,
            text,
            entries: Vec::new(),
            are_more: false,
            fields: Fields::default(),
            held: Vec::new(),
            page: Vec::new(),
        }
    }

    /// Takes a row: `type`, `name`, `tbl_name`, `rootpage`, `sql`.
    pub(super) fn row(&mut self, cell: &Cell<'_>) {
        if let Some(entry) = self.entry(cell) {
            if self.entries.len() < MOST_TREES {
                self.entries.push(entry);
            } else {
                self.are_more = true;
            }
        }
    }

    fn entry(&mut self, cell: &Cell<'_>) -> Option<Entry> {
        let payload = &cell.payload;
        self.fields.read(payload.local, payload.len).ok()?;
        let [what, name, table, root] = *self.fields.all().first_chunk::<4>()?;
        // A damaged schema may lead to another table's rows, whose values are no names.
        let is_row =
            [what, name, table].iter().all(|field| field.class == Classes::TEXT) && root.class == Classes::INTEGER;
        if !is_row {
            return None;
        }
        self.held.clear();
        self.held.extend_from_slice(payload.local);
        // The names stand before the statement: they mostly lie in the page itself.
        let mut chain = Chain::new(self.source, payload);
        while self.held.len() < root.to as usize {
            if self.held.len() > MOST_HELD {
                return None;
            }
            chain.read(&mut self.page, &mut self.held).ok()?;
        }
        let root = root
            .integer(&self.held)
            .and_then(|root| u32::try_from(root).ok())
            .filter(|root| *root > 0)?;
        let is_index = match self.text(what).as_str() {
            "table" => false,
            "index" => true,
            _ => return None,
        };
        let keeps = self.entries.len() < MOST_NAMED;
        let text = |field| if keeps { self.text(field) } else { String::new() };
        Some(Entry {
            is_index,
            name: text(name),
            table: text(table),
            root,
        })
    }

    fn text(&self, field: Field) -> String {
        let bytes = self.held.get(field.range()).unwrap_or_default();
        let units = |of: fn([u8; 2]) -> u16| {
            let units = bytes.chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        };
        let text: String = match self.text {
            Text::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Text::Utf16Le => units(u16::from_le_bytes),
            Text::Utf16Be => units(u16::from_be_bytes),
        };
        cut(&text, LONGEST_NAME)
    }

    /// Tells a map the names, tables first, and gives back each tree with its root page.
    pub(super) fn told_to(self, builder: &mut Builder) -> Vec<(Tree, u32)> {
        let (indexes, tables): (Vec<Entry>, Vec<Entry>) = self.entries.into_iter().partition(|entry| entry.is_index);
        let mut by_name = HashMap::new();
        let mut trees = Vec::with_capacity(tables.len() + indexes.len());
        for entry in tables {
            let tree = builder.table(&entry.name);
            trees.push((tree, entry.root));
            by_name.insert(entry.name, tree);
        }
        for entry in indexes {
            let tree = builder.index(&entry.name, by_name.get(&entry.table).copied());
            trees.push((tree, entry.root));
        }
        trees
    }
}
