//! Whose ledger a store has.

use banger_doctor::dialects::{Dialect, Key, Recognised, Tool};

use super::harness::{Store, WRITTEN, fixtures};

fn name(store: &Store) -> Option<&'static str> {
    store.recognised().map(|recognised| recognised.tool.name())
}

#[test]
fn each_tools_ledger_is_recognised_as_its_own_and_as_nothing_else() {
    for (folder, ledger, dialect) in WRITTEN {
        let recognised = Store::written(&format!("{folder}/{ledger}")).recognised().unwrap();
        assert_eq!(recognised.tool, Tool::Understood(*dialect), "{folder}/{ledger}");
        assert!(recognised.also.is_empty(), "{folder}/{ledger}: {:?}", recognised.also);
    }
}

#[test]
fn a_ledger_under_another_name_is_recognised_by_its_columns_where_they_are_telling() {
    for (folder, ledger, dialect) in WRITTEN {
        let store = Store::written(&format!("{folder}/{ledger}"));
        let Some(table) = store.recognised().unwrap().table else {
            continue;
        };
        store.run(&format!("ALTER TABLE \"{table}\" RENAME TO \"an application's \"\"own\"\"\""));
        let telling = !matches!(dialect, Dialect::D1 | Dialect::Dbmate);
        let expected = telling.then(|| dialect.name());
        assert_eq!(name(&store), expected, "{folder}/{ledger}");
        if telling {
            assert!(
                !store.applied().entries.is_empty(),
                "a name with quotes in it can be read: {folder}/{ledger}"
            );
        }
    }
}

#[test]
fn a_ledgers_name_above_other_columns_is_not_that_ledger() {
    for (folder, ledger, _) in WRITTEN {
        let Some(table) = Store::written(&format!("{folder}/{ledger}")).recognised().unwrap().table else {
            continue;
        };
        let other = Store::of(&format!("CREATE TABLE \"{table}\" (version INTEGER PRIMARY KEY, what TEXT)"));
        assert_eq!(name(&other), None, "{table}");
    }
}

#[test]
fn the_five_tools_that_say_schema_migrations_are_told_apart_and_bangers_is_none_of_them() {
    for (declared, whose) in [
        ("version uint64, dirty bool", Some("golang-migrate")),
        ("version varchar(128) primary key", Some("dbmate")),
        ("version varchar(255) primary key", Some("dbmate")),
        ("\"version\" varchar NOT NULL PRIMARY KEY", Some("Rails")),
        ("\"version\" varchar(255) NOT NULL", Some("Rails")),
        ("\"version\" INTEGER PRIMARY KEY, \"inserted_at\" TEXT", Some("Ecto")),
        ("id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL", None),
        ("version INTEGER PRIMARY KEY", None),
    ] {
        assert_eq!(
            name(&Store::of(&format!("CREATE TABLE schema_migrations ({declared})"))),
            whose,
            "{declared}"
        );
    }
    // What drizzle never wrote is anybody's, under another name than drizzle's.
    assert_eq!(name(&Store::of("CREATE TABLE files (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)")), None);
    // Nor is banger's D1's, under D1's own name.
    let store =
        Store::of("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)");
    assert_eq!(name(&store), None);
}

#[test]
fn tools_whose_migrations_are_code_are_named_with_what_they_run() {
    let written = [
        ("alembic", "Alembic", 1),
        ("django", "Django", 14),
        ("knex", "Knex", 1),
        ("sequelize", "Sequelize", 1),
        ("typeorm", "TypeORM", 1),
        ("yoyo", "yoyo", 1),
    ];
    for (file, tool, rows) in written {
        let store = Store::written(&format!("named/{file}"));
        let recognised = store.recognised().unwrap();
        let Tool::Named(named) = recognised.tool else {
            panic!("{file}")
        };
        assert_eq!((named.name, recognised.also.len()), (tool, 0));
        assert!(!named.migrations.is_empty());
        let applied = store.applied();
        assert_eq!((applied.rows, applied.entries.len()), (rows, 0), "{file}: counted, and no more");
    }
}

