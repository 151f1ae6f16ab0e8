//! Tables of which pages are gone that no index tells of: how many rows they had is not known, and that is said.

use crate::support::Place;
use crate::support::damage::{change, leaves, overwrite_page, root};

/// The pages of the indexes of `vms`.
fn of_indexes(place: &Place) -> Vec<usize> {
    (1..=3)
        .flat_map(|number| of_tree(place, &format!("sqlite_autoindex_vms_{number}")))
        .collect()
}

/// The leaves of a tree and its root.
fn of_tree(place: &Place, tree: &str) -> Vec<usize> {
    let mut pages = leaves(&place.store(), tree);
    pages.push(root(&place.store(), tree));
    pages
}

/// The salvage fails, and says what is not known.
fn not_known(place: &Place, table: &str) {
    let ran = place.ask(&["--salvage"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!ran.stderr.contains("PASS: "), "{}", ran.stderr);
    let said: String = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("how many rows {table} had is not known")), "{said}");
}

#[test]
fn a_table_that_is_gone_with_its_indexes_is_not_passed_over() {
    let place = Place::with(2, 600);
    let mut pages = of_indexes(&place);
    pages.extend(of_tree(&place, "vms"));
    for page in pages {
        overwrite_page(&place.store(), page, 0);
    }
    not_known(&place, "vms");
    let detail = place.row("page-structure", &[])["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("; vms: how many rows it had is not known"), "{detail}");
}

#[test]
fn a_leaf_that_is_gone_or_damaged_together_with_the_indexes_is_not_passed_over() {
    for whole in [true, false] {
        let place = Place::with(2, 600);
        let pages = of_indexes(&place);
        let leaf = leaves(&place.store(), "vms")[3];
        for page in pages {
            overwrite_page(&place.store(), page, 0);
        }
        if whole {
            overwrite_page(&place.store(), leaf, 0);
        } else {
            // It counts no cell any more.
            change(&place.store(), |bytes| bytes[(leaf - 1) * 4096 + 3..(leaf - 1) * 4096 + 5].fill(0));
        }
        not_known(&place, "vms");
    }
}

#[test]
fn a_file_that_is_cut_before_a_table_begins_is_not_passed_over() {
    let place = Place::with(1, 1);
    let first = root(&place.store(), "vms");
    change(&place.store(), |bytes| bytes.truncate((first - 1) * 4096));
    not_known(&place, "vms");
}

#[test]
fn a_small_table_that_nothing_names_any_more_is_not_passed_over() {
    let place = Place::with(2, 300);
    let of_images = root(&place.store(), "images");
    for page in [1, of_images] {
        overwrite_page(&place.store(), page, 0);
    }
    not_known(&place, "images");
}
