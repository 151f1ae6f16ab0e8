//! The application's own runner, whose migrations are compiled in. Its ledger is an ordinary table with a row for each id, under a name
//! that the application chooses.
//!
//! The table is the ledger by its name alone, so that a table of that name which cannot be it is an error, never a store without a ledger.

use std::borrow::Cow;

use super::{Dialect, Response};
use crate::application::Application;
use crate::error::{Error, Result};
use crate::migrations::known::{FolderRules, KnownSet};
use crate::migrations::ledger::Applied;
use crate::store::ReadOnly;
use crate::store::introspect::identifier;
use crate::store::schema_rows::{StoredColumn, check_rows_of};

/// The most rows that a ledger may have. A real one has a handful; each row costs memory, and the store is untrusted.
const MOST_ROWS: usize = 1_000_000;

/// The ledger's columns, in any order.
const COLUMNS: [&str; 3] = ["applied_at", "id", "name"];

/// The application's own runner. It is none of the [`TOOLS`](super::TOOLS): no folder and no foreign ledger is ever taken for its own.
pub(in crate::migrations) static BUILT_IN: Dialect = Dialect {
    name: "the application's own",
    ledgers: &[],
    reader: |_| Ok(Applied::nothing()),
    settled_by: None,
    lock: None,
    rules: FolderRules {
        looks: |_| false,
        read: |_| Ok(KnownSet::new(&BUILT_IN)),
        aligned: None,
    },
    foreign_keys: true,
    own_tables: &[],
    // It compares ids one by one, and leaves those alone that it does not know.
    gap: Response::Runs,
    unknown: Response::Ignores,
    edited: Response::Ignores,
    twice: Response::Refuses,
};

/// Returns the ids in a store's ledger, ascending; `None` where the store has no ledger.
///
/// # Errors
/// Fails with [`Error::Ledger`] where it is not the application's: a view, a virtual table, other columns, ids that are not integers. And
/// whatever keeps it from being read.
pub(crate) fn applied_ids(application: &Application, handle: &ReadOnly) -> Result<Option<Vec<i64>>> {
    let ledger = InStore {
        application,
        table: &application.ledger.table,
        handle,
    };
    if !ledger.exists()? {
        return Ok(None);
    }
    ledger.check_columns()?;
    let columns = COLUMNS.map(|name| StoredColumn {
        name: Cow::Borrowed(name),
        is_key: name == "id",
    });
    check_rows_of(handle, ledger.table, &columns)?;
    ledger.ids().map(Some)
}

/// A table of the ledger's name in a store.
struct InStore<'a> {
    application: &'a Application,
    table: &'a str,
    handle: &'a ReadOnly,
}

impl InStore<'_> {
    /// Returns true if there is a ledger. One that is not an ordinary table is an error: a view could run for ever.
    fn exists(&self) -> Result<bool> {
        let sql =
            "SELECT type, rootpage FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')";
        let found = self.handle.collect(sql, [self.table], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?.unwrap_or(0)))
        })?;
        match found.first() {
            None => Ok(false),
            Some((kind, _)) if kind == "view" => Err(self.is_not("it is a view")),
            Some((_, 0)) => Err(self.is_not("it is a virtual table")),
            Some(_) => Ok(true),
        }
    }

    /// Checks that the ledger has exactly its three columns, none of them generated, and that `id` is its integer key.
    fn check_columns(&self) -> Result<()> {
        let sql = format!("PRAGMA table_xinfo({})", identifier(self.table));
        let columns = self.handle.collect(&sql, [], |row| {
            let name: String = row.get("name")?;
            let integer = row.get::<_, String>("type")?.eq_ignore_ascii_case("INTEGER");
            let key = row.get::<_, i64>("pk")? == 1;
            let hidden = row.get::<_, i64>("hidden")? != 0;
            Ok((name.to_ascii_lowercase(), integer && key, hidden))
        })?;
        let mut names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
        names.sort_unstable();
        if names != COLUMNS {
            return Err(self.is_not("its columns are not id, name and applied_at"));
        }
        if columns.iter().any(|(.., hidden)| *hidden) {
            return Err(self.is_not("one of its columns is generated"));
        }
        if !columns.iter().any(|(name, integer_key, _)| name == "id" && *integer_key) {
            let mut ids = self.some_integers()?;
            ids.sort_unstable();
            let also = twice(&ids).map_or_else(String::new, |id| {
                format!(", and id {id} is in it twice: keep a copy of the store, and take one of the two rows out")
            });
            return Err(self.is_not(&format!("id is not its integer primary key{also}")));
        }
        Ok(())
    }

    /// Returns the ids that are integers, of the first rows of a table that may hold any.
    fn some_integers(&self) -> Result<Vec<i64>> {
        let table = identifier(self.table);
        let sql = format!("SELECT id FROM (SELECT id FROM {table} LIMIT {MOST_ROWS}) WHERE typeof(id) = 'integer'");
        self.handle.collect(&sql, [], |row| row.get(0))
    }

    fn ids(&self) -> Result<Vec<i64>> {
        let mut ids = Vec::new();
        // From the table itself: SQLite would rather read an index, which may lack a row or have one more.
        let sql = format!("SELECT id FROM {} NOT INDEXED", identifier(self.table));
        self.handle.rows(&sql, [], |row| {
            let id = row.get_ref(0).ok().and_then(|value| value.as_i64().ok());
            let id = id.ok_or_else(|| self.is_not("an id in it is not an integer"))?;
            if ids.len() == MOST_ROWS {
                return Err(self.is_not(&format!("it has more than {MOST_ROWS} rows")));
            }
            ids.push(id);
            Ok(())
        })?;
        // A table that has its rowid as its key is already in order, unless it is damaged.
        ids.sort_unstable();
        if let Some(id) = twice(&ids) {
            return Err(self.is_not(&format!("it holds id {id} twice")));
        }
        Ok(ids)
    }

    /// Creates the error that the table is not the application's ledger.
    fn is_not(&self, why: &str) -> Error {
        Error::Ledger(format!("{} is not {}'s ledger: {why}", self.table, self.application.name()))
    }
}

/// Returns an id that is there twice, of ids in order.
fn twice(ids: &[i64]) -> Option<i64> {
    ids.windows(2).find(|two| two.first() == two.last())?.first().copied()
}
