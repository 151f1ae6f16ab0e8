//! Whose ledger a store has, and what it says: ledgers as the tools themselves wrote them, and what was made of them.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::{made, rows, said};
use crate::support::Place;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialects")
}

/// A store with a ledger as its tool wrote it: `sqlx/ledger`.
fn written(name: &str) -> Place {
    made(&fs::read_to_string(fixtures().join(format!("{name}.sql"))).unwrap())
}

fn said_of(sql: &str) -> String {
    said(&made(sql), "schema-state")
}

/// Every ledger, its table, and where it says that the store stands.
const WRITTEN: &[(&str, &str, &str, &str)] = &[
    ("sqlx/ledger", "sqlx", "_sqlx_migrations", "3 applied, the last of them 20240101000003"),
    ("golang-migrate/ledger", "golang-migrate", "schema_migrations", "version 3"),
    (
        "drizzle/ledger",
        "drizzle",
        "__drizzle_migrations",
        "3 applied, the last of them 1795279792610",
    ),
    (
        "drizzle/ledger-libsql",
        "drizzle",
        "__drizzle_migrations",
        "3 applied, the last of them 1795279792610",
    ),
    (
        "drizzle-folders/ledger",
        "drizzle",
        "__drizzle_migrations",
        "3 applied, the last of them 20261121165824…",
    ),
    (
        "drizzle-upgraded/ledger",
        "drizzle",
        "__drizzle_migrations",
        "3 applied, the last of them 20261121164952…",
    ),
    (
        "prisma/ledger",
        "Prisma",
        "_prisma_migrations",
        "3 applied, the last of them 20240101000003…",
    ),
    (
        "prisma/ledger-again",
        "Prisma",
        "_prisma_migrations",
        "4 applied, the last of them 20240101000004…",
    ),
    ("goose/ledger", "goose", "goose_db_version", "4 applied, the last of them 4"),
    ("d1/ledger", "D1", "d1_migrations", "3 applied, the last of them 0010…"),
    (
        "diesel/ledger",
        "diesel",
        "__diesel_schema_migrations",
        "3 applied, the last of them 20240102",
    ),
    ("refinery/ledger", "refinery", "refinery_schema_history", "3 applied, the last of them 3"),
    (
        "refinery/ledger-int8",
        "refinery",
        "refinery_schema_history",
        "3 applied, the last of them 3",
    ),
    (
        "dbmate/ledger",
        "dbmate",
        "schema_migrations",
        "3 applied, the last of them 20240101000003",
    ),
];

#[test]
fn each_tools_ledger_is_recognised_and_read() {
    for (fixture, tool, table, stands) in WRITTEN {
        let place = written(fixture);
        assert_eq!(rows(&place).0, Some(0), "{fixture}");
        assert_eq!(
            said(&place, "schema-state"),
            format!("pass: {tool}'s ledger `{table}`: {stands}"),
            "{fixture}"
        );
    }
}

#[test]
fn under_another_name_a_ledger_is_known_by_its_columns_where_they_are_telling() {
    for (fixture, tool, table, stands) in WRITTEN {
        let place = written(fixture);
        place.sql(&format!("ALTER TABLE \"{table}\" RENAME TO \"an application's \"\"own\"\"\""));
        let telling = !matches!(*tool, "D1" | "dbmate");
        let expected = if telling {
            format!("pass: {tool}'s ledger `an application's \"own\"`: {stands}")
        } else {
            "skip: no ledger of a known migration tool; user_version is 0, application_id 0".to_owned()
        };
        assert_eq!(said(&place, "schema-state"), expected, "{fixture}");
    }
}

