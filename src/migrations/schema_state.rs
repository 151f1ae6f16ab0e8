//! The migration status of a store by ids, as the library's users and the gate's line have it.

use std::fmt;

use crate::migrations::diff::LedgerDiff;
use crate::text::words::id_list;

/// The most ids that its line shows.
pub(crate) const SHOWN_IDS: usize = 20;

/// The answer to the question whether this binary may take a store over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// Every known migration is applied, and no other.
    Compatible,
    /// Some known migrations are pending: this binary is newer than the store, and will apply them.
    MigrationsNeeded,
    /// The store has migrations that this binary does not know: it is older than the store.
    Incompatible,
}

/// The migration status of a store by ids. All lists ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaState {
    /// The answer to the question whether this binary may take the store over.
    pub compatibility: Compatibility,
    /// The ids in the ledger.
    pub applied: Vec<i64>,
    /// The highest id that this binary knows.
    pub known_max: i64,
    /// Known ids that are not applied.
    pub pending: Vec<i64>,
    /// Applied ids that are not known.
    pub unknown: Vec<i64>,
}

impl Compatibility {
    /// Returns true if a binary with the known migrations may take over a store with the applied ones.
    pub(crate) fn of(diff: &LedgerDiff) -> Self {
        if !diff.unknown.is_empty() {
            Self::Incompatible
        } else if !diff.pending.is_empty() {
            Self::MigrationsNeeded
        } else {
            Self::Compatible
        }
    }
}

/// The gate's line: "migrations needed: pending \[3\] (binary will apply on first Open)".
impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[i64]| id_list(ids, SHOWN_IDS);
        f.write_str(&line(self.compatibility, self.applied.len(), &list(&self.pending), &list(&self.unknown)))
    }
}

/// Returns the gate's line for a store with so many applied migrations; `pending` and `unknown` are lists.
pub(crate) fn line(compatibility: Compatibility, applied: usize, pending: &str, unknown: &str) -> String {
    match compatibility {
        Compatibility::Compatible => format!("compatible: all {applied} migrations applied"),
        Compatibility::MigrationsNeeded => {
            format!("migrations needed: pending {pending} (binary will apply on first Open)")
        }
        Compatibility::Incompatible => {
            format!("incompatible: unknown {unknown} (this binary is older than the store; do not swap)")
        }
    }
}
