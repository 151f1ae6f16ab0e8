//! Folders as they lie on disk: what is read of them, what is refused, and for whom they may be meant.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode};

use crate::application::{Content, Folder, Refusal};
use crate::migrations::dialects::TOOLS;
use crate::migrations::dialects::d1::D1;
use crate::migrations::dialects::diesel::DIESEL;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::sqlx::SQLX;
use crate::migrations::dialects::tests::harness::Migrations;
use crate::migrations::folder::{self, FolderError, FolderLimits};
use crate::migrations::known::{KnownSet, Script, SkipReason};

fn refusal<'a>(folder: &'a Folder, path: &str) -> Option<&'a Refusal> {
    let file = folder.files.iter().find(|file| file.path == Path::new(path)).unwrap();
    match &file.content {
        Content::Refused(refusal) | Content::NotKept(refusal, _) => Some(refusal),
        Content::NotUtf8(_) => Some(&Refusal::NotUtf8),
        _ => None,
    }
}

/// A file that is refused keeps its place, and the files beside it are read.
#[test]
fn devices_pipes_and_long_files_are_refused_by_name_and_nothing_waits_for_them() {
    let migrations = Migrations::of("sqlx");
    let at = |name: &str| migrations.path().join(name);
    rustix::fs::mknodat(CWD, at("20250101_pipe.sql"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/dev/zero", at("20250102_zero.sql")).unwrap();
    symlink("/dev/tty", at("20250103_tty.sql")).unwrap();
    symlink(at("20250101_pipe.sql"), at("20250104_linked_pipe.sql")).unwrap();
    symlink("/nowhere/at/all", at("20250105_nothing.sql")).unwrap();
    symlink(at("20250106_circle.sql"), at("20250106_circle.sql")).unwrap();
    File::create(at("20250107_long.sql")).unwrap().set_len(100 << 20).unwrap();
    fs::write(at("20250108_latin.sql"), b"-- caf\xe9\nSELECT 1;").unwrap();
    symlink(at("20240101000001_notebooks.sql"), at("20250109_linked.sql")).unwrap();
    fs::create_dir(at("20250110_folder.sql")).unwrap();
    symlink("/dev/zero", at("README")).unwrap();

    let start = Instant::now();
    let folder = migrations.read();
    assert!(start.elapsed() < Duration::from_secs(5));
    let words = |name: &str| refusal(&folder, name).map(Refusal::to_string).unwrap_or_default();
    assert_eq!(words("20250101_pipe.sql"), "is a pipe (FIFO), not a regular file");
    assert_eq!(words("20250102_zero.sql"), "is a device, not a regular file");
    assert_eq!(words("20250104_linked_pipe.sql"), "is a pipe (FIFO), not a regular file");
    assert_eq!(words("20250105_nothing.sql"), "is a link to nothing, not a regular file");
    assert!(words("20250106_circle.sql").starts_with("cannot be read"));
    assert_eq!(words("20250107_long.sql"), "is longer than 4,194,304 bytes");
    assert_eq!(words("20250108_latin.sql"), "is not UTF-8 text");
    assert_eq!(refusal(&folder, "20250109_linked.sql"), None);
    assert!(folder.folders.contains(&"20250110_folder.sql".into()));

    let set = KnownSet::of(&folder, &SQLX).unwrap();
    let refused = set
        .known
        .iter()
        .filter(|known| matches!(known.script, Script::NotReplayable(SkipReason::Refused(_))));
    assert_eq!((set.known.len(), refused.count()), (4 + 9, 8));
}

#[test]
fn names_are_kept_as_the_bytes_that_they_are() {
    let migrations = Migrations::of("sqlx");
    let odd: [&[u8]; 3] = [
        b"20250101_\x1b[2Jboo\n.sql",
        b"20250102_\xff\xfe.sql",
        "20250103_\u{202e}lqs.sql".as_bytes(),
    ];
    for name in odd {
        fs::write(migrations.path().join(OsStr::from_bytes(name)), "SELECT 1;").unwrap();
    }
    let folder = migrations.read();
    for name in odd {
        assert!(folder.files.iter().any(|file| file.path.as_os_str().as_bytes() == name));
    }
    let known = KnownSet::of(&folder, &SQLX).unwrap().known;
    let files: Vec<&[u8]> = known.iter().map(|known| known.file.as_os_str().as_bytes()).collect();
    assert!(odd.iter().all(|name| files.contains(name)));
    let d1 = KnownSet::of(&folder, &D1).unwrap().known;
    assert!(
        d1.iter().any(|known| known.key.as_text() == "20250102_\u{fffd}\u{fffd}.sql"),
        "as node has it"
    );
}

#[test]
fn ten_thousand_files_are_read_in_a_moment() {
    let migrations = Migrations::empty();
    for number in 1..=10_000 {
        migrations.write(&format!("{number}_step.sql"), "SELECT 1;\n");
    }
    let start = Instant::now();
    for dialect in KnownSet::possible(&migrations.read()) {
        let known = migrations.known(dialect).known;
        assert_eq!((known.len(), known[9_999].name.contains("step")), (10_000, true));
        assert!(known.windows(2).all(|two| two[0].key < two[1].key), "by number: {}", dialect.name);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_folder_beyond_its_bounds_is_refused_and_of_files_beyond_them_the_checksums_are_taken() {
    let limits = FolderLimits {
        files: 9,
        file_bytes: 100,
        total_bytes: 250,
        summed_bytes: 1_000,
        name_bytes: 60,
        depth: 2,
    };
    let of = |files: &[(&str, &str)]| {
        let migrations = Migrations::with(files);
        folder::read(migrations.path(), &limits).map(|folder| folder.files.len())
    };
    let text = "x".repeat(90);
    assert_eq!(of(&[("1.sql", &text), ("2.sql", &text), ("a/b/3.txt", "")]), Ok(3));
    // What is pending is kept: the last by its name.
    let migrations = Migrations::with(&[
        ("1.sql", &text),
        ("2.sql", &text),
        ("3.sql", &text),
        ("4.sql", &"x\n".repeat(51)),
    ]);
    let folder = folder::read(migrations.path(), &limits).unwrap();
    let said: Vec<Option<String>> = ["1.sql", "2.sql", "3.sql", "4.sql"]
        .iter()
        .map(|name| refusal(&folder, name).map(Refusal::to_string))
        .collect();
    let no_room = "is not kept, as the folder's files hold more than 250 bytes together";
    assert_eq!(
        said,
        [
            Some(no_room.to_owned()),
            None,
            None,
            Some("is longer than 100 bytes".to_owned())
        ]
    );
    assert!(folder.files.iter().filter(|file| matches!(file.content, Content::NotKept(..))).count() == 2);
    let names: Vec<String> = (0..10).map(|number| format!("{number}.txt")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(of(&many), Err(FolderError::TooManyFiles(9)));
    assert_eq!(of(&[("a/b/c/1.sql", "")]), Err(FolderError::TooDeep(2)));
    assert_eq!(of(&[(&format!("a/{}", "n".repeat(60)), "")]), Err(FolderError::NameTooLong(60)));
}

#[test]
fn what_is_not_a_folder_or_not_there_is_said() {
    let migrations = Migrations::of("sqlx");
    let read = |path: &Path| folder::read(path, &FolderLimits::default()).unwrap_err().to_string();
    assert_eq!(read(&migrations.path().join("README.md")), "it is a regular file, not a folder");
    assert_eq!(read(Path::new("/dev/null")), "it is a device, not a folder");
    assert!(read(&migrations.path().join("nowhere")).contains("no such folder"));
}

#[test]
fn a_link_in_a_circle_and_hidden_folders_are_not_followed() {
    let migrations = Migrations::of("diesel");
    symlink(".", migrations.path().join("2025-01-01_circle")).unwrap();
    migrations.write(".git/objects/1_a.sql", "SELECT 1;");
    let folder = migrations.read();
    assert!(folder.files.iter().all(|file| !file.path.starts_with(".git")));
    let known = KnownSet::of(&folder, &DIESEL).unwrap().known;
    assert_eq!(known.last().unwrap().script, Script::NotReplayable(SkipReason::Missing("up.sql")));
    assert_eq!(known.len(), 5);
}

#[test]
fn a_file_that_is_exchanged_for_a_pipe_is_not_waited_for() {
    let migrations = Migrations::empty();
    let path = migrations.path().join("1_a.sql");
    fs::write(&path, "SELECT 1;").unwrap();
    // As fast as two threads can: whatever is read, nothing hangs and nothing panics.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::remove_file(&path);
                let _ = rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0);
                let _ = fs::remove_file(&path);
                let _ = File::create(&path).and_then(|mut file| file.write_all(b"SELECT 1;"));
            }
        });
        for _ in 0..500 {
            let _ = folder::read(migrations.path(), &FolderLimits::default());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn each_folder_is_possible_for_its_own_tool_and_for_no_more_than_it_could_be() {
    for (folder, wanted) in [
        ("sqlx", &["sqlx"][..]),
        ("golang-migrate", &["golang-migrate", "sqlx", "maragudk/migrate", "user_version"]),
        ("drizzle", &["drizzle", "sqlx", "D1"]),
        ("drizzle-folders", &["drizzle", "Prisma"]),
        ("prisma", &["Prisma"]),
        ("goose", &["goose"]),
        ("d1", &["sqlx", "D1"]),
        ("diesel", &["diesel"]),
        ("refinery", &["refinery"]),
        ("dbmate", &["dbmate"]),
        ("rusqlite_migration", &["user_version"]),
    ] {
        let folder_read = Migrations::of(folder).read();
        let possible = KnownSet::possible(&folder_read);
        assert_eq!(possible.iter().map(|dialect| dialect.name).collect::<Vec<_>>(), wanted, "{folder}");
        for dialect in possible {
            assert!(KnownSet::of(&folder_read, dialect).is_ok(), "{folder} {}", dialect.name);
        }
    }
    // What drizzle-kit leaves beside them tells drizzle's folders from Prisma's.
    let drizzle = Migrations::of("drizzle-folders");
    for known in drizzle.known(&DRIZZLE).known {
        drizzle.write(known.file.with_file_name("snapshot.json").to_str().unwrap(), "{}");
    }
    assert_eq!(KnownSet::possible(&drizzle.read()), [&DRIZZLE]);
    assert!(KnownSet::possible(&Migrations::empty().read()).is_empty());
}

#[test]
fn a_folder_that_cannot_be_a_tools_says_so() {
    let empty = Migrations::with(&[("README.md", ""), ("notes/today.txt", "")]);
    for dialect in TOOLS.iter().copied() {
        let why = KnownSet::of(&empty.read(), dialect).unwrap_err().to_string();
        assert!(why.starts_with(&format!("these are no migrations of {}: ", dialect.name)), "{why}");
    }
    let sqlx = Migrations::of("sqlx");
    sqlx.write("first_things.sql", "SELECT 1;");
    let why = KnownSet::of(&sqlx.read(), &SQLX).unwrap_err();
    assert_eq!(why.file.as_deref(), Some(Path::new("first_things.sql")));
    for journal in [
        "",
        "{}",
        "[]",
        "{\"entries\": [{\"tag\": 1}]}",
        "{\"entries\": [{\"tag\": \"a\", \"when\": 1e300}]}",
    ] {
        let drizzle = Migrations::with(&[("meta/_journal.json", journal), ("0000_a.sql", "SELECT 1;")]);
        let why = KnownSet::of(&drizzle.read(), &DRIZZLE).unwrap_err();
        assert_eq!(why.file.as_deref(), Some(Path::new("meta/_journal.json")), "{journal}");
    }
    // A journal that names a file elsewhere gets nothing from there.
    let journal = "{\"entries\": [{\"tag\": \"../secret\", \"when\": 1}, {\"tag\": \"/etc/hosts\", \"when\": 2}]}";
    let drizzle = Migrations::with(&[("meta/_journal.json", journal)]);
    let scripts = drizzle.known(&DRIZZLE).known;
    assert!(
        scripts
            .iter()
            .all(|known| matches!(known.script, Script::NotReplayable(SkipReason::NotThere)))
    );
}
