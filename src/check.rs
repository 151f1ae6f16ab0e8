//! The vocabulary of the checks: what a check is, and what it may answer.

use crate::check_id::CheckId;
use crate::context::StoreContext;
use crate::error::Error;
pub use crate::finding::{Finding, Findings};
use crate::probe::Probe;
use crate::stop::{Stop, Stopped};
use crate::store::ReadOnly;

/// What to do about a store whose pages are damaged.
///
/// `-readonly` spares the copy, whose log SQLite would otherwise write back. `-escape_untrusted` keeps a line in the store's definitions
/// from being run as a command of the shell. The `sqlite3` program of some distributions (Debian 12) is built without what
/// `.recover` needs, and then writes nothing.
pub const KEEP_AND_SAVE: &str = "data may be lost: stop banger and keep a copy of the store with its -wal, -shm and -journal; then restore a backup, or save what can be read with: sqlite3 -readonly COPY \".recover --ignore-freelist\" | sqlite3 -safe NEW (Debian 13's sqlite3 can do that; Debian 12's cannot, and saves nothing: `doctor --explain page-structure` has what it can)";

/// One thing that the doctor examines.
pub struct Check {
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
pub enum Needs {
    /// Nothing: it looks at the path itself.
    Nothing,
    /// That another check has passed.
    Passed(CheckId),
    /// That another check could look, whatever it found.
    Looked(CheckId),
}

impl Needs {
    /// The check that it needs.
    pub fn check(self) -> Option<CheckId> {
        match self {
            Self::Nothing => None,
            Self::Passed(check) | Self::Looked(check) => Some(check),
        }
    }
}

/// How a check looks, which says what it may touch.
pub enum Input {
    /// At what plain reads told, without SQLite.
    Probe(fn(&Probe, &Stop) -> Outcome),
    /// At how the store was opened and what the doctor left behind; answered when all others are done.
    Access,
    /// Through a read-only handle. An error is "could not look".
    Handle(fn(&StoreContext, &ReadOnly) -> crate::error::Result<Outcome>),
}

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
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

/// What is wrong, and what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, in a sentence.
    pub detail: String,
    /// What to do, in the right direction.
    pub remedy: String,
    /// The places, one by one.
    pub findings: Findings,
}

impl Outcome {
    /// A pass that says what was looked at.
    pub fn pass(detail: impl Into<String>) -> Self {
        Self::Pass { detail: detail.into() }
    }

    /// A failure without places.
    pub fn fail(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::found(detail, remedy, Findings::default())
    }

    /// A failure with its places.
    pub fn found(detail: impl Into<String>, remedy: impl Into<String>, findings: Findings) -> Self {
        Self::Fail(Failure {
            detail: detail.into(),
            remedy: remedy.into(),
            findings,
        })
    }

    /// A check that did not look, and why.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skip { reason: reason.into() }
    }

    /// A check that tried and could not: a failure.
    pub fn could_not_look(error: &Error) -> Self {
        let remedy = match error {
            Error::Stopped(Stopped::TimeLimit(_)) | Error::Stuck(Stopped::TimeLimit(_)) => {
                "give it longer with --time-limit, or leave this check out with --skip"
            }
            Error::Stopped(Stopped::WritersWait(_)) => {
                "stop what writes to the store, banger or another program, and run the doctor again"
            }
            Error::Stopped(_) | Error::Stuck(_) => "run the doctor again and let it finish",
            error if error.is_own_bound() && error.stopped().is_none() => {
                "this says nothing against the store: run the doctor on it alone; where that is no better, look by hand at a copy: sqlite3 -readonly COPY 'PRAGMA integrity_check'"
            }
            Error::Mistake(_) => {
                "the store itself was not changed; report this with the version of the doctor, and leave this check out with --skip"
            }
            Error::Ledger(_) => {
                "this may be another program's database: check the path; if it is banger's store, do not delete it, keep a copy and restore a backup"
            }
            Error::WriteLocked => {
                "let that process finish, and run the doctor again; do not kill it: a transaction without a journal cannot be undone"
            }
            Error::Moving(_) => "run the doctor again while fewer programs write to the store",
            Error::Copy { .. } => {
                "point TMPDIR at a folder that you may write to and that has room for the store, and run the doctor again"
            }
            error if error.is_damage() => KEEP_AND_SAVE,
            _ => "mend what stands in the way and run the doctor again; the store itself was not changed",
        };
        Self::fail(format!("could not look: {error}"), remedy)
    }

    /// Whether this is a failure.
    pub fn failed(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}
