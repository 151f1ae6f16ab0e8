//! Reads the rows of tables WITHOUT ROWID: the entries of the tree of their primary key, on its leaves and its interior pages.

use super::Result;
use super::engine::Output;
use super::forest::Forest;
use super::gaps::{adds_up, free_space};
use super::notes::Owner;
use super::row_layout::{RowLayout, has_invalid_value};
use super::schema::{Role, StoreSchema};
use super::sql::SqlRow;
use super::view::{PayloadReader, StoreView};
use crate::limits::stop::Stop;
use sqlite_format::encoding::Decoder;
use sqlite_format::page::Page;
use sqlite_format::record::Fields;

/// Writes the rows of all tables WITHOUT ROWID.
///
/// # Errors
/// Fails if the output cannot be written, or it is time to stop.
pub fn write_keyed_rows(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    stop: &Stop,
    out: &mut Output<'_, '_>,
) -> Result<()> {
    let notes = &forest.notes;
    let table_of = |number: u32| match notes.owner(number) {
        Owner::Table(table) => schema.tables.get(table).filter(|table| table.role == Role::Keyed).map(|_| table),
        _ => None,
    };
    let mut payloads = PayloadReader::new(view.pages());
    let mut decoder = Decoder::new(view.encoding());
    let (mut fields, mut whole, mut free) = (Fields::default(), Vec::new(), Vec::new());
    view.each(stop, &|number| table_of(number).is_some(), &mut |number, bytes| {
        let (Some(table), Ok(page)) = (table_of(number), Page::parse(view.layout(), number, bytes)) else {
            return Ok(());
        };
        let fit = RowLayout { table, layout: 0 };
        free.clear();
        free_space(&page, &mut free);
        let is_sound = adds_up(&page, &free);
        // In a sound page no byte is in two cells.
        let mut left = 8 * bytes.len();
        for cell in page.all_cells().filter_map(std::result::Result::ok) {
            let local = cell.payload.local;
            let Some(still) = left.checked_sub(local.len()) else {
                break;
            };
            left = still;
            if cell.at < 8 || fields.read(local, cell.payload.len).is_err() {
                continue;
            }
            let takes = schema
                .tables
                .get(table)
                .is_some_and(|of| of.layouts.first().is_some_and(|layout| of.takes_fields(layout, fields.all().len())));
            let payload = match cell.payload.overflow {
                _ if !takes => continue,
                None => local,
                Some(first) => {
                    if !payloads.read_payload(view, local, cell.payload.len, first, &mut whole) {
                        continue;
                    }
                    &whole
                }
            };
            let (payload, fields) = decoder.decode_record(payload, fields.all());
            let line = SqlRow {
                fit,
                rowid: None,
                fields,
                payload,
            };
            let odd = has_invalid_value(schema, fit, fields, payload);
            if (odd && !is_sound) || !out.sql.takes_row(&line, 0)? {
                if let Some(summary) = out.summary.tables.get_mut(table) {
                    // What is there twice stands in the place of something else.
                    summary.unnamed += 1;
                    summary.has_unknown_count = true;
                }
                continue;
            }
            out.sql.write_row(&line)?;
            if let Some(summary) = out.summary.tables.get_mut(table) {
                summary.given += 1;
                if odd {
                    summary.flagged.add(None, None);
                }
            }
        }
        Ok(())
    })?;
    out.summary.too_long += payloads.too_long;
    Ok(())
}
