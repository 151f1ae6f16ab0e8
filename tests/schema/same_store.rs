//! The same store in other clothes is the same store.

use banger_doctor::banger::APPLICATION;
use proptest::prelude::*;
use rusqlite::Connection;

use crate::harness::TestStore;

/// A store as `.dump` and a load make it: each definition run again as it is written, then the rows.
fn loaded_from(store: &TestStore, dress: impl Fn(&str) -> String) -> TestStore {
    let out = TestStore::empty();
    let conn = out.open();
    let attach = format!("ATTACH '{}' AS was", store.path().display());
    conn.execute_batch(&attach).unwrap();
    let definitions: Vec<(String, String)> = {
        let mut rows = conn
            .prepare("SELECT name, sql FROM was.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'")
            .unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    };
    for (name, sql) in definitions {
        conn.execute_batch(&dress(&sql)).unwrap();
        let columns: String = conn
            .query_row("SELECT group_concat(name) FROM pragma_table_info(?1)", [&name], |row| row.get(0))
            .unwrap();
        conn.execute_batch(&format!("INSERT INTO main.{name}({columns}) SELECT {columns} FROM was.{name}"))
            .unwrap();
    }
    out
}

#[test]
fn dumped_and_loaded_vacuumed_and_analyzed() {
    for migrations in 1..=3 {
        let store = TestStore::with_migrations(migrations);
        store.assert_healthy("as it was made");
        loaded_from(&store, str::to_owned).assert_healthy("loaded");
        store.after("ANALYZE; VACUUM").assert_healthy("vacuumed and analyzed");
    }
    TestStore::healthy()
        .after("PRAGMA auto_vacuum=FULL; PRAGMA page_size=512; VACUUM; PRAGMA journal_mode=WAL; REINDEX; PRAGMA user_version=7")
        .assert_healthy("with other pages");
    TestStore::healthy()
        .after("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (1); DROP TABLE t")
        .assert_healthy("with an empty sqlite_sequence");
}

#[test]
fn renamed_there_and_back() {
    TestStore::healthy()
        .after(
            "ALTER TABLE vms RENAME TO machines; ALTER TABLE machines RENAME TO vms;
             ALTER TABLE images RENAME COLUMN name TO title; ALTER TABLE images RENAME COLUMN title TO name;
             ALTER TABLE vms DROP COLUMN stats_json; ALTER TABLE vms ADD stats_json text DEFAULT('{}') NOT NULL;",
        )
        .assert_healthy("renamed");
}

#[test]
fn with_its_columns_in_another_order_and_its_constraints_in_other_places() {
    TestStore::healthy()
        .after(
            "ALTER TABLE vms RENAME TO old;
             create table [VMS] (
               \"Workspace_JSON\" text default \"{}\" not null, stats_json Text Not Null Default (('{}')), -- statistics
               `name` TEXT NOT NULL, id TEXT, guest_ip TEXT NOT NULL, state TEXT COLLATE BINARY NOT NULL ON CONFLICT ABORT,
               created_at TEXT NOT NULL, updated_at TEXT NOT NULL, last_touched_at TEXT NOT NULL /* , lost TEXT */,
               spec_json TEXT NOT NULL, runtime_json TEXT NOT NULL,
               image_id TEXT NOT NULL CONSTRAINT made_of REFERENCES Images ON UPDATE NO ACTION ON DELETE RESTRICT NOT DEFERRABLE,
               CONSTRAINT one_name UNIQUE ([name]), PRIMARY KEY (ID)
             );
             CREATE UNIQUE INDEX one_address ON vms(guest_ip COLLATE binary ASC);
             INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json, stats_json, workspace_json)
               SELECT id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json, stats_json, workspace_json FROM old;
             DROP TABLE old;",
        )
        .assert_healthy("made anew by hand");
}

/// Dresses SQL: another letter case of each word, other white space and comments between words, other quotes around names.
fn dressed(sql: &str, choices: &[u8]) -> String {
    let mut choices = choices.iter().copied().cycle();
    let mut out = String::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let choice = choices.next().unwrap_or(0);
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if c == '\'' {
            let end = rest[1..].find('\'').unwrap() + 2;
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if c == '"' {
            let end = rest[1..].find('"').unwrap() + 2;
            let name = &rest[1..end - 1];
            out.push_str(&[format!("[{name}]"), format!("`{name}`"), rest[..end].to_owned()][usize::from(choice % 3)]);
            rest = &rest[end..];
        } else if word > 0 {
            let text = &rest[..word];
            let is_name = ["id", "name", "state", "image_id", "vms", "created_at"].contains(&text);
            match choice % 5 {
                0 => out.push_str(&text.to_ascii_uppercase()),
                1 => out.push_str(&text.to_ascii_lowercase()),
                2 if is_name => out.push_str(&format!("\"{text}\"")),
                3 if is_name => out.push_str(&format!("[{text}]")),
                _ => out.push_str(text),
            }
            rest = &rest[word..];
        } else {
            if c.is_whitespace() || "(),".contains(c) {
                out.push_str([" ", "\n", "\t /* , ( ' */ ", " -- ) \" x\n", "  "][usize::from(choice % 5)]);
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_letter_case_white_space_comments_and_quotes(choices in prop::collection::vec(any::<u8>(), 40..200)) {
        let store = TestStore::healthy();
        loaded_from(&store, |sql| dressed(sql, &choices)).assert_healthy("dressed otherwise");
    }
}

#[test]
fn one_word_that_means_something_else_is_not_lost_among_them() {
    let store = TestStore::healthy();
    let changed = loaded_from(&store, |sql| {
        dressed(&sql.replace("ON DELETE RESTRICT", "ON DELETE CASCADE"), b"otherwise")
    });
    assert!(
        changed
            .row("schema-shape")
            .starts_with("fail: vms: the foreign key of image_id to images")
    );
}

#[test]
fn in_utf_16() {
    let store = TestStore::empty();
    drop(Connection::open(store.path()).unwrap());
    let healthy = TestStore::healthy();
    let conn = store.open();
    conn.execute_batch("PRAGMA encoding='UTF-16le'; CREATE TABLE t(x); DROP TABLE t").unwrap();
    let mut conn = conn;
    let (ledger, migrations) = (APPLICATION.ledger(), APPLICATION.migrations());
    banger_doctor::schema::runner::migrate(&mut conn, ledger, migrations).unwrap();
    drop(conn);
    drop(healthy);
    store.assert_healthy("in UTF-16");
}
