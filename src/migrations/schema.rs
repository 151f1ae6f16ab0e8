//! The schema: the known migrations, the runner that applies them, and where a store stands among them.

pub(crate) mod ledger;
pub(crate) mod rehearsal;
pub(crate) mod runner;
pub(crate) mod shape;
pub(crate) mod standing;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod tables;
mod tool;
