//! The store as the application's daemon opens it: for writing, with its migrations. The `doctor` binary never reaches this.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::application::{Application, History};
use crate::banger::APPLICATION;
use crate::error::{Error, Result, opaque};
use crate::migrations::runner;
use crate::store::BUSY_TIMEOUT_MS;

/// The application's own store, opened for writing with every known migration applied, and held open as long as this lives.
///
/// It gives nobody its connection, so that nothing in this crate leads to a handle that writes. A daemon calls it when it starts,
/// drops it, and opens the store with the SQLite of its choice. [`Application::migrate`] does both steps in one, for any application.
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
        Ok(Self::open_and_migrate(path, &APPLICATION)?)
    }

    fn open_and_migrate(path: &Path, application: &Application) -> Result<Self> {
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
        let migrated = runner::migrate(&mut conn, &application.ledger, &application.migrations)?;
        Ok(Self { conn, migrated })
    }

    /// Returns the ids of the migrations that this opening applied.
    pub fn migrated(&self) -> &[i64] {
        &self.migrated
    }
}

impl Application {
    /// Applies the pending migrations to the application's store at `path`, which is made where there is none, closes it, and returns
    /// the ids of those that were applied. Each runs in a transaction of its own together with its row in the ledger, in the order
    /// of their ids; where one fails, it is rolled back whole, and those before it stay. The store is in WAL mode afterwards.
    ///
    /// It is the runner that [`Examination::rehearse`](crate::Examination::rehearse) tries beforehand. It does not ask whether the
    /// store is older or newer than the program: [`Examination::schema_state`](crate::Examination::schema_state) does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use banger_doctor::{Application, Compatibility, Examination, Migration};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("ferry.db");
    /// let rides = Migration::new(1, "rides", "CREATE TABLE rides(id INTEGER PRIMARY KEY, passengers INTEGER)");
    /// let ferry = Application::new("ferry", vec![rides]);
    /// assert_eq!(ferry.migrate(&path)?, [1]);
    ///
    /// // Afterwards the program opens its store itself. Its next version asks first:
    /// let state = Examination::new(&path).application(ferry).schema_state()?;
    /// assert_eq!(state.compatibility, Compatibility::Compatible);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails as [`Store::open`], and with [`ErrorKind::NothingKnown`](crate::ErrorKind::NothingKnown) for [`Application::any`].
    pub fn migrate(&self, path: impl AsRef<Path>) -> Result<Vec<i64>, opaque::Error> {
        if !matches!(self.history, History::CompiledIn) {
            return Err(Error::NothingKnown.into());
        }
        Ok(Store::open_and_migrate(path.as_ref(), self)?.migrated)
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
