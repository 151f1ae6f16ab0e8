//! A file as the file system describes it: to tell afterwards whether it changed.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The age that a change must have before a later one is sure to get another time.
///
/// The kernel stamps files with a clock that may tick only every 10 ms.
pub(super) const TICK: Duration = Duration::from_millis(12);

/// The length at which Linux refuses a whole path, whatever its names are (`limits.h`). In bytes.
const PATH_MAX: usize = 4096;

/// A file as the file system sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStat {
    /// Device and inode.
    pub id: (u64, u64),
    /// The length in bytes.
    pub size: u64,
    /// The time of the last change of its content: seconds and nanoseconds since 1970.
    pub mtime: (i64, i64),
    /// The time of the last change of anything in it, as `mtime`.
    pub ctime: (i64, i64),
    /// Owner and group.
    pub owner: (u32, u32),
    /// Type and permission bits.
    pub mode: u32,
    /// Its kind.
    pub kind: FileKind,
    /// The number of its names (hard links).
    pub links: u64,
}

/// The kinds of file that a path can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A symbolic link, where links are not followed.
    Link,
    /// A pipe, with or without a name.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
}

impl FileKind {
    /// Returns the kind in words, with the article.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Fifo => "a pipe (FIFO)",
            Self::Socket => "a socket",
            Self::Device => "a device",
        }
    }
}

impl FileStat {
    /// Returns the file at the path, links followed; `None` when nothing does.
    ///
    /// # Errors
    /// Fails with the system's error.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        Self::seen(fs::metadata(path))
    }

    /// Returns the file at the path of a sidecar, links not followed: SQLite follows none there (`os_unix.c`, `O_NOFOLLOW`).
    ///
    /// With a name that is too long for the file system there is no file, as for SQLite.
    ///
    /// # Errors
    /// Fails with the system's error.
    pub(crate) fn beside(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename && path.as_os_str().len() < PATH_MAX => {
                Ok(None)
            }
            seen => Self::seen(seen),
        }
    }

    fn seen(meta: io::Result<fs::Metadata>) -> io::Result<Option<Self>> {
        match meta {
            Ok(meta) => Ok(Some(Self::from(&meta))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until a later change would carry another time: at most one tick of the kernel's clock.
    pub(crate) fn settle(&self) {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.ctime.0), u64::try_from(self.ctime.1)) else {
            return;
        };
        let changed = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        if let Ok(age) = SystemTime::now().duration_since(changed) {
            thread::sleep(TICK.saturating_sub(age));
        }
    }
}

impl From<&fs::Metadata> for FileStat {
    fn from(meta: &fs::Metadata) -> Self {
        let kind = meta.file_type();
        Self {
            id: (meta.dev(), meta.ino()),
            size: meta.len(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
            owner: (meta.uid(), meta.gid()),
            mode: meta.mode(),
            links: meta.nlink(),
            kind: if kind.is_file() {
                FileKind::Regular
            } else if kind.is_dir() {
                FileKind::Folder
            } else if kind.is_symlink() {
                FileKind::Link
            } else if kind.is_fifo() {
                FileKind::Fifo
            } else if kind.is_socket() {
                FileKind::Socket
            } else {
                FileKind::Device
            },
        }
    }
}
