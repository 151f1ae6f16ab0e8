use super::*;
use crate::application::{DerivedSubject, Folder, FolderFault, MigrationsFolder};
use crate::banger;
use crate::text::escape::is_printable;
use std::path::Path;

/// Unfinished migrations that came as far as each [`Reached`] says, with and without a command that settles them.
fn unfinished() -> Vec<Problem> {
    let settlings = [None, Some("ferrymigrate settle")];
    let reached = [
        Reached::Unknown,
        Reached::Nothing,
        Reached::Everything,
        Reached::Partial,
    ];
    let problems = reached.into_iter().flat_map(|reached| {
        settlings.map(|settled_by| Problem::Unfinished {
            tool: "ferrymigrate",
            settled_by,
            reached,
        })
    });
    problems.collect()
}

/// Returns all that a remedy says, after a look at each step and each command.
fn whole(remedy: &Remedy) -> String {
    assert!(!remedy.steps.is_empty());
    for step in &remedy.steps {
        let begins = step
            .text
            .starts_with(|c: char| c.is_uppercase() || c == '`' || c == 't' || c == 'f' || c == 'b');
        let ends = step.text.ends_with(if step.commands.is_empty() { '.' } else { ':' });
        assert!(begins && ends && step.text.len() > 15, "{step:?}");
    }
    for command in remedy.commands() {
        assert!(command.chars().all(is_printable), "{command}");
        // What is not there is never made, and what is there is never overwritten.
        let sqlite = command.split("sqlite3 ").skip(1);
        for sqlite in sqlite {
            let reads = sqlite.starts_with("-readonly kept/") || sqlite.starts_with("-safe -readonly kept/");
            let vacuums = sqlite.starts_with("-cmd 'PRAGMA trusted_schema=OFF' fixed/");
            let writes = (sqlite.starts_with("-safe ") || vacuums) && (command.contains("mkdir fixed && "))
                || sqlite.starts_with("-bail -safe saved.db < ");
            assert!(reads || writes, "{command}");
        }
        let makes_files = command.contains("mkdir kept")
            || command.contains("mkdir fixed")
            || command.contains(" > ")
            || command.contains("saved.db");
        assert_eq!(makes_files, command.contains("umask 077"), "{command}");
    }
    let commands: Vec<&str> = remedy.commands().collect();
    format!("{} {}", remedy.text(), commands.join("\n"))
}

/// Returns one of each kind of log or journal that is another store's.
fn foreign_sidecars() -> [Problem; 2] {
    [("-wal", true), ("-journal", false)].map(|(suffix, is_ahead)| Problem::SidecarForeign {
        suffix,
        has_index: is_ahead,
        is_ahead,
    })
}

/// Returns problems whose remedies have commands of their own.
fn mended_by_commands() -> Vec<Problem> {
    let first_pages = [FirstPage::AllButMagic, FirstPage::AllButHeader, FirstPage::Nothing];
    let conversions = [
        Conversion::CarriageReturnsAdded { count: 1 },
        Conversion::Latin1ToUtf8 { original_size: 1 },
        Conversion::CarriageReturnsLost,
    ];
    let faults = [
        UseFault::LogDeleted,
        UseFault::Replaced,
        UseFault::IndexDeleted,
        UseFault::LocksLost,
    ];
    let mends = [
        vec![
            Mend::Rebuild(Some(vec!["INSERT INTO f(f) VALUES('rebuild')".to_owned()])),
            Mend::Drop(None),
        ],
        vec![Mend::Drop(Some(vec!["DROP TABLE f".to_owned()])), Mend::ByProgram],
        vec![Mend::Rebuild(None), Mend::ByProgramFromBackup],
        vec![Mend::KeepFirst],
    ];
    let refused = |statement: Option<&str>, newer: Option<&str>| Problem::SchemaRefused {
        statement: statement.map(str::to_owned),
        leaves_pages: true,
        newer: newer.map(str::to_owned),
    };
    let mut out = vec![
        Problem::PageCount { pages: 9 },
        Problem::Owner {
            suffixes: vec!["-wal", "-shm"],
        },
        Problem::StaleIndexes {
            names: vec!["by_name".to_owned()],
        },
        Problem::StaleIndexes { names: Vec::new() },
        Problem::SchemaRows(vec![(3, "type='table'".to_owned())]),
        Problem::SchemaRows(Vec::new()),
        refused(Some("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE rowid=3"), None),
        refused(None, None),
        refused(None, Some("3.99.0")),
        Problem::History(HistoryFault::RowsGone {
            ids: vec![2],
            is_ledger_gone: false,
        }),
    ];
    out.extend(first_pages.map(|intact| {
        Problem::NoStore(NoStore::FirstPageGone {
            intact,
            page_size: 4096,
            pages: 9,
        })
    }));
    out.extend(conversions.map(|conversion| Problem::NoStore(NoStore::Converted(conversion))));
    out.extend(faults.map(|fault| Problem::InUse {
        fault,
        copies: vec![OpenCopy {
            pid: 4711,
            fd: 5,
            suffix: "-wal",
        }],
        log_lies_here: true,
    }));
    out.extend(mends.map(|mends| Problem::Derived {
        subject: DerivedSubject::FullText,
        lost_rows: 0,
        has_unreached_rows: false,
        mends,
    }));
    out
}

