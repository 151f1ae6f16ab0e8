//! No sign is told of a store that is not damaged, whatever its values look like, nor where nothing of its files failed.

use std::fs;

use rusqlite::Connection;

use super::{PAGE, fill, read, store, told};
use crate::support::damage::{change, leaves};
use crate::support::{Home, Place};

/// Harms one leaf of a table, so that signs are looked for.
fn harm(place: &Place) {
    let leaf = leaves(&place.store(), "notes")[3];
    change(&place.store(), |bytes| bytes[(leaf - 1) * PAGE..leaf * PAGE].fill(0));
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_sound_store_has_no_signs_in_any_format() {
    let place = store();
    assert_eq!(told(&place), NOTHING);
    for format in ["table", "markdown", "html"] {
        let ran = place.doctor().args(["--any", "--format", format]).arg(place.store()).run();
        assert!(!ran.stdout.contains("How it came to this"), "{format}");
    }
}

#[test]
fn values_that_look_like_signs_are_none() {
    let look_alikes = [
        // Noise, zeros, pages of a database, lines of text with their ends.
        "CREATE TABLE kept(body); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO kept SELECT randomblob(60000) FROM n",
        "CREATE TABLE kept(body); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO kept SELECT zeroblob(60000) FROM n",
        "PRAGMA secure_delete = ON; CREATE TABLE kept(body); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO kept SELECT randomblob(60000) FROM n; DELETE FROM kept",
        "CREATE TABLE kept(body); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO kept SELECT 'a,b' || char(13, 10) FROM n",
        // Two tables with the same rows, and two indexes with the same entries.
        "CREATE TABLE again AS SELECT * FROM notes; CREATE INDEX by_body_again ON notes(body)",
    ];
    for sql in look_alikes {
        let place = store();
        Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
        assert_eq!(told(&place), NOTHING, "{sql}");
        harm(&place);
        assert_eq!(told(&place), ["zero-blocks class"], "{sql}");
    }
    let place = store();
    let pages = read(&place)[..10 * PAGE].to_vec();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("CREATE TABLE kept(body)").unwrap();
    for _ in 0..40 {
        conn.execute("INSERT INTO kept VALUES (?1)", [&pages]).unwrap();
    }
    drop(conn);
    assert_eq!(told(&place), NOTHING);
    harm(&place);
    assert_eq!(told(&place), ["zero-blocks class"]);
}

#[test]
fn other_layouts_have_the_same_signs() {
    for pragmas in [
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL",
        "PRAGMA page_size = 65536",
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA encoding = 'UTF-16be'; PRAGMA page_size = 8192",
        "PRAGMA auto_vacuum = INCREMENTAL",
    ] {
        let place = Place::new();
        fill(&place.store(), pragmas);
        assert_eq!(told(&place), NOTHING, "{pragmas}");
        let page_size = usize::from(u16::from_be_bytes([read(&place)[16], read(&place)[17]]));
        let page_size = if page_size == 1 { 65_536 } else { page_size };
        let leaf = *leaves(&place.store(), "notes").last().unwrap();
        change(&place.store(), |bytes| bytes[(leaf - 1) * page_size..leaf * page_size].fill(0));
        let told = told(&place);
        assert!(told == ["zero-blocks class"] || told == ["zero-tail likely"], "{pragmas}: {told:?}");
    }
}

#[test]
fn a_store_without_damage_to_its_files_has_no_signs() {
    let place = Home::new();
    place.dangling("dangling.db");
    let ran = place.doctor(&["--format", "json", "dangling.db"]).stdout;
    assert!(ran.contains("dangling-reference") && !ran.contains("\"cause\""), "{ran}");
}

#[test]
fn no_text_of_the_file_is_repeated() {
    let place = store();
    let lines = "password=hunter2 of the other program\n".repeat(30);
    change(&place.store(), |bytes| bytes[..lines.len()].copy_from_slice(lines.as_bytes()));
    for format in ["table", "json", "markdown", "html"] {
        let ran = place.doctor().args(["--any", "--format", format]).arg(place.store()).run();
        assert!(ran.stdout.contains("text-over-start"), "{format}: {}", ran.stdout);
        assert!(!ran.stdout.contains("hunter2"), "{format}");
    }
    fs::remove_file(place.store()).unwrap();
}
