//! Looks at a path with plain reads, without SQLite: the kind of file, its header, its sidecar files, its situation.
//!
//! SQLite cannot be asked first: `sqlite3_open` succeeds on any file, and the first statement may already write a sidecar,
//! delete one or wait for ever at a FIFO. Each descriptor that is opened here is closed here, before SQLite opens the file:
//! closing a descriptor drops every POSIX lock that this process holds on the file ("How To Corrupt An SQLite Database File",
//! section 2.2).

pub(crate) mod around;
pub(crate) mod file_stat;
pub(crate) mod first_bytes;
pub(crate) mod header_fields;
pub(crate) mod in_use;
pub(crate) mod journal;
pub(crate) mod not_a_database;
pub(crate) mod sidecars;
pub(crate) mod situation;
pub(crate) mod wal;
pub(crate) mod whose_log;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustix::fs::OFlags;
use sqlite_format::header::{HeaderFields, MAGIC};
use sqlite_format::journal::SegmentHeader;

pub(crate) use file_stat::{FileKind, FileStat};
pub(crate) use sidecars::Foreign;
pub(crate) use situation::Situation;

use crate::limits::stop::Stop;
use crate::text::words::plural;
use sidecars::Judgement;

/// A path with all that plain reads tell of it.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// The path with its links resolved: SQLite keeps the sidecar files beside this one.
    pub path: PathBuf,
    /// The kind of thing that lies there.
    pub kind: PathKind,
    /// The file itself, if there is one.
    pub stamp: Option<FileStat>,
    /// The `-wal` file.
    pub wal: Sidecar,
    /// The `-shm` file.
    pub shm: Sidecar,
    /// The `-journal` file.
    pub journal: Sidecar,
    /// The condition in which the store lies on disk.
    pub situation: Situation,
    /// The judgement whose the log and the journal are, once it was asked for.
    judgement: Option<Arc<Judgement>>,
}

/// The kind of thing that lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// Nothing.
    Missing,
    /// A symbolic link to nothing.
    DanglingLink,
    /// Something other than a regular file, refused before it is opened.
    WrongKind(FileKind),
    /// Something that the system does not let us read, with its reason.
    Unreadable(String),
    /// A file of no bytes.
    Empty,
    /// A file of no bytes beside a sidecar that may hold the lost content.
    EmptyWithSidecar(Leftover),
    /// A file for which the system reports 0 bytes although it holds some.
    SizeUnknown,
    /// A file that does not begin like a database, with what it is instead, if that is known.
    NotSqlite(Option<&'static str>),
    /// A file that begins like a database and ends within its header.
    CutInHeader,
    /// A database, according to its header.
    Sqlite(HeaderFields),
}

/// A sidecar of a file of no bytes, which SQLite deletes as soon as the store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Its suffix: `-wal` or `-journal`.
    pub suffix: &'static str,
    /// Its content, in words that follow its name.
    pub what: String,
}

/// A file that SQLite keeps beside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sidecar {
    /// The path where it lies, or would lie.
    pub path: PathBuf,
    /// The file, if there is one.
    pub stamp: Option<FileStat>,
    /// Its first bytes: up to [`SIDECAR_HEAD`] of them.
    pub head: Vec<u8>,
    /// The reason for which it cannot be read, if it cannot.
    pub unreadable: Option<String>,
}

/// The longest path that SQLite opens, in bytes: with `-journal` behind it, it must not be longer than 512
/// (`pager.c`, `sqlite3PagerOpen`; `os_unix.c`, `MAX_PATHNAME`).
pub(crate) const LONGEST_PATH: usize = 504;

/// The number of bytes of a sidecar file that the probe reads: a whole wal-index header, the longest of the three.
const SIDECAR_HEAD: usize = 136;

/// The number of bytes of the database file that the probe reads: enough for the header, or to recognise another kind of file.
const HEAD: usize = 4096;

