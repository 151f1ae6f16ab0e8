use super::*;
use crate::application::{Folder, FolderFault, MigrationsFolder};
use crate::banger;

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

/// Returns one of each kind of log or journal that is another store's.
fn foreign_sidecars() -> [Problem; 2] {
    [("-wal", true), ("-journal", false)].map(|(suffix, is_ahead)| Problem::SidecarForeign {
        suffix,
        has_index: is_ahead,
        is_ahead,
    })
}

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
        NoStore::SizeUnknown,
        NoStore::NotSqlite,
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
    for problem in problems().into_iter().chain(foreign_sidecars()) {
        let advice = ferry.advice(&problem);
        assert!(advice.len() > 20 && !advice.ends_with('.'), "{problem:?}: {advice}");
        for word in ["banger", "VM", "image", "state.db"] {
            assert!(!advice.contains(word), "{problem:?}: {advice}");
        }
        for advice in [Application::any().advice(&problem), with_folder.advice(&problem)] {
            assert!(advice.len() > 20 && !advice.ends_with('.'), "{problem:?}: {advice}");
        }
        // It knows the schema of banger's stores alone, and refuses all others.
        let of_any = Application::any().advice(&problem);
        let of_folder = with_folder.advice(&problem);
        for advice in [&advice, &of_any, &of_folder] {
            assert!(!advice.contains("--salvage"), "{problem:?}: {advice}");
            assert!(!of_folder.contains("daemon"), "{problem:?}: {of_folder}");
            let commands = advice.split("sqlite3 ").skip(1).filter(|command| command.starts_with('-'));
            for command in commands {
                let is_safe = command.starts_with("-readonly COPY ") || command.starts_with("-safe ");
                assert!(is_safe, "{problem:?}: {advice}");
            }
        }
        let of_banger = banger::APPLICATION.advice(&problem);
        assert!(
            !of_banger.replace("ferrymigrate", "").contains("ferry") && !of_banger.contains("STORE-"),
            "{problem:?}: {of_banger}"
        );
    }
}
