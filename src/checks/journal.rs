//! Do the sidecar files belong to the store, and is every commit in them still there?

use crate::check::{Check, Finding, Findings, Look, Needs, Outcome};
use crate::probe::sidecars::{self, Verdict, examine};
use crate::probe::{Probe, until_sure};
use crate::stop::Stop;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "journal",
    summary: "the -wal or -journal beside it belongs to it and has lost no commit",
    needs: Needs::File,
    look: Look::Probe(look),
};

fn look(probe: &Probe, stop: &Stop) -> Outcome {
    match until_sure(probe, stop, sidecars::seems_wrong, |probe| examine(probe, stop)) {
        Ok(Verdict::Sound(words)) => Outcome::pass(words),
        Ok(Verdict::Wrong { suffix, what }) => {
            let mut findings = Findings::default();
            findings.add(|| Finding::new(what.clone()));
            Outcome::found(format!("something is wrong with the {suffix} file: {what}"), remedy(suffix), findings)
        }
        Err(error) => Outcome::could_not_look(&error),
    }
}

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
