//! Sums up SQLite's lines: the verdict, and the places.

use super::integrity::Looked;
use super::lines::Groups;
use crate::application::{Damage, Problem};
use crate::error::Result;
use crate::findings::Findings;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;

/// The verdict, the places, and what was not looked at.
pub(super) fn outcome(handle: &ReadOnly, looked: Looked, left_out: Vec<String>) -> Result<Outcome> {
    let mut findings = Findings::default();
    let mut groups = Groups::of(looked.lines, handle)?;
    if let Some(error) = looked.error {
        groups.count(Damage::NotChecked, None, error.to_string());
    }
    for (table, why) in looked.refused {
        groups.count(Damage::Refused, Some(table), why);
    }
    let worst = worst(&groups);
    let detail = [vec![words(worst).to_owned()], left_out].concat().join("; ");
    for finding in groups.into_findings() {
        findings.add(|| finding);
    }
    findings.at_least = looked.at_least;
    Ok(Outcome::found(detail, Problem::Structure(worst), findings))
}

/// The kind of damage that decides what to do.
fn worst(groups: &Groups) -> Damage {
    const WORST_FIRST: [Damage; 5] = [
        Damage::Rows,
        Damage::NotChecked,
        Damage::Index,
        Damage::Constraint,
        Damage::Refused,
    ];
    WORST_FIRST.into_iter().find(|damage| groups.has(*damage)).unwrap_or(Damage::Unaccounted)
}

fn words(worst: Damage) -> &'static str {
    match worst {
        Damage::Rows => "pages that hold rows are damaged",
        Damage::NotChecked => "not everything could be checked: it is not known whether data is lost",
        Damage::Index => "only an index is wrong: no data is lost",
        Damage::Constraint => "rows hold values that their columns or a unique index forbid: no data is lost",
        Damage::Refused => {
            "a virtual table could not be checked, because its own module refuses it: it is not known whether it is damaged"
        }
        Damage::Unaccounted => "pages are unaccounted for: no data is lost, only disk space",
    }
}
