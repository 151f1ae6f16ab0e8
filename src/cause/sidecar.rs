//! Signs of a log or a journal that is not the store's.

use sqlite_format::journal::MAGIC;
use sqlite_format::wal::{WalHeader, WalHeaderFault};

use super::{Certainty, Facts, Found, Sign};
use crate::application::Problem;
use crate::findings::check_id::CheckId;

/// The store and the log or journal beside it do not belong together.
pub(super) const LOG_OF_ANOTHER: Sign = Sign {
    name: "log-of-another",
    most: Certainty::Certain,
    mark: "of another log",
    find: find_foreign,
};

/// What lies in the place of the log or the journal is none.
pub(super) const NOT_A_LOG: Sign = Sign {
    name: "not-a-log",
    most: Certainty::Certain,
    mark: "not a log",
    find: find_other,
};

fn find_foreign(facts: &Facts<'_>) -> Option<Found> {
    const LATER: &str = "one of the two was put there later: a backup that was put back beside an old -wal, a -wal that was copied to another database, or a store that was copied without its own";
    if let Some(suffix) = facts.beside.sound_without {
        return Some(Found::new(
            Certainty::Certain,
            format!("the store is sound without the {suffix} beside it, and not with it: {LATER}"),
        ));
    }
    match facts.problem(CheckId::Journal)? {
        Problem::SidecarForeign { suffix, .. } => Some(Found::new(
            Certainty::Certain,
            format!("the store and the {suffix} beside it contradict each other: {LATER}"),
        )),
        _ => None,
    }
}

fn find_other(facts: &Facts<'_>) -> Option<Found> {
    facts.problem(CheckId::Journal)?;
    let (wal, journal) = (&facts.probe.wal, &facts.probe.journal);
    let is_no_log = wal.has_content()
        && wal.head.iter().any(|byte| *byte != 0)
        && matches!(WalHeader::parse(&wal.head), Err(WalHeaderFault::Magic));
    let is_no_journal = journal.has_content()
        && journal.head.first().is_some_and(|byte| *byte != 0)
        // One damaged byte leaves a journal.
        && journal.head.iter().zip(MAGIC).filter(|(byte, magic)| **byte != *magic).count() > 2;
    let suffix = match (is_no_log, is_no_journal) {
        (true, _) => "-wal",
        (_, true) => "-journal",
        _ => return None,
    };
    Some(Found::new(
        Certainty::Certain,
        format!(
            "the {suffix} does not begin as one does: another program wrote or put it there, or it is a damaged copy"
        ),
    ))
}
