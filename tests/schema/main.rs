//! `migration-history`, `schema-shape` and `migration-rehearsal`, through the real binary.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![expect(
    clippy::disallowed_methods,
    reason = "stores are made here, as a daemon and as others make them"
)]

mod as_before;
mod harness;
mod history;
mod rehearsal;
mod same_store;
mod shape;
