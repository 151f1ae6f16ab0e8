//! What the tools' own ledgers say, held against the folders that they were made from; and what no ledger can say.

use std::fs;
use std::path::Path;

use banger_doctor::dialects::checksum::Difference;
use banger_doctor::dialects::ledger::{MOST_ROWS, Note};
use banger_doctor::dialects::{Dialect, Key, Script, State, Transaction, Value};

use super::harness::{Migrations, Store, WRITTEN, fixtures, texts, windows};

#[test]
fn what_a_tool_applied_is_applied_and_the_rest_is_pending() {
    for (folder, ledger, dialect) in WRITTEN {
        let store = Store::written(&format!("{folder}/{ledger}"));
        let migrations = Migrations::of(folder);
        let keys: Vec<Key> = migrations.known(*dialect).known.into_iter().map(|known| known.key).collect();
        let (last, applied) = keys.split_last().unwrap();
        let standing = migrations.standing(*dialect, &store);
        assert_eq!(standing.applied, applied, "{folder}/{ledger}");
        assert_eq!(standing.pending, std::slice::from_ref(last), "{folder}/{ledger}");
        assert_eq!(standing.state, State::Clean);
        let nothing_else = standing.unknown.is_empty() && standing.gaps.is_empty() && standing.never_run.is_empty();
        assert!(
            nothing_else && standing.edited.is_empty() && standing.twice.is_empty(),
            "{folder}/{ledger}: {standing:?}"
        );
        assert!(migrations.known(*dialect).not_replayable().is_empty(), "{folder}");
    }
}

