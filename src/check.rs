//! The vocabulary of the checks: what a check is, and what it may answer.

use crate::application::{Application, Obstacle, Problem};
use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::Error;
pub(crate) use crate::finding::{Finding, Findings};
use crate::limits::stop::{Stop, Stopped};
use crate::probe::Probe;
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

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It looked, and found nothing wrong.
    Pass {
        /// What it looked at, in figures.
        detail: String,
    },
    /// It looked and found something, or it tried and could not look.
    Fail(Failure),
    /// It did not try.
    Skip {
        /// Why not.
        reason: String,
    },
}

/// What is wrong. What to do about it, the application says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What is wrong, in a sentence.
    pub detail: String,
    /// The same as a value.
    pub problem: Problem,
    /// The places, one by one.
    pub findings: Findings,
}

impl Outcome {
    /// A pass that says what was looked at.
    pub(crate) fn pass(detail: impl Into<String>) -> Self {
        Self::Pass { detail: detail.into() }
    }

    /// A failure without places.
    pub(crate) fn fail(detail: impl Into<String>, problem: Problem) -> Self {
        Self::found(detail, problem, Findings::default())
    }

    /// A failure with its places.
    pub(crate) fn found(detail: impl Into<String>, problem: Problem, findings: Findings) -> Self {
        Self::Fail(Failure {
            detail: detail.into(),
            problem,
            findings,
        })
    }

    /// A check that did not look, and why.
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self::Skip { reason: reason.into() }
    }

    /// A check that tried and could not: a failure.
    pub(crate) fn could_not_look(error: &Error) -> Self {
        Self::fail(format!("could not look: {error}"), Problem::NotLookedAt(obstacle(error)))
    }

    /// Whether this is a failure.
    pub(crate) fn failed(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}

/// Why a check could not look, by what its error is.
fn obstacle(error: &Error) -> Obstacle {
    match error {
        Error::Stopped(Stopped::TimeLimit(_)) | Error::Stuck(Stopped::TimeLimit(_)) => Obstacle::TimeLimit,
        Error::Stopped(Stopped::WritersWait(_)) => Obstacle::WritersWait,
        Error::Stopped(_) | Error::Stuck(_) => Obstacle::Interrupted,
        error if error.is_own_bound() && error.stopped().is_none() => Obstacle::OwnBound,
        Error::Mistake(_) => Obstacle::Mistake,
        Error::Ledger(_) => Obstacle::OtherLedger,
        Error::WriteLocked => Obstacle::WriteLocked,
        Error::Moving(_) => Obstacle::Moving,
        Error::Copy { .. } => Obstacle::NoCopy,
        error if error.is_damage() => Obstacle::Damage,
        _ => Obstacle::Other,
    }
}
