//! A folder of a test's own, and the binary run there in a scrubbed environment.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::Connection;
use rustix::process::geteuid;
use serde_json::Value;
use tempfile::TempDir;

use super::footprint::{Footprint, everything_in, names};
use super::missing::find;
use super::rows::Rows;
use super::run::{Doctor, Ran, in_short, whole};
use super::stores::of_age;

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// A folder of a test's own, with a place for a store, for temporary files and for a home.
pub struct Place {
    root: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let root = TempDir::with_prefix("doctor-test-").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(root.path(), 0o755);
        for (folder, bits) in [("store", 0o755), ("tmp", 0o1777), ("home", 0o755)] {
            let folder = root.path().join(folder);
            fs::create_dir(&folder).unwrap();
            mode(&folder, bits);
        }
        Self { root }
    }

    /// With a healthy store of so many images and VMs, in rollback mode, so that its bytes can be changed where they lie.
    pub fn with(images: u32, vms: u32) -> Self {
        Self::made_by("", usize::MAX, images, vms)
    }

    /// With a store of an image and two VMs to which only so many migrations are applied.
    pub fn of_age(migrations: usize) -> Self {
        Self::made_by("", migrations, 1, 2)
    }

    /// With a store in rollback mode, made after these pragmas.
    pub fn made_by(pragmas: &str, migrations: usize, images: u32, vms: u32) -> Self {
        let place = Self::new();
        of_age(&place.store(), pragmas, migrations, Rows::of(images, vms));
        place
    }

    /// The same after this SQL.
    pub fn after(self, sql: &str) -> Self {
        self.sql(sql);
        self
    }

    /// The same with a text in a definition changed, which SQLite never allows.
    pub fn rewritten(self, table: &str, from: &str, to: &str) -> Self {
        let conn = self.open();
        conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE name = ?1 AND instr(sql, ?2)";
        let changed = conn.execute(sql, [table, from, to]).unwrap();
        assert_eq!(changed, 1, "{from} is in the definition of {table}");
        conn.execute_batch("PRAGMA writable_schema=RESET").unwrap();
        self
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The folder that the store lies in.
    pub fn folder(&self) -> PathBuf {
        self.root().join("store")
    }

    pub fn store(&self) -> PathBuf {
        self.folder().join("state.db")
    }

    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The store, to be written to by a vandal: nothing is enforced.
    pub fn open(&self) -> Connection {
        let conn = Connection::open(self.store()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF").unwrap();
        conn
    }

    /// Runs SQL on the store, as a program that is not banger would.
    pub fn sql(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    /// Takes the types and NOT NULLs away from banger's columns, so that values of every kind can be planted.
    pub fn loosen(&self) {
        self.sql(
            "PRAGMA writable_schema=ON;
             UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), ' TEXT', ' BLOB') WHERE name IN ('images', 'vms');
             PRAGMA writable_schema=RESET",
        );
    }

    /// The names of what lies in the folder for temporary files.
    pub fn left_in_tmp(&self) -> Vec<String> {
        names(&self.tmp())
    }

    /// The binary, in an environment that is the same everywhere.
    pub fn doctor(&self) -> Doctor {
        self.program(Path::new(env!("CARGO_BIN_EXE_doctor")))
    }

    /// The binary, run by a user who owns nothing (where the tests are root's; otherwise by whoever runs them).
    pub fn doctor_of_nobody(&self) -> Doctor {
        if !is_root() {
            return self.doctor();
        }
        // The build's folder may be closed to others. Copied by another process: a descriptor open for writing in this
        // one could be inherited by a child of another test, and keep the copy from being run.
        let copy = self.root().join("doctor");
        if !copy.exists() {
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_doctor")).arg(&copy).status().unwrap();
            assert!(copied.success(), "cannot copy the binary");
            fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        }
        let mut doctor = self.program(&copy);
        doctor.command.uid(NOBODY).gid(NOBODY);
        doctor
    }

    /// The binary under `strace`, which a test needs for that, with these options; what it sees goes to [`Place::trace`].
    pub fn traced_doctor(&self, options: &[&str]) -> Doctor {
        self.program(&find("strace").expect("it begins with needs!(\"strace\")"))
            .args(["-f", "-y", "-s", "4096", "-o"])
            .arg(self.root().join("trace"))
            .args(options)
            .arg(env!("CARGO_BIN_EXE_doctor"))
    }

    /// What `strace` has seen so far.
    pub fn trace(&self) -> String {
        fs::read_to_string(self.root().join("trace")).unwrap_or_default()
    }

    /// A program in the doctor's environment.
    pub fn program(&self, program: &Path) -> Doctor {
        Doctor::new(program, self.root()).env("HOME", self.home()).env("TMPDIR", self.tmp())
    }

    /// Asks the doctor about the store. Nothing may change beside the store, and nothing be left elsewhere.
    pub fn ask(&self, arguments: &[&str]) -> Ran {
        let before = self.footprint();
        let ran = self.doctor().args(arguments).arg(self.store()).run();
        before.assert_same(&self.footprint(), &format!("{arguments:?}"));
        assert_eq!(self.left_in_tmp(), [""; 0], "{arguments:?}");
        ran
    }

    /// The row of this check alone, and what else was asked for. The exit code says the same.
    pub fn row(&self, check: &str, options: &[&str]) -> Value {
        let ran = self.ask(&[&["--format", "json", "--only", check], options].concat());
        assert_eq!(ran.code, Some(i32::from(ran.report()["verdict"] == "fail")), "{ran:?}");
        ran.row(check)
    }

    /// Asserts that no check fails.
    pub fn assert_healthy(&self, what: &str) {
        let ran = self.ask(&[]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stdout);
    }

    /// The row of this check as text, with placeholders: status, detail, each finding and the remedy.
    pub fn said(&self, check: &str, options: &[&str]) -> String {
        self.text(&self.row(check, options))
    }

    /// A row as text.
    pub fn text(&self, row: &Value) -> String {
        whole(row).replace(self.root().to_str().unwrap(), "[PLACE]")
    }

    /// The row of this check in short: status and detail, and what is wrong where, without the remedy.
    pub fn found(&self, check: &str) -> String {
        in_short(&self.row(check, &[])).replace(self.root().to_str().unwrap(), "[PLACE]")
    }

    /// What lies in the store's folder.
    pub fn footprint(&self) -> Footprint {
        Footprint::of(&self.folder())
    }

    /// Gives the store's folder and all in it to `nobody`.
    pub fn give_to_nobody(&self) {
        for path in everything_in(&self.folder()) {
            lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder that a test closed to writers could not be emptied.
        let _ = fs::set_permissions(self.folder(), Permissions::from_mode(0o755));
    }
}

/// Whether the tests may change owners and be other users.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether this kernel has Landlock: the doctor's own word for it.
pub fn has_landlock() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let ran = Place::new().doctor().args(["--format", "json", "nothing.db"]).run();
        ran.report()["sandbox"].as_str().unwrap().starts_with("landlock")
    })
}

/// With and, where the binary was built for it, without Landlock.
pub fn sandboxed_or_not() -> &'static [bool] {
    if cfg!(feature = "test-without-sandbox") {
        &[true, false]
    } else {
        &[true]
    }
}
