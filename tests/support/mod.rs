//! What the tests have in common: places to run the binary in, and stores to run it on.
//!
//! Each test binary takes it in whole and uses a part of it.

#![allow(dead_code, reason = "no binary uses all of it")]

pub mod daemon;
pub mod footprint;
pub mod home;
pub mod place;
pub mod stores;
