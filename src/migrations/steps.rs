//! Migrations as another tool runs them: what it hands to SQLite, in its order, and where its transactions begin and end.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::migrations::driver::Drivers;

/// The migrations that an application keeps in a folder, as the ledger of one store divides them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Those that the ledger has, in the tool's order.
    pub(crate) applied: Vec<Step>,
    /// Those that the tool would run, in its order.
    pub(crate) pending: Vec<Step>,
    /// Tables that are the tool's own: disregarded in shapes and counts.
    pub(crate) ledgers: Vec<String>,
    /// The enforcement of foreign keys while the tool migrates.
    pub(crate) foreign_keys: ForeignKeys,
    /// True if the store is in WAL mode; `None` where it is not known.
    pub(crate) in_wal_mode: Option<bool>,
    /// The drivers by which the tool will run those that are pending.
    pub(crate) drivers: Drivers,
}

impl Steps {
    /// Returns true if a table is the tool's own.
    pub(super) fn is_ledger(&self, table: &str) -> bool {
        self.ledgers.iter().any(|ledger| ledger.eq_ignore_ascii_case(table))
    }
}

/// A migration that can be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The name for its users: its version, its number, the name of its folder.
    pub(crate) key: String,
    /// The rest of its name; empty where the key is all of it.
    pub(crate) name: String,
    /// Its file as it is shown, below the folder; empty where there is none.
    pub(crate) file: String,
    /// The texts that the tool passes to SQLite, one after the other. Each may hold several statements, which SQLite splits.
    pub(crate) batches: Vec<SqlText>,
    /// True if its file is a link out of the folder, of which no word is repeated.
    pub(crate) is_outside: bool,
    /// The extent of its transaction.
    pub(crate) transaction: Transaction,
}

/// A text that a tool passes to SQLite: a part of a file, which is shared and not copied.
#[derive(Debug, Clone)]
pub(crate) struct SqlText {
    file: Arc<str>,
    part: Range<usize>,
}

impl SqlText {
    /// Returns the whole text of a file.
    pub(super) fn whole(file: &Arc<str>) -> Self {
        Self {
            part: 0..file.len(),
            file: file.clone(),
        }
    }

    /// Returns the parts of a file between these separators.
    pub(super) fn split(file: &Arc<str>, separator: &str) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        for (end, found) in file.match_indices(separator) {
            parts.push(start..end);
            start = end + found.len();
        }
        parts.push(start..file.len());
        let of_part = |part| Self {
            file: file.clone(),
            part,
        };
        parts.into_iter().map(of_part).collect()
    }
}

impl Deref for SqlText {
    type Target = str;

    fn deref(&self) -> &str {
        self.file.get(self.part.clone()).unwrap_or_default()
    }
}

impl PartialEq for SqlText {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SqlText {}

impl From<String> for SqlText {
    fn from(text: String) -> Self {
        Self::whole(&Arc::from(text))
    }
}

impl From<&str> for SqlText {
    fn from(text: &str) -> Self {
        Self::whole(&Arc::from(text))
    }
}

impl Step {
    /// Returns true if it may leave a setting on its connection that changes what later ones do there.
    pub(super) fn may_leave_settings(&self) -> bool {
        let holds = |sql: &str| {
            let sql = sql.to_ascii_lowercase();
            sql.contains("pragma") || sql.contains("temp")
        };
        self.batches.iter().any(|sql| holds(sql))
    }

    /// Returns its key with the rest of its name.
    pub(super) fn label(&self) -> String {
        if self.name.is_empty() {
            self.key.clone()
        } else {
            format!("{} ({})", self.key, self.name)
        }
    }
}

/// The extent of the transaction in which a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// The tool puts each migration into one.
    Each,
    /// The tool puts everything that is pending into one.
    AllPending,
    /// The tool begins none.
    None,
    /// The tool begins none, and the file begins its own: golang-migrate never wrapped such a file.
    OwnInFile,
}

/// The enforcement of foreign keys while a tool migrates. The folder does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignKeys {
    /// The tool's default, which the application may override: not known.
    Usual(bool),
    /// They are enforced.
    On,
    /// They are not enforced.
    Off,
}

impl ForeignKeys {
    /// Returns true if they are taken to be enforced.
    pub(crate) fn hold(self) -> bool {
        matches!(self, Self::On | Self::Usual(true))
    }
}

impl Default for ForeignKeys {
    fn default() -> Self {
        Self::Usual(true)
    }
}
