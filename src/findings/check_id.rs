//! The names of the checks, as values.

use std::fmt;
use std::str::FromStr;

/// The name of a check: what `--only` takes, what a row carries, and what `docs/checks.md` is headed by.
///
/// ```
/// use banger_doctor::CheckId;
///
/// assert_eq!("foreign-keys".parse(), Ok(CheckId::ForeignKeys));
/// assert_eq!(CheckId::ForeignKeys.to_string(), "foreign-keys");
/// assert!("foreign_keys".parse::<CheckId>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CheckId {
    /// Whether the path leads to a whole SQLite file.
    File,
    /// Whether the sidecar files belong to the store and have lost nothing.
    Journal,
    /// Whether the store could be opened for reading, and the doctor left no trace.
    ReadOnly,
    /// SQLite's own integrity check.
    PageStructure,
    /// Whether this binary may take the store over.
    SchemaState,
    /// The applied migrations that this binary does not know.
    UnknownIds,
    /// Whether the ledger's rows are what the runner writes.
    MigrationHistory,
    /// Whether tables, indexes, triggers and views are what the applied migrations make.
    SchemaShape,
    /// Whether the pending migrations succeed on a private copy.
    MigrationRehearsal,
    /// Whether each row that is referred to is there.
    ForeignKeys,
    /// Whether each value is one that the application writes.
    RowValues,
    /// Whether the files that the store names are there.
    Artifacts,
}

impl CheckId {
    /// Every check, in the order in which the rows of a report stand.
    pub const ALL: &'static [Self] = &[
        Self::File,
        Self::Journal,
        Self::ReadOnly,
        Self::PageStructure,
        Self::SchemaState,
        Self::UnknownIds,
        Self::MigrationHistory,
        Self::SchemaShape,
        Self::MigrationRehearsal,
        Self::ForeignKeys,
        Self::RowValues,
        Self::Artifacts,
    ];

    /// Its name in rows, options and documents: lower case, with hyphens.
    pub fn id(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Journal => "journal",
            Self::ReadOnly => "read-only",
            Self::PageStructure => "page-structure",
            Self::SchemaState => "schema-state",
            Self::UnknownIds => "unknown-ids",
            Self::MigrationHistory => "migration-history",
            Self::SchemaShape => "schema-shape",
            Self::MigrationRehearsal => "migration-rehearsal",
            Self::ForeignKeys => "foreign-keys",
            Self::RowValues => "row-values",
            Self::Artifacts => "artifacts",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for CheckId {
    type Err = UnknownCheck;

    fn from_str(id: &str) -> Result<Self, UnknownCheck> {
        Self::ALL.iter().copied().find(|check| check.id() == id).ok_or(UnknownCheck)
    }
}

/// No check has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no check has this name")]
#[non_exhaustive]
pub struct UnknownCheck;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_lead_back_and_are_written_in_lower_case_with_hyphens() {
        let ids: BTreeSet<&str> = CheckId::ALL.iter().map(|check| check.id()).collect();
        assert_eq!(ids.len(), CheckId::ALL.len());
        assert!(CheckId::ALL.is_sorted());
        for check in CheckId::ALL {
            let id = check.id();
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{id}");
            assert_eq!(id.parse(), Ok(*check));
        }
        assert_eq!("File".parse::<CheckId>(), Err(UnknownCheck));
    }
}
