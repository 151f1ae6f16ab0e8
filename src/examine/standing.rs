//! What the damage to a store means for its rows: added to the row that says that it is damaged, when all checks have answered
//! and every handle on the store is closed.

use std::time::Instant;

use super::Answers;
use crate::application::{NoStore, Problem};
use crate::error::mistake::caught;
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::Probe;
use crate::report::outcome::{Failure, Outcome};
use crate::salvage::standing::{Standing, standing};

/// The rows that may say so; the first that fails does.
const SAYING: [CheckId; 3] = [CheckId::File, CheckId::ReadOnly, CheckId::PageStructure];

impl Answers {
    /// Says how many rows stand whole, where a check found damage that may cost rows.
    pub(super) fn say_what_stands(&self, probe: &Probe, stop: &Stop) {
        let Some((check, failure)) = self.first_failure(&SAYING).filter(|(_, failure)| failure.problem.may_cost_rows())
        else {
            return;
        };
        if !self.asked(check) {
            return;
        }
        stop.ends_checks();
        let begun = Instant::now();
        let standing = caught(|| standing(probe, self.application(), stop))
            .unwrap_or_else(|mistake| Standing::Unknown(mistake.to_string()));
        if let Some(failure) = with_standing(failure, standing, probe.size(), self.application().name()) {
            self.answer_anew(check, Outcome::Fail(failure), begun.elapsed());
        }
    }
}

/// The failure together with what is known of the rows; `None` where nothing is to be said of them.
fn with_standing(failure: Failure, standing: Standing, size: u64, application: &str) -> Option<Failure> {
    let mut with = failure;
    match standing {
        Standing::Unsaid => return None,
        Standing::Unknown(why) => with.detail += &format!("; how many rows stand whole is not known: {why}"),
        Standing::Rows(account) => {
            account.add_to(&mut with.findings);
            if with.problem == Problem::NoStore(NoStore::NotSqlite) {
                with.problem = Problem::NoStore(NoStore::Overwritten);
                with.detail = format!(
                    "it is not an SQLite database any more ({size} bytes), but rows of {application}'s are still in it"
                );
            }
            with.detail += &format!("; {}", account.in_words());
        }
    }
    Some(with)
}
