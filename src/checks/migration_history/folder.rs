//! Do the ledger and the application's folder agree?

use crate::application::Problem;
use crate::findings::{Finding, Findings};
use crate::migrations::status::Stands;
use crate::report::outcome::Outcome;
use crate::text::words::plural;

/// How many faults and how many notes the detail names.
const NAMED: usize = 3;

pub(super) fn look(stands: &Stands) -> Outcome {
    let agreement = stands.agreement();
    let notes: String = match agreement.notes.len().saturating_sub(NAMED) {
        0 => agreement.notes.iter().map(|note| format!("; {note}")).collect(),
        more => {
            let some: String = agreement.notes.iter().take(NAMED).map(|note| format!("; {note}")).collect();
            format!("{some}; and {}", plural(more as u64, "more file", "more files"))
        }
    };
    let Some(worst) = agreement.faults.first() else {
        return Outcome::pass(format!("{}{notes}", agrees(stands)));
    };
    let problem = Problem::Folder(worst.fault);
    let mut findings = Findings::default();
    for fault in &agreement.faults {
        findings.add(|| Finding {
            id: fault.id,
            ..Finding::new(fault.what.clone())
        });
    }
    let all: Vec<&str> = agreement.faults.iter().map(|fault| fault.what.as_str()).collect();
    let mut detail = all.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
    let more = all.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        detail += &format!("; and {}", plural(more, "more fault", "more faults"));
    }
    Outcome::found(detail + &notes, problem, findings)
}

/// What was compared, and agrees.
fn agrees(stands: &Stands) -> String {
    let standing = &stands.standing;
    if standing.applied.is_empty() {
        return "no migration is applied".to_owned();
    }
    let applied = plural(standing.applied.len() as u64, "applied migration", "applied migrations");
    let same = standing.compared - standing.edited.len();
    if standing.compared == 0 {
        return format!(
            "{applied}; {} keeps no checksums, so whether a file was changed is not known",
            stands.runner()
        );
    }
    if same == standing.applied.len() {
        return format!("{applied}, and their files are those that were applied");
    }
    format!("{applied}, and the files of {same} are those that were applied")
}
