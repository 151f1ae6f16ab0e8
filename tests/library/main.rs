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

#[path = "../support/mod.rs"]
mod support;

mod migrations;
mod own_application;
mod own_locks;
mod public_api;
