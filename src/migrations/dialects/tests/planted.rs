//! Faults that no tool reports: each planted into a ledger and a folder that a tool made.

use std::path::Path;

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
use crate::migrations::dialects::tests::harness::{Migrations, Store, WRITTEN, texts};
use crate::migrations::dialects::user_version::USER_VERSION;
use crate::migrations::dialects::{Dialect, Response};
use crate::migrations::diff::{LedgerDiff, NeverRunReason};
use crate::migrations::known::{KnownMigration, KnownSet, Script, SkipReason};
use crate::migrations::steps::Transaction;

fn known(migrations: &Migrations, dialect: &'static Dialect) -> Vec<KnownMigration> {
    migrations.known(dialect).known
}

/// A folder with a ledger of its own, and what was made of it.
fn written() -> impl Iterator<Item = (Migrations, Store, &'static Dialect)> {
    WRITTEN.iter().map(|(folder, ledger, dialect)| {
        (Migrations::of(folder), Store::written(&format!("{folder}/{ledger}")), *dialect)
    })
}

#[test]
fn an_applied_migration_that_is_not_in_the_folder_is_unknown() {
    for (migrations, store, dialect) in written() {
        let all = known(&migrations, dialect);
        // The newest that was applied: for a ledger that keeps only that, the one that can be seen.
        let lost = &all[all.len() - 2];
        migrations.remove(&lost.file);
        if dialect == &GOLANG_MIGRATE {
            // A version is there as long as one can come down from it.
            migrations.remove(Path::new("000003_note_colour.down.sql"));
        }
        if dialect == &USER_VERSION {
            // Places alone are known: the file behind it would take its place.
            migrations.remove(&all[all.len() - 1].file);
        }
        if dialect == &DRIZZLE && lost.key.as_number().is_some() {
            leave_out_of_the_journal(&migrations, "0002_step3");
        }
        let diff = migrations.diff(dialect, &store);
        assert_eq!(diff.unknown, std::slice::from_ref(&lost.key), "{}", dialect.name);
        assert_eq!(diff.applied.len(), all.len() - 2, "{}", dialect.name);
    }
}

fn leave_out_of_the_journal(migrations: &Migrations, tag: &str) {
    migrations.edit(Path::new("meta/_journal.json"), |text| {
        let mut journal: serde_json::Value = serde_json::from_str(text).unwrap();
        journal["entries"].as_array_mut().unwrap().retain(|entry| entry["tag"] != tag);
        journal.to_string()
    });
}

/// The second migration was never applied; each tool does something else about it, as it was seen to do.
#[test]
fn a_gap_is_what_the_tool_makes_of_it() {
    for (folder, ledger, dialect) in WRITTEN {
        let forget = match dialect.name {
            // They keep the latest version alone: nothing to see.
            "golang-migrate" | "user_version" => continue,
            "goose" => "DELETE FROM goose_db_version WHERE version_id = 2".to_owned(),
            _ => {
                let table = Store::written(&format!("{folder}/{ledger}")).ledger().unwrap();
                format!("DELETE FROM \"{table}\" WHERE rowid = 2")
            }
        };
        let store = Store::written(&format!("{folder}/{ledger}"));
        store.run(&forget);
        let migrations = Migrations::of(folder);
        let all = known(&migrations, dialect);
        let gap = std::slice::from_ref(&all[1].key);
        let diff = migrations.diff(dialect, &store);
        let pending = diff.pending.contains(&all[1].key);
        let never: Vec<_> = diff.never_run.iter().filter_map(|never| never.key.clone()).collect();
        assert_eq!(diff.gaps, gap, "{folder}");
        let is = (diff.on_gap, pending, never == gap);
        let wanted = match (*folder, dialect.name) {
            ("drizzle", _) => (Response::Ignores, false, true),
            (_, "goose" | "refinery") => (Response::Refuses, false, false),
            _ => (Response::Runs, true, false),
        };
        assert_eq!(is, wanted, "{folder}");
    }
}

#[test]
fn refinery_runs_behind_later_ones_what_begins_with_u() {
    let store = Store::written("refinery/ledger");
    store.run("DELETE FROM refinery_schema_history WHERE version = 2");
    let migrations = Migrations::of("refinery");
    migrations.rename(Path::new("V2__notes.sql"), Path::new("U2__notes.sql"));
    let diff = migrations.diff(&REFINERY, &store);
    assert_eq!((texts(&diff.pending), diff.gaps), (vec!["2".into(), "10".into()], vec![]));
}

