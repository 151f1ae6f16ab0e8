//! Stores shaped like those of the field: processor time of `doctor --any` beside the `sqlite3` shell, on the same files, in turn.
//!
//! `cargo bench --bench field_shapes [-- many_tables check …]` (default: all). Of each the median of the ratios of three pairs, each of ten
//! runs; the last line is their median.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

const CHECKS: &str = "PRAGMA integrity_check; PRAGMA foreign_key_check";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The name of a shape and the statements that make it; in them `N(count)` stands for the numbers from 1 on.
const SHAPES: [(&str, &str); 8] = [
    ("many_tables", ""),
    (
        "check",
        "CREATE TABLE settings(k TEXT PRIMARY KEY, v INT CHECK(v >= 0)); INSERT INTO settings VALUES ('a', 1);
         CREATE TABLE events(id INTEGER PRIMARY KEY, k TEXT UNIQUE, b TEXT);
         INSERT INTO events SELECT i, hex(randomblob(8)), hex(randomblob(90)) FROM N(60000)",
    ),
    (
        "without_rowid",
        "CREATE TABLE names(auth TEXT NOT NULL, code TEXT NOT NULL, name TEXT, PRIMARY KEY(auth, code)) WITHOUT ROWID;
         INSERT INTO names SELECT 'EPSG', i, hex(randomblob(20)) FROM N(40000); CREATE INDEX of_name ON names(name);
         CREATE TABLE usage(object TEXT REFERENCES names(code), extent INT, PRIMARY KEY(object, extent)) WITHOUT ROWID;
         CREATE UNIQUE INDEX of_code ON names(code); INSERT INTO usage SELECT i % 40000 + 1, i FROM N(60000)",
    ),
    (
        "partial",
        "CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT NOT NULL, active INT, note TEXT);
         INSERT INTO users SELECT i, hex(randomblob(5)) || '@x.invalid', i % 3, hex(randomblob(40)) FROM N(50000);
         CREATE INDEX of_active ON users(email) WHERE active = 1; CREATE UNIQUE INDEX of_lower ON users(lower(email));
         CREATE INDEX of_note ON users(note) WHERE note IS NOT NULL AND active > 0",
    ),
    (
        "spatial",
        "CREATE TABLE roads(fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom BLOB, name TEXT(80), lanes MEDIUMINT);
         INSERT INTO roads SELECT i, randomblob(180), hex(randomblob(9)), i % 5 FROM N(40000);
         CREATE VIRTUAL TABLE rtree_roads USING rtree(id, minx, maxx, miny, maxy);
         INSERT INTO rtree_roads SELECT fid, fid % 997, fid % 997 + 1, fid % 787, fid % 787 + 1 FROM roads",
    ),
    (
        "full_text",
        "CREATE TABLE sms(_id INTEGER PRIMARY KEY, at INTEGER, body TEXT); CREATE INDEX sms_at ON sms(at);
         INSERT INTO sms SELECT i, i * 7, hex(randomblob(9)) || ' ' || i || ' ' || hex(randomblob(40)) FROM N(25000);
         CREATE VIRTUAL TABLE words USING fts4(content='sms', body); INSERT INTO words(words) VALUES('rebuild')",
    ),
    (
        "utf16",
        "PRAGMA encoding='UTF-16le'; CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT);
         INSERT INTO notes SELECT i, hex(randomblob(90)) FROM N(20000); CREATE INDEX of_body ON notes(body)",
    ),
    ("empty_tables", ""),
];

fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("doctor");
    std::fs::copy(env!("CARGO_BIN_EXE_doctor"), &program)?;
    let mut ratios = Vec::new();
    println!("{:<16} {:>9} {:>9} {:>6}", "processor time", "doctor", "sqlite3", "ratio");
    for (name, sql) in SHAPES {
        if !asked.is_empty() && !asked.iter().any(|word| word == name) {
            continue;
        }
        let store = folder.path().join(format!("{name}.db"));
        make(&store, name, sql)?;
        let ours = || cpu(Command::new(&program).arg("--any").arg(&store));
        let theirs = || cpu(Command::new("sqlite3").arg("-readonly").arg(&store).arg(CHECKS));
        let (mut a, mut b, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let (ours, theirs) = (ours()?, theirs()?);
            pairs.push(ours / theirs);
            a.push(ours);
            b.push(theirs);
        }
        let (a, b, ratio) = (median(&mut a), median(&mut b), median(&mut pairs));
        println!("{name:<16} {:>6.1} ms {:>6.1} ms {ratio:>6.2}", a * 1e3, b * 1e3);
        ratios.push(ratio);
    }
    println!("median of {}: {:.2}", ratios.len(), median(&mut ratios));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "stores are made here, not examined")]
fn make(store: &Path, name: &str, sql: &str) -> Result<()> {
    let conn = Connection::open(store)?;
    let mut sql = sql.to_owned();
    while let Some((before, rest)) = sql.split_once("N(") {
        let Some((count, behind)) = rest.split_once(')') else {
            break;
        };
        let numbers = format!(
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
        );
        sql = format!("{before}{numbers}{behind}");
    }
    for table in 0..if name == "many_tables" { 400 } else { 0 } {
        sql += &format!(
            "CREATE TABLE t{table}(id INTEGER PRIMARY KEY, name TEXT, n INT, at REAL); CREATE INDEX of_t{table} ON t{table}(n);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
             INSERT INTO t{table} SELECT i, hex(randomblob(30)), i % 9, i / 7.0 FROM n;"
        );
    }
    for table in 0..if name == "empty_tables" { 8_000 } else { 0 } {
        sql += &format!("CREATE TABLE t{table}(id INTEGER PRIMARY KEY, a, b, c);");
    }
    conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF")?;
    let begin = if sql.starts_with("PRAGMA") { "" } else { "BEGIN;" };
    conn.execute_batch(&format!("{begin} {sql}; {}", if begin.is_empty() { "" } else { "COMMIT" }))?;
    Ok(())
}

/// Runs a command so many times, and returns the seconds of processor time of one run, the kernel's part included.
fn cpu(command: &mut Command) -> Result<f64> {
    const RUNS: u32 = 10;
    let before = ticks_of_children()?;
    for _ in 0..RUNS {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("{command:?} ended with {status}").into());
        }
    }
    // A hundred to a second, whatever the kernel counts in.
    Ok((ticks_of_children()? - before) / 100.0 / f64::from(RUNS))
}

/// Returns the processor time of all children that ended, in ticks: `cutime` and `cstime` of `proc_pid_stat(5)`.
fn ticks_of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let ticks = behind_name.split_ascii_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<std::result::Result<f64, _>>()?)
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
