//! Tests of the program and of the library from outside: one binary, a module for each theme.
//!
//! `cargo test --test it` runs all of them, `cargo test --test it salvage::` those of a module.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the daemon and the vandal: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]
#![allow(clippy::print_stdout, reason = "another process speaks to its test")]

mod support;

mod any;
mod cause;
mod checks;
mod cli;
mod fuzz;
mod gate;
mod healthy;
mod large;
mod library;
mod migrations;
mod read_only;
mod salvage;
mod static_link;
mod structure;

/// The other process that [`support::daemon::Daemon`] starts.
#[test]
#[ignore = "the other process of other tests, not a test"]
fn another_process() {
    support::daemon::play(read_only::play);
}
