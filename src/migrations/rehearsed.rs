//! The pending migrations of a folder, tried on a private copy of a store as their tool runs them.

use sqlite_format::header::HeaderFields;

use crate::application::MigrationsFolder;
use crate::error::Result;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::known::Script;
use crate::migrations::rehearsal::{self, Rehearsal, Rehearsed};
use crate::migrations::sql_text;
use crate::migrations::status::Stands;
use crate::migrations::steps::Steps;
use crate::probe::Probe;
use crate::store::{Environment, ReadOnly};
use crate::text::words::id_list;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Tried {
    /// There is nothing to try.
    NonePending,
    /// They were not tried, and why.
    Not(String),
    /// They were.
    Rehearsed(Rehearsal),
}

/// Tries the pending migrations on a copy of a store; without one, on a file of no bytes.
///
/// # Errors
/// Where something else than the migrations ended it.
pub(crate) fn rehearse(
    folder: &MigrationsFolder,
    stands: &Stands,
    store: Option<(&Probe, &ReadOnly)>,
    environment: &Environment<'_>,
) -> Result<Tried> {
    let standing = &stands.standing;
    if let Some(why) = stands.refusal() {
        return Ok(Tried::Not(format!("{} would run nothing: {why}", stands.runner())));
    }
    if standing.pending.is_empty() {
        return Ok(Tried::NonePending);
    }
    if let Some(why) = stands.not_replayable(&standing.pending) {
        return Ok(Tried::Not(format!("the pending migrations cannot be tried: {why}")));
    }
    let no_shape = no_shape(stands);
    let header = store.and_then(|(probe, _)| probe.header());
    let steps = Steps {
        // A new database is in none.
        in_wal_mode: Some(header.is_some_and(HeaderFields::is_wal)),
        ..stands.steps(folder)
    };
    let rehearsed = Rehearsed::ByTool {
        steps: &steps,
        no_shape: no_shape.as_deref(),
    };
    let tried = match store {
        Some((probe, handle)) => rehearsal::rehearse(probe, handle, rehearsed, environment),
        None => rehearsal::rehearse_on_nothing(rehearsed, environment),
    };
    match tried {
        Ok(mut rehearsal) => {
            rehearsal.notes.extend(stands.what_drivers_refuse());
            Ok(Tried::Rehearsed(rehearsal))
        }
        Err(error) if error.is_not_replayable() => Ok(Tried::Not(error.to_string())),
        Err(error) => Err(error),
    }
}

impl Stands {
    /// What runs here, and not with every driver. drizzle hands each piece between breakpoints to the driver as one statement.
    fn what_drivers_refuse(&self) -> Vec<String> {
        if self.dialect != &DRIZZLE {
            return Vec::new();
        }
        let (mut several, mut none) = (Vec::new(), Vec::new());
        for known in self.standing.pending.iter().filter_map(|key| self.set.get(key)) {
            let Script::Sql { batches, .. } = &known.script else {
                continue;
            };
            let statements: Vec<usize> = batches.iter().map(|sql| sql_text::statements(sql)).collect();
            if statements.iter().any(|statements| *statements > 1) {
                several.push(known.shown_file());
            }
            if statements.contains(&0) {
                none.push(known.shown_file());
            }
        }
        let noted = [
            (
                several,
                "several statements without a breakpoint between them, which better-sqlite3 refuses",
            ),
            (none, "a piece without a statement, which better-sqlite3 and libsql refuse"),
        ];
        let noted = noted.into_iter().filter_map(|(files, what)| {
            let more = match files.len() {
                0 => return None,
                1 => String::new(),
                all => format!(" and {} more", all - 1),
            };
            Some(format!("{}{more}: {what}", files.first()?))
        });
        noted.collect()
    }
}

/// Why the shape that the migrations should leave is not known.
fn no_shape(stands: &Stands) -> Option<String> {
    let standing = &stands.standing;
    if !standing.unknown.is_empty() {
        let unknown = id_list(&stands.all_shown(&standing.unknown), 10);
        return Some(format!("the folder does not have these applied migrations: {unknown}"));
    }
    stands.not_replayable(&standing.applied)
}
