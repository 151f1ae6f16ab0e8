//! The reader's way and SQLite's lead to the same rows, whatever lies in a store.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::banger::APPLICATION;
use crate::checks::CHECKS;
use crate::checks::check::Input;
use crate::checks::context::StoreContext;
use crate::findings::check_id::CheckId;
use crate::migrations::runner;
use crate::report::outcome::Outcome;
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;
use crate::store::{Environment, Need, ReadMethod, ReadOnly, with_stable_store};

/// The checks that the reader answers.
const ANSWERED: [CheckId; 3] = [CheckId::PageStructure, CheckId::ForeignKeys, CheckId::RowValues];

/// The answers of the checks that read through a handle.
type Said = Vec<(CheckId, Result<Outcome, String>)>;

fn said(context: &StoreContext<'_>, handle: &ReadOnly) -> Said {
    let ask = |check: &&crate::checks::check::Check| match check.input {
        Input::Handle(run) if ANSWERED.contains(&check.id) => {
            Some((check.id, run(context, handle).map_err(|error| error.to_string())))
        }
        _ => None,
    };
    CHECKS.iter().filter_map(ask).collect()
}

/// Asks both ways about a store, holds them to the same rows, and gives what the reader found sound and how the store was read.
/// Nothing where the store could not be opened.
fn both_ways(path: &Path, application: &Application) -> Option<(Sound, ReadMethod)> {
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    with_stable_store(path, Need::Everything, &environment, |probe, access| {
        let access = access.ok()?;
        let context = || StoreContext::new(application, probe, access, &environment, false, true);
        let by_reader = context();
        let by_sqlite = context().without_reader();
        let of_reader = said(&by_reader, &access.open().ok()?);
        let of_sqlite = said(&by_sqlite, &access.open().ok()?);
        assert_eq!(of_reader, of_sqlite, "{}", path.display());
        Some((by_reader.sound().unwrap().clone(), access.read_method()))
    })
    .unwrap()
}

