//! `--any`: stores of applications of which nothing is known.

mod arguments;
mod faults;
mod healthy;
mod ledgers;
mod library;

use serde_json::Value;

use crate::support::Place;

/// A store that this SQL makes.
fn made(sql: &str) -> Place {
    let place = Place::new();
    place.sql(sql);
    place
}

/// The rows of a report with `--any`, and the exit code.
fn rows(place: &Place) -> (Option<i32>, Vec<Value>) {
    let ran = place.ask(&["--any", "--format", "json"]);
    assert_eq!(ran.stderr, "");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    (ran.code, report["rows"].as_array().unwrap().clone())
}

/// The row of a check with `--any`, as "status: detail".
fn said(place: &Place, check: &str) -> String {
    let (_, rows) = rows(place);
    let row = rows.iter().find(|row| row["check"] == check).unwrap();
    format!("{}: {}", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap())
}

/// No row failed, nothing was left behind, and this is what `page-structure` says behind its pages.
fn assert_healthy(place: &Place, what: &str, not_checked: &str) {
    let before = place.footprint();
    let (code, rows) = rows(place);
    assert_eq!(place.footprint(), before, "{what}");
    for row in &rows {
        assert_ne!(row["status"], "fail", "{what}: {row}");
    }
    assert_eq!(code, Some(0), "{what}");
    let structure = rows.iter().find(|row| row["check"] == "page-structure").unwrap();
    let detail = structure["detail"].as_str().unwrap();
    assert_eq!(detail.split_once(" checked").unwrap().1, not_checked, "{what}: {detail}");
}
