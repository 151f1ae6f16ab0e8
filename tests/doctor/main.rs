//! The doctor's behaviour, held against the real binary and real files.

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

mod footprint;
mod harness;
mod stores;

mod bad_input;
mod busy;
mod endings;
mod gate;
mod hangs;
mod interruptions;
mod journal_check;
mod kernels;
mod odd_files;
mod paths;
mod private_folder;
mod situations;
mod soak;
mod system_calls;
mod write_locked;
