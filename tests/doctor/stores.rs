//! Makes stores in every situation, each with a fact that only the right way of reading it shows or hides.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use banger_doctor::Store;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::harness::{Kernel, is_root};

const T: &str = "2026-04-28T18:41:31Z";

/// A migration that stands in the WAL alone. Who does not read the WAL does not see it.
pub const IN_THE_WAL: i64 = 9077;

/// A migration of a transaction that was never committed, and that has reached the database file. Who does not roll it
/// back sees it.
pub const NEVER_COMMITTED: i64 = 9088;

/// The conditions in which a store can lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    Closed,
    Live,
    Crashed,
    WalWithoutIndex,
    EmptyWal,
    StaleIndex,
    NotAWal,
    Rollback,
    EmptyJournal,
    ZeroedJournal,
    PersistedJournal,
    HotJournal,
    RollbackLive,
}

impl Lies {
    pub const ALL: [Self; 13] = [
        Self::Closed,
        Self::Live,
        Self::Crashed,
        Self::WalWithoutIndex,
        Self::EmptyWal,
        Self::StaleIndex,
        Self::NotAWal,
        Self::Rollback,
        Self::EmptyJournal,
        Self::ZeroedJournal,
        Self::PersistedJournal,
        Self::HotJournal,
        Self::RollbackLive,
    ];

    /// The situation's name in reports.
    pub fn situation(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Live => "live",
            Self::Crashed => "crashed",
            Self::WalWithoutIndex => "wal-without-index",
            Self::EmptyWal => "empty-wal",
            Self::StaleIndex => "stale-index",
            Self::NotAWal => "not-a-wal",
            Self::Rollback => "rollback",
            Self::EmptyJournal | Self::ZeroedJournal | Self::PersistedJournal => "finished-journal",
            Self::HotJournal => "hot-journal",
            Self::RollbackLive => "rollback-live",
        }
    }

    /// The checks that fail on it, and no others.
    pub fn failing(self) -> &'static [&'static str] {
        match self {
            Self::Live | Self::Crashed | Self::WalWithoutIndex => &["schema-state", "unknown-ids"],
            Self::NotAWal => &["journal"],
            _ => &[],
        }
    }

    /// What the gate answers.
    pub fn gate(self) -> (i32, String) {
        match self {
            Self::Live | Self::Crashed | Self::WalWithoutIndex => {
                let said = "incompatible: unknown [9077] (this binary is older than the store; do not swap)\n";
                (2, said.to_owned())
            }
            Self::NotAWal => (3, "cannot tell: ".to_owned()),
            _ => (0, all_applied()),
        }
    }

    /// Whether the store can only be read from a private copy on this kernel.
    pub fn needs_a_copy(self, kernel: Kernel) -> bool {
        match self {
            Self::HotJournal | Self::RollbackLive => true,
            // SQLite opens a WAL for writing, and, as root, gives it to the database's owner.
            Self::Live | Self::Crashed | Self::WalWithoutIndex | Self::NotAWal => match kernel {
                Kernel::Whole | Kernel::WithoutLandlock => false,
                Kernel::WithoutSeccomp => is_root() || !kernel.holds(),
                Kernel::WithoutBoth => true,
            },
            _ => false,
        }
    }

    /// Makes a store that lies so. It does as long as what this returns lives.
    pub fn make(self, path: &Path) -> Option<Daemon> {
        match self {
            Self::Closed => healthy(path),
            Self::Live => {
                healthy(path);
                return Some(Daemon::start("live", path));
            }
            Self::Crashed => crashed(path),
            Self::WalWithoutIndex => {
                crashed(path);
                fs::remove_file(beside(path, "-shm")).unwrap();
            }
            Self::EmptyWal => {
                healthy(path);
                fs::write(beside(path, "-wal"), "").unwrap();
            }
            Self::StaleIndex => {
                crashed(path);
                // What the log held is in the database, as after a checkpoint; the index was not removed with the log.
                let conn = Connection::open(path).unwrap();
                conn.execute_batch("DELETE FROM schema_migrations WHERE id = 9077").unwrap();
                let index = fs::read(beside(path, "-shm")).unwrap();
                drop(conn);
                fs::write(beside(path, "-shm"), index).unwrap();
            }
            Self::NotAWal => {
                healthy(path);
                fs::write(beside(path, "-wal"), "this is not a write-ahead log\n".repeat(40)).unwrap();
            }
            Self::Rollback => rollback(path),
            Self::EmptyJournal => finished(path, "TRUNCATE"),
            Self::ZeroedJournal => {
                rollback(path);
                fs::write(beside(path, "-journal"), [0; 1024]).unwrap();
            }
            Self::PersistedJournal => finished(path, "PERSIST"),
            Self::HotJournal => hot(path),
            Self::RollbackLive => {
                rollback(path);
                return Some(Daemon::start("rollback-live", path));
            }
        }
        None
    }
}