impl Sidecar {
    pub(crate) fn beside(database: &Path, suffix: &str) -> Self {
        let mut name = database.as_os_str().to_os_string();
        name.push(suffix);
        let path = PathBuf::from(name);
        let mut out = Self {
            path,
            stamp: None,
            head: Vec::new(),
            unreadable: None,
        };
        match FileStat::beside(&out.path) {
            Ok(stamp) => out.stamp = stamp,
            Err(error) => out.unreadable = Some(error.to_string()),
        }
        match out.stamp.map(|stamp| stamp.kind) {
            Some(FileKind::Regular) => match read_head(&out.path, SIDECAR_HEAD) {
                Ok(head) => out.head = head,
                // It went away between two looks, as a daemon's does when it closes.
                Err(error) if error.kind() == io::ErrorKind::NotFound => out.stamp = None,
                Err(error) => out.unreadable = Some(error.to_string()),
            },
            Some(FileKind::Link) => {
                out.unreadable = Some("it is a symbolic link, which SQLite does not follow there".to_owned());
            }
            Some(kind) => out.unreadable = Some(format!("it is {}", kind.words())),
            None => {}
        }
        out
    }

    /// Returns true when there is such a file with any content.
    pub(crate) fn has_content(&self) -> bool {
        self.stamp.is_some_and(|stamp| stamp.size > 0)
    }

    /// Returns its length in bytes, 0 when there is none.
    pub(crate) fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }

    /// Returns true when it is, as far as the file system tells, as it was when it was probed.
    pub(crate) fn is_unchanged(&self) -> bool {
        same(FileStat::beside(&self.path), self.stamp, self.unreadable.as_deref())
    }
}

/// Returns true when the file system gives the same answer for a path as before: the same file, none, or the same refusal.
fn same(now: io::Result<Option<FileStat>>, then: Option<FileStat>, refusal: Option<&str>) -> bool {
    match now {
        Ok(Some(now)) => then == Some(now),
        Ok(None) => then.is_none() && refusal.is_none(),
        Err(error) => then.is_none() && refusal == Some(error.to_string().as_str()),
    }
}

impl Probe {
    /// Looks at a path with plain reads. Never blocks, never follows a link to a FIFO or a device.
    pub(crate) fn of(given: &Path) -> Self {
        let (path, kind, stamp) = resolve(given);
        let [wal, shm, journal] = ["-wal", "-shm", "-journal"].map(|suffix| Sidecar::beside(&path, suffix));
        let kind = match kind {
            PathKind::Empty => leftover(&wal, &journal).map_or(PathKind::Empty, PathKind::EmptyWithSidecar),
            other => other,
        };
        let situation = match &kind {
            PathKind::Sqlite(header) => situation::name(&path, header, &wal, &shm, &journal),
            _ => Situation::None,
        };
        Self {
            path,
            kind,
            stamp,
            wal,
            shm,
            journal,
            situation,
            judgement: None,
        }
    }

    /// Judges whose the log and the journal beside it are, so that the rest knows. A sign that they are another store's is believed
    /// when it is seen in files that do not change. What cannot be read is for the checks to report.
    pub(crate) fn judged(self, stop: &Stop) -> Self {
        let judge = |probe: &Self| Self {
            judgement: sidecars::judge(probe, stop).ok().map(Arc::new),
            ..probe.clone()
        };
        retry_until_stable(&self, stop, |probe| probe.foreign().is_some(), judge)
    }

    /// Returns the log or the journal that is not this store's, when it was judged and shows a sign of it. The store is then read
    /// without the files beside it.
    pub(crate) fn foreign(&self) -> Option<&Foreign> {
        self.judgement.as_ref()?.foreign.as_ref()
    }

    /// Returns the size in pages that the header of the hot journal should give, when it was judged and is wrong there.
    pub(crate) fn actual_journal_size(&self) -> Option<u32> {
        self.judgement.as_ref()?.journal_size
    }

