//! What a check is.

use crate::application::Application;
use crate::checks::context::StoreContext;
use crate::findings::check_id::CheckId;
use crate::limits::stop::Stop;
use crate::probe::Probe;
use crate::report::outcome::Outcome;
use crate::store::ReadOnly;

/// One thing that the doctor examines.
pub(crate) struct Check {
    /// Its name in rows, options and `docs/checks.md`.
    pub id: CheckId,
    /// What it looks at, in one line.
    pub summary: &'static str,
    /// What must have gone well before; otherwise the row is skipped.
    pub needs: Needs,
    /// How it looks.
    pub input: Input,
}

/// What a check needs before it can look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it looks at the path itself.
    Nothing,
    /// That another check has passed.
    Passed(CheckId),
    /// That another check could look, whatever it found.
    Looked(CheckId),
}

impl Needs {
    /// The check that it needs.
    pub(crate) fn check(self) -> Option<CheckId> {
        match self {
            Self::Nothing => None,
            Self::Passed(check) | Self::Looked(check) => Some(check),
        }
    }
}

/// How a check looks, which says what it may touch.
pub(crate) enum Input {
    /// At what plain reads found, without SQLite.
    Probe(fn(&Probe, &Application, &Stop) -> Outcome),
    /// At how the store was opened and what the doctor left behind; answered when all others are done.
    Access,
    /// Through a read-only handle. An error is "could not look".
    Handle(fn(&StoreContext, &ReadOnly) -> crate::error::Result<Outcome>),
}
