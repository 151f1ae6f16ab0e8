//! Finds the migrations that a damaged store had: those of its ledger when that is whole, otherwise all that are known.
//!
//! When no schema says which pages are the ledger's, it is the one page that holds known migrations under their names.

use std::collections::BTreeSet;

use super::Result;
use super::forest::Forest;
use super::notes::Owner;
use super::row_layout::has_invalid_value;
use super::rows::{Origin, RowFinder};
use super::schema::replay::{TargetSchema, build_target_schema};
use super::schema::{KnownLedger, StoreSchema};
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::Classes;

/// The content of the ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Known migrations whose rows are there.
    pub found: BTreeSet<i64>,
    /// Known migrations that the schema has, and whose rows are not there.
    pub lost: BTreeSet<i64>,
    /// True if migrations are applied that are not known.
    pub has_newer: bool,
    /// The schema of the new store.
    pub target: TargetSchema,
}

/// Reads the ledger.
///
/// # Errors
/// Fails if it is time to stop, or the known migrations cannot be applied.
pub fn read_ledger(
    view: &StoreView<'_>,
    schema: &StoreSchema,
    known: &KnownLedger,
    forest: &Forest,
    stop: &Stop,
) -> Result<Ledger> {
    let mut out = Ledger::default();
    let rooted = forest.rooted.get(known.table).copied().unwrap_or(false);
    let notes = &forest.notes;
    let want = |number: u32| match notes.owner(number) {
        Owner::Table(table) => table == known.table,
        Owner::Unowned => !rooted && notes.kind(number) == Some(Kind::TableLeaf),
        _ => false,
    };
    let mut finder = RowFinder::new(view, schema);
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
            if fit.table != known.table || found.origin < Origin::Orphan {
                return Ok(());
            }
            rows += 1;
            let name = found.fields.get(1).filter(|field| field.class == Classes::TEXT);
            let name = name.and_then(|field| found.payload.get(field.range())).unwrap_or_default();
            let is_odd = !rooted && has_invalid_value(schema, fit, found.fields, found.payload);
            let is_named = known.has_migration_named(name);
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
        out.has_newer |= unknown;
        out.found.append(&mut here);
        let cells = Page::parse(view.layout(), number, bytes).map_or(0, |page| page.cells());
        whole &= !view.is_stale(number);
        whole &= notes.kind(number) != Some(Kind::TableLeaf) || rows == cells;
        Ok(())
    })?;
    whole &= rooted || leaves == 1;
    let all: BTreeSet<i64> = known.migrations.iter().map(|migration| migration.id).collect();
    let last = build_target_schema(schema, known, &all)?;
    if whole
        && !out.found.is_empty()
        && let Ok(target) = build_target_schema(schema, known, &out.found)
        && !is_stale(schema, forest, &target, &last)
    {
        out.target = target;
        return Ok(out);
    }
    out.target = last;
    out.lost = all.difference(&out.found).copied().collect();
    Ok(out)
}

/// Returns true if the store's own tables have columns that come with a migration which its ledger does not have: then the
/// ledger's page is stale.
fn is_stale(schema: &StoreSchema, forest: &Forest, target: &TargetSchema, last: &TargetSchema) -> bool {
    let tables = schema.tables.iter().zip(&forest.columns).zip(target.columns.iter().zip(&last.columns));
    tables.into_iter().any(|((table, names), (now, last))| {
        let has = |column: &str| names.iter().flatten().any(|name| name.eq_ignore_ascii_case(column));
        let columns = table.columns.iter().zip(now.iter().zip(last));
        columns
            .into_iter()
            .any(|(column, (now, last))| now.is_none() && last.is_some() && has(&column.name))
    })
}
