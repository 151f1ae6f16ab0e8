//! Checks that the sidecar files belong to the store, and that every commit in them is still there.

use crate::application::{Application, Problem};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings};
use crate::limits::stop::Stop;
use crate::probe::sidecars::{self, Verdict, examine};
use crate::probe::{FileStat, Probe, retry_until_stable};
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
        Ok(Verdict::Sound(_)) if !probe.sidecars_closed_to_owner().is_empty() => closed_to_owner(probe),
        Ok(Verdict::Sound(words)) => Outcome::noted(words + &hard_link_note(probe), notes(probe, stop)),
        Ok(Verdict::Wrong { suffix, what }) => failure(suffix, what, Problem::SidecarWrong { suffix }),
        Ok(Verdict::WrongSize { what, pages }) => failure("-journal", what, Problem::JournalSize { pages }),
        Ok(Verdict::Foreign(foreign)) => {
            let mut findings = Findings::default();
            for sign in &foreign.signs {
                findings.add(|| Finding::new(sign.in_words()));
            }
            let detail = format!("the {} does not belong to the file: {}", foreign.suffix, foreign.in_words());
            let problem = Problem::SidecarForeign {
                suffix: foreign.suffix,
                has_index: foreign.suffix == "-wal" && probe.shm.stamp.is_some(),
                is_ahead: foreign.is_ahead(),
            };
            Outcome::found(detail, problem, findings)
        }
        Ok(Verdict::Unreadable { suffix, why }) => {
            failure(suffix, sidecars::cannot_be_read(&why), Problem::SidecarUnreadable { suffix })
        }
        Err(error) => Outcome::could_not_look(&error),
    }
}

/// Returns the failure of a store whose owner cannot write to files beside it, and so not to the store.
fn closed_to_owner(probe: &Probe) -> Outcome {
    let suffixes = probe.sidecars_closed_to_owner();
    let owner = |stamp: Option<FileStat>| stamp.map_or(0, |stamp| stamp.owner.0);
    let mut findings = Findings::default();
    for suffix in &suffixes {
        let sidecar = match *suffix {
            "-wal" => &probe.wal,
            "-shm" => &probe.shm,
            _ => &probe.journal,
        };
        let (whose, mode) = (owner(sidecar.stamp), sidecar.stamp.map_or(0, |stamp| stamp.mode & 0o7777));
        findings.add(|| {
            Finding::new(format!("the {suffix} belongs to the user with number {whose}, with mode {mode:04o}"))
        });
    }
    let detail = format!(
        "the store's owner (user {}) cannot write to the {} beside it, and so not to the store: another user made it, or its mode was changed",
        owner(probe.stamp),
        suffixes.join(" and ")
    );
    Outcome::found(detail, Problem::Owner { suffixes }, findings)
}

/// Returns the oddities of a log that belongs to the store.
fn notes(probe: &Probe, stop: &Stop) -> Findings {
    let mut notes = Findings::default();
    let odd = [
        (Kind::LargeLog, sidecars::describe_oversized_log(probe, stop)),
        (Kind::OlderLog, sidecars::describe_older_log(probe, stop)),
    ];
    for (kind, what) in odd {
        if let Some(what) = what {
            notes.add(|| Finding::note(kind, what));
        }
    }
    notes
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
