//! Notes the tables of which rows may be lost that nothing names.
//!
//! A whole index names every row of its table, so that a lost row is known by its entry. Without one, only the table's own pages
//! tell how many rows there were, and only if all of them are there and add up: a page whose header, cells, free blocks and
//! fragments are not as many bytes as it has may have lost cells. So may a stale page, which is an older state of itself.

use super::Result;
use super::forest::Forest;
use super::notes::Owner;
use super::summary::SalvageSummary;
use super::view::StoreView;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};

/// Notes in the summary the tables whose number of rows is not known. The ledger is none of them: its rows follow from the
/// migrations.
///
/// # Errors
/// Fails if it is time to stop.
pub fn note_unknown_counts(
    view: &StoreView<'_>,
    forest: &Forest,
    ledger: Option<usize>,
    stop: &Stop,
    summary: &mut SalvageSummary,
) -> Result<()> {
    for (of, complete_tables) in summary.tables.iter_mut().zip(&forest.complete_tables) {
        of.has_unknown_count = !of.is_fully_indexed && !complete_tables;
    }
    let notes = &forest.notes;
    let mut free = Vec::new();
    let has_rows = |number: u32| match notes.kind(number) {
        // In the tree of a table WITHOUT ROWID every page has rows.
        Some(Kind::TableLeaf | Kind::IndexLeaf | Kind::IndexInterior) => true,
        _ => false,
    };
    let want = |number: u32| matches!(notes.owner(number), Owner::Table(_)) && has_rows(number);
    view.each(stop, &want, &mut |number, bytes| {
        let Owner::Table(table) = notes.owner(number) else {
            return Ok(());
        };
        if let Some(of) = summary.tables.get_mut(table).filter(|of| !of.is_fully_indexed && !of.has_unknown_count) {
            let is_sound = Page::parse(view.layout(), number, bytes).is_ok_and(|page| {
                free.clear();
                free_space(&page, &mut free);
                adds_up(&page, &free)
            });
            of.has_unknown_count = !is_sound || view.is_stale(number);
        }
        Ok(())
    })?;
    if let Some(ledger) = ledger.and_then(|ledger| summary.tables.get_mut(ledger)) {
        ledger.has_unknown_count = false;
    }
    Ok(())
}

/// Appends the ranges that a page's header says are free: between the cell pointers and the content, and the free blocks.
pub fn free_space(page: &Page<'_>, into: &mut Vec<(usize, usize)>) {
    let usable = page.bytes().len();
    if page.pointers_end() <= page.content_at() && page.content_at() <= usable {
        into.push((page.pointers_end(), page.content_at()));
    }
    let mut at = page.first_free_block();
    let two = |at: usize| page.bytes().get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
    // Free blocks ascend. One that does not ends the chain, so that there is no circle.
    while let (Some(next), Some(size)) = (two(at), two(at + 2)) {
        if at == 0 {
            break;
        }
        into.push((at, (at + usize::from(size)).min(usable)));
        if usize::from(next) <= at {
            break;
        }
        at = next.into();
    }
}

/// Returns true if a page's header, cells, free space and fragments are as many bytes as it has.
pub fn adds_up(page: &Page<'_>, free: &[(usize, usize)]) -> bool {
    let mut sum = page.pointers_end() + page.fragments() + free.iter().map(|(from, to)| to - from).sum::<usize>();
    for cell in page.all_cells() {
        let Ok(cell) = cell else { return false };
        sum += cell.size;
    }
    sum == page.bytes().len()
}
