//! Salvages a damaged store: what can still be read, as SQL that makes a new one, and a summary of what is lost.
//!
//! Every page is read, whatever leads to it. A row is found by its cell pointer, or by its own record header where the pointer or
//! the page's header is gone. The unique indexes tell live, lost and deleted rows apart: what they name is given, what all of
//! them deny is not. Nothing is invented, nothing of the store is executed, nothing but the output is written, and memory is
//! bounded on every file.
//!
//! The order of the work: the log's or the journal's pages are laid over the file ([`view`]); each page gets an owner ([`forest`],
//! then [`attribution`] for trees that no schema names); the ledger says which schema the new store has ([`ledger`]); the
//! [`engine`] reads the indexes, finds the rows, and weighs those that are not plainly live; [`gaps`] says which tables had rows
//! that nothing names.
//!
//! Source of the format: "Database File Format", <https://www.sqlite.org/fileformat2.html>.

mod attribution;
mod candidates;
mod engine;
mod entries;
mod forest;
mod gaps;
mod indexed_rows;
mod journal;
mod ledger;
mod literal;
mod log;
mod notes;
mod page_size;
pub(crate) mod row_integrity;
mod row_layout;
mod rowid_set;
mod rows;
mod schema;
mod sql;
pub(crate) mod store;
pub mod summary;
mod view;

use std::io::{self, Write};

pub use engine::PassLimits;
pub use schema::{KnownStore, replay::describe_stores};
pub use summary::SalvageSummary;

use self::engine::{Engine, Output};
use self::ledger::Ledger;
use self::row_layout::KeyHasher;
use self::rowid_set::RowidSet;
use self::schema::KnownLedger;
use self::sql::SqlWriter;
use self::summary::{NothingSaved, UncertainCommits};
use self::view::{PageOverlay, StoreView};
use crate::limits::stop::{Stop, Stopped};
use sqlite_format::header::Layout;
use sqlite_format::source::ReadAt;

/// The reason why a salvage ended early. What it had written by then has no COMMIT.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The time limit or the user.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
    /// The store would need more memory than a salvage takes.
    #[error("{0}")]
    LimitExceeded(&'static str),
    /// The schema could not be built from the migrations.
    #[error(transparent)]
    Schema(#[from] crate::error::Error),
}

/// The result of a part of a salvage.
pub type Result<T, E = SalvageError> = std::result::Result<T, E>;

/// The files of a store.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The database file.
    pub database: &'a dyn ReadAt,
    /// Its rollback journal, where that is hot: a crashed writer left it, and its super-journal, if it names one, is there.
    pub journal: Option<&'a dyn ReadAt>,
    /// Its write-ahead log, where there is one that is not empty.
    pub log: Option<&'a dyn ReadAt>,
}

/// Writes all that can still be read as SQL. At the end `unchanged` compares the files with what they were; if they
/// changed, there is no COMMIT.
///
/// # Errors
/// Fails if it ended early. Then the output has no COMMIT either.
pub fn salvage(
    files: Files<'_>,
    known: &KnownStore,
    out: &mut dyn Write,
    unchanged: &dyn Fn() -> bool,
    stop: &Stop,
) -> Result<SalvageSummary> {
    salvage_within(files, known, out, unchanged, stop, PassLimits::default())
}

