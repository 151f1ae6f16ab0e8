//! A path → what lies there: kind, header, sidecar files, situation. Plain reads only, no SQLite.
//!
//! Each descriptor that is opened here is closed here, before SQLite opens the file: closing a descriptor drops every
//! POSIX lock that this process holds on the file ("How To Corrupt An SQLite Database File", section 2.2).

pub mod foreign;
pub mod header;
pub mod journal;
pub mod sidecars;
pub mod situation;
pub mod stamp;
pub mod wal;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::OFlags;

pub use header::Header;
pub use situation::Situation;
pub use stamp::{FileKind, Stamp};

use crate::stop::Stop;

/// What lies at a path.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The path with its links resolved: SQLite keeps the sidecar files beside this one.
    pub path: PathBuf,
    /// What kind of thing it is.
    pub nature: Nature,
    /// The file itself, where there is one.
    pub stamp: Option<Stamp>,
    /// The `-wal` file.
    pub wal: Sidecar,
    /// The `-shm` file.
    pub shm: Sidecar,
    /// The `-journal` file.
    pub journal: Sidecar,
    /// The condition in which the store lies on disk.
    pub situation: Situation,
}

/// What kind of thing lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nature {
    /// Nothing.
    Missing,
    /// A symbolic link to nothing.
    DanglingLink,
    /// Something other than a regular file, refused before it is opened.
    WrongKind(FileKind),
    /// The system does not let us read it, and says why.
    Unreadable(String),
    /// A file of no bytes.
    Empty,
    /// A file that does not begin as a database does; what it is instead, where that is known.
    NotSqlite(Option<&'static str>),
    /// A file that begins as a database does, and ends within its header.
    CutInHeader,
    /// A database, as far as its header tells.
    Sqlite(Header),
}

/// A file that SQLite keeps beside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// Where it lies, or would lie.
    pub path: PathBuf,
    /// The file, where there is one.
    pub stamp: Option<Stamp>,
    /// Its first bytes: up to [`SIDECAR_HEAD`] of them.
    pub head: Vec<u8>,
    /// Why it cannot be read, where it cannot.
    pub unreadable: Option<String>,
}

/// How many bytes of a sidecar file the probe reads: a whole wal-index header, the longest of the three.
const SIDECAR_HEAD: usize = 136;

/// How many bytes of the database file the probe reads: enough for the header and to tell what it is instead.
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
        match Stamp::of(&out.path) {
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
            Some(kind) => out.unreadable = Some(format!("it is {}", kind.words())),
            None => {}
        }
        out
    }

    /// Whether there is such a file with anything in it.
    pub fn has_content(&self) -> bool {
        self.stamp.is_some_and(|stamp| stamp.size > 0)
    }

    /// Its length in bytes, 0 where there is none.
    pub fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }
}

impl Probe {
    /// Looks at a path with plain reads. Never blocks, never follows a link to a FIFO or a device.
    pub fn of(given: &Path) -> Self {
        let (path, nature, stamp) = look(given);
        let [wal, shm, journal] = ["-wal", "-shm", "-journal"].map(|suffix| Sidecar::beside(&path, suffix));
        let situation = match &nature {
            Nature::Sqlite(header) => situation::name(&path, header, &wal, &shm, &journal),
            _ => Situation::None,
        };
        Self {
            path,
            nature,
            stamp,
            wal,
            shm,
            journal,
            situation,
        }
    }

    /// Whether the files are, as far as the file system tells, what they were when they were probed.
    pub(crate) fn is_unchanged(&self) -> bool {
        let same = |path: &Path, then: Option<Stamp>| Stamp::of(path).is_ok_and(|now| now == then);
        let sidecars = [&self.wal, &self.journal];
        same(&self.path, self.stamp) && sidecars.iter().all(|sidecar| same(&sidecar.path, sidecar.stamp))
    }

    /// Whether another probe saw the same files.
    fn saw_the_same(&self, other: &Self) -> bool {
        let stamps = |probe: &Self| [probe.stamp, probe.wal.stamp, probe.journal.stamp];
        stamps(self) == stamps(other)
    }

