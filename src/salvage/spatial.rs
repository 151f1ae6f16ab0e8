//! Reads the rows of R-trees: the cells of the nodes that are leaves, and the auxiliary columns, which lie in a table of their own.
//!
//! Source: "R-Tree Module", <https://www.sqlite.org/rtree.html>: a node is a blob with a depth, a number of cells, and cells of an
//! integer of eight bytes and coordinates of four bytes each.

use std::collections::HashMap;

use super::Result;
use super::engine::Output;
use super::forest::Forest;
use super::literal;
use super::notes::Owner;
use super::row_layout::RowLayout;
use super::rowid_set::{RowidBudget, RowidSet};
use super::rows::RowFinder;
use super::schema::{Role, Spatial, StoreSchema};
use super::statement::quoted;
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::record::Classes;

/// The most rows of an R-tree whose nodes are kept.
const MOST_ROWS: usize = 300_000;

/// The longest auxiliary values that are kept, in bytes, of one row.
const LONGEST_AUXILIARY: usize = 4_000;

/// Writes the rows of all R-trees.
///
/// # Errors
/// Fails if the output cannot be written, or it is time to stop.
pub fn write_spatial_rows(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    stop: &Stop,
    out: &mut Output<'_, '_>,
) -> Result<()> {
    for (at, table) in schema.tables.iter().enumerate() {
        if let Role::Spatial(spatial) = table.role {
            write_rows(view, schema, forest, stop, (at, spatial), out)?;
        }
    }
    Ok(())
}

fn write_rows(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    forest: &Forest,
    stop: &Stop,
    (at, spatial): (usize, Spatial),
    out: &mut Output<'_, '_>,
) -> Result<()> {
    let notes = &forest.notes;
    let mut finder = RowFinder::new(view, schema);
    // The node of each row, and its auxiliary values as they are written.
    let mut rows: HashMap<i64, (i64, Vec<u8>)> = HashMap::new();
    let mut kept = 0;
    let encoding = view.encoding();
    view.each(stop, &|number| notes.owner(number) == Owner::Table(spatial.rows), &mut |number, bytes| {
        finder.page(number, bytes, notes, &mut |found| {
            let node = found.fields.get(1).and_then(|field| field.integer(found.payload));
            let (Some(rowid), Some(node), Some(RowLayout { .. })) = (found.rowid, node, found.fit) else {
                return Ok(());
            };
            let mut more = Vec::new();
            for field in found.fields.get(2..).unwrap_or_default() {
                more.push(b',');
                literal::write(&mut more, *field, found.payload, encoding)?;
            }
            if rows.len() < MOST_ROWS && more.len() <= LONGEST_AUXILIARY && kept < 16 << 20 {
                kept += more.len();
                rows.insert(rowid, (node, more));
            }
            Ok(())
        })
    })?;
    let mut given = RowidSet::within(&RowidBudget::default());
    let Some(table) = schema.tables.get(at) else {
        return Ok(());
    };
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let size = 8 + 4 * spatial.coordinates;
    view.each(
        stop,
        &|number| notes.owner(number) == Owner::Table(spatial.nodes),
        &mut |number, bytes| {
            finder.page(number, bytes, notes, &mut |found| {
                let blob = found.fields.get(1).filter(|field| field.class == Classes::BLOB);
                let (Some(node), Some(blob)) = (found.rowid, blob.and_then(|field| found.payload.get(field.range())))
                else {
                    return Ok(());
                };
                let count = blob.get(2..4).and_then(|two| two.try_into().ok()).map_or(0, u16::from_be_bytes);
                let cells = blob.get(4..).unwrap_or_default().chunks_exact(size).take(count.into());
                for cell in cells {
                    let Some((id, coordinates)) = cell.split_first_chunk::<8>() else {
                        continue;
                    };
                    let id = i64::from_be_bytes(*id);
                    let row = rows.get(&id).filter(|(of, _)| *of == node);
                    let Some((_, more)) = row else { continue };
                    if !given.insert(id)? {
                        continue;
                    }
                    let mut values = id.to_string().into_bytes();
                    for four in coordinates.chunks_exact(4).filter_map(|four| four.try_into().ok()) {
                        values.push(b',');
                        write_coordinate(&mut values, four, spatial.is_integer)?;
                    }
                    values.extend_from_slice(more);
                    let width = 1
                        + spatial.coordinates
                        + more.iter().take(1).len().min(1) * (columns.len() - 1 - spatial.coordinates);
                    let names = columns.get(..width).unwrap_or(&columns).join(",");
                    let values = String::from_utf8_lossy(&values).into_owned();
                    out.sql.write_statement(&format!(
                        "INSERT OR IGNORE INTO {}({names}) VALUES({values});",
                        quoted(&table.name)
                    ))?;
                    if let Some(summary) = out.summary.tables.get_mut(at) {
                        summary.given += 1;
                        summary.confirmed += 1;
                    }
                }
                Ok(())
            })
        },
    )?;
    let whole = [spatial.nodes, spatial.rows]
        .iter()
        .all(|part| forest.complete_tables.get(*part) == Some(&true));
    if let Some(summary) = out.summary.tables.get_mut(at) {
        summary.has_unknown_count = !whole;
    }
    Ok(())
}

fn write_coordinate(out: &mut Vec<u8>, four: [u8; 4], is_integer: bool) -> Result<()> {
    if is_integer {
        out.extend_from_slice(i32::from_be_bytes(four).to_string().as_bytes());
    } else {
        literal::write_real(out, f32::from_be_bytes(four).into())?;
    }
    Ok(())
}
