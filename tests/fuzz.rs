//! The fuzz targets of `fuzz/`, on stable Rust: every seed, and seeds changed at random. `DOCTOR_FUZZ_RUNS` says how many
//! changed inputs each target gets (2,000 by default; a tenth of it where each takes long); the same number makes the same inputs.

use std::env;
use std::fs;
use std::panic;
use std::path::Path;

use banger_doctor::fuzzing::TARGETS;

/// A small generator of numbers, the same in every run (`splitmix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One to eight changes: a bit, a byte, a number that is a boundary, a piece left out, written twice or taken from another.
fn changed(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    const BOUNDARIES: [u32; 8] = [0, 1, 0x7f, 0x80, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        let end = (at + random.below(64)).min(bytes.len());
        match random.below(6) {
            _ if bytes.is_empty() => bytes.push(0),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            2 => {
                let number = BOUNDARIES[random.below(BOUNDARIES.len())].to_be_bytes();
                let room = (bytes.len() - at).min(4);
                bytes[at..at + room].copy_from_slice(&number[..room]);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(64)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn no_input_makes_a_target_panic() {
    let runs: u64 = env::var("DOCTOR_FUZZ_RUNS").map_or(2_000, |runs| runs.parse().unwrap());
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() > 2, "{name} has seeds");
        // These walk whole stores.
        let runs = if matches!(*name, "map" | "salvage") {
            runs / 10
        } else {
            runs
        };
        let mut random = Random(runs);
        let inputs = seeds.iter().cloned().chain((0..runs).map(|_| changed(&mut random, &seeds)));
        for input in inputs {
            let ended = panic::catch_unwind(|| target(&input));
            assert!(ended.is_ok(), "{name} fails on {}", hex(&input));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
