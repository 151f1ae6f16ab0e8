//! Reads a whole store page by page, without SQLite, for several checks together: each page is read once, each record decoded
//! once.
//!
//! The result only ever says that something is sound. Wherever the reader finds a fault, SQLite is asked, and its words are
//! printed: so no store fails because of a fault in the reader. It reads only files for which no lock is
//! needed: those in place that are compared afterwards, and private copies. SQLite then holds no lock on these files either,
//! which closing a descriptor of theirs would drop.

mod values;

use std::fs::File;

use crate::application::Application;
use crate::limits::stop::{Stop, Stopped};
use crate::probe::{Probe, Sidecar, open_plain};
use crate::store::{Access, PlainFiles};
use sqlite_format::answer::{Answer, Checked};
use sqlite_format::check::Ask;
use sqlite_format::cross_check::CrossCheck;
use sqlite_format::damage::Damage;
use sqlite_format::encoding::Encoding;
use sqlite_format::interrupt::Interrupted;
use sqlite_format::reader::{Reader, pages_there};
use sqlite_format::schema::{Schema, Unsupported};
use sqlite_format::source::Overlay;
use sqlite_format::wal::{Committed, WalHeader, WalHeaderFault};
use values::Judge;
pub(crate) use values::{TableValues, ValueCounts, Values};

/// The parts of a store that are sound, in figures; `None` where SQLite has to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sound {
    /// The number of pages, when SQLite's integrity check would find no fault.
    pub pages: Option<u64>,
    /// The part that is not understood, when all else is sound.
    pub rest: Option<Rest>,
    /// The number of foreign keys, when all of them hold.
    pub foreign_keys: Option<u64>,
    /// The values that were judged, table by table.
    pub values: Option<Values>,
    /// The root pages of indexes whose entries are out of order, where their tables are sound.
    pub out_of_order: Vec<u32>,
}

impl Sound {
    /// Reads the store, if it may be read without SQLite. `judged`: the application by whose rules its values are judged, if any.
    /// SQLite must have opened the store before: only SQLite can tell that its schema loads.
    ///
    /// # Errors
    /// If it is time to stop.
    pub(crate) fn read(
        probe: &Probe,
        access: &Access<'_>,
        judged: Option<&Application>,
        stop: &Stop,
    ) -> Result<Self, Stopped> {
        let files = match Files::open(probe, access, stop) {
            Ok(files) => files,
            Err(NotRead::Stopped(why)) => return Err(why),
            Err(_) => return Ok(Self::default()),
        };
        let Ok(overlay) = files.overlay() else {
            return Ok(Self::default());
        };
        match Reader::open(&files.database, overlay.as_ref(), files.are_as_opened(), stop) {
            Ok(reader) => Self::of(&reader, judged, stop),
            Err(_) => stop.check().map(|()| Self::default()),
        }
    }

    fn of(reader: &Reader<'_>, judged: Option<&Application>, stop: &Stop) -> Result<Self, Stopped> {
        let pages = u64::from(reader.source().pages());
        let schema = reader.schema();
        // The rules are for text in UTF-8: another is judged as SQLite puts it into that.
        let judged = judged.filter(|_| schema.encoding == Encoding::Utf8);
        let judge = Judge::new(judged, schema);
        stop.reads_pages(pages);
        let checked = reader.check(&judge, &Ask::default(), stop);
        stop.reads_pages(0);
        let checked = checked.map_err(|Interrupted| stop.why_interrupted())?;
        Ok(Self {
            pages: checked.store.is_sound().then_some(pages),
            rest: Rest::of(pages, schema, &checked),
            foreign_keys: foreign_keys(schema, &checked),
            values: judged.map(|application| values::by_table(application, schema, &checked)),
            out_of_order: out_of_order(&checked),
        })
    }
}

/// The part of a store that the reader does not understand, where it finds all pages, and every other table and index, sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The number of pages.
    pub pages: u64,
    /// The tables that SQLite has to be asked about.
    pub tables: Vec<RestOfTable>,
}

/// The part of a table that the reader does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestOfTable {
    /// Its name.
    pub name: String,
    /// True when SQLite has to check its rows and indexes; false when only CHECK constraints are left.
    pub needs_check: bool,
    /// The condition that holds of each row that breaks a CHECK constraint, if it has any.
    pub broken_checks: Option<String>,
}

impl Rest {
    /// `None` when something is not sound, or is not known so well that it could be asked for table by table.
    fn of<S>(pages: u64, schema: &Schema, checked: &Checked<S>) -> Option<Self> {
        if !checked.pages.is_sound() || schema.beyond.is_some() || checked.store.is_sound() {
            return None;
        }
        let mut tables = Vec::new();
        for (table, checked) in schema.tables.iter().zip(&checked.tables) {
            let mut needs_check = false;
            for answer in [&checked.table].into_iter().chain(&checked.indexes) {
                match answer {
                    Answer::Sound => {}
                    Answer::NotUnderstood(Unsupported::Check) if table.rows_beyond.is_none() => {}
                    Answer::NotUnderstood(_) => needs_check = true,
                    Answer::PerhapsNot(_) => return None,
                }
            }
            let broken_checks = match (table.rows_beyond, table.rules_beyond) {
                // A virtual table has no rows of its own.
                (Some(Unsupported::VirtualTable), _) if table.root == 0 => None,
                // A statement that is not taken apart may have constraints.
                (None | Some(Unsupported::WithoutRowid | Unsupported::GeneratedColumn), None) => None,
                (None, Some(Unsupported::Check)) if checked.table.is_sound() => None,
                (None, Some(Unsupported::Check)) => Some(table.broken_checks()?),
                _ => return None,
            };
            if needs_check || broken_checks.is_some() {
                tables.push(RestOfTable {
                    name: table.name.clone(),
                    needs_check,
                    broken_checks,
                });
            }
        }
        Some(Self { pages, tables })
    }
}

