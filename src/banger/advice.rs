//! The remedies that only banger's users can apply: with VMs and images.

use crate::application::{Application, HistoryFault, Problem, Remedy, StoreFiles, default_advice, keep_a_copy};

/// Returns the remedy for a problem in a store of banger's.
pub(super) fn advice(problem: &Problem, application: &Application, files: &StoreFiles) -> Remedy {
    match problem {
        Problem::Dangling { .. } => keep_a_copy(application, files)
            .step("Restore what is missing: a VM whose image is gone cannot start until the image is registered again.")
            .step("Or let banger remove the VMs that these rows describe. Do not delete the rows with SQL."),
        Problem::History(HistoryFault::FormerName { .. }) => Remedy::default()
            .run("No data is lost. Keep a copy of all files of the store:", [files.keep()])
            .step("Let the banger that made it finish with its VMs. Then move the store aside, and let a released banger make a new one.")
            .step("Do not rename the migration in the ledger: its work was not done."),
        Problem::Values { .. } => keep_a_copy(application, files)
            .step("Check the disk, and find out whether another program wrote to the store.")
            .step("Restore a backup, or let banger re-create the named VMs and images."),
        Problem::NamedFiles { .. } => Remedy::from("The store itself is not the problem.")
            .step("Put the files back where the image names them, or let banger build or pull the image again.")
            .step("A store that was copied from another machine names that machine's files."),
        _ => default_advice(problem, application, files),
    }
}