#[expect(clippy::too_many_lines, reason = "a list of all problems")]
/// Returns one of each kind.
fn problems() -> Vec<Problem> {
    let obstacles = [
        Obstacle::TimeLimit,
        Obstacle::WritersWait,
        Obstacle::Interrupted,
        Obstacle::ResourceLimit,
        Obstacle::InternalError,
        Obstacle::ForeignLedger,
        Obstacle::WriteLocked,
        Obstacle::KeepsChanging,
        Obstacle::NoCopy,
        Obstacle::Damage,
        Obstacle::Schema,
        Obstacle::Other,
    ];
    let no_stores = [
        NoStore::Missing,
        NoStore::DanglingLink,
        NoStore::WrongKind,
        NoStore::Unreadable,
        NoStore::Empty,
        NoStore::EmptyWithSidecar { suffix: "-wal" },
        NoStore::EmptyWithSidecar { suffix: "-journal" },
        NoStore::LockedByMode,
        NoStore::EmptyWithoutLog,
        NoStore::SizeUnknown,
        NoStore::NotSqlite,
        NoStore::GitLfsPointer,
        NoStore::Noise,
        NoStore::BytesBefore {
            bytes: 60,
            is_whole: true,
        },
        NoStore::Overwritten,
        NoStore::CutInHeader,
    ];
    let damages = [
        Damage::Rows,
        Damage::Keys,
        Damage::OutOfReach,
        Damage::Freelist,
        Damage::Disagree,
        Damage::Differ,
        Damage::Duplicate,
        Damage::Index,
        Damage::Constraint,
        Damage::Unaccounted,
        Damage::NotChecked,
        Damage::Refused,
    ];
    let faults = [
        HistoryFault::FormerName { ids: vec![2] },
        HistoryFault::Gap { missing: vec![1] },
        HistoryFault::OtherName { ids: vec![1] },
        HistoryFault::Malformed { values: 1 },
    ];
    let impacts = [
        Impact::Reads,
        Impact::SilentChange,
        Impact::Writes,
        Impact::Unguarded,
        Impact::Equivalent,
        Impact::Extra,
    ];
    let mut out = vec![
        Problem::Header { faults: 1 },
        Problem::CutShort {
            missing_pages: 1,
            odd_bytes: 0,
        },
        Problem::SidecarUnreadable { suffix: "-wal" },
        Problem::LeftBehind { suffixes: vec!["-shm"] },
        Problem::Newer { unknown: 1 },
        Problem::ImpossibleHistory { applied: 1 },
        Problem::NeverRecorded { tool: "ferrymigrate" },
        Problem::Dangling { rows: 1 },
        Problem::KeysNotChecked { tables: 1 },
        Problem::Values { values: 1 },
        Problem::NotReadToEnd { tables: 1 },
        Problem::NamedFiles { wrong: 1 },
        Problem::FilesNotAllowed { paths: 1 },
    ];
    out.extend(unfinished());
    out.extend(mended_by_commands());
    let of_folders = [
        FolderFault::Gap,
        FolderFault::NotThere,
        FolderFault::Twice,
        FolderFault::NeverRun,
        FolderFault::Edited,
        FolderFault::LineEnds,
    ];
    out.extend(of_folders.map(Problem::Folder));
    out.extend(obstacles.map(Problem::CouldNotCheck));
    out.extend(no_stores.map(Problem::NoStore));
    out.extend(["-wal", "-shm", "-journal"].map(|suffix| Problem::SidecarWrong { suffix }));
    out.extend(damages.map(Problem::Structure));
    out.extend(faults.map(Problem::History));
    out.extend(impacts.map(|worst| Problem::Shape { worst, differences: 1 }));
    for (were_there, by_cascade) in [(false, false), (false, true), (true, false)] {
        out.push(Problem::Rehearsal {
            faults: 1,
            were_there,
            by_cascade,
        });
    }
    out
}

#[test]
fn every_application_has_something_to_do_about_every_problem_and_names_no_other() {
    let ferry = Application::new("ferry", Vec::new());
    let with_folder = Application::of_folder(MigrationsFolder {
        folder: Folder::default(),
        dialect: None,
        ledger: None,
        foreign_keys: None,
    });
    let files = ferry.files_of(Path::new("/srv/x.db"));
    for problem in problems().into_iter().chain(foreign_sidecars()) {
        let advice = whole(&ferry.advice(&problem, &files));
        for word in ["banger", "VM", "image", "state.db"] {
            assert!(!advice.contains(word), "{problem:?}: {advice}");
        }
        let of_any = whole(&Application::any().advice(&problem, &files));
        let of_folder = whole(&with_folder.advice(&problem, &files));
        let of_banger = whole(&banger::APPLICATION.advice(&problem, &files));
        for advice in [&advice, &of_any, &of_folder] {
            assert_eq!(
                advice.contains("--salvage"),
                advice.contains("doctor --any --salvage "),
                "{problem:?}: {advice}"
            );
            assert!(!advice.contains(".recover"), "{problem:?}: {advice}");
        }
        assert!(!of_folder.contains("daemon"), "{problem:?}: {of_folder}");
        assert!(!of_banger.replace("ferrymigrate", "").contains("ferry"), "{problem:?}: {of_banger}");
        for advice in [&advice, &of_any, &of_folder, &of_banger] {
            for word in ["STORE", "COPY", "NEW", "EMPTY"] {
                assert!(!advice.contains(word), "a place-holder: {problem:?}: {advice}");
            }
        }
    }
}
