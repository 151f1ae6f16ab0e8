//! The names of two harnesses of before, for tests that were written against them: `Place` and `row_of`, `TestStore` and `Said`.
//! It goes when nothing asks for it; [`crate::support::Place`] is both.

#![allow(dead_code, unused_imports, reason = "until the tests that ask for it are here")]

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support;
pub use crate::support::rows::uuid;

pub struct Place(support::Place);

impl Place {
    pub fn with(images: u32, vms: u32) -> Self {
        Self(support::Place::with(images, vms))
    }

    pub fn made_by(pragmas: &str, migrations: usize, images: u32, vms: u32) -> Self {
        Self(support::Place::made_by(pragmas, migrations, images, vms))
    }

    pub fn doctor(&self) -> Command {
        self.0.doctor().command
    }
}

impl Deref for Place {
    type Target = support::Place;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The row of this check, from what is about to be run.
pub fn row_of(mut doctor: Command, check: &str) -> Value {
    let ran = doctor.args(["--format", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let row = report["rows"].as_array().unwrap().iter().find(|row| row["check"] == check);
    row.unwrap().clone()
}

pub struct TestStore(support::Place);

pub struct Said {
    pub exit: i32,
    pub out: String,
}

impl TestStore {
    pub fn empty() -> Self {
        Self(support::Place::new())
    }

    pub fn with_migrations(count: usize) -> Self {
        Self(support::Place::of_age(count))
    }

    pub fn healthy() -> Self {
        Self(support::Place::with(1, 2))
    }

    pub fn path(&self) -> PathBuf {
        self.0.store()
    }

    pub fn after(self, sql: &str) -> Self {
        Self(self.0.after(sql))
    }

    pub fn rewritten(self, table: &str, from: &str, to: &str) -> Self {
        Self(self.0.rewritten(table, from, to))
    }

    pub fn command(&self) -> Command {
        self.0.doctor().command
    }

    pub fn ask(&self, arguments: &[&str]) -> Said {
        let ran = self.0.ask(arguments);
        let folder = self.0.root().to_str().unwrap();
        Said {
            exit: ran.code.unwrap(),
            out: ran.stdout.replace(folder, "FOLDER"),
        }
    }

    pub fn row(&self, check: &str) -> String {
        self.0.found(check)
    }
}

impl Deref for TestStore {
    type Target = support::Place;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
