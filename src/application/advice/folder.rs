//! What to do about a store that is held against a folder of migrations.

use std::borrow::Cow;

use super::of_any;
use crate::application::{Application, FolderFault, Impact, Obstacle, Problem};

/// Returns the remedy for a problem in a store that is compared with a folder of migrations.
pub(in crate::application) fn of_folder(problem: &Problem, application: &Application) -> Cow<'static, str> {
    match problem {
        Problem::CouldNotCheck(Obstacle::ForeignLedger) => {
            "check the path of the store and that of the folder: both have to be of one application; --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in"
                .into()
        }
        Problem::Shape {
            worst: Impact::Reads | Impact::Writes,
            ..
        } => {
            "keep a copy of the store with its sidecar files; find out what changed the schema, or which file was changed after it was applied (`migration-history`); put it right with a new migration, or restore a backup whose schema is whole; the rows that are there are not lost"
                .into()
        }
        Problem::Shape {
            worst: Impact::Equivalent | Impact::Extra,
            ..
        } => {
            "no data is lost and the application can go on; find out what changed the schema: write it as a migration, or take it back, since a later migration may fail on it"
                .into()
        }
        Problem::Shape {
            worst: Impact::SilentChange | Impact::Unguarded,
            ..
        } => {
            "keep a copy of the store with its sidecar files; find out what changed the schema and by whom (`sqlite3 -readonly COPY .schema | cat -v` shows it); while the application does not run, put it right with a new migration, or take back what was added; look for rows that have become wrong by it"
                .into()
        }
        Problem::Rehearsal {
            were_there: false,
            by_cascade,
            ..
        } => {
            let mend = "do not let these migrations run on this store: they would go wrong; nothing was changed; mend the migration, and rehearse it again";
            if *by_cascade {
                format!("{mend}; rebuild a table that others refer to, or replace its rows, only while foreign keys are off, which they are if that is said outside of any transaction (--foreign-keys says whether the application has them on)").into()
            } else {
                mend.into()
            }
        }
        _ => of_any(problem, application),
    }
}

/// Returns the remedy if a ledger and a folder do not agree.
pub(super) fn of_fault(fault: FolderFault) -> &'static str {
    match fault {
        FolderFault::Gap => {
            "nothing is lost: give the file that came too late a version above all that are applied, or apply it by hand as the tool's manual says; until then the tool runs nothing"
        }
        FolderFault::NotThere => {
            "nothing is wrong with the store: put the file back as it was (from the version control system); until then the tool runs nothing"
        }
        FolderFault::Twice => "give one of the files another version; first find out which of them the store has",
        FolderFault::NeverRun => {
            "make the migration anew, so that it comes after all that are applied, and take the old file away; or write by hand what it should have done"
        }
        FolderFault::Edited => {
            "restore the file as it was when it was applied (from the version control system), and write the change as a new migration; `schema-shape` says whether the store still is what the files make"
        }
        FolderFault::LineEnds => {
            "nothing is wrong with the store: keep the line ends from being changed at checkout (`*.sql text eol=lf` in .gitattributes, or -text), and check the files out again"
        }
    }
}
