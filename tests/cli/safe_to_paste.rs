//! What is planted in every cell of a store, and the home folder's name, come out in no format, whatever is damaged.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::Home;
use crate::support::home::{DOCTOR, schema};

/// Stands in every text cell that a test fills.
const SECRET: &str = "Xyzzy7Secret";

/// The user's name, which is in the path of the home folder.
const USER: &str = "quentinuser";

/// What an editor without banger's rules can make of a healthy store.
const EDITS: &[&str] = &[
    "UPDATE vms SET image_id='Xyzzy7Secret'",
    "UPDATE vms SET id='Xyzzy7Secret-' || rowid, name='Xyzzy7Secret-' || rowid",
    "UPDATE images SET id='Xyzzy7Secret-' || rowid",
    "UPDATE vms SET guest_ip='Xyzzy7Secret' || rowid, state='Xyzzy7Secret'",
    "UPDATE vms SET created_at='Xyzzy7Secret', updated_at='Xyzzy7Secret', last_touched_at='Xyzzy7Secret'",
    "UPDATE vms SET spec_json='{\"Xyzzy7Secret\": Xyzzy7Secret', runtime_json='[\"Xyzzy7Secret\"]', stats_json='Xyzzy7Secret'",
    "UPDATE vms SET workspace_json='{\"source_path\": \"/home/quentinuser/Xyzzy7Secret\"}'",
    "UPDATE vms SET state=CAST('Xyzzy7Secret' AS BLOB), name=CAST(x'ff' || 'Xyzzy7Secret' || rowid AS TEXT)",
    "UPDATE images SET rootfs_path='/home/quentinuser/Xyzzy7Secret', kernel_path='Xyzzy7Secret', artifact_dir='/home/quentinuser/Xyzzy7Secret'",
    "UPDATE images SET managed='Xyzzy7Secret', build_size='Xyzzy7Secret', created_at='Xyzzy7Secret'",
    "UPDATE schema_migrations SET name='Xyzzy7Secret', applied_at='Xyzzy7Secret'",
    "INSERT INTO schema_migrations VALUES (99, 'Xyzzy7Secret', 'Xyzzy7Secret'), (-5, 'Xyzzy7Secret', 'Xyzzy7Secret')",
    "DELETE FROM schema_migrations WHERE id=2; UPDATE schema_migrations SET name='Xyzzy7Secret'",
    "DELETE FROM schema_migrations WHERE id=3",
    "CREATE TABLE extra(a TEXT CHECK (a <> 'Xyzzy7Secre')); INSERT INTO extra VALUES ('Xyzzy7Secret')",
    "CREATE UNIQUE INDEX by_state ON vms(state || name); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage=2 WHERE name='by_state'",
];

/// A home folder whose path holds the user's name, with a healthy store full of secrets.
fn healthy() -> (Home, Vec<u8>) {
    let place = Home::new();
    let name = format!("{USER}/state.db");
    let path = place.store(&name);
    let cells = "UPDATE vms SET name='Xyzzy7Secret-' || rowid, state='Xyzzy7Secret', spec_json='{\"Xyzzy7Secret\": \"Xyzzy7Secret\"}';
        UPDATE images SET name='Xyzzy7Secret', seeded_ssh_public_key_fingerprint='SHA256:Xyzzy7Secret', modules_dir='/home/quentinuser/Xyzzy7Secret'";
    place.edit(&name, cells);
    let bytes = fs::read(path).unwrap();
    assert!(bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    (place, bytes)
}

/// Runs every format, looks for what may not be there, and holds the JSON against the published schema.
fn hold(place: &Home, schema: &jsonschema::Validator, what: &str) {
    let path = place.path().join(USER).join("state.db");
    for args in [
        &["--format=table"][..],
        &["--format=markdown"],
        &["--format=json"],
        &["--format=html"],
        &["--check-migrations"],
        &["--check-migrations", "--format=json"],
    ] {
        let ran = place.command(DOCTOR).env("HOME", place.path().join(USER)).args(args).arg(&path).run();
        let said = ran.stdout + &ran.stderr;
        for word in [SECRET, USER] {
            assert!(!said.contains(word), "{what}: {args:?} says {word}: {said}");
        }
        if args.contains(&"--format=json") {
            let line: Value = serde_json::from_str(&said).unwrap();
            let wrong: Vec<String> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{what}: {args:?}: {wrong:?}: {line}");
        }
    }
}

#[test]
fn no_cell_comes_out_of_a_store_that_somebody_edited() {
    let schema = schema();
    let (place, bytes) = healthy();
    let path = place.path().join(USER).join("state.db");
    hold(&place, &schema, "healthy");
    for edit in EDITS {
        fs::write(&path, &bytes).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("PRAGMA ignore_check_constraints=ON; PRAGMA foreign_keys=OFF; {edit}"))
            .unwrap();
        drop(conn);
        hold(&place, &schema, edit);
    }
}

#[test]
fn no_cell_comes_out_of_a_store_that_is_damaged() {
    let schema = schema();
    let (place, bytes) = healthy();
    let path = place.path().join(USER).join("state.db");
    let mut variants: Vec<(String, Vec<u8>)> = Vec::new();
    // A fixed walk over the file that meets headers, cell pointers and cells of every page.
    for n in 0..40 {
        let at = 100 + n * 977 % (bytes.len() - 200);
        let mut changed = bytes.clone();
        let length = [1, 4, 64][n % 3];
        changed[at..at + length].iter_mut().for_each(|byte| *byte = byte.wrapping_add(0x55));
        variants.push((format!("{length} bytes changed at {at}"), changed));
    }
    for pages in 0..bytes.len() / 4096 {
        variants.push((format!("cut to {pages} pages"), bytes[..pages * 4096].to_vec()));
    }
    variants.push(("a secret for a header".to_owned(), SECRET.repeat(400).into_bytes()));
    for (what, changed) in variants {
        fs::write(&path, changed).unwrap();
        hold(&place, &schema, &what);
    }
}
#[test]
fn a_store_that_cannot_be_read_does_not_tell_whose_it_is() {
    let schema = schema();
    let (place, _) = healthy();
    let path = place.path().join(USER).join("state.db");
    for suffix in ["-wal", "-journal", "-shm"] {
        let sidecar = path.with_file_name(format!("state.db{suffix}"));
        fs::create_dir(&sidecar).unwrap();
        hold(&place, &schema, suffix);
        fs::remove_dir(&sidecar).unwrap();
        fs::write(&sidecar, format!("{SECRET}{USER}").repeat(50)).unwrap();
        hold(&place, &schema, suffix);
        fs::remove_file(&sidecar).unwrap();
    }
    fs::remove_file(&path).unwrap();
    hold(&place, &schema, "missing");
}
