//! What the tests have in common: a place to run the binary in, stores to run it on, and somebody who writes to them.
//!
//! Each test binary takes it in whole and uses a part of it.

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
