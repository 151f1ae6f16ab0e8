//! The limits of a run: when it has to stop, and how far it has come.

pub(crate) mod progress;
pub mod stop;
