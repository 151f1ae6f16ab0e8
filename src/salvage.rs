//! What can still be read of a damaged store, as SQL that makes a new one; and an account of what is lost.
//!
//! Every page is looked at, whatever leads to it; a row is found by its cell pointer, or by its own record header where the
//! pointer or the page's header is gone. The unique indexes say which rows are live, which are lost and which were deleted: what
//! they name is given, what all of them deny is not. Nothing is invented, nothing of the store is executed, nothing is written
//! but to the output, and memory is bounded on every file.
//!
//! Source of the format: "Database File Format", <https://www.sqlite.org/fileformat2.html>.

pub mod account;
mod attribute;
mod bits;
mod candidates;
mod chains;
mod ended;
mod engine;
mod entries;
mod evidence;
mod fit;
mod forest;
mod gaps;
mod journal;
mod known;
mod ledger;
mod literal;
mod log;
mod notes;
mod page_size;
mod rows;
mod space;
mod sql;
pub(crate) mod standing;
pub(crate) mod store;
mod view;

use std::io::Write;

pub use account::Account;
pub use ended::{Ended, Result};
pub use engine::Room;
pub use known::{Known, replay::known};

use self::account::{Nothing, Unsettled};
use self::bits::Bits;
use self::engine::{Engine, Output};
use self::fit::Hasher64;
use self::ledger::Ledger;
use self::sql::Printer;
use self::view::{Patch, View};
use crate::limits::stop::Stop;
use sqlite_format::header::Layout;
use sqlite_format::source::ReadAt;

/// The files of a store.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The database file.
    pub database: &'a dyn ReadAt,
    /// Its rollback journal, where that is hot: a writer that is gone left it, and its super-journal, if it names one, is there.
    pub journal: Option<&'a dyn ReadAt>,
    /// Its write-ahead log, where there is one with anything in it.
    pub log: Option<&'a dyn ReadAt>,
}

/// Writes all that can still be read as SQL. `unchanged` is asked at the end whether the files are what they were: without that,
/// there is no COMMIT.
///
/// # Errors
/// Why it ended early. Then the output has no COMMIT either.
pub fn salvage(
    files: Files<'_>,
    known: &Known,
    out: &mut dyn Write,
    unchanged: &dyn Fn() -> bool,
    stop: &Stop,
) -> Result<Account> {
    within(files, known, out, unchanged, stop, Room::default())
}

/// The same within so much room for each pass.
///
/// # Errors
/// As [`salvage`].
pub fn within(
    files: Files<'_>,
    known: &Known,
    out: &mut dyn Write,
    unchanged: &dyn Fn() -> bool,
    stop: &Stop,
    room: Room,
) -> Result<Account> {
    let mut account = Account::default();
    let mut head = [0; 100];
    let has_head = files.database.read_exact_at(&mut head, 0).is_ok();
    let of_head = has_head.then(|| page_size::of_header(&head)).flatten();
    let own = of_head.map(|layout| layout.page_size);
    let frames = match files.log {
        Some(log) => log::frames(log, own, stop)?,
        None => None,
    };
    let before = files.journal.map(|journal| journal::before(journal, own, stop)).transpose()?;
    account.unsettled = match (&before, &frames) {
        (Some(before), _) if before.is_cut || before.damaged > 0 => Some(Unsettled::Journal),
        (_, Some(frames)) if frames.pages.is_empty() => Some(Unsettled::Log),
        _ => None,
    };
    let before = before.filter(journal::Before::has_pages);
    let layout = match of_head {
        Some(layout) => Some(layout),
        None => match (&frames, &before) {
            (Some(frames), _) if !frames.pages.is_empty() => Layout::new(frames.page_size, 0),
            (_, Some(before)) => Layout::new(before.page_size, 0),
            _ => page_size::guess(files.database, stop)?,
        },
    };
    let Some(layout) = layout else {
        account.nothing = Some(Nothing::NoPages);
        return Ok(account);
    };
    let layout = page_size::with_reserved(files.database, layout, stop)?;
    let is_of_another = |frames: &log::Frames| !frames.pages.is_empty() && frames.page_size != layout.page_size;
    let is_of_another = frames.as_ref().is_some_and(is_of_another);
    account.log_unread = is_of_another || files.log.is_some_and(|log| !log::is_one(log));
    let mut pages = None;
    let mut patch = None;
    // What has pages of another size is another database's.
    if let (Some(before), Some(journal)) = (before.filter(|before| before.page_size == layout.page_size), files.journal)
    {
        account.damaged_frames = before.damaged;
        account.pages_behind = before.behind.len() as u64;
        pages = Some(before.size);
        patch = Some(Patch {
            from: journal,
            pages: before.pages,
            behind: before.behind,
        });
    } else if let (Some(frames), Some(log)) = (frames.filter(|frames| frames.page_size == layout.page_size), files.log)
    {
        account.damaged_frames = frames.damaged;
        account.pages_behind = frames.behind.len() as u64;
        pages = frames.size;
        patch = Some(Patch {
            from: log,
            pages: frames.pages,
            behind: frames.behind,
        });
    }
    let view = View::new(files.database, layout, patch, pages)?.with_encoding(stop)?;
    let mut forest = forest::survey(&view, known, stop)?;
    let known = &known.clone().with_columns(&forest.columns);
    let hasher = Hasher64::default();
    attribute::attribute(&view, known, &mut forest, &hasher, stop)?;
    let ledger = ledger::read(&view, known, &forest, stop)?;
    if ledger.newer {
        account.nothing = Some(Nothing::Newer);
        return Ok(account);
    }
    let mut printer = Printer::new(out, known, &ledger.schema, view.encoding());
    printer.begin()?;
    let ended = Engine {
        view: &view,
        known,
        forest: &mut forest,
        hasher: &hasher,
        stop,
        room,
    }
    .run(&mut Output {
        printer: &mut printer,
        account: &mut account,
    })
    .and_then(|given| {
        gaps::note(&view, known, &forest, stop, &mut account)?;
        Ok(given)
    })
    .and_then(|given| made_anew(&ledger, &given, known, &mut printer, &mut account));
    account.committed = ended.is_ok() && account.given() > 0 && stop.reason().is_none() && unchanged();
    printer.end(account.committed)?;
    ended.map(|()| account)
}

/// Writes the rows of the ledger that were lost, and not given after all: the new store has what these migrations make.
fn made_anew(
    ledger: &Ledger,
    given: &Bits,
    known: &Known,
    printer: &mut Printer<'_>,
    account: &mut Account,
) -> Result<()> {
    // Where no row of any table was found, there is no store to speak of.
    if account.given() == 0 {
        return Ok(());
    }
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let is_lost = |id: i64| ledger.lost.contains(&id) && !given.has(id);
    for migration in known.migrations.iter().filter(|migration| is_lost(migration.id)) {
        printer.comment("no row of the ledger says whether it was applied; its time is that of this salvage:")?;
        printer.migration(migration.id, migration.names.first().map_or("", String::as_str), &now)?;
        account.ledger_made_anew.push(migration.id);
    }
    Ok(())
}
