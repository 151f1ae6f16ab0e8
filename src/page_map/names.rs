//! The trees that `sqlite_schema` names, read row by row: a row that is damaged costs no other.

use std::collections::HashMap;

use super::{PageMapBuilder, TreeId};
use crate::text::words::cut;
use sqlite_format::encoding::Encoding;
use sqlite_format::overflow::Chain;
use sqlite_format::page::Cell;
use sqlite_format::record::Fields;
use sqlite_format::schema::StoredRow;
use sqlite_format::source::Source;

/// The most trees that are walked.
const MOST_TREES: usize = 1 << 18;

/// The most trees whose names are kept: a map has room for no more.
const MOST_NAMED: usize = 4_096;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 160;

/// The most bytes of a row that are put together to find its names and its root page.
const MOST_HELD: usize = 128 << 10;

/// A row of `sqlite_schema` that has a tree.
struct NamedRoot {
    is_index: bool,
    name: String,
    /// The table that it belongs to.
    table: String,
    root: u32,
}

/// Gathers the trees of a store.
pub(super) struct TreeNames<'s> {
    source: &'s Source<'s>,
    encoding: Encoding,
    roots: Vec<NamedRoot>,
    /// True if there were more than are walked.
    pub(super) has_more: bool,
    fields: Fields,
    payload: Vec<u8>,
    page: Vec<u8>,
}

impl<'s> TreeNames<'s> {
    /// Creates a gatherer without trees.
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        let mut number = [0; 4];
        // Without the header there are no names that matter.
        let encoding = match source.part(1, 56, &mut number) {
            Ok(()) => Encoding::from_number(u32::from_be_bytes(number)).unwrap_or_default(),
            Err(_) => Encoding::default(),
        };
        Self {
            source,
            encoding,
            roots: Vec::new(),
            has_more: false,
            fields: Fields::default(),
            payload: Vec::new(),
            page: Vec::new(),
        }
    }

    /// Takes a row of `sqlite_schema`.
    pub(super) fn take_row(&mut self, cell: &Cell<'_>) {
        if let Some(root) = self.read_row(cell) {
            if self.roots.len() < MOST_TREES {
                self.roots.push(root);
            } else {
                self.has_more = true;
            }
        }
    }

    fn read_row(&mut self, cell: &Cell<'_>) -> Option<NamedRoot> {
        let payload = &cell.payload;
        self.fields.read(payload.local, payload.len).ok()?;
        let root = *self.fields.all().get(3)?;
        self.payload.clear();
        self.payload.extend_from_slice(payload.local);
        // The names stand before the statement: they mostly lie in the page itself.
        let mut chain = Chain::new(self.source, payload);
        while self.payload.len() < root.to as usize {
            if self.payload.len() > MOST_HELD {
                return None;
            }
            chain.read(&mut self.page, &mut self.payload).ok()?;
        }
        // A damaged schema may lead to another table's rows. Their values must not become names, so all columns must fit.
        let row = StoredRow::new(&self.payload, self.fields.all());
        let (kind, name, table) = (row.kind()?, row.name()?, row.table()?);
        let root = row.root().filter(|root| *root > 0)?;
        let is_index = match self.encoding.decode_lossy(kind).as_str() {
            "table" => false,
            "index" => true,
            _ => return None,
        };
        let keeps_names = self.roots.len() < MOST_NAMED;
        let name_of = |stored| {
            if keeps_names {
                cut(&self.encoding.decode_lossy(stored), LONGEST_NAME)
            } else {
                String::new()
            }
        };
        Some(NamedRoot {
            is_index,
            name: name_of(name),
            table: name_of(table),
            root,
        })
    }

    /// Adds the trees to a map, tables first, and returns each with its root page.
    pub(super) fn add_to(self, builder: &mut PageMapBuilder) -> Vec<(TreeId, u32)> {
        let (indexes, tables): (Vec<_>, Vec<_>) = self.roots.into_iter().partition(|root| root.is_index);
        let mut by_name = HashMap::new();
        let mut trees = Vec::with_capacity(tables.len() + indexes.len());
        for table in tables {
            let tree = builder.add_table(&table.name);
            trees.push((tree, table.root));
            by_name.insert(table.name, tree);
        }
        for index in indexes {
            let tree = builder.add_index(&index.name, by_name.get(&index.table).copied());
            trees.push((tree, index.root));
        }
        trees
    }
}