    /// The header, where the file is a database.
    pub fn header(&self) -> Option<&Header> {
        match &self.nature {
            Nature::Sqlite(header) => Some(header),
            _ => None,
        }
    }

    /// The size of the database file in bytes, 0 where there is none.
    pub fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }
}

/// Looks at a store with plain reads, and, as long as something seems wrong, looks again until it is sure.
///
/// Plain reads take no lock, so a healthy store that is being written to can look damaged. What seems wrong is believed
/// when nothing changed for so long that a change would have shown, or when it is seen time and again.
pub(crate) fn until_sure<T>(
    probe: &Probe,
    stop: &Stop,
    seems_wrong: impl Fn(&T) -> bool,
    look: impl Fn(&Probe) -> T,
) -> T {
    const MOST_LOOKS: u32 = 20;
    let mut found = look(probe);
    let mut before = probe.clone();
    for _ in 1..MOST_LOOKS {
        if !seems_wrong(&found) || stop.reason().is_some() {
            break;
        }
        thread::sleep(stamp::TICK);
        let now = Probe::of(&probe.path);
        found = look(&now);
        if now.saw_the_same(&before) && now.is_unchanged() {
            break;
        }
        before = now;
    }
    found
}

/// Resolves the path, refuses what is not a regular file, and reads the head of what is.
fn look(given: &Path) -> (PathBuf, Nature, Option<Stamp>) {
    let unreadable = |error: io::Error| Nature::Unreadable(error.to_string());
    let path = match fs::canonicalize(given) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let link = fs::symlink_metadata(given).is_ok_and(|meta| meta.is_symlink());
            let nature = if link { Nature::DanglingLink } else { Nature::Missing };
            return (given.to_path_buf(), nature, None);
        }
        Err(error) => return (given.to_path_buf(), unreadable(error), None),
    };
    match Stamp::of(&path) {
        Ok(Some(stamp)) if stamp.kind == FileKind::Regular => match read_head(&path, HEAD) {
            Ok(head) => (path, nature_of(&head, stamp.size), Some(stamp)),
            Err(error) => (path, unreadable(error), Some(stamp)),
        },
        Ok(Some(stamp)) => (path, Nature::WrongKind(stamp.kind), Some(stamp)),
        Ok(None) => (path, Nature::Missing, None),
        Err(error) => (path, unreadable(error), None),
    }
}

fn nature_of(head: &[u8], size: u64) -> Nature {
    if size == 0 {
        return Nature::Empty;
    }
    match Header::parse(head) {
        Some(header) => Nature::Sqlite(header),
        None if head.starts_with(header::MAGIC) => Nature::CutInHeader,
        None => {
            let what = foreign::recognise(head);
            let noise =
                || foreign::looks_encrypted(head).then_some("noise, as an encrypted database or a random file is");
            Nature::NotSqlite(what.or_else(noise))
        }
    }
}

/// Opens a file for plain reading; never waits for a FIFO's other end, never becomes a terminal's owner.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // What lies there may have been exchanged since it was looked at.
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

/// What is wrong with what lies at a path, in words, where it is not a database.
pub fn words(nature: &Nature, size: u64) -> String {
    match nature {
        Nature::Missing => "there is no such file".to_owned(),
        Nature::DanglingLink => "it is a symbolic link to nothing".to_owned(),
        Nature::WrongKind(kind) => format!("it is {}, not a regular file", kind.words()),
        Nature::Unreadable(why) => format!("it cannot be read: {why}"),
        Nature::Empty => "it is empty (0 bytes)".to_owned(),
        Nature::NotSqlite(Some(what)) => format!("it is not an SQLite database, but {what} ({size} bytes)"),
        Nature::NotSqlite(None) => format!("it is not an SQLite database ({size} bytes)"),
        Nature::CutInHeader => format!("it is cut short within its header, at {size} bytes"),
        Nature::Sqlite(_) => format!("it is an SQLite database ({size} bytes)"),
    }
}
