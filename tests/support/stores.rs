//! Makes stores in every situation, each with a fact that only the right way of reading it shows or hides.

use std::fs;
use std::path::{Path, PathBuf};

use banger_doctor::Store;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::daemon::Daemon;
use super::history::{HISTORY, T, apply_history};
use super::place::{Kernel, is_root};
use super::rows::{Ids, Rows, fill};

/// A migration that stands in the WAL alone. Who does not read the WAL does not see it.
pub const IN_THE_WAL: i64 = 77;

/// A migration of a transaction that was never committed, and that has reached the database file. Who does not roll it
/// back sees it.
pub const NEVER_COMMITTED: i64 = 88;

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
    pub fn gate(self) -> (i32, &'static str) {
        match self {
            Self::Live | Self::Crashed | Self::WalWithoutIndex => {
                (2, "incompatible: unknown [77] (this binary is older than the store; do not swap)\n")
            }
            Self::NotAWal => (3, "cannot tell: "),
            _ => (0, "compatible: all "),
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
                conn.execute_batch("DELETE FROM schema_migrations WHERE id = 77").unwrap();
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
    let rows = Rows {
        ids: Ids::Scattered,
        ..Rows::of(3, vms)
    };
    fill(&mut Connection::open(path).unwrap(), rows);
}

/// A store in rollback mode, closed, after these pragmas: with these rows, and the first so many migrations or, where that
/// is more than there are, all.
pub fn of_age(path: &Path, pragmas: &str, migrations: usize, rows: Rows) {
    let mut conn = Connection::open(path).unwrap();
    conn.execute_batch(pragmas).unwrap();
    apply_history(&mut conn, migrations.min(HISTORY.len()));
    fill(&mut conn, rows);
}

/// A healthy store in rollback mode, closed.
pub fn rollback(path: &Path) {
    // Enough rows that a transaction over all of them does not fit into a small cache.
    sized(path, 200);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode=DELETE").unwrap();
}

/// Writes an applied migration into the ledger.
pub fn apply(conn: &Connection, id: i64) {
    let sql = "INSERT INTO schema_migrations VALUES (?1, 'from_the_future', ?2)";
    conn.execute(sql, (id, T)).unwrap();
}

/// A store whose writer is gone: its last transaction, migration 77, stands in the WAL alone.
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

/// A store whose writer is gone in the middle of a transaction, with migration 88 in the database file.
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
pub fn half_a_transaction(conn: &Connection) {
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
    conn.execute_batch("UPDATE vms SET state = 'running' WHERE name = 'vm-4'").unwrap();
    for suffix in ["", "-journal"] {
        fs::copy(beside(&source, suffix), beside(path, suffix)).unwrap();
    }
}