    /// Returns true when the files are, as far as the file system tells, as they were when they were probed.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.file_is_unchanged() && self.wal.is_unchanged() && self.journal.is_unchanged()
    }

    /// Returns true when the database file alone is as it was.
    pub(crate) fn file_is_unchanged(&self) -> bool {
        let refusal = match &self.kind {
            PathKind::Unreadable(why) => Some(why.as_str()),
            _ => None,
        };
        same(FileStat::of(&self.path), self.stamp, refusal)
    }

    /// Returns true when SQLite opens no path as long as this one.
    pub(crate) fn path_is_too_long(&self) -> bool {
        self.path.as_os_str().len() > LONGEST_PATH
    }

    /// Returns true when an index of the WAL in memory would leave too little of it for anything else: in a large store two
    /// handles have one each, of eight bytes for each frame (`wal.c`, `WALINDEX_PGSZ`).
    pub(crate) fn wal_index_is_too_large(&self) -> bool {
        const LARGEST_INDEX: u64 = 10 << 20;
        let frame = self.header().map_or(u64::MAX, |header| u64::from(header.page_size) + 24);
        self.wal.size() / frame * 8 > LARGEST_INDEX
    }

    /// Returns true for a database in WAL mode that has no table, and beside which no log lies.
    pub(crate) fn is_empty_without_log(&self) -> bool {
        self.header().is_some_and(|header| {
            let pages = self.size() / u64::from(header.page_size.max(1));
            let has_log = self.wal.stamp.is_some() || self.wal.unreadable.is_some() || situation::is_hot(&self.journal);
            // A file that was cut says how many pages it had.
            let pages = header.vouched_pages().map_or(pages, |vouched| pages.max(vouched.into()));
            // A store whose last table was dropped is empty by right, and its schema was changed.
            let never_had_a_table = header.schema_is_empty && header.schema_cookie == 0;
            around::is_empty_without_log(header.is_wal(), never_had_a_table, pages, has_log)
        })
    }

    /// Returns the suffixes of the sidecar files to which the database's owner cannot write.
    pub(crate) fn sidecars_closed_to_owner(&self) -> Vec<&'static str> {
        let Some(database) = &self.stamp else { return Vec::new() };
        let sidecars = [("-wal", &self.wal), ("-shm", &self.shm), ("-journal", &self.journal)];
        let is_closed = |sidecar: &Sidecar| {
            let file = sidecar.stamp.filter(|stamp| stamp.kind == FileKind::Regular);
            let is_shut = file.is_some_and(|file| around::denies_owner(database, &file));
            is_shut && !around::has_access_list(&sidecar.path)
        };
        sidecars
            .into_iter()
            .filter(|(_, sidecar)| is_closed(sidecar))
            .map(|(suffix, _)| suffix)
            .collect()
    }

    /// Returns true when another probe saw the same files.
    fn has_same_files_as(&self, other: &Self) -> bool {
        let stamps = |probe: &Self| [probe.stamp, probe.wal.stamp, probe.journal.stamp];
        stamps(self) == stamps(other)
    }

    /// Returns the header, if the file is a database.
    pub(crate) fn header(&self) -> Option<&HeaderFields> {
        match &self.kind {
            PathKind::Sqlite(header) => Some(header),
            _ => None,
        }
    }

    /// Returns the size of the database file in bytes, 0 when there is none.
    pub(crate) fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }
}

/// Examines a store with plain reads, and, while it seems faulty, again until the result is stable.
///
/// Plain reads take no lock, so a healthy store that is being written to can look damaged. A fault is believed when nothing
/// changed for one tick of the file system's clock, so that a change would have shown, or when it is seen in each of many
/// attempts.
pub(crate) fn retry_until_stable<T>(
    probe: &Probe,
    stop: &Stop,
    seems_wrong: impl Fn(&T) -> bool,
    examine: impl Fn(&Probe) -> T,
) -> T {
    const MOST_ATTEMPTS: u32 = 20;
    let mut found = examine(probe);
    let mut before = probe.clone();
    for _ in 1..MOST_ATTEMPTS {
        if !seems_wrong(&found) || stop.reason().is_some() {
            break;
        }
        thread::sleep(file_stat::TICK);
        let now = Probe::of(&probe.path);
        found = examine(&now);
        if now.has_same_files_as(&before) && now.is_unchanged() {
            break;
        }
        before = now;
    }
    found
}

/// Resolves the path, refuses what is not a regular file, and reads the head of what is.
fn resolve(given: &Path) -> (PathBuf, PathKind, Option<FileStat>) {
    let unreadable = |error: io::Error| PathKind::Unreadable(error.to_string());
    let path = match fs::canonicalize(given) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let stamp = FileStat::of(given).ok().flatten();
            return (given.to_path_buf(), without_path(given, stamp), stamp);
        }
        Err(error) => return (given.to_path_buf(), unreadable(error), None),
    };
    match FileStat::of(&path) {
        Ok(Some(stamp)) if stamp.kind == FileKind::Regular => match read_head(&path, HEAD) {
            Ok(head) => (path, kind_of(&head, stamp.size), Some(stamp)),
            Err(error) => (path, unreadable(error), Some(stamp)),
        },
        Ok(Some(stamp)) => (path, PathKind::WrongKind(stamp.kind), Some(stamp)),
        Ok(None) => (path, PathKind::Missing, None),
        Err(error) => (path, unreadable(error), None),
    }
}