/// Writes all that can still be read as SQL, with these limits of memory for each pass.
///
/// # Errors
/// Fails as [`salvage`].
pub fn salvage_within(
    files: Files<'_>,
    known: &KnownStore,
    out: &mut dyn Write,
    unchanged: &dyn Fn() -> bool,
    stop: &Stop,
    limits: PassLimits,
) -> Result<SalvageSummary> {
    let mut summary = SalvageSummary::default();
    let mut head = [0; 100];
    let has_head = files.database.read_exact_at(&mut head, 0).is_ok();
    let of_head = has_head.then(|| page_size::of_header(files.database, &head)).flatten();
    let own = of_head.map(|layout| layout.page_size);
    let files = Files {
        log: files.log.filter(|log| !log::was_torn(*log, own)),
        ..files
    };
    let frames = match files.log {
        Some(log) => log::read_log(log, own, stop)?,
        None => None,
    };
    let read_journal = |journal| journal::read_journal(journal, files.database, own, stop);
    let before = files.journal.map(read_journal).transpose()?;
    summary.uncertain_commits = match (&before, &frames) {
        (Some(before), _) if before.is_cut || before.damaged > 0 => Some(UncertainCommits::Journal),
        (_, Some(frames)) if frames.pages.is_empty() => Some(UncertainCommits::Log),
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
        summary.nothing = Some(NothingSaved::NoPages);
        return Ok(summary);
    };
    let layout = page_size::with_reserved(files.database, layout, stop)?;
    let is_of_another = |frames: &log::LogPages| !frames.pages.is_empty() && frames.page_size != layout.page_size;
    let is_of_another = frames.as_ref().is_some_and(is_of_another);
    summary.has_unrelated_log = is_of_another || files.log.is_some_and(|log| !log::is_log(log));
    let mut pages = None;
    let mut overlay = None;
    // Pages of another size belong to another database.
    if let (Some(before), Some(journal)) = (before.filter(|before| before.page_size == layout.page_size), files.journal)
    {
        summary.damaged_frames = before.damaged;
        summary.stale_pages = before.stale.len() as u64;
        pages = Some(before.size);
        overlay = Some(PageOverlay {
            from: journal,
            pages: before.pages,
            stale: before.stale,
        });
    } else if let (Some(frames), Some(log)) = (frames.filter(|frames| frames.page_size == layout.page_size), files.log)
    {
        summary.damaged_frames = frames.damaged;
        summary.stale_pages = frames.stale.len() as u64;
        pages = frames.size;
        overlay = Some(PageOverlay {
            from: log,
            pages: frames.pages,
            stale: frames.stale,
        });
    }
    let view = StoreView::new(files.database, layout, overlay, pages)?.with_encoding(stop)?;
    let mut forest = forest::survey(&view, &known.schema, stop)?;
    if forest.is_anothers {
        summary.nothing = Some(NothingSaved::NotOurs);
        return Ok(summary);
    }
    (summary.other_names, summary.other_tables) = std::mem::take(&mut forest.other_tables);
    let known = &KnownStore {
        schema: known.schema.clone().with_columns(&forest.columns),
        ledger: known.ledger.clone(),
    };
    let hasher = KeyHasher::default();
    attribution::attribute_pages(&view, &known.schema, &mut forest, &hasher, stop)?;
    let ledger = ledger::read_ledger(&view, known, &forest, stop)?;
    if ledger.has_newer {
        summary.nothing = Some(NothingSaved::Newer);
        return Ok(summary);
    }
    let mut sql = SqlWriter::new(out, &known.schema, &ledger.target, view.encoding());
    sql.write_head()?;
    let ended = Engine {
        view: &view,
        schema: &known.schema,
        forest: &mut forest,
        hasher: &hasher,
        stop,
        limits,
    }
    .run(&mut Output {
        sql: &mut sql,
        summary: &mut summary,
    })
    .and_then(|given| {
        gaps::note_unknown_counts(&view, &forest, known.ledger.table, stop, &mut summary)?;
        restore_ledger_rows(&ledger, given.get(known.ledger.table), &known.ledger, &mut sql, &mut summary)
    });
    summary.committed = ended.is_ok() && summary.given() > 0 && stop.reason().is_none() && unchanged();
    sql.write_end(summary.committed)?;
    ended.map(|()| summary)
}

/// Writes the rows of the ledger that were lost and that no candidate gave back. The new store has what these migrations make: an
/// application that found them pending would apply them twice.
fn restore_ledger_rows(
    ledger: &Ledger,
    given: Option<&RowidSet>,
    known: &KnownLedger,
    sql: &mut SqlWriter<'_>,
    summary: &mut SalvageSummary,
) -> Result<()> {
    // Without a row of any table there is no store to speak of.
    if summary.given() == 0 {
        return Ok(());
    }
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let is_lost = |id: i64| ledger.lost.contains(&id) && !given.is_some_and(|given| given.contains(id));
    for migration in known.migrations.iter().filter(|migration| is_lost(migration.id)) {
        sql.write_comment("no row of the ledger says whether it was applied; its time is that of this salvage:")?;
        sql.write_ledger_row(known, migration.id, migration.names.first().map_or("", String::as_str), &now)?;
        summary.restored_ledger_rows.push(migration.id);
    }
    Ok(())
}
