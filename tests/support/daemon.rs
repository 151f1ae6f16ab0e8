//! Another process that has a store open, as banger's daemon has.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rusqlite::Connection;

use super::stores::{IN_THE_WAL, apply, half_a_transaction};

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
            .args(["--exact", "another_process", "--ignored", "--nocapture"])
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

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
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

/// What [`Daemon`] runs: the test `another_process` of this binary, which is none, and calls this. A role that is not among
/// those below is one of the binary's own: `own` plays it, and tells whether it knows it.
pub fn play(own: impl FnOnce(&str, &Path) -> bool) {
    let (Ok(role), Some(store)) = (std::env::var(ROLE), std::env::var_os(STORE)) else {
        return;
    };
    if own(&role, Path::new(&store)) {
        return;
    }
    if role == "reading without SQLite" {
        let _file = File::open(&store).unwrap();
        say_ready();
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return;
    }
    let conn = Connection::open(&store).unwrap();
    match role.as_str() {
        "live" => {
            conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
            apply(&conn, IN_THE_WAL);
        }
        "without its locks" => {
            conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
            apply(&conn, IN_THE_WAL);
            drop(File::open(&store).unwrap());
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
