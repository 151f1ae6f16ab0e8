//! Reads `sqlite_schema`, as far as it can be read: the roots of the trees, and the names of the columns.

use std::collections::HashMap;

use super::{Forest, MOST_NAMES, MOST_ROOTS, Walker};
use crate::findings::LONGEST_NAME;
use crate::salvage::Result;
use crate::salvage::notes::Owner;
use crate::salvage::schema::StoreSchema;
use crate::salvage::view::{PayloadReader, StoreView};
use crate::text::escape::escape_untrusted;
use sqlite_format::encoding::Decoder;
use sqlite_format::page::{Kind, Page, Payload};
use sqlite_format::record::Fields;
use sqlite_format::schema::StoredRow;
use sqlite_format::schema::table::{self, Statement};

/// The roots that `sqlite_schema` names.
#[derive(Default)]
struct Roots {
    tables: Vec<(usize, u32)>,
    /// Indexes of known tables: the table, the index's name, its root.
    indexes: Vec<(usize, Vec<u8>, u32)>,
    other: Vec<u32>,
    /// The number of tables that are not known, but SQLite's own.
    other_tables: u64,
    /// The names of the first of them.
    other_names: Vec<String>,
    /// Each known table as its own statement has it.
    statements: Vec<Option<Statement>>,
}

impl Walker<'_> {
    /// Returns the roots that the schema names: those of known tables first, then their indexes', then all others.
    pub(super) fn read_roots(&mut self, schema: &StoreSchema, forest: &mut Forest) -> Result<Vec<(Owner, u32)>> {
        let mut roots = Roots::default();
        roots.statements.resize_with(schema.tables.len(), || None);
        let trees = schema.trees();
        forest.notes.set_owner(1, Owner::Unowned);
        let mut decoder = Decoder::new(self.view.encoding());
        let (pages, mut whole) = self.walk(1, Owner::Other, forest, None)?;
        forest.notes.set_owner(1, Owner::Other);
        let mut payloads = PayloadReader::new(self.view.pages());
        for number in pages {
            self.view.page(number, &mut self.bytes);
            if let Ok(page) = Page::parse(self.view.layout(), number, &self.bytes)
                && page.kind() == Kind::TableLeaf
            {
                let sound = roots.take(self.view, &page, &trees, &mut decoder, &mut payloads);
                whole &= sound == page.cells() && !self.view.is_stale(number);
            }
        }
        forest.are_others_known = whole;
        if whole && schema.has_known_values {
            roots.give_up_namesakes(schema);
        }
        if !schema.has_known_values {
            // What is no table of the schema is a part of one that is made anew.
            (roots.other_names, roots.other_tables) = (Vec::new(), 0);
        }
        forest.other_tables = (std::mem::take(&mut roots.other_names), roots.other_tables);
        forest.is_anothers = whole && roots.tables.is_empty() && roots.other_tables > 0;
        whole &= !roots.tables.is_empty();
        forest.complete_tables.fill(whole);
        let mut out: Vec<(Owner, u32)> =
            roots.tables.iter().map(|(table, root)| (Owner::Table(*table), *root)).collect();
        for (table, name, root) in &roots.indexes {
            let statement = roots.statements.get(*table).and_then(Option::as_ref);
            match find_key(schema, *table, name, statement) {
                Some(key) => out.push((Owner::Index(*table, key), *root)),
                None => roots.other.push(*root),
            }
        }
        out.extend(roots.other.iter().map(|root| (Owner::Other, *root)));
        forest.columns = roots
            .statements
            .into_iter()
            .map(|statement| Some(statement?.columns.into_iter().map(|column| column.name).collect()))
            .collect();
        Ok(out)
    }
}

