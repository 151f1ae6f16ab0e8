//! Reports the ledger of an unknown application: its tool, and the version that it records.
//!
//! It fails only where the ledger itself says that a migration did not come to its end.

use crate::application::{Problem, Reached};
use crate::error::Result;
use crate::findings::{Finding, Findings};
use crate::migrations::dialects::Dialect;
use crate::migrations::dialects::named::{NamedTool, RowMeaning};
use crate::migrations::discovery::{self, NamedLedgerState, RowCount, describe_ledger};
use crate::migrations::key::MigrationKey;
use crate::migrations::ledger::{Applied, LedgerNote, LedgerState, Reach};
use crate::migrations::recognise::{LedgerMatch, Tool};

use crate::report::outcome::Outcome;
use crate::store::ReadOnly;
use crate::store::schema_rows::check_schema;
use crate::text::words::{plural, thousands};

/// The most revisions that are named: of a ledger that holds the latest of each branch, hardly ever more than one.
const MOST_REVISIONS: usize = 3;

/// The most other ledgers that are named.
const MOST_OTHERS: usize = 3;

pub(super) fn look(handle: &ReadOnly) -> Result<Outcome> {
    check_schema(handle)?;
    let ledgers = discovery::ledgers(handle)?;
    let Some((ledger, others)) = ledgers.split_first() else {
        return without_ledger(handle);
    };
    let others = describe_other_ledgers(others);
    let whose = describe_owner(ledger);
    match ledger.tool {
        Tool::Named(named) => {
            let count = if named.rows == RowMeaning::Applied {
                discovery::count(handle, &ledger.table)?
            } else {
                None
            };
            let state = discovery::named_state(handle, named, &ledger.table)?;
            if state.failed > 0 || state.is_locked {
                return Ok(of_named(named, &ledger.table, &whose, state, count, &others));
            }
            let mut applied = count.map_or_else(String::new, |count| {
                let more = if count.or_more { "more than " } else { "" };
                format!(", {more}{} applied", thousands(count.rows))
            });
            if let RowMeaning::Version(column) = named.rows
                && let Some(version) = discovery::highest(handle, &ledger.table, column)?
            {
                applied = format!(", version {version}");
            }
            Ok(Outcome::skip(format!(
                "{whose}{applied}: its migrations are {}, and there is nothing to compare with{others}",
                named.migrations
            )))
        }
        Tool::Understood(dialect, layout) => {
            if let Some(lock) = dialect.lock
                && discovery::is_held(handle, Some(lock))?
            {
                return Ok(of_held_lock(dialect, lock.name, &format!("{whose}{others}")));
            }
            Ok(match discovery::read_ledger(handle, dialect, layout, &ledger.table)? {
                Ok(applied) => LedgerDescription {
                    dialect,
                    ledger,
                    whose,
                    others,
                }
                .outcome(&applied),
                Err(malformed) => Outcome::skip(format!("{whose} cannot be read as one: {malformed}{others}")),
            })
        }
    }
}

/// Returns the failure of a ledger that says that a migration failed, or whose lock is held.
fn of_named(
    named: &'static NamedTool,
    table: &str,
    whose: &str,
    state: NamedLedgerState,
    count: Option<RowCount>,
    others: &str,
) -> Outcome {
    let mut said = Vec::new();
    let mut findings = Findings::default();
    if state.failed > 0 {
        let applied = count.map_or(0, |count| count.rows.saturating_sub(state.failed));
        let failed = plural(state.failed, "migration", "migrations");
        said.push(format!(
            "{} recorded without a failure, and {failed} failed or did not come to its end",
            thousands(applied)
        ));
        findings.add(|| Finding {
            count: Some(state.failed),
            ..Finding::new("migrations that failed or did not come to their end").table(table)
        });
    }
    if let Some(lock) = named.lock.filter(|_| state.is_locked) {
        said.push(format!(
            "its lock `{}` is held: {} is migrating just now, or was ended before it released the lock",
            lock.name, named.name
        ));
        findings.add(|| Finding::new("the lock is held").table(lock.name));
    }
    let problem = if state.failed > 0 {
        Problem::Unfinished {
            tool: named.name,
            settled_by: named.settled_by,
            reached: Reached::Unknown,
        }
    } else {
        Problem::LedgerLocked {
            tool: named.name,
            released_by: named.settled_by,
        }
    };
    Outcome::found(format!("{whose}: {}{others}", said.join("; ")), problem, findings)
}

/// Returns the failure of a ledger whose tool's lock is held.
pub(super) fn of_held_lock(dialect: &Dialect, lock: &str, whose: &str) -> Outcome {
    let tool = dialect.name;
    let detail = format!(
        "{whose}; its lock `{lock}` is held: {tool} is migrating just now, or was ended before it released the lock"
    );
    let mut findings = Findings::default();
    findings.add(|| Finding::new("the lock is held").table(lock));
    let problem = Problem::LedgerLocked {
        tool,
        released_by: dialect.settled_by,
    };
    Outcome::found(detail, problem, findings)
}

