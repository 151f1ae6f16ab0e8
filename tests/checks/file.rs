//! Whatever lies at a path: one clear answer, and nothing created or changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::support::asking::{commands, type_command};
use crate::support::damage;
use crate::support::footprint::names;
use crate::support::stores::{crashed, healthy};
use crate::support::{Doctor, Place, is_root, needs};

/// What the doctor and the gate say of a store that is none. Nothing is created or changed.
fn look_as(doctor: impl Fn() -> Doctor, place: &Place) -> String {
    let before = place.footprint();
    let report = doctor().args(["--only", "file,read-only"]).arg(place.store()).run();
    let gate = doctor().arg("--check-migrations").arg(place.store()).run();
    before.assert_same(&place.footprint(), "a bad store");
    assert_eq!(place.left_in_tmp(), [""; 0]);
    format!("{}\n{}", report.text(), gate.text())
}

fn look(place: &Place) -> String {
    look_as(|| place.doctor(), place)
}

/// What is said of a file with this content.
fn look_at(content: &[u8]) -> String {
    let place = Place::new();
    fs::write(place.store(), content).unwrap();
    look(&place)
}

#[test]
fn nothing_there_is_said_to_be_missing() {
    assert_snapshot!(look(&Place::new()), @"
    [PLACE]/store/state.db

    FAIL  file       there is no such file, so nothing could be examined
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Check the path. If banger has never run here, start it once, and it makes its store.
      2. If it has, the store was moved or deleted: restore a backup.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: there is no such file
    --- exit 3 ---
    ");
}

#[test]
fn a_missing_folder_is_not_made() {
    let place = Place::new();
    fs::remove_dir(place.folder()).unwrap();
    let ran = place.doctor().args(["--only", "file"]).arg(place.store()).run();
    assert_eq!(ran.code, Some(1));
    assert_eq!(names(place.root()), ["home", "tmp"]);
}

#[test]
fn a_folder_is_refused() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a folder, not a regular file, so it cannot be a store
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Give the path of banger's state.db itself.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a folder, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.store()).status().unwrap();
    assert!(made.success());
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a pipe (FIFO), not a regular file, so it cannot be a store
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Give the path of banger's state.db itself.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a pipe (FIFO), not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_a_device_is_refused() {
    let place = Place::new();
    symlink("/dev/zero", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a device, not a regular file, so it cannot be a store
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Give the path of banger's state.db itself.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a device, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_socket_is_refused() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a socket, not a regular file, so it cannot be a store
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Give the path of banger's state.db itself.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a socket, not a regular file
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_nothing_is_told_from_nothing() {
    let place = Place::new();
    symlink("nowhere.db", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it is a symbolic link whose target does not exist, so nothing could be examined
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Point the link at the store, or give the store's own path.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is a symbolic link whose target does not exist
    --- exit 3 ---
    ");
}

#[test]
fn a_link_to_itself_is_refused() {
    let place = Place::new();
    symlink("state.db", place.store()).unwrap();
    assert_snapshot!(look(&place), @"
    [PLACE]/store/state.db

    FAIL  file       it cannot be read: Too many levels of symbolic links (os error 40); nothing is known about its data
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Run the doctor as the store's owner, or as root:
         sudo doctor [PLACE]/store/state.db
      2. Or copy all files of the store, together, to where you may read them.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it cannot be read: Too many levels of symbolic links (os error 40)
    --- exit 3 ---
    ");
}

#[test]
fn the_owner_of_a_store_of_mode_0_is_told_of_chmod() {
    let place = Place::new();
    healthy(&place.store());
    fs::set_permissions(place.store(), Permissions::from_mode(0o000)).unwrap();
    if is_root() {
        place.give_to_nobody();
    }
    let ran = place.doctor_of_nobody().args(["--only", "file"]).arg(place.store()).run().text();
    assert!(
        ran.contains("chmod u+rw") && !ran.contains("run the doctor as the store's owner"),
        "{ran}"
    );
}

#[test]
fn a_store_that_the_user_may_not_read_is_told_from_a_broken_one() {
    needs!("root");
    let place = Place::new();
    healthy(&place.store());
    fs::set_permissions(place.store(), Permissions::from_mode(0o000)).unwrap();
    assert_snapshot!(look_as(|| place.doctor_of_nobody(), &place), @"
    [PLACE]/store/state.db

    FAIL  file       it cannot be read: Permission denied (os error 13); nothing is known about its data
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Run the doctor as the store's owner, or as root:
         sudo doctor [PLACE]/store/state.db
      2. Or copy all files of the store, together, to where you may read them.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it cannot be read: Permission denied (os error 13)
    --- exit 3 ---
    ");
}

#[test]
fn a_folder_that_the_user_may_not_enter_is_told_from_a_missing_store() {
    let place = Place::new();
    healthy(&place.store());
    let before = place.footprint();
    fs::set_permissions(place.folder(), Permissions::from_mode(0o600)).unwrap();
    let ran = place.doctor_of_nobody().args(["--only", "file"]).arg(place.store()).run();
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    FAIL  file  it cannot be read: Permission denied (os error 13); nothing is known about its data

    FAIL: 1 of 1 checks failed (file)
    It is not known whether data is lost.

    What to do (file):
      1. Run the doctor as the store's owner, or as root:
         sudo doctor [PLACE]/store/state.db
      2. Or copy all files of the store, together, to where you may read them.

    More: doctor --explain file
    --- exit 1 ---
    ");
    fs::set_permissions(place.folder(), Permissions::from_mode(0o755)).unwrap();
    // The folder's own ctime is the test's doing.
    let now = place.footprint();
    before
        .without(&place.folder())
        .assert_same(&now.without(&place.folder()), "a closed folder");
}

#[test]
fn a_wal_that_the_user_may_not_read_is_not_passed_over() {
    let place = Place::new();
    crashed(&place.store());
    fs::set_permissions(place.folder().join("state.db-wal"), Permissions::from_mode(0o000)).unwrap();
    assert_snapshot!(look_as(|| place.doctor_of_nobody(), &place), @"
    [PLACE]/store/state.db

    pass  file       an SQLite database, 9 pages of 4096 bytes
    FAIL  read-only  could not look: [PLACE]/store/state.db-wal cannot be read: Permission denied (os error 13)

    FAIL: 1 of 2 checks failed (read-only)
    It is not known whether data is lost.

    What to do (read-only):
      Remove the cause that this row names, and run the doctor again. The store itself was not changed.

    More: doctor --explain read-only
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: [PLACE]/store/state.db-wal cannot be read: Permission denied (os error 13)
    --- exit 3 ---
    ");
}

#[test]
fn sidecars_that_are_not_files_are_not_opened() {
    for suffix in ["-wal", "-shm", "-journal"] {
        let place = Place::new();
        healthy(&place.store());
        let fifo = place.folder().join(format!("state.db{suffix}"));
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        let before = place.footprint();
        let ran = place.doctor().args(["--format", "json"]).arg(place.store()).run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let detail = ran.row("journal")["detail"].clone();
        assert_eq!(
            detail,
            format!("something is wrong with the {suffix} file: it cannot be read: it is a pipe (FIFO)")
        );
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert_eq!(gate.code, Some(3), "{gate:?}");
        before.assert_same(&place.footprint(), suffix);
    }
}

#[test]
fn a_file_of_no_bytes_fails_and_may_be_taken_over() {
    assert_snapshot!(look_at(b""), @"
    [PLACE]/store/state.db

    FAIL  file       it is empty (0 bytes): there is no data in it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      If this store ever held data, that data is not in this file: restore a backup before banger starts. If banger never used it, start banger, which makes a new store of it.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  empty: the file has 0 bytes: it was made and never written, or something cut it to nothing

    More: doctor --explain file
    --- exit 1 ---
    migrations needed: pending [1 2 3] (binary will apply on first Open)
    --- exit 1 ---
    ");
}

#[test]
fn a_file_cut_within_its_header_says_so() {
    let place = Place::new();
    healthy(&place.store());
    let bytes = fs::read(place.store()).unwrap();
    assert_snapshot!(look_at(&bytes[..60]), @"
    [PLACE]/store/state.db

    FAIL  file       it is cut short within its header, at 60 bytes: no data is left in it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      Copy the store again, whole. If the original is as short, its data is lost: restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  file-cut: the file ends within the header of a database, at 60 bytes: a copy that broke off leaves this; so does a crash of the machine where synchronous was off

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is cut short within its header, at 60 bytes
    --- exit 3 ---
    ");
}

#[test]
fn what_is_not_a_database_is_named_where_it_is_known() {
    assert_snapshot!(look_at(b"this is not a database\n"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but text (23 bytes): no store can be read from it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Give the path of banger's state.db, unpacked if it is an archive.
      2. If this is where the store was, it was overwritten: keep this file, and restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  other-file: the file is text: it was put in the place of a database, or none was ever here

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but text (23 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but gzip data (10 bytes): no store can be read from it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Give the path of banger's state.db, unpacked if it is an archive.
      2. If this is where the store was, it was overwritten: keep this file, and restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  other-file: the file is gzip data: it was put in the place of a database, or none was ever here

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but gzip data (10 bytes)
    --- exit 3 ---
    ");
    let garbage: Vec<u8> = (0u32..20_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    assert_snapshot!(look_at(&garbage), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but random bytes, or an encrypted database (20000 bytes): no store can be read from it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. If it is encrypted, as SQLCipher's databases are, nothing is wrong with it: it needs its key, and the doctor cannot look into it.
      2. Otherwise give the path of banger's state.db.
      3. If this is where the store was, it was overwritten: keep this file, and restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    certain  encrypted-blocks: each block of 4,096 bytes is noise: encryption or compression leaves this; by whom is not in the file

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but random bytes, or an encrypted database (20000 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(&[0; 8192]), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database, but only zero bytes (8192 bytes): no store can be read from it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Give the path of banger's state.db, unpacked if it is an archive.
      2. If this is where the store was, it was overwritten: keep this file, and restore a backup.

    How it came to this (`doctor --explain SIGN` says more of each):

    class  zero-blocks: the file is zeros only (8,192 bytes): these blocks never came onto the disk, or were cleared; was there a crash of the machine, a full disk, or a copy that did not end?

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database, but only zero bytes (8192 bytes)
    --- exit 3 ---
    ");
    assert_snapshot!(look_at(b"\x01\x02\x03"), @"
    [PLACE]/store/state.db

    FAIL  file       it is not an SQLite database (3 bytes): no store can be read from it
    skip  read-only  not examined, because `file` failed

    FAIL: 1 of 2 checks failed (file), 1 skipped
    It is not known whether data is lost.

    What to do (file):
      1. Give the path of banger's state.db, unpacked if it is an archive.
      2. If this is where the store was, it was overwritten: keep this file, and restore a backup.

    More: doctor --explain file
    --- exit 1 ---
    cannot tell: [PLACE]/store/state.db: it is not an SQLite database (3 bytes)
    --- exit 3 ---
    ");
}

#[test]
fn a_database_of_another_application_is_not_taken_for_a_store_without_content() {
    let place = Place::new();
    let sql = "CREATE TABLE schema_migrations(version varchar NOT NULL PRIMARY KEY); INSERT INTO schema_migrations VALUES ('2026')";
    Connection::open(place.store()).unwrap().execute_batch(sql).unwrap();
    let before = place.footprint();
    let ran = place
        .doctor()
        .args(["--only", "file,journal,read-only,schema-state,unknown-ids"])
        .arg(place.store())
        .run();
    before.assert_same(&place.footprint(), "another application's database");
    assert_snapshot!(ran.text(), @"
    [PLACE]/store/state.db

    pass  file          an SQLite database, 3 pages of 4096 bytes
    pass  journal       nothing is waiting to be written back
    pass  read-only     closed, in rollback mode; read in place without a lock, then checked for changes; sandbox: [SANDBOX]
    FAIL  schema-state  could not look: schema_migrations is not banger's ledger: its columns are not id, name and applied_at
    skip  unknown-ids   not examined, because `schema-state` failed

    FAIL: 1 of 5 checks failed (schema-state), 1 skipped
    It is not known whether data is lost.

    What to do (schema-state):
      1. This may be another program's database: check the path.
      2. This examines the database of any application:
         doctor --any [PLACE]/store/state.db
      3. If it is banger's store, do not delete it. Keep a copy of all its files, and restore a backup:
         umask 077 && mkdir kept && cp -a [PLACE]/store/state.db* kept

    More: doctor --explain schema-state
    --- exit 1 ---
    ");
}

/// What the row `file` says of a store, and of the application any.
fn rows_of(place: &Place) -> [serde_json::Value; 2] {
    let row = |options: &[&str]| {
        let ran = place.doctor().args(options).args(["--format", "json"]).arg(place.store()).run();
        ran.row("file")
    };
    [row(&[]), row(&["--any"])]
}

/// What the gate and `--salvage` say; both end so that nothing is swapped or loaded.
fn refusals(place: &Place) -> [String; 2] {
    let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert_eq!(gate.code, Some(3), "{gate:?}");
    let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
    assert_eq!((salvage.code, salvage.stdout.as_str()), (Some(3), ""), "{salvage:?}");
    [gate.stdout, salvage.stderr].map(|text| text.replace(place.root().to_str().unwrap(), "[PLACE]").replace('\n', " "))
}

/// Types the commands of a remedy in a folder of its own, and sees that what they make passes.
fn type_remedy(place: &Place, row: &serde_json::Value, empty: Option<&[u8]>) {
    let desk = Place::new();
    let before = fs::read(place.store()).unwrap();
    if let Some(empty) = empty {
        fs::write(desk.folder().join("empty.db"), empty).unwrap();
    }
    let typed = commands(row);
    assert_eq!(typed.len(), 2, "{row}");
    for command in typed {
        let output = type_command(&desk.folder(), command);
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
    }
    assert_eq!(fs::read(place.store()).unwrap(), before);
    let made = desk.folder().join("fixed/state.db");
    let rows = |path: &std::path::Path| -> Vec<i64> {
        let conn = Connection::open(path).unwrap();
        let count = |table: &str| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        ["images", "vms", "schema_migrations"].iter().map(|table| count(table).unwrap()).collect()
    };
    assert_eq!(rows(&made), [2, 300, 3]);
}

/// A healthy store of one file, and a closed one without rows.
fn store_and_empty() -> (Place, Vec<u8>) {
    let empty = fs::read(Place::with(0, 0).store()).unwrap();
    (Place::with(2, 300), empty)
}

#[test]
fn a_first_page_that_is_gone_leaves_the_others() {
    let (place, empty) = store_and_empty();
    let pages = fs::metadata(place.store()).unwrap().len() / 4096;
    damage::overwrite_page(&place.store(), 1, 0);
    let [ours, any] = rows_of(&place);
    let is_gone = format!(
        "it does not begin like an SQLite database: its first page is gone (only zero bytes), but {} of {pages} pages of 4,096 bytes have the form of a database's: do not delete it",
        pages - 1
    );
    assert_eq!(any["detail"], is_gone.as_str());
    assert_eq!((&any["kind"], &ours["kind"]), (&"first-page-gone".into(), &"first-page-gone".into()));
    assert_eq!(
        ours["detail"],
        format!("{is_gone}; vms: all 300 rows stand whole; schema_migrations: 3 rows stand whole; images: 2 rows stand whole, how many it had is not known").as_str()
    );
    assert!(commands(&ours)[1].contains("doctor --salvage"), "{ours}");
    let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
    assert!(gate.code == Some(3) && gate.stdout.contains(&is_gone), "{gate:?}");
    type_remedy(&place, &any, Some(&empty));

    damage::change(&place.store(), |bytes| bytes.copy_within(4 * 4096..5 * 4096, 0));
    let [_, any] = rows_of(&place);
    assert!(
        any["detail"]
            .as_str()
            .unwrap()
            .contains("its first page is gone (a copy of page 5), but "),
        "{any}"
    );
    type_remedy(&place, &any, Some(&empty));

    damage::overwrite_page(&place.store(), 1, b'x');
    let [_, any] = rows_of(&place);
    assert!(
        any["detail"].as_str().unwrap().contains("(it is not a page of a database), but "),
        "{any}"
    );
}

#[test]
fn a_header_that_is_overwritten_is_written_anew() {
    for (bytes, command) in [
        (18, r"printf 'SQLite format 3\000\020\000' | dd of=fixed/state.db"),
        (100, "head -c 100 empty.db | dd of=fixed/state.db"),
    ] {
        let (place, empty) = store_and_empty();
        damage::change(&place.store(), |all| all[..bytes].fill(b'x'));
        let [ours, any] = rows_of(&place);
        assert!(any["detail"].as_str().unwrap().contains(": its header is overwritten, but "), "{any}");
        assert!(ours["detail"].as_str().unwrap().contains("vms: all 300 rows stand whole"), "{ours}");
        assert!(commands(&any)[1].contains(command), "{any}");
        type_remedy(&place, &any, Some(&empty));
    }
}

#[test]
fn a_header_that_counts_too_few_pages_says_so() {
    let (place, _) = store_and_empty();
    let pages = fs::metadata(place.store()).unwrap().len() / 4096;
    damage::change(&place.store(), |bytes| bytes[28..32].copy_from_slice(&[0, 0, 0, 1]));
    let [ours, any] = rows_of(&place);
    let counts = any["detail"].as_str().unwrap();
    assert!(counts.starts_with("the header counts 1 page, and its schema names page "), "{any}");
    assert!(counts.ends_with(&format!(": the file has {pages} pages of 4096 bytes")), "{any}");
    assert!(ours["detail"].as_str().unwrap().contains("vms: all 300 rows stand whole"), "{ours}");
    assert_eq!(any["kind"], "header-damaged");
    type_remedy(&place, &any, None);
}

/// A closed store of 302 rows, of which these bytes of the header were changed.
fn with_header(at: usize, to: &[u8]) -> Place {
    let place = Place::with(2, 300);
    damage::change(&place.store(), |bytes| bytes[at..at + to.len()].copy_from_slice(to));
    place
}

#[test]
fn a_header_that_contradicts_its_pages_is_put_right_by_its_command() {
    for (at, to, words) in [
        (
            16,
            &[4, 0][..],
            "a page size of 1024 bytes, and the first page, with all that it holds, has 4096",
        ),
        (16, &[0x20, 0], "a page size of 8192 bytes, and the first page"),
        (16, &[0, 1], "a page size of 65536 bytes, and the first page"),
        (16, &[0, 7], "a page size of 7 bytes, and the first page"),
        (56, &[0, 0, 0, 2], "text is in UTF-16le, and the text of the schema is in UTF-8"),
        (56, &[0, 0, 0, 3], "text is in UTF-16be, and the text of the schema is in UTF-8"),
        (
            56,
            &[0, 0, 0, 7],
            "text is in an encoding 7 that there is not, and the text of the schema is in UTF-8",
        ),
        (18, &[3], "announces a newer SQLite (file format: write version 3), but SQLite 3."),
        (18, &[3, 3], "(file format: write version 3, read version 3), but SQLite 3."),
        (44, &[0, 0, 0, 5], "(file format: schema format 5), but SQLite 3."),
    ] {
        let place = with_header(at, to);
        for row in rows_of(&place) {
            assert!(row["detail"].as_str().unwrap().contains(words), "{row}");
            assert_eq!(row["kind"], "header-damaged");
            if to.len() == 2 && at == 18 {
                continue;
            }
            type_remedy(&place, &row, None);
        }
        let gate = place.doctor().arg("--check-migrations").arg(place.store()).run();
        assert!(gate.code == Some(3) && gate.stdout.contains(words), "{gate:?}");
        let salvage = place.doctor().arg("--salvage").arg(place.store()).run();
        assert_eq!(salvage.code, Some(0), "{words}: {}", salvage.stderr);
    }
}

#[test]
fn a_header_in_utf_16_that_says_utf_8_is_named() {
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("PRAGMA encoding='UTF-16le'; CREATE TABLE t(a); INSERT INTO t VALUES ('x')")
        .unwrap();
    drop(conn);
    assert_eq!(rows_of(&place)[1]["status"], "pass");
    damage::change(&place.store(), |bytes| bytes[59] = 1);
    let [_, row] = rows_of(&place);
    assert!(
        row["detail"]
            .as_str()
            .unwrap()
            .contains("text is in UTF-8, and the text of the schema is in UTF-16le"),
        "{row}"
    );
}

#[test]
fn a_header_of_a_newer_sqlite_is_not_called_damaged() {
    let place = with_header(18, &[3, 3]);
    damage::change(&place.store(), |bytes| bytes[96..100].copy_from_slice(&3_999_001_u32.to_be_bytes()));
    for row in rows_of(&place) {
        let detail = row["detail"].as_str().unwrap();
        assert!(
            detail.contains("and SQLite 3.999.1 wrote it last: this doctor has ") && !detail.contains("damaged"),
            "{row}"
        );
        assert_eq!(row["kind"], "newer-sqlite");
        assert!(row["remedy"].as_str().unwrap().contains("that has SQLite 3.999.1 or later"), "{row}");
    }
}

#[test]
fn bytes_before_the_database_are_taken_away() {
    let (place, _) = store_and_empty();
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
    for before in [&head[..], b"\xef\xbb\xbf", &[0; 512], &[0; 8192]] {
        let moved = Place::new();
        fs::write(moved.store(), [before, &fs::read(place.store()).unwrap()].concat()).unwrap();
        let rows = rows_of(&moved);
        for row in &rows {
            assert_eq!(
                row["detail"],
                format!(
                    "it does not begin like an SQLite database, but one begins further on in it, at offset {}, behind other bytes: do not delete it",
                    before.len()
                )
                .as_str()
            );
            assert_eq!(row["kind"], "bytes-before");
            type_remedy(&moved, row, None);
        }
        for said in refusals(&moved) {
            assert!(said.contains("begins further on in it"), "{said}");
        }
    }
}

#[test]
fn a_database_in_a_row_of_another_is_not_taken_for_it() {
    let (place, _) = store_and_empty();
    let inner = fs::read(place.store()).unwrap();
    let outer = Place::new();
    let conn = Connection::open(outer.store()).unwrap();
    conn.execute_batch("CREATE TABLE files(id INTEGER PRIMARY KEY, body)").unwrap();
    conn.execute("INSERT INTO files(body) VALUES (?1)", [&inner[..2000]]).unwrap();
    let many = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k+1 FROM n WHERE k<900) INSERT INTO files(body) SELECT randomblob(300) FROM n";
    conn.execute_batch(many).unwrap();
    drop(conn);
    damage::overwrite_page(&outer.store(), 1, 0);
    let [_, any] = rows_of(&outer);
    assert_eq!(any["kind"], "first-page-gone", "{any}");
}

#[test]
fn conversions_of_text_are_named_and_undone() {
    let (place, _) = store_and_empty();
    let whole = fs::read(place.store()).unwrap();
    let with_returns: Vec<u8> = whole
        .iter()
        .flat_map(|byte| if *byte == b'\n' { b"\r\n".to_vec() } else { vec![*byte] })
        .collect();
    let latin: String = whole.iter().map(|byte| char::from(*byte)).collect();
    let without_returns: Vec<u8> = whole.iter().copied().filter(|byte| *byte != b'\r').collect();
    let turned: Vec<u8> = whole.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
    let replaced = String::from_utf8_lossy(&whole).into_owned().into_bytes();
    let cases = [
        (with_returns, "a carriage return stands before each of its ", true),
        (latin.into_bytes(), "written as UTF-8, which can be undone exactly", true),
        (without_returns, "not one carriage return (byte 0x0d) is left in it", false),
        (turned, "not one carriage return (byte 0x0d) is left in it", false),
        (replaced, "was replaced by U+FFFD, ", false),
    ];
    for (bytes, words, is_undone) in cases {
        let converted = Place::new();
        fs::write(converted.store(), bytes).unwrap();
        for row in rows_of(&converted) {
            let detail = row["detail"].as_str().unwrap();
            assert!(
                detail.starts_with("it was copied as if it were text: ") && detail.contains(words),
                "{row}"
            );
            assert_eq!(row["kind"], "text-conversion");
            assert!(!row.to_string().contains("is lost, unless"), "{row}");
            if is_undone {
                type_remedy(&converted, &row, None);
            }
        }
        if is_undone {
            let salvage = converted.doctor().arg("--salvage").arg(converted.store()).run();
            assert_eq!((salvage.code, salvage.stdout.as_str()), (Some(3), ""), "{salvage:?}");
            assert!(salvage.stderr.contains("can be undone exactly"), "{salvage:?}");
            let gate = converted.doctor().arg("--check-migrations").arg(converted.store()).run();
            assert!(
                gate.code == Some(3) && gate.stdout.contains("it was copied as if it were text"),
                "{gate:?}"
            );
        }
    }
}

#[test]
fn bytes_behind_the_last_page_are_a_note() {
    let (place, _) = store_and_empty();
    let pages = fs::metadata(place.store()).unwrap().len() / 4096;
    for (more, words) in [
        (16, "16 more bytes"),
        (4096, "1 more page"),
        (9000, "2 more pages and 808 more bytes"),
    ] {
        let longer = Place::new();
        let whole = fs::read(place.store()).unwrap();
        fs::write(longer.store(), [whole, vec![7; more]].concat()).unwrap();
        let ran = longer.doctor().args(["--format", "json"]).arg(longer.store()).run();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let row = ran.row("file");
        assert_eq!(
            row["detail"],
            format!("an SQLite database, {pages} pages of 4096 bytes, and {words} behind them").as_str()
        );
        assert_eq!(row["findings"][0]["kind"], "bytes-behind", "{row}");
        assert_eq!(ran.row("page-structure")["detail"], format!("{pages} pages checked").as_str());
        let gate = longer.doctor().arg("--check-migrations").arg(longer.store()).run();
        let salvage = longer.doctor().arg("--salvage").arg(longer.store()).run();
        assert_eq!((gate.code, salvage.code), (Some(0), Some(0)), "{gate:?} {salvage:?}");
    }
}

#[test]
fn zero_bytes_are_only_those_that_were_read() {
    let partly = |from: usize| {
        let mut bytes = vec![0; 40_000];
        bytes[from] = 1;
        let place = Place::new();
        fs::write(place.store(), bytes).unwrap();
        let [ours, any] = rows_of(&place);
        assert_eq!(ours["detail"], any["detail"]);
        assert!(!ours["commands"].to_string().contains("salvage"), "{ours}");
        any["detail"].as_str().unwrap().to_owned()
    };
    assert_snapshot!(partly(20_000), @"it is not an SQLite database (40000 bytes): its first 20,000 bytes are zero, and no page of a database was found behind them: no store can be read from it");
    assert_snapshot!(partly(3), @"it is not an SQLite database (40000 bytes): no store can be read from it");
}

#[test]
fn a_large_file_is_looked_at_in_part_and_its_holes_are_zero_bytes() {
    let place = Place::new();
    let file = fs::File::create(place.store()).unwrap();
    file.set_len(5 << 30).unwrap();
    let look = || place.doctor().args(["--only", "file", "--time-limit", "60"]).arg(place.store()).run();
    let hole = look();
    assert!(
        hole.code == Some(1) && hole.stdout.contains("but only zero bytes (5368709120 bytes)"),
        "{hole:?}"
    );
    file.write_all_at(b"x", (5 << 30) - 7).unwrap();
    let ran = look();
    assert!(
        ran.stdout
            .contains("its first 5,368,709,113 bytes are zero, and no page of a database was found"),
        "{ran:?}"
    );
    // More than is read was written, and nothing is said of what lies behind.
    file.set_len(0).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..257).for_each(|n| file.write_all_at(&zeros, n << 20).unwrap());
    let ran = look();
    assert!(!ran.stdout.contains("only zero bytes"), "{ran:?}");
    assert!(
        ran.stdout
            .contains("its first 268,435,456 bytes are zero, and the rest was not looked at"),
        "{ran:?}"
    );
}

#[test]
fn a_database_in_wal_mode_without_a_table_and_without_its_log_is_empty() {
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a)").unwrap();
    // The file alone is copied: the table is in the log.
    let alone = fs::read(place.store()).unwrap();
    drop(conn);
    fs::write(place.store(), alone).unwrap();
    let row = place.row("file", &[]);
    assert_eq!((&row["status"], &row["kind"]), (&"fail".into(), &"file-empty".into()));
    assert!(row["detail"].as_str().unwrap().ends_with("was in a -wal that is not here"), "{row}");
    assert_eq!(place.ask(&["--check-migrations"]).code, Some(3));
}

#[test]
fn a_store_in_wal_mode_whose_last_table_was_dropped_is_sound() {
    let place = Place::new();
    let conn = Connection::open(place.store()).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a); DROP TABLE t; VACUUM")
        .unwrap();
    drop(conn);
    assert_eq!(place.row("file", &["--any"])["status"], "pass");
}
