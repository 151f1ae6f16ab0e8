//! The names of the checks, as values.

use std::fmt;
use std::str::FromStr;

/// The table of all checks, passed on to another macro: a variant of [`CheckId`] with its documentation, the module in
/// `src/checks` that holds the check, and the name in rows, options and documents.
///
/// A new check is one line here and one module there. The rows of a report are in this order, which goes from the file inwards; a
/// check comes after those that it needs.
macro_rules! with_every_check {
    ($make:ident) => {
        $make! {
            /// The path leads to a whole SQLite file.
            File => file, "file";
            /// The sidecar files belong to the store and have lost nothing.
            Journal => journal, "journal";
            /// Every program that has the store open works with the files that lie there.
            InUse => in_use, "in-use";
            /// The store could be opened for reading, and the doctor left no trace.
            ReadOnly => read_only, "read-only";
            /// SQLite's own integrity check.
            PageStructure => page_structure, "page-structure";
            /// This binary may take the store over.
            SchemaState => schema_state, "schema-state";
            /// This binary knows every applied migration.
            UnknownIds => unknown_ids, "unknown-ids";
            /// The ledger's rows are what the runner writes.
            MigrationHistory => migration_history, "migration-history";
            /// Tables, indexes, triggers and views are what the applied migrations make.
            SchemaShape => schema_shape, "schema-shape";
            /// The pending migrations succeed on a private copy.
            MigrationRehearsal => migration_rehearsal, "migration-rehearsal";
            /// Each row that is referred to is there.
            ForeignKeys => foreign_keys, "foreign-keys";
            /// Each value is one that the application writes.
            RowValues => row_values, "row-values";
            /// The files that the store names are there.
            Artifacts => artifacts, "artifacts";
        }
    };
}

macro_rules! define_check_id {
    ($($(#[$doc:meta])+ $variant:ident => $module:ident, $id:literal;)+) => {
        /// The name of a check: the argument of `--only`, the name of a row, and a heading in `docs/checks.md`.
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
            $($(#[$doc])+ $variant,)+
        }

        impl CheckId {
            /// Every check, in the order of the rows of a report.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name in rows, options and documents: lower case, with hyphens.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                }
            }
        }
    };
}

with_every_check!(define_check_id);
pub(crate) use with_every_check;

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