/// A sidecar's path.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// A healthy store of twelve machines in WAL mode, closed.
pub fn healthy(path: &Path) {
    sized(path, 12);
}

/// A healthy store in WAL mode, closed, with so many machines.
pub fn sized(path: &Path, vms: u32) {
    drop(Store::open(path).unwrap());
    let mut conn = Connection::open(path).unwrap();
    fill(&mut conn, vms);
}

/// A healthy store in rollback mode, closed.
pub fn rollback(path: &Path) {
    // Enough rows that a transaction over all of them does not fit into a small cache.
    sized(path, 200);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode=DELETE").unwrap();
}

/// What the gate says of a store to which every known migration is applied.
pub fn all_applied() -> String {
    let scratch = TempDir::new().unwrap();
    let made = Store::open(&scratch.path().join("state.db")).unwrap();
    format!("compatible: all {} migrations applied\n", made.migrated().len())
}

/// Writes an applied migration into the ledger.
pub fn apply(conn: &Connection, id: i64) {
    let sql = "INSERT INTO schema_migrations VALUES (?1, 'from_the_future', ?2)";
    conn.execute(sql, (id, T)).unwrap();
}

/// A store whose writer is gone: its last transaction, migration 9077, stands in the WAL alone.
pub fn crashed(path: &Path) {
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    healthy(&source);
    let conn = Connection::open(&source).unwrap();
    conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
    apply(&conn, IN_THE_WAL);
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&source, suffix), beside(path, suffix)).unwrap();
    }
    assert_eq!(applied_in_the_file_alone(path, IN_THE_WAL), 0, "it stands in the WAL alone");
}

/// A store whose writer is gone in the middle of a transaction, with migration 9088 in the database file.
pub fn hot(path: &Path) {
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    rollback(&source);
    let conn = Connection::open(&source).unwrap();
    half_a_transaction(&conn);
    for suffix in ["", "-journal"] {
        fs::copy(beside(&source, suffix), beside(path, suffix)).unwrap();
    }
    assert_eq!(applied_in_the_file_alone(path, NEVER_COMMITTED), 1, "it has reached the file");
}

/// A transaction so large that SQLite writes the first of it into the database file before it is committed.
fn half_a_transaction(conn: &Connection) {
    conn.execute_batch("PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN").unwrap();
    apply(conn, NEVER_COMMITTED);
    let sql = "UPDATE vms SET stats_json = '{\"half\":\"' || hex(randomblob(900)) || '\"}'";
    conn.execute_batch(sql).unwrap();
}

/// How often a migration stands in the database file, whatever lies beside it.
fn applied_in_the_file_alone(path: &Path, id: i64) -> i64 {
    let uri = format!("file:{}?mode=ro&immutable=1", path.display());
    let conn = Connection::open_with_flags(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI).unwrap();
    // The unfinished transaction also splits pages; the ledger's own page is whole.
    conn.query_row("SELECT count(*) FROM schema_migrations WHERE id = ?1", [id], |row| row.get(0))
        .unwrap()
}

/// A store in rollback mode, whose writer keeps its journal in this journal mode and is gone between two transactions.
fn finished(path: &Path, mode: &str) {
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    rollback(&source);
    let conn = Connection::open(&source).unwrap();
    conn.execute_batch(&format!("PRAGMA journal_mode={mode}")).unwrap();
    conn.execute_batch("UPDATE vms SET state = 'running' WHERE name = 'vm-3'").unwrap();
    for suffix in ["", "-journal"] {
        fs::copy(beside(&source, suffix), beside(path, suffix)).unwrap();
    }
}

