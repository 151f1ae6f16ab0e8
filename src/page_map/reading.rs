//! A store's files → the map of its pages.
//!
//! It is read where the reader may read: without a lock, from files that are compared afterwards, or from a private copy. It is a
//! pass of its own, because a damaged store is the one of which a map is wanted: the pass that says "sound" leaves a tree at its
//! first oddity, this one goes on.

use super::names::Names;
use super::walk::Walk;
use super::{Builder, Mapped, PageMap};
use crate::limits::stop::{Stop, Stopped};
use crate::probe::Probe;
use crate::store::Access;
use crate::store::pass::{Files, NotRead};
use crate::text::words::thousands;
use sqlite_format::check::accounts::Accounts;
use sqlite_format::header::Header;
use sqlite_format::reader::pages_there;
use sqlite_format::source::{Overlay, ReadAt, Source};

/// What the checks have said of a store's pages.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether its pages are known to be sound: what the map's own look takes for odd is then no damage.
    pub is_sound: bool,
    /// The pages at which something is wrong.
    pub damaged: Vec<u32>,
}

/// The map of a store, or why there is none.
pub(crate) fn of_store(probe: &Probe, access: &Access<'_>, known: &Known, stop: &Stop) -> Mapped {
    match read(probe, access, known, stop) {
        Ok(mapped) => mapped,
        Err(why) => Mapped::no(why),
    }
}

fn read(probe: &Probe, access: &Access<'_>, known: &Known, stop: &Stop) -> Result<Mapped, NotRead> {
    let files = Files::open(probe, access, stop)?;
    let overlay = files.overlay()?;
    Ok(of_pages(&files.database, overlay.as_ref(), known, stop))
}

/// The map of a database file's pages, with those of its log laid over them; or why there is none.
pub(crate) fn of_pages(database: &dyn ReadAt, overlay: Option<&Overlay<'_>>, known: &Known, stop: &Stop) -> Mapped {
    let Ok((header, source)) = pages_there(database, overlay) else {
        return Mapped::no("the first page does not begin as a database does");
    };
    if source.pages() > Accounts::MOST_PAGES {
        let most = thousands(u64::from(Accounts::MOST_PAGES));
        return Mapped::no(format!("the store has more than {most} pages"));
    }
    drawn(&header, &source, overlay, known, stop).into()
}

/// The map of these pages.
fn drawn(header: &Header, source: &Source<'_>, overlay: Option<&Overlay<'_>>, known: &Known, stop: &Stop) -> PageMap {
    let mut builder = Builder::new(source.pages());
    for page in overlay.iter().flat_map(|overlay| overlay.numbers()) {
        builder.replaced(page);
    }
    for page in &known.damaged {
        builder.damaged(*page);
    }
    stop.reads_pages(source.pages().into());
    let walked = walk(header, source, &mut builder, known.is_sound, stop);
    stop.reads_pages(0);
    match walked {
        Ok(true) => builder.finish(),
        Ok(false) => builder.ended("the schema names more trees than are followed"),
        Err(why) => builder.ended(&why.to_string()),
    }
}

/// Walks all pages; whether all trees were walked.
fn walk(
    header: &Header,
    source: &Source<'_>,
    builder: &mut Builder,
    is_sound: bool,
    stop: &Stop,
) -> Result<bool, Stopped> {
    let mut walk = Walk::new(source, is_sound, stop);
    walk.outside_of_trees(builder, header)?;
    let schema = builder.table("sqlite_schema");
    let mut names = Names::new(source);
    walk.tree(builder, (schema, 1), &mut |cell| names.row(cell))?;
    let is_all = !names.are_more;
    for tree in names.told_to(builder) {
        walk.tree(builder, tree, &mut |_| ())?;
    }
    Ok(is_all)
}

#[cfg(test)]
mod tests;