#[test]
fn an_edited_file_is_told_by_content_or_by_line_ends_where_there_is_a_checksum() {
    for (migrations, store, dialect) in written() {
        let all = known(&migrations, dialect);
        let has_checksums = !all[0].checksums.own.is_empty();
        let expect = |difference| -> Vec<_> { if has_checksums { vec![difference] } else { vec![] } };
        let differences = |diff: &LedgerDiff| -> Vec<_> {
            diff.edited.iter().map(|edited| (edited.key.clone(), edited.difference)).collect()
        };
        migrations.edit(&all[1].file, |text| text.replace('\n', "\r\n"));
        let diff = migrations.diff(dialect, &store);
        assert_eq!(
            differences(&diff),
            expect((all[1].key.clone(), ContentChange::LineEnds)),
            "{}",
            dialect.name
        );
        migrations.edit(&all[1].file, |text| text.replacen("CREATE", "CREATE ", 1));
        let diff = migrations.diff(dialect, &store);
        assert_eq!(
            differences(&diff),
            expect((all[1].key.clone(), ContentChange::Content)),
            "{}",
            dialect.name
        );
        // What is pending may change.
        let last = &all[all.len() - 1];
        migrations.edit(&all[1].file, |text| text.replacen("CREATE ", "CREATE", 1).replace("\r\n", "\n"));
        migrations.edit(&last.file, |text| format!("{text}\n"));
        assert_eq!(migrations.diff(dialect, &store).edited, [], "{}", dialect.name);
    }
}

#[test]
fn what_a_tool_makes_of_an_edited_file_is_said_with_it() {
    for (folder, dialect, by_line_ends, by_content) in [
        ("sqlx", &SQLX, Response::Refuses, Response::Refuses),
        ("refinery", &REFINERY, Response::Refuses, Response::Refuses),
        ("prisma", &PRISMA, Response::Ignores, Response::Warns),
        ("drizzle", &DRIZZLE, Response::Ignores, Response::Ignores),
    ] {
        let migrations = Migrations::of(folder);
        let store = Store::written(&format!("{folder}/ledger"));
        let all = known(&migrations, dialect);
        migrations.edit(&all[0].file, |text| text.replace('\n', "\r\n"));
        migrations.edit(&all[1].file, |text| format!("{text};"));
        let responses: Vec<_> = migrations.diff(dialect, &store).edited.iter().map(|edited| edited.response).collect();
        assert_eq!(responses, [by_line_ends, by_content], "{folder}");
    }
}

#[test]
fn a_failed_migration_is_said_and_is_neither_applied_nor_pending() {
    let store = Store::written("sqlx/ledger");
    store.run("UPDATE _sqlx_migrations SET success = 0 WHERE version = 20240101000003");
    let migrations = Migrations::of("sqlx");
    let diff = migrations.diff(&SQLX, &store);
    assert_eq!(texts(&diff.applied), ["20240101000001", "20240101000002"]);
    assert_eq!(texts(&diff.pending), ["20240101000004"]);
    // A failed one of a later release is unknown too.
    store.run("UPDATE _sqlx_migrations SET version = 99999999999999 WHERE success = 0");
    assert_eq!(texts(&migrations.diff(&SQLX, &store).unknown), ["99999999999999"]);
}

#[test]
fn an_empty_ledger_has_everything_pending() {
    for (folder, ledger, dialect) in WRITTEN {
        let store = Store::written(&format!("{folder}/{ledger}"));
        match store.ledger() {
            Some(table) => store.run(&format!("DELETE FROM \"{table}\"")),
            None => continue,
        }
        let migrations = Migrations::of(folder);
        let diff = migrations.diff(dialect, &store);
        assert_eq!(diff.pending.len(), known(&migrations, dialect).len(), "{folder}");
        assert!(diff.gaps.is_empty() && diff.applied.is_empty(), "{folder}");
    }
}

#[test]
fn two_files_of_one_version_are_said_with_what_the_tool_does() {
    for (folder, dialect, first, second, response) in [
        ("sqlx", &SQLX, "20240101000002_notes.sql", "20240101000002_again.sql", Response::Refuses),
        (
            "golang-migrate",
            &GOLANG_MIGRATE,
            "000002_notes.up.sql",
            "2_again.up.sql",
            Response::Refuses,
        ),
        ("goose", &GOOSE, "00002_notes.sql", "2_again.sql", Response::Refuses),
        ("refinery", &REFINERY, "V2__notes.sql", "V02__again.sql", Response::Refuses),
        (
            "dbmate",
            &DBMATE,
            "20240101000002_notes.sql",
            "20240101000002again.sql",
            Response::Refuses,
        ),
        (
            "diesel",
            &DIESEL,
            "2024-01-01-000002_notes/up.sql",
            "2024-01-01000002_again/up.sql",
            Response::Ignores,
        ),
    ] {
        let migrations = Migrations::of(folder);
        let text = std::fs::read_to_string(migrations.path().join(first)).unwrap();
        migrations.write(second, &text);
        let diff = migrations.diff(dialect, &Store::written(&format!("{folder}/ledger")));
        let [twice] = diff.twice.as_slice() else {
            panic!("{folder}: {:?}", diff.twice)
        };
        let mut files: Vec<_> = twice.files.iter().map(|file| file.to_str().unwrap()).collect();
        files.sort_unstable();
        let mut wanted = [first, second];
        wanted.sort_unstable();
        assert_eq!((files.as_slice(), twice.response), (wanted.as_slice(), response), "{folder}");
        assert_eq!(diff.applied.len(), 3 + usize::from(folder == "goose"), "{folder}: once, and not twice");
    }
    // D1 calls them by their whole names: two files of one number are two migrations.
    let migrations = Migrations::of("d1");
    migrations.write("0002_again.sql", "SELECT 1;");
    let diff = migrations.diff(&D1, &Store::written("d1/ledger"));
    assert_eq!((diff.twice.len(), texts(&diff.gaps)), (0, vec!["0002_again.sql".into()]));
}