impl Roots {
    /// Takes the rows of a page of the schema; returns how many of them are such as SQLite writes.
    fn take(
        &mut self,
        view: &StoreView<'_>,
        page: &Page<'_>,
        trees: &HashMap<Vec<u8>, usize>,
        decoder: &mut Decoder,
        payloads: &mut PayloadReader,
    ) -> usize {
        let mut sound = 0;
        let mut fields = Fields::default();
        let mut whole = Vec::new();
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            let Payload { len, local, overflow } = cell.payload;
            let is_whole = payloads.read_payload(view, local, len, overflow.unwrap_or(0), &mut whole);
            // The names and the root stand before the statement: mostly they are there even if its end is not.
            let payload = if is_whole { &whole } else { local };
            if fields.read(payload, cell.payload.len).is_err() || fields.all().len() != 5 {
                continue;
            }
            let (payload, fields) = decoder.decode_record(payload, fields.all());
            let row = StoredRow::new(payload, fields);
            let is_kind = |kind: &[u8]| [&b"table"[..], b"index", b"view", b"trigger"].contains(&kind);
            sound += usize::from(row.root().is_some() && row.kind().is_some_and(is_kind) && row.name().is_some());
            let (Some(root), Some(kind), Some(name)) = (row.root().filter(|root| *root > 1), row.kind(), row.name())
            else {
                continue;
            };
            let of = if kind == b"table" {
                name
            } else {
                row.table().unwrap_or_default()
            };
            let table = trees.get(&of.to_ascii_lowercase()).copied();
            match (kind, table) {
                (b"table", Some(table)) => {
                    self.tables.push((table, root));
                    let statement = row.sql().and_then(|sql| table::parse(std::str::from_utf8(sql).ok()?).ok());
                    if let Some(slot) = self.statements.get_mut(table) {
                        *slot = statement;
                    }
                }
                (b"index", Some(table)) => self.indexes.push((table, name.to_vec(), root)),
                _ => {
                    if kind == b"table" && !name.starts_with(b"sqlite_") {
                        self.note_other_table(&String::from_utf8_lossy(name));
                    }
                    if self.other.len() < MOST_ROOTS {
                        self.other.push(root);
                    }
                }
            }
        }
        sound
    }
}

impl Roots {
    /// Counts a table that is not known, and keeps its name if it is one of the first.
    fn note_other_table(&mut self, name: &str) {
        self.other_tables += 1;
        if self.other_names.len() < MOST_NAMES {
            self.other_names.push(escape_untrusted(name, LONGEST_NAME));
        }
    }

    /// Takes tables that have only the name of a known one for others: fewer than half of the columns of each version are theirs. That
    /// is only so where the schema is intact: a statement with a damaged letter is no namesake's.
    fn give_up_namesakes(&mut self, schema: &StoreSchema) {
        for (table, (of, statement)) in schema.tables.iter().zip(&mut self.statements).enumerate() {
            let Some(columns) = statement.as_ref().map(|statement| &statement.columns) else {
                continue;
            };
            let is_own = |name: &str| of.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
            let own = columns.iter().filter(|column| is_own(&column.name)).count();
            let fewest = of.layouts.iter().map(Vec::len).min().unwrap_or(0);
            if 2 * own >= fewest {
                continue;
            }
            *statement = None;
            self.other_tables += 1;
            if self.other_names.len() < MOST_NAMES {
                self.other_names.push(of.name.clone());
            }
            self.other
                .extend(self.tables.extract_if(.., |(at, _)| *at == table).map(|(_, root)| root));
            self.other
                .extend(self.indexes.extract_if(.., |(at, ..)| *at == table).map(|(.., root)| root));
        }
    }
}

/// Returns the key of a known table that an index has. SQLite numbers the indexes of constraints in the order of the table's own
/// statement, so that a name does not suffice where the store's statement has another order.
fn find_key(schema: &StoreSchema, table: usize, name: &[u8], statement: Option<&Statement>) -> Option<usize> {
    let number = std::str::from_utf8(name).ok().filter(|name| name.starts_with("sqlite_autoindex_"));
    let number = number.and_then(|name| name.rsplit('_').next()?.parse::<usize>().ok());
    if let (Some(statement), Some(number)) = (statement, number) {
        let columns = &statement.keys.get(number.checked_sub(1)?)?.columns;
        let names: Option<Vec<&str>> =
            columns.iter().map(|at| Some(statement.columns.get(*at)?.name.as_str())).collect();
        let names = names?;
        let of = schema.tables.get(table)?;
        let is_it = |columns: &[usize]| {
            let known = columns.iter().filter_map(|at| of.columns.get(*at));
            columns.len() == names.len()
                && known.zip(&names).all(|(column, name)| column.name.eq_ignore_ascii_case(name))
        };
        return of.keys.iter().position(|key| is_it(&key.columns));
    }
    schema.find_key(name).filter(|(of, _)| *of == table).map(|(_, key)| key)
}
