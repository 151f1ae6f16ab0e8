//! What people touch: screens, formats and the pages of `docs/`, held against the real binary.

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
#![allow(clippy::print_stderr, reason = "a test that is left out says why")]

mod place;

mod arguments;
mod docs;
mod homes;
mod many;
mod safe_to_paste;
mod screens;