#[test]
fn drizzle_never_runs_what_is_older_or_not_in_its_journal() {
    let migrations = Migrations::of("drizzle");
    migrations.edit(Path::new("meta/_journal.json"), |text| {
        let mut journal: serde_json::Value = serde_json::from_str(text).unwrap();
        let late = serde_json::json!({"idx": 4, "version": "6", "when": 1_700_000_000_000_i64, "tag": "0004_late", "breakpoints": true});
        journal["entries"].as_array_mut().unwrap().push(late);
        journal.to_string()
    });
    migrations.write("0004_late.sql", "CREATE TABLE late (x);");
    migrations.write("0005_forgotten.sql", "CREATE TABLE forgotten (x);");
    let diff = migrations.diff(&DRIZZLE, &Store::written("drizzle/ledger"));
    let never: Vec<_> = diff.never_run.iter().map(|never| (never.file.to_str().unwrap(), never.why)).collect();
    assert_eq!(
        never,
        [
            ("0004_late.sql", NeverRunReason::Older),
            ("0005_forgotten.sql", NeverRunReason::NotInJournal)
        ]
    );
    assert_eq!(texts(&diff.pending), ["1795279852589"]);
    // In a store that has nothing yet, it is run: the journal's order is the tool's.
    let fresh = Store::written("drizzle/ledger");
    fresh.run("DELETE FROM __drizzle_migrations");
    assert_eq!(migrations.diff(&DRIZZLE, &fresh).pending.len(), 5);
}

#[test]
fn drizzles_files_lie_under_d1s_ledger() {
    let store = Store::written("d1/ledger");
    store.run(
        "DELETE FROM d1_migrations; INSERT INTO d1_migrations (name) VALUES ('0000_step1.sql'), ('0001_step2.sql')",
    );
    let diff = Migrations::of("drizzle").diff(&D1, &store);
    assert_eq!(texts(&diff.applied), ["0000_step1.sql", "0001_step2.sql"]);
    assert_eq!(texts(&diff.pending), ["0002_step3.sql", "0003_step4.sql"]);
}

#[test]
fn golang_migrates_files_with_a_begin_of_their_own_were_never_wrapped() {
    let migrations = Migrations::of("golang-migrate");
    migrations.edit(Path::new("000004_archive.up.sql"), |text| format!("BEGIN;\n{text}COMMIT;\n"));
    let transactions: Vec<_> = known(&migrations, &GOLANG_MIGRATE)
        .into_iter()
        .map(|known| match known.script {
            Script::Sql { transaction, .. } => transaction,
            Script::NotReplayable(why) => panic!("{why:?}"),
        })
        .collect();
    let bare = Transaction::None;
    assert_eq!(transactions, [bare, bare, bare, Transaction::OwnInFile]);
    // A version that one only comes down from is a version, and runs nothing.
    migrations.write("000005_down.down.sql", "SELECT 1;");
    let last = known(&migrations, &GOLANG_MIGRATE).pop().unwrap();
    assert!(matches!(last.script, Script::Sql { batches, .. } if batches.is_empty()));
}

