//! `migration-history`.

use insta::assert_snapshot;

use crate::support::Place;

fn row(sql: &str) -> String {
    Place::with(1, 2).after(sql).found("migration-history")
}

#[test]
fn a_history_of_bangers_own_passes() {
    assert_snapshot!(row(""), @"pass: 3 applied migrations, with names, order and times as banger writes them");
    assert_snapshot!(Place::of_age(1).found("migration-history"), @"pass: 1 applied migration, with names, order and times as banger writes them");
    assert_snapshot!(Place::new().after("CREATE TABLE t(x); DROP TABLE t").found("migration-history"), @"pass: no migration is applied");
}

#[test]
fn any_time_of_rfc_3339_passes() {
    for time in [
        "2026-04-28t18:41:31z",
        "2026-04-28T18:41:31.123456789Z",
        "2026-04-28T18:41:31+05:30",
        "2016-12-31T23:59:60Z",
        "2024-02-29T00:00:00-12:00",
    ] {
        let store = Place::with(1, 2).after(&format!("UPDATE schema_migrations SET applied_at = '{time}'"));
        store.assert_healthy(time);
    }
}

#[test]
fn a_known_id_under_another_name_without_that_name() {
    let row = row("UPDATE schema_migrations SET name = 'secret' WHERE id = 3");
    assert!(!row.contains("secret"));
    assert_snapshot!(row, @r"
    fail: migration 3 is applied under another name than `add_vm_workspace`
     - schema_migrations name 3: is not `add_vm_workspace`
    ");
}

#[test]
fn a_store_of_a_development_version_is_recognised() {
    let row = row("UPDATE schema_migrations SET name = 'drop_dead_image_columns' WHERE id = 2");
    assert_snapshot!(row, @r"
    fail: this store was made by a development version of banger, in which migration 2 was `drop_dead_image_columns`; today's migration 2, `drop_images_docker`, never ran on it and never will, because its id is taken
     - schema_migrations name 2: is `drop_dead_image_columns`, the name in a development version, instead of `drop_images_docker`
    ");
    // Under another id it is just another name, and not printed.
    let row = self::row("UPDATE schema_migrations SET name = 'drop_dead_image_columns' WHERE id = 3");
    assert!(!row.contains("drop_dead_image_columns"), "{row}");
}

#[test]
fn ids_that_are_missing_below_others() {
    assert_snapshot!(row("DELETE FROM schema_migrations WHERE id < 3"), @"
    fail: the tables are as after migrations 1 to 3; only the ledger's rows [1 2] are gone
     - 1: the ledger's row is missing, and the tables show that the migration ran
     - 2: the ledger's row is missing, and the tables show that the migration ran
    ");
}

#[test]
fn values_that_no_banger_wrote() {
    let row = row(
        "UPDATE schema_migrations SET applied_at = 'yesterday' WHERE id = 1;
         UPDATE schema_migrations SET applied_at = x'00' WHERE id = 2;
         UPDATE schema_migrations SET name = x'61646476' WHERE id = 3;
         INSERT INTO schema_migrations VALUES
           (7, char(27) || '[2J', char(27)), (8, '', ''), (9, CAST(x'ff' AS TEXT), CAST(x'fe' AS TEXT)),
           (10, x'61', '2026-02-30T00:00:00Z'), (11, 'fine', '2026-04-28 18:41:31Z'), (12, 'fine', replace(hex(zeroblob(5000)), '0', 'x')),
           (13, replace(hex(zeroblob(5000)), '0', 'x'), '2026-04-28T18:41:31Z')",
    );
    assert!(!row.contains("yesterday"));
    assert_snapshot!(row, @r"
    fail: migration 3 is applied under another name than `add_vm_workspace`; applied_at of migration 1 is not a time in RFC 3339 format; applied_at of migration 2 is a blob, not text; name of migration 7 holds control characters; 10 more malformed values
     - schema_migrations applied_at 1: is not a time in RFC 3339 format
     - schema_migrations applied_at 2: is a blob, not text
     - schema_migrations name 3: is not `add_vm_workspace`
     - schema_migrations name 7: holds control characters
     - schema_migrations applied_at 7: holds control characters
     - schema_migrations name 8: is empty
     - schema_migrations applied_at 8: is empty
     - schema_migrations name 9: is not UTF-8
     - schema_migrations applied_at 9: is not UTF-8
     - schema_migrations name 10: is a blob, not text
     - schema_migrations applied_at 10: is not a time in RFC 3339 format
     - schema_migrations applied_at 11: is not a time in RFC 3339 format
     - schema_migrations applied_at 12: is longer than 4,096 bytes
     - schema_migrations name 13: is longer than 4,096 bytes
    ");
}

#[test]
fn values_that_are_null_or_numbers_where_the_ledger_lets_them() {
    let store = Place::with(1, 2).after(
        "ALTER TABLE schema_migrations RENAME TO old;
         CREATE TABLE schema_migrations(id INTEGER PRIMARY KEY, name, applied_at);
         INSERT INTO schema_migrations SELECT * FROM old; DROP TABLE old;
         INSERT INTO schema_migrations VALUES (7, NULL, 1777400000), (8, 1.5, NULL)",
    );
    assert_snapshot!(store.found("migration-history"), @r"
    fail: name of migration 7 is NULL; applied_at of migration 7 is a number, not text; name of migration 8 is a number, not text; 1 more malformed value
     - schema_migrations name 7: is NULL
     - schema_migrations applied_at 7: is a number, not text
     - schema_migrations name 8: is a number, not text
     - schema_migrations applied_at 8: is NULL
    ");
}

#[test]
fn very_many_malformed_rows_are_counted() {
    let row = row("WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5099)
         INSERT INTO schema_migrations SELECT i, 'm', 'never' FROM n");
    let detail = row.lines().next().unwrap();
    assert_snapshot!(detail, @"fail: applied_at of migration 100 is not a time in RFC 3339 format; applied_at of migration 101 is not a time in RFC 3339 format; applied_at of migration 102 is not a time in RFC 3339 format; 4,997 more malformed values");
    assert_eq!(row.lines().count(), 101);
}

#[test]
fn the_ledger_is_read_from_its_table_and_not_from_an_index_on_it() {
    // The index was not there when 99 was applied, and lacks it; SQLite would rather read the index, which is smaller.
    let store = Place::with(1, 2).after(
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
    let ran = store.ask(&["--check-migrations"]);
    assert_eq!((ran.code, ran.stdout.contains("unknown [99]")), (Some(2), true), "{ran:?}");
    assert!(store.found("unknown-ids").contains("99"));
    assert!(store.found("migration-history").starts_with("pass: 4 applied"));
}
