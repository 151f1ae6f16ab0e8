//! Compares the tools' own ledgers with the folders that they were made from.

use crate::migrations::checksum::ContentChange;
use crate::migrations::dialects::d1::D1;
use crate::migrations::dialects::dbmate::DBMATE;
use crate::migrations::dialects::diesel::DIESEL;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::golang_migrate::GOLANG_MIGRATE;
use crate::migrations::dialects::goose::GOOSE;
use crate::migrations::dialects::prisma::PRISMA;
use crate::migrations::dialects::refinery::REFINERY;
use crate::migrations::dialects::sqlx::SQLX;
use crate::migrations::dialects::tests::harness::{Migrations, Store, WRITTEN, texts, windows};
use crate::migrations::dialects::user_version::USER_VERSION;
use crate::migrations::dialects::{Dialect, TOOLS};
use crate::migrations::key::MigrationKey;
use crate::migrations::known::Script;
use crate::migrations::ledger::{LedgerNote, LedgerState};
use crate::migrations::steps::Transaction;

#[test]
fn what_a_tool_applied_is_applied_and_the_rest_is_pending() {
    for (folder, ledger, dialect) in WRITTEN {
        let store = Store::written(&format!("{folder}/{ledger}"));
        let migrations = Migrations::of(folder);
        let keys: Vec<MigrationKey> = migrations.known(dialect).known.into_iter().map(|known| known.key).collect();
        let (last, applied) = keys.split_last().unwrap();
        let diff = migrations.diff(dialect, &store);
        assert_eq!(diff.applied, applied, "{folder}/{ledger}");
        assert_eq!(diff.pending, std::slice::from_ref(last), "{folder}/{ledger}");
        assert_eq!(diff.state, LedgerState::Clean);
        let nothing_else = diff.unknown.is_empty() && diff.gaps.is_empty() && diff.never_run.is_empty();
        assert!(
            nothing_else && diff.edited.is_empty() && diff.twice.is_empty(),
            "{folder}/{ledger}: {diff:?}"
        );
        assert!(migrations.known(dialect).not_replayable().is_empty(), "{folder}");
    }
}

