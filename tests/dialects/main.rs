//! Other tools' ledgers and folders: what was written by the tools themselves, what is planted into it, and what is hostile.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

mod harness;

mod folders;
mod ledgers;
mod planted;
mod properties;
mod recognising;
mod real_tmp;
