//! The check `journal`: what SQLite passes over in silence is told, and what is normal after a crash is not.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::asking::{commands, type_command};
use crate::support::damage::{change, flip};
use crate::support::stores::{apply, beside, healthy, hot};
use crate::support::{Place, needs};

/// The length of a log's header, of a frame's header, and of a frame with its page.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + 4096;

/// A store whose log holds what `work` did, and nothing of it is in the database file.
fn log_of(work: impl FnOnce(&Connection)) -> Place {
    let place = Place::new();
    let scratch = TempDir::new().unwrap();
    let source = scratch.path().join("state.db");
    healthy(&source);
    let conn = Connection::open(&source).unwrap();
    conn.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
    work(&conn);
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&source, suffix), beside(&place.store(), suffix)).unwrap();
    }
    place
}

/// A log of three commits, a page each.
fn three_commits() -> Place {
    let place = log_of(|conn| [9004, 9005, 9006].iter().for_each(|id| apply(conn, *id)));
    assert_eq!(fs::read(wal(&place)).unwrap().len(), HEADER + 3 * FRAME);
    place
}

fn wal(place: &Place) -> std::path::PathBuf {
    beside(&place.store(), "-wal")
}

fn journal(place: &Place) -> std::path::PathBuf {
    beside(&place.store(), "-journal")
}

/// The row `journal`, and that it leaves no trace.
fn row(place: &Place) -> String {
    let before = place.footprint();
    let ran = place.doctor().args(["--only", "journal", "--format", "json"]).arg(place.store()).run();
    before.assert_same(&place.footprint(), "the check `journal`");
    let row = ran.row("journal");
    assert_eq!(ran.code, Some(i32::from(row["status"] == "fail")));
    assert_eq!(row["remedy"].is_string(), row["status"] == "fail");
    format!("{}: {}", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap())
}

/// The row of a store whose log has a bit flipped there.
fn flipped(at: usize) -> String {
    let place = three_commits();
    flip(&wal(&place), at);
    row(&place)
}

#[test]
fn a_whole_log_passes_and_says_what_it_holds() {
    assert_snapshot!(row(&three_commits()), @"pass: 3 commits (3 frames) in the WAL");
}

