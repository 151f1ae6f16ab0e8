//! The answer of a check.

use crate::application::{Obstacle, Problem};
use crate::error::Error;
use crate::findings::{Findings, Loss};
use crate::limits::stop::Stopped;

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It looked, and found nothing wrong.
    Pass {
        /// The extent of what it looked at, in figures.
        detail: String,
        /// Oddities that do no harm.
        notes: Findings,
    },
    /// It looked and found something, or it tried and could not look.
    Fail(Failure),
    /// It did not try.
    Skip {
        /// The reason.
        reason: String,
    },
}

/// A fault that a check found. The application words the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The fault in a sentence.
    pub detail: String,
    /// The fault as a value.
    pub problem: Problem,
    /// The places, one by one.
    pub findings: Findings,
    /// The knowledge about lost data, if rows were counted.
    pub counted: Option<Loss>,
}

impl Outcome {
    /// Creates a pass that says what was looked at.
    pub(crate) fn pass(detail: impl Into<String>) -> Self {
        Self::noted(detail, Findings::default())
    }

    /// Returns a pass with notes: what is odd and does no harm.
    pub(crate) fn noted(detail: impl Into<String>, notes: Findings) -> Self {
        Self::Pass {
            detail: detail.into(),
            notes,
        }
    }

    /// Creates a failure without places.
    pub(crate) fn fail(detail: impl Into<String>, problem: Problem) -> Self {
        Self::found(detail, problem, Findings::default())
    }

    /// Creates a failure with its places.
    pub(crate) fn found(detail: impl Into<String>, problem: Problem, findings: Findings) -> Self {
        Self::Fail(Failure {
            detail: detail.into(),
            problem,
            findings,
            counted: None,
        })
    }

    /// Creates a check that did not look, and why.
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self::Skip { reason: reason.into() }
    }

    /// Creates a check that tried and could not: a failure.
    pub(crate) fn could_not_look(error: &Error) -> Self {
        Self::fail(format!("could not look: {error}"), Problem::CouldNotCheck(obstacle(error)))
    }

    /// Returns true if this is a failure.
    pub(crate) fn failed(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}

/// Returns the obstacle that an error stands for.
fn obstacle(error: &Error) -> Obstacle {
    match error {
        Error::Stopped(Stopped::TimeLimit(_)) | Error::Stuck(Stopped::TimeLimit(_)) => Obstacle::TimeLimit,
        Error::Stopped(Stopped::WritersWait(_)) => Obstacle::WritersWait,
        Error::Stopped(_) | Error::Stuck(_) => Obstacle::Interrupted,
        error if error.is_own_bound() && error.stopped().is_none() => Obstacle::ResourceLimit,
        Error::Internal(_) => Obstacle::InternalError,
        Error::Ledger(_) | Error::ForeignStore(_) => Obstacle::ForeignLedger,
        Error::WriteLocked => Obstacle::WriteLocked,
        Error::Moving(_) => Obstacle::KeepsChanging,
        Error::Copy { .. } => Obstacle::NoCopy,
        Error::Schema(_) => Obstacle::Schema,
        error if error.is_damage() => Obstacle::Damage,
        _ => Obstacle::Other,
    }
}
