//! The names of a harness of before, for tests that were written against it. It goes when nothing asks for it:
//! [`crate::support::Home`] is its place.

#![allow(dead_code, unused_imports, reason = "until the tests that ask for it are here")]

use std::ops::Deref;
use std::process::{Command, Output};

use crate::support::Home;
pub use crate::support::home::{DOCTOR, schema};

pub struct Place(Home);

impl Place {
    pub fn new() -> Self {
        Self(Home::new())
    }

    pub fn command(&self, program: &str) -> Command {
        self.0.command(program).command
    }

    pub fn doctor(&self, args: &[&str]) -> Output {
        self.command(DOCTOR).args(args).output().unwrap()
    }
}

impl Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
