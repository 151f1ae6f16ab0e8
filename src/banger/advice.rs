//! The remedies that only banger's users can apply: with VMs and images.

use std::borrow::Cow;

use crate::application::{Application, HistoryFault, Problem, default_advice};

/// Returns the remedy for a problem in a store of banger's.
pub(super) fn advice(problem: &Problem, application: &Application) -> Cow<'static, str> {
    match problem {
        Problem::Dangling { .. } => {
            "stop banger and keep a copy of the store with its -wal, -shm and -journal; then restore what is missing (a VM whose image is gone cannot start until the image is registered again), or let banger remove the VMs that these rows describe; do not delete the rows with SQL"
        }
        Problem::History(HistoryFault::FormerName { .. }) => {
            "no data is lost: keep a copy of the store with its sidecar files, and let the banger that made it finish with its VMs; then move the store aside and let a released banger make a new one; do not rename the migration in the ledger: its work was not done"
        }
        Problem::Values { .. } => {
            "stop banger and keep a copy of the store with its -wal, -shm and -journal; check the disk, and find out whether another program wrote to the store; then restore a backup, or let banger re-create the named VMs and images"
        }
        Problem::NamedFiles { .. } => {
            "the store itself is not the problem; put the files back where the image names them, or let banger build or pull the image again; a store that was copied from another machine names that machine's files"
        }
        _ => return default_advice(problem, application),
    }
    .into()
}
