//! Where the time of a small run goes: each phase in this process, as medians.
//!
//! `cargo bench --bench phases [-- STORE]` (default: a store of 12 VMs).

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use banger_doctor::banger::APPLICATION;
use banger_doctor::checks::CHECKS;
use banger_doctor::private::{PrivateFolder, Purpose};
use banger_doctor::probe::Probe;
use banger_doctor::render::{json, table};
use banger_doctor::sandbox::Sandbox;
use banger_doctor::stop::Stop;
use banger_doctor::store::{Access, Environment, Need, with_stable_store};
use banger_doctor::{Options, Report, examine};

fn main() -> Result<(), Box<dyn Error>> {
    let named = std::env::args().skip(1).find(|word| !word.starts_with('-')).map(PathBuf::from);
    let store = named.map_or_else(|| support::store(12), Ok)?;
    let size = std::fs::metadata(&store)?.len();
    let rounds = if size > 8 << 20 { 3 } else { 300 };
    println!("{size} bytes, {rounds} rounds, medians in microseconds");

    say("probe", rounds, || {
        black_box(Probe::of(&store));
    });
    // It holds for the thread that enters it, for good: each round has a thread of its own, whose start is taken off.
    let thread = median(rounds, || drop(thread::spawn(|| ()).join()));
    let enter = || black_box(Sandbox::enter(&PrivateFolder::for_stores::<&Path>(&[]), Purpose::default()));
    let entered = median(rounds, || drop(thread::spawn(enter).join()));
    line("sandbox", entered.saturating_sub(thread));

    let stop = Stop::never();
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[&store]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &stop,
    };
    say("open, ping, close", rounds, || {
        drop(black_box(with_stable_store(&store, Need::Everything, &environment, |_, access| {
            access.and_then(Access::open)
        })));
    });

    let mut by_check: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    for _ in 0..rounds {
        for (n, row) in report(&store, &environment).rows.iter().enumerate() {
            by_check.entry(n).or_default().push(row.elapsed);
        }
    }
    for (n, mut times) in by_check {
        line(CHECKS[n].id, middle(&mut times));
    }
    say("all of the above", rounds, || {
        black_box(report(&store, &environment));
    });

    let report = report(&store, &environment);
    let style = table::Style {
        width: Some(100),
        color: false,
    };
    say("render table", rounds, || {
        black_box(table::report(&report, style));
    });
    say("render json", rounds, || {
        black_box(json::report(&report));
    });
    Ok(())
}

fn report(store: &Path, environment: &Environment<'_>) -> Report {
    let options = Options {
        checks: CHECKS.iter().map(|check| check.id).collect(),
        artifacts: false,
        application: &APPLICATION,
        environment: environment.clone(),
    };
    examine(store, &options)
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
