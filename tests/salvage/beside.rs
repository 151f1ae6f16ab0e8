//! A journal or a log beside the store of which the header is damaged.

use std::fs;
use std::process::{Command, Stdio};

use banger_doctor::inside::known;
use banger_doctor::limits::stop::Stop;
use banger_doctor::salvage::{Files, salvage};

use super::random::Random;
use super::saved::save;
use super::stores::{Row, begin, insert, open, rows};
use crate::support::Place;

/// A store in whose file stands what was never committed, its hot journal, and the committed rows.
fn hot() -> (Vec<u8>, Vec<u8>, Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    begin(&path);
    let connection = open(&path);
    connection
        .execute_batch("PRAGMA journal_mode=delete; PRAGMA foreign_keys=OFF; PRAGMA cache_size=5")
        .unwrap();
    for number in 1..=300 {
        insert(&connection, &mut Random(number as u64), number);
    }
    let committed = rows(&connection).into_values().collect();
    connection
        .execute_batch(
            "BEGIN; UPDATE vms SET state = 'stopped', updated_at = '2026-09-09T00:00:00Z'; SELECT count(*) FROM vms",
        )
        .unwrap();
    connection.cache_flush().unwrap();
    let journal = fs::read(folder.path().join("state.db-journal")).unwrap();
    (fs::read(&path).unwrap(), journal, committed)
}

#[test]
fn a_hot_journal_with_a_damaged_header_is_never_passed_over() {
    let (database, journal, committed) = hot();
    let change = |at: usize, to: u8| {
        let mut journal = journal.clone();
        journal[at] = to;
        journal
    };
    let saved = |journal: &Vec<u8>| {
        let mut out = Vec::new();
        let files = Files {
            database: &database,
            journal: Some(journal),
            log: None,
        };
        let account = salvage(files, &known().unwrap(), &mut out, &|| true, &Stop::never()).unwrap();
        super::saved::Saved {
            sql: String::from_utf8(out).unwrap(),
            account,
        }
    };
    let whole = saved(&journal);
    assert!(whole.account.is_complete(), "{:?}", whole.account);
    for (what, journal) in [
        ("magic", change(3, 0)),
        ("sector size", change(20, 1)),
        ("sector size, another legal one", change(22, 4)),
        ("page size", change(25, 1)),
        ("page size, another legal one", change(26, 0x20)),
        ("the size of the database", change(19, 3)),
        ("a size of no pages", change(19, 0)),
        ("a size of many pages", change(17, 9)),
        ("never synced", {
            let mut journal = journal.clone();
            journal[8..12].fill(0xff);
            journal
        }),
    ] {
        let saved = saved(&journal);
        assert!(!saved.account.is_complete(), "{what}: {:?}", saved.account);
        // The records verify all the same.
        assert_eq!(saved.vms().into_values().collect::<Vec<_>>(), committed, "{what}");
    }
    for (what, journal) in [
        ("a record's checksum", change(512 + 4 + 4096, journal[512 + 4 + 4096] ^ 1)),
        ("cut in the first record", journal[..600].to_vec()),
        ("cut in the header", journal[..20].to_vec()),
        ("zeros but for its first byte", {
            let mut zeros = vec![0; journal.len()];
            zeros[0] = 0xd9;
            zeros
        }),
    ] {
        let account = saved(&journal).account;
        assert!(account.uncertain_commits.is_some() && !account.is_complete(), "{what}: {account:?}");
    }
}

#[test]
fn the_account_and_the_report_say_that_the_journal_is_damaged() {
    let (database, mut journal, _) = hot();
    journal.truncate(600);
    let place = Place::new();
    fs::write(place.store(), &database).unwrap();
    fs::write(place.folder().join("state.db-journal"), &journal).unwrap();
    let ran = place.ask(&["--salvage"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("✗ journal") || ran.stderr.contains("FAIL  journal"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the -journal that a crash left is damaged"), "{}", ran.stderr);
    assert!(!place.ask(&[]).stdout.contains("stand whole, "), "the report gives no figures");
    assert!(!place.ask(&[]).stdout.contains(" rows stand whole;"));
}

#[test]
fn a_log_of_which_nothing_verifies_is_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    begin(&path);
    let connection = open(&path);
    connection
        .execute_batch("PRAGMA journal_mode=wal; PRAGMA foreign_keys=OFF; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0")
        .unwrap();
    for number in 1..=50 {
        insert(&connection, &mut Random(number as u64), number);
    }
    let database = fs::read(&path).unwrap();
    let log = fs::read(folder.path().join("state.db-wal")).unwrap();
    let committed = rows(&connection);
    assert_eq!(save(&database, Some(&log)).vms(), committed);
    let change = |at: usize, to: u8| {
        let mut log = log.clone();
        log[at] = to;
        log
    };
    for (what, log) in [("byte order", change(3, log[3] ^ 1)), ("page size", change(10, 0x20))] {
        let saved = save(&database, Some(&log));
        assert!(!saved.account.is_complete(), "{what}: {:?}", saved.account);
        // Without the header's sums, the first frame cannot be verified, and no other can be wrong for that.
        let given = saved.vms();
        assert!(given.len() + 12 > committed.len(), "{what}: {} given", given.len());
        assert!(given.iter().all(|(rowid, row)| committed.get(rowid) == Some(row)), "{what}");
    }
    let mut zeroed = log;
    zeroed[32..].fill(0);
    let saved = save(&database, Some(&zeroed));
    assert!(
        saved.account.uncertain_commits.is_some() && !saved.account.is_complete(),
        "{:?}",
        saved.account
    );
}

#[test]
fn a_closed_output_is_a_mistake_and_no_pass() {
    let place = Place::with(1, 3);
    let line = format!("{} --salvage {} >&-", env!("CARGO_BIN_EXE_doctor"), place.store().display());
    let ran = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(64), "{said}");
    assert!(said.contains("standard output leads nowhere") && !said.contains("PASS"), "{said}");
}