#[test]
fn a_flipped_bit_anywhere_in_a_logs_header_is_told() {
    assert_snapshot!(flipped(0), @"fail: something is wrong with the -wal file: it does not begin like a write-ahead log");
    assert_snapshot!(flipped(3), @"fail: something is wrong with the -wal file: the checksum of its header is wrong, so SQLite ignores every commit in it");
    assert_snapshot!(flipped(7), @"fail: something is wrong with the -wal file: the checksum of its header is wrong, so SQLite ignores every commit in it");
    assert_snapshot!(flipped(10), @"fail: something is wrong with the -wal file: the checksum of its header is wrong, so SQLite ignores every commit in it");
    for byte in 12..HEADER {
        let row = flipped(byte);
        assert_eq!(
            row,
            "fail: something is wrong with the -wal file: the checksum of its header is wrong, so SQLite ignores every commit in it",
            "byte {byte}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_frame_with_commits_behind_it_is_told() {
    for (frame, expected) in [
        (
            0,
            "frame 1 is damaged: SQLite reads 0 commits (0 frames) before it, and silently ignores 2 commits (2 frames)",
        ),
        (
            1,
            "frame 2 is damaged: SQLite reads 1 commit (1 frame) before it, and silently ignores 1 commit (1 frame)",
        ),
    ] {
        let begins = HEADER + frame * FRAME;
        let in_header = 0..FRAME_HEADER;
        let in_page = [FRAME_HEADER, FRAME_HEADER + 1, FRAME_HEADER + 2048, FRAME - 1];
        for at in in_header.chain(in_page) {
            let row = flipped(begins + at);
            assert!(row.contains(expected), "byte {at} of frame {frame}: {row}");
        }
    }
}

#[test]
fn damage_to_the_last_commit_is_told_by_the_index() {
    let place = three_commits();
    flip(&wal(&place), HEADER + 2 * FRAME + 1000);
    assert_snapshot!(row(&place), @"fail: something is wrong with the -wal file: 2 commits (2 frames) can be read, but the -shm index counts 1 more frame as committed: damaged or cut off");
    // Without the index it looks as if the last transaction had never been committed: nothing can tell.
    fs::remove_file(beside(&place.store(), "-shm")).unwrap();
    assert_snapshot!(row(&place), @"pass: 2 commits (2 frames) in the WAL");
}

#[test]
fn a_log_that_was_cut_is_told_by_the_index() {
    for length in [HEADER + 2 * FRAME, HEADER + 2 * FRAME - 1, HEADER + 3 * FRAME - 1] {
        let place = three_commits();
        change(&wal(&place), |bytes| bytes.truncate(length));
        let row = row(&place);
        assert!(row.contains("but the -shm index counts"), "cut at {length}: {row}");
    }
    let place = three_commits();
    change(&wal(&place), |bytes| bytes.truncate(HEADER + FRAME));
    assert_snapshot!(row(&place), @"fail: something is wrong with the -wal file: 1 commit (1 frame) can be read, but the -shm index counts 2 more frames as committed: damaged or cut off");
}

#[test]
fn a_log_of_a_transaction_that_was_rolled_back_and_of_commits_after_it_passes() {
    let place = log_of(|conn| {
        apply(conn, 9004);
        // So much that it is written to the log before it is committed; it never is.
        let sql = "PRAGMA cache_size=1; BEGIN; CREATE TABLE large(x);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO large SELECT zeroblob(900) FROM n;
            ROLLBACK";
        conn.execute_batch(sql).unwrap();
        apply(conn, 9005);
    });
    assert!(
        fs::metadata(wal(&place)).unwrap().len() > (HEADER + 20 * FRAME) as u64,
        "its pages are in the log"
    );
    assert_snapshot!(row(&place), @"pass: 2 commits (2 frames) in the WAL");
}

#[test]
fn frames_of_an_older_generation_are_not_held_against_a_log() {
    let place = log_of(|conn| {
        (9004..9020).for_each(|id| apply(conn, id));
        conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        apply(conn, 9020);
    });
    assert_eq!(
        fs::metadata(wal(&place)).unwrap().len(),
        (HEADER + 16 * FRAME) as u64,
        "the old frames are still there"
    );
    assert_snapshot!(row(&place), @"pass: 1 commit (1 frame) in the WAL");
}

#[test]
fn a_log_cut_in_its_header_or_never_begun_holds_nothing() {
    for content in [&[][..], &[0x37], &[0x37, 0x7f, 0x06, 0x82, 0, 0, 0, 0], &[0; HEADER]] {
        let place = Place::new();
        healthy(&place.store());
        fs::write(wal(&place), content).unwrap();
        assert!(row(&place).starts_with("pass: "), "{content:?}");
    }
}

#[test]
fn a_last_frame_that_was_not_written_to_its_end_is_no_commit_for_the_report_and_for_the_salvage() {
    let commits = |count: u32| {
        log_of(|conn| {
            for number in 0..count {
                let sql = format!("UPDATE vms SET stats_json = '{{\"n\":{number}}}' WHERE rowid = 1");
                conn.execute_batch(&sql).unwrap();
            }
        })
    };
    let two = fs::read(wal(&commits(2))).unwrap().len();
    for (torn, zeros) in [(1, 0), (FRAME - 10, 0), (FRAME - 1, 0), (512, 512), (4120, 4120)] {
        let place = commits(3);
        fs::remove_file(beside(&place.store(), "-shm")).unwrap();
        change(&wal(&place), |bytes| {
            bytes.truncate(bytes.len() - torn);
            bytes.resize(bytes.len() + zeros, 0);
        });
        assert!(fs::read(wal(&place)).unwrap().len() > two);
        assert!(row(&place).starts_with("pass: 2 commits ("), "{torn} bytes: {}", row(&place));
        let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
        assert_eq!(salvage.code, Some(0), "{torn} bytes: {}", salvage.stderr);
    }
}

#[test]
fn a_log_that_was_torn_before_its_first_frame_costs_no_commit() {
    let header = fs::read(wal(&three_commits())).unwrap()[..HEADER].to_vec();
    let mut wrong = header.clone();
    wrong[HEADER - 1] ^= 1;
    let with = |begin: &[u8], zeros: usize| [begin, &vec![0; zeros]].concat();
    for content in [
        wrong.clone(),
        with(&wrong, FRAME - 1),
        with(&wrong, 3 * FRAME),
        with(&header[..16], 496),
        with(&[], 512),
        with(&[], 100_000),
    ] {
        let place = Place::new();
        healthy(&place.store());
        fs::write(wal(&place), &content).unwrap();
        assert_eq!(row(&place), "pass: a -wal without a commit", "{} bytes", content.len());
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(gate.code, Some(0), "{gate:?}");
        let map = place.doctor().args(["--format", "html"]).arg(place.store()).run();
        assert!(map.code == Some(0) && !map.stdout.contains("no map"), "{} bytes", content.len());
        let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
        assert_eq!(salvage.code, Some(0), "{}", salvage.stderr);
    }
    // What lies behind such a header may be a commit.
    let place = three_commits();
    flip(&wal(&place), HEADER - 1);
    assert!(row(&place).starts_with("fail: "));
}

#[test]
fn a_commit_behind_a_frame_whose_checksum_is_damaged_is_told_without_the_index() {
    for at in 16..FRAME_HEADER {
        let place = three_commits();
        fs::remove_file(beside(&place.store(), "-shm")).unwrap();
        flip(&wal(&place), HEADER + FRAME + at);
        let row = row(&place);
        assert!(
            row.starts_with("fail: ") && row.contains("silently ignores 1 commit (1 frame)"),
            "{at}: {row}"
        );
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(gate.code, Some(3), "{gate:?}");
    }
}

#[test]
fn a_journal_does_not_hide_a_log_beside_it() {
    let bare = |place: &Place| {
        fs::write(journal(place), {
            let scratch = Place::new();
            hot(&scratch.store());
            fs::read(journal(&scratch)).unwrap()[..512]
                .iter()
                .enumerate()
                .map(|(at, byte)| if at == 11 { 0 } else { *byte })
                .collect::<Vec<u8>>()
        })
    };
    let damaged = three_commits();
    flip(&wal(&damaged), HEADER + FRAME + 100);
    bare(&damaged).unwrap();
    assert_snapshot!(row(&damaged), @"fail: something is wrong with the -wal file: frame 2 is damaged: SQLite reads 1 commit (1 frame) before it, and silently ignores 1 commit (1 frame) after it");
    let gate = damaged.doctor().arg("--check-migrations").arg(damaged.store()).run();
    assert_eq!(gate.code, Some(3), "{gate:?}");
    let whole = three_commits();
    bare(&whole).unwrap();
    assert_snapshot!(row(&whole), @"pass: a hot rollback journal: 0 pages of an unfinished transaction will be rolled back when banger opens the store; 3 commits (3 frames) in the WAL");
}

/// A log's running checksum, as a big-endian machine writes it.
fn big_endian_checksum([mut s0, mut s1]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks(8) {
        s0 = s0.wrapping_add(u32::from_be_bytes(pair[..4].try_into().unwrap())).wrapping_add(s1);
        s1 = s1.wrapping_add(u32::from_be_bytes(pair[4..].try_into().unwrap())).wrapping_add(s0);
    }
    [s0, s1]
}

/// Rewrites a log as a big-endian machine would have written it.
fn make_big_endian(log: &mut [u8]) {
    let store = |bytes: &mut [u8], sum: [u32; 2]| {
        bytes[..4].copy_from_slice(&sum[0].to_be_bytes());
        bytes[4..].copy_from_slice(&sum[1].to_be_bytes());
    };
    let (header, frames) = log.split_at_mut(HEADER);
    header[3] |= 1;
    let mut sum = big_endian_checksum([0, 0], &header[..24]);
    store(&mut header[24..], sum);
    for frame in frames.chunks_exact_mut(FRAME) {
        sum = big_endian_checksum(big_endian_checksum(sum, &frame[..8]), &frame[FRAME_HEADER..]);
        store(&mut frame[16..FRAME_HEADER], sum);
    }
}

#[test]
fn a_log_from_a_machine_of_the_other_byte_order_is_read() {
    let place = three_commits();
    change(&wal(&place), |log| make_big_endian(log));
    fs::remove_file(beside(&place.store(), "-shm")).unwrap();
    assert_snapshot!(row(&place), @"pass: 3 commits (3 frames) in the WAL");
    // SQLite sees them as well.
    let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert!(gate.stdout.starts_with("incompatible: unknown [9004 9005 9006]"), "{gate:?}");
    flip(&wal(&place), HEADER + FRAME + 100);
    assert!(row(&place).contains(
        "frame 2 is damaged: SQLite reads 1 commit (1 frame) before it, and silently ignores 1 commit (1 frame)"
    ));
}

/// A healthy store, beside which lies what `make` leaves of another, or of its own of another time.
fn beside_healthy(make: impl FnOnce(&Path, &Path)) -> Place {
    let place = Place::new();
    healthy(&place.store());
    let scratch = TempDir::new().unwrap();
    make(&place.store(), &scratch.path().join("state.db"));
    place
}

/// Runs SQL on a database whose log is never written back by itself, and hands the connection on.
fn with_log(path: &Path, sql: &str) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").unwrap();
    conn.execute_batch(sql).unwrap();
    conn
}

/// The log that a backup was put back beside: of this store, after a VACUUM.
fn of_another_time(store: &Path, live: &Path) {
    let conn = Connection::open(store).unwrap();
    conn.execute_batch("UPDATE vms SET stats_json = '{\"large\":\"' || hex(zeroblob(4000)) || '\"}'")
        .unwrap();
    drop(conn);
    fs::copy(store, live).unwrap();
    let conn = with_log(live, "DELETE FROM vms WHERE rowid > 3; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    conn.execute_batch("UPDATE vms SET state = 'running'").unwrap();
    fs::copy(beside(live, "-wal"), beside(store, "-wal")).unwrap();
}

/// The log of another program's database.
fn of_another_program(store: &Path, live: &Path) {
    let conn = with_log(live, "CREATE TABLE t(a)");
    fs::copy(beside(live, "-wal"), beside(store, "-wal")).unwrap();
    drop(conn);
}

/// The log of a database with larger pages.
fn of_other_pages(store: &Path, live: &Path) {
    let conn = with_log(
        live,
        "PRAGMA journal_mode=DELETE; PRAGMA page_size=8192; VACUUM; PRAGMA journal_mode=WAL; CREATE TABLE z(x)",
    );
    fs::copy(beside(live, "-wal"), beside(store, "-wal")).unwrap();
    drop(conn);
}

/// The log of this store, copied after a checkpoint that the copy of the file does not have.
fn copied_later(store: &Path, live: &Path) {
    fs::copy(store, live).unwrap();
    let grow = |conn: &Connection, from: i64| (from..from + 60).for_each(|id| apply(conn, id));
    let conn = with_log(live, "");
    for from in [9000, 9100, 9200, 9300, 9400] {
        grow(&conn, from);
    }
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    for from in [9500, 9600, 9700, 9800, 9900] {
        grow(&conn, from);
    }
    fs::copy(beside(live, "-wal"), beside(store, "-wal")).unwrap();
}

/// The journal of this store as it was two transactions before.
fn older_journal(store: &Path, live: &Path) {
    hot(live);
    fs::copy(live, store).unwrap();
    fs::copy(beside(live, "-journal"), beside(store, "-journal")).unwrap();
    let conn = Connection::open(store).unwrap();
    // It rolls back, and goes on.
    conn.execute_batch("UPDATE vms SET state = 'running'; UPDATE vms SET state = 'stopped'")
        .unwrap();
    drop(conn);
    fs::copy(beside(live, "-journal"), beside(store, "-journal")).unwrap();
}

#[test]
fn a_log_or_a_journal_of_another_store_or_time_is_told_and_left_out() {
    for (name, make, rows) in [
        ("of another time", of_another_time as fn(&Path, &Path), 12),
        ("of another program", of_another_program, 12),
        ("of other pages", of_other_pages, 12),
        ("copied later", copied_later, 12),
        ("an older journal", older_journal, 200),
    ] {
        let (suffix, kind) = match rows {
            200 => ("-journal", "journal-of-another-store"),
            _ => ("-wal", "wal-of-another-store"),
        };
        let place = beside_healthy(make);
        let before = place.footprint();
        let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
        let row = ran.row("journal");
        let detail = row["detail"].as_str().unwrap();
        assert_eq!((ran.code, row["kind"].as_str()), (Some(1), Some(kind)), "{name}: {ran:?}");
        assert!(
            detail.contains(&format!(" the store is sound, {rows} rows in vms, 3 in "))
                && detail.contains(": move it aside before anything opens the store"),
            "{name}: {detail}"
        );
        assert_eq!(ran.failing(), ["journal"], "{name}: {ran:?}");
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert!(gate.code == Some(3) && gate.stdout.contains("another store's"), "{name}: {gate:?}");
        let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
        assert!(
            salvage.code == Some(1) && salvage.stderr.contains("was left out, and the file alone was read"),
            "{name}: {salvage:?}"
        );
        assert_eq!(salvage.stdout.matches("INSERT INTO \"vms\"").count(), rows, "{name}");
        before.assert_same(&place.footprint(), name);
        // The remedy, as it is typed.
        let desk = Place::new();
        let typed = commands(&row);
        assert!(typed.len() == 3 && typed[1].contains(&format!("state.db{suffix} ")), "{name}: {row}");
        for command in typed {
            let output = type_command(&desk.folder(), command);
            assert!(output.status.success(), "{name}: {command}: {output:?}");
        }
        let after = place.doctor().arg(place.store()).run();
        assert_eq!(after.code, Some(0), "{name}: {after:?}");
    }
}

#[test]
fn the_sign_and_what_sqlite_will_do_are_told() {
    assert_snapshot!(row(&beside_healthy(of_another_time)), @"fail: the -wal does not belong to the file: it is another store's, or this store's of another time: its last commit leaves 15 pages, and the first page that is then in force counts 35; when a program that has opened the store closes it, SQLite writes 1 page of the -wal over the file and cuts it from 143,360 to 61,440 bytes; without the -wal the store is sound, 12 rows in vms, 3 in schema_migrations, 3 in images, as of its last checkpoint: move it aside before anything opens the store");
    assert_snapshot!(row(&beside_healthy(of_another_program)), @"fail: the -wal does not belong to the file: it is another store's, or this store's of another time: its first page is of an older schema (1) than the file's (5); when a program that has opened the store closes it, SQLite writes 2 pages of the -wal over the file and cuts it from 36,864 to 8,192 bytes; without the -wal the store is sound, 12 rows in vms, 3 in schema_migrations, 3 in images, as of its last checkpoint: move it aside before anything opens the store");
    assert_snapshot!(row(&beside_healthy(of_other_pages)), @"fail: the -wal does not belong to the file: it is another store's, or this store's of another time: its pages have 8192 bytes, and the store's have 4096; when a program that has opened the store closes it, SQLite writes 2 pages of the -wal over the file and cuts it from 36,864 to 16,384 bytes; without the -wal the store is sound, 12 rows in vms, 3 in schema_migrations, 3 in images, as of its last checkpoint: move it aside before anything opens the store");
    assert_snapshot!(row(&beside_healthy(copied_later)), @"fail: the -wal does not belong to the file: it is ahead of the file, which was copied before it, or it is another store's: its last commit leaves 16 pages, the file ends after page 9, as its own header says, and page 10 is in neither; when a program that has opened the store closes it, SQLite writes 6 pages of the -wal over the file; without the -wal the store is sound, 12 rows in vms, 3 in schema_migrations, 3 in images, as of its last checkpoint: move it aside before anything opens the store");
    assert_snapshot!(row(&beside_healthy(older_journal)), @"fail: the -journal does not belong to the file: it is another store's, or this store's of another time: the first page in it is of change 4 and the file's of change 6, and a transaction makes one; as soon as a program opens the store to write, SQLite puts the pages of the -journal into the file; without the -journal the store is sound, 200 rows in vms, 3 in schema_migrations, 3 in images: move it aside before anything opens the store");
}

#[test]
fn a_log_of_another_page_size_without_a_commit_is_ignored_as_sqlite_ignores_it() {
    let place = beside_healthy(|store, live| {
        of_other_pages(store, live);
        change(&beside(store, "-wal"), |bytes| bytes.truncate(HEADER));
    });
    assert_snapshot!(row(&place), @"pass: a -wal without a commit");
}

#[test]
fn a_log_out_of_proportion_and_one_older_than_its_file_are_notes() {
    let place = log_of(|conn| {
        conn.execute_batch("CREATE TABLE q(v); BEGIN").unwrap();
        conn.execute_batch("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO q SELECT zeroblob(3000) FROM n").unwrap();
        conn.execute_batch("COMMIT; DELETE FROM q").unwrap();
    });
    let notes = |place: &Place| {
        let ran = place
            .doctor()
            .args(["--any", "--only", "journal", "--format", "json"])
            .arg(place.store())
            .run();
        let row = ran.row("journal");
        assert_eq!(row["status"], "pass", "{row}");
        let kinds = row["findings"].as_array().cloned().unwrap_or_default();
        kinds
            .iter()
            .map(|note| format!("{}: {}", note["kind"].as_str().unwrap(), note["what"].as_str().unwrap()))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_snapshot!(notes(&place), @"large-log: the -wal has 12.4 MB, 337 times as much as the file, and 3,007 of the store's 3,017 pages are free; a reader that stays open, or one large transaction, keeps a log from being emptied");
    let place = three_commits();
    assert_eq!(notes(&place), "");
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
    fs::File::options().append(true).open(wal(&place)).unwrap().set_modified(earlier).unwrap();
    assert_snapshot!(notes(&place), @"older-log: the -wal was last written 3 days before the file: that is so after a checkpoint; if the file was put back from a backup since, the -wal is not its own");
}

#[test]
fn a_store_that_fails_with_its_log_and_is_sound_without_it_is_said_to_be_so() {
    // No field tells that the log does not belong to the file.
    let place = log_of(|conn| {
        conn.execute_batch("UPDATE vms SET stats_json = '{\"a\":1}' WHERE rowid = 1").unwrap();
    });
    change(&wal(&place), |log| {
        // The page has no kind that there is, and the checksum is right all the same.
        log[HEADER + FRAME_HEADER] = 0;
        let is_big_endian = log[3] & 1 == 1;
        let seed = [24, 28].map(|at| u32::from_be_bytes(log[at..at + 4].try_into().unwrap()));
        let sum = sqlite_format::wal::checksum(is_big_endian, seed, &log[HEADER..HEADER + 8]);
        let sum = sqlite_format::wal::checksum(is_big_endian, sum, &log[HEADER + FRAME_HEADER..HEADER + FRAME]);
        log[HEADER + 16..HEADER + 20].copy_from_slice(&sum[0].to_be_bytes());
        log[HEADER + 20..HEADER + 24].copy_from_slice(&sum[1].to_be_bytes());
        log.truncate(HEADER + FRAME);
    });
    fs::remove_file(beside(&place.store(), "-shm")).unwrap();
    let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
    let detail = ran.row("page-structure")["detail"].as_str().unwrap().to_owned();
    assert!(
        detail
            .contains("; it fails with the -wal beside it, and without that the file is sound, 12 rows in vms, 3 in "),
        "{detail}"
    );
}

#[test]
fn a_whole_journal_passes_and_says_what_it_will_put_back() {
    let place = Place::new();
    hot(&place.store());
    assert_snapshot!(row(&place), @"pass: a hot rollback journal: 15 pages of an unfinished transaction will be rolled back when banger opens the store");
}

/// The row of a store with a hot journal that was changed so.
fn hot_with(damage: impl FnOnce(&mut Vec<u8>)) -> String {
    let place = Place::new();
    hot(&place.store());
    change(&journal(&place), damage);
    row(&place)
}

#[test]
fn a_damaged_journal_is_told_whatever_is_damaged() {
    const SECTOR: usize = 512;
    const RECORD: usize = 4 + 4096 + 4;
    assert_snapshot!(hot_with(|bytes| bytes[3] ^= 1), @"fail: something is wrong with the -journal file: it does not begin like a rollback journal; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[0] = 0), @"fail: something is wrong with the -journal file: its first byte is damaged, so SQLite takes it for finished and does not roll it back: half of a transaction may remain in the store");
    // The nonce, with which every record's checksum begins.
    assert_snapshot!(hot_with(|bytes| bytes[15] ^= 1), @"fail: something is wrong with the -journal file: the checksum of record 1 of 1 is wrong; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[21] ^= 1), @"fail: something is wrong with the -journal file: its sector size is 66048, not a power of two from 32 to 65536; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[26] ^= 1), @"fail: something is wrong with the -journal file: it holds pages of 4352 bytes, and the store's pages have 4096; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    // A record's page number, a byte that its checksum covers, and the checksum.
    assert_snapshot!(hot_with(|bytes| bytes[SECTOR..][..4].fill(0)), @"fail: something is wrong with the -journal file: the checksum of record 1 of 1 is wrong; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[SECTOR + 4 + 4096 - 200] ^= 1), @"fail: something is wrong with the -journal file: the checksum of record 1 of 1 is wrong; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[SECTOR + RECORD - 1] ^= 1), @"fail: something is wrong with the -journal file: the checksum of record 1 of 1 is wrong; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    // The header of the second segment, which begins at the next sector.
    let second = (SECTOR + RECORD).next_multiple_of(SECTOR);
    assert_snapshot!(hot_with(|bytes| bytes[second + 3] ^= 1), @"fail: something is wrong with the -journal file: the header at byte 5120 is damaged; 1 page can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[second + 15] ^= 1), @"fail: something is wrong with the -journal file: the checksum of record 1 of 5 is wrong; 1 page can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes.truncate(SECTOR + 3 * RECORD + 100)), @"fail: something is wrong with the -journal file: it should hold 5 pages and holds 1; 2 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes.truncate(20)), @"fail: something is wrong with the -journal file: it is cut short at 20 bytes, within its header; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
}

#[test]
fn a_journal_that_sqlite_cannot_have_written_is_damaged() {
    const SECTOR: usize = 512;
    // The size that the store had, the page of the first record, the count of the first header.
    assert_snapshot!(hot_with(|bytes| bytes[16..20].fill(0)), @"fail: something is wrong with the -journal file: its header says that the store had 0 pages when the transaction began, and the first page in it counts 24; SQLite believes the header: the next program that opens the store cuts it from 442,368 to 0 bytes");
    assert_snapshot!(hot_with(|bytes| bytes[SECTOR] = 1), @"fail: something is wrong with the -journal file: record 1 of 1 is of page 16777218, and the store had 24 pages when the transaction began; 14 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    assert_snapshot!(hot_with(|bytes| bytes[11] = 0), @"fail: something is wrong with the -journal file: the header at byte 0 counts 0 records, and 1 more lies before the next header; 0 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    let twice = |bytes: &mut Vec<u8>| {
        let second = (SECTOR + 4 + 4096 + 4).next_multiple_of(SECTOR) + SECTOR;
        let page: [u8; 4] = bytes[SECTOR..][..4].try_into().unwrap();
        bytes[second..][..4].copy_from_slice(&page);
    };
    assert_snapshot!(hot_with(twice), @"fail: something is wrong with the -journal file: it holds page 2 twice; 15 pages can be rolled back, the rest cannot: half of a transaction may remain in the store");
    for damage in [
        (|bytes: &mut Vec<u8>| bytes[16..20].fill(0)) as fn(&mut Vec<u8>),
        |bytes| bytes[SECTOR] = 1,
        |bytes| bytes[11] = 0,
    ] {
        let place = Place::new();
        hot(&place.store());
        change(&journal(&place), damage);
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(gate.code, Some(3), "{gate:?}");
        let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
        assert!(matches!(salvage.code, Some(1 | 3)), "{}", salvage.stderr);
    }
}

/// What the doctor says of a hot journal that was changed so: its row, and the status of `page-structure`, which sees the copy.
fn hot_and_seen(damage: impl FnOnce(&mut Vec<u8>)) -> String {
    let place = Place::new();
    hot(&place.store());
    change(&journal(&place), damage);
    let row = row(&place);
    let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
    let seen = ran.row("page-structure");
    let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(gate.code, Some(3), "{gate:?}");
    format!("{row}\npage-structure: {}", seen["detail"].as_str().unwrap())
}

#[test]
fn a_size_in_a_journals_header_that_the_journal_contradicts_is_told_before_sqlite_cuts_the_file() {
    assert_snapshot!(hot_and_seen(|bytes| bytes[16..20].copy_from_slice(&5_u32.to_be_bytes())), @"
    fail: something is wrong with the -journal file: its header says that the store had 5 pages when the transaction began, and the first page in it counts 24; SQLite believes the header: the next program that opens the store cuts it from 442,368 to 20,480 bytes
    page-structure: 24 pages checked
    ");
    assert_snapshot!(hot_and_seen(|bytes| bytes[16..20].fill(0)), @"
    fail: something is wrong with the -journal file: its header says that the store had 0 pages when the transaction began, and the first page in it counts 24; SQLite believes the header: the next program that opens the store cuts it from 442,368 to 0 bytes
    page-structure: 24 pages checked
    ");
    assert_snapshot!(hot_and_seen(|bytes| bytes[16..20].copy_from_slice(&9000_u32.to_be_bytes())), @"
    fail: something is wrong with the -journal file: its header says that the store had 9,000 pages when the transaction began, and the first page in it counts 24; SQLite believes the header: the next program that opens the store makes it 36,864,000 bytes long
    page-structure: 24 pages checked
    ");
}

#[test]
fn the_commands_for_a_journal_whose_size_is_wrong_put_it_right() {
    let place = Place::new();
    hot(&place.store());
    change(&journal(&place), |bytes| bytes[16..20].copy_from_slice(&5_u32.to_be_bytes()));
    let failed = place.doctor().args(["--only", "journal", "--format", "json"]).arg(place.store()).run();
    let desk = Place::new();
    for command in commands(&failed.row("journal")) {
        let typed = type_command(&desk.folder(), command);
        assert!(typed.status.success(), "{command}: {typed:?}");
    }
    assert!(desk.folder().join("kept/state.db-journal").exists());
    let mended = place.doctor().args(["--only", "journal"]).arg(desk.folder().join("fixed/state.db")).run();
    assert_eq!(mended.code, Some(0), "{mended:?}");
}

#[test]
fn a_journal_that_says_that_it_was_never_synced_and_has_a_further_header_is_damaged() {
    assert_snapshot!(hot_with(|bytes| bytes[8..12].fill(0xff)), @"fail: something is wrong with the -journal file: the header at byte 0 counts no records, as that of a journal that was never synced, and behind its 1 record lies a further header, which such a journal does not have and SQLite does not read; 1 page can be rolled back, the rest cannot: half of a transaction may remain in the store");
}

#[test]
fn what_an_older_journal_left_behind_the_end_is_not_held_against_a_journal() {
    const SECTOR: usize = 512;
    // SQLite marks an old header behind the last segment by a zero in its first byte.
    let row = hot_with(|bytes| {
        let mut old = bytes[..SECTOR].to_vec();
        old[0] = 0;
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        bytes.extend(old);
        bytes.extend([7; 5000]);
    });
    assert_snapshot!(row, @"pass: a hot rollback journal: 15 pages of an unfinished transaction will be rolled back when banger opens the store");
}

#[test]
fn the_gate_does_not_answer_where_a_journal_hides_or_has_lost_commits() {
    let damaged_log = three_commits();
    flip(&wal(&damaged_log), HEADER + FRAME + 100);
    let damaged_journal = Place::new();
    hot(&damaged_journal.store());
    flip(&journal(&damaged_journal), 15);
    for place in [damaged_log, damaged_journal] {
        let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.stdout.contains("something is wrong with the store's -"), "{ran:?}");
    }
}

/// What stands at the end of a journal of a transaction over several databases.
fn names_super_journal(name: &Path) -> impl FnOnce(&mut Vec<u8>) {
    let name = name.to_str().unwrap().as_bytes().to_vec();
    move |bytes: &mut Vec<u8>| {
        let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
        let lock_page: u32 = 0x4000_0000 / 4096 + 1;
        bytes.extend(lock_page.to_be_bytes());
        bytes.extend(&name);
        bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(sum.to_be_bytes());
        bytes.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    }
}

/// The gate's exit code for a hot journal that names a super-journal; neither it nor anything beside it is changed.
fn gate_with_super_journal(prepare: impl FnOnce(&Path), damage: impl FnOnce(&mut Vec<u8>)) -> Option<i32> {
    let place = Place::new();
    hot(&place.store());
    let named = place.folder().join("precious");
    change(&journal(&place), names_super_journal(&named));
    change(&journal(&place), damage);
    prepare(&named);
    let before = place.footprint();
    let ran = place.doctor().arg("--check-migrations").arg(place.store()).run();
    before.assert_same(&place.footprint(), "a super-journal");
    ran.code
}

#[test]
fn a_super_journal_is_believed_and_never_touched() {
    // Compatible; and not so, because migration 88 is seen.
    const ROLLED_BACK: Option<i32> = Some(0);
    const COMMITTED: Option<i32> = Some(2);
    let nothing = |_: &Path| {};
    let write = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
    let unchanged = |_: &mut Vec<u8>| {};

    // It is there: the transaction was not committed.
    assert_eq!(gate_with_super_journal(write("other.db-journal"), unchanged), ROLLED_BACK);
    // It is gone, or empty, which is the same to SQLite: the transaction was committed over all its databases.
    assert_eq!(gate_with_super_journal(nothing, unchanged), COMMITTED);
    assert_eq!(gate_with_super_journal(write(""), unchanged), COMMITTED);
    // Its name is damaged: SQLite takes the journal for one without a name.
    assert_eq!(
        gate_with_super_journal(nothing, |bytes| {
            let at = bytes.len() - 17;
            bytes[at] ^= 1;
        }),
        ROLLED_BACK
    );
    assert_eq!(
        gate_with_super_journal(nothing, |bytes| {
            let at = bytes.len() - 9;
            bytes[at] ^= 1;
        }),
        ROLLED_BACK
    );
}

#[test]
fn a_journal_whose_super_journal_is_gone_is_not_said_to_be_rolled_back() {
    let place = Place::new();
    hot(&place.store());
    let named = place.folder().join("gone");
    change(&journal(&place), names_super_journal(&named));
    assert_snapshot!(row(&place), @"pass: a rollback journal that nothing will be rolled back from: the super-journal that it names is gone, so SQLite takes the transaction for committed, and deletes the -journal when banger opens the store");
    fs::write(named, "other.db-journal").unwrap();
    assert_snapshot!(row(&place), @"pass: a hot rollback journal: 15 pages of an unfinished transaction will be rolled back when banger opens the store");
}

#[test]
fn a_log_to_which_the_stores_owner_cannot_write_is_told_with_the_command() {
    needs!("root");
    let place = three_commits();
    std::os::unix::fs::chown(place.store(), Some(65534), Some(65534)).unwrap();
    assert_snapshot!(row(&place), @"fail: the store's owner (user 65534) cannot write to the -wal and -shm beside it, and so not to the store: another user made it, or its mode was changed");
    let whole = place.row("journal", &[]);
    let command = commands(&whole)[1].replace(&format!("{}/", place.folder().display()), "");
    assert_eq!(
        command,
        "sudo chown --reference state.db state.db-wal state.db-shm && sudo chmod --reference state.db state.db-wal state.db-shm"
    );
    for suffix in ["-wal", "-shm"] {
        std::os::unix::fs::chown(beside(&place.store(), suffix), Some(65534), Some(65534)).unwrap();
    }
    assert_eq!(row(&place), "pass: 3 commits (3 frames) in the WAL");
}
