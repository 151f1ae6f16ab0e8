//! What people touch: screens, paths, formats and the pages of `docs/`, held against the real binary.

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

mod arguments;
mod docs;
mod homes;
mod html;
mod many;
mod paths;
mod safe_to_paste;
mod screens;
