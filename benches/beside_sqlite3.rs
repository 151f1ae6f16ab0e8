//! The doctor beside the `sqlite3` shell, on the same files, in turn, in one run: medians and ratios.
//!
//! `cargo bench --bench beside_sqlite3 [-- small gate many tenth large huge]` (default: small, gate, many, tenth, large).
//! The doctor that is run is a copy of the binary, as an installed one is: what a linker wrote lies in the page cache in pieces of
//! 4 KiB, each of which is mapped by itself, and what was copied or read from the disk in large ones.
//!
//! `huge` (ten times large, about 6 GB) is made only when it is asked for.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BOTH_CHECKS: &str = "PRAGMA integrity_check; PRAGMA foreign_key_check";
const LEDGER: &str = "SELECT id FROM schema_migrations";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| asked.iter().any(|word| word == name) || (asked.is_empty() && name != "huge");
    let installed = tempfile::tempdir()?;
    let program = installed.path().join("doctor");
    std::fs::copy(env!("CARGO_BIN_EXE_doctor"), &program)?;
    let doctor = |stores: &[&PathBuf]| {
        let mut command = vec![program.display().to_string()];
        command.extend(stores.iter().map(|store| store.display().to_string()));
        command
    };
    println!("{:<30} {:>11} {:>11} {:>7} {:>9}", "", "doctor", "sqlite3", "ratio", "peak MiB");
    if wanted("small") {
        let store = support::store(12)?;
        compare("12 VMs, every check", 200, &doctor(&[&store]), &sqlite3(&store, BOTH_CHECKS))?;
        instructions("12 VMs, every check", &doctor(&[&store]))?;
    }
    if wanted("gate") {
        for vms in [12, 900_000] {
            let store = support::store(vms)?;
            let mut gate = doctor(&[&store]);
            gate.insert(1, "--check-migrations".into());
            compare(&format!("{vms} VMs, the gate"), 200, &gate, &sqlite3(&store, LEDGER))?;
        }
    }
    if wanted("many") {
        many(doctor)?;
    }
    for (name, vms, runs) in [("tenth", 90_000, 5), ("large", 900_000, 3), ("huge", 9_000_000, 1)] {
        if wanted(name) {
            let store = support::store(vms)?;
            compare(
                &format!("{vms} VMs, every check"),
                runs,
                &doctor(&[&store]),
                &sqlite3(&store, BOTH_CHECKS),
            )?;
        }
    }
    Ok(())
}

/// A thousand small stores in one call, against a thousand calls.
fn many(doctor: impl Fn(&[&PathBuf]) -> Vec<String>) -> Result<()> {
    let store = support::store(12)?;
    let folder = tempfile::tempdir()?;
    let mut stores = Vec::new();
    for n in 0..1000 {
        let copy = folder.path().join(format!("{n}.db"));
        std::fs::copy(&store, &copy)?;
        stores.push(copy);
    }
    let paths: Vec<&PathBuf> = stores.iter().collect();
    let all = doctor(&paths);
    let script = format!(
        "for f in {}/*.db; do sqlite3 -readonly \"$f\" '{BOTH_CHECKS}'; done",
        folder.path().display()
    );
    compare("1,000 stores of 12 VMs", 3, &all, &["sh".into(), "-c".into(), script])
}

fn sqlite3(store: &Path, sql: &str) -> Vec<String> {
    vec![
        "sqlite3".into(),
        "-readonly".into(),
        store.display().to_string(),
        sql.into(),
    ]
}

/// Prints how many instructions a command runs, kernel left out: stable where time is not. Silent without valgrind.
fn instructions(name: &str, command: &[String]) -> Result<()> {
    let counting = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let Ok(output) = Command::new("valgrind").args(counting).args(command).stdin(Stdio::null()).output() else {
        return Ok(());
    };
    if !output.status.success() {
        println!("{name:<30} {:>11} instructions: it did not run to its end under valgrind", "no");
        return Ok(());
    }
    let said = String::from_utf8(output.stderr)?;
    if let Some((_, count)) = said.lines().find_map(|line| line.split_once("Collected : ")) {
        println!("{name:<30} {:>11} instructions", count.trim());
    }
    Ok(())
}

/// Runs two commands in turn, and prints the medians, the median of the ratios pair by pair, and the first one's peak memory.
fn compare(name: &str, runs: usize, ours: &[String], theirs: &[String]) -> Result<()> {
    time(ours)?;
    time(theirs)?;
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (ours, theirs) = (time(ours)?, time(theirs)?);
        ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
        a.push(ours.as_secs_f64());
        b.push(theirs.as_secs_f64());
    }
    let (a, b, ratio) = (median(&mut a), median(&mut b), median(&mut ratios));
    println!("{name:<30} {:>8.2} ms {:>8.2} ms {ratio:>7.2} {:>9.1}", a * 1e3, b * 1e3, peak(ours)?);
    Ok(())
}

fn time(command: &[String]) -> Result<Duration> {
    let begun = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    let took = begun.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The most memory that a command held, in MiB, as the kernel counted it (`/usr/bin/time`); 0 where that is missing.
fn peak(command: &[String]) -> Result<f64> {
    let timed = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .args(command)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = timed else { return Ok(0.0) };
    let text = String::from_utf8(output.stderr)?;
    Ok(text.lines().last().and_then(|line| line.trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0)
}
