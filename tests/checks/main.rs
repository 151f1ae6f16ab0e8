//! What each check says, through the real binary: a file for each, named after it.

#![allow(
    clippy::disallowed_methods,
    reason = "tests play the daemon and the vandal: they open stores for writing"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must end"
)]

#[path = "../support/mod.rs"]
mod support;

mod artifacts;
mod file;
mod foreign_keys;
mod journal;
mod long_values;
mod migration_history;
mod migration_rehearsal;
mod page_structure;
mod read_only;
mod remedies;
mod row_values;
mod schema_shape;
mod schema_state;
mod standing;
mod strangers;
mod unknown_ids;

/// To say where a check is tested needs no list.
#[test]
fn each_check_has_a_file_of_its_own_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks");
    for check in support::asking::all_checks() {
        let file = folder.join(check.replace('-', "_")).with_extension("rs");
        assert!(file.is_file(), "{} is not there", file.display());
    }
}
