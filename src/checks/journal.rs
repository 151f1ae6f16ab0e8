//! Do the sidecar files belong to the store, and is every commit in them still there?

use crate::application::{Application, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::limits::stop::Stop;
use crate::probe::sidecars::{self, Verdict, examine};
use crate::probe::{Probe, retry_until_stable};
use crate::report::outcome::Outcome;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::Journal,
    summary: "the -wal and -journal beside the store belong to it and have lost no commit",
    needs: Needs::Passed(CheckId::File),
    input: Input::Probe(run),
};

fn run(probe: &Probe, application: &Application, stop: &Stop) -> Outcome {
    match retry_until_stable(probe, stop, sidecars::seems_wrong, |probe| examine(probe, application, stop)) {
        Ok(Verdict::Sound(words)) => Outcome::pass(words + &hard_link_note(probe)),
        Ok(Verdict::Wrong { suffix, what }) => failure(suffix, what, Problem::SidecarWrong { suffix }),
        Ok(Verdict::Unreadable { suffix, why }) => {
            failure(suffix, sidecars::cannot_be_read(&why), Problem::SidecarUnreadable { suffix })
        }
        Err(error) => Outcome::could_not_look(&error),
    }
}

fn failure(suffix: &str, what: String, problem: Problem) -> Outcome {
    let detail = format!("something is wrong with the {suffix} file: {what}");
    let mut findings = Findings::default();
    findings.add(|| Finding::new(what));
    Outcome::found(detail, problem, findings)
}

/// Returns a note about hard links: SQLite looks for sidecar files beside the name that it is given, so another name may hide some.
fn hard_link_note(probe: &Probe) -> String {
    match probe.stamp.map_or(1, |stamp| stamp.links) {
        0 | 1 => String::new(),
        links => format!(
            "; the file has {links} names (hard links): a -wal beside another of them may hold commits, and was not examined"
        ),
    }
}
