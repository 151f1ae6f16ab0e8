//! A folder of migrations, read with plain reads and in bounds: paths, and the texts of the files that may matter. Which of
//! them are migrations is each tool's to say.
//!
//! A folder is untrusted input: a file that is not regular is refused before it is opened, a long one before it is read,
//! and names are kept as the bytes that they are. They are escaped before they are printed.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use crate::application::{Content, File, Folder, Refusal, part};
use crate::migrations::checksum;
use crate::probe::{FileKind, FileStat, open_plain};
use crate::text::words::thousands;

/// The bounds within which a folder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderLimits {
    /// The most files and folders in it, those that are of no interest among them.
    pub(crate) files: usize,
    /// The longest file that is kept. Of a longer one, the checksums are taken.
    pub(crate) file_bytes: u64,
    /// All files together that are kept.
    pub(crate) total_bytes: u64,
    /// All files together of which no more than the checksums are taken.
    pub(crate) summed_bytes: u64,
    /// The longest path below the folder, in bytes.
    pub(crate) name_bytes: usize,
    /// The most folders below each other.
    pub(crate) depth: usize,
}

impl Default for FolderLimits {
    fn default() -> Self {
        Self {
            files: 20_000,
            file_bytes: 4 << 20,
            // Eight stores are examined at once. They share the texts, but for those that a tool puts together from lines.
            total_bytes: 8 << 20,
            summed_bytes: 256 << 20,
            name_bytes: 1_024,
            depth: 6,
        }
    }
}

/// The reason why a folder was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FolderError {
    /// It cannot be opened.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is something else, in words.
    #[error("it is {0}, not a folder")]
    NotAFolder(&'static str),
    /// Too much lies in it.
    #[error("more than {} files and folders lie in it", thousands(*.0 as u64))]
    TooManyFiles(usize),
    /// A path in it is too long.
    #[error("a path in it is longer than {} bytes", thousands(*.0 as u64))]
    NameTooLong(usize),
    /// Folders lie too deep in one another.
    #[error("folders lie more than {0} deep in it")]
    TooDeep(usize),
}

/// Reads a folder.
///
/// A file that cannot be read, or should not be, is [`Content::Refused`] in its place; only what concerns the folder as a
/// whole is an error.
///
/// # Errors
/// Fails if the folder cannot be read.
pub(crate) fn read(path: &Path, limits: &FolderLimits) -> Result<Folder, FolderError> {
    match FileStat::of(path) {
        Ok(Some(stamp)) if stamp.kind == FileKind::Folder => {}
        Ok(Some(stamp)) => return Err(FolderError::NotAFolder(stamp.kind.words())),
        Ok(None) => return Err(FolderError::Unreadable("there is no such folder".to_owned())),
        Err(error) => return Err(FolderError::Unreadable(error.to_string())),
    }
    let mut reading = FolderReader {
        root: path,
        limits,
        seen: 0,
        folder: Folder {
            part: fs::canonicalize(path).ok().and_then(|path| part(&path)),
            ..Folder::default()
        },
        wanted: Vec::new(),
        bytes: 0,
        summed: 0,
    };
    reading.folder(Path::new(""), 0)?;
    reading.texts();
    let mut folder = reading.folder;
    folder.files.sort_by(|a, b| a.path.cmp(&b.path));
    folder.folders.sort();
    Ok(folder)
}

struct FolderReader<'a> {
    root: &'a Path,
    limits: &'a FolderLimits,
    seen: usize,
    folder: Folder,
    /// The paths of the files whose texts may matter, and whether each is a link.
    wanted: Vec<(PathBuf, bool)>,
    /// The bytes of the files that are kept.
    bytes: u64,
    /// The bytes of the files of which only the checksums are.
    summed: u64,
}