#[test]
fn the_checksums_are_those_that_the_tools_wrote() {
    let mut compared = 0;
    for (folder, ledger, dialect) in WRITTEN {
        let known = Migrations::of(folder).known(*dialect).known;
        for entry in Store::written(&format!("{folder}/{ledger}")).applied().entries {
            let Some(checksum) = entry.checksum else { continue };
            let known = known.iter().find(|known| known.key == entry.key).unwrap();
            assert!(known.checksums.own.contains(&checksum), "{folder}/{ledger} {}", known.key);
            if *folder != "drizzle-upgraded" {
                // An upgraded ledger keeps its old times, to the millisecond.
                assert_eq!(known.when, entry.when, "{folder}/{ledger} {}", known.key);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 8, "sqlx, refinery twice, Prisma, and drizzle four times");
}

#[test]
fn windows_line_ends_are_told_from_a_change_either_way() {
    for (folder, dialect) in [
        ("sqlx", Dialect::Sqlx),
        ("refinery", Dialect::Refinery),
        ("prisma", Dialect::Prisma),
        ("drizzle", Dialect::Drizzle),
    ] {
        let unix = Migrations::of(folder);
        let with_returns = Migrations::of(folder);
        for known in with_returns.known(dialect).known {
            with_returns.edit(&known.file, windows);
        }
        let written_by_windows = Store::written(&format!("{folder}/ledger-crlf"));
        let written_by_unix = Store::written(&format!("{folder}/ledger"));
        for (migrations, store) in [(&unix, &written_by_windows), (&with_returns, &written_by_unix)] {
            let edited = migrations.standing(dialect, store).edited;
            let line_ends = edited.iter().filter(|edited| edited.difference == Difference::LineEnds).count();
            assert_eq!((edited.len(), line_ends), (3, 3), "{folder}");
        }
        for (migrations, store) in [(&unix, &written_by_unix), (&with_returns, &written_by_windows)] {
            assert_eq!(migrations.standing(dialect, store).edited, [], "{folder}");
        }
    }
}

fn shown(migrations: &Migrations, dialect: Dialect) -> Vec<(String, String, Transaction, usize)> {
    let known = migrations.known(dialect).known.into_iter();
    known
        .map(|known| match known.script {
            Script::Sql { batches, transaction } => (known.key.to_string(), known.name, transaction, batches.len()),
            Script::NotReplayable(why) => panic!("{}: {}", known.file.display(), why.words()),
        })
        .collect()
}

#[test]
fn each_tools_files_are_split_wrapped_and_called_as_the_tool_does_it() {
    use Transaction::{AllPending, Each, None};
    let of = |folder: &str, dialect| shown(&Migrations::of(folder), dialect);
    let is = |found: Vec<(String, String, Transaction, usize)>, wanted: [(&str, &str, Transaction, usize); 4]| {
        let found: Vec<_> = found.iter().map(|(key, name, tx, n)| (key.as_str(), name.as_str(), *tx, *n)).collect();
        assert_eq!(found, wanted);
    };
    is(
        of("sqlx", Dialect::Sqlx),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240101000003", "note colour", Each, 1),
            ("20240101000004", "archive", None, 1),
        ],
    );
    is(
        of("golang-migrate", Dialect::GolangMigrate),
        [
            ("1", "notebooks", Each, 1),
            ("2", "notes", Each, 1),
            ("3", "note_colour", Each, 1),
            ("4", "archive", Each, 1),
        ],
    );
    is(
        of("diesel", Dialect::Diesel),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240102", "000003_note_colour", Each, 1),
            ("202401030000040000", "archive", None, 1),
        ],
    );
    is(
        of("refinery", Dialect::Refinery),
        [
            ("1", "notebooks", Each, 1),
            ("2", "notes", Each, 1),
            ("3", "note_colour", Each, 1),
            ("10", "archive", Each, 1),
        ],
    );
    is(
        of("rusqlite_migration", Dialect::UserVersion),
        [
            ("1", "notebooks", AllPending, 1),
            ("2", "notes", AllPending, 1),
            ("3", "note_colour", AllPending, 1),
            ("4", "archive", AllPending, 1),
        ],
    );
    is(
        of("d1", Dialect::D1),
        [
            ("0001_notebooks.sql", "0001_notebooks.sql", Each, 1),
            ("0002_notes.sql", "0002_notes.sql", Each, 1),
            ("0010_note_colour.sql", "0010_note_colour.sql", Each, 1),
            ("0011_archive.sql", "0011_archive.sql", Each, 1),
        ],
    );
    is(
        of("drizzle", Dialect::Drizzle),
        [
            ("1795279712750", "step1", AllPending, 1),
            ("1795279738571", "step2", AllPending, 1),
            ("1795279792610", "step3", AllPending, 2),
            ("1795279852589", "step4", AllPending, 6),
        ],
    );
    is(
        of("drizzle-folders", Dialect::Drizzle),
        [
            ("20261121165733_step1", "step1", AllPending, 1),
            ("20261121165752_step2", "step2", AllPending, 1),
            ("20261121165824_step3", "step3", AllPending, 2),
            ("20261121165854_step4", "step4", AllPending, 6),
        ],
    );
    is(
        of("prisma", Dialect::Prisma),
        [
            ("20240101000001_notebooks", "notebooks", None, 1),
            ("20240101000002_notes", "notes", None, 1),
            ("20240101000003_note_colour", "note_colour", None, 1),
            ("20240101000004_archive", "archive", None, 1),
        ],
    );
    is(
        of("dbmate", Dialect::Dbmate),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240101000003", "note_colour", Each, 1),
            ("20240101000004", "archive", None, 1),
        ],
    );
    let goose = of("goose", Dialect::Goose);
    assert_eq!((goose[3].2, goose[3].3), (Each, 2), "a column and a trigger");
    assert_eq!((goose[4].2, goose[4].3), (None, 4));
}

/// The scripts are SQL that SQLite takes, and give what the tools gave.
#[test]
fn the_scripts_run_in_their_order() {
    for (folder, _, dialect) in WRITTEN {
        let store = Store::of("");
        for known in Migrations::of(folder).known(*dialect).known {
            let Script::Sql { batches, .. } = known.script else {
                panic!("{}", known.file.display())
            };
            for sql in batches {
                store.run(&sql);
            }
        }
        let tables: Vec<String> = store.tables().into_iter().map(|table| table.name).collect();
        let mut tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        tables.sort_unstable();
        assert_eq!(tables, ["notebooks", "notes"], "{folder}");
    }
}

