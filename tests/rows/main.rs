//! What the checks say about the values of rows, and about the files that they name: through the real binary.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the vandal: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

mod harness;

mod artifacts;
mod integrity;
mod long_names;
mod row_values;
mod strangers;
