//! The answers of the checks so far, and the rows that they make, also of an examination that was aborted.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::Options;
use crate::application::{Application, Obstacle, Problem, StoreFiles};
use crate::cause::{self, Beside, Cause, Facts, Failed};
use crate::checks::check::Check;
use crate::checks::{self, CHECKS};
use crate::error::Error;
use crate::error::internal_error::catch_panic;
use crate::findings::CountedTable;
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::page_map::{self, KnownDamage, MapResult};
use crate::probe::{Probe, Situation};
use crate::report::outcome::{Failure, Outcome};
use crate::report::{Report, Row};
use crate::store::{Access, Witness};
use crate::text::escape::escape_untrusted;
use crate::text::paths;

/// The checks of the files themselves, whose failure has a cause in them.
const OF_THE_FILES: [CheckId; 4] = [
    CheckId::File,
    CheckId::Journal,
    CheckId::ReadOnly,
    CheckId::PageStructure,
];

/// The longest path that is shown, in characters.
const LONGEST_PATH: usize = 4096;

/// The answers of one store's checks. Any thread can report them while the examination runs, because SQLite may hang.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    application: Arc<Application>,
    store: String,
    /// The files of the store, as commands name them.
    files: StoreFiles,
    sandbox: String,
    wanted: Vec<CheckId>,
    wants_map: bool,
    state: Arc<Mutex<AnswersState>>,
}

/// A check's answer and how long it took.
pub(super) type Answer = (Outcome, Duration);

/// The state of the examination. The checks that have passed decide which come next.
#[derive(Debug)]
struct AnswersState {
    situation: Situation,
    /// By [`CheckId`].
    answers: [Option<Answer>; CheckId::ALL.len()],
    /// The checks that look just now.
    running: Vec<CheckId>,
    /// To ask whether the answers are still valid, once something was read through SQLite.
    witness: Option<(Witness, Probe)>,
    short_of_memory: bool,
    /// The rows of each table, once they are counted.
    tables: Vec<CountedTable>,
    map: MapResult,
    /// The file beside the store without which it is sound.
    sound_without: Option<&'static str>,
    /// The root pages of indexes of which only the order is wrong.
    out_of_order: Vec<u32>,
    cause: Vec<Cause>,
}

impl Default for AnswersState {
    fn default() -> Self {
        Self {
            situation: Situation::None,
            answers: Default::default(),
            running: vec![CheckId::File],
            witness: None,
            short_of_memory: false,
            tables: Vec::new(),
            map: MapResult::NotRequested,
            sound_without: None,
            out_of_order: Vec::new(),
            cause: Vec::new(),
        }
    }
}

impl AnswersState {
    fn get(&self, id: CheckId) -> Option<&Outcome> {
        self.answers[id as usize].as_ref().map(|(outcome, _)| outcome)
    }

    fn has_passed(&self, id: CheckId) -> bool {
        matches!(self.get(id), Some(Outcome::Pass { .. }))
    }

    /// Returns the first check in the chain of preconditions that has not passed.
    fn first_unmet(&self, check: &Check) -> Option<CheckId> {
        let mut cause = check.needs.check()?;
        while let Some(before) = checks::get(cause).needs.check().filter(|before| !self.has_passed(*before)) {
            cause = before;
        }
        Some(cause)
    }
}

impl Answers {
    /// Returns the answers to an examination of the store at `path` that has not begun.
    pub(crate) fn of(path: &Path, options: &Options<'_>) -> Self {
        Self {
            application: Arc::new(options.application.clone()),
            store: escape_untrusted(&paths::display_path(path), LONGEST_PATH),
            files: options.application.files_of(path),
            sandbox: options.environment.sandbox.to_string(),
            wanted: options.checks.clone(),
            wants_map: options.page_map,
            state: Arc::default(),
        }
    }

    /// Forgets all answers: the store is looked at again.
    pub(super) fn reset(&self, situation: Situation, witness: Option<(Witness, Probe)>) {
        *self.lock() = AnswersState {
            situation,
            witness,
            ..AnswersState::default()
        };
    }

    /// Returns the report of an examination that has ended: `Err` if the store changed during each attempt to read it.
    pub(super) fn report(&self, ended: Result<(), Error>) -> Report {
        self.assemble(match ended {
            Ok(()) => self.rows(None),
            Err(error) => self.rows_of_unstable_store(&error),
        })
    }

    /// Returns the report of an examination that was aborted by an error. It has the answers so far, unless the store changed since.
    /// The checks that were running have failed.
    pub(crate) fn report_aborted(&self, error: &Error) -> Report {
        let witness = self.lock().witness.clone();
        let is_believed = witness.is_none_or(|(witness, probe)| still_valid_in_time(witness, probe));
        self.assemble(if is_believed {
            self.rows(Some(error))
        } else {
            self.rows_of_unstable_store(error)
        })
    }

