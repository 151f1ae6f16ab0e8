//! What can be saved of a damaged store: held against the truth about stores that were made, damaged and saved here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod damage;
mod healthy;
mod hostile;
mod layouts;
mod promises;
mod random;
mod saved;
mod stores;
