//! Of which tables rows may be gone that nothing names: a page of theirs is not there or is damaged, and no index of theirs is
//! whole.

use super::account::Account;
use super::ended::Result;
use super::forest::Forest;
use super::known::Known;
use super::notes::Owner;
use super::space::{adds_up, free_space};
use super::view::View;
use crate::limits::stop::Stop;
use sqlite_format::page::{Kind, Page};

/// Notes in the account of which tables nobody knows how many rows they had. The ledger is none of them: what it must have held
/// is known.
///
/// # Errors
/// When it is time to stop.
pub fn note(view: &View<'_>, known: &Known, forest: &Forest, stop: &Stop, account: &mut Account) -> Result<()> {
    for (of, all_there) in account.tables.iter_mut().zip(&forest.all_there) {
        of.is_open = !of.all_are_named && !all_there;
    }
    let notes = &forest.notes;
    let mut free = Vec::new();
    let want =
        |number: u32| matches!(notes.owner(number), Owner::Table(_)) && notes.kind(number) == Some(Kind::TableLeaf);
    view.each(stop, &want, &mut |number, bytes| {
        let Owner::Table(table) = notes.owner(number) else {
            return Ok(());
        };
        if let Some(of) = account.tables.get_mut(table).filter(|of| !of.all_are_named && !of.is_open) {
            let is_sound = Page::parse(view.layout(), number, bytes).is_ok_and(|page| {
                free.clear();
                free_space(&page, &mut free);
                adds_up(&page, &free)
            });
            of.is_open = !is_sound || view.is_behind(number);
        }
        Ok(())
    })?;
    if let Some(ledger) = account.tables.get_mut(known.ledger) {
        ledger.is_open = false;
    }
    Ok(())
}
