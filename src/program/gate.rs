//! The gate's answer to the updater: whether this binary may take over a store: as a line, as JSON, as an exit code.

use std::path::Path;

use crate::error::Error;
use crate::migrations::key::Key;
use crate::migrations::rehearsed::Tried;
use crate::migrations::schema_state::{self, Compatibility, SHOWN_IDS, SchemaState};
use crate::migrations::status::Stands;
use crate::report::render::json;
use crate::text::escape::escape_untrusted;
use crate::text::shown;
use crate::text::words::id_list;

/// The longest path that the line shows, in characters.
const LONGEST_PATH: usize = 300;

/// The longest id of a migration that is shown, in characters.
const LONGEST_KEY: usize = 200;

/// The longest reason that is given, in characters.
const LONGEST_REASON: usize = 600;

/// What the gate says.
pub(crate) enum Answer {
    /// Where the store stands among the known migrations.
    State(SchemaState),
    /// The pending migrations fail on the store as it is, and why: do not swap.
    RehearsalFailed(SchemaState, String),
    /// Where the store stands among the migrations of a folder.
    Folder(FolderAnswer),
    /// There is no answer, and why: do not swap.
    CannotTell(String),
}

/// What the gate says of a store and a folder of migrations. Every text is safe to print.
pub(crate) struct FolderAnswer {
    compatibility: Compatibility,
    /// Why, where the ids alone do not say it.
    reason: Option<String>,
    ids: json::TextIds,
}

impl Answer {
    /// The answer of a store that stands so, and why its pending migrations fail, where they were tried.
    pub(crate) fn of(state: SchemaState, failure: Option<&str>) -> Self {
        match failure {
            None => Self::State(state),
            Some(why) => {
                let why = escape_untrusted(why, LONGEST_REASON);
                Self::RehearsalFailed(state, format!("migration rehearsal failed: {why}"))
            }
        }
    }

    /// The answer of a store that stands so among the migrations of a folder, and what came of trying those that are pending, where
    /// they were tried.
    pub(crate) fn of_folder(stands: &Stands, tried: Option<Tried>) -> Self {
        let standing = &stands.standing;
        let texts = |keys: &[Key]| -> Vec<String> {
            let shown = stands.all_shown(keys);
            shown.iter().map(|key| escape_untrusted(key, LONGEST_KEY)).collect()
        };
        let mut applied = texts(&standing.applied);
        applied.extend(texts(&standing.unknown));
        let known_max = stands.set.known.iter().map(|known| &known.key).max();
        let ids = json::TextIds {
            applied,
            known_max: known_max.map_or_else(String::new, |key| escape_untrusted(&stands.shown(key), LONGEST_KEY)),
            pending: texts(&standing.pending),
            unknown: texts(&standing.unknown),
        };
        let incompatible = |reason: Option<String>| (Compatibility::Incompatible, reason);
        let (compatibility, reason) = if !standing.unknown.is_empty() {
            incompatible(None)
        } else if let Some(why) = stands.refusal() {
            incompatible(Some(format!("{} would run nothing: {why}", stands.runner())))
        } else {
            let failed = match &tried {
                Some(Tried::Rehearsed(rehearsal)) => rehearsal.failure(),
                _ => None,
            };
            let failed = failed.map(|why| format!("migration rehearsal failed: {why}"));
            match (failed.or_else(|| disagreement(stands)), tried) {
                (Some(why), _) => incompatible(Some(why)),
                (None, Some(Tried::Not(why))) => return Self::cannot_tell(&why),
                (None, _) if standing.pending.is_empty() => (Compatibility::Compatible, None),
                (None, _) => (Compatibility::MigrationsNeeded, None),
            }
        };
        Self::Folder(FolderAnswer {
            compatibility,
            reason: reason.map(|why| escape_untrusted(&why, LONGEST_REASON)),
            ids,
        })
    }

    /// There is no answer for the store at `path`.
    pub(crate) fn could_not_look(path: &Path, error: &Error) -> Self {
        // However long the path is, there is room for the reason.
        let path = escape_untrusted(&shown::shown(path), LONGEST_PATH);
        Self::cannot_tell(&format!("{path}: {error}"))
    }

