//! What can be saved of a damaged store: held against the truth about stores that were made, damaged and saved here.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the daemon and the vandal: they open stores for writing"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod bounds;
mod claims;
mod damage;
mod freed;
mod gone;
mod healthy;
mod hostile;
mod layouts;
mod noise;
mod program;
mod promises;
mod random;
mod reserved;
mod saved;
mod stores;
mod utf16;

#[test]
#[ignore = "the part of another process, which other tests start"]
fn another_process() {
    support::daemon::play(|_, _| false);
}