/// Reports `user_version` and `application_id`, where there is no ledger.
fn without_ledger(handle: &ReadOnly) -> Result<Outcome> {
    let user_version = handle.number("PRAGMA user_version")?;
    let application_id = handle.number("PRAGMA application_id")?;
    let application_id = match application_id {
        0 => "0".to_owned(),
        id => format!("0x{:08x}", id & 0xffff_ffff),
    };
    let counted = if user_version > 0 && application_id == "0" {
        ", a number that the application itself keeps"
    } else {
        ""
    };
    Ok(Outcome::skip(format!(
        "no ledger of a known migration tool; user_version is {user_version}{counted}, application_id {application_id}"
    )))
}

/// "Django's ledger `django_migrations`".
fn describe_owner(ledger: &LedgerMatch) -> String {
    describe_ledger(ledger.tool.name(), &ledger.table)
}

fn describe_other_ledgers(others: &[LedgerMatch]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let named: Vec<String> = others.iter().take(MOST_OTHERS).map(describe_owner).collect();
    let more = match others.len().saturating_sub(MOST_OTHERS) {
        0 => String::new(),
        more => format!(" and {}", plural(more as u64, "more", "more")),
    };
    format!("; not looked at: {}{more}", named.join(", "))
}

/// A ledger that was read, and the words around what it says.
struct LedgerDescription<'a> {
    dialect: &'a Dialect,
    ledger: &'a LedgerMatch,
    whose: String,
    others: String,
}

impl LedgerDescription<'_> {
    fn outcome(&self, applied: &Applied) -> Outcome {
        let Self { whose, others, .. } = self;
        let status = status(applied);
        match &applied.state {
            LedgerState::Clean => {
                let notes: String = applied.notes.iter().map(|note| format!("; {}", noted(*note))).collect();
                Outcome::pass(format!("{whose}: {status}{notes}{others}"))
            }
            LedgerState::Dirty(key) => {
                let version = key.redacted().unwrap_or_default();
                let detail = format!(
                    "{whose}: version {version}, dirty: it was at work there, did not come to its end, and runs nothing any more{others}"
                );
                self.unfinished(key, "dirty", detail)
            }
            LedgerState::Failed(key) => {
                let which = key.redacted().map_or_else(|| "a migration".to_owned(), |key| format!("migration {key}"));
                self.unfinished(key, "failed", format!("{whose}: {status}, and {which} failed{others}"))
            }
        }
    }

    fn unfinished(&self, key: &MigrationKey, what: &'static str, detail: String) -> Outcome {
        let mut findings = Findings::default();
        findings.add(|| Finding {
            id: key.redacted().and_then(|shown| shown.parse().ok()),
            ..Finding::new(what).table(&*self.ledger.table)
        });
        let problem = Problem::Unfinished {
            tool: self.dialect.name,
            settled_by: self.dialect.settled_by,
            reached: Reached::Unknown,
        };
        Outcome::found(detail, problem, findings)
    }
}

/// "12 applied, the last of them 20240101".
fn status(applied: &Applied) -> String {
    let last = applied.entries.last().map(|entry| entry.key.redacted());
    match (applied.reach, last) {
        (_, None) => "nothing applied".to_owned(),
        (Reach::UpTo, Some(version)) => format!("version {}", version.unwrap_or_default()),
        (Reach::Behind, Some(_)) => {
            let revisions: Option<Vec<String>> = applied.entries.iter().map(|entry| entry.key.redacted()).collect();
            match revisions {
                Some(revisions) if revisions.len() <= MOST_REVISIONS => format!("at {}", revisions.join(" and ")),
                _ => format!("at {}", plural(applied.entries.len() as u64, "revision", "revisions")),
            }
        }
        (Reach::Each, Some(last)) => {
            let last = last.map_or_else(String::new, |last| format!(", the last of them {last}"));
            format!("{} applied{last}", thousands(applied.entries.len() as u64))
        }
    }
}

pub(super) fn noted(note: LedgerNote) -> String {
    match note {
        LedgerNote::RolledBack(n) => format!("{} taken back", thousands(n as u64)),
        LedgerNote::NoZeroRow => "its row for version 0 is missing".to_owned(),
        LedgerNote::Nameless(n) => format!("{} without a name, which it passes over", plural(n as u64, "row", "rows")),
        LedgerNote::BadDates(n) => {
            format!("{} at which the tool itself would panic", plural(n as u64, "date", "dates"))
        }
    }
}