/// Fills a store of banger's; the rows take several levels of pages.
const ROWS: &str = "
    INSERT INTO images (id, name, managed, artifact_dir, rootfs_path, kernel_path, build_size, created_at, updated_at)
        VALUES ('image', 'image', 1, '/a', '/r', '/k', '8G', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    INSERT INTO vms (id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json,
                     stats_json, workspace_json)
        SELECT lower(hex(randomblob(16))), 'vm-' || i, 'image', '10.0.' || (i / 250) || '.' || (i % 250), 'running',
               '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z', '{\"vcpu\": 2}',
               '{\"pid\": ' || i || '}', '{}', json_object('pad', hex(randomblob(i % 400)))
        FROM n;";

fn connect(path: &Path) -> Connection {
    #[expect(clippy::disallowed_methods, reason = "a store of the test's own")]
    let conn = Connection::open(path).unwrap();
    conn
}

/// Makes a store with rows; `before` runs on the empty file, `after` when all is there.
fn make(path: &Path, before: &str, after: &str) -> Connection {
    let mut conn = connect(path);
    conn.execute_batch("PRAGMA synchronous=OFF").unwrap();
    conn.execute_batch(before).unwrap();
    runner::migrate(&mut conn, &APPLICATION.ledger, &APPLICATION.migrations).unwrap();
    conn.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
    conn.execute_batch(&format!("BEGIN; {ROWS} COMMIT; {after}")).unwrap();
    conn
}

/// Returns the number of rows whose values are all good, when there is no table with others.
fn rows_judged(sound: &Sound) -> Option<u64> {
    sound.values.as_ref()?.tables.iter().map(|table| Some(table.sound?.rows)).sum()
}

/// The parts of a store that the reader finds sound: its structure, its foreign keys, its values.
fn answers(before: &str, after: &str) -> (bool, bool, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(make(&path, before, after));
    let (sound, way) = both_ways(&path, &APPLICATION).unwrap();
    assert_eq!(way, ReadMethod::Immutable);
    (sound.pages.is_some(), sound.foreign_keys.is_some(), rows_judged(&sound).is_some())
}

#[test]
fn what_the_reader_understands_it_answers_and_the_rows_are_those_of_sqlite() {
    let all = (true, true, true);
    for (before, after) in [
        ("", ""),
        ("PRAGMA journal_mode=WAL", ""),
        ("PRAGMA page_size=512", ""),
        ("PRAGMA page_size=65536", ""),
        ("PRAGMA auto_vacuum=FULL", "DELETE FROM vms WHERE rowid % 3 = 0"),
        ("", "DELETE FROM vms WHERE rowid % 3 = 0"),
        ("", "CREATE VIEW running AS SELECT id FROM vms"),
        ("", "CREATE TRIGGER t AFTER DELETE ON vms BEGIN SELECT 1; END"),
        (
            "",
            "CREATE TABLE other (a TEXT UNIQUE COLLATE NOCASE, b); INSERT INTO other VALUES ('x', 1), (NULL, x'00')",
        ),
        ("", "ALTER TABLE vms ADD COLUMN later TEXT DEFAULT 'x'"),
        ("", "ALTER TABLE vms RENAME TO other; ALTER TABLE other RENAME TO VMs"),
        ("", "DROP TABLE vms"),
        (
            "",
            "CREATE TABLE pairs (a PRIMARY KEY, b REFERENCES pairs) WITHOUT ROWID; INSERT INTO pairs VALUES (1, 1)",
        ),
        ("", "CREATE INDEX some ON vms(name) WHERE state = 'running'"),
        ("", "CREATE INDEX lower_names ON vms(lower(name))"),
        ("", "CREATE TABLE few (a CHECK (a > 0)); INSERT INTO few VALUES (1)"),
        ("", "UPDATE vms SET spec_json = json_object('pad', hex(zeroblob(700000))) WHERE rowid = 7"),
        (
            "",
            "UPDATE vms SET spec_json = json_object('pad', hex(zeroblob(100000))) WHERE rowid IN (7, 8)",
        ),
    ] {
        assert_eq!(answers(before, after), all, "{before}, {after}");
    }
}

#[test]
fn what_the_reader_does_not_understand_sqlite_answers() {
    for (before, after, understood) in [
        ("PRAGMA encoding='UTF-16le'", "", (true, true, false)),
        ("", "CREATE INDEX some ON vms(name) WHERE state LIKE 'r%'", (false, true, true)),
        ("", "CREATE INDEX lengths ON vms(length(name))", (false, true, true)),
        ("", "CREATE TABLE few (a CHECK (a + 1)); INSERT INTO few VALUES (1)", (false, true, true)),
        (
            "",
            "CREATE TABLE made (a, b AS (a + 1)); INSERT INTO made VALUES (1)",
            (false, true, true),
        ),
        ("", "CREATE VIRTUAL TABLE words USING fts5(word)", (false, true, true)),
    ] {
        assert_eq!(answers(before, after), understood, "{before}, {after}");
    }
}

#[test]
fn what_is_wrong_with_rows_sqlite_tells() {
    for (after, sound) in [
        ("DELETE FROM images", (true, false, true)),
        ("UPDATE vms SET image_id = 'no image' WHERE rowid = 300", (true, false, true)),
        ("UPDATE vms SET name = '' WHERE rowid = 300", (true, true, false)),
        ("UPDATE vms SET state = x'00' WHERE rowid % 50 = 0", (true, true, false)),
        ("UPDATE vms SET state = cast(x'ff41' AS TEXT) WHERE rowid = 1", (true, true, false)),
        ("UPDATE vms SET spec_json = '[1]' WHERE rowid = 400", (true, true, false)),
        ("UPDATE vms SET updated_at = 'yesterday' WHERE rowid = 399", (true, true, false)),
        ("UPDATE vms SET updated_at = '2026-04-28T18:41:61Z' WHERE rowid = 1", (true, true, false)),
        ("UPDATE vms SET updated_at = '' WHERE rowid = 1", (true, true, false)),
        ("UPDATE vms SET spec_json = '' WHERE rowid > 1", (true, true, false)),
        ("UPDATE vms SET spec_json = '{\"vcpu\": ]}' WHERE rowid = 400", (true, true, false)),
        ("UPDATE vms SET guest_ip = '10.0.0.300' WHERE rowid = 398", (true, true, false)),
        ("UPDATE images SET managed = 2", (true, true, false)),
        (
            "UPDATE vms SET spec_json = '{' || hex(zeroblob(700000)) WHERE rowid = 7",
            (true, true, false),
        ),
        ("UPDATE vms SET spec_json = zeroblob(2000000) WHERE rowid = 7", (true, true, false)),
        (
            "UPDATE vms SET updated_at = '2026-04-28T18:41:31.' || hex(zeroblob(100000)) || 'Z' WHERE rowid = 7",
            (true, true, false),
        ),
    ] {
        assert_eq!(answers("", after), sound, "{after}");
    }
}

#[test]
fn text_of_any_applications_tables_is_judged_table_by_table_and_the_rows_are_those_of_sqlite() {
    const WRONG: &str = "cast(x'ff41' AS TEXT)";
    for (sql, judged) in [
        ("CREATE TABLE t (a, b)", vec![("t", true)]),
        (
            "CREATE TABLE t (a TEXT, b BLOB); INSERT INTO t VALUES ('x', x'ff'), (1, 'ü'), (NULL, 2.5);
             CREATE VIEW v AS SELECT a FROM t; CREATE TABLE s (i INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO s VALUES (9)",
            vec![("t", true), ("s", true)],
        ),
        (
            &format!("CREATE TABLE t (a); CREATE TABLE u (a, b); INSERT INTO u VALUES (1, {WRONG}), ({WRONG}, {WRONG})"),
            vec![("t", true), ("u", false)],
        ),
        (
            "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO w VALUES (1, 'x'); CREATE TABLE g (a, b AS (a + 1));
             INSERT INTO g VALUES ('x'); CREATE TABLE t (a); INSERT INTO t VALUES (2)",
            vec![("w", true), ("g", false), ("t", true)],
        ),
        (
            "CREATE TABLE t (a); INSERT INTO t VALUES (replace(hex(zeroblob(1000000)), '0', 'ö'))",
            vec![("t", true)],
        ),
        (
            "CREATE TABLE t (rowid, _rowid_, oid); INSERT INTO t VALUES (1, 2, hex(zeroblob(1000000)))",
            vec![("t", false)],
        ),
        (
            "CREATE TABLE t (a); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b DEFAULT 'ü'; ALTER TABLE t ADD COLUMN c DEFAULT 5",
            vec![("t", true)],
        ),
        (
            &format!("CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO w VALUES (1, {WRONG}), ({WRONG}, 2)"),
            vec![("w", false)],
        ),
        (
            "CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO w VALUES (1, hex(zeroblob(1000000)))",
            vec![("w", false)],
        ),
        (
            "CREATE VIRTUAL TABLE f USING fts5(w); INSERT INTO f VALUES ('x')",
            vec![("f_data", true), ("f_idx", true), ("f_content", true), ("f_docsize", true), ("f_config", true)],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.db");
        connect(&path).execute_batch(sql).unwrap();
        let (sound, _) = both_ways(&path, &Application::any()).unwrap();
        let values = sound.values.unwrap();
        let found: Vec<_> = values.tables.iter().map(|table| (table.name.as_str(), table.sound.is_some())).collect();
        assert_eq!(found, judged, "{sql}");
    }
}

/// Statements for a store with parts that the reader does not understand beside others that it does.
const WITH_REST: &str = "
    CREATE TABLE big (id INTEGER PRIMARY KEY, b TEXT UNIQUE, c INT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO big SELECT i, 'n' || i, i % 7 FROM n;
    CREATE TABLE limited (k TEXT PRIMARY KEY, v INT CHECK (v >= 0), CONSTRAINT x CHECK (length(k) > 0 OR v IS NULL));
    INSERT INTO limited VALUES ('a', 1), ('', NULL), (NULL, 3);
    CREATE TABLE pairs (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO pairs VALUES (1, 'x'), (2, 'y');
    CREATE INDEX some ON big (b) WHERE c + 0 = 1; CREATE INDEX lower_b ON big (lower(b));
    CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words VALUES ('x y');
    CREATE VIRTUAL TABLE boxes USING rtree(id, x, y); INSERT INTO boxes VALUES (1, 2, 3);
    CREATE VIEW v AS SELECT b FROM big;";

#[test]
fn only_what_the_reader_does_not_understand_is_left_to_sqlite_and_the_rows_are_those_of_sqlite() {
    let asked = |sql: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.db");
        connect(&path).execute_batch(sql).unwrap();
        let (sound, _) = both_ways(&path, &Application::any()).unwrap();
        let names = |rest: Rest| rest.tables.into_iter().map(|table| table.name).collect::<Vec<_>>().join(" ");
        sound.rest.map(names)
    };
    assert_eq!(asked(WITH_REST).as_deref(), Some("big limited words"));
    for (broken, names) in [
        ("INSERT INTO limited VALUES ('b', -1)", Some("big limited words")),
        ("UPDATE limited SET v = 1 WHERE k = ''", Some("big limited words")),
        ("DELETE FROM boxes_rowid", Some("big limited words boxes")),
        ("DELETE FROM words_content", Some("big limited words")),
        (
            "CREATE TABLE t (a CHECK (date(a) IS NOT NULL)); INSERT INTO t VALUES ('2026-01-01')",
            None,
        ),
        ("CREATE TABLE t (a CHECK (a <> \"b\")); INSERT INTO t VALUES ('b')", None),
        ("CREATE TABLE t (a CHECK (a > 0), b AS (a + 1)); INSERT INTO t VALUES (-1)", None),
        (
            "CREATE TABLE t (a PRIMARY KEY CHECK (a > 0)) WITHOUT ROWID; INSERT INTO t VALUES (-1)",
            None,
        ),
        (
            "CREATE TABLE t (a PRIMARY KEY CHECK (a + 0 > 0)) WITHOUT ROWID; INSERT INTO t VALUES (-1)",
            Some("big limited words t"),
        ),
        (
            "CREATE TABLE t (a CHECK (a + 0 > 0 -- b
         )); INSERT INTO t VALUES (-1)",
            Some("big limited words t"),
        ),
        (
            "CREATE TABLE t (a REAL CHECK (typeof(a) = 'real')); INSERT INTO t VALUES (1)",
            Some("big limited words t"),
        ),
        (
            "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '0 = 1', '0 = 2')",
            Some("big limited words"),
        ),
    ] {
        let sql = format!("{WITH_REST} PRAGMA ignore_check_constraints=ON; {broken}");
        assert_eq!(asked(&sql).as_deref(), names, "{broken}");
    }
}

#[test]
fn a_store_with_a_part_that_is_not_understood_has_the_same_rows_wherever_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.db");
    connect(&path)
        .execute_batch(&format!("PRAGMA page_size=512; PRAGMA auto_vacuum=FULL; {WITH_REST}"))
        .unwrap();
    let whole = fs::read(&path).unwrap();
    let (mut sound, mut not) = (0, 0);
    for at in (100..whole.len()).step_by(797) {
        let mut bytes = whole.clone();
        bytes[at] ^= [1, 0x80, 0x24, 0xff][at % 4];
        fs::write(&path, &bytes).unwrap();
        if let Some((found, _)) = both_ways(&path, &Application::any()) {
            if found.rest.is_some() {
                sound += 1;
            } else {
                not += 1;
            }
        }
    }
    assert!(sound > 5 && not > 5, "{sound} {not}");
}

#[test]
fn a_long_value_in_a_row_that_has_no_name_in_sql_is_counted_and_not_called_good() {
    let tables = vec![crate::application::Table {
        name: "rides".into(),
        columns: vec![crate::application::Column {
            name: "note".into(),
            rule: crate::application::Rule::Text,
            names_file: None,
        }]
        .into(),
    }];
    let ferry = Application {
        tables: tables.into(),
        ..Application::new("ferry", Vec::new())
    };
    for (columns, answered) in [("rowid, _rowid_, note, oid", false), ("rowid, _rowid_, note", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let sql =
            format!("CREATE TABLE rides({columns}); INSERT INTO rides(note) VALUES (hex(zeroblob(600000))), ('x')");
        connect(&path).execute_batch(&sql).unwrap();
        let (sound, _) = both_ways(&path, &ferry).unwrap();
        assert_eq!(rows_judged(&sound).is_some(), answered, "{columns}");
    }
}

/// Copies a store with what lies beside it to another folder, as it is at this moment.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-journal"] {
        let name = format!("state.db{suffix}");
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

#[test]
fn the_commits_of_a_log_lie_over_the_database_and_what_follows_them_does_not() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let conn = make(
        &folder.path().join("state.db"),
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0",
        "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size=4; UPDATE vms SET name = name || '-new'; DELETE FROM vms WHERE rowid > 390;
         BEGIN; UPDATE vms SET state = '', image_id = 'none'",
    );
    copy(folder.path(), other.path());
    drop(conn);
    let path = other.path().join("state.db");
    let (sound, way) = both_ways(&path, &APPLICATION).unwrap();
    assert_eq!(way, ReadMethod::PrivateIndex);
    assert_eq!(rows_judged(&sound), Some(391), "{sound:?}");
    assert!(sound.pages.is_some() && sound.foreign_keys == Some(1), "{sound:?}");

    // Behind a frame that is damaged nothing counts, and what is in a frame is damage like any other.
    let log = other.path().join("state.db-wal");
    let whole = fs::read(&log).unwrap();
    let frames = whole.len() / (4096 + 24);
    for frame in [1, 5, frames / 2, frames - 1] {
        let mut bytes = whole.clone();
        bytes[32 + frame * (4096 + 24) + 2000] ^= 0x55;
        fs::write(&log, &bytes).unwrap();
        both_ways(&path, &APPLICATION);
        fs::write(&log, &whole[..32 + frame * (4096 + 24) + 100]).unwrap();
        both_ways(&path, &APPLICATION);
    }
    let mut bytes = whole.clone();
    bytes[20] ^= 1;
    fs::write(&log, &bytes).unwrap();
    both_ways(&path, &APPLICATION);
}

#[test]
fn a_copy_in_which_sqlite_put_back_what_was_unfinished_is_read_too() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let conn = make(
        &folder.path().join("state.db"),
        "",
        "PRAGMA cache_size=4; BEGIN; UPDATE vms SET state = '' WHERE rowid > 200; UPDATE vms SET image_id = 'none'",
    );
    copy(folder.path(), other.path());
    drop(conn);
    let (sound, way) = both_ways(&other.path().join("state.db"), &APPLICATION).unwrap();
    assert_eq!(way, ReadMethod::CopyOfFiles);
    assert_eq!(rows_judged(&sound), Some(401), "{sound:?}");
    assert!(sound.pages.is_some(), "{sound:?}");
}

