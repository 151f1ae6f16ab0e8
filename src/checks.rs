//! The registry: every check, in the order in which its row is printed.
//!
//! The order matters: a check stands behind what it needs, and the report reads from the file inwards.

mod artifacts;
mod file;
mod foreign_keys;
mod journal;
mod migration_history;
mod migration_rehearsal;
mod page_structure;
mod read_only;
pub(crate) mod row_values;
mod schema_shape;
mod schema_state;
mod unknown_ids;

use crate::check::Check;

/// Every check.
pub const CHECKS: &[&Check] = &[
    &file::CHECK,
    &journal::CHECK,
    &read_only::CHECK,
    &page_structure::CHECK,
    &schema_state::CHECK,
    &unknown_ids::CHECK,
    &migration_history::CHECK,
    &schema_shape::CHECK,
    &migration_rehearsal::CHECK,
    &foreign_keys::CHECK,
    &row_values::CHECK,
    &artifacts::CHECK,
];

pub(crate) use read_only::Evidence;

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_written_in_lower_case_with_hyphens() {
        let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), CHECKS.len());
        for id in ids {
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{id}");
            assert_eq!(find(id).map(|check| check.id), Some(id));
        }
    }

    #[test]
    fn each_check_says_what_it_looks_at_in_one_line() {
        for check in CHECKS {
            assert!((10..=78).contains(&check.summary.len()), "{}: {}", check.id, check.summary.len());
        }
    }
}
