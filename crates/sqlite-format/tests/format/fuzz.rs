//! The fuzz target `format` of `fuzz/`, on stable Rust: every seed, and seeds damaged at random. `DOCTOR_FUZZ_RUNS` says how
//! many damaged inputs there are (2,000 by default); the same number makes the same inputs.

use std::fs;
use std::path::Path;

use super::damage::damage;
use super::random::Random;
use super::sqlite::hold_any_bytes;

#[test]
fn no_bytes_are_sound_to_the_reader_and_damaged_to_sqlite() {
    let runs: u64 = std::env::var("DOCTOR_FUZZ_RUNS").map_or(2_000, |runs| runs.parse().unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/format");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 2);
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for seed in &seeds {
        hold_any_bytes(seed);
    }
    let mut random = Random(runs);
    for _ in 0..runs {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let older = seeds[random.below(seeds.len())].clone();
        damage(&mut bytes, &mut random, Some(&older));
        hold_any_bytes(&bytes);
    }
}
