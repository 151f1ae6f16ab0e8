//! Runs a test that is drawn from a seed.

use std::env;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

/// Runs `test` with the seeds 0 to `count` and those in `fixed`, the same in every run: the gate must not depend on luck.
///
/// `DOCTOR_RANDOM_SEEDS=N` runs it with N random seeds instead, and `DOCTOR_SEED=S` with that one. A seed that fails is printed;
/// it belongs into `fixed` then.
pub fn for_each_seed(count: u64, fixed: &[u64], test: impl Fn(u64)) {
    let number = |name: &str| {
        let value = env::var(name).ok()?;
        Some(value.parse::<u64>().unwrap_or_else(|error| panic!("{name}={value}: {error}")))
    };
    let seeds: Vec<u64> = if let Some(seed) = number("DOCTOR_SEED") {
        vec![seed]
    } else if let Some(count) = number("DOCTOR_RANDOM_SEEDS") {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let first = u64::from(std::process::id()) << 40 ^ u64::try_from(now & u128::from(u64::MAX)).unwrap();
        (0..count).map(|n| first.wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
    } else {
        fixed.iter().copied().chain(0..count).collect()
    };
    let failed = seeds.into_iter().filter(|seed| {
        let panicked = catch_unwind(AssertUnwindSafe(|| test(*seed))).is_err();
        if panicked {
            // Not by `eprintln!`: the line is to be seen even if the output of the test is not.
            let _ = io::stderr().write_all(format!("failed: DOCTOR_SEED={seed}\n").as_bytes());
        }
        panicked
    });
    assert_eq!(failed.collect::<Vec<_>>(), [0; 0], "seeds that failed");
}
