//! A migration that failed, and the store that it was to change.

use rusqlite::Connection;

use super::*;
use crate::migrations::steps::{ForeignKeys, Transaction};

fn step(key: &str, sql: &'static str) -> Step {
    Step {
        key: key.to_owned(),
        name: String::new(),
        file: format!("{key}.up.sql"),
        batches: vec![sql.into()],
        is_outside: false,
        transaction: Transaction::Each,
    }
}

fn standing(second: &'static str, store: &str) -> SchemaPosition {
    let steps = Steps {
        applied: vec![step(
            "1",
            "CREATE TABLE t(x); CREATE VIRTUAL TABLE words USING fts5(word)",
        )],
        pending: Vec::new(),
        ledgers: vec!["schema_migrations".to_owned()],
        foreign_keys: ForeignKeys::Usual(false),
        in_wal_mode: None,
        drivers: crate::migrations::driver::Drivers::default(),
    };
    let conn = Connection::open_in_memory().unwrap();
    let ledger = "CREATE TABLE schema_migrations(version uint64, dirty bool);
        CREATE UNIQUE INDEX version_unique ON schema_migrations(version);";
    conn.execute_batch(ledger).unwrap();
    conn.execute_batch("CREATE TABLE t(x); CREATE VIRTUAL TABLE words USING fts5(word);")
        .unwrap();
    conn.execute_batch(store).unwrap();
    let handle = ReadOnly::guarded(conn, None, &Stop::never()).unwrap();
    SchemaPosition::of(&steps, &step("2", second), &handle, &Stop::never()).unwrap()
}

#[test]
fn the_shape_tells_whether_a_migration_was_done() {
    const SECOND: &str = "ALTER TABLE t ADD COLUMN y; CREATE TABLE u(z)";
    assert_eq!(standing(SECOND, ""), SchemaPosition::Before);
    assert_eq!(standing(SECOND, SECOND), SchemaPosition::After);
    assert_eq!(standing(SECOND, "ALTER TABLE t ADD COLUMN y"), SchemaPosition::Neither);
    assert_eq!(standing("UPDATE t SET x = 1", ""), SchemaPosition::Alike);
}

#[test]
fn what_has_nothing_to_do_with_the_migration_is_passed_over() {
    const SECOND: &str = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END";
    const DRIFT: &str = "CREATE TABLE mine(x); CREATE INDEX i ON t(x);";
    assert_eq!(standing(SECOND, DRIFT), SchemaPosition::Before);
    assert_eq!(standing(SECOND, &format!("{DRIFT} {SECOND};")), SchemaPosition::After);
}
