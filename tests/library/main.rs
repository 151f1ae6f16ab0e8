//! What the library promises to another program.

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
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that is left out says why; another process speaks to its test"
)]

#[path = "../support/mod.rs"]
mod support;

mod migrations;
