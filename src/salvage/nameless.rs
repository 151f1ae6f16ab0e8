//! Gives the rows of tables whose statement cannot be used: under another name, with numbered columns, behind everything else.

use std::collections::BTreeMap;

use super::Result;
use super::engine::Output;
use super::forest::Forest;
use super::notes::Owner;
use super::schema::{Role, StoreSchema};
use super::view::{PayloadReader, StoreView};
use crate::limits::stop::Stop;
use sqlite_format::encoding::Decoder;
use sqlite_format::page::Page;
use sqlite_format::record::Fields;

/// Writes the rows of all tables without a name.
///
/// # Errors
/// Fails if the output cannot be written, or it is time to stop.
pub fn write_nameless_rows(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    stop: &Stop,
    out: &mut Output<'_, '_>,
) -> Result<()> {
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    each_row(
        view,
        schema,
        forest,
        stop,
        &mut |table, _, fields, _| {
            let width = widths.entry(table).or_default();
            *width = (*width).max(fields);
            Ok(())
        },
        &mut |_| {},
    )?;
    let mut names = BTreeMap::new();
    for (table, width) in &widths {
        let name = schema.tables.get(*table).map_or_else(String::new, |table| table.name.clone());
        let columns: Vec<String> = (0..*width).map(|at| format!("c{at}")).collect();
        if *width > 0 && *width <= MOST_COLUMNS {
            out.sql.write_statement(&format!("CREATE TABLE {name}({});", columns.join(",")))?;
            names.insert(*table, name);
        }
    }
    let mut too_long = 0;
    each_row(
        view,
        schema,
        forest,
        stop,
        &mut |table, rowid, _, (fields, payload)| {
            let Some(name) = names.get(&table) else { return Ok(()) };
            out.sql.write_nameless(name, rowid, fields, payload)?;
            if let Some(summary) = out.summary.tables.get_mut(table) {
                summary.given += 1;
            }
            Ok(())
        },
        &mut |count| too_long = count,
    )?;
    out.summary.too_long += too_long;
    Ok(())
}

/// The most columns of a table.
const MOST_COLUMNS: usize = 2_000;

/// Takes a row: its table, its rowid, the number of its fields, its fields and its record.
type EachRow<'e> = dyn FnMut(usize, Option<i64>, usize, (&[sqlite_format::record::Field], &[u8])) -> Result<()> + 'e;

fn each_row(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    stop: &Stop,
    each: &mut EachRow<'_>,
    too_long: &mut dyn FnMut(u64),
) -> Result<()> {
    let table_of = |number: u32| match forest.notes.owner(number) {
        Owner::Table(table) => schema.tables.get(table).filter(|table| table.role == Role::Nameless).map(|_| table),
        _ => None,
    };
    if schema.tables.iter().all(|table| table.role != Role::Nameless) {
        return Ok(());
    }
    let mut payloads = PayloadReader::new(view.pages());
    let mut decoder = Decoder::new(view.encoding());
    let (mut fields, mut whole) = (Fields::default(), Vec::new());
    view.each(stop, &|number| table_of(number).is_some(), &mut |number, bytes| {
        let (Some(table), Ok(page)) = (table_of(number), Page::parse(view.layout(), number, bytes)) else {
            return Ok(());
        };
        let has_rowids = page.kind().is_table();
        let mut left = 8 * bytes.len();
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            let local = cell.payload.local;
            let Some(still) = left.checked_sub(local.len()) else {
                break;
            };
            left = still;
            if cell.at < 8
                || cell.payload.len == 0
                || fields.read(local, cell.payload.len).is_err()
                || fields.all().is_empty()
            {
                continue;
            }
            let payload = match cell.payload.overflow {
                None => local,
                Some(first) => {
                    if !payloads.read_payload(view, local, cell.payload.len, first, &mut whole) {
                        continue;
                    }
                    &whole
                }
            };
            let (payload, fields) = decoder.decode_record(payload, fields.all());
            each(table, has_rowids.then_some(cell.rowid), fields.len(), (fields, payload))?;
        }
        Ok(())
    })?;
    too_long(payloads.too_long);
    Ok(())
}
