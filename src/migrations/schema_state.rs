//! Where a store stands among the known migrations.

use std::fmt;

use crate::application::Application;
use crate::error::Result;
use crate::migrations::dialects::built_in;
use crate::migrations::runner;
use crate::store::ReadOnly;
use crate::text::words::id_list;

/// How many ids its line shows.
pub(crate) const SHOWN_IDS: usize = 20;

/// Whether this binary may take a store over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// Every known migration is applied, and no other.
    Compatible,
    /// Some known migrations are pending: this binary is newer than the store, and will apply them.
    MigrationsNeeded,
    /// The store has migrations that this binary does not know: it is older than the store.
    Incompatible,
}

/// Where a store stands among the known migrations. All lists ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaState {
    /// Whether this binary may take the store over.
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

impl SchemaState {
    /// Where a store to which these migrations were applied stands among those that an application knows.
    pub(crate) fn of(application: &Application, mut applied: Vec<i64>) -> Self {
        applied.sort_unstable();
        let known = application.ids();
        let pending: Vec<i64> = known.iter().copied().filter(|id| applied.binary_search(id).is_err()).collect();
        let unknown: Vec<i64> = applied.iter().copied().filter(|id| !known.contains(id)).collect();
        let compatibility = if !unknown.is_empty() {
            Compatibility::Incompatible
        } else if !pending.is_empty() {
            Compatibility::MigrationsNeeded
        } else {
            Compatibility::Compatible
        };
        Self {
            compatibility,
            applied,
            known_max: known.last().copied().unwrap_or(0),
            pending,
            unknown,
        }
    }

    /// Where a store stands in which nothing is.
    ///
    /// # Errors
    /// As far as they lie in the known migrations, those of [`read`](Self::read).
    pub(crate) fn of_nothing(application: &Application) -> Result<Self> {
        runner::in_order(&application.migrations)?;
        Ok(Self::of(application, Vec::new()))
    }

    /// Reads the state through a handle. No ledger: everything is pending.
    ///
    /// # Errors
    /// Two known migrations with one id, a ledger that is not the application's, and what keeps it from being read.
    pub(crate) fn read(application: &Application, handle: &ReadOnly) -> Result<Self> {
        runner::in_order(&application.migrations)?;
        Ok(Self::of(application, built_in::applied(application, handle)?.unwrap_or_default()))
    }
}

/// The gate's line: "migrations needed: pending \[3\] (binary will apply on first Open)".
impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[i64]| id_list(ids, SHOWN_IDS);
        f.write_str(&line(self.compatibility, self.applied.len(), &list(&self.pending), &list(&self.unknown)))
    }
}

/// The gate's line of a store to which so many migrations were applied; `pending` and `unknown` as lists.
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
