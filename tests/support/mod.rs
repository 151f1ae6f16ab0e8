//! What the tests have in common: a place to run the binary in, stores to run it on, and somebody who writes to them.
//!
//! Each test binary takes it in whole and uses a part of it.

#![allow(dead_code, unused_imports, unused_macros, reason = "no binary uses all of it")]
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

pub mod asking;
pub mod daemon;
pub mod damage;
pub mod footprint;
pub mod history;
pub mod home;
mod making;
pub mod missing;
pub mod mounted;
pub mod place;
pub mod rows;
pub mod seeds;
pub mod stores;

pub use daemon::Daemon;
pub use home::Home;
pub(crate) use missing::{kernels, needs, skipped};
pub use mounted::Mounted;
pub use place::{Doctor, Kernel, Place, Ran, Running, is_root};
