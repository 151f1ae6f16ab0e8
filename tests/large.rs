//! Large stores: two threads, and indexes held against rows in linear passes. The verdicts are those of a small store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "stores are made and damaged here")]

mod support;

use std::fs;

use support::Place;
use support::asking::all_checks;
use support::damage::{PAGE_SIZE, change, leaves};
use support::rows::{Ids, Rows};
use support::stores::of_age;

/// More than the 8 MiB from which a store is large.
const VMS: u32 = 20_000;

/// A store large enough.
fn large() -> Place {
    let place = Place::new();
    let rows = Rows {
        padding: 400,
        ids: Ids::Scattered,
        ..Rows::of(3, VMS)
    };
    of_age(&place.store(), "", usize::MAX, rows);
    assert!(fs::metadata(place.store()).unwrap().len() > 8 << 20);
    place
}

/// Changes the first place where these bytes stand in the pages of a tree.
fn change_in(place: &Place, tree: &str, from: &[u8], to: &[u8]) {
    let pages = leaves(&place.store(), tree);
    change(&place.store(), |bytes| {
        let at = pages.iter().map(|page| (page - 1) * PAGE_SIZE).find_map(|begin| {
            let page = &bytes[begin..begin + PAGE_SIZE];
            page.windows(from.len()).position(|window| window == from).map(|at| begin + at)
        });
        let at = at.unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
    });
}

/// The row's status and detail, and each finding.
fn said(place: &Place) -> String {
    let row = place.row("page-structure", &[]);
    let mut out = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().unwrap() {
        out += &format!("{} ({} times)\n", finding["what"].as_str().unwrap(), finding["count"]);
    }
    out
}

#[test]
fn a_healthy_large_store_passes_every_check_in_the_registrys_order() {
    let place = large();
    let ran = place.ask(&["--format", "json"]);
    let report = ran.report();
    let rows = report["rows"].as_array().unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    assert!(ids.len() > 10, "{ids:?}");
    assert_eq!(ids, all_checks(), "{report}");
    assert_eq!(ran.code, Some(0), "{report}");
}

#[test]
fn an_entry_that_is_not_the_rows_is_found_in_an_index() {
    let place = large();
    change_in(&place, "sqlite_autoindex_vms_2", b"vm-15000", b"vm-1500x");
    insta::assert_snapshot!(said(&place), @"
    fail: only an index is wrong: no data is lost
    row 15000 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn a_row_that_is_not_its_index_entries_is_found() {
    let place = large();
    change_in(&place, "vms", b"vm-12345", b"vm-1234x");
    insta::assert_snapshot!(said(&place), @"
    fail: only an index is wrong: no data is lost
    row 12345 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn rows_that_a_unique_index_forbids_are_found() {
    let place = large();
    place.sql(
        "UPDATE vms SET state = name;
         UPDATE vms SET state = 'vm-7' WHERE name = 'vm-8';
         CREATE INDEX states ON vms(state);
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX states ON vms(state)' WHERE name = 'states';",
    );
    insta::assert_snapshot!(said(&place), @"
    fail: rows hold values that their columns or a unique index forbid: no data is lost
    non-unique entry in index states (1 times)
    ");
}
