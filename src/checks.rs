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
mod row_values;
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

pub(crate) use read_only::TraceCheck;

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.id == id)
}

#[cfg(test)]
mod tests;
