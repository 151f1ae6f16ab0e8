//! The type of a check, and the counters that several of them share.

use std::collections::BTreeMap;

use crate::application::Application;
use crate::checks::context::StoreContext;
use crate::findings::LONGEST_NAME;
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::Probe;
use crate::probe::in_use::Sighting;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::text::words::{cut, plural};

/// A check, as the registry lists it.
pub(crate) struct Check {
    /// Its name in rows, options and `docs/checks.md`.
    pub id: CheckId,
    /// The subject of the check, in one line.
    pub summary: &'static str,
    /// The check that must have passed or looked before; otherwise the row is skipped.
    pub needs: Needs,
    /// The function, by the input that it reads.
    pub input: Input,
}

/// The precondition of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it looks at the path itself.
    Nothing,
    /// Another check must have passed.
    Passed(CheckId),
    /// Another check must have looked, whatever it found.
    Looked(CheckId),
}

impl Needs {
    /// Returns the check that it needs.
    pub(crate) fn check(self) -> Option<CheckId> {
        match self {
            Self::Nothing => None,
            Self::Passed(check) | Self::Looked(check) => Some(check),
        }
    }
}

/// The function of a check, by the input that it may touch.
pub(crate) enum Input {
    /// Reads the probe alone, without SQLite.
    Probe(fn(&Probe, &Application, &Stop) -> Outcome),
    /// Judges who has the store open, as it was seen before the sandbox.
    Users(fn(&Sighting, &Probe) -> Outcome),
    /// Compares the store's folder before and after; answered when all others are done.
    Access,
    /// Reads through a read-only handle. An error means "could not look".
    Handle(fn(&StoreContext, &ReadOnly) -> crate::error::Result<Outcome>),
}

/// The number of reasons that are listed.
const MOST_REASONS: usize = 10;

/// Tables that were left out: each reason once, with the first table that it is the reason for and how many there are.
#[derive(Debug, Default)]
pub(in crate::checks) struct LeftOut(BTreeMap<String, (String, u64)>);

impl LeftOut {
    /// Counts a table for which there is this reason.
    pub(in crate::checks) fn count(&mut self, why: String, table: &str) {
        let (_, count) = self.0.entry(why).or_insert_with(|| (cut(table, LONGEST_NAME), 0));
        *count += 1;
    }

    /// Returns the number of reasons.
    pub(in crate::checks) fn reasons(&self) -> usize {
        self.0.len()
    }

    /// "t1 and 3 tables more (no such collation sequence: X)".
    pub(in crate::checks) fn words(&self) -> Vec<String> {
        let words = self.0.iter().take(MOST_REASONS).map(|(why, (table, count))| match count - 1 {
            0 => format!("{table} ({why})"),
            more => format!("{table} and {} more ({why})", plural(more, "table", "tables")),
        });
        let rest = self.0.len().saturating_sub(MOST_REASONS) as u64;
        let rest = (rest > 0).then(|| format!("more for {}", plural(rest, "other reason", "other reasons")));
        words.chain(rest).collect()
    }
}
