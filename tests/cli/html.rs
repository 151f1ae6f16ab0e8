//! The report as a page for a browser.

use std::fs;

use html5ever::tendril::TendrilSink;
use html5ever::tokenizer::TokenizerOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::RcDom;

use crate::support::{Home, Ran};

/// The page that was printed: without an error in its markup, and with nothing that runs or loads.
fn page(ran: &Ran) -> &str {
    let options = ParseOpts {
        tokenizer: TokenizerOpts {
            exact_errors: true,
            ..TokenizerOpts::default()
        },
        ..ParseOpts::default()
    };
    let dom = parse_document(RcDom::default(), options).one(ran.stdout.as_str());
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
    for foreign in [
        "<script", "<link", "<img", "<a ", "<iframe", "src=", "href=", "url(", "@import",
    ] {
        assert!(!ran.stdout.contains(foreign), "{foreign}");
    }
    &ran.stdout
}

/// The cells of the map.
fn cells(page: &str) -> usize {
    let (_, map) = page.split_once(" role=\"img\"").unwrap();
    map.matches("<i class=").count()
}

#[test]
fn a_healthy_store_has_a_cell_a_page() {
    let home = Home::new();
    let path = home.store("state.db");
    let ran = home.doctor(&["--format=html", "state.db"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let page = page(&ran);
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"));
    assert!(page.contains("<strong>PASS</strong>") && page.contains("No damaged page was found."));
    assert_eq!(cells(page) as u64, fs::metadata(path).unwrap().len() / 4096);
}

#[test]
fn a_damaged_page_is_drawn_and_named() {
    let home = Home::new();
    let path = home.dangling("state.db");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4096;
    bytes[last..].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let ran = home.doctor(&["--format=html", "state.db"]);
    assert_eq!(ran.code, Some(1));
    let page = page(&ran);
    assert!(page.contains("<b>1 page is damaged:</b>") && page.contains("<i class=\"dm\""), "{page}");
    assert_eq!(cells(page), bytes.len() / 4096);
}

#[test]
fn where_there_is_no_map_the_page_says_why() {
    let home = Home::new();
    fs::write(home.join("state.db"), "this is no database").unwrap();
    let ran = home.doctor(&["--format=html", "state.db", "--only=file"]);
    assert_eq!(ran.code, Some(1));
    assert!(page(&ran).contains("There is no map of this store’s pages: the store could not be opened"));
}

#[test]
fn the_map_asks_for_no_check() {
    let home = Home::new();
    home.store("state.db");
    let ran = home.doctor(&["--format=html", "state.db", "--only=file"]);
    let page = page(&ran);
    assert_eq!((ran.code, page.matches("<li class=\"pass\">").count()), (Some(0), 1));
    assert!(cells(page) > 1);
}

#[test]
fn a_page_is_about_one_store_and_the_gate_has_none() {
    let home = Home::new();
    home.store("a.db");
    let ran = home.doctor(&["--format=html", "a.db", "a.db"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""));
    assert!(ran.stderr.contains("--format html takes one store"), "{}", ran.stderr);
    let gate = home.doctor(&["--format=html", "--check-migrations", "a.db"]);
    assert_eq!((gate.code, gate.stdout.lines().count()), (Some(0), 1));
}