#[test]
fn the_tools_that_say_schema_migrations_are_told_apart() {
    for (declared, whose) in [
        ("version uint64, dirty bool", "pass: golang-migrate's"),
        ("version varchar(128) primary key", "pass: dbmate's"),
        ("version varchar(255) primary key", "pass: dbmate's"),
        ("\"version\" varchar NOT NULL PRIMARY KEY", "pass: Rails'"),
        ("\"version\" varchar(255) NOT NULL", "pass: Rails'"),
        ("\"version\" INTEGER PRIMARY KEY, \"inserted_at\" TEXT", "pass: Ecto's"),
        ("id BIGINT, applied TIMESTAMP, description VARCHAR(1024)", "skip: Migratus'"),
        ("id varchar(255) not null primary key", "skip: geni's"),
        ("filename varchar(255) NOT NULL PRIMARY KEY", "skip: Sequel's"),
        ("id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL", "skip: no ledger"),
        ("version INTEGER PRIMARY KEY", "skip: no ledger"),
        // Reading a generated column would run what stands in the schema.
        ("version uint64 AS (abs(-1)), dirty bool", "skip: no ledger"),
    ] {
        let said = said_of(&format!("CREATE TABLE schema_migrations ({declared})"));
        assert!(said.starts_with(whose), "{declared}: {said}");
    }
    let view = said_of("CREATE VIEW schema_migrations(version, dirty) AS SELECT 1, 1");
    assert!(view.starts_with("skip: no ledger"), "{view}");
}

#[test]
fn tools_whose_folder_is_not_read_are_named_with_what_they_run() {
    for (file, said_of_it) in [
        ("aerich", "aerich's ledger `aerich`, 1 applied: its migrations are Python, not SQL"),
        (
            "peewee-migrate",
            "peewee-migrate's ledger `migratehistory`, 2 applied: its migrations are Python, not SQL",
        ),
        (
            "sqlite-migrate",
            "sqlite-migrate's ledger `_sqlite_migrations`, 2 applied: its migrations are Python, not SQL",
        ),
        (
            "sequelize",
            "Sequelize's ledger `SequelizeMeta`, 1 applied: its migrations are JavaScript, not SQL",
        ),
        (
            "yoyo",
            "yoyo's ledger `_yoyo_migration`, 1 applied: its migrations are Python, with SQL among them",
        ),
    ] {
        let place = written(&format!("named/{file}"));
        let expected = format!("skip: {said_of_it}, and there is nothing to compare with");
        assert_eq!(said(&place, "schema-state"), expected);
        assert_eq!(rows(&place).0, Some(0), "{file}");
    }
}