/// By their documentation and by stores that others published: these tools were not at hand.
#[test]
fn more_tools_are_named_from_what_they_are_known_to_write() {
    let text = std::fs::read_to_string(fixtures().join("named/by-documentation.sql")).unwrap();
    let mut seen = Vec::new();
    for part in text.split("-- tool: ").skip(1) {
        let (tool, ddl) = part.split_once('\n').unwrap();
        assert_eq!(name(&Store::of(ddl)), Some(tool), "{ddl}");
        seen.push(tool);
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[test]
fn a_store_without_a_ledger_counts_its_migrations_in_user_version_or_says_nothing() {
    assert_eq!(name(&Store::of("CREATE TABLE a (x)")), None);
    assert_eq!(name(&Store::of("PRAGMA user_version = 3; CREATE TABLE a (x)")), Some("user_version"));
    // GeoPackage has its format's version there.
    assert_eq!(name(&Store::of("PRAGMA user_version = 10300; PRAGMA application_id = 0x47504b47")), None);
    // With a ledger it is the application's own.
    let store = Store::written("sqlx/ledger");
    store.run("PRAGMA user_version = 9");
    assert_eq!(name(&store), Some("sqlx"));
}

#[test]
fn of_two_ledgers_the_one_under_its_own_name_counts_and_the_other_is_said() {
    let store = Store::written("refinery/ledger");
    store.run("ALTER TABLE refinery_schema_history RENAME TO openmls_sqlite_storage_migrations");
    store.run(&std::fs::read_to_string(fixtures().join("sqlx/ledger.sql")).unwrap());
    let recognised = store.recognised().unwrap();
    assert_eq!(recognised.tool, Tool::Understood(Dialect::Sqlx));
    let other = (Tool::Understood(Dialect::Refinery), "openmls_sqlite_storage_migrations".to_owned());
    assert_eq!(recognised.also, [other]);
}

#[test]
fn somebody_can_say_whose_a_table_is_as_long_as_it_has_the_columns() {
    let store = Store::of(
        "CREATE TABLE ours (name TEXT, note TEXT); INSERT INTO ours VALUES ('0002_b.sql', NULL), ('0001_a.sql', 'x')",
    );
    let table = store.tables().remove(0);
    let recognised = Recognised::told(&table, Dialect::D1).unwrap();
    let applied = recognised.read(&store.rows(&recognised)).unwrap();
    assert_eq!(applied.keys().map(Key::as_str).collect::<Vec<_>>(), ["0001_a.sql", "0002_b.sql"]);
    let why = Recognised::told(&table, Dialect::Sqlx).unwrap_err();
    assert!(why.contains("version and success and checksum and execution_time"), "{why}");
    assert!(Recognised::told(&table, Dialect::UserVersion).is_err());
    // drizzle's newer layout is taken where its name is there.
    let table = Store::of("CREATE TABLE a (hash, created_at, name)").tables().remove(0);
    assert!(Recognised::told(&table, Dialect::Drizzle).unwrap().select().unwrap().contains("\"name\""));
}

#[test]
fn a_generated_column_is_never_read() {
    let store = Store::of("CREATE TABLE schema_migrations (version uint64 AS (abs(-1)), dirty bool)");
    assert_eq!(name(&store), None);
    assert!(Recognised::told(&store.tables()[0], Dialect::GolangMigrate).is_err());
}

#[test]
fn every_dialect_has_a_name_of_its_own() {
    let names: Vec<&str> = Dialect::all().map(Dialect::name).collect();
    assert_eq!(names.len(), 10);
    for dialect in Dialect::all() {
        assert_eq!(Dialect::of_name(dialect.name()), Some(dialect));
        assert_eq!(Dialect::of_name(&dialect.name().to_uppercase()), Some(dialect));
    }
    assert_eq!(Dialect::of_name("rails"), None);
}
