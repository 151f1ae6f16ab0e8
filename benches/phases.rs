//! Where the time of a small run goes: each phase in this process, as medians.
//!
//! `cargo bench --bench phases [-- STORE]` (default: a store of 12 VMs).

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use banger_doctor::{CheckId, examine, inside};

fn main() -> Result<(), Box<dyn Error>> {
    let named = std::env::args().skip(1).find(|word| !word.starts_with('-')).map(PathBuf::from);
    let store = named.map_or_else(|| support::store(12), Ok)?;
    let size = std::fs::metadata(&store)?.len();
    let rounds = if size > 8 << 20 { 3 } else { 300 };
    println!("{size} bytes, {rounds} rounds, medians in microseconds");

    say("probe", rounds, || inside::probe(&store));
    // It holds for the thread that enters it, for good: each round has a thread of its own, whose start is taken off.
    let thread = median(rounds, || drop(thread::spawn(|| ()).join()));
    let entered = median(rounds, || drop(thread::spawn(inside::enter_sandbox).join()));
    line("sandbox", entered.saturating_sub(thread));
    say("open, ping, close", rounds, || inside::open_and_close(&store));

    let mut by_check: BTreeMap<CheckId, Vec<Duration>> = BTreeMap::new();
    for _ in 0..rounds {
        for row in examine(&store).rows() {
            by_check.entry(row.check()).or_default().push(row.elapsed());
        }
    }
    for (check, mut times) in by_check {
        line(check.id(), middle(&mut times));
    }
    say("all of the above", rounds, || {
        black_box(examine(&store));
    });

    let report = examine(&store);
    say("render table", rounds, || {
        black_box(report.to_table(Some(100), false));
    });
    say("render json", rounds, || {
        black_box(report.to_json());
    });
    Ok(())
}

fn say(what: &str, rounds: usize, work: impl FnMut()) {
    line(what, median(rounds, work));
}

fn line(what: &str, time: Duration) {
    println!("{what:<20} {:>10.1}", time.as_secs_f64() * 1e6);
}

fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let once = |()| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    middle(&mut std::iter::repeat_n((), rounds).map(once).collect::<Vec<_>>())
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