/// Returns the kind of a path that cannot be resolved: nothing is there, or a thing without a path of its own, as a pipe on
/// `/dev/stdin`.
fn without_path(given: &Path, stamp: Option<FileStat>) -> PathKind {
    match stamp {
        Some(stamp) if stamp.kind == FileKind::Regular => PathKind::Unreadable("the file was deleted".to_owned()),
        Some(stamp) => PathKind::WrongKind(stamp.kind),
        _ if fs::symlink_metadata(given).is_ok_and(|meta| meta.is_symlink()) => PathKind::DanglingLink,
        _ => PathKind::Missing,
    }
}

/// Returns the sidecar that SQLite deletes beside a file of no bytes as soon as it opens it, and that may be all that is left
/// of the store: a WAL with any content, and the journal of a transaction on a database that was not empty when it began
/// (`pager.c`, `pagerOpenWalIfPresent` and `hasHotJournal`).
fn leftover(wal: &Sidecar, journal: &Sidecar) -> Option<Leftover> {
    let unreadable = |sidecar: &Sidecar| sidecar.unreadable.as_ref().map(|why| format!("cannot be read: {why}"));
    let wal_holds = unreadable(wal).or_else(|| {
        let size = plural(wal.size(), "byte", "bytes");
        wal.has_content().then(|| format!("holds {size}"))
    });
    if let Some(what) = wal_holds {
        return Some(Leftover { suffix: "-wal", what });
    }
    let journal_holds = unreadable(journal).or_else(|| {
        let pages = SegmentHeader::parse(&journal.head).map(|segment| segment.database_pages);
        (situation::is_hot(journal) && pages != Some(0)).then(|| match pages {
            Some(pages) => format!("was begun when the store had {}", plural(pages.into(), "page", "pages")),
            None => "is damaged".to_owned(),
        })
    });
    journal_holds.map(|what| Leftover {
        suffix: "-journal",
        what,
    })
}

fn kind_of(head: &[u8], size: u64) -> PathKind {
    if size == 0 {
        return if head.is_empty() {
            PathKind::Empty
        } else {
            PathKind::SizeUnknown
        };
    }
    match HeaderFields::parse(head) {
        Some(header) => PathKind::Sqlite(header),
        None if head.starts_with(MAGIC) => PathKind::CutInHeader,
        None => PathKind::NotSqlite(first_bytes::recognise(head, size)),
    }
}

/// Opens a file for plain reading; never waits for a FIFO's other end, never becomes a terminal's owner.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // The file may have been exchanged since its kind was asked for.
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

fn read_head(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(most);
    open_plain(path)?.take(most as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The words for a database of which [`Probe::is_empty_without_log`] is true.
pub(crate) const EMPTY_WITHOUT_LOG: &str = "it is a database in WAL mode without a table, and no -wal lies beside it: what it held, if anything, was in a -wal that is not here";

/// Describes what lies at a path, for a message that it is not a database.
pub(crate) fn words(kind: &PathKind, size: u64) -> String {
    match kind {
        PathKind::Missing => "there is no such file".to_owned(),
        PathKind::DanglingLink => "it is a symbolic link whose target does not exist".to_owned(),
        PathKind::WrongKind(kind) => format!("it is {}, not a regular file", kind.words()),
        PathKind::Unreadable(why) => format!("it cannot be read: {why}"),
        PathKind::Empty => "it is empty (0 bytes)".to_owned(),
        PathKind::EmptyWithSidecar(Leftover { suffix, what }) => format!(
            "it is empty (0 bytes), and the {suffix} beside it {what}; keep a copy of that file: SQLite deletes it as soon as the store is opened"
        ),
        PathKind::SizeUnknown => "the system reports a size of 0 bytes, but the file holds data".to_owned(),
        PathKind::NotSqlite(Some(what)) => format!("it is not an SQLite database, but {what} ({size} bytes)"),
        PathKind::NotSqlite(None) => format!("it is not an SQLite database ({size} bytes)"),
        PathKind::CutInHeader => format!("it is cut short within its header, at {size} bytes"),
        PathKind::Sqlite(_) => format!("it is an SQLite database ({size} bytes)"),
    }
}

#[cfg(test)]
mod tests;
