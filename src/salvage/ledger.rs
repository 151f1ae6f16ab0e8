//! Which migrations a damaged store had: by its ledger where that is whole, otherwise all that are known.
//!
//! Where no schema says which pages are the ledger's, it is the one page that holds known migrations under their names.

use std::collections::BTreeSet;

use super::ended::Result;
use super::fit::is_odd;
use super::forest::Forest;
use super::known::Known;
use super::known::replay::{Schema, schema};
use super::notes::Owner;
use super::rows::{Finder, Origin};
use super::view::View;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::Classes;

/// What the ledger says.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Known migrations whose rows are there.
    pub found: BTreeSet<i64>,
    /// Known migrations that the schema has, and whose rows are not there.
    pub lost: BTreeSet<i64>,
    /// Whether migrations are applied that are not known.
    pub newer: bool,
    /// The schema of the new store.
    pub schema: Schema,
}

/// Reads the ledger.
///
/// # Errors
/// When it is time to stop, or that the known migrations cannot be applied.
pub fn read(view: &View<'_>, known: &Known, forest: &Forest, stop: &Stop) -> Result<Ledger> {
    let mut out = Ledger::default();
    let rooted = forest.rooted.get(known.ledger).copied().unwrap_or(false);
    let notes = &forest.notes;
    let want = |number: u32| match notes.owner(number) {
        Owner::Table(table) => table == known.ledger,
        Owner::Nobody => !rooted && notes.kind(number) == Some(Kind::TableLeaf),
        _ => false,
    };
    let mut finder = Finder::new(view, known);
    let mut whole = true;
    let mut leaves = 0;
    view.each(stop, &want, &mut |number, bytes| {
        let mut rows = 0;
        let mut here = BTreeSet::new();
        let mut unknown = false;
        finder.page(number, bytes, notes, &mut |found| {
            let (Some(fit), Some(id)) = (found.fit, found.rowid) else {
                return Ok(());
            };
            if fit.table != known.ledger || found.origin < Origin::Stray {
                return Ok(());
            }
            rows += 1;
            let name = found.fields.get(1).filter(|field| field.class == Classes::TEXT);
            let name = name.and_then(|field| found.payload.get(field.range())).unwrap_or_default();
            let is_odd = !rooted && is_odd(known, fit, found.fields, found.payload);
            let is_named = known.is_name_of_a_migration(name);
            if known.migrations.iter().any(|migration| migration.id == id) {
                if rooted || (is_named && !is_odd) {
                    here.insert(id);
                }
            } else if !is_named && !is_odd {
                unknown = true;
            }
            Ok(())
        })?;
        if !rooted && here.is_empty() {
            return Ok(());
        }
        leaves += u32::from(notes.kind(number) == Some(Kind::TableLeaf));
        out.newer |= unknown;
        out.found.append(&mut here);
        let cells = Page::parse(view.layout(), number, bytes).map_or(0, |page| page.cells());
        whole &= !view.is_behind(number);
        whole &= notes.kind(number) != Some(Kind::TableLeaf) || rows == cells;
        Ok(())
    })?;
    whole &= rooted || leaves == 1;
    let all: BTreeSet<i64> = known.migrations.iter().map(|migration| migration.id).collect();
    let last = schema(known, &all)?;
    if whole
        && !out.found.is_empty()
        && let Ok(schema) = schema(known, &out.found)
        && !is_behind(known, forest, &schema, &last)
    {
        out.schema = schema;
        return Ok(out);
    }
    out.schema = last;
    out.lost = all.difference(&out.found).copied().collect();
    Ok(out)
}

/// Whether the store's own tables have columns that come with a migration which its ledger does not have: then the ledger's page
/// is an older state of it.
fn is_behind(known: &Known, forest: &Forest, schema: &Schema, last: &Schema) -> bool {
    let tables = known.tables.iter().zip(&forest.columns).zip(schema.columns.iter().zip(&last.columns));
    tables.into_iter().any(|((table, names), (now, last))| {
        let has = |column: &str| names.iter().flatten().any(|name| name.eq_ignore_ascii_case(column));
        let columns = table.columns.iter().zip(now.iter().zip(last));
        columns
            .into_iter()
            .any(|(column, (now, last))| now.is_none() && last.is_some() && has(&column.name))
    })
}