    /// There is no answer.
    pub(crate) fn cannot_tell(why: &str) -> Self {
        Self::CannotTell(escape_untrusted(why, LONGEST_REASON))
    }

    /// One line, with its end.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::State(state) => format!("{state}\n"),
            Self::RehearsalFailed(_, why) => format!("incompatible: {why} (do not swap)\n"),
            Self::Folder(answer) => answer.line(),
            Self::CannotTell(why) => format!("cannot tell: {why}\n"),
        }
    }

    /// The same as one line of JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::State(state) => json::gate(Some(state.compatibility), Some(state.into()), None),
            Self::RehearsalFailed(state, why) => {
                json::gate(Some(Compatibility::Incompatible), Some(state.into()), Some(why))
            }
            Self::Folder(FolderAnswer {
                compatibility,
                reason,
                ids,
            }) => json::gate(Some(*compatibility), Some(ids.into()), reason.as_deref()),
            Self::CannotTell(why) => json::gate(None, None, Some(why)),
        }
    }

    /// The exit code. A caller reads 0, 1 and 2 as answers; nothing else may end so.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::State(SchemaState { compatibility, .. }) | Self::Folder(FolderAnswer { compatibility, .. }) => {
                match compatibility {
                    Compatibility::Compatible => 0,
                    Compatibility::MigrationsNeeded => 1,
                    Compatibility::Incompatible => 2,
                }
            }
            Self::RehearsalFailed(..) => 2,
            Self::CannotTell(_) => EXIT_CANNOT_TELL,
        }
    }
}

/// Why what was applied is not what the folder has, though the tool would go on: the report fails it too.
fn disagreement(stands: &Stands) -> Option<String> {
    let unrecorded = stands.unrecorded();
    unrecorded.or_else(|| stands.agreement().faults.into_iter().next().map(|worst| worst.what))
}

impl FolderAnswer {
    /// The same words as for ids that are numbers.
    fn line(&self) -> String {
        let Self { ids, .. } = self;
        let line = match (self.compatibility, &self.reason) {
            (Compatibility::Incompatible, Some(why)) => format!("incompatible: {why} (do not swap)"),
            (compatibility, _) => schema_state::line(
                compatibility,
                ids.applied.len(),
                &id_list(&ids.pending, SHOWN_IDS),
                &id_list(&ids.unknown, SHOWN_IDS),
            ),
        };
        line + "\n"
    }
}

/// Cannot tell: do not swap.
pub(crate) const EXIT_CANNOT_TELL: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banger::APPLICATION;

    fn said(answer: &Answer) -> (u8, String, String) {
        (answer.exit(), answer.line(), answer.json())
    }

    #[test]
    fn each_answer_has_a_line_an_object_and_a_code_that_agree() {
        let state = |applied: &[i64]| SchemaState::of(&APPLICATION, applied.to_vec());
        let (code, line, json) = said(&Answer::of(state(&state(&[]).pending), None));
        assert!(code == 0 && line.starts_with("compatible: ") && json.contains(r#""compatibility":"compatible""#));
        let (code, line, json) = said(&Answer::of(state(&[]), None));
        assert!(code == 1 && line.starts_with("migrations needed: ") && json.contains("\"migrations-needed\""));
        let (code, line, json) = said(&Answer::of(state(&[9001]), None));
        assert!(code == 2 && line.starts_with("incompatible: unknown [9001]") && json.contains("\"incompatible\""));
        let (code, line, json) = said(&Answer::of(state(&[]), Some("a\u{1b}b")));
        assert_eq!(
            (code, line.as_str()),
            (2, "incompatible: migration rehearsal failed: a\\u{1b}b (do not swap)\n")
        );
        assert!(json.contains(r#""reason":"migration rehearsal failed: a\\u{1b}b""#), "{json}");
        let (code, line, json) = said(&Answer::could_not_look(Path::new("s.db"), &Error::WriteLocked));
        assert!(
            code == 3 && line.starts_with("cannot tell: s.db: another process") && json.contains("\"cannot-tell\"")
        );
    }
}
