//! A folder with stores in it, and the doctor run there in an environment of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use banger_doctor::Store;
use rusqlite::Connection;
use tempfile::TempDir;

/// The binary under test.
pub const DOCTOR: &str = env!("CARGO_BIN_EXE_doctor");

/// A home folder of its own.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Another folder with the same in it.
    pub fn again(&self) -> Self {
        let other = Self::new();
        let all = self.path().join(".");
        assert!(Command::new("cp").arg("-a").arg(all).arg(other.path()).status().unwrap().success());
        other
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
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
        self.edit(name, FILL);
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

    /// A command in this folder, in an environment of its own.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", Path::new(DOCTOR).parent().unwrap().display());
        command.current_dir(self.path()).stdin(Stdio::null()).env_clear().env("PATH", path);
        command.env("HOME", self.path()).env("TERM", "xterm");
        command
    }

    /// The doctor's output with these arguments.
    pub fn doctor(&self, args: &[&str]) -> Output {
        self.command(DOCTOR).args(args).output().unwrap()
    }

    /// What the doctor shows on a terminal that is so wide, and its exit code.
    pub fn screen(&self, width: u16, env: &[(&str, &str)], args: &[&str]) -> (String, i32) {
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("stty cols {width} rows 40; exec '{DOCTOR}' {}", quoted.join(" "));
        let mut command = self.command("script");
        command.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        let ran = command.envs(env.iter().copied()).output().unwrap();
        (text(&ran.stdout).replace("\r\n", "\n"), ran.status.code().unwrap())
    }
}

/// One image and two VMs.
const FILL: &str = "
    INSERT INTO images (id, name, rootfs_path, kernel_path, created_at, updated_at) VALUES
     ('0b6f7c1e-5a52-4d0e-9c57-3f1d2a8e4b90', 'image-1', '/images/1/rootfs.ext4', '/kernels/vmlinux',
      '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z');
    INSERT INTO vms (id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
     SELECT '6f0d0a52-93f5-4c39-9a0b-7d3d1c2b0a0' || n, 'vm-' || n, '0b6f7c1e-5a52-4d0e-9c57-3f1d2a8e4b90',
      '10.77.0.' || n, 'stopped', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '{}', '{}'
     FROM (SELECT 1 AS n UNION SELECT 2);";

/// The published shape of a line of JSON.
pub fn schema() -> jsonschema::Validator {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&page).unwrap()).unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
