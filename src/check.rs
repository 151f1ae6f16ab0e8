//! The vocabulary of the checks: what a check is, and what it may answer.

use std::borrow::Cow;

use crate::error::Error;
use crate::probe::Probe;
use crate::stop::Stop;
use crate::store::ReadOnly;
use crate::subject::Subject;

/// The most findings that a row keeps; the rest are counted.
pub const MOST_FINDINGS: usize = 100;

/// What to do about a store whose pages are damaged.
///
/// The `sqlite3` program of some distributions (Debian 12) is built without what `.recover` needs, and then writes nothing.
pub const KEEP_AND_SAVE: &str = "data may be lost: stop banger and keep a copy of the store with its -wal, -shm and -journal; then restore a backup, or save what can be read with: sqlite3 COPY .recover | sqlite3 NEW (if that says \"SQL logic error\", take the sqlite3 program from sqlite.org)";

/// One thing that the doctor examines.
pub struct Check {
    /// Its name in rows, options and `docs/checks.md`.
    pub id: &'static str,
    /// What it looks at, in one line.
    pub summary: &'static str,
    /// What must have gone well before; otherwise the row is skipped.
    pub needs: Needs,
    /// How it looks.
    pub look: Look,
}

/// What a check needs before it can look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it looks at the path itself.
    Nothing,
    /// The row `file` has passed.
    File,
    /// The row `read-only` has passed, and with it `file`.
    ReadOnly,
    /// The ledger could be read (`schema-state` could look, whatever it found).
    Ledger,
}

/// How a check looks, which says what it may touch.
pub enum Look {
    /// At what plain reads told, without SQLite.
    Probe(fn(&Probe, &Stop) -> Outcome),
    /// At how the store was opened and what the doctor left behind; answered when all others are done.
    Access,
    /// Through a read-only handle. An error is "could not look".
    Handle(fn(&Subject, &ReadOnly) -> crate::error::Result<Outcome>),
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

/// The places where something is wrong: the first [`MOST_FINDINGS`], and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first ones.
    pub kept: Vec<Finding>,
    /// How many there are in all.
    pub total: u64,
    /// Whether there may be more than `total`, because the looking ended early.
    pub at_least: bool,
}

/// One place where something is wrong. It names tables, rows, columns, counts and pages, never a cell's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// The table, where there is one.
    pub table: Option<String>,
    /// The index, where the place is in an index.
    pub index: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The row's `rowid`.
    pub row: Option<i64>,
    /// The row's primary key, only where it is a UUID and therefore tells nothing.
    pub key: Option<String>,
    /// A migration's id.
    pub id: Option<i64>,
    /// The page, counted from 1 as SQLite does.
    pub page: Option<u64>,
    /// How many, where a finding stands for several.
    pub count: Option<u64>,
    /// What is wrong there.
    pub what: Cow<'static, str>,
}

impl Finding {
    /// A finding that says `what` and no place yet.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// The same, in this table.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    /// The same, in this column.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = Some(name.into());
        self
    }

    /// The same, in this row.
    #[must_use]
    pub fn row(mut self, rowid: i64) -> Self {
        self.row = Some(rowid);
        self
    }
}

impl Findings {
    /// Counts a finding, and keeps it while there is room; the finding is only built then.
    pub fn add(&mut self, finding: impl FnOnce() -> Finding) {
        self.total += 1;
        if self.kept.len() < MOST_FINDINGS {
            self.kept.push(finding());
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// "3 rows", "1 row", "at least 1,000 rows".
    pub fn count(&self, one: &str, many: &str) -> String {
        let least = if self.at_least { "at least " } else { "" };
        format!("{least}{}", counted(self.total, one, many))
    }
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
            Error::Stopped(crate::stop::Stopped::TimeLimit(_)) => {
                "give it longer with --time-limit, or leave this check out with --skip"
            }
            Error::Stopped(_) => "run the doctor again and let it finish",
            Error::Ledger(_) => {
                "this may be another program's database: check the path; if it is banger's store, do not delete it, keep a copy and restore a backup"
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

/// A number with its noun: "1 row", "200,000 rows".
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// A number with commas at the thousands.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The first few of many numbers, with the true count of the rest: `[1 2 3 … and 97 more]`.
pub fn few(numbers: &[i64], most: usize) -> String {
    let shown: Vec<String> = numbers.iter().take(most).map(i64::to_string).collect();
    let rest = match numbers.len().saturating_sub(most) {
        0 => String::new(),
        rest => format!(" … and {} more", thousands(rest as u64)),
    };
    format!("[{}{rest}]", shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(counted(1_234_567, "row", "rows"), "1,234,567 rows");
        assert_eq!(few(&[1, 2, 3], 3), "[1 2 3]");
        assert_eq!(few(&[-1, 2, 3, 4], 2), "[-1 2 … and 2 more]");
    }

    #[test]
    fn findings_past_the_bound_are_counted_and_not_kept() {
        let mut findings = Findings::default();
        for n in 0..250 {
            findings.add(|| Finding::new("wrong").row(n));
        }
        assert_eq!(findings.kept.len(), MOST_FINDINGS);
        assert_eq!(findings.count("row", "rows"), "250 rows");
    }
}
