//! Do the sidecar files belong to the store, and is every commit in them still there?

use crate::check::{Check, Finding, Findings, Input, Needs, Outcome};
use crate::check_id::CheckId;
use crate::probe::sidecars::{self, Verdict, examine};
use crate::probe::{Probe, until_sure};
use crate::stop::Stop;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::Journal,
    summary: "the -wal or -journal beside it belongs to it and has lost no commit",
    needs: Needs::Passed(CheckId::File),
    input: Input::Probe(run),
};

fn run(probe: &Probe, stop: &Stop) -> Outcome {
    match until_sure(probe, stop, sidecars::seems_wrong, |probe| examine(probe, stop)) {
        Ok(Verdict::Sound(words)) => Outcome::pass(words + &other_names(probe)),
        Ok(Verdict::Wrong { suffix, what }) => wrong(suffix, what, remedy(suffix)),
        Ok(Verdict::Unreadable { suffix, why }) => wrong(suffix, sidecars::cannot_be_read(&why), NOT_READ),
        Err(error) => Outcome::could_not_look(&error),
    }
}

fn wrong(suffix: &str, what: String, remedy: &str) -> Outcome {
    let detail = format!("something is wrong with the {suffix} file: {what}");
    let mut findings = Findings::default();
    findings.add(|| Finding::new(what));
    Outcome::found(detail, remedy, findings)
}

/// What a file of several names may hide: SQLite looks for its sidecar files beside the name that it is given.
fn other_names(probe: &Probe) -> String {
    match probe.stamp.map_or(1, |stamp| stamp.links) {
        0 | 1 => String::new(),
        links => format!(
            "; the file has {links} names (hard links), and what lies beside the others, commits in a -wal perhaps, was not looked at"
        ),
    }
}

/// What to do about a sidecar that cannot be read.
const NOT_READ: &str = "see what lies there: ls -l state.db*; if you may not read it, run the doctor as the store's owner; if it is not a regular file, banger cannot open the store either: stop banger, and put the file itself there, or move away a link to nothing";

fn remedy(suffix: &str) -> &'static str {
    match suffix {
        "-journal" => {
            "rows may be half changed: stop banger before it writes, keep a copy of state.db and state.db-journal as they are, and restore a backup from before the crash"
        }
        "-shm" => {
            "no data is lost by this: stop banger, keep a copy of state.db, state.db-wal and state.db-shm, and move state.db-shm away; SQLite makes it anew"
        }
        _ => {
            "the latest commits may be lost, what is in state.db itself is not: stop banger before it writes, and keep a copy of state.db and state.db-wal as they are; if this is a copy, copy all the files of one moment again, otherwise restore a backup"
        }
    }
}