#[test]
fn foreign_keys_are_on_or_off_as_each_tool_was_seen_to_have_them() {
    let off: Vec<Dialect> = Dialect::all().filter(|dialect| !dialect.foreign_keys()).collect();
    assert_eq!(off, [Dialect::GolangMigrate, Dialect::Goose, Dialect::Dbmate]);
}

#[test]
fn golang_migrate_says_dirty_and_the_version_is_in_doubt() {
    let store = Store::written("golang-migrate/ledger-dirty");
    let migrations = Migrations::of("golang-migrate");
    let standing = migrations.standing(Dialect::GolangMigrate, &store);
    assert_eq!(standing.state, State::Dirty(Key::number(4)));
    assert_eq!(texts(&standing.applied), ["1", "2", "3"]);
    assert!(standing.pending.is_empty() && standing.unknown.is_empty());
    // On the way down from the first version there is none left.
    store.run("UPDATE schema_migrations SET version = -1");
    let standing = migrations.standing(Dialect::GolangMigrate, &store);
    assert_eq!(standing.state, State::Dirty(Key::number(-1)));
    assert!(standing.applied.is_empty() && standing.unknown.is_empty());
    assert_eq!(texts(&standing.pending), ["1", "2", "3", "4"]);
}

#[test]
fn golang_migrate_with_no_row_has_applied_nothing_and_with_two_says_nothing() {
    let store = Store::written("golang-migrate/ledger");
    store.run("DELETE FROM schema_migrations");
    assert_eq!(store.applied().entries, []);
    store.run("INSERT INTO schema_migrations VALUES (0, 0)");
    assert_eq!(
        store.applied().keys().map(Key::as_str).collect::<Vec<_>>(),
        ["0"],
        "version 0 is a version"
    );
    store.run("INSERT INTO schema_migrations VALUES (7, 0)");
    assert!(store.fault().contains("2 rows"), "{}", store.fault());
}

#[test]
fn prisma_counts_attempts() {
    let migrations = Migrations::of("prisma");
    let failed = Store::written("prisma/ledger-failed");
    let standing = migrations.standing(Dialect::Prisma, &failed);
    assert_eq!(standing.state, State::Failed(Key::text("20240101000004_archive")));
    assert!(standing.pending.is_empty() && standing.unknown.is_empty(), "{standing:?}");
    assert_eq!(standing.applied.len(), 3);

    let again = Store::written("prisma/ledger-again");
    let standing = migrations.standing(Dialect::Prisma, &again);
    assert_eq!((standing.state, standing.applied.len(), standing.pending.len()), (State::Clean, 4, 0));
    assert_eq!(again.applied().notes, [Note::Repeated(Key::text("20240101000004_archive"), 2)]);

    // Rolled back and not tried again: it is pending, as if it had never been.
    again.run("DELETE FROM _prisma_migrations WHERE migration_name LIKE '%archive' AND finished_at IS NOT NULL");
    let standing = migrations.standing(Dialect::Prisma, &again);
    assert_eq!((standing.state, texts(&standing.pending)), (State::Clean, vec!["20240101000004_archive"]));
    assert_eq!(again.applied().notes, [Note::RolledBack(Key::text("20240101000004_archive"))]);
}

#[test]
fn goose_goes_by_the_newest_row_and_version_0_is_no_migration() {
    let store = Store::written("goose/ledger");
    store.run("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4, 0), (3, 0), (3, 1)");
    let applied = store.applied();
    assert_eq!(applied.keys().map(Key::as_str).collect::<Vec<_>>(), ["1", "2", "3"]);
    let notes = [
        Note::Repeated(Key::number(3), 3),
        Note::Repeated(Key::number(4), 2),
        Note::RolledBack(Key::number(4)),
    ];
    assert_eq!(applied.notes, notes);
    store.run("DELETE FROM goose_db_version WHERE version_id = 0");
    assert_eq!(store.applied().notes[0], Note::NoZeroRow);
}