    fn assemble(&self, rows: Vec<Row>) -> Report {
        let state = self.lock();
        Report {
            index: 0,
            store: self.store.clone(),
            application: self.application.name().to_owned(),
            situation: state.situation.name(),
            sandbox: self.sandbox.clone(),
            examined_at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            tables: state.tables.clone(),
            rows,
            cause: state.cause.clone(),
            map: self.map_of(&state),
            short_of_memory: state.short_of_memory,
        }
    }

    /// Keeps that the store is sound without this file beside it.
    pub(super) fn set_sound_without(&self, suffix: &'static str) {
        self.lock().sound_without = Some(suffix);
    }

    /// Keeps the root pages of indexes of which only the order is wrong.
    pub(super) fn set_out_of_order(&self, roots: Vec<u32>) {
        self.lock().out_of_order = roots;
    }

    /// Looks for signs of how the store came to harm, where a check of its files failed. Every handle on the store must have been closed.
    pub(super) fn find_cause(&self, probe: &Probe, access: Option<&Access<'_>>, stop: &Stop) {
        let (failed, beside) = {
            let state = self.lock();
            let failed = |id: CheckId| match state.get(id) {
                // What could not be looked at shows nothing: an unfinished transaction beside it, for example, explains all of it.
                Some(Outcome::Fail(failure)) if !could_not_look(&failure.problem) => Some(Failed {
                    check: id,
                    problem: failure.problem.clone(),
                }),
                _ => None,
            };
            let failed: Vec<Failed> = OF_THE_FILES.into_iter().filter_map(failed).collect();
            let beside = Beside {
                sound_without: state.sound_without,
                out_of_order: state.out_of_order.clone(),
            };
            (failed, beside)
        };
        if failed.is_empty() {
            return;
        }
        stop.ends_checks();
        let found = catch_panic(|| cause::find(&Facts::new(probe, &failed, &beside, access, stop)));
        self.lock().cause = found.unwrap_or_default();
    }

    /// Makes the map of the store's pages, if it was requested. Every handle on the store must have been closed.
    pub(super) fn draw_map(&self, probe: &Probe, access: Option<&Access<'_>>, stop: &Stop) {
        if !self.wants_map {
            return;
        }
        stop.ends_checks();
        let map = match access {
            None => MapResult::unavailable("the store could not be opened to be read, as the rows say"),
            Some(access) => {
                let known = self.known_damage();
                catch_panic(|| page_map::map_store(probe, access, &known, stop)).unwrap_or_else(MapResult::unavailable)
            }
        };
        self.lock().map = map;
    }

    /// Returns the pages that the checks found damaged.
    fn known_damage(&self) -> KnownDamage {
        let state = self.lock();
        let damaged = match state.get(CheckId::PageStructure) {
            Some(Outcome::Fail(failure)) => failure.findings.kept.iter().filter_map(|finding| finding.page).collect(),
            _ => Vec::new(),
        };
        KnownDamage {
            is_sound: state.has_passed(CheckId::PageStructure),
            damaged_pages: damaged.into_iter().filter_map(|page: u64| u32::try_from(page).ok()).collect(),
        }
    }

