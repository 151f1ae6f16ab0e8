//! The registry: every check, in the order in which its row is printed. The table itself is in
//! [`check_id`](crate::findings::check_id), so that names are known to rooms that know no check.

mod artifacts;
pub(crate) mod check;
pub(crate) mod context;
mod file;
mod foreign_keys;
mod in_use;
mod journal;
mod migration_history;
mod migration_rehearsal;
mod page_structure;
pub(crate) mod read_only;
pub(crate) mod row_values;
mod schema_shape;
mod schema_state;
mod unknown_ids;

use crate::findings::check_id::{CheckId, with_every_check};
use check::Check;

macro_rules! define_registry {
    ($($(#[$doc:meta])+ $variant:ident => $module:ident, $id:literal;)+) => {
        /// Every check, in the order of [`CheckId::ALL`].
        pub(crate) const CHECKS: [&Check; CheckId::ALL.len()] = [$(&$module::CHECK),+];
    };
}

with_every_check!(define_registry);

pub(crate) use read_only::TraceCheck;

/// Returns the check of this name.
pub(crate) fn get(id: CheckId) -> &'static Check {
    CHECKS[id as usize]
}

#[cfg(test)]
mod tests;
