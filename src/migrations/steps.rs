//! Migrations as another tool runs them: what it hands to SQLite, in its order, and where its transactions begin and end.

use std::borrow::Cow;

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
    pub(crate) batches: Vec<Cow<'static, str>>,
    /// True if its file is a link out of the folder, of which no word is repeated.
    pub(crate) is_outside: bool,
    /// The extent of its transaction.
    pub(crate) transaction: Transaction,
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
