//! Reads one tree cell by cell, in its order, on the calling thread: for small trees, and for trees that are read again.

use super::damage::{Damage, Result};
use super::page::{Cell, Page};
use super::source::Source;
use crate::interrupt::Interrupt;

/// The maximum number of levels of a tree. SQLite follows 20; one of 16 levels would hold more than any disk.
pub const MOST_LEVELS: usize = 16;

/// A page on the path from the root, and the index of its next child or cell.
struct ScanLevel {
    number: u32,
    bytes: Vec<u8>,
    next: usize,
}

/// Calls `each` for each cell of a tree that holds a row or an entry. No page is read twice, unless the tree is damaged; then not
/// more pages are read than there are in the store.
///
/// # Errors
/// Fails with the first damage, the error of `each`, or [`Damage::Stopped`].
pub fn scan(
    source: &Source<'_>,
    root: u32,
    stop: &dyn Interrupt,
    each: &mut dyn FnMut(&Cell<'_>) -> Result<()>,
) -> Result<()> {
    let mut left = source.pages();
    let mut levels: Vec<ScanLevel> = Vec::new();
    let mut spare = Vec::new();
    let mut down = Some(root);
    loop {
        if let Some(number) = down.take() {
            left = left.checked_sub(1).ok_or(Damage::UsedTwice)?;
            if left.is_multiple_of(64) && stop.is_due() {
                return Err(Damage::Stopped);
            }
            if levels.len() == MOST_LEVELS {
                return Err(Damage::TooDeep);
            }
            let mut bytes: Vec<u8> = spare.pop().unwrap_or_default();
            bytes.resize(source.layout().page_size, 0);
            source.page(number, &mut bytes)?;
            levels.push(ScanLevel { number, bytes, next: 0 });
        }
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        let page = Page::parse(source.layout(), level.number, &level.bytes)?;
        let at = level.next;
        level.next += 1;
        if page.kind().is_leaf() {
            for at in 0..page.cells() {
                each(&page.cell(at)?)?;
            }
        } else if at <= page.cells() {
            // The entry that stands between two children of an index comes between them.
            if let (false, Some(before)) = (page.kind().is_table(), at.checked_sub(1)) {
                each(&page.cell(before)?)?;
            }
            down = Some(page.child(at)?);
            continue;
        }
        spare.extend(levels.pop().map(|level| level.bytes));
    }
}
