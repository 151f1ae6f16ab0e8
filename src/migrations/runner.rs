//! Applies migrations, each in a transaction of its own together with its ledger row.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, Transaction, TransactionBehavior};

use crate::application::{Ledger, Migration};
use crate::error::{Error, Result};
use crate::store::introspect::identifier;

/// Creates the ledger if it is missing and applies what is pending, in the order of ids. Returns the ids applied.
///
/// Ledger rows that are not known stay as they are. Where a migration fails, it is rolled back whole, those before it
/// stay, and a later run resumes there.
///
/// # Errors
/// Fails with [`Error::DuplicateMigration`] before anything is touched; [`Error::Migration`] with the SQL of the one that failed.
pub(crate) fn migrate(conn: &mut Connection, ledger: &Ledger, migrations: &[Migration]) -> Result<Vec<i64>> {
    let ordered = in_order(migrations)?;
    let ledger = identifier(&ledger.table);
    run_all(conn, &ledger_sql(&ledger))?;
    let mut applied_now = Vec::new();
    for migration in ordered {
        let applied = apply(conn, &ledger, migration).map_err(|source| Error::Migration {
            id: migration.id,
            name: migration.name.to_string(),
            source: source.into(),
        })?;
        if applied {
            applied_now.push(migration.id);
        }
    }
    Ok(applied_now)
}

/// Returns the statement that creates the ledger, whose name is given as SQL takes it.
pub(crate) fn ledger_sql(ledger: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {ledger} {}", Ledger::columns())
}

/// Returns the migrations in the order of their ids.
///
/// # Errors
/// Fails with [`Error::DuplicateMigration`].
pub(super) fn in_order(migrations: &[Migration]) -> Result<Vec<&Migration>> {
    let mut by_id = BTreeMap::new();
    for migration in migrations {
        if let Some(first) = by_id.insert(migration.id, migration) {
            return Err(Error::DuplicateMigration {
                id: migration.id,
                first: first.name.to_string(),
                second: migration.name.to_string(),
            });
        }
    }
    Ok(by_id.into_values().collect())
}

/// Applies one migration unless the ledger has it; dropping the transaction rolls it back.
fn apply(conn: &mut Connection, ledger: &str, migration: &Migration) -> Result<bool> {
    let begin = Error::sqlite("BEGIN IMMEDIATE");
    let transaction = Transaction::new(conn, TransactionBehavior::Immediate).map_err(begin)?;
    // Asked within the transaction: another process may have applied it in the meantime.
    if applied_ids(&transaction, ledger)?.contains(&migration.id) {
        return Ok(false);
    }
    run_all(&transaction, &migration.sql)?;
    let sql = format!("INSERT INTO {ledger}(id, name, applied_at) VALUES (?1, ?2, ?3)");
    transaction
        .execute(&sql, (migration.id, &*migration.name, now()))
        .map_err(Error::sqlite(&sql))?;
    transaction.commit().map_err(Error::sqlite("COMMIT"))?;
    Ok(true)
}

/// Runs each statement to its end. What SQLite says while it only prepares one names the schema alone, and is kept.
pub(crate) fn run_all(conn: &Connection, sql: &str) -> Result<()> {
    let mut batch = Batch::new(conn, sql);
    while let Some(mut statement) = batch.next().map_err(Error::preparing(sql))? {
        let mut rows = statement.raw_query();
        while rows.next().map_err(Error::sqlite(sql))?.is_some() {}
    }
    Ok(())
}

fn applied_ids(conn: &Connection, ledger: &str) -> Result<BTreeSet<i64>> {
    // From the table itself: an index may lack a row.
    let sql = format!("SELECT id FROM {ledger} NOT INDEXED");
    let ask = || -> rusqlite::Result<BTreeSet<i64>> { conn.prepare(&sql)?.query_map([], |row| row.get(0))?.collect() };
    ask().map_err(Error::sqlite(&sql))
}

/// Returns the time in UTC, as RFC 3339 to the second.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
