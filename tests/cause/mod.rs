//! The signs of how a store came to harm: each with the mechanism that leaves it, and stores that only look like it.

mod healthy;
mod planted;

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::support::Place;

/// The pages of the stores of these tests.
const PAGE: usize = 4096;

/// Makes a store with tables, indexes, long rows and free pages.
fn fill(path: &Path, pragmas: &str) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(&format!(
        "{pragmas};
         CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT UNIQUE, body TEXT);
         CREATE TABLE tags(name TEXT PRIMARY KEY, pad) WITHOUT ROWID;
         CREATE INDEX by_body ON notes(body);
         CREATE TABLE gone(a);
         BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
         INSERT INTO notes SELECT i, 'title ' || i, printf('%.*c', iif(i % 60 = 0, 9000, 120), 'b') || i || char(10) FROM n;
         INSERT INTO tags SELECT 'tag ' || id, printf('%.50c', 'p') FROM notes;
         INSERT INTO gone SELECT zeroblob(3000) FROM notes WHERE id < 40;
         COMMIT;
         DELETE FROM gone;"
    ))
    .unwrap();
}

/// A folder with such a store.
fn store() -> Place {
    let place = Place::new();
    fill(&place.store(), &format!("PRAGMA page_size = {PAGE}"));
    place
}

fn read(place: &Place) -> Vec<u8> {
    fs::read(place.store()).unwrap()
}

/// The signs of a store: the name and the certainty of each.
fn signs(place: &Place) -> Vec<(String, String)> {
    let report = place.doctor().args(["--any", "--format", "json"]).arg(place.store()).run().report();
    let cause = report["cause"].as_array().cloned().unwrap_or_default();
    let text = |cause: &serde_json::Value, field: &str| cause[field].as_str().unwrap().to_owned();
    cause.iter().map(|cause| (text(cause, "sign"), text(cause, "certainty"))).collect()
}

/// The signs as "name certainty".
fn told(place: &Place) -> Vec<String> {
    signs(place).into_iter().map(|(sign, certainty)| format!("{sign} {certainty}")).collect()
}
