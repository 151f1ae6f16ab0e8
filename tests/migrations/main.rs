//! `--migrations`: stores held against their application's folder of migrations.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the application: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

#[path = "../support/mod.rs"]
mod support;

mod harness;

mod agreement;
mod arguments;
mod code;
mod counted;
mod drizzle;
mod each_tool;
mod hostile;
mod losses;
mod planted;
mod private;
mod tried;