/// Returns the root pages of indexes whose entries are out of order, where that is all that is wrong with them.
fn out_of_order<S>(checked: &Checked<S>) -> Vec<u32> {
    let tables = checked.tables.iter().filter(|table| table.table.is_sound());
    let faults = tables.flat_map(|table| &table.indexes).filter_map(|answer| match answer {
        Answer::PerhapsNot(fault) => Some(*fault),
        _ => None,
    });
    faults
        .filter(|fault| fault.damage == Damage::EntryOrder)
        .map(|fault| fault.root)
        .collect()
}

/// Returns the number of foreign keys of the application's tables, when all hold.
fn foreign_keys<S>(schema: &Schema, checked: &Checked<S>) -> Option<u64> {
    let is_own = |name: &str| name.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("sqlite_"));
    let all = schema.tables.iter().filter(|table| table.root != 0 && !is_own(&table.name));
    let keys = all.map(|table| table.foreign_keys.len() as u64).sum();
    checked.foreign_keys.is_sound().then_some(keys)
}

/// Holds the indexes of a damaged store against their tables, and looks at the pages that nothing leads to. `None` when its files
/// cannot be read without SQLite.
///
/// # Errors
/// If it is time to stop.
pub(crate) fn cross_check(probe: &Probe, access: &Access<'_>, stop: &Stop) -> Result<Option<CrossCheck>, Stopped> {
    match Files::open(probe, access, stop) {
        Ok(files) => match files.overlay() {
            Ok(overlay) => cross_check_file(&files.database, overlay.as_ref(), stop),
            Err(_) => Ok(None),
        },
        Err(NotRead::Stopped(why)) => Err(why),
        Err(_) => Ok(None),
    }
}

/// Does so for a database file, such as a private copy.
///
/// # Errors
/// If it is time to stop.
pub(crate) fn cross_check_file(
    database: &File,
    overlay: Option<&Overlay<'_>>,
    stop: &Stop,
) -> Result<Option<CrossCheck>, Stopped> {
    let Ok((header, source)) = pages_there(database, overlay) else {
        return Ok(None);
    };
    let facts = CrossCheck::read(&header, &source, stop);
    facts.map(Some).map_err(|Interrupted| stop.why_interrupted())
}

/// The most frames of a log that are laid over the database; with more, SQLite reads.
const MOST_FRAMES: usize = 1 << 18;

/// The reason for which the files are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRead {
    /// Only SQLite may read them.
    #[error("the store could only be read through SQLite, beside those who write to it")]
    OnlyBySqlite,
    /// The database file could not be opened.
    #[error("the database file could not be opened to be read page by page")]
    Database,
    /// The log cannot be read, or is longer than the reader takes.
    #[error("the WAL could not be laid over the pages: it is another store's, too long, or unreadable")]
    Log,
    /// It was time to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The files of a store, opened to be read without SQLite: the database and, if one lies over it, its log.
pub(crate) struct Files {
    pub(crate) database: File,
    log: Option<Log>,
}

impl Files {
    /// Opens them, if they may be read without a lock.
    pub(crate) fn open(probe: &Probe, access: &Access<'_>, stop: &Stop) -> Result<Self, NotRead> {
        let PlainFiles { database, wal } = access.plain_files(probe).ok_or(NotRead::OnlyBySqlite)?;
        let database = open_plain(database).map_err(|_| NotRead::Database)?;
        let log = wal.map(|wal| Log::open(probe, wal, stop)).transpose()?.flatten();
        Ok(Self { database, log })
    }

    /// Returns the pages that the log lays over the database.
    pub(crate) fn overlay(&self) -> Result<Option<Overlay<'_>>, NotRead> {
        match &self.log {
            Some(Log { file, committed, .. }) if committed.pages > 0 => {
                let overlay =
                    Overlay::new(file, committed.page_size, committed.pages, committed.frames.iter().copied());
                overlay.map(Some).ok_or(NotRead::Log)
            }
            _ => Ok(None),
        }
    }

    /// Returns true when nothing was written to the log since the probe, and so since SQLite opened the store.
    fn are_as_opened(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.is_as_opened)
    }
}

/// A log that lies over the database.
struct Log {
    file: File,
    committed: Committed,
    is_as_opened: bool,
}

impl Log {
    /// Opens it; `None` for a log in whose place SQLite reads none: it ignores one with a damaged header (`wal.c`,
    /// `walIndexRecover`), unless its version is one that it does not know.
    fn open(probe: &Probe, wal: &Sidecar, stop: &Stop) -> Result<Option<Self>, NotRead> {
        let header = match WalHeader::parse(&wal.head) {
            Ok(Some(header)) if probe.header().is_some_and(|of| of.is_wal() && of.page_size == header.page_size) => {
                header
            }
            Ok(None) | Err(WalHeaderFault::Magic | WalHeaderFault::PageSize(_) | WalHeaderFault::Checksum) => {
                return Ok(None);
            }
            Ok(Some(_)) | Err(WalHeaderFault::Version(_)) => return Err(NotRead::Log),
        };
        let file = open_plain(&wal.path).map_err(|_| NotRead::Log)?;
        let committed = Committed::read(&file, &header, MOST_FRAMES, stop);
        let committed = committed.map_err(|Interrupted| stop.why_interrupted())?.ok_or(NotRead::Log)?;
        Ok(Some(Self {
            file,
            committed,
            is_as_opened: wal.is_unchanged(),
        }))
    }
}

#[cfg(test)]
mod tests;