impl FolderReader<'_> {
    /// Reads what lies in a folder at this path below the root.
    fn folder(&mut self, below: &Path, depth: usize) -> Result<(), FolderError> {
        if depth > self.limits.depth {
            return Err(FolderError::TooDeep(self.limits.depth));
        }
        let unreadable = |error: io::Error| FolderError::Unreadable(error.to_string());
        for entry in fs::read_dir(self.root.join(below)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let path = below.join(entry.file_name());
            self.seen += 1;
            if self.seen > self.limits.files {
                return Err(FolderError::TooManyFiles(self.limits.files));
            }
            if path.as_os_str().len() > self.limits.name_bytes {
                return Err(FolderError::NameTooLong(self.limits.name_bytes));
            }
            self.entry(path, is_link, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, is_link: bool, depth: usize) -> Result<(), FolderError> {
        // Links to files are followed: build tools put nothing but links into a folder. Where one leads is looked at first.
        let content = match FileStat::of(&self.root.join(&path)) {
            Ok(Some(stamp)) if stamp.kind == FileKind::Folder => {
                // No tool looks into a folder like `.git`; a link to a folder may lead in a circle.
                if !is_hidden(&path) {
                    if !is_link {
                        self.folder(&path, depth + 1)?;
                    }
                    self.folder.folders.push(path);
                }
                return Ok(());
            }
            _ if !is_of_interest(&path) => Content::NotRead,
            Ok(Some(stamp)) if stamp.kind == FileKind::Regular => {
                self.wanted.push((path, is_link));
                return Ok(());
            }
            Ok(Some(stamp)) => Content::Refused(Refusal::NotRegular(stamp.kind.words())),
            Ok(None) => Content::Refused(Refusal::NotRegular("a link to nothing")),
            Err(error) => Content::Refused(Refusal::Unreadable(error.to_string())),
        };
        self.add(path, content, is_link);
        Ok(())
    }

    fn add(&mut self, path: PathBuf, content: Content, is_link: bool) {
        let is_outside = is_link && self.leads_out(&path);
        self.folder.files.push(File {
            path,
            content,
            is_outside,
        });
    }

    /// Reads the files that are wanted, the last by their names first: what is pending is kept where there is no room for all.
    fn texts(&mut self) {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort();
        for (path, is_link) in wanted.into_iter().rev() {
            let content = self.content(&path);
            let content = content.unwrap_or_else(|error| Content::Refused(Refusal::Unreadable(error.to_string())));
            self.add(path, content, is_link);
        }
    }

    /// Returns true if a link leads out of the folder, or if that cannot be told.
    fn leads_out(&self, path: &Path) -> bool {
        match (fs::canonicalize(self.root), fs::canonicalize(self.root.join(path))) {
            (Ok(root), Ok(target)) => !target.starts_with(root),
            _ => true,
        }
    }

    fn content(&mut self, path: &Path) -> io::Result<Content> {
        let FolderLimits {
            file_bytes,
            total_bytes,
            summed_bytes,
            ..
        } = *self.limits;
        let room = file_bytes.min(total_bytes - self.bytes);
        let mut bytes = Vec::new();
        let mut file = open_plain(&self.root.join(path))?;
        // Its length may have changed since it was looked at: what counts is what is read.
        let read = file.by_ref().take(room + 1).read_to_end(&mut bytes)? as u64;
        if read <= room {
            self.bytes += read;
            return Ok(match String::from_utf8(bytes) {
                Ok(text) => Content::Text(text.into()),
                Err(error) => Content::NotUtf8(error.into_bytes()),
            });
        }
        drop(bytes);
        let why = if read > file_bytes {
            Refusal::TooLong(file_bytes)
        } else {
            Refusal::NoRoom(total_bytes)
        };
        file.rewind()?;
        Ok(match checksum::of_long_file(file, summed_bytes - self.summed, file_bytes)? {
            Some((sums, bytes)) => {
                self.summed += bytes;
                Content::NotKept(why, sums)
            }
            None => Content::Refused(why),
        })
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Returns true if a file's text may matter: SQL, and the few files that belong to a tool's way of keeping its migrations.
fn is_of_interest(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes).unwrap_or_default();
    let parent = path.parent().map(Path::as_os_str).unwrap_or_default();
    let parent = Path::new(parent).file_name().map_or(&b""[..], OsStr::as_encoded_bytes);
    // Alembic's and Django's migrations say themselves what comes before them.
    let is_python = name.ends_with(b".py") && matches!(parent, b"" | b"versions" | b"migrations");
    is_python || name.ends_with(b".sql") || matches!(name, b"_journal.json" | b"metadata.toml" | b"migration_lock.toml")
}