/// Three images and so many machines on them.
fn fill(conn: &mut Connection, vms: u32) {
    let transaction = conn.transaction().unwrap();
    let image = "INSERT INTO images(id, name, managed, artifact_dir, rootfs_path, kernel_path, created_at, updated_at)
                 VALUES (?1, ?2, 1, ?3, ?3 || '/rootfs.ext4', '/var/lib/banger/kernels/generic-6.12/vmlinux', ?4, ?4)";
    for n in 0..3 {
        let id = uuid(n);
        let folder = format!("/var/lib/banger/images/{id}");
        transaction.execute(image, (id, format!("image-{n}"), folder, T)).unwrap();
    }
    let vm = "INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
              VALUES (?1, ?2, ?3, ?4, 'stopped', ?5, ?5, ?5, '{\"vcpu_count\":2,\"memory_mib\":2048}', '{\"tap_device\":\"tap0\"}')";
    let mut statement = transaction.prepare(vm).unwrap();
    for n in 0..vms {
        let ip = format!("10.{}.{}.{}", 77 + (n >> 16), (n >> 8) & 255, n & 255);
        statement.execute((uuid(100 + n), format!("vm-{n}"), uuid(n % 3), ip, T)).unwrap();
    }
    drop(statement);
    transaction.commit().unwrap();
}

fn uuid(n: u32) -> String {
    let mixed = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{n:012x}",
        mixed >> 32,
        mixed & 0xffff,
        mixed >> 16 & 0xfff,
        mixed >> 28 & 0xfff
    )
}

/// Another process that has a store open: this test binary, run again. It ends when this is dropped.
///
/// Another process is needed: to read a file here drops the locks that SQLite holds on it here.
pub struct Daemon {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it says; held open, because it is told when nobody listens any longer.
    said: Lines<BufReader<ChildStdout>>,
}

const ROLE: &str = "DOCTOR_TEST_ROLE";
const STORE: &str = "DOCTOR_TEST_STORE";
const READY: &str = "ready to be looked at";

impl Daemon {
    pub fn start(role: &str, store: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stores::another_process", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(STORE, store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains(READY)), "the other process did not come up");
        Self { child, stdin, said }
    }

    /// Lets it end, and hands out what it said since it came up.
    pub fn end(mut self) -> Vec<String> {
        drop(self.stdin.take());
        self.said.by_ref().map(|line| line.unwrap()).collect()
    }

    /// Kills it in the middle of what it does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // What it still says is read, so that it does not wait for us.
        self.said.by_ref().for_each(drop);
        let _ = self.child.wait();
    }
}

/// What [`Daemon`] runs.
#[test]
#[ignore = "the other process of other tests, not a test"]
fn another_process() {
    let (Ok(role), Some(store)) = (std::env::var(ROLE), std::env::var_os(STORE)) else {
        return;
    };
    if let Some(timeout) = role.strip_prefix("busy with a timeout of ") {
        return crate::soak::write_until_told(Path::new(&store), timeout.parse().unwrap());
    }
    if role == "busy without a journal on disk" {
        return crate::write_locked::write_until_told(Path::new(&store));
    }
    if role == crate::busy::COMMITTER {
        return crate::busy::commit_until_told(Path::new(&store));
    }
    let conn = Connection::open(store).unwrap();
    match role.as_str() {
        "live" => {
            conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
            apply(&conn, IN_THE_WAL);
        }
        "rollback-live" => half_a_transaction(&conn),
        "MEMORY" | "OFF" => {
            conn.execute_batch(&format!("PRAGMA journal_mode={role}")).unwrap();
            half_a_transaction(&conn);
        }
        "BEGIN EXCLUSIVE" => conn.execute_batch("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE").unwrap(),
        "reading with an exclusive lock" => {
            let sql = "PRAGMA locking_mode=EXCLUSIVE; SELECT count(*) FROM vms";
            conn.execute_batch(sql).unwrap();
        }
        "idle with an exclusive lock" => {
            conn.execute_batch("PRAGMA locking_mode=EXCLUSIVE").unwrap();
            apply(&conn, IN_THE_WAL);
        }
        role => panic!("no such role: {role}"),
    }
    say_ready();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Tells whoever started this process that it is ready.
pub fn say_ready() {
    println!("{READY}");
}
