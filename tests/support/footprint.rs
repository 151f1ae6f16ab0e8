//! What a folder looks like from outside, so that two looks can be compared.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// All that can be seen of a folder and what lies in it, without following links.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint(BTreeMap<PathBuf, Seen>);

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: u64,
    mode: u32,
    links: u64,
    owner: (u32, u32),
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    content: Option<u64>,
}

impl Footprint {
    pub fn of(folder: &Path) -> Self {
        Self::with(folder, content)
    }

    /// The same without what the files hold, of which their times tell a change too: to read a store would drop the locks
    /// that this process has on it.
    pub fn unread(folder: &Path) -> Self {
        Self::with(folder, |_, _| None)
    }

    fn with(folder: &Path, content: impl Fn(&Path, &Metadata) -> Option<u64>) -> Self {
        let seen = |path: PathBuf| {
            let seen = seen(&path, &content);
            (path, seen)
        };
        Self(everything_in(folder).into_iter().map(seen).collect())
    }

    /// The same without one path.
    pub fn without(mut self, path: &Path) -> Self {
        self.0.remove(path);
        self
    }

    /// Fails, naming what differs, where the folder is no longer what it was.
    pub fn assert_same(&self, now: &Self, when: &str) {
        let mut differences = String::new();
        for path in self.0.keys().chain(now.0.keys().filter(|path| !self.0.contains_key(*path))) {
            let (before, after) = (self.0.get(path), now.0.get(path));
            if before != after {
                let _ = write!(differences, "\n{}:\n  before {before:?}\n  after  {after:?}", path.display());
            }
        }
        assert!(differences.is_empty(), "{when}: the doctor left a trace:{differences}");
    }
}

fn seen(path: &Path, content: impl Fn(&Path, &Metadata) -> Option<u64>) -> Seen {
    let meta = fs::symlink_metadata(path).unwrap();
    Seen {
        inode: meta.ino(),
        mode: meta.mode(),
        links: meta.nlink(),
        owner: (meta.uid(), meta.gid()),
        size: meta.size(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        ctime: (meta.ctime(), meta.ctime_nsec()),
        content: content(path, &meta),
    }
}

/// What a test has closed to everybody is told by the rest.
fn content(path: &Path, meta: &Metadata) -> Option<u64> {
    meta.is_file().then(|| fs::read(path).ok().map(|bytes| hash(&bytes))).flatten()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

pub fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(everything_in(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
