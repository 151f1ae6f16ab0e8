//! A folder of migrations as it was read: paths, and the texts of the files that may matter. Which of them are migrations is each
//! tool's to say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::text::words::thousands;

/// An application's folder of migrations, and what the command line says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MigrationsFolder {
    /// The files and folders in it.
    pub(crate) folder: Folder,
    /// The migration tool, if the user named it.
    pub(crate) dialect: Option<&'static str>,
    /// The name of the ledger's table, if the user named it.
    pub(crate) ledger: Option<String>,
    /// True if foreign keys are on while the application migrates; `None` if the user did not say.
    pub(crate) foreign_keys: Option<bool>,
}

/// The content of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    /// The files, ordered by their paths.
    pub(crate) files: Vec<File>,
    /// The paths of the folders in it, ordered.
    pub(crate) folders: Vec<PathBuf>,
    /// The name of the part of an application to which it belongs: its own, or that of the folder above one that is called `migrations`.
    pub(crate) part: Option<String>,
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path below the folder. Its bytes may be anything.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) content: Content,
    /// True if it is a link out of the folder: a word of such a file may be a secret of the user's and is never repeated.
    pub(crate) is_outside: bool,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text, its bytes as they are. Each store that is examined shares it.
    Text(Arc<str>),
    /// Bytes that are not UTF-8.
    NotUtf8(Vec<u8>),
    /// It was read and not kept, and why. Its checksums are known.
    NotKept(Refusal, FileSums),
    /// Not read, because only the name matters.
    NotRead,
    /// It could not be read, or was not.
    Refused(Refusal),
}

/// The checksums of a file that was not kept, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSums {
    /// SHA-256.
    pub(crate) sha256: LineEndSums,
    /// SHA-384.
    pub(crate) sha384: LineEndSums,
}

/// The checksums of one text with each kind of line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineEndSums {
    /// That of the text as it is.
    pub(crate) own: String,
    /// That of the text with every line ending in `\n`.
    pub(crate) unix: String,
    /// That of the text with every line ending in `\r\n`.
    pub(crate) windows: String,
}

/// The reason why a file was not read, or not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is something else, in words: "a named pipe (FIFO)".
    NotRegular(&'static str),
    /// It is longer than this many bytes.
    TooLong(u64),
    /// The files of the folder hold more than this many bytes together. The last ones by their names are kept.
    NoRoom(u64),
    /// The system does not let us read it, and says why.
    Unreadable(String),
    /// It is not UTF-8.
    NotUtf8,
}

/// Writes the reason in words that follow "it".
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegular(kind) => write!(f, "is {kind}, not a regular file"),
            Self::TooLong(most) => write!(f, "is longer than {} bytes", thousands(*most)),
            Self::NoRoom(most) => {
                write!(f, "is not kept, as the folder's files hold more than {} bytes together", thousands(*most))
            }
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::NotUtf8 => f.write_str("is not UTF-8 text"),
        }
    }
}

impl File {
    /// Returns the file's name as text; bytes that are not UTF-8 become U+FFFD, as the tools have it.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns true if the file is in the folder itself and not in one below it.
    pub(crate) fn is_flat(&self) -> bool {
        self.path.components().count() == 1
    }

    /// Returns its text, if it was read.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Returns the name of the part of an application to which a folder at this path belongs.
pub(crate) fn part(path: &Path) -> Option<String> {
    let named = if path.ends_with("migrations") {
        path.parent()?
    } else {
        path
    };
    named.file_name().map(|name| name.to_string_lossy().into_owned())
}

impl Folder {
    /// Returns the files that lie in the folder itself.
    pub(crate) fn flat(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_flat())
    }

    /// Returns the file at a path below the folder.
    pub(crate) fn file(&self, path: impl AsRef<Path>) -> Option<&File> {
        let path = path.as_ref();
        self.files
            .binary_search_by(|file| file.path.as_path().cmp(path))
            .ok()
            .and_then(|at| self.files.get(at))
    }

    /// Returns the content of one of its folders, as a folder of its own.
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
                is_outside: file.is_outside,
            })
        });
        Self {
            files: files.collect(),
            folders: self.folders.iter().filter_map(below).collect(),
            part: part(path),
        }
    }

    /// Returns the names of the folders right below it.
    pub(crate) fn names_of_folders(&self) -> impl Iterator<Item = (&Path, String)> {
        let top = self.folders.iter().filter(|path| path.components().count() == 1);
        top.map(|path| (path.as_path(), path.to_string_lossy().into_owned()))
    }
}
