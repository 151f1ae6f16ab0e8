//! Checks what each check says, through the real binary: a file for each, named after it.

mod artifacts;
mod derived;
mod evidence;
mod file;
mod foreign_keys;
mod in_use;
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

/// Holds that each check has its file, so that a new one is not forgotten.
#[test]
fn each_check_has_a_file_of_its_own_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks");
    for check in crate::support::asking::all_checks() {
        let file = folder.join(check.replace('-', "_")).with_extension("rs");
        assert!(file.is_file(), "{} is not there", file.display());
    }
}