    /// Returns the map at the end of the examination.
    fn map_of(&self, state: &AnswersState) -> MapResult {
        match &state.map {
            MapResult::NotRequested if self.wants_map => {
                MapResult::unavailable("the examination ended before one was made")
            }
            map => map.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, AnswersState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if this check's row was requested.
    pub(super) fn is_wanted(&self, id: CheckId) -> bool {
        self.wanted.contains(&id)
    }

    /// Returns true if this check has looked and found nothing wrong.
    pub(super) fn has_passed(&self, id: CheckId) -> bool {
        self.lock().has_passed(id)
    }

    /// Adds a running check.
    pub(super) fn begin(&self, id: CheckId) {
        self.lock().running.push(id);
    }

    /// Sets the one check that is running, or none.
    pub(super) fn set_running(&self, id: Option<CheckId>) {
        self.lock().running = id.into_iter().collect();
    }

    /// Records the answer of a check, which is no longer running.
    pub(super) fn set(&self, id: CheckId, answer: Answer) {
        let mut state = self.lock();
        state.running.retain(|running| *running != id);
        state.answers[id as usize] = Some(answer);
    }

    /// Returns the application whose store it is.
    pub(super) fn application(&self) -> &Application {
        &self.application
    }

    /// Returns the first of these checks that has failed, and how.
    pub(super) fn first_failure(&self, checks: &[CheckId]) -> Option<(CheckId, Failure)> {
        let state = self.lock();
        checks.iter().find_map(|id| match state.get(*id) {
            Some(Outcome::Fail(failure)) => Some((*id, failure.clone())),
            _ => None,
        })
    }

    /// Replaces the outcome of a check and adds the time that this took.
    pub(super) fn replace_outcome(&self, id: CheckId, outcome: Outcome, longer: Duration) {
        if let Some(answer) = &mut self.lock().answers[id as usize] {
            *answer = (outcome, answer.1 + longer);
        }
    }

    /// Keeps the rows of each table, as they were counted.
    pub(super) fn set_tables(&self, tables: Vec<CountedTable>) {
        self.lock().tables = tables;
    }

    /// Returns the answer of a check that could not look.
    pub(super) fn outcome_of_error(&self, error: &Error) -> Outcome {
        self.note_memory_shortage(error.is_out_of_memory());
        Outcome::could_not_look(error)
    }

    /// Notes that SQLite has hit its memory limit, if it has.
    pub(super) fn note_memory_shortage(&self, is_short: bool) {
        self.lock().short_of_memory |= is_short;
    }

    /// Returns the outcome of a check whose precondition is not met: skipped, unless the row that would say why was not requested.
    fn unmet_outcome(&self, state: &AnswersState, check: &Check) -> Outcome {
        let need = state.first_unmet(check).unwrap_or(CheckId::File);
        match state.get(need) {
            Some(Outcome::Fail(failure)) if !self.is_wanted(need) => Outcome::fail(
                format!("could not look: needs `{need}`, which failed: {}", failure.detail),
                failure.problem.clone(),
            ),
            _ => Outcome::skip(format!("needs `{need}`")),
        }
    }

    /// Returns the rows that are wanted, in the registry's order. `aborted_by` is the error that aborted the examination.
    fn rows(&self, aborted_by: Option<&Error>) -> Vec<Row> {
        let state = self.lock();
        let wanted = || CHECKS.iter().zip(&state.answers).filter(|(check, _)| self.is_wanted(check.id));
        let open = || wanted().filter(|(_, answer)| answer.is_none()).map(|(check, _)| check.id);
        let mut to_blame: Vec<CheckId> = open().filter(|id| state.running.contains(id)).collect();
        if to_blame.is_empty() {
            // A run that did not look never passes: where no check was looking, the first that has not looked says why.
            to_blame.extend(open().next());
        }
        let without_answer = |check: &Check| match aborted_by {
            None => self.unmet_outcome(&state, check),
            Some(error) if to_blame.contains(&check.id) => Outcome::could_not_look(error),
            Some(error) => Outcome::skip(match error.stopped() {
                Some(why) => why.to_string(),
                None => "the doctor itself failed, as another row says".to_owned(),
            }),
        };
        wanted()
            .map(|(check, answer)| {
                let (outcome, elapsed) = answer.clone().unwrap_or_else(|| (without_answer(check), Duration::ZERO));
                Row::new(check.id, outcome, elapsed, &self.application, &self.files)
            })
            .collect()
    }

    /// Returns the rows of a store that changed during each attempt: one row says so, `read-only` if it is wanted.
    fn rows_of_unstable_store(&self, error: &Error) -> Vec<Row> {
        self.lock().map = MapResult::NotRequested;
        let wanted = || CHECKS.iter().map(|check| check.id).filter(|id| self.is_wanted(*id));
        let to_blame = wanted().find(|id| *id == CheckId::ReadOnly).or_else(|| wanted().next());
        let row = |id: CheckId| {
            let outcome = if Some(id) == to_blame {
                Outcome::could_not_look(error)
            } else {
                Outcome::skip(match error {
                    Error::OpenHere(_) => "the store was not examined",
                    _ => "the store changed while it was read, so what this check found is not reported",
                })
            };
            Row::new(id, outcome, Duration::ZERO, &self.application, &self.files)
        };
        wanted().map(row).collect()
    }
}

/// Returns true if what was read so far is still valid. A file system that hangs may not answer; that counts as no.
fn still_valid_in_time(witness: Witness, probe: Probe) -> bool {
    const PATIENCE: Duration = Duration::from_millis(200);
    let (tell, told) = mpsc::channel();
    let asked = thread::Builder::new().spawn(move || tell.send(witness.is_still_valid(&probe)));
    asked.is_ok() && told.recv_timeout(PATIENCE).unwrap_or(false)
}

/// Returns true for a failure that says nothing of the store's own state.
fn could_not_look(problem: &Problem) -> bool {
    matches!(problem, Problem::CouldNotCheck(obstacle) if !matches!(obstacle, Obstacle::Damage | Obstacle::Schema))
}

#[cfg(test)]
mod tests;
