//! The files of a store, opened to be read without SQLite: the database and, where one lies over it, its log.

use std::fs::File;

use crate::limits::stop::{Stop, Stopped};
use crate::probe::{Probe, Sidecar, open_plain};
use crate::store::{Access, PlainFiles};
use sqlite_format::interrupt::Interrupted;
use sqlite_format::source::Overlay;
use sqlite_format::wal::{Committed, WalHeader};

/// So many frames of a log are laid over the database at most; where there are more, SQLite reads.
const MOST_FRAMES: usize = 1 << 18;

/// Why the files are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRead {
    /// Only SQLite may read them.
    #[error("the store could only be read through SQLite, beside those who write to it")]
    OnlyBySqlite,
    /// The database file could not be opened.
    #[error("the database file could not be opened to be read page by page")]
    Database,
    /// What the log holds cannot be told, or is more than is held.
    #[error("the WAL could not be laid over the pages: it is another store's, too long, or unreadable")]
    Log,
    /// It was time to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The files of a store.
pub(crate) struct Files {
    pub(crate) database: File,
    log: Option<Log>,
}

impl Files {
    /// Opens them, where they may be read without a lock.
    pub(crate) fn open(probe: &Probe, access: &Access<'_>, stop: &Stop) -> Result<Self, NotRead> {
        let PlainFiles { database, wal } = access.plain_files(probe).ok_or(NotRead::OnlyBySqlite)?;
        let database = open_plain(database).map_err(|_| NotRead::Database)?;
        let log = wal.map(|wal| Log::open(probe, wal, stop)).transpose()?;
        Ok(Self { database, log })
    }

    /// What the log lays over the database.
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

    /// Whether nothing was written to the log since the probe, and so since SQLite opened the store.
    pub(super) fn are_as_opened(&self) -> bool {
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
    fn open(probe: &Probe, wal: &Sidecar, stop: &Stop) -> Result<Self, NotRead> {
        let header = match WalHeader::parse(&wal.head) {
            Ok(Some(header)) if probe.header().is_some_and(|of| of.is_wal() && of.page_size == header.page_size) => {
                header
            }
            _ => return Err(NotRead::Log),
        };
        let file = open_plain(&wal.path).map_err(|_| NotRead::Log)?;
        let committed = Committed::read(&file, &header, MOST_FRAMES, stop);
        let committed = committed.map_err(|Interrupted| stop.why_interrupted())?.ok_or(NotRead::Log)?;
        Ok(Self {
            file,
            committed,
            is_as_opened: wal.is_unchanged(),
        })
    }
}
