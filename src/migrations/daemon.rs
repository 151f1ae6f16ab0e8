//! The store as the application's daemon opens it: for writing, with its migrations. The `doctor` binary never reaches this.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::banger::APPLICATION;
use crate::error::{Error, Result, opaque};
use crate::migrations::runner;
use crate::store::BUSY_TIMEOUT_MS;

/// A store opened for writing, with every known migration applied.
#[derive(Debug)]
pub struct Store {
    #[cfg_attr(not(test), expect(dead_code, reason = "what keeps the store open"))]
    conn: Connection,
    migrated: Vec<i64>,
}

impl Store {
    /// Opens or creates a store: WAL, foreign keys, a busy timeout of five seconds; then runs the pending migrations.
    ///
    /// # Locks
    /// As long as this lives, this process has the store open: [`crate::examine()`] and [`crate::inspect_schema_state`] refuse it
    /// here, because they would drop the locks that SQLite holds on it.
    ///
    /// # Errors
    /// Fails if the file is not a database (it stays as it was) or cannot be opened, or a migration fails.
    pub fn open(path: &Path) -> Result<Self, opaque::Error> {
        Ok(Self::open_and_migrate(path)?)
    }

    fn open_and_migrate(path: &Path) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the daemon's way in, which the doctor does not take"
        )]
        let mut conn = Connection::open(path).map_err(Error::sqlite("open"))?;
        conn.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS.into()))
            .map_err(Error::sqlite("PRAGMA busy_timeout"))?;
        // Reads before anything writes, so that what is not a database is left alone.
        for sql in [
            "SELECT count(*) FROM sqlite_schema",
            "PRAGMA journal_mode=WAL",
            "PRAGMA foreign_keys=ON",
        ] {
            conn.execute_batch(sql).map_err(Error::sqlite(sql))?;
        }
        let migrated = runner::migrate(&mut conn, &APPLICATION.ledger, &APPLICATION.migrations)?;
        Ok(Self { conn, migrated })
    }

    /// Returns the ids of the migrations that this opening applied.
    pub fn migrated(&self) -> &[i64] {
        &self.migrated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the daemon's way in is what is tested")]
    fn a_daemon_gets_wal_foreign_keys_and_a_busy_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let ask = |sql: &str| -> String {
            let mut statement = store.conn.prepare(sql).unwrap();
            statement
                .query_row([], |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| format!("{value:?}"))
                .unwrap()
        };
        assert_eq!(ask("PRAGMA journal_mode"), r#"Text("wal")"#);
        assert_eq!(ask("PRAGMA foreign_keys"), "Integer(1)");
        assert_eq!(ask("PRAGMA busy_timeout"), "Integer(5000)");
        assert!(APPLICATION.ids().iter().eq(store.migrated()), "{:?}", store.migrated());
    }
}
