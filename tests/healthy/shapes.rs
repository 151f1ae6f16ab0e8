//! Healthy stores of every shape that SQLite and banger can give them.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::{Connection, params};

use crate::healthy::values::{Image, Vm, image, vm};
use crate::support::history::{HISTORY, apply_history};
use crate::support::stores::beside;

/// How a store lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// In WAL mode, closed.
    Closed,
    /// In WAL mode, and its writer has it open.
    Live,
    /// The writer is gone, its last commits stand in the WAL alone.
    Crashed,
    /// The same, copied without its index.
    WalWithoutIndex,
    /// In rollback mode, closed.
    Rollback,
    /// A journal that was overwritten with zeros after the commit.
    Persisted,
    /// A journal that was emptied after the commit.
    Truncated,
    /// The writer is gone in the middle of a transaction.
    Hot,
}

impl Lies {
    const ALL: [Self; 8] = [
        Self::Closed,
        Self::Live,
        Self::Crashed,
        Self::WalWithoutIndex,
        Self::Rollback,
        Self::Persisted,
        Self::Truncated,
        Self::Hot,
    ];

    fn journal_mode(self) -> &'static str {
        match self {
            Self::Closed | Self::Live | Self::Crashed | Self::WalWithoutIndex => "WAL",
            Self::Rollback | Self::Hot => "DELETE",
            Self::Persisted => "PERSIST",
            Self::Truncated => "TRUNCATE",
        }
    }

    /// What the doctor may call it.
    pub fn situations(self) -> &'static [&'static str] {
        match self {
            Self::Closed => &["closed"],
            Self::Live => &["live"],
            Self::Crashed => &["crashed"],
            Self::WalWithoutIndex => &["wal-without-index"],
            Self::Rollback => &["rollback"],
            Self::Persisted | Self::Truncated => &["finished-journal"],
            // Where the transaction fitted into the cache, its journal was never synchronised and counts for nothing.
            Self::Hot => &["hot-journal", "finished-journal"],
        }
    }

    /// The sidecars that are there when the writer is gone.
    fn sidecars(self) -> &'static [&'static str] {
        match self {
            Self::Closed | Self::Live | Self::Rollback => &[],
            Self::Crashed => &["-wal", "-shm"],
            Self::WalWithoutIndex => &["-wal"],
            Self::Persisted | Self::Truncated | Self::Hot => &["-journal"],
        }
    }
}

/// A healthy store, about to be made.
#[derive(Debug, Clone)]
pub struct Shape {
    pub lies: Lies,
    page_size: u32,
    encoding: &'static str,
    auto_vacuum: u8,
    /// How many migrations are applied; the rest are pending.
    applied: usize,
    images: Vec<Image>,
    vms: Vec<Vm>,
    /// Each VM whose number this divides is removed again, which leaves free pages.
    removed_every: Option<u32>,
    vacuum: bool,
    analyze: bool,
}

pub fn shape() -> impl Strategy<Value = Shape> {
    let file = (
        prop::sample::select(&Lies::ALL[..]),
        (9_u32..=16).prop_map(|bits| 1 << bits),
        prop::sample::select(&["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"][..]),
        0_u8..=2,
        prop_oneof![1 => Just(0_usize), 2 => Just(1), 2 => Just(2), 5 => Just(HISTORY.len())],
    );
    let history = (prop::option::of(1_u32..6), any::<bool>(), any::<bool>());
    (file, vec(image(), 0..6), vec(vm(), 0..60), history).prop_map(|(file, images, vms, history)| {
        let (lies, page_size, encoding, auto_vacuum, applied) = file;
        let (removed_every, vacuum, analyze) = history;
        Shape {
            lies,
            page_size,
            encoding,
            auto_vacuum,
            applied,
            images,
            vms,
            removed_every,
            vacuum,
            analyze,
        }
    })
}

impl Shape {
    /// Makes the store; where its writer has it open, as long as what this returns lives.
    pub fn make(&self, path: &Path) -> Option<Connection> {
        if self.lies == Lies::Live {
            let conn = self.write(path);
            self.write_late(&conn);
            return Some(conn);
        }
        let source = beside(path, ".source");
        let conn = self.write(&source);
        if self.lies == Lies::Hot {
            half_a_transaction(&conn);
        } else {
            self.write_late(&conn);
        }
        if self.lies.sidecars().is_empty() {
            drop(conn);
            fs::rename(source, path).unwrap();
            return None;
        }
        for suffix in ["-wal", "-shm", "-journal"] {
            let from = beside(&source, suffix);
            if self.lies.sidecars().contains(&suffix) && from.exists() {
                fs::copy(from, beside(path, suffix)).unwrap();
            }
        }
        fs::copy(&source, path).unwrap();
        drop(conn);
        for suffix in ["", "-journal"] {
            let _ = fs::remove_file(beside(&source, suffix));
        }
        None
    }

    /// A store with all its rows.
    fn write(&self, path: &Path) -> Connection {
        let mut conn = Connection::open(path).unwrap();
        conn.execute_batch(&format!(
            "PRAGMA page_size={}; PRAGMA encoding='{}'; PRAGMA auto_vacuum={}; PRAGMA journal_mode={};
             PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON",
            self.page_size,
            self.encoding,
            self.auto_vacuum,
            self.lies.journal_mode(),
        ))
        .unwrap();
        apply_history(&mut conn, self.applied);
        if self.applied > 0 {
            self.fill(&mut conn);
        }
        if self.vacuum {
            conn.execute_batch("VACUUM").unwrap();
        }
        if self.analyze {
            conn.execute_batch("ANALYZE").unwrap();
        }
        conn
    }

    fn fill(&self, conn: &mut Connection) {
        let transaction = conn.transaction().unwrap();
        for (n, image) in self.images.iter().enumerate() {
            image.insert(&transaction, n);
        }
        if !self.images.is_empty() {
            for (n, vm) in self.vms.iter().enumerate() {
                vm.insert(&transaction, n, n % self.images.len(), self.applied >= 3);
            }
        }
        transaction.commit().unwrap();
        if let Some(every) = self.removed_every {
            conn.execute("DELETE FROM vms WHERE rowid % ?1 = 0", [every]).unwrap();
        }
        if self.auto_vacuum == 2 {
            conn.execute_batch("PRAGMA incremental_vacuum(2)").unwrap();
        }
    }

    /// The last commits, which in WAL mode stay in the WAL as long as the store is open.
    fn write_late(&self, conn: &Connection) {
        conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
        if self.applied > 0 {
            conn.execute_batch("UPDATE vms SET state = 'running'; UPDATE images SET managed = 1 - managed")
                .unwrap();
        }
    }
}

/// A transaction so large, for its cache, that SQLite writes the first of it into the database file before its end.
fn half_a_transaction(conn: &Connection) {
    conn.execute_batch("PRAGMA synchronous=FULL; PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN")
        .unwrap();
    conn.execute_batch("INSERT INTO schema_migrations VALUES (88, 'from_the_future', 'XYZZY')")
        .unwrap();
    let has_vms: bool = conn
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'vms'", [], |row| row.get(0))
        .unwrap();
    if has_vms {
        let half = "{\"half\":".repeat(200);
        conn.execute("UPDATE vms SET stats_json = ?1, guest_ip = rowid", params![half]).unwrap();
    }
}
