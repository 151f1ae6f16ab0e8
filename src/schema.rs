//! The schema: the known migrations, the runner that applies them, and where a store stands among them.

pub mod ledger;
pub mod rehearsal;
pub mod runner;
pub(crate) mod shape;
pub mod state;
pub mod tables;
