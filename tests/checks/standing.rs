//! What the rows about damage say of the store's rows: how many stand whole, which are lost, and what is not known.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::Place;
use crate::support::damage::{PAGE_SIZE, change, leaves, overwrite_page, root};

/// The first row that fails, and what it says.
fn said(place: &Place, arguments: &[&str]) -> String {
    let ran = place.doctor().args(["--format", "json"]).args(arguments).arg(place.store()).run();
    let report = ran.report();
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["status"] == "fail").unwrap();
    format!("{}: {}", row["check"].as_str().unwrap(), row["detail"].as_str().unwrap())
}

/// The rows of `vms` that are not in the store any more, by what SQLite reads page by page: rowid and id.
fn of_leaf(place: &Place, page: usize) -> Vec<(i64, String)> {
    let conn = place.open();
    let ids: Vec<(i64, String)> = conn
        .prepare("SELECT rowid, id FROM vms")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let bytes = fs::read(place.store()).unwrap();
    let page = &bytes[(page - 1) * PAGE_SIZE..page * PAGE_SIZE];
    let holds = |id: &str| page.windows(id.len()).any(|there| there == id.as_bytes());
    ids.into_iter().filter(|(_, id)| holds(id)).collect()
}

#[test]
fn the_rows_of_a_leaf_that_is_gone_are_counted_and_named() {
    let place = Place::with(1, 600);
    let all = leaves(&place.store(), "vms");
    let lost = of_leaf(&place, all[all.len() / 2]);
    assert!(lost.len() > 3, "{lost:?}");
    overwrite_page(&place.store(), all[all.len() / 2], 0);
    let row = place.row("page-structure", &[]);
    let detail = row["detail"].as_str().unwrap();
    let first: Vec<String> = lost.iter().take(3).map(|(rowid, id)| format!("row {rowid} ({id})")).collect();
    let figures = format!(
        "pages that hold rows are damaged; vms: {} of 600 rows stand whole, {} are lost: {} and {} more; schema_migrations: 3 rows stand whole; images: its only row stands whole",
        600 - lost.len(),
        lost.len(),
        first.join(", "),
        lost.len() - 3
    );
    assert_eq!(detail, figures);
    let is_lost = |finding: &&Value| finding["what"] == "lost: an index names it, and it is nowhere";
    let named: Vec<(i64, String)> = row["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(is_lost)
        .map(|finding| {
            assert_eq!(finding["table"], "vms");
            (finding["row"].as_i64().unwrap(), finding["key"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(named, lost);
    // The same as the salvage gives.
    let saved = place.ask(&["--salvage"]);
    let given = saved.stdout.lines().filter(|line| line.starts_with("INSERT INTO \"vms\"")).count();
    assert_eq!(given, 600 - lost.len());
}

#[test]
fn many_lost_rows_are_counted_and_the_first_named() {
    let place = Place::with(1, 3000);
    let all = leaves(&place.store(), "vms");
    let lost: usize = all.iter().take(40).map(|page| of_leaf(&place, *page).len()).sum();
    for page in all.iter().take(40) {
        overwrite_page(&place.store(), *page, 0);
    }
    let row = place.row("page-structure", &[]);
    let detail = row["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!(" rows stand whole, {lost} are lost: row 1 (")),
        "{lost}: {detail}"
    );
    assert!(detail.contains(&format!(" and {} more; ", lost - 3)), "{detail}");
    assert_eq!(row["findings"].as_array().unwrap().len(), 100);
    assert!(row["findings_total"].as_u64().unwrap() > lost as u64);
}

#[test]
fn a_table_whose_inner_page_is_gone_has_all_its_rows() {
    let place = Place::with(1, 600);
    overwrite_page(&place.store(), root(&place.store(), "vms"), 0);
    assert_snapshot!(said(&place, &[]), @"page-structure: pages that hold rows are damaged; vms: all 600 rows stand whole; schema_migrations: 3 rows stand whole; images: its only row stands whole");
}

#[test]
fn a_file_whose_first_page_is_gone_says_what_is_still_in_it() {
    let place = Place::with(2, 600);
    let pages = fs::metadata(place.store()).unwrap().len() / PAGE_SIZE as u64;
    let shown = |options: &[&str]| {
        let figures = format!("{} of {pages} pages", pages - 1);
        said(&place, options).replace(&figures, "[ALL BUT ONE] of [N] pages")
    };
    overwrite_page(&place.store(), 1, 0);
    assert_snapshot!(shown(&[]), @"file: it does not begin like an SQLite database: its first page is gone (only zero bytes), but [ALL BUT ONE] of [N] pages of 4,096 bytes have the form of a database's: do not delete it; vms: all 600 rows stand whole; schema_migrations: 3 rows stand whole; images: 2 rows stand whole, how many it had is not known");
    let remedy = place.row("file", &[])["remedy"].as_str().unwrap().to_owned();
    assert!(
        remedy.starts_with("1. Stop banger, and keep a copy of all files of the store. 2. Restore a backup"),
        "{remedy}"
    );
    assert!(shown(&["--any"]).ends_with("have the form of a database's: do not delete it"));
    change(&place.store(), |bytes| bytes.copy_within(4 * PAGE_SIZE..5 * PAGE_SIZE, 0));
    assert_snapshot!(shown(&[]), @"file: it does not begin like an SQLite database: its first page is gone (a copy of page 5), but [ALL BUT ONE] of [N] pages of 4,096 bytes have the form of a database's: do not delete it; vms: all 600 rows stand whole; schema_migrations: 3 rows stand whole; images: 2 rows stand whole, how many it had is not known");
}

#[test]
fn a_schema_that_cannot_be_read_hides_no_row() {
    let place = Place::with(1, 50);
    change(&place.store(), |bytes| bytes[100..PAGE_SIZE].fill(0xee));
    assert_snapshot!(said(&place, &[]), @"read-only: could not look: SQLite says: database disk image is malformed [11] (while running: open); vms: 50 rows stand whole, how many it had is not known; schema_migrations: 3 rows stand whole; images: 1 row stands whole, how many it had is not known");
}

#[test]
fn a_file_that_is_cut_says_what_is_left_and_that_more_may_be_lost() {
    let place = Place::with(1, 600);
    change(&place.store(), |bytes| bytes.truncate(bytes.len() / 2));
    let said = said(&place, &[]);
    let (_, figures) = said.split_once("vms: ").unwrap();
    let whole: usize = figures.split(' ').next().unwrap().parse().unwrap();
    assert!((100..600).contains(&whole), "{said}");
    assert!(figures.contains(" rows stand whole, at least "), "{said}");
}

#[test]
fn where_only_an_index_is_wrong_nothing_is_said_of_rows() {
    let place = Place::with(1, 600);
    let leaf = leaves(&place.store(), "sqlite_autoindex_vms_2")[1];
    change(&place.store(), |bytes| {
        let page = &mut bytes[(leaf - 1) * PAGE_SIZE..leaf * PAGE_SIZE];
        *page.last_mut().unwrap() ^= 1;
    });
    assert_eq!(said(&place, &[]), "page-structure: only an index is wrong: no data is lost");
    let leaf = leaves(&place.store(), "vms")[3];
    overwrite_page(&place.store(), leaf, 0);
    assert!(said(&place, &[]).contains(" rows stand whole"));
    let any = said(&place, &["--any"]);
    assert!(any.contains("; vms: 583 of 600 rows stand whole, 17 are lost: row "), "{any}");
    assert!(any.contains("; 1 page of it is damaged, and holds nothing but zero bytes; "), "{any}");
}

#[test]
fn why_the_rows_could_not_be_counted_is_said() {
    let place = Place::with(1, 60);
    place.sql("INSERT INTO schema_migrations VALUES (99, 'later', '2026-01-01T00:00:00Z')");
    overwrite_page(&place.store(), root(&place.store(), "vms"), 0);
    assert_snapshot!(said(&place, &[]), @"page-structure: pages that hold rows are damaged; how many rows stand whole is not known: a migration is applied that this binary does not know");
}

#[test]
fn a_row_with_a_damaged_value_does_not_stand_whole() {
    let place = Place::with(1, 60);
    let leaf = leaves(&place.store(), "vms")[2];
    let (rowid, id) = of_leaf(&place, leaf)[1].clone();
    // A letter of its address in the row, and the page's number of cells, without which SQLite finds nothing wrong.
    change(&place.store(), |bytes| {
        let page = &mut bytes[(leaf - 1) * PAGE_SIZE..leaf * PAGE_SIZE];
        let at = page.windows(36).position(|there| there == id.as_bytes()).unwrap();
        let dot = page[at..].iter().position(|byte| *byte == b'.').unwrap();
        page[at + dot] = b'x';
        page[4] = 0xee;
    });
    let said = said(&place, &[]);
    assert!(
        said.contains(&format!(
            "vms: 59 of 60 rows stand whole, 1 has a damaged value or index entry: row {rowid} ({id})"
        )),
        "{said}"
    );
}

#[test]
fn data_that_may_be_lost_is_not_said_to_be_there() {
    let known = |place: &Place| place.ask(&["--format", "json"]).report()["data_lost"].clone();
    assert_eq!(known(&Place::with(2, 5)), "no");
    for change in [
        "UPDATE vms SET image_id = 'gone' WHERE rowid = 2",
        "DROP TABLE vms",
        "ALTER TABLE vms DROP COLUMN workspace_json",
    ] {
        assert_eq!(known(&Place::with(2, 5).after(change)), "unknown", "{change}");
    }
    assert_eq!(known(&Place::with(2, 5).after("CREATE TABLE extra(x)")), "no");
}
