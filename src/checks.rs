//! The registry: every check, in the order in which its row is printed.
//!
//! The order matters: a check stands behind what it needs, and the report reads from the file inwards.

mod artifacts;
pub(crate) mod check;
pub(crate) mod context;
mod file;
mod foreign_keys;
mod journal;
mod left_out;
mod migration_history;
mod migration_rehearsal;
mod page_structure;
mod read_only;
pub(crate) mod row_values;
mod schema_shape;
mod schema_state;
mod unknown_ids;

use crate::findings::check_id::CheckId;
use check::Check;

/// Every check.
pub(crate) const CHECKS: &[&Check] = &[
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

/// The check of this name.
pub(crate) fn get(id: CheckId) -> &'static Check {
    match id {
        CheckId::File => &file::CHECK,
        CheckId::Journal => &journal::CHECK,
        CheckId::ReadOnly => &read_only::CHECK,
        CheckId::PageStructure => &page_structure::CHECK,
        CheckId::SchemaState => &schema_state::CHECK,
        CheckId::UnknownIds => &unknown_ids::CHECK,
        CheckId::MigrationHistory => &migration_history::CHECK,
        CheckId::SchemaShape => &schema_shape::CHECK,
        CheckId::MigrationRehearsal => &migration_rehearsal::CHECK,
        CheckId::ForeignKeys => &foreign_keys::CHECK,
        CheckId::RowValues => &row_values::CHECK,
        CheckId::Artifacts => &artifacts::CHECK,
    }
}

#[cfg(test)]
mod tests;