#[test]
fn sqlx_says_what_failed_and_a_missing_time_is_no_damage() {
    let store = Store::written("sqlx/ledger");
    store.run("UPDATE _sqlx_migrations SET execution_time = -1 WHERE version = 20240101000002");
    assert_eq!(store.applied().notes, [Note::NoTime(Key::number(20_240_101_000_002_i64))]);
    store.run("UPDATE _sqlx_migrations SET success = 0 WHERE version > 20240101000001");
    let applied = store.applied();
    assert_eq!(applied.state, State::Failed(Key::number(20_240_101_000_002_i64)), "the first of them");
    assert_eq!(applied.entries.len(), 1);
}

#[test]
fn drizzles_ledgers_and_folders_of_different_layouts_still_meet() {
    // The old ledger under the folders that the new drizzle-kit made of the old ones: matched by the second.
    let upgraded = Migrations::of("drizzle-upgraded");
    let standing = upgraded.standing(Dialect::Drizzle, &Store::written("drizzle/ledger"));
    assert_eq!((standing.applied.len(), standing.unknown.len(), standing.pending.len()), (3, 0, 1));
    // The upgraded ledger under the old folder: the old drizzle reads the times.
    let old = Migrations::of("drizzle");
    let standing = old.standing(Dialect::Drizzle, &Store::written("drizzle-upgraded/ledger"));
    assert_eq!((standing.applied.len(), standing.unknown.len(), standing.pending.len()), (3, 0, 1));
    // Another set of folders: only the one of the same content is found, by its hash. drizzle itself refuses the others.
    let other = Migrations::of("drizzle-folders");
    let standing = other.standing(Dialect::Drizzle, &Store::written("drizzle/ledger"));
    assert_eq!(texts(&standing.applied), ["20261121165824_step3"]);
    assert_eq!(texts(&standing.unknown), ["1795279712750", "1795279738571"]);
}

#[test]
fn drizzles_ids_may_be_null_and_its_times_of_either_kind() {
    let store = Store::written("drizzle/ledger");
    store.run("CREATE TABLE copy AS SELECT * FROM __drizzle_migrations; DELETE FROM __drizzle_migrations;");
    store.run("INSERT INTO __drizzle_migrations SELECT id, hash, created_at FROM copy; DROP TABLE copy;");
    let before = store.applied();
    let recognised = store.recognised().unwrap();
    let mut rows = store.rows(&recognised);
    for row in &mut rows {
        let Value::Integer(when) = row[1] else {
            panic!("{row:?}")
        };
        #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
        let real = when as f64;
        row[1] = Value::Real(real);
    }
    assert_eq!(recognised.read(&rows).unwrap(), before);
    store.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 1.5)");
    assert!(
        store.fault().contains("row 4: created_at is a floating-point number"),
        "{}",
        store.fault()
    );
}

