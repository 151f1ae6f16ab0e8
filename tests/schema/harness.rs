//! Makes stores and asks the doctor.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use banger_doctor::banger::APPLICATION;
use banger_doctor::schema::runner::migrate;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// An image, and two VMs made of it.
const ROWS: &str = "
INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at)
  VALUES ('i1', 'image-1', '/r', '/k', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z');
INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
  VALUES ('v1', 'vm-1', 'i1', '10.77.0.2', 'running', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '{}', '{}'),
         ('v2', 'vm-2', 'i1', '10.77.0.3', 'stopped', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '{}', '{}');
";

/// A store of its own folder, with a private folder for copies beside it.
pub struct TestStore {
    folder: TempDir,
}

/// What the doctor ended with and said.
pub struct Said {
    pub exit: i32,
    pub out: String,
}

impl TestStore {
    /// A store in which nothing is yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        Self { folder }
    }

    /// A store with rows and the first so many migrations.
    pub fn with_migrations(count: usize) -> Self {
        let store = Self::empty();
        let mut conn = store.open();
        migrate(&mut conn, APPLICATION.ledger(), &APPLICATION.migrations()[..count]).unwrap();
        conn.execute_batch(ROWS).unwrap();
        store
    }

    /// A healthy store.
    pub fn healthy() -> Self {
        Self::with_migrations(3)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store/state.db")
    }

    pub fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Opens it for writing, without foreign keys.
    pub fn open(&self) -> Connection {
        let conn = Connection::open(self.path()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
        conn
    }

    /// The same store after this SQL.
    pub fn after(self, sql: &str) -> Self {
        self.open().execute_batch(sql).unwrap();
        self
    }

    /// The same store with a text in a definition changed, which SQLite never allows.
    pub fn rewritten(self, table: &str, from: &str, to: &str) -> Self {
        let conn = self.open();
        conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
        let changed = conn
            .execute(
                "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE name = ?1 AND instr(sql, ?2)",
                [table, from, to],
            )
            .unwrap();
        assert_eq!(changed, 1, "{from} is in the definition of {table}");
        conn.execute_batch("PRAGMA writable_schema=RESET").unwrap();
        self
    }

    /// The names, sizes and times of what lies in the store's folder.
    fn footprint(&self) -> Vec<(String, u64, std::time::SystemTime)> {
        let mut seen: Vec<_> = fs::read_dir(self.folder.path().join("store"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                (entry.file_name().into_string().unwrap(), meta.len(), meta.modified().unwrap())
            })
            .collect();
        seen.sort();
        seen
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doctor"));
        command.env_clear().env("TMPDIR", self.tmp());
        command
    }

    /// Asks the doctor; nothing may change in the store's folder, and nothing be left in the private one.
    pub fn ask(&self, arguments: &[&str]) -> Said {
        let before = self.footprint();
        let output = self.command().args(arguments).arg(self.path()).output().unwrap();
        assert_eq!(self.footprint(), before, "the store's folder changed");
        assert_eq!(fs::read_dir(self.tmp()).unwrap().count(), 0, "something was left in the private folder");
        let folder = self.folder.path().to_str().unwrap();
        Said {
            exit: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap().replace(folder, "FOLDER"),
        }
    }

    /// A check's row: its status and detail, then its findings.
    pub fn row(&self, check: &str) -> String {
        let said = self.ask(&["--format", "json", "--only", check]);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        let row = &report["rows"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(said.exit, i32::from(row["status"] == "fail"));
        let mut out = format!("{}: {}", text(&row["status"]), text(&row["detail"]));
        for finding in row["findings"].as_array().into_iter().flatten() {
            let place: Vec<String> = ["table", "index", "column", "id"]
                .iter()
                .filter_map(|key| finding.get(*key))
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            write!(out, "\n - {}: {}", place.join(" "), text(&finding["what"])).unwrap();
        }
        out
    }

    /// Asserts that all three checks pass.
    pub fn assert_healthy(&self, what: &str) {
        let checks = "migration-history,schema-shape,migration-rehearsal,page-structure,foreign-keys";
        let said = self.ask(&["--only", checks]);
        assert_eq!(said.exit, 0, "{what}: {}", said.out);
    }
}
