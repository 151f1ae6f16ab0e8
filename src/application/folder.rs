//! A folder of migrations as it was read: paths, and the texts of the files that may matter. Which of them are migrations is each
//! tool's to say.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::words::thousands;

/// An application's folder of migrations, and what the command line says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MigrationsFolder {
    /// What lies in it.
    pub(crate) folder: Folder,
    /// The tool whose it is, where somebody said so.
    pub(crate) dialect: Option<&'static str>,
    /// The table that is the ledger, where somebody said so.
    pub(crate) ledger: Option<String>,
    /// Whether foreign keys hold while the application migrates, where somebody said so.
    pub(crate) foreign_keys: Option<bool>,
}

/// What lies in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    /// The files, ordered by their paths.
    pub(crate) files: Vec<File>,
    /// The paths of the folders in it, ordered.
    pub(crate) folders: Vec<PathBuf>,
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path below the folder. Its bytes may be anything.
    pub(crate) path: PathBuf,
    /// What stands in it.
    pub(crate) content: Content,
}

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text, its bytes as they are.
    Text(String),
    /// It is of no interest: only its name counts.
    NotRead,
    /// It could not be read, or was not.
    Refused(Refusal),
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is something else, in words: "a named pipe (FIFO)".
    NotRegular(&'static str),
    /// It is longer than this many bytes.
    TooLong(u64),
    /// The system does not let us read it, and says why.
    Unreadable(String),
    /// It is not UTF-8.
    NotUtf8,
}

/// Why, in words that follow "it".
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegular(kind) => write!(f, "is {kind}, not a regular file"),
            Self::TooLong(most) => write!(f, "is longer than {} bytes", thousands(*most)),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::NotUtf8 => f.write_str("is not UTF-8 text"),
        }
    }
}

impl File {
    /// The file's name as text; bytes that are not UTF-8 become U+FFFD, as the tools have it.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether it lies in the folder itself.
    pub(crate) fn is_flat(&self) -> bool {
        self.path.components().count() == 1
    }

    /// Its text, where it was read.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Folder {
    /// The files that lie in the folder itself.
    pub(crate) fn flat(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_flat())
    }

    /// The file at a path below the folder.
    pub(crate) fn file(&self, path: impl AsRef<Path>) -> Option<&File> {
        let path = path.as_ref();
        self.files
            .binary_search_by(|file| file.path.as_path().cmp(path))
            .ok()
            .and_then(|at| self.files.get(at))
    }

    /// What lies in one of the folders in it, as a folder of its own.
    pub(crate) fn below(&self, path: &Path) -> Self {
        let below = |other: &PathBuf| {
            other
                .strip_prefix(path)
                .ok()
                .filter(|rest| !rest.as_os_str().is_empty())
                .map(Path::to_path_buf)
        };
        let files = self.files.iter().filter_map(|file| {
            Some(File {
                path: below(&file.path)?,
                content: file.content.clone(),
            })
        });
        Self {
            files: files.collect(),
            folders: self.folders.iter().filter_map(below).collect(),
        }
    }

    /// The names of the folders right below it.
    pub(crate) fn names_of_folders(&self) -> impl Iterator<Item = (&Path, String)> {
        let top = self.folders.iter().filter(|path| path.components().count() == 1);
        top.map(|path| (path.as_path(), path.to_string_lossy().into_owned()))
    }
}