#[test]
fn a_malformed_ledger_names_the_row_and_the_column_and_never_the_value() {
    for (ledger, change, wanted) in [
        (
            "sqlx/ledger",
            "UPDATE _sqlx_migrations SET version = 'secret' WHERE version LIKE '%1'",
            "row 1: version is text, not an integer",
        ),
        (
            "sqlx/ledger",
            "UPDATE _sqlx_migrations SET checksum = 'secret'",
            "row 1: checksum is text, not a blob",
        ),
        (
            "sqlx/ledger",
            "UPDATE _sqlx_migrations SET version = NULL",
            "row 1: version is NULL, not an integer",
        ),
        (
            "golang-migrate/ledger",
            "UPDATE schema_migrations SET version = 'secret'",
            "row 1: version is text, not an integer",
        ),
        (
            "golang-migrate/ledger",
            "UPDATE schema_migrations SET version = -2",
            "row 1: version is below 0",
        ),
        (
            "golang-migrate/ledger",
            "UPDATE schema_migrations SET dirty = NULL",
            "row 1: dirty is NULL, not an integer",
        ),
        (
            "goose/ledger",
            "UPDATE goose_db_version SET version_id = 'secret' WHERE id = 2",
            "row 2: version_id is text, not an integer",
        ),
        (
            "d1/ledger",
            "UPDATE d1_migrations SET name = NULL WHERE id = 3",
            "row 3: name is NULL, not text",
        ),
        ("d1/ledger", "UPDATE d1_migrations SET name = '' WHERE id = 3", "row 3: name is empty"),
        (
            "d1/ledger",
            "UPDATE d1_migrations SET name = x'00' WHERE id = 3",
            "row 3: name is a blob, not text",
        ),
        (
            "d1/ledger",
            "UPDATE d1_migrations SET name = CAST(x'ff' AS TEXT) WHERE id = 3",
            "row 3: name is text that is not UTF-8",
        ),
        (
            "d1/ledger",
            "UPDATE d1_migrations SET name = hex(zeroblob(300)) WHERE id = 3",
            "row 3: name is longer than any version or name, not text",
        ),
        (
            "dbmate/ledger",
            "UPDATE schema_migrations SET version = NULL WHERE version LIKE '%2'",
            "row 2: version is NULL, not text",
        ),
        (
            "drizzle/ledger",
            "UPDATE __drizzle_migrations SET created_at = NULL",
            "row 1: created_at is NULL, not an integer",
        ),
        (
            "prisma/ledger",
            "UPDATE _prisma_migrations SET checksum = x'00'",
            "row 1: checksum is a blob, not text",
        ),
        (
            "refinery/ledger",
            "UPDATE refinery_schema_history SET checksum = 'secret'",
            "row 1: checksum is not a decimal number",
        ),
        (
            "refinery/ledger",
            "UPDATE refinery_schema_history SET applied_on = NULL",
            "row 1: applied_on is NULL, not text",
        ),
        ("rusqlite_migration/ledger", "PRAGMA user_version = -1", "user_version is below 0"),
    ] {
        let store = Store::written(ledger);
        store.run(change);
        let fault = store.fault();
        assert!(fault.starts_with(wanted) && !fault.contains("secret"), "{ledger}: {fault}");
    }
}

#[test]
fn a_date_at_which_refinery_ends_with_a_panic_is_noted() {
    let store = Store::written("refinery/ledger");
    store.run("UPDATE refinery_schema_history SET applied_on = 'yesterday' WHERE version = 2");
    assert_eq!(store.applied().notes, [Note::BadDate(Key::number(2))]);
}

#[test]
fn a_ledger_is_read_in_bounds_and_past_its_indexes() {
    let store = Store::written("dbmate/ledger");
    store.run(
        "INSERT INTO schema_migrations WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         SELECT printf('%06d', i) FROM n",
    );
    let recognised = store.recognised().unwrap();
    let sql = recognised.select().unwrap();
    assert!(sql.contains(" NOT INDEXED LIMIT "), "{sql}");
    assert_eq!(store.rows(&recognised).len(), MOST_ROWS + 1);
    assert!(store.fault().contains("more than 50000 rows"), "{}", store.fault());
}

#[test]
fn every_fixture_says_which_tool_wrote_it() {
    let mut seen = 0;
    let mut folders = vec![fixtures()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_migrations = path.components().any(|part| part.as_os_str() == Path::new("migrations"));
            if path.is_dir() {
                folders.push(path);
            } else if !is_migrations && path.extension().is_some_and(|end| end == "sql") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    text.starts_with("-- Written by ") || text.starts_with("-- Not written by "),
                    "{}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}
