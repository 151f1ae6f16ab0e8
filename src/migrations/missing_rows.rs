//! Finds the rows that are gone from a ledger whose tables are as a later migration left them.

use rusqlite::Connection;

use crate::application::{Application, Migration};
use crate::error::{Error, Result};
use crate::migrations::runner;
use crate::migrations::shape::Shape;
use crate::migrations::status::MigrationStatus;
use crate::store::ReadOnly;
use crate::store::introspect::identifier;
use crate::text::words::id_list;

/// The most ids that a sentence names.
const MOST_IDS: usize = 10;

/// The rows that are gone from a ledger though the work of their migrations is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingRows {
    /// The ids of the rows.
    pub(crate) ids: Vec<i64>,
    /// The first and the last migration that the tables show.
    first: i64,
    last: i64,
    /// The name of the ledger, where it is gone as a whole.
    ledger: Option<String>,
    /// True if the runner would fail, because it would run them a second time.
    pub(crate) fails_again: bool,
}

impl MissingRows {
    /// Looks for the number of known migrations that leave exactly the shape that the store has, where the ledger has fewer.
    ///
    /// The tables decide: a store of which the ledger's own migrations make the shape lacks no row, and where no number of migrations
    /// makes it, nothing is said.
    ///
    /// # Errors
    /// Fails if SQLite cannot read the store.
    pub(super) fn find(application: &Application, status: &MigrationStatus, handle: &ReadOnly) -> Result<Option<Self>> {
        if status.diff.pending.is_empty() || !status.diff.unknown.is_empty() {
            return Ok(None);
        }
        let has_ledger = status.ledger.is_some();
        if !has_ledger && handle.number("SELECT count(*) FROM sqlite_schema")? == 0 {
            return Ok(None);
        }
        let applied = status.schema_state().applied;
        let known = runner::in_order(&application.migrations)?;
        let ids: Vec<i64> = known.iter().map(|migration| migration.id).collect();
        if Shape::tables_to_the_letter(application, &ids, handle)?.is_some() {
            return Ok(Some(Self::new(application, &known, &applied, has_ledger)));
        }
        let is_own = |prefix: &[&Migration]| prefix.iter().map(|migration| &migration.id).eq(&applied);
        let highest = applied.last().copied().unwrap_or(i64::MIN);
        let own = status.applied_migrations(application);
        if differs_in_nothing(application, &own, has_ledger, handle)? {
            return Ok(None);
        }
        for len in 1..=known.len() {
            let prefix = &known[..len];
            if prefix.last().is_none_or(|last| last.id < highest) || is_own(prefix) {
                continue;
            }
            let migrations: Vec<Migration> = prefix.iter().map(|migration| (*migration).clone()).collect();
            if differs_in_nothing(application, &migrations, has_ledger, handle)? {
                return Ok(Some(Self::new(application, prefix, &applied, has_ledger)));
            }
        }
        Ok(None)
    }

    fn new(application: &Application, done: &[&Migration], applied: &[i64], has_ledger: bool) -> Self {
        let ids: Vec<i64> = done.iter().map(|migration| migration.id).filter(|id| !applied.contains(id)).collect();
        let migrations: Vec<Migration> = done.iter().map(|migration| (*migration).clone()).collect();
        Self {
            fails_again: run_again(application, &migrations, &ids).is_err(),
            first: done.first().map_or(0, |migration| migration.id),
            last: done.last().map_or(0, |migration| migration.id),
            ids,
            ledger: (!has_ledger).then(|| application.ledger.table.to_string()),
        }
    }

    /// Returns true where there is no ledger at all.
    pub(crate) fn is_ledger_gone(&self) -> bool {
        self.ledger.is_some()
    }

    /// Returns a description, as a sentence: "the tables are as after migrations 1 to 3; only the ledger's row 2 is gone".
    pub(crate) fn sentence(&self) -> String {
        let after = if self.first == self.last {
            format!("migration {}", self.last)
        } else {
            format!("migrations {} to {}", self.first, self.last)
        };
        if let Some(ledger) = &self.ledger {
            return format!(
                "the tables are as after {after}, and the ledger {ledger} is not there: it was dropped, or never made"
            );
        }
        let gone = match self.ids.as_slice() {
            [id] => format!("row {id} is gone"),
            ids => format!("rows {} are gone", id_list(ids, MOST_IDS)),
        };
        format!("the tables are as after {after}; only the ledger's {gone}")
    }
}

/// Returns true where these migrations make exactly the shape of the store.
fn differs_in_nothing(
    application: &Application,
    migrations: &[Migration],
    has_ledger: bool,
    handle: &ReadOnly,
) -> Result<bool> {
    let shape = Shape::replay(&application.ledger, migrations);
    let shape = shape.map(|shape| {
        if has_ledger {
            shape
        } else {
            shape.without_ledger(&application.ledger)
        }
    });
    match shape {
        Ok(shape) => Ok(shape.differences(handle)?.total == 0),
        Err(error) if error.is_own_bound() => Err(error),
        Err(_) => Ok(false),
    }
}

/// Runs migrations in an empty database, takes these rows from the ledger, and runs them again.
fn run_again(application: &Application, migrations: &[Migration], gone: &[i64]) -> Result<()> {
    let mut memory = Connection::open_in_memory().map_err(Error::sqlite("open"))?;
    runner::migrate(&mut memory, &application.ledger, migrations)?;
    let sql = format!("DELETE FROM {} WHERE id = ?1", identifier(&application.ledger.table));
    for id in gone {
        memory.execute(&sql, [id]).map_err(Error::sqlite(&sql))?;
    }
    runner::migrate(&mut memory, &application.ledger, migrations).map(|_| ())
}
