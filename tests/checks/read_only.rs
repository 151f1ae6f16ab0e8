//! `read-only`: how the store was read. What that leaves behind, and when, is held in `tests/read_only/`.

use crate::support::Place;
use crate::support::stores::Lies;

const CHECK: &str = "read-only";

#[test]
fn it_says_how_the_store_was_read_and_what_held_the_program() {
    for (lies, way) in [
        (
            Lies::Closed,
            "closed cleanly; read in place without a lock, then checked for changes; sandbox: ",
        ),
        (
            Lies::Rollback,
            "closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: ",
        ),
        (
            Lies::Crashed,
            "; read in place without a lock, its WAL indexed in memory, then checked for changes; sandbox: ",
        ),
        (
            Lies::HotJournal,
            "; read from a private copy, in which SQLite recovered what was unfinished; sandbox: ",
        ),
    ] {
        let place = Place::new();
        let daemon = lies.make(&place.store());
        let row = place.row(CHECK, &[]);
        assert_eq!(row["status"], "pass", "{lies:?}: {row}");
        assert!(row["detail"].as_str().unwrap().contains(way), "{lies:?}: {row}");
        drop(daemon);
    }
}

#[test]
fn a_store_that_cannot_be_read_without_a_trace_is_not_read() {
    let place = Place::new();
    Lies::HotJournal.make(&place.store());
    let doctor = place.doctor().env("TMPDIR", "/nowhere");
    let ran = doctor.args(["--format", "json"]).arg(place.store()).run();
    let row = ran.row(CHECK);
    assert_eq!(row["status"], "fail", "{row}");
    assert!(row["remedy"].as_str().unwrap().starts_with("point TMPDIR at a folder"), "{row}");
    // Three rows need no SQLite.
    let report = ran.report();
    let passed = report["rows"].as_array().unwrap().iter().filter(|row| row["status"] == "pass");
    let passed: Vec<&str> = passed.map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(passed, ["file", "journal", "in-use"]);
}
