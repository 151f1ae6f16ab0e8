//! Large stores: two threads, and indexes held against rows in linear passes. The verdicts are those of a small store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "stores are made and damaged here")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_doctor::Store;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// More than the 8 MiB from which a store is large.
const VMS: u32 = 20_000;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(Store::open(&path).unwrap());
        let place = Self { _folder: folder, path };
        place.sql(&format!(
            "INSERT INTO images (id, name, rootfs_path, kernel_path, created_at, updated_at)
               VALUES ('i', 'i', '/r', '/k', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {VMS})
             INSERT INTO vms (id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json,
                              runtime_json)
               SELECT hex(randomblob(16)), 'vm-' || i, 'i', '10.0.' || (i / 256) || '.' || (i % 256), 'stopped',
                      '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z',
                      '{{\"pad\":\"' || hex(zeroblob(200)) || '\"}}', '{{}}'
               FROM n;"
        ));
        assert!(fs::metadata(&place.path).unwrap().len() > 8 << 20);
        place
    }

    fn sql(&self, sql: &str) {
        let conn = Connection::open(&self.path).unwrap();
        conn.execute_batch(sql).unwrap();
    }

    /// Changes the first place where these bytes stand in the pages of a tree.
    fn change(&self, tree: &str, from: &[u8], to: &[u8]) {
        let conn = Connection::open(&self.path).unwrap();
        let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY pageno";
        let mut statement = conn.prepare(sql).unwrap();
        let pages: Vec<u32> = statement.query_map([tree], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        drop(statement);
        drop(conn);
        let mut bytes = fs::read(&self.path).unwrap();
        let at = pages
            .iter()
            .map(|page| (*page as usize - 1) * 4096)
            .find_map(|begin| {
                let page = &bytes[begin..begin + 4096];
                page.windows(from.len()).position(|window| window == from).map(|at| begin + at)
            })
            .unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        fs::write(&self.path, bytes).unwrap();
    }

    fn row(&self, check: &str) -> Value {
        let output = doctor(&self.path).args(["--format", "json", "--only", check]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["rows"][0].clone()
    }

    /// The row's status and detail, and each finding.
    fn said(&self) -> String {
        let row = self.row("page-structure");
        let mut out = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
        for finding in row["findings"].as_array().unwrap() {
            out += &format!("{} ({} times)\n", finding["what"].as_str().unwrap(), finding["count"]);
        }
        out
    }
}

fn doctor(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doctor"));
    command.arg(path);
    command
}

#[test]
fn a_healthy_large_store_passes_every_check_in_the_registrys_order() {
    let place = Place::new();
    let output = doctor(&place.path).args(["--format", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    let registry: Vec<&str> = banger_doctor::checks::CHECKS.iter().map(|check| check.id).collect();
    assert_eq!((output.status.code(), ids), (Some(0), registry), "{report}");
}

#[test]
fn an_entry_that_is_not_the_rows_is_found_in_an_index() {
    let place = Place::new();
    place.change("sqlite_autoindex_vms_2", b"vm-15000", b"vm-1500x");
    insta::assert_snapshot!(place.said(), @"
    fail: only an index is wrong: no data is lost
    row 15000 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn a_row_that_is_not_its_index_entries_is_found() {
    let place = Place::new();
    place.change("vms", b"vm-12345i10.0.", b"vm-1234xi10.0.");
    insta::assert_snapshot!(place.said(), @"
    fail: only an index is wrong: no data is lost
    row 12345 missing from index sqlite_autoindex_vms_2 (1 times)
    ");
}

#[test]
fn rows_that_a_unique_index_forbids_are_found() {
    let place = Place::new();
    place.sql(
        "UPDATE vms SET state = name;
         UPDATE vms SET state = 'vm-7' WHERE name = 'vm-8';
         CREATE INDEX states ON vms(state);
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX states ON vms(state)' WHERE name = 'states';",
    );
    insta::assert_snapshot!(place.said(), @"
    fail: rows hold values that their columns or a unique index forbid: no data is lost
    non-unique entry in index states (1 times)
    ");
}

/// A table of pairs with an index, in which one entry is not its row's.
fn with_a_wrong_entry(schema: &str, rows: &str, index: &str, from: &[u8], to: &[u8]) -> String {
    let place = Place::new();
    place.sql(schema);
    place.sql(rows);
    assert_eq!(place.row("page-structure")["status"], "pass");
    place.change(index, from, to);
    place.said()
}

#[test]
fn an_entry_is_found_whose_copy_of_the_integer_key_is_wrong() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX both ON pairs (a, id)",
        "INSERT INTO pairs VALUES (21, 'k21'), (22, 'k22'), (23, 'k23')",
        "both",
        b"k22\x16\x16",
        b"k22\x18\x16",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index both (1 times)
    ");
}

#[test]
fn an_entry_is_found_that_leads_to_another_row_where_a_column_is_called_as_the_rowid_is() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (a TEXT, RowID INTEGER); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs (_rowid_, a, rowid) VALUES (21, 'k21', 7), (22, 'k22', 7), (23, 'k23', 7)",
        "a",
        b"k22\x16",
        b"k22\x17",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index a (1 times)
    ");
}

#[test]
fn a_wrong_index_is_found_on_a_table_that_bears_a_name_of_sqlites_own() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs_ (a TEXT); CREATE INDEX a ON pairs_ (a);",
        "INSERT INTO pairs_ VALUES ('k21'), ('k22'), ('k23');
         PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET name = replace(name, 'pairs_', 'sqlite_pairs'), tbl_name = 'sqlite_pairs',
             sql = replace(sql, 'pairs_', 'sqlite_pairs') WHERE tbl_name = 'pairs_'",
        "a",
        b"k22",
        b"k2x",
    );
    insta::assert_snapshot!(said, @"
    fail: only an index is wrong: no data is lost
    row 2 missing from index a (2 times)
    ");
}

#[test]
fn entries_of_one_key_that_stand_in_another_order_than_their_rows_are_found() {
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs VALUES (21, 'same'), (22, 'same'), (23, 'same')",
        "a",
        // Entries are written from the page's end: these are those of the rows 23, 22 and 21.
        b"same\x17\x08\x03\x15\x01same\x16\x08\x03\x15\x01same\x15",
        b"same\x15\x08\x03\x15\x01same\x16\x08\x03\x15\x01same\x17",
    );
    assert!(said.starts_with("fail: only an index is wrong: no data is lost\n"), "{said}");
}

#[test]
fn a_wrong_number_in_an_index_is_found() {
    // 1.5 and 2.5 as they stand in an index; the number of the row behind them tells them from the row itself.
    let said = with_a_wrong_entry(
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, a REAL); CREATE INDEX a ON pairs (a)",
        "INSERT INTO pairs VALUES (21, 0.5), (22, 1.5), (23, 3.5)",
        "a",
        b"\x3f\xf8\0\0\0\0\0\0\x16",
        b"\x40\x04\0\0\0\0\0\0\x16",
    );
    assert!(said.starts_with("fail: only an index is wrong: no data is lost\n"), "{said}");
}

#[test]
fn an_index_in_utf_16_is_held_to_the_order_of_its_own_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let place = Place { _folder: folder, path };
    // In UTF-16le the bytes of \u{100} come before those of the letter a, in UTF-8 behind them.
    place.sql(
        "PRAGMA encoding='UTF-16le'; CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX a ON pairs (a);
         INSERT INTO pairs VALUES (21, char(256)), (22, 'a'); CREATE TABLE pad (x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
         INSERT INTO pad SELECT zeroblob(900000) FROM n",
    );
    assert_eq!(place.row("page-structure")["status"], "pass");
    place.change("a", b"a\0\x16\x06\x03\x11\x01\0\x01\x15", b"\0\x01\x15\x06\x03\x11\x01a\0\x16");
    let said = place.said();
    assert!(said.starts_with("fail: only an index is wrong: no data is lost\n"), "{said}");
}

/// A disk that stops to read in the middle of a rehearsal says nothing about the migrations.
#[test]
fn a_disk_that_fails_while_migrations_are_rehearsed_is_no_reason_for_incompatible() {
    let place = Place::new();
    place.sql("ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id = 3");
    let gate = |inject: &str| {
        let mut command = Command::new("strace");
        let trace = place.path.with_file_name("trace");
        command.args(["-f", "-qq", "-e", "trace=pread64", "-e", inject, "-o"]).arg(&trace);
        command
            .arg(env!("CARGO_BIN_EXE_doctor"))
            .args(["--check-migrations", "--rehearse"])
            .arg(&place.path);
        let output = command.output().unwrap();
        let reads = fs::read_to_string(&trace).unwrap().lines().count();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), reads)
    };
    let (code, line, reads) = gate("trace=pread64");
    assert_eq!(code, Some(1), "{line}");
    // SQLite's check of the migrated copy is what reads last, and most.
    for after in [reads / 4, reads / 2, reads * 3 / 4, reads * 7 / 8, reads * 15 / 16] {
        let (code, line, _) = gate(&format!("inject=pread64:error=EIO:when={after}"));
        assert!(
            code == Some(3) || (code == Some(1) && line.starts_with("migrations needed")),
            "{after}: {line}"
        );
    }
}
