//! The fuzz targets of `fuzz/` that concern the format, on stable Rust: every seed, and seeds damaged at random. `DOCTOR_FUZZ_RUNS`
//! says how many damaged inputs there are (2,000 by default); the same number makes the same inputs.

use std::fs;
use std::path::Path;

use super::damage::damage;
use super::random::Random;
use super::sqlite::hold_any_bytes;
use super::targets;

fn runs() -> u64 {
    std::env::var("DOCTOR_FUZZ_RUNS").map_or(2_000, |runs| runs.parse().unwrap())
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 2, "{target} has seeds");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn no_bytes_are_sound_to_the_reader_and_damaged_to_sqlite() {
    let seeds = seeds("format");
    for seed in &seeds {
        hold_any_bytes(seed);
    }
    let mut random = Random(runs());
    for _ in 0..runs() {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let older = seeds[random.below(seeds.len())].clone();
        damage(&mut bytes, &mut random, Some(&older));
        hold_any_bytes(&bytes);
    }
}

/// Changes a few bytes, or cuts off the end.
fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.one_of(&[0, 1, 0x7f, 0x80, 0xff]),
            2 => bytes.truncate(at),
            _ => {
                let number = random.one_of(&[0, 1, 512, u32::MAX, 0x7fff_ffff]).to_be_bytes();
                let room = (bytes.len() - at).min(4);
                bytes[at..at + room].copy_from_slice(&number[..room]);
            }
        }
    }
}

#[test]
fn no_bytes_make_the_reader_of_a_header_a_log_or_a_journal_panic() {
    let all = [
        ("header", targets::header as fn(&[u8])),
        ("wal", targets::write_ahead_log),
        ("journal", targets::rollback_journal),
    ];
    for (name, target) in all {
        let seeds = seeds(name);
        for seed in &seeds {
            target(seed);
        }
        let mut random = Random(runs());
        for _ in 0..runs() {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            change(&mut bytes, &mut random);
            target(&bytes);
        }
    }
}
