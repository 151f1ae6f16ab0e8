//! Finds the processes that have the store open, and checks that each works with the files at its path.

use crate::application::{OpenCopy, Problem, UseFault};
use crate::checks::check::{Check, Input, Needs};
use crate::findings::check_id::CheckId;
use crate::findings::kind::Kind;
use crate::findings::{Finding, Findings};
use crate::probe::in_use::{OpenProcesses, Part, Process, ProcessFault, Sighting, Use};
use crate::probe::{Probe, situation};
use crate::report::outcome::Outcome;
use crate::text::words::plural;

/// The check.
pub(super) const CHECK: Check = Check {
    id: CheckId::InUse,
    summary: "every program that has the store open works with the files that lie here",
    needs: Needs::Passed(CheckId::File),
    input: Input::Users(run),
};

/// The number of programs that are named.
const MOST_NAMED: usize = 5;

fn run(sighting: &Sighting, probe: &Probe) -> Outcome {
    let mut findings = Findings::default();
    let mut worst: Option<(UseFault, String)> = None;
    let mut copies = Vec::new();
    for (process, fault) in sighting.faults() {
        let what = process.describe(fault);
        let problem = classify(fault);
        copies.extend(copies_of(process));
        findings.add(|| Finding::new(what.clone()).kind_of(kind(problem)));
        if worst.as_ref().is_none_or(|(known, _)| problem < *known) {
            worst = Some((problem, what));
        }
    }
    let Some((fault, what)) = worst else {
        return match &sighting.seen.no_look {
            Some(why) if situation::in_use(probe) => Outcome::skip(format!(
                "another program has it open, by its locks; which one, and whether it sees these files, could not be looked for: {why}"
            )),
            Some(why) => Outcome::skip(format!("could not look who has it open: {why}")),
            None => Outcome::pass(describe_users(sighting, probe)),
        };
    };
    let detail = match findings.total - 1 {
        0 => {
            // The detail says all of it.
            findings = Findings::default();
            what
        }
        more => format!("{what}; and {}", plural(more, "program more is at fault", "programs more are at fault")),
    };
    let problem = Problem::InUse {
        fault,
        copies,
        log_lies_here: probe.wal.has_content(),
    };
    Outcome::found(detail, problem, findings)
}

/// Returns the fault as the remedies know it.
fn classify(fault: &ProcessFault) -> UseFault {
    match fault {
        ProcessFault::Deleted { files } if files.iter().any(|(part, _)| *part == Part::Wal) => UseFault::LogDeleted,
        ProcessFault::Deleted { .. } => UseFault::IndexDeleted,
        ProcessFault::Replaced { .. } => UseFault::Replaced,
        ProcessFault::OtherDatabase => UseFault::OtherDatabase,
        ProcessFault::LocksLost => UseFault::LocksLost,
    }
}

fn kind(fault: UseFault) -> Kind {
    let problem = Problem::InUse {
        fault,
        copies: Vec::new(),
        log_lies_here: false,
    };
    problem.kind()
}

/// Returns the descriptors from which the database and the log of a process can be copied. The index is made anew.
fn copies_of(process: &Process) -> Vec<OpenCopy> {
    let copy = |part: Part| {
        let of_part = || process.files.iter().filter(move |file| file.part == part);
        // Where a file was deleted and made anew, the deleted one is that with which the program works.
        let file = of_part().find(|file| file.deleted).or_else(|| of_part().next())?;
        Some(OpenCopy {
            pid: process.pid,
            fd: file.fd,
            suffix: part.suffix(),
        })
    };
    [Part::Database, Part::Wal, Part::Journal].into_iter().filter_map(copy).collect()
}

/// Describes who has a store open, where nothing is wrong, and what could not be looked at.
fn describe_users(sighting: &Sighting, probe: &Probe) -> String {
    let (users, readers) = (name(sighting.users(Use::Open)), name(sighting.users(Use::ReadsUnlocked)));
    let mut parts = Vec::new();
    if let Some(users) = users {
        parts.push(format!("in use by {users}"));
    }
    if let Some(readers) = readers {
        parts.push(format!(
            "open for reading by {readers}, without SQLite's locks: a copy made now may be torn"
        ));
    }
    let OpenProcesses {
        unseen,
        hidden,
        contained,
        ..
    } = sighting.seen;
    if parts.is_empty() {
        parts.push(if situation::in_use(probe) {
            "another program has it open, which cannot be seen from here".to_owned()
        } else if unseen > 0 || hidden || contained {
            "no program that can be seen has it open".to_owned()
        } else {
            "no program has it open".to_owned()
        });
    }
    if unseen > 0 {
        parts.push(format!("{} may not be looked at", plural(unseen.into(), "program", "programs")));
    }
    if hidden {
        parts.push("the system hides other users' programs".to_owned());
    }
    if contained {
        parts.push("programs outside of this container are not seen".to_owned());
    }
    parts.join("; ")
}

/// "bangerd (pid 4711), sqlite3 (pid 4712) and 3 programs more"; `None` for no process.
fn name<'a>(processes: impl Iterator<Item = &'a Process>) -> Option<String> {
    let labels: Vec<String> = processes.map(Process::label).collect();
    let named = labels.get(..MOST_NAMED).unwrap_or(&labels).join(", ");
    match labels.len().saturating_sub(MOST_NAMED) as u64 {
        _ if labels.is_empty() => None,
        0 => Some(named),
        more => Some(format!("{named} and {}", plural(more, "program more", "programs more"))),
    }
}
