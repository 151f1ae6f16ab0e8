//! Real stores, copied to memory and to the private folder: another tool's migrations run there, and nothing is left anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::limits::stop::Stop;
use crate::migrations::rehearsal::{Rehearsal, Rehearsed, run};
use crate::migrations::steps::{ForeignKeys, Step, Steps, Transaction};
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;
use crate::store::{Need, with_stable_store};

const SCHEMA: &str = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE, note BLOB);";

/// The size of each child's note in bytes, such that the store lies in memory and in the private folder.
const NOTES: [usize; 2] = [10, 100_000];

fn step(key: &str, sql: &str, transaction: Transaction) -> Step {
    Step {
        key: key.to_owned(),
        name: String::new(),
        file: format!("{key}.sql"),
        batches: vec![sql.into()],
        is_outside: false,
        transaction,
    }
}

fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

/// Rehearses one migration on a store with a hundred children, and looks whether anything was left behind.
fn rehearsed(note: usize, sql: &str, transaction: Transaction) -> Result<Rehearsal> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    #[expect(clippy::disallowed_methods, reason = "a store of the test's own")]
    let conn = Connection::open(&path).unwrap();
    let rows = format!(
        "INSERT INTO parent VALUES (1, 'a');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
         INSERT INTO child SELECT i, 1, zeroblob({note}) FROM n;"
    );
    conn.execute_batch(&format!("PRAGMA journal_mode=WAL; {SCHEMA} {rows}")).unwrap();
    drop(conn);
    let before = content(folder.path());
    let steps = Steps {
        applied: vec![step("1", SCHEMA, Transaction::Each)],
        pending: vec![step(
            "2",
            &sql.replace("FOLDER", folder.path().to_str().unwrap()),
            transaction,
        )],
        ledgers: Vec::new(),
        foreign_keys: ForeignKeys::Usual(true),
        in_wal_mode: None,
        drivers: crate::migrations::driver::Drivers::default(),
    };
    let private = PrivateFolder::for_stores(&[&path]);
    let environment = Environment {
        private: &private,
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    let made = with_stable_store(&path, Need::Everything, &environment, |probe, access| {
        let handle = access?.open()?;
        let by_tool = Rehearsed::ByTool {
            steps: &steps,
            no_shape: None,
        };
        run(Some((probe, &handle)), by_tool, &environment)
    });
    assert!(content(folder.path()) == before, "{sql}");
    let is_large = note > NOTES[0];
    assert_eq!(private.path().is_some(), is_large);
    if let Some(private) = private.path() {
        assert_eq!(fs::read_dir(private).unwrap().count(), 0, "{sql}");
    }
    made?
}

#[test]
fn a_rebuild_that_cascades_is_found_wherever_the_copies_lie() {
    const REBUILD: &str = "PRAGMA foreign_keys=OFF; CREATE TABLE anew(id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO anew SELECT * FROM parent; DROP TABLE parent; ALTER TABLE anew RENAME TO parent;";
    for note in NOTES {
        let why = rehearsed(note, REBUILD, Transaction::Each).unwrap().failure().unwrap();
        assert!(why.starts_with("child: 100 rows are lost, in migration 2, by a cascade"), "{why}");
        let rehearsal = rehearsed(note, REBUILD, Transaction::None).unwrap();
        assert_eq!((rehearsal.failure(), rehearsal.notes.len(), rehearsal.rows), (None, 0, 101));
    }
}

#[test]
fn nothing_is_made_beside_the_store_or_the_copy() {
    for note in NOTES {
        for (sql, what) in [
            ("ATTACH 'FOLDER/n.db' AS n; CREATE TABLE n.t(x)", "ATTACH"),
            ("VACUUM INTO 'FOLDER/n.db'", "VACUUM INTO"),
            ("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'x'", "PRAGMA writable_schema"),
            ("SELECT load_extension('FOLDER/n.so')", "load_extension()"),
            ("PRAGMA temp_store_directory='FOLDER'", "PRAGMA temp_store_directory"),
        ] {
            let error = rehearsed(note, sql, Transaction::None).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("migration 2 cannot be run here (2.sql): it uses {what}, which no migration may do here")
            );
        }
        // What a tool's users do with these works, and makes no file either.
        let usual = "PRAGMA journal_mode=WAL; PRAGMA temp_store=FILE; PRAGMA mmap_size=100000000; VACUUM; ANALYZE;
            CREATE TEMP TABLE t AS SELECT * FROM child; CREATE INDEX i ON child(note);";
        assert_eq!(rehearsed(note, usual, Transaction::None).unwrap().failure(), None);
    }
}

#[test]
fn a_migration_that_fills_the_copy_is_ended_by_its_bound() {
    let grows = "CREATE TABLE big(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        INSERT INTO big SELECT zeroblob(1000000) FROM n;";
    for note in NOTES {
        let error = rehearsed(note, grows, Transaction::Each).unwrap_err().to_string();
        assert!(error.contains("the migrations write more than fits into the "), "{error}");
    }
}

#[test]
fn a_file_of_no_bytes_is_rehearsed_on_too() {
    let steps = Steps {
        pending: vec![
            step("1", SCHEMA, Transaction::AllPending),
            step("2", "ALTER TABLE child ADD COLUMN more", Transaction::AllPending),
        ],
        ..Steps::default()
    };
    let environment = Environment {
        private: &PrivateFolder::for_stores::<&str>(&[]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    let by_tool = Rehearsed::ByTool {
        steps: &steps,
        no_shape: Some("a file is missing"),
    };
    let rehearsal = run(None, by_tool, &environment).unwrap();
    assert_eq!((rehearsal.failure(), rehearsal.ran), (None, vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(rehearsal.shape_unknown.as_deref(), Some("a file is missing"));
}
