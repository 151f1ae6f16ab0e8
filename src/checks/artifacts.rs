//! Are the files that the store names where it says they are?

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::types::ValueRef;

use crate::check::{Check, Finding, Findings, Input, Needs, Outcome};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::{Error, Result};
use crate::probe::{FileKind, FileStat};
use crate::schema::tables;
use crate::store::ReadOnly;
use crate::words::{plural, thousands};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::Artifacts,
    summary: "the files and folders that images name are there",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

/// The columns of `images` that name a file or a folder. What a VM names while it runs, such as its socket, comes and goes.
const COLUMNS: &[(&str, FileKind)] = &[
    ("artifact_dir", FileKind::Folder),
    ("rootfs_path", FileKind::Regular),
    ("work_seed_path", FileKind::Regular),
    ("kernel_path", FileKind::Regular),
    ("initrd_path", FileKind::Regular),
    ("modules_dir", FileKind::Folder),
];

/// How much of different paths is remembered, in bytes; beyond that each is looked at again.
const MOST_REMEMBERED: usize = 2 << 20;

/// What remembering one path takes beside its own bytes, more or less.
const FOR_EACH: usize = 64;

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    if !context.artifacts {
        return Ok(Outcome::skip(
            "not asked for: with --artifacts it looks for the files that the store names",
        ));
    }
    let there = tables::columns(handle, "images")?;
    let columns: Vec<(&str, FileKind)> = COLUMNS.iter().copied().filter(|(name, _)| there.has(name)).collect();
    if columns.is_empty() {
        return Ok(Outcome::pass("the store names no files"));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let sql = format!("SELECT {}, {} FROM images NOT INDEXED", there.rowid_or_null(), names.join(", "));
    let mut found = Found::default();
    handle.rows(&sql, [], |row| {
        context.environment.stop.check()?;
        for (at, (column, kind)) in columns.iter().enumerate() {
            let ValueRef::Text(path) = row.get_ref(at + 1).map_err(Error::sqlite(&sql))? else {
                continue;
            };
            if !path.is_empty() {
                found.look_at(path, *kind, column, row.get(0).ok());
            }
        }
        Ok(())
    })?;
    Ok(found.outcome())
}

#[derive(Default)]
struct Found {
    looked_at: u64,
    not_allowed: u64,
    findings: Findings,
    remembered: HashMap<Vec<u8>, Lies>,
    /// How many bytes that takes.
    remembered_bytes: usize,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    Kind(FileKind),
    Nothing,
    NotAllowed,
    NotAbsolute,
    NoPath,
}

impl Found {
    fn look_at(&mut self, path: &[u8], wanted: FileKind, column: &'static str, rowid: Option<i64>) {
        self.looked_at += 1;
        let lies = self.remembered.get(path).copied().unwrap_or_else(|| self.lies_at(path));
        let what = match lies {
            Lies::Kind(kind) if kind == wanted => return,
            Lies::Kind(_) if wanted == FileKind::Folder => "what lies there is not a folder",
            Lies::Kind(_) => "what lies there is not a regular file",
            Lies::Nothing => "nothing lies there",
            Lies::NotAllowed => {
                self.not_allowed += 1;
                "could not look there: permission denied"
            }
            Lies::NotAbsolute => "not an absolute path",
            Lies::NoPath => "not a path that any file can have",
        };
        self.findings.add(|| Finding {
            row: rowid,
            ..Finding::new(what).table("images").column(column)
        });
    }

    /// Looks at a path, and remembers what lies there.
    fn lies_at(&mut self, path: &[u8]) -> Lies {
        let lies = lies_at(path);
        let bytes = self.remembered_bytes + path.len() + FOR_EACH;
        if bytes <= MOST_REMEMBERED {
            self.remembered_bytes = bytes;
            self.remembered.insert(path.to_vec(), lies);
        }
        lies
    }

    fn outcome(self) -> Outcome {
        let paths = plural(self.looked_at, "path", "paths");
        if self.findings.is_empty() {
            return Outcome::pass(format!("what {paths} name is there"));
        }
        let wrong = self.findings.total - self.not_allowed;
        let mut said = Vec::new();
        if wrong > 0 {
            said.push(format!(
                "{} of {paths} that images name: nothing lies there, or the wrong kind of file",
                thousands(wrong)
            ));
        }
        if self.not_allowed > 0 {
            said.push(format!(
                "could not look at {}: permission denied",
                plural(self.not_allowed, "path", "paths")
            ));
        }
        let remedy = if wrong == 0 {
            "run the doctor as the user that banger runs as"
        } else {
            "the store itself is whole; put the files back where the image names them, or let banger build or pull the image again; a store that was copied from another machine names that machine's files"
        };
        Outcome::found(said.join("; "), remedy, self.findings)
    }
}

/// Looks at a path without opening anything.
fn lies_at(path: &[u8]) -> Lies {
    let path = Path::new(OsStr::from_bytes(path));
    if !path.is_absolute() {
        return Lies::NotAbsolute;
    }
    match FileStat::of(path) {
        Ok(Some(stamp)) => Lies::Kind(stamp.kind),
        Ok(None) => Lies::Nothing,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Lies::NotAllowed,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Lies::Nothing,
        Err(_) => Lies::NoPath,
    }
}
