//! The gate's answer to the updater: whether this binary may take over a store: as a line, as JSON, as an exit code.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, internal_error};
use crate::examine::migration_status;
use crate::migrations::key::MigrationKey;
use crate::migrations::rehearsal::RehearsalOutcome;
use crate::migrations::schema_state::{self, Compatibility, SHOWN_IDS};
use crate::migrations::status::MigrationStatus;
use crate::program::meter::Meter;
use crate::program::output::{gate_text, print};
use crate::program::session::Session;
use crate::report::render::json::{self, GateIds, WireId, WireIds};
use crate::text::escape::escape_untrusted;
use crate::text::paths;

/// The longest path that the line shows, in characters.
const LONGEST_PATH: usize = 300;

/// The longest id of a migration that is shown, in characters.
const LONGEST_KEY: usize = 200;

/// The longest reason that is given, in characters.
const LONGEST_REASON: usize = 600;

/// The gate's answer. Every text in it is safe to print.
pub(crate) enum GateAnswer {
    /// The store's ledger could be read.
    Decided(Decision),
    /// There is no answer, and why: do not swap.
    CannotTell(String),
}

/// The answer for a store whose ledger could be read.
pub(crate) struct Decision {
    compatibility: Compatibility,
    /// Why, where the ids alone do not say it.
    reason: Option<String>,
    ids: GateIds,
    /// What the rehearsal saw beside.
    notes: Vec<String>,
    /// Those of the notes that the line has.
    rows_gone: Vec<String>,
}

impl GateAnswer {
    /// Returns the answer for a store of this status, with what came of its rehearsal, where one was asked for.
    pub(crate) fn of(status: &MigrationStatus, rehearsal: Option<&RehearsalOutcome>) -> Self {
        let (mut compatibility, mut reason) = (Compatibility::of(&status.diff), None);
        // Unknown ids come first: nothing was rehearsed then.
        if compatibility != Compatibility::Incompatible {
            reason = objection(status, rehearsal);
            if reason.is_some() {
                compatibility = Compatibility::Incompatible;
            } else if let Some(RehearsalOutcome::NotRehearsed(why)) = rehearsal {
                return Self::cannot_tell(why);
            }
        }
        let (notes, rows_gone) = rehearsal.map_or_else(Default::default, notes);
        Self::Decided(Decision {
            compatibility,
            reason,
            ids: ids(status),
            notes,
            rows_gone,
        })
    }

    /// There is no answer for the store at `path`.
    pub(crate) fn could_not_look(path: &Path, error: &Error) -> Self {
        // However long the path is, there is room for the reason.
        let path = escape_untrusted(&paths::display_path(path), LONGEST_PATH);
        Self::cannot_tell(&format!("{path}: {error}"))
    }

    /// There is no answer.
    pub(crate) fn cannot_tell(why: &str) -> Self {
        Self::CannotTell(escape_untrusted(why, LONGEST_REASON))
    }

    /// Returns the answer as one line, with its end.
    pub(crate) fn line(&self) -> String {
        let line = match self {
            Self::Decided(Decision { reason: Some(why), .. }) => format!("incompatible: {why} (do not swap)"),
            Self::Decided(Decision {
                compatibility,
                ids,
                rows_gone,
                ..
            }) => {
                let line = schema_state::line(
                    *compatibility,
                    ids.applied.len(),
                    &ids.pending.list(SHOWN_IDS),
                    &ids.unknown.list(SHOWN_IDS),
                );
                line + &clause(rows_gone)
            }
            Self::CannotTell(why) => format!("cannot tell: {why}"),
        };
        line + "\n"
    }

    /// Returns the answer as one line of JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Decided(Decision {
                compatibility,
                reason,
                ids,
                notes,
                ..
            }) => json::gate(Some(*compatibility), Some(ids), reason.as_deref(), notes),
            Self::CannotTell(why) => json::gate(None, None, Some(why), &[]),
        }
    }

    /// Returns the exit code. A caller reads 0, 1 and 2 as answers; nothing else may end so.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Decided(Decision { compatibility, .. }) => match compatibility {
                Compatibility::Compatible => 0,
                Compatibility::MigrationsNeeded => 1,
                Compatibility::Incompatible => 2,
            },
            Self::CannotTell(_) => EXIT_CANNOT_TELL,
        }
    }
}

/// The most notes that are given.
const MOST_NOTES: usize = 100;

/// The most notes that the line has.
const MOST_NOTES_SHOWN: usize = 2;

/// Returns the notes of a rehearsal, and those of them that the line has.
fn notes(rehearsal: &RehearsalOutcome) -> (Vec<String>, Vec<String>) {
    let RehearsalOutcome::Rehearsed(rehearsal) = rehearsal else {
        return Default::default();
    };
    let escaped = |notes: &[String]| -> Vec<String> {
        let most = notes.iter().take(MOST_NOTES);
        most.map(|note| escape_untrusted(note, LONGEST_REASON)).collect()
    };
    (escaped(&rehearsal.notes), escaped(&rehearsal.rows_gone))
}

/// Returns the clause about rows that are not there after the migrations, to end the line.
fn clause(rows_gone: &[String]) -> String {
    if rows_gone.is_empty() {
        return String::new();
    }
    let shown: Vec<&str> = rows_gone.iter().take(MOST_NOTES_SHOWN).map(String::as_str).collect();
    let more = match rows_gone.len() - shown.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("; rehearsed: {}{more}", shown.join("; "))
}