/// By their documentation and by stores that others published: these tools were not at hand.
#[test]
fn more_tools_are_named_from_what_they_are_known_to_write() {
    let text = fs::read_to_string(fixtures().join("named/by-documentation.sql")).unwrap();
    let mut seen = 0;
    for part in text.split("-- tool: ").skip(1) {
        let (tool, ddl) = part.split_once('\n').unwrap();
        let said = said_of(ddl);
        let (status, whose) = said.split_once(": ").unwrap();
        assert!(whose.starts_with(&format!("{tool}'")) && status != "fail", "{tool}: {said}");
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_ledger_of_code_says_where_it_stands() {
    for (file, stands) in [
        ("alembic", "Alembic's ledger `alembic_version`: at e78a722c2835"),
        ("django", "Django's ledger `django_migrations`: 14 applied"),
        ("knex", "Knex's ledger `knex_migrations`: 1 applied, the last of them 1…"),
        ("typeorm", "TypeORM's ledger `migrations`: 1 applied, the last of them 1700000000000"),
    ] {
        assert_eq!(said(&written(&format!("named/{file}")), "schema-state"), format!("pass: {stands}"));
    }
}

#[test]
fn a_version_is_the_highest_integer_that_stands_there() {
    let stands = |sql: &str| said_of(sql);
    let home = "CREATE TABLE schema_changes(change_id INTEGER PRIMARY KEY, schema_version INTEGER, changed DATETIME);";
    insta::assert_snapshot!(stands(&format!("{home} INSERT INTO schema_changes VALUES (1, 41, ''), (2, 43, ''), (3, 'secret', '')")), @"skip: Home Assistant's ledger `schema_changes`, version 43: its migrations are compiled into Home Assistant, and there is nothing to compare with");
    insta::assert_snapshot!(stands(home), @"skip: Home Assistant's ledger `schema_changes`: its migrations are compiled into Home Assistant, and there is nothing to compare with");
    insta::assert_snapshot!(stands("CREATE TABLE version(id INTEGER PRIMARY KEY, version INTEGER); INSERT INTO version VALUES (1, 305)"), @"skip: Gitea or Forgejo's ledger `version`, version 305: its migrations are compiled into the application (xorm), and there is nothing to compare with");
    insta::assert_snapshot!(stands("PRAGMA user_version = 17"), @"skip: no ledger of a known migration tool; user_version is 17, a number that the application itself keeps, application_id 0");
    insta::assert_snapshot!(stands("CREATE TABLE oc_migrations(app, version); INSERT INTO oc_migrations VALUES ('core', '1'), ('files', '2')"), @"skip: Nextcloud or ownCloud's ledger `oc_migrations`, 2 applied: its migrations are PHP, not SQL, and there is nothing to compare with");
}

#[test]
fn a_ledger_that_says_that_something_failed_fails() {
    let whole = |place: &Place| place.said("schema-state", &["--any"]);
    assert_eq!(
        whole(&written("golang-migrate/ledger-dirty")),
        "fail: golang-migrate's ledger `schema_migrations`: version 4, dirty: it was at work there, did not come to its end, and runs nothing any more\n  \
           id 4, kind \"migration-unfinished\", table \"schema_migrations\": dirty\n  \
           1 in all\n  \
           -> 1. Keep a copy of all files of the store before anything else. 2. Find out whether what the migration does is there or not. 3. Tell golang-migrate which of the two it is (`migrate force VERSION`), and let it go on.\n     \
              $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept\n     \
              $ sqlite3 -readonly kept/state.db .schema | cat -v\n"
    );
    let failed = whole(&written("prisma/ledger-failed"));
    let begin = "fail: Prisma's ledger `_prisma_migrations`: 3 applied, the last of them 20240101000003…, and migration 20240101000004… failed\n  \
                   kind \"migration-unfinished\", table \"_prisma_migrations\": failed\n";
    assert!(failed.starts_with(begin), "{failed}");
    // The name of a migration is a cell's value: no more of it is told than its number.
    assert!(!failed.contains("archive"), "{failed}");
    let sqlx = written("sqlx/ledger");
    sqlx.sql("UPDATE _sqlx_migrations SET success = 0 WHERE version > 20240101000001");
    let failed = whole(&sqlx);
    let begin = "fail: sqlx's ledger `_sqlx_migrations`: 1 applied, the last of them 20240101000001, and migration 20240101000002 failed\n";
    assert!(failed.starts_with(begin), "{failed}");
}

#[test]
fn a_tool_that_is_only_named_says_that_it_failed_or_is_locked() {
    let whole = |sql: &str| made(sql).said("schema-state", &["--any"]);
    assert_snapshot!(whole("CREATE TABLE flyway_schema_history(installed_rank INT PRIMARY KEY, version, success BOOLEAN); INSERT INTO flyway_schema_history VALUES (1, '1', 1), (2, '2', 0)"), @r#"
    fail: Flyway's ledger `flyway_schema_history`: 1 recorded without a failure, and 1 migration failed or did not come to its end
      count 1, kind "migration-unfinished", table "flyway_schema_history": migrations that failed or did not come to their end
      1 in all
      -> 1. Keep a copy of all files of the store before anything else. 2. Find out whether what the migration does is there or not. 3. Tell Flyway which of the two it is (`flyway repair`), and let it go on.
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ sqlite3 -readonly kept/state.db .schema | cat -v
    "#);
    assert_snapshot!(whole("CREATE TABLE knex_migrations(id INTEGER PRIMARY KEY, name, batch, migration_time); INSERT INTO knex_migrations VALUES (1, 'a', 1, 0);
        CREATE TABLE knex_migrations_lock(\"index\" INTEGER PRIMARY KEY, is_locked INTEGER); INSERT INTO knex_migrations_lock VALUES (1, 1)"), @r#"
    fail: Knex's ledger `knex_migrations`; its lock `knex_migrations_lock` is held: Knex is migrating just now, or was ended before it released the lock
      kind "ledger-locked", table "knex_migrations_lock": the lock is held
      1 in all
      -> 1. See whether Knex is migrating just now, and let it finish. 2. If nothing is, the program was ended while it migrated. Keep a copy of all files of the store. 3. Find out whether its last migration is there or not. 4. Then release the lock (`knex migrate:unlock`).
         $ umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept
         $ sqlite3 -readonly kept/state.db .schema | cat -v
    "#);
    let fails = |sql: &str| whole(sql).starts_with("fail: ");
    let tried = [
        ("CREATE TABLE atlas_schema_revisions(version, applied, total, error); INSERT INTO atlas_schema_revisions VALUES ('1', {}, 2, NULL)", "2", "1"),
        ("CREATE TABLE atlas_schema_revisions(version, applied, total, error); INSERT INTO atlas_schema_revisions VALUES ('1', 2, 2, {})", "''", "'boom'"),
        ("CREATE TABLE migration_log(id INTEGER PRIMARY KEY, migration_id TEXT, sql TEXT, success INTEGER, error TEXT, timestamp);
          INSERT INTO migration_log VALUES (1, 'a', '', 0, 'boom', ''), (2, {}, '', 1, '', '')", "'a'", "'b'"),
        ("CREATE TABLE DATABASECHANGELOG(ID, AUTHOR, FILENAME); CREATE TABLE DATABASECHANGELOGLOCK(ID, LOCKED, LOCKEDBY); INSERT INTO DATABASECHANGELOGLOCK VALUES (1, {}, 'me')", "0", "1"),
        ("CREATE TABLE kysely_migration(name, timestamp); CREATE TABLE kysely_migration_lock(id, is_locked); INSERT INTO kysely_migration_lock VALUES ('l', {})", "0", "1"),
        ("CREATE TABLE __EFMigrationsHistory(MigrationId, ProductVersion); CREATE TABLE __EFMigrationsLock(Id, Timestamp); INSERT INTO __EFMigrationsLock SELECT 1, 'x' WHERE {}", "FALSE", "TRUE"),
        ("CREATE TABLE _yoyo_migration(migration_hash, migration_id); CREATE TABLE yoyo_lock(locked INT, ctime, pid); INSERT INTO yoyo_lock SELECT 1, 'x', 7 WHERE {}", "FALSE", "TRUE"),
        ("CREATE TABLE schema_migrations(version uint64, dirty bool); INSERT INTO schema_migrations VALUES (3, 0), (4, {})", "0", "1"),
        ("CREATE TABLE bun_migrations(id, name, group_id, migrated_at); CREATE TABLE bun_migration_locks(id, table_name); INSERT INTO bun_migration_locks SELECT 1, 'bun_migrations' WHERE {}", "FALSE", "TRUE"),
        ("CREATE TABLE migrations(id, name, version, currentVersion); CREATE TABLE migrations_lock(lock_key, locked, acquired_at, released_at); INSERT INTO migrations_lock VALUES ('km01', {}, '', '')", "0", "1"),
        ("CREATE TABLE schema_migrations(id BIGINT, applied, description); INSERT INTO schema_migrations VALUES (20250101000000, '', ''), ({}, '', '')", "20250102000000", "-1"),
        ("CREATE TABLE changelog(id, type, version, description, name, checksum, installed_by, installed_on, success); INSERT INTO changelog VALUES (1, 0, '1', '', '', '', '', '', {})", "1", "0"),
        ("CREATE TABLE play_evolutions(id, hash, applied_at, apply_script, revert_script, state, last_problem); INSERT INTO play_evolutions VALUES (1, '', '', '', '', {}, '')", "'applied'", "'applying_up'"),
    ];
    for (sql, right, wrong) in tried {
        assert!(!fails(&sql.replace("{}", right)), "{sql}");
        assert!(fails(&sql.replace("{}", wrong)), "{sql}");
    }
}

#[test]
fn what_else_stands_in_a_ledger_is_a_word_and_no_fault() {
    let goose = written("goose/ledger");
    goose.sql("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4, 0), (3, 0), (3, 1); DELETE FROM goose_db_version WHERE version_id = 0");
    assert_eq!(
        said(&goose, "schema-state"),
        "pass: goose's ledger `goose_db_version`: 3 applied, the last of them 3; its row for version 0 is missing; 1 taken back"
    );
    let refinery = written("refinery/ledger");
    refinery.sql("UPDATE refinery_schema_history SET applied_on = 'yesterday' WHERE version = 2");
    let said_of_it = said(&refinery, "schema-state");
    assert!(said_of_it.ends_with("; 1 date at which the tool itself would panic"), "{said_of_it}");
    let prisma = written("prisma/ledger-failed");
    prisma.sql("UPDATE _prisma_migrations SET rolled_back_at = 1 WHERE finished_at IS NULL");
    assert!(said(&prisma, "schema-state").ends_with("; 1 taken back"));
    let empty = said_of("CREATE TABLE schema_migrations (version uint64, dirty bool)");
    assert_eq!(empty, "pass: golang-migrate's ledger `schema_migrations`: nothing applied");
}

#[test]
fn a_ledger_that_cannot_be_one_is_skipped_by_row_and_column_and_its_values_are_never_said() {
    for (fixture, change, why) in [
        (
            "sqlx/ledger",
            "UPDATE _sqlx_migrations SET version = 'secret' WHERE version LIKE '%1'",
            "in row 1 version is text, not an integer",
        ),
        (
            "golang-migrate/ledger",
            "INSERT INTO schema_migrations VALUES (7, 0)",
            "it has 2 rows, and golang-migrate keeps one",
        ),
        (
            "golang-migrate/ledger",
            "UPDATE schema_migrations SET version = -4",
            "in row 1 version is below 0",
        ),
        (
            "dbmate/ledger",
            "INSERT INTO schema_migrations VALUES (CAST(x'ff' AS TEXT))",
            "in row 4 version is text that is not UTF-8",
        ),
        (
            "dbmate/ledger",
            "INSERT INTO schema_migrations VALUES (hex(zeroblob(300)))",
            "in row 4 version is longer than any version or name, not text",
        ),
        (
            "diesel/ledger",
            "INSERT INTO __diesel_schema_migrations(version) VALUES ('')",
            "in row 4 version is empty",
        ),
        (
            "drizzle/ledger",
            "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 1.5)",
            "in row 4 created_at is a floating-point number, not an integer",
        ),
        (
            "goose/ledger",
            "UPDATE goose_db_version SET is_applied = x'01' WHERE version_id = 2",
            "in row 3 is_applied is a blob, not an integer",
        ),
        (
            "dbmate/ledger",
            "INSERT INTO schema_migrations WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT 'v' || i FROM n",
            "it is larger than any ledger is",
        ),
    ] {
        let place = written(fixture);
        place.sql(change);
        let said = said(&place, "schema-state");
        assert!(
            said.starts_with("skip: ") && said.ends_with(&format!(" cannot be read as one: {why}")),
            "{fixture}: {said}"
        );
    }
}

#[test]
fn of_two_ledgers_the_one_under_its_own_name_counts_and_the_other_is_said() {
    let place = written("refinery/ledger");
    place.sql("ALTER TABLE refinery_schema_history RENAME TO openmls_sqlite_storage_migrations");
    place.sql(&fs::read_to_string(fixtures().join("sqlx/ledger.sql")).unwrap());
    assert_eq!(
        said(&place, "schema-state"),
        "pass: sqlx's ledger `_sqlx_migrations`: 3 applied, the last of them 20240101000003; not looked at: refinery's ledger `openmls_sqlite_storage_migrations`"
    );
}

#[test]
fn a_damaged_ledger_is_not_believed() {
    let place = written("sqlx/ledger");
    let root: i64 = place
        .open()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = '_sqlx_migrations'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = fs::read(place.store()).unwrap();
    // One row fewer in the page's header.
    let page = usize::try_from(root - 1).unwrap() * 4096;
    assert_eq!(bytes[page + 4], 3);
    bytes[page + 4] = 2;
    fs::write(place.store(), bytes).unwrap();
    let said = said(&place, "schema-state");
    assert!(said.starts_with("fail: could not look: "), "{said}");
}

#[test]
fn a_name_that_would_command_a_terminal_is_escaped_in_every_format() {
    let place = written("sqlx/ledger");
    place.sql("ALTER TABLE _sqlx_migrations RENAME TO \"a\u{1b}[2J\u{202e}b\u{7}\"; CREATE TABLE \"t\u{1b}]0;x\u{7}\"(\"c\u{9b}\"); INSERT INTO \"t\u{1b}]0;x\u{7}\" VALUES (CAST(x'ff' AS TEXT))");
    for format in ["table", "markdown", "json"] {
        let ran = place.ask(&["--any", "--format", format]);
        assert_eq!(ran.code, Some(1), "{format}");
        let is_command = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(is_command), "{format}: {:?}", ran.stdout);
        assert!(ran.stdout.contains("sqlx's ledger"), "{format}: {}", ran.stdout);
    }
}
