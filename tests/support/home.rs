//! A home folder with stores in it, and somebody who types there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_doctor::Store;
use rusqlite::Connection;

use super::place::{Doctor, Place, Ran};
use super::rows::{Rows, fill};

/// The binary under test.
pub const DOCTOR: &str = env!("CARGO_BIN_EXE_doctor");

/// A home folder, in which commands are run.
pub struct Home {
    place: Place,
}

impl Home {
    pub fn new() -> Self {
        Self { place: Place::new() }
    }

    /// Another folder with the same in it.
    pub fn again(&self) -> Self {
        let other = Self::new();
        let all = self.path().join(".");
        assert!(Command::new("cp").arg("-a").arg(all).arg(other.path()).status().unwrap().success());
        other
    }

    pub fn path(&self) -> PathBuf {
        self.place.home()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A store as banger leaves it, with an image and two VMs.
    pub fn store(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        drop(Store::open(&path).unwrap());
        fill(&mut Connection::open(&path).unwrap(), Rows::of(1, 2));
        path
    }

    /// A store with a VM whose image is gone.
    pub fn dangling(&self, name: &str) -> PathBuf {
        self.store(name);
        self.edit(name, "PRAGMA foreign_keys=OFF; UPDATE vms SET image_id='gone' WHERE name='vm-1'");
        self.path().join(name)
    }

    /// A store that a newer banger has used.
    pub fn newer(&self, name: &str) -> PathBuf {
        self.store(name);
        self.edit(name, "INSERT INTO schema_migrations VALUES (99, 'later', '2026-04-28T18:41:31Z')");
        self.path().join(name)
    }

    /// Runs SQL on a store, as a program that is not banger would.
    pub fn edit(&self, name: &str, sql: &str) {
        let conn = Connection::open(self.path().join(name)).unwrap();
        conn.execute_batch(sql).unwrap();
    }

    /// A command in this folder, in an environment in which the doctor is found.
    pub fn command(&self, program: &str) -> Doctor {
        let path = env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", Path::new(DOCTOR).parent().unwrap().display());
        let mut command = self.place.program(Path::new(program)).env("PATH", path).env("TERM", "xterm");
        command.command.current_dir(self.path());
        command
    }

    /// The doctor, typed with these arguments.
    pub fn doctor(&self, args: &[&str]) -> Ran {
        self.command(DOCTOR).args(args).run()
    }

    /// What the doctor shows on a terminal that is so wide, and its exit code.
    pub fn screen(&self, width: u16, env: &[(&str, &str)], args: &[&str]) -> (String, i32) {
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("stty cols {width} rows 40; exec '{DOCTOR}' {}", quoted.join(" "));
        let mut script = self.command("script").args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        script.command.envs(env.iter().copied());
        let ran = script.run();
        (ran.stdout.replace("\r\n", "\n"), ran.code.unwrap())
    }
}

/// The published shape of a line of JSON.
pub fn schema() -> jsonschema::Validator {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&page).unwrap()).unwrap()
}
