//! Files that are too long to be kept, or no text: what was not read is not judged, and what the tool itself hashes is hashed.

use std::fs;

use sha2::{Digest, Sha256, Sha384};

use super::harness::{DRIZZLE, Kept, PRISMA, SQLX};

/// A file of SQL of at least so many bytes.
fn seed(bytes: usize) -> String {
    let row = format!(",\n('{}')", "t".repeat(1_000));
    format!("INSERT INTO notebooks (title) VALUES ('t'){};\n", row.repeat(bytes / row.len() + 1))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds an applied migration after those of the fixture, whose file has these bytes, and its row in the ledger.
fn add_applied_to_sqlx(kept: &Kept, bytes: &[u8]) {
    fs::write(kept.folder().join("20240101000003_seed.sql"), bytes).unwrap();
    fs::remove_file(kept.folder().join("20240101000003_note_colour.up.sql")).unwrap();
    let sum = hex(&Sha384::digest(bytes));
    kept.place
        .sql(&format!("UPDATE _sqlx_migrations SET checksum = x'{sum}' WHERE version = 20240101000003"));
}

#[test]
fn a_seed_of_more_than_a_mebibyte_is_read_and_run() {
    let kept = Kept::by(SQLX);
    kept.write("20240101000004_archive.sql", &seed(1_200_000));
    let gate = kept.gate(&["--rehearse"]);
    assert!(gate.ends_with("[1]"), "{gate}");
    add_applied_to_sqlx(&kept, seed(1_200_000).as_bytes());
    let gate = kept.gate(&[]);
    assert!(gate.ends_with("[1]"), "{gate}");
}

#[test]
fn a_file_that_is_too_long_to_be_kept_is_compared_by_its_checksum() {
    let long = seed(5_000_000);
    let kept = Kept::by(SQLX);
    add_applied_to_sqlx(&kept, long.as_bytes());
    insta::assert_snapshot!(kept.said("migration-history"), @"pass: 3 applied migrations, and their files are those that were applied");
    insta::assert_snapshot!(kept.said("schema-shape"), @"skip: not all applied migrations can be replayed: 20240101000003_seed.sql is longer than 4,194,304 bytes");
    fs::write(kept.folder().join("20240101000003_seed.sql"), long.replace('\n', "\r\n")).unwrap();
    insta::assert_snapshot!(kept.said("migration-history").lines().next().unwrap(), @"fail: migration 20240101000003 is not the file that was applied: it differs by its line ends only; sqlx refuses to run");
    fs::write(kept.folder().join("20240101000003_seed.sql"), long + "-- more\n").unwrap();
    insta::assert_snapshot!(kept.said("migration-history").lines().next().unwrap(), @"fail: migration 20240101000003 is not the file that was applied: it differs by its content; sqlx refuses to run");
    // One line of more than is kept has no checksum here.
    fs::write(kept.folder().join("20240101000003_seed.sql"), "x".repeat(5_000_000)).unwrap();
    insta::assert_snapshot!(kept.said("migration-history"), @"pass: 3 applied migrations, and the files of 2 are those that were applied; not compared: 20240101000003_seed.sql is longer than 4,194,304 bytes");
}

#[test]
fn bytes_that_are_no_text_are_what_node_makes_of_them() {
    let kept = Kept::by(DRIZZLE);
    let bytes = b"-- f\xfcr sp\xe4ter\nALTER TABLE `notes` ADD `colour` text;--> statement-breakpoint\nCREATE INDEX `notes_by_notebook` ON `notes` (`notebook_id`);".to_vec();
    fs::write(kept.folder().join("0002_step3.sql"), &bytes).unwrap();
    let sum = hex(&Sha256::digest(String::from_utf8_lossy(&bytes).as_bytes()));
    kept.place.sql(&format!(
        "UPDATE __drizzle_migrations SET hash = '{sum}' WHERE created_at = (SELECT max(created_at) FROM __drizzle_migrations)"
    ));
    let said = kept.said("migration-history");
    assert!(
        said.starts_with("pass: 3 applied migrations, and their files are those that were applied"),
        "{said}"
    );
    assert!(kept.said("schema-shape").starts_with("pass: "));
    // sqlx and Prisma do not read such a file at all.
    let kept = Kept::by(SQLX);
    fs::write(kept.folder().join("20240101000002_notes.sql"), &bytes).unwrap();
    insta::assert_snapshot!(kept.said("migration-history"), @"pass: 3 applied migrations, and the files of 2 are those that were applied; not compared: 20240101000002_notes.sql is not UTF-8 text");
}

#[test]
fn an_edit_of_which_the_tool_takes_no_notice_is_a_note_where_the_shape_agrees() {
    let drizzle = Kept::by(DRIZZLE);
    drizzle.edit("0001_step2.sql", |text| format!("-- tidied up\n{text}"));
    insta::assert_snapshot!(drizzle.said("migration-history"), @"pass: 3 applied migrations, and the files of 2 are those that were applied; migration 0001_step2 is not the file that was applied: it differs by its content; drizzle takes no notice, and the store has the shape that the files make today (comments, layout or rows may differ)");
    insta::assert_snapshot!(drizzle.gate(&[]), @"migrations needed: pending [0003_step4] (binary will apply on first Open) [1]");
    let prisma = Kept::by(PRISMA);
    prisma.edit("20240101000002_notes/migration.sql", |text| text.replace('(', "(\n  "));
    insta::assert_snapshot!(prisma.said("migration-history"), @"pass: 3 applied migrations, and the files of 2 are those that were applied; migration 20240101000002_notes is not the file that was applied: it differs by its content; Prisma warns of it and runs on, and the store has the shape that the files make today (comments, layout or rows may differ)");
    // What the store does not have is no comment.
    prisma.edit("20240101000002_notes/migration.sql", |text| format!("{text}\nCREATE TABLE more (x);"));
    insta::assert_snapshot!(prisma.gate(&[]), @"incompatible: migration 20240101000002_notes is not the file that was applied: it differs by its content; Prisma warns of it and runs on (do not swap) [2]");
    // sqlx runs nothing.
    let sqlx = Kept::by(SQLX);
    sqlx.edit("20240101000002_notes.sql", |text| format!("{text}\n-- tidied up"));
    insta::assert_snapshot!(sqlx.gate(&[]), @"incompatible: sqlx would run nothing: migration 20240101000002 is not the one that was applied: it differs by its content (do not swap) [2]");
}