#[test]
fn a_store_that_is_damaged_anywhere_has_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(make(&path, "PRAGMA page_size=1024", "DELETE FROM vms WHERE rowid % 5 = 0"));
    let whole = fs::read(&path).unwrap();
    let (mut sound, mut not) = (0, 0);
    // A number that has no divisor in common with a page's size meets every part of one.
    for at in (16..whole.len()).step_by(1_777) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x24;
        fs::write(&path, &bytes).unwrap();
        if let Some((found, _)) = both_ways(&path, &APPLICATION) {
            if found.pages.is_some() {
                sound += 1;
            } else {
                not += 1;
            }
        }
    }
    assert!(sound > 20 && not > 20, "{sound} {not}");
}

#[test]
fn a_pass_ends_when_it_is_time_and_no_check_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(make(&path, "", ""));
    let never = Stop::never();
    let over = Stop::after(std::time::Duration::ZERO, std::sync::Arc::default());
    let private = PrivateFolder::for_stores(&[&path]);
    let sandbox = Sandbox::not_asked();
    let environment = |stop| Environment {
        private: &private,
        sandbox: &sandbox,
        heap_limit: None,
        stop,
    };
    let (open, late) = (environment(&never), environment(&over));
    with_stable_store(&path, Need::Everything, &open, |probe, access| {
        let access = access.unwrap();
        let context = StoreContext::new(&APPLICATION, probe, access, &late, false, true);
        assert_eq!(context.sound().unwrap_err(), Stopped::TimeLimit(std::time::Duration::ZERO));
        for (check, outcome) in said(&context, &access.open().unwrap()) {
            let why = outcome.unwrap_err();
            assert_eq!(why, "the time limit of 0 s ran out", "{check}");
        }
    })
    .unwrap();
}