/// Reads the migration status of the one store and returns the answer.
pub(crate) fn ask(session: &Arc<Session>) -> GateAnswer {
    let meter = Arc::new(Meter::new());
    let mut stop = session.stop();
    // Elsewhere the gate prints its one line and no other.
    if meter.on_terminal() {
        stop = stop.showing(meter.ticker(&[]));
    }
    let watch = {
        let (theirs, meter) = (session.clone(), meter.clone());
        session.watchdog.watch(&stop, move |why| {
            let answer = GateAnswer::could_not_look(theirs.store(), &Error::Stuck(why));
            meter.clear();
            let _ = print(gate_text(&answer, theirs.args.format).as_bytes());
            theirs.exit_process(answer.exit())
        })
    };
    let (path, environment) = (session.store(), session.environment(&stop));
    let (application, rehearse) = (&session.application, session.args.rehearse);
    let asked = internal_error::catch_panic(|| {
        let (status, rehearsal) = migration_status(path, application, rehearse, session.users(path), &environment)?;
        Ok(GateAnswer::of(&status, rehearsal.as_ref()))
    });
    watch.end();
    meter.clear();
    match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => GateAnswer::could_not_look(path, &error),
        Err(mistake) => GateAnswer::cannot_tell(&mistake.to_string()),
    }
}

/// Returns the reason why the binary, or the folder, must not take the store over though it knows every applied migration.
fn objection(status: &MigrationStatus, rehearsal: Option<&RehearsalOutcome>) -> Option<String> {
    if let Some(why) = status.refusal() {
        let why = format!("{} would run nothing: {why}", status.runner_name());
        return Some(escape_untrusted(&why, LONGEST_REASON));
    }
    if let Some(why) = rehearsal.and_then(RehearsalOutcome::failure) {
        // Of a built-in application, the reason has its whole length behind these words.
        let begin = "migration rehearsal failed: ";
        let longest = if status.is_built_in() {
            LONGEST_REASON + begin.len()
        } else {
            LONGEST_REASON
        };
        return Some(escape_untrusted(&format!("{begin}{why}"), longest));
    }
    // The tool would go on, and the report fails it all the same.
    let disagreement = || status.agreement().faults.into_iter().next().map(|worst| worst.what);
    let why = status.unrecorded_reason().or_else(disagreement)?;
    Some(escape_untrusted(&why, LONGEST_REASON))
}

/// Returns the ids of a status: numbers where the migrations are compiled in, and text of a folder's.
fn ids(status: &MigrationStatus) -> GateIds {
    if status.is_built_in() {
        let state = status.schema_state();
        return GateIds {
            applied: WireIds::Numbers(state.applied),
            known_max: WireId::Number(state.known_max),
            pending: WireIds::Numbers(state.pending),
            unknown: WireIds::Numbers(state.unknown),
        };
    }
    let escaped = |label: String| escape_untrusted(&label, LONGEST_KEY);
    let texts = |keys: &[MigrationKey]| -> Vec<String> { status.labels(keys).map(escaped).collect() };
    let diff = &status.diff;
    let mut applied = texts(&diff.applied);
    applied.extend(texts(&diff.unknown));
    let known_max = status.set.known.iter().map(|known| &known.key).max();
    GateIds {
        applied: WireIds::Texts(applied),
        known_max: WireId::Text(known_max.map_or_else(String::new, |key| escaped(status.label(key)))),
        pending: WireIds::Texts(texts(&diff.pending)),
        unknown: WireIds::Texts(texts(&diff.unknown)),
    }
}

/// Cannot tell: do not swap.
pub(crate) const EXIT_CANNOT_TELL: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banger::APPLICATION;
    use crate::migrations::known::KnownSet;
    use crate::migrations::rehearsal::{Rehearsal, RehearsalFault};

    fn said(answer: &GateAnswer) -> (u8, String, String) {
        (answer.exit(), answer.line(), answer.json())
    }

    #[test]
    fn each_answer_has_a_line_an_object_and_a_code_that_agree() {
        let status = |applied: &[i64]| {
            let set = KnownSet::compiled_in(&APPLICATION.migrations).unwrap();
            MigrationStatus::of_ids(&APPLICATION, set, Some(applied.to_vec()))
        };
        let all = status(&[]).schema_state().pending;
        let (code, line, json) = said(&GateAnswer::of(&status(&all), None));
        assert!(code == 0 && line.starts_with("compatible: ") && json.contains(r#""compatibility":"compatible""#));
        let (code, line, json) = said(&GateAnswer::of(&status(&[]), None));
        assert!(code == 1 && line.starts_with("migrations needed: ") && json.contains("\"migrations-needed\""));
        let (code, line, json) = said(&GateAnswer::of(&status(&[9001]), None));
        assert!(code == 2 && line.starts_with("incompatible: unknown [9001]") && json.contains("\"incompatible\""));
        let fails = RehearsalOutcome::Rehearsed(Rehearsal {
            faults: vec![RehearsalFault::of_table("t", "a\u{1b}b".to_owned())],
            ..Rehearsal::default()
        });
        let (code, line, json) = said(&GateAnswer::of(&status(&[]), Some(&fails)));
        assert_eq!(
            (code, line.as_str()),
            (2, "incompatible: migration rehearsal failed: t: a\\u{1b}b (do not swap)\n")
        );
        assert!(json.contains(r#""reason":"migration rehearsal failed: t: a\\u{1b}b""#), "{json}");
        let (code, line, json) = said(&GateAnswer::could_not_look(Path::new("s.db"), &Error::WriteLocked));
        assert!(
            code == 3 && line.starts_with("cannot tell: s.db: another process") && json.contains("\"cannot-tell\"")
        );
    }
}
