//! Whatever is asked of it, the doctor leaves no trace, and reads the committed truth all the same.

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

#[path = "../support/mod.rs"]
mod support;

mod busy;
mod endings;
mod hangs;
mod interruptions;
mod kernels;
mod odd_files;
mod odd_paths;
mod private_folder;
mod situations;
mod soak;
mod system_calls;
mod write_locked;

/// What [`support::daemon::Daemon`] runs.
#[test]
#[ignore = "the other process of other tests, not a test"]
fn another_process() {
    support::daemon::play(|role, store| {
        soak::play(role, store) || busy::play(role, store) || write_locked::play(role, store)
    });
}
