//! Makes a store to plant faults in, and runs the binary over it in a scrubbed environment.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_doctor::banger::APPLICATION;
use banger_doctor::schema::runner::migrate;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// How many migrations a store has here: what later ones add changes nothing in these tests.
const MIGRATIONS: usize = 3;

const T: &str = "2026-04-28T18:41:31Z";

/// A folder of a test's own.
pub struct Place {
    root: TempDir,
}

impl Place {
    /// A folder with a store in it: images and VMs with the rowids from 1 on, so many of each.
    pub fn with(images: u32, vms: u32) -> Self {
        Self::made_by("PRAGMA encoding='UTF-8'", MIGRATIONS, images, vms)
    }

    /// The same, where `pragmas` come first and only so many migrations are applied.
    pub fn made_by(pragmas: &str, migrations: usize, images: u32, vms: u32) -> Self {
        let root = TempDir::with_prefix("doctor-rows-").unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let place = Self { root };
        let mut conn = place.open();
        conn.execute_batch(pragmas).unwrap();
        migrate(&mut conn, APPLICATION.ledger(), &APPLICATION.migrations()[..migrations]).unwrap();
        fill(&mut conn, images, vms);
        place
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn store(&self) -> PathBuf {
        self.root().join("state.db")
    }

    /// The store, to be written to by a vandal: nothing is enforced.
    pub fn open(&self) -> Connection {
        let conn = Connection::open(self.store()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF").unwrap();
        conn
    }

    pub fn sql(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    /// Takes the types and NOT NULLs away from banger's columns, so that values of every kind can be planted.
    pub fn loosen(&self) {
        let conn = self.open();
        conn.execute_batch(
            "PRAGMA writable_schema=ON;
             UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), ' TEXT', ' BLOB') WHERE name IN ('images', 'vms');
             PRAGMA writable_schema=RESET",
        )
        .unwrap();
    }

    /// The binary, in an environment that is the same everywhere.
    pub fn doctor(&self) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_doctor")))
    }

    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.root().join("home"))
            .env("TMPDIR", "/tmp")
            .current_dir(self.root());
        command
    }

    /// The row of this check alone, and what else was asked for.
    pub fn row(&self, check: &str, options: &[&str]) -> Value {
        let mut doctor = self.doctor();
        doctor.args(["--only", check]).args(options).arg(self.store());
        row_of(doctor, check)
    }

    /// The row of this check as text, with placeholders.
    pub fn said(&self, check: &str, options: &[&str]) -> String {
        self.text(&self.row(check, options))
    }

    /// A row as text: status, detail, each finding and the remedy.
    pub fn text(&self, row: &Value) -> String {
        let mut text = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
        for finding in row["findings"].as_array().into_iter().flatten() {
            let mut finding = finding.as_object().unwrap().clone();
            let what = finding.remove("what").unwrap();
            let place: Vec<String> = finding.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let _ = writeln!(text, "  {}: {}", place.join(", "), what.as_str().unwrap());
        }
        if let Some(total) = row["findings_total"].as_u64() {
            let least = if row["findings_at_least"] == true {
                "at least "
            } else {
                ""
            };
            let _ = writeln!(text, "  {least}{total} in all");
        }
        if let Some(remedy) = row["remedy"].as_str() {
            let _ = writeln!(text, "  -> {remedy}");
        }
        text.replace(self.root().to_str().unwrap(), "[PLACE]")
    }
}

/// Runs the binary and takes the row of this check from its report; the exit code must say the same.
pub fn row_of(mut doctor: Command, check: &str) -> Value {
    let ran = doctor.args(["--format", "json"]).output().unwrap();
    let report: Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("no report: {error}: {ran:?}"));
    assert_eq!(ran.status.code(), Some(i32::from(report["verdict"] == "fail")), "{ran:?}");
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["check"] == check);
    row.cloned().unwrap_or_else(|| panic!("no row {check}: {report}"))
}

/// The primary key of the row with this rowid in a table.
pub fn uuid(table: u32, rowid: u32) -> String {
    format!("6f9c2f0e-5a53-4d0b-{:04x}-{rowid:012x}", 0x9000 + table)
}

fn fill(conn: &mut Connection, images: u32, vms: u32) {
    let transaction = conn.transaction().unwrap();
    let image = "INSERT INTO images(id, name, managed, rootfs_path, kernel_path, created_at, updated_at)
                 VALUES (?1, ?2, 1, '/nowhere/rootfs.ext4', '/nowhere/vmlinux', ?3, ?3)";
    for n in 1..=images {
        transaction.execute(image, (uuid(1, n), format!("image-{n}"), T)).unwrap();
    }
    let vm = "INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
              VALUES (?1, ?2, ?3, ?4, 'stopped', ?5, ?5, ?5, '{\"vcpu_count\":2}', '{}')";
    for n in 1..=vms {
        let ip = format!("10.77.{}.{}", n >> 8, n & 255);
        transaction.execute(vm, (uuid(2, n), format!("vm-{n}"), uuid(1, 1), ip, T)).unwrap();
    }
    transaction.commit().unwrap();
}
