//! Another process that has a store open, as banger's daemon has.

use std::io::{BufRead, BufReader, Lines, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

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

/// What [`Daemon`] runs: a test of this binary that is not one, and that calls this.
pub fn play() {
    let (Ok(role), Some(store)) = (std::env::var(ROLE), std::env::var_os(STORE)) else {
        return;
    };
    if let Some(timeout) = role.strip_prefix("busy with a timeout of ") {
        return write_until_told(Path::new(&store), timeout.parse().unwrap());
    }
    let conn = Connection::open(store).unwrap();
    match role.as_str() {
        "live" => {
            conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
            apply(&conn, IN_THE_WAL);
        }
        "rollback-live" => half_a_transaction(&conn),
        role => panic!("no such role: {role}"),
    }
    say_ready();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Tells whoever started this process that it is ready.
pub fn say_ready() {
    println!("{READY}");
}

/// The writer's part, in a process of its own: commits, checkpoints, opens and closes the store, and, where it has a busy
/// timeout, switches between the WAL and rollback mode, until its standard input ends. It says what went wrong.
pub fn write_until_told(store: &Path, busy_timeout: u64) {
    let told = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        });
        let (commits, ended) = write(store, busy_timeout, &told);
        println!("{commits} commits");
        if let Err(error) = ended {
            println!("FAILED: {error}: {:?}", error.sqlite_extended_error_code());
        }
    });
}

fn write(store: &Path, busy_timeout: u64, told: &AtomicBool) -> (u32, rusqlite::Result<()>) {
    let open = || -> rusqlite::Result<Connection> {
        let conn = Connection::open(store)?;
        conn.busy_timeout(Duration::from_millis(busy_timeout))?;
        conn.execute_batch("PRAGMA synchronous=OFF")?;
        Ok(conn)
    };
    let mut commits: u32 = 0;
    let mut work = || -> rusqlite::Result<()> {
        let mut conn = open()?;
        say_ready();
        while !told.load(Ordering::Relaxed) {
            commits += 1;
            let sql = "UPDATE vms SET stats_json = '{\"n\":' || ?1 || '}' WHERE name = 'vm-' || (1 + ?1 % 12)";
            conn.execute(sql, [commits])?;
            let pragma = |sql: &str| conn.query_row(sql, [], |_| Ok(()));
            let leave_wal_mode = || match pragma("PRAGMA journal_mode=DELETE") {
                // Beside any reader, SQLite refuses this at once, whatever the busy timeout.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
                other => other,
            };
            match commits {
                n if n.is_multiple_of(307) && busy_timeout > 0 => leave_wal_mode()?,
                n if n.is_multiple_of(331) && busy_timeout > 0 => pragma("PRAGMA journal_mode=WAL")?,
                n if n.is_multiple_of(211) => conn = open_again(conn, &open)?,
                n if n.is_multiple_of(101) => pragma("PRAGMA wal_checkpoint(TRUNCATE)")?,
                n if n.is_multiple_of(37) => pragma("PRAGMA wal_checkpoint(PASSIVE)")?,
                _ => {}
            }
        }
        conn.close().map_err(|(_, error)| error)
    };
    let ended = work();
    (commits, ended)
}

fn open_again(conn: Connection, open: &impl Fn() -> rusqlite::Result<Connection>) -> rusqlite::Result<Connection> {
    conn.close().map_err(|(_, error)| error)?;
    open()
}
