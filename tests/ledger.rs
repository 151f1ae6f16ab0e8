//! A ledger that is damaged in place: no answer is given from it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::Command;

use banger_doctor::Store;

#[test]
fn a_ledger_in_which_an_id_stands_twice_gives_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Store::open(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    let name = b"add_vm_workspace";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    // Before the name stand the record's header (its length, and a type for each of three columns) and the row's number.
    assert_eq!(bytes[at - 5..at - 2], [3, 4, 0]);
    bytes[at - 5] = 2;
    fs::write(&path, bytes).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_doctor"))
        .arg("--check-migrations")
        .arg(&path)
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{line}");
    assert!(line.ends_with("is not banger's ledger: an id stands in it twice\n"), "{line}");
}
