//! What can be saved of a damaged store: held against the truth about stores that were made, damaged and saved here.

mod any;
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
#[path = "../../crates/sqlite-format/tests/format/random.rs"]
mod random;
mod reserved;
mod saved;
mod stores;
mod utf16;