#[test]
fn steps_in_code_keep_their_place_with_the_language() {
    // To goose and refinery they are versions like any other.
    let goose = Migrations::of("goose");
    goose.write("00006_seed.go", "package migrations");
    goose.write("00006_seed_test.go", "package migrations");
    goose.write("embed.go", "package migrations");
    let set = goose.known(&GOOSE);
    assert_eq!(set.known.len(), 6);
    assert_eq!(set.known[5].script, Script::NotReplayable(SkipReason::Code("Go")));
    let refinery = Migrations::of("refinery");
    refinery.write("later/V11__seed.rs", "pub fn migration() -> String { String::new() }");
    refinery.write("mod.rs", "");
    let set = refinery.known(&REFINERY);
    let found = set.not_replayable();
    assert_eq!(
        (found.len(), found[0].file.to_str(), &*found[0].key.as_text()),
        (1, Some("later/V11__seed.rs"), "11")
    );
    // To others they are hooks of the application at a version, or stand where no migration is.
    let stash = Migrations::of("golang-migrate");
    stash.write("2_postmigrate.go", "package migrations");
    stash.write("000003_pre.ts", "");
    stash.write("9_later.py", "");
    stash.write("migrations.go", "package migrations");
    let found: Vec<_> = stash.known(&GOLANG_MIGRATE).not_replayable();
    let found: Vec<_> = found.iter().map(|one| (one.key.as_text().into_owned(), one.why.words())).collect();
    let step = |language: &str| format!("is a step in {language}");
    assert_eq!(
        found,
        [
            ("2".to_owned(), step("Go")),
            ("3".to_owned(), step("TypeScript")),
            ("9".to_owned(), step("Python"))
        ]
    );
    // In a migration's own folder, any name will do.
    let prisma = Migrations::of("prisma");
    prisma.write("20240101000002_notes/backfill.ts", "");
    let found = prisma.known(&PRISMA).not_replayable();
    assert_eq!((found.len(), &*found[0].key.as_text()), (1, "20240101000002_notes"));
}

#[test]
fn placeholders_and_other_databases_are_not_replayable_and_say_why() {
    let migrations = Migrations::of("sqlx");
    for (name, text) in [
        ("20250101_a.sql", "CREATE TABLE ${prefix}a (x);"),
        ("20250102_b.sql", "CREATE EXTENSION citext;"),
        ("20250103_c.sql", "SELECT 1;\0"),
        ("20250104_d.sql", "INSERT INTO a VALUES ('{\"json\": \"${x}\"}');"),
    ] {
        migrations.write(name, text);
    }
    let found = migrations.known(&SQLX).not_replayable();
    let why: Vec<_> = found.into_iter().map(|one| one.why).collect();
    assert_eq!(
        why,
        [
            SkipReason::Placeholder,
            SkipReason::OtherDatabase("PostgreSQL"),
            SkipReason::Nul
        ]
    );
    // A whole folder that is another database's.
    let prisma = Migrations::of("prisma");
    prisma.edit(Path::new("migration_lock.toml"), |text| text.replace("sqlite", "postgresql"));
    assert_eq!(prisma.known(&PRISMA).not_replayable().len(), 4);
    let drizzle = Migrations::of("drizzle");
    drizzle.edit(Path::new("meta/_journal.json"), |text| text.replace("\"sqlite\"", "\"postgresql\""));
    assert_eq!(drizzle.known(&DRIZZLE).not_replayable().len(), 4);
    // What goose takes from the environment.
    let goose = Migrations::of("goose");
    goose.edit(Path::new("00002_notes.sql"), |text| text.replacen('\n', "\n-- +goose ENVSUB ON\n", 1));
    assert_eq!(goose.known(&GOOSE).not_replayable()[0].why, SkipReason::Environment);
}

#[test]
fn diesels_metadata_without_the_key_means_no_transaction() {
    let folder = "2024-01-01-000002_notes";
    for (text, wanted) in [
        (Some("run_in_transaction = true\n"), Some(Transaction::Each)),
        (Some("# nothing\nother = 1\n"), Some(Transaction::None)),
        (Some("run_in_transaction = maybe"), None),
        (None, Some(Transaction::Each)),
    ] {
        let migrations = Migrations::of("diesel");
        if let Some(text) = text {
            migrations.write(&format!("{folder}/metadata.toml"), text);
        }
        let found = match &known(&migrations, &DIESEL)[1].script {
            Script::Sql { transaction, .. } => Some(*transaction),
            Script::NotReplayable(why) => {
                assert_eq!(*why, SkipReason::Metadata);
                None
            }
        };
        assert_eq!(found, wanted, "{text:?}");
    }
}

#[test]
fn user_version_beyond_the_folder_is_unknown_and_gaps_in_the_numbers_make_it_no_folder_for_it() {
    let store = Store::of("PRAGMA user_version = 9");
    let migrations = Migrations::of("rusqlite_migration");
    let diff = migrations.diff(&USER_VERSION, &store);
    assert_eq!((diff.applied.len(), texts(&diff.unknown)), (4, vec!["9".into()]));
    let flat = Migrations::with(&[
        ("1_a.sql", "SELECT 1;"),
        ("0002-b.sql", "SELECT 1;"),
        ("2_b.down.sql", ""),
        ("3.sql", "SELECT 1;"),
    ]);
    assert_eq!(known(&flat, &USER_VERSION).len(), 3);
    flat.write("5_e.sql", "SELECT 1;");
    let why = KnownSet::of(&flat.read(), &USER_VERSION).unwrap_err();
    assert_eq!(why.file.as_deref(), Some(Path::new("5_e.sql")));
}
