//! What was odd in a store before its migrations, and what of it keeps a binary from taking it over.

use crate::harness::{Said, TestStore};

fn rehearsed(store: &TestStore) -> (i32, String) {
    let Said { exit, out } = store.ask(&["--check-migrations", "--rehearse"]);
    let row = store.row("migration-rehearsal");
    assert_eq!(row.starts_with("pass"), exit == 1, "the gate and the row agree: {out}{row}");
    (exit, out)
}

#[test]
fn what_is_merely_extra_is_no_reason_not_to_swap() {
    for extra in [
        "CREATE INDEX mine ON vms(state)",
        "CREATE TABLE notes(x); INSERT INTO notes VALUES (1)",
        "CREATE VIEW mine AS SELECT name FROM vms",
        "CREATE TRIGGER mine AFTER UPDATE ON vms BEGIN SELECT 1; END",
        "ALTER TABLE images ADD COLUMN packages_path TEXT",
        "CREATE VIRTUAL TABLE notes USING fts5(a); INSERT INTO notes VALUES ('hello')",
    ] {
        let store = TestStore::with_migrations(2).after(extra);
        assert!(store.row("schema-shape").starts_with("fail"), "{extra}");
        assert_eq!(rehearsed(&store).0, 1, "{extra}");
    }
}

#[test]
fn a_shape_that_this_binary_cannot_work_with_is_a_reason_whoever_made_it() {
    let store = TestStore::with_migrations(2).after("ALTER TABLE vms DROP COLUMN stats_json");
    let (exit, said) = rehearsed(&store);
    assert_eq!(exit, 2);
    assert!(
        said.contains("not as in a fresh store: vms.stats_json: the column is missing (the daemon cannot read it, as before the migrations)"),
        "{said}"
    );
    let store = TestStore::with_migrations(2).after(
        "CREATE TABLE copied AS SELECT * FROM images; DELETE FROM vms; DELETE FROM images;
         ALTER TABLE images ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    );
    assert_eq!(rehearsed(&store).0, 1, "a default is written by itself");
    let store = store.rewritten("images", "owner TEXT NOT NULL DEFAULT ''", "owner TEXT NOT NULL");
    let (exit, said) = rehearsed(&store);
    assert_eq!(exit, 2, "{said}");
    assert!(said.contains("the daemon cannot write it"), "{said}");
}

#[test]
fn a_value_that_a_check_constraint_forbade_before_is_not_the_migrations_fault() {
    let store = TestStore::with_migrations(2)
        .after("CREATE TABLE z(a CHECK (a > 5)); PRAGMA ignore_check_constraints=ON; INSERT INTO z VALUES (1)");
    assert!(store.row("page-structure").starts_with("fail"));
    assert_eq!(rehearsed(&store).0, 1);
}

#[test]
fn the_ledger_is_read_from_its_table_and_not_from_an_index_on_it() {
    // The index was not there when 99 was applied, and lacks it; SQLite would rather read the index, which is smaller.
    let store = TestStore::healthy().after(
        "CREATE INDEX i ON schema_migrations(name);
         CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'i';
         PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name = 'i'",
    );
    let store = store.after("INSERT INTO schema_migrations VALUES (99, 'zz', '2026-04-28T18:41:31Z')");
    let store = store.after("PRAGMA writable_schema=ON; INSERT INTO sqlite_schema SELECT * FROM kept");
    let by_index: i64 = store
        .open()
        .query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0))
        .unwrap();
    assert_eq!(by_index, 3, "SQLite, left to itself, reads the index");
    let Said { exit, out } = store.ask(&["--check-migrations"]);
    assert_eq!((exit, out.contains("unknown [99]")), (2, true), "{out}");
    assert!(store.row("unknown-ids").contains("99"));
    assert!(store.row("migration-history").starts_with("pass: 4 applied"));
}
