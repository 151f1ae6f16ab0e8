//! A healthy store never fails: whatever its shape, whatever banger wrote into it, however it lies on disk.
//!
//! `PROPTEST_RNG_SEED=1 PROPTEST_CASES=5000 cargo test --release --test it healthy::` looks longer.

mod same_store;
mod shapes;
mod values;

use std::path::Path;

use banger_doctor::{CheckId, examine};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::support::Place;
use shapes::{Lies, Shape, shape};

/// How many stores are looked at, unless `PROPTEST_CASES` says more.
const CASES: u32 = 80;

/// The binary is asked about one store in so many; the library about each.
const BINARY_EVERY: u8 = 4;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        // The seed of a store that failed is kept beside this file, and tried first the next time.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("seeds"))),
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_healthy_store_never_fails(shape in shape(), chance in 0..BINARY_EVERY) {
        let place = Place::new();
        let path = place.store();
        // A daemon that lives has its store open as long as this is held.
        let daemon = shape.make(&path);
        if shape.lies != Lies::Live {
            // Within the daemon's own process a plain read would drop the daemon's locks.
            holds(&shape, &by_the_library(&path));
        }
        if chance == 0 || shape.lies == Lies::Live {
            holds(&shape, &by_the_binary(&place));
            // Nor does it fail where nobody knows whose it is.
            let ran = place.ask(&["--any"]);
            assert_eq!(ran.code, Some(0), "{}\nof {shape:?}", ran.stdout);
        }
        drop(daemon);
    }
}

/// No row failed, and each passed but the one that was not asked for.
fn holds(shape: &Shape, line: &str) {
    let report: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let situation = report["situation"].as_str().unwrap();
    assert!(shape.lies.situations().contains(&situation), "{situation}: {shape:?}");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), CheckId::ALL.len(), "{shape:?}");
    for row in rows {
        let wanted = if row["check"] == "artifacts" { "skip" } else { "pass" };
        assert_eq!(row["status"], wanted, "{row}\nof {shape:?}");
    }
}

fn by_the_library(path: &Path) -> String {
    examine(path).to_json()
}

fn by_the_binary(place: &Place) -> String {
    let ran = place.ask(&["--format", "json"]);
    assert_eq!(ran.stderr, "");
    ran.stdout
}
