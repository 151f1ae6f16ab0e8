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
mod keyed;
mod ledger;
mod literal;
mod log;
mod matching;
mod nameless;
mod notes;
mod page_size;
pub(crate) mod row_integrity;
mod row_layout;
mod rowid_set;
mod rows;
mod schema;
mod spatial;
mod sql;
mod statement;
pub(crate) mod store;
pub mod summary;
mod trial;
mod view;

use std::io::{self, Write};

pub use engine::PassLimits;
pub use schema::objects::{ObjectKind, SchemaObject};
pub use schema::{KnownStore, OwnSchema, replay::describe_stores};
pub use summary::SalvageSummary;

use self::engine::{Engine, Output};
use self::ledger::Ledger;
use self::notes::Owner;
use self::row_layout::KeyHasher;
use self::rowid_set::RowidSet;
use self::schema::statements::Described;
use self::schema::{KnownLedger, objects, statements};
use self::sql::SqlWriter;
use self::summary::{NothingSaved, UncertainCommits};
use self::view::{PageOverlay, StoreView};
use crate::limits::stop::{Stop, Stopped};
use sqlite_format::header::{Layout, MAGIC};
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
    let Some(view) = open_view(files, known.own.is_some(), &mut summary, stop)? else {
        return Ok(summary);
    };
    let described = match &known.own {
        Some(own) => Some(describe_own(&view, own, &mut summary, stop)?),
        None => None,
    };
    let (schema, target, roots) = match described {
        Some((described, roots)) => (described.schema, Some(described.target), Some(roots)),
        None => (known.schema.clone(), None, None),
    };
    let mut forest = forest::survey(&view, &schema, roots.as_deref(), stop)?;
    if forest.is_anothers && known.own.is_none() {
        summary.nothing = Some(NothingSaved::NotOurs);
        return Ok(summary);
    }
    (summary.other_names, summary.other_tables) = std::mem::take(&mut forest.other_tables);
    let schema = if schema.has_known_values {
        schema.with_columns(&forest.columns)
    } else {
        schema
    };
    let hasher = KeyHasher::default();
    attribution::attribute_pages(&view, &schema, &mut forest, &hasher, stop)?;
    let ledger = match &known.ledger {
        Some(known) => ledger::read_ledger(&view, &schema, known, &forest, stop)?,
        None => Ledger::default(),
    };
    if ledger.has_newer {
        summary.nothing = Some(NothingSaved::Newer);
        return Ok(summary);
    }
    let target = target.as_ref().unwrap_or(&ledger.target);
    let mut sql = SqlWriter::new(out, &schema, target, view.encoding());
    sql.write_head()?;
    let mut engine = Engine {
        view: &view,
        schema: &schema,
        forest: &mut forest,
        hasher: &hasher,
        stop,
        limits,
    };
    let ended = write_rows(&mut engine, known, &ledger, &mut sql, &mut summary);
    let has_content = summary.given() > 0 || (summary.is_any && !schema.tables.is_empty());
    summary.committed = ended.is_ok() && has_content && stop.reason().is_none() && unchanged();
    sql.write_end(summary.committed)?;
    summary.tables.retain(|table| !table.is_part);
    ended.map(|()| summary)
}

/// Reads the schema of another store of the same application: of a damaged one what is left of it.
///
/// # Errors
/// Fails if it is time to stop.
pub fn read_objects(files: Files<'_>, stop: &Stop) -> Result<Vec<SchemaObject>> {
    match open_view(files, true, &mut SalvageSummary::default(), stop)? {
        Some(view) => Ok(objects::read_schema(&view, stop)?.objects),
        None => Ok(Vec::new()),
    }
}

/// Lays the pages of a log or a journal over those of the file; `None` if nothing looks like a page. With `is_any`, the beginning of the file may
/// be missing.
fn open_view<'a>(
    files: Files<'a>,
    is_any: bool,
    summary: &mut SalvageSummary,
    stop: &Stop,
) -> Result<Option<StoreView<'a>>> {
    let mut head = [0; 100];
    let has_head = files.database.read_exact_at(&mut head, 0).is_ok();
    let of_head = has_head.then(|| page_size::of_header(files.database, &head)).flatten();
    // The pages outweigh a number in the header.
    let of_head = page_size::of_pages(files.database, of_head, stop)?.or(of_head);
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
        return Ok(None);
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
    let has_header = head.starts_with(&MAGIC[..]);
    let missing = if has_header || overlay.is_some() || !is_any {
        0
    } else {
        page_size::missing_pages(files.database, layout, stop)?
    };
    let view = StoreView::new(files.database, layout, overlay, pages)?
        .with_missing_pages(missing)
        .with_encoding(stop)?;
    Ok(Some(view))
}

/// Describes a store by its own schema.
fn describe_own(
    view: &StoreView<'_>,
    own: &OwnSchema,
    summary: &mut SalvageSummary,
    stop: &Stop,
) -> Result<(Described, Vec<(Owner, u32)>)> {
    let mut stored = objects::read_schema(view, stop)?;
    stored.complete_with(&own.given);
    if !stored.is_whole {
        matching::find_roots(view, &mut stored, stop)?;
    }
    let mut described = statements::describe(&stored.objects, own.with_triggers, stop)?;
    summary.is_any = true;
    summary.is_schema_damaged = !stored.is_whole;
    summary.remarks = std::mem::take(&mut described.remarks);
    described.target.add_header(view);
    let roots = statements::roots(&stored.objects, &stored.pages, &described.schema);
    Ok((described, roots))
}

/// Writes the rows of all tables.
fn write_rows(
    engine: &mut Engine<'_>,
    known: &KnownStore,
    ledger: &Ledger,
    sql: &mut SqlWriter<'_>,
    summary: &mut SalvageSummary,
) -> Result<()> {
    let given = engine.run(&mut Output { sql, summary })?;
    let (view, schema, forest, stop) = (engine.view, engine.schema, &*engine.forest, engine.stop);
    gaps::note_unknown_counts(view, forest, known.ledger.as_ref().map(|ledger| ledger.table), stop, summary)?;
    keyed::write_keyed_rows(view, schema, forest, stop, &mut Output { sql, summary })?;
    spatial::write_spatial_rows(view, schema, forest, stop, &mut Output { sql, summary })?;
    nameless::write_nameless_rows(view, schema, forest, stop, &mut Output { sql, summary })?;
    match &known.ledger {
        Some(known) => restore_ledger_rows(ledger, given.get(known.table), known, sql, summary),
        None => Ok(()),
    }
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
