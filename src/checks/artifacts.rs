//! Checks that the files that the store names exist.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::types::ValueRef;

use crate::application::{Application, NamedFile, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::checks::context::StoreContext;
use crate::error::{Error, Result};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::limits::stop::Stop;
use crate::probe::{FileKind, FileStat};
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::introspect::{self, identifier};
use crate::text::words::{plural, thousands};

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::Artifacts,
    summary: "the files and folders that the store names are there",
    needs: Needs::Passed(CheckId::ReadOnly),
    input: Input::Handle(run),
};

/// The size limit of the remembered paths, in bytes; beyond it each path is looked at again.
const MOST_REMEMBERED: usize = 2 << 20;

/// The approximate overhead of a remembered path, in bytes.
const FOR_EACH: usize = 64;

fn run(context: &StoreContext<'_>, handle: &ReadOnly) -> Result<Outcome> {
    let naming = tables_that_name_files(context.application);
    if naming.is_empty() {
        return Ok(Outcome::skip(format!(
            "it is not known which files {} names in its store",
            context.application.name()
        )));
    }
    if !context.artifacts {
        return Ok(Outcome::skip("not asked for: use --artifacts to look for the files that the store names"));
    }
    let mut found = ArtifactFindings::default();
    let mut are_there = Vec::new();
    for table in naming {
        let there = introspect::ordinary_columns(handle, table.name)?;
        let columns: Vec<_> = table.columns.into_iter().filter(|(name, _)| there.has(name)).collect();
        if !columns.is_empty() {
            are_there.push(table.name);
            found.check_table(table.name, &columns, there.rowid_or_null(), context.environment.stop, handle)?;
        }
    }
    if are_there.is_empty() {
        return Ok(Outcome::pass("the store names no files"));
    }
    Ok(found.outcome(&are_there.join(" and ")))
}

/// A table of an application's, with those of its columns that name files.
struct NamingTable<'a> {
    name: &'a str,
    columns: Vec<(&'a str, NamedFile)>,
}

fn tables_that_name_files(application: &Application) -> Vec<NamingTable<'_>> {
    let all = application.tables.iter().map(|table| NamingTable {
        name: &table.name,
        columns: table
            .columns
            .iter()
            .filter_map(|column| Some((&*column.name, column.names_file?)))
            .collect(),
    });
    all.filter(|table| !table.columns.is_empty()).collect()
}

#[derive(Default)]
struct ArtifactFindings {
    looked_at: u64,
    not_allowed: u64,
    findings: Findings,
    remembered: HashMap<Vec<u8>, PathState>,
    /// The size of the remembered paths, in bytes.
    remembered_bytes: usize,
}

/// The thing at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathState {
    Kind(FileKind),
    Missing,
    PermissionDenied,
    NotAbsolute,
    Invalid,
}

impl ArtifactFindings {
    fn check_table(
        &mut self,
        table: &str,
        columns: &[(&str, NamedFile)],
        rowid: &str,
        stop: &Stop,
        handle: &ReadOnly,
    ) -> Result<()> {
        let names: Vec<String> = columns.iter().map(|(name, _)| identifier(name)).collect();
        let sql = format!("SELECT {rowid}, {} FROM {} NOT INDEXED", names.join(", "), identifier(table));
        handle.rows(&sql, [], |row| {
            stop.check()?;
            for (at, (column, wanted)) in columns.iter().enumerate() {
                let ValueRef::Text(path) = row.get_ref(at + 1).map_err(Error::sqlite(&sql))? else {
                    continue;
                };
                if !path.is_empty() {
                    self.check_path(path, *wanted, || Finding {
                        row: row.get(0).ok(),
                        ..Finding::new("").table(table).column(*column)
                    });
                }
            }
            Ok(())
        })
    }

    fn check_path(&mut self, path: &[u8], wanted: NamedFile, place: impl FnOnce() -> Finding) {
        self.looked_at += 1;
        let state = self.remembered.get(path).copied().unwrap_or_else(|| self.look_up(path));
        let what = match state {
            PathState::Kind(FileKind::Folder) if wanted == NamedFile::Folder => return,
            PathState::Kind(FileKind::Regular) if wanted == NamedFile::File => return,
            PathState::Kind(_) if wanted == NamedFile::Folder => "not a folder",
            PathState::Kind(_) => "not a regular file",
            PathState::Missing => "nothing is there",
            PathState::PermissionDenied => {
                self.not_allowed += 1;
                "could not look there: permission denied"
            }
            PathState::NotAbsolute => "not an absolute path",
            PathState::Invalid => "not a valid path",
        };
        self.findings.add(|| Finding {
            what: what.into(),
            ..place()
        });
    }

    /// Looks at a path and remembers the result while there is room.
    fn look_up(&mut self, path: &[u8]) -> PathState {
        let state = state_of(path);
        let bytes = self.remembered_bytes + path.len() + FOR_EACH;
        if bytes <= MOST_REMEMBERED {
            self.remembered_bytes = bytes;
            self.remembered.insert(path.to_vec(), state);
        }
        state
    }

    /// `tables`: those that name the files.
    fn outcome(self, tables: &str) -> Outcome {
        let paths = plural(self.looked_at, "path", "paths");
        if self.findings.is_empty() {
            return Outcome::pass(format!("{paths} checked, and nothing is missing"));
        }
        let wrong = self.findings.total - self.not_allowed;
        let mut sentences = Vec::new();
        if wrong > 0 {
            sentences.push(format!(
                "{} of {paths} that {tables} name: missing, or the wrong kind of file",
                thousands(wrong)
            ));
        }
        if self.not_allowed > 0 {
            sentences.push(format!(
                "could not look at {}: permission denied",
                plural(self.not_allowed, "path", "paths")
            ));
        }
        let problem = if wrong == 0 {
            Problem::FilesNotAllowed {
                paths: self.not_allowed,
            }
        } else {
            Problem::NamedFiles { wrong }
        };
        Outcome::found(sentences.join("; "), problem, self.findings)
    }
}

/// Looks at a path without opening anything.
fn state_of(path: &[u8]) -> PathState {
    let path = Path::new(OsStr::from_bytes(path));
    if !path.is_absolute() {
        return PathState::NotAbsolute;
    }
    match FileStat::of(path) {
        Ok(Some(stamp)) => PathState::Kind(stamp.kind),
        Ok(None) => PathState::Missing,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => PathState::PermissionDenied,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => PathState::Missing,
        Err(_) => PathState::Invalid,
    }
}
