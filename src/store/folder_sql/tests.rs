//! Statement by statement: what is refused, what is passed over, and what a real folder needs.

use super::*;

fn guarded(sql: &str) -> (Connection, FolderSql) {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
    conn.execute_batch(sql).unwrap();
    let watched = FolderSql::guard(&mut conn, Box::new(|_| None)).unwrap();
    (conn, watched)
}

#[test]
fn what_reaches_out_of_the_copy_is_refused_by_name_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let there = |sql: &str| sql.replace("DIR", folder.path().to_str().unwrap());
    for (sql, name) in [
        ("ATTACH 'DIR/n.db' AS n", "ATTACH"),
        ("ATTACH '' AS n", "ATTACH"),
        ("ATTACH ':memory:' AS n", "ATTACH"),
        ("ATTACH 'DIR/' || 'n.db' AS n", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("DETACH 'ma' || 'in'", "DETACH"),
        ("VACUUM INTO 'DIR/' || 'n.db'", "VACUUM INTO"),
        ("VACUUM INTO 'DIR/n.db'", "VACUUM INTO"),
        ("SELECT load_extension('DIR/n.so')", "load_extension()"),
        (
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('n'); END; INSERT INTO t VALUES (2)",
            "load_extension()",
        ),
        ("PRAGMA writable_schema=ON", "PRAGMA writable_schema"),
        ("PRAGMA Writable_Schema(1)", "PRAGMA writable_schema"),
        ("PRAGMA temp_store_directory='DIR'", "PRAGMA temp_store_directory"),
        (
            "CREATE VIRTUAL TABLE v USING csv(filename='DIR/n.csv')",
            "a virtual table of the module csv",
        ),
    ] {
        let (conn, watched) = guarded("");
        assert!(run(&conn, &watched, &there(sql)).is_err(), "{sql}");
        assert_eq!(watched.refused().as_deref(), Some(name), "{sql}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// As a migration is run: prepared, then stepped through.
fn run(conn: &Connection, watched: &FolderSql, sql: &str) -> Result<()> {
    use rusqlite::fallible_iterator::FallibleIterator;
    let mut batch = rusqlite::Batch::new(conn, sql);
    while let Some(mut statement) = batch.next()? {
        watched.running(|| -> Result<()> {
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn what_changes_only_how_the_copy_is_kept_is_passed_over() {
    let (mut conn, watched) = guarded("PRAGMA cache_size=-2000; PRAGMA max_page_count=1000; PRAGMA temp_store=MEMORY");
    for sql in [
        "PRAGMA max_page_count=1000000",
        "PRAGMA page_size=65536",
        "PRAGMA journal_mode=OFF",
        "PRAGMA cache_size=1000000",
        "PRAGMA mmap_size=1000000000",
        "PRAGMA hard_heap_limit=123456789",
        "PRAGMA soft_heap_limit=123456789",
        "PRAGMA temp_store=FILE",
        "PRAGMA busy_timeout=100000",
        "PRAGMA trusted_schema=ON",
        "PRAGMA key='secret'",
    ] {
        run(&conn, &watched, sql).unwrap();
    }
    assert_eq!(watched.refused(), None);
    FolderSql::release(&mut conn).unwrap();
    let ask = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(ask("PRAGMA max_page_count"), 1000);
    assert_eq!(ask("PRAGMA cache_size"), -2000);
    assert_eq!(ask("PRAGMA temp_store"), 2);
    assert_ne!(ask("PRAGMA hard_heap_limit"), 123_456_789);
    let journal: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(journal, "memory");
}

#[test]
fn what_real_folders_need_is_allowed() {
    let (conn, watched) = guarded("");
    run(
        &conn,
        &watched,
        "PRAGMA foreign_keys=OFF; PRAGMA defer_foreign_keys=TRUE; PRAGMA legacy_alter_table=ON; PRAGMA user_version=3;
         PRAGMA application_id=7; PRAGMA foreign_key_check; PRAGMA integrity_check; PRAGMA table_info(t);
         PRAGMA recursive_triggers=ON; PRAGMA synchronous=NORMAL; PRAGMA optimize; PRAGMA auto_vacuum=2;
         CREATE TEMP TABLE saved AS SELECT * FROM t; CREATE TABLE u(x); INSERT INTO u SELECT * FROM t; DROP TABLE t;
         ALTER TABLE u RENAME TO t; CREATE VIEW v AS SELECT * FROM t; CREATE INDEX i ON t(x); REINDEX; ANALYZE;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET x = hex(randomblob(4)); END; INSERT INTO t VALUES (2);
         CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words VALUES ('a'); DROP TABLE words;
         CREATE VIRTUAL TABLE old USING fts4(word); INSERT INTO old VALUES ('a'); DROP TABLE old;
         CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES (1, 2, 3);
         SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; RELEASE s; SELECT * FROM pragma_table_info('t'); VACUUM;",
    )
    .unwrap();
    assert_eq!(watched.refused(), None);
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
}

#[test]
fn what_is_dropped_and_deleted_from_is_seen_before_it_runs() {
    let (conn, watched) = guarded(
        "PRAGMA foreign_keys=ON; CREATE TABLE parent(id INTEGER PRIMARY KEY);
         CREATE TABLE child(p REFERENCES parent(id) ON DELETE CASCADE); CREATE TABLE log(x); CREATE TABLE old(x);
         CREATE TRIGGER g AFTER DELETE ON child BEGIN DELETE FROM log; END; CREATE TEMP TABLE mine(x)",
    );
    assert!(watched.take_touched().dropped.is_empty());
    let statement = conn.prepare("DELETE FROM parent").unwrap();
    drop(statement);
    let seen: Vec<String> = watched.take_deleted_from().into_iter().collect();
    assert_eq!(seen, ["child", "log", "parent"]);
    run(&conn, &watched, "DROP TABLE mine; DROP TABLE IF EXISTS nowhere; DROP TABLE Old").unwrap();
    assert_eq!(watched.take_touched().dropped, ["old"]);
    assert!(watched.take_touched().dropped.is_empty());
}

#[test]
fn what_a_foreign_keys_action_writes_is_told_from_the_statements_own_and_from_a_triggers() {
    let (conn, watched) = guarded(
        "PRAGMA foreign_keys=ON; CREATE TABLE parent(id INTEGER PRIMARY KEY, name);
         CREATE TABLE child(p REFERENCES parent(id) ON DELETE CASCADE); CREATE TABLE log(x);
         CREATE TABLE note(about REFERENCES parent(id) ON DELETE SET NULL);
         CREATE TRIGGER g AFTER DELETE ON child BEGIN DELETE FROM log; END;",
    );
    let touched = |sql: &str| {
        watched.take_touched();
        drop(conn.prepare(sql).unwrap());
        watched.take_touched()
    };
    let parent = || "parent".to_owned();
    let actions = [
        Write::Update("note".to_owned(), "about".to_owned()),
        Write::Delete("child".to_owned()),
    ];
    for (sql, target) in [
        ("DELETE FROM parent", Write::Delete(parent())),
        ("DROP TABLE parent", Write::Delete(parent())),
        ("REPLACE INTO parent VALUES (1, 2)", Write::Insert(parent())),
        ("UPDATE OR REPLACE parent SET id = 1, name = 2", Write::Update(parent(), "id".to_owned())),
    ] {
        let touched = touched(sql);
        assert_eq!(touched.target, Some(target), "{sql}");
        assert_eq!(touched.by_reference, actions.iter().cloned().collect(), "{sql}");
    }
    for sql in [
        "INSERT INTO parent VALUES (1, 2) ON CONFLICT DO UPDATE SET name = 3",
        "UPDATE parent SET name = 1",
        "DELETE FROM child",
    ] {
        assert!(touched(sql).by_reference.is_empty(), "{sql}");
    }
    assert_eq!(touched("ALTER TABLE child RENAME TO kid").altered.as_deref(), Some("child"));
    conn.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
    assert!(touched("DROP TABLE parent").by_reference.is_empty());
}