#[test]
fn the_checksums_are_those_that_the_tools_wrote() {
    let mut compared = 0;
    for (folder, ledger, dialect) in WRITTEN {
        let known = Migrations::of(folder).known(dialect).known;
        for entry in Store::written(&format!("{folder}/{ledger}")).applied().entries {
            let Some(checksum) = entry.checksum else { continue };
            let known = known.iter().find(|known| known.key == entry.key).unwrap();
            assert!(known.checksums.own.contains(&checksum), "{folder}/{ledger} {}", known.key.as_text());
            if *folder != "drizzle-upgraded" {
                // An upgraded ledger keeps its old times, to the millisecond.
                assert_eq!(known.when, entry.when, "{folder}/{ledger} {}", known.key.as_text());
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 8, "sqlx, refinery twice, Prisma, and drizzle four times");
}

#[test]
fn windows_line_ends_are_told_from_a_change_either_way() {
    for (folder, dialect) in [
        ("sqlx", &SQLX),
        ("refinery", &REFINERY),
        ("prisma", &PRISMA),
        ("drizzle", &DRIZZLE),
    ] {
        let unix = Migrations::of(folder);
        let with_returns = Migrations::of(folder);
        for known in with_returns.known(dialect).known {
            with_returns.edit(&known.file, windows);
        }
        let written_by_windows = Store::written(&format!("{folder}/ledger-crlf"));
        let written_by_unix = Store::written(&format!("{folder}/ledger"));
        for (migrations, store) in [(&unix, &written_by_windows), (&with_returns, &written_by_unix)] {
            let edited = migrations.diff(dialect, store).edited;
            let line_ends = edited.iter().filter(|edited| edited.difference == ContentChange::LineEnds).count();
            assert_eq!((edited.len(), line_ends), (3, 3), "{folder}");
        }
        for (migrations, store) in [(&unix, &written_by_unix), (&with_returns, &written_by_windows)] {
            assert_eq!(migrations.diff(dialect, store).edited, [], "{folder}");
        }
    }
}

fn shown(migrations: &Migrations, dialect: &'static Dialect) -> Vec<(String, String, Transaction, usize)> {
    let known = migrations.known(dialect).known.into_iter();
    known
        .map(|known| match known.script {
            Script::Sql { batches, transaction } => {
                (known.key.as_text().into_owned(), known.name, transaction, batches.len())
            }
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
        of("sqlx", &SQLX),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240101000003", "note colour", Each, 1),
            ("20240101000004", "archive", None, 1),
        ],
    );
    is(
        of("golang-migrate", &GOLANG_MIGRATE),
        [
            ("1", "notebooks", Each, 1),
            ("2", "notes", Each, 1),
            ("3", "note_colour", Each, 1),
            ("4", "archive", Each, 1),
        ],
    );
    is(
        of("diesel", &DIESEL),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240102", "000003_note_colour", Each, 1),
            ("202401030000040000", "archive", None, 1),
        ],
    );
    is(
        of("refinery", &REFINERY),
        [
            ("1", "notebooks", Each, 1),
            ("2", "notes", Each, 1),
            ("3", "note_colour", Each, 1),
            ("10", "archive", Each, 1),
        ],
    );
    is(
        of("rusqlite_migration", &USER_VERSION),
        [
            ("1", "notebooks", AllPending, 1),
            ("2", "notes", AllPending, 1),
            ("3", "note_colour", AllPending, 1),
            ("4", "archive", AllPending, 1),
        ],
    );
    is(
        of("d1", &D1),
        [
            ("0001_notebooks.sql", "0001_notebooks.sql", Each, 1),
            ("0002_notes.sql", "0002_notes.sql", Each, 1),
            ("0010_note_colour.sql", "0010_note_colour.sql", Each, 1),
            ("0011_archive.sql", "0011_archive.sql", Each, 1),
        ],
    );
    is(
        of("drizzle", &DRIZZLE),
        [
            ("1795279712750", "step1", AllPending, 1),
            ("1795279738571", "step2", AllPending, 1),
            ("1795279792610", "step3", AllPending, 2),
            ("1795279852589", "step4", AllPending, 6),
        ],
    );
    is(
        of("drizzle-folders", &DRIZZLE),
        [
            ("20261121165733_step1", "step1", AllPending, 1),
            ("20261121165752_step2", "step2", AllPending, 1),
            ("20261121165824_step3", "step3", AllPending, 2),
            ("20261121165854_step4", "step4", AllPending, 6),
        ],
    );
    is(
        of("prisma", &PRISMA),
        [
            ("20240101000001_notebooks", "notebooks", None, 1),
            ("20240101000002_notes", "notes", None, 1),
            ("20240101000003_note_colour", "note_colour", None, 1),
            ("20240101000004_archive", "archive", None, 1),
        ],
    );
    is(
        of("dbmate", &DBMATE),
        [
            ("20240101000001", "notebooks", Each, 1),
            ("20240101000002", "notes", Each, 1),
            ("20240101000003", "note_colour", Each, 1),
            ("20240101000004", "archive", None, 1),
        ],
    );
    let goose = of("goose", &GOOSE);
    assert_eq!((goose[3].2, goose[3].3), (Each, 2), "a column and a trigger");
    assert_eq!((goose[4].2, goose[4].3), (None, 4));
}

/// The scripts are SQL that SQLite takes, and give what the tools gave.
#[test]
fn the_scripts_run_in_their_order() {
    for (folder, _, dialect) in WRITTEN {
        let store = Store::of("");
        for known in Migrations::of(folder).known(dialect).known {
            let Script::Sql { batches, .. } = known.script else {
                panic!("{}", known.file.display())
            };
            for sql in batches {
                store.run(&sql);
            }
        }
        assert_eq!(store.tables(), ["notebooks", "notes"], "{folder}");
    }
}

#[test]
fn foreign_keys_are_on_or_off_as_each_tool_was_seen_to_have_them() {
    let off = TOOLS.iter().filter(|dialect| !dialect.foreign_keys).map(|dialect| dialect.name);
    assert_eq!(
        off.collect::<Vec<_>>(),
        ["goose", "sql-migrate", "dbmate", "golang-migrate", "maragudk/migrate"]
    );
}

#[test]
fn golang_migrate_says_dirty_and_the_version_is_in_doubt() {
    let store = Store::written("golang-migrate/ledger-dirty");
    let migrations = Migrations::of("golang-migrate");
    let diff = migrations.diff(&GOLANG_MIGRATE, &store);
    assert_eq!(diff.state, LedgerState::Dirty(MigrationKey::number(4)));
    assert_eq!(texts(&diff.applied), ["1", "2", "3"]);
    assert!(diff.pending.is_empty() && diff.unknown.is_empty());
    // On the way down from the first version there is none left.
    store.run("UPDATE schema_migrations SET version = -1");
    let diff = migrations.diff(&GOLANG_MIGRATE, &store);
    assert_eq!(diff.state, LedgerState::Dirty(MigrationKey::number(-1)));
    assert!(diff.applied.is_empty() && diff.unknown.is_empty());
    assert_eq!(texts(&diff.pending), ["1", "2", "3", "4"]);
}

#[test]
fn prisma_counts_attempts() {
    let migrations = Migrations::of("prisma");
    let failed = Store::written("prisma/ledger-failed");
    let diff = migrations.diff(&PRISMA, &failed);
    assert_eq!(diff.state, LedgerState::Failed(MigrationKey::text("20240101000004_archive")));
    assert!(diff.pending.is_empty() && diff.unknown.is_empty(), "{diff:?}");
    assert_eq!(diff.applied.len(), 3);

    let again = Store::written("prisma/ledger-again");
    let diff = migrations.diff(&PRISMA, &again);
    assert_eq!((diff.state, diff.applied.len(), diff.pending.len()), (LedgerState::Clean, 4, 0));

    // Rolled back and not tried again: it is pending, as if it had never been.
    again.run("DELETE FROM _prisma_migrations WHERE migration_name LIKE '%archive' AND finished_at IS NOT NULL");
    let diff = migrations.diff(&PRISMA, &again);
    assert_eq!(
        (diff.state, texts(&diff.pending)),
        (LedgerState::Clean, vec!["20240101000004_archive".into()])
    );
    assert_eq!(again.applied().notes, [LedgerNote::RolledBack(1)]);
}

#[test]
fn drizzles_ledgers_and_folders_of_different_layouts_still_meet() {
    // The old ledger under the folders that the new drizzle-kit made of the old ones: matched by the second.
    let upgraded = Migrations::of("drizzle-upgraded");
    let diff = upgraded.diff(&DRIZZLE, &Store::written("drizzle/ledger"));
    assert_eq!((diff.applied.len(), diff.unknown.len(), diff.pending.len()), (3, 0, 1));
    // The upgraded ledger under the old folder: the old drizzle reads the times.
    let old = Migrations::of("drizzle");
    let diff = old.diff(&DRIZZLE, &Store::written("drizzle-upgraded/ledger"));
    assert_eq!((diff.applied.len(), diff.unknown.len(), diff.pending.len()), (3, 0, 1));
    // Another set of folders: only the one of the same content is found, by its hash. drizzle itself refuses the others.
    let other = Migrations::of("drizzle-folders");
    let diff = other.diff(&DRIZZLE, &Store::written("drizzle/ledger"));
    assert_eq!(texts(&diff.applied), ["20261121165824_step3"]);
    assert_eq!(texts(&diff.unknown), ["1795279712750", "1795279738571"]);
}
