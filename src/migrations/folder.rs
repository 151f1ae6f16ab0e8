//! A folder of migrations, read with plain reads and in bounds: paths, and the texts of the files that may matter. Which of
//! them are migrations is each tool's to say.
//!
//! A folder is untrusted input: a file that is not regular is refused before it is opened, a long one before it is read,
//! and names are kept as the bytes that they are. They are escaped before they are printed.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::application::{Content, File, Folder, Refusal};
use crate::probe::{FileKind, FileStat, open_plain};
use crate::text::words::thousands;

/// The bounds within which a folder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderLimits {
    /// The most files and folders in it, those that are of no interest among them.
    pub(crate) files: usize,
    /// The longest file.
    pub(crate) file_bytes: u64,
    /// All files together.
    pub(crate) total_bytes: u64,
    /// The longest path below the folder, in bytes.
    pub(crate) name_bytes: usize,
    /// The most folders below each other.
    pub(crate) depth: usize,
}

impl Default for FolderLimits {
    fn default() -> Self {
        Self {
            files: 20_000,
            file_bytes: 1 << 20,
            // Each store that is examined takes as much again, and eight are at once.
            total_bytes: 4 << 20,
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
    /// Its files are too long together.
    #[error("its files hold more than {} bytes together", thousands(*.0))]
    TooLong(u64),
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
        bytes: 0,
        folder: Folder::default(),
    };
    reading.folder(Path::new(""), 0)?;
    let mut folder = reading.folder;
    folder.files.sort_by(|a, b| a.path.cmp(&b.path));
    folder.folders.sort();
    Ok(folder)
}

struct FolderReader<'a> {
    root: &'a Path,
    limits: &'a FolderLimits,
    seen: usize,
    bytes: u64,
    folder: Folder,
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
            Ok(Some(stamp)) if stamp.kind == FileKind::Regular => self.text(&path)?,
            Ok(Some(stamp)) => Content::Refused(Refusal::NotRegular(stamp.kind.words())),
            Ok(None) => Content::Refused(Refusal::NotRegular("a link to nothing")),
            Err(error) => Content::Refused(Refusal::Unreadable(error.to_string())),
        };
        let is_outside = is_link && self.leads_out(&path);
        self.folder.files.push(File {
            path,
            content,
            is_outside,
        });
        Ok(())
    }

    /// Returns true if a link leads out of the folder, or if that cannot be told.
    fn leads_out(&self, path: &Path) -> bool {
        match (fs::canonicalize(self.root), fs::canonicalize(self.root.join(path))) {
            (Ok(root), Ok(target)) => !target.starts_with(root),
            _ => true,
        }
    }

    fn text(&mut self, path: &Path) -> Result<Content, FolderError> {
        let most = self.limits.file_bytes;
        let mut bytes = Vec::new();
        // Its length may have changed since it was looked at: what counts is what is read.
        let read = open_plain(&self.root.join(path)).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
        let read = match read {
            Ok(read) => read as u64,
            Err(error) => return Ok(Content::Refused(Refusal::Unreadable(error.to_string()))),
        };
        if read > most {
            return Ok(Content::Refused(Refusal::TooLong(most)));
        }
        self.bytes += read;
        if self.bytes > self.limits.total_bytes {
            return Err(FolderError::TooLong(self.limits.total_bytes));
        }
        Ok(String::from_utf8(bytes).map_or(Content::Refused(Refusal::NotUtf8), Content::Text))
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Returns true if a file's text may matter: SQL, and the few files that belong to a tool's way of keeping its migrations.
fn is_of_interest(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes).unwrap_or_default();
    name.ends_with(b".sql") || matches!(name, b"_journal.json" | b"metadata.toml" | b"migration_lock.toml")
}
