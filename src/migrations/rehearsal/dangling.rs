//! Rows that refer to rows that are not there, by what they refer to: a migration may mend an old one and make a new one, and may
//! number all rows anew.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::kept::hash_value;
use crate::error::{Error, Result};
use crate::store::ReadOnly;
use crate::store::introspect::{self, ForeignKeyInfo, quoted};

/// The most different references that are told apart. Where there are more, they are only counted.
const MOST_TOLD_APART: usize = 1 << 18;

/// The references of a table to what is not there.
#[derive(Debug, Default)]
pub(super) struct Dangling {
    pub(super) count: u64,
    /// The number of each, by the table and the values to which they refer. `None` where they cannot be told apart: a table
    /// without rowids gives only their number.
    by_value: Option<HashMap<u64, u64>>,
}

impl Dangling {
    /// Returns the number of those that are new.
    pub(super) fn more_than(&self, before: &Self) -> u64 {
        let more = self.count.saturating_sub(before.count);
        let (Some(now), Some(before)) = (&self.by_value, &before.by_value) else {
            return more;
        };
        let before = |value| before.get(value).copied().unwrap_or(0);
        now.iter().map(|(value, now)| now.saturating_sub(before(value))).sum()
    }

    /// Returns the number of rows of a table that refer to missing rows.
    ///
    /// # Errors
    /// Fails if SQLite refuses the statement, also because it cannot check the table's foreign keys.
    pub(super) fn count(handle: &ReadOnly, table: &str) -> Result<Self> {
        let mut count = 0;
        handle.rows(&format!("PRAGMA foreign_key_check({})", quoted(table)), [], |_| {
            count += 1;
            Ok(())
        })?;
        Ok(Self { count, by_value: None })
    }

    /// Tells them apart. A parent counts under the name that `former` gives for it.
    ///
    /// # Errors
    /// Fails if SQLite refuses the statement; the rows are then only counted.
    pub(super) fn tell_apart(
        &mut self,
        handle: &ReadOnly,
        table: &str,
        former: impl Fn(&str) -> String,
        hash: &RandomState,
    ) -> Result<()> {
        let Some(rowid) = introspect::ordinary_columns(handle, table)?.rowid else {
            return Ok(());
        };
        let mut values = HashMap::new();
        let mut told_apart = 0;
        for ForeignKeyInfo {
            id, parent, columns, ..
        } in introspect::foreign_keys(handle, table)?
        {
            let columns: Option<Vec<&str>> = columns.iter().map(|(from, _)| std::str::from_utf8(from).ok()).collect();
            // A name that is not UTF-8 cannot be written in a statement of ours.
            let (Ok(parent), Some(columns)) = (std::str::from_utf8(&parent), columns) else {
                return Ok(());
            };
            let parent = former(parent).to_ascii_lowercase();
            let asked: Vec<String> = columns.iter().map(|column| format!("t.{}", quoted(column))).collect();
            let sql = format!(
                "SELECT {} FROM pragma_foreign_key_check(?1) AS dangling, main.{} AS t
                 WHERE dangling.fkid = ?2 AND t.{rowid} = dangling.rowid",
                asked.join(", "),
                quoted(table)
            );
            handle.rows(&sql, (table, id), |row| {
                let mut hasher = hash.build_hasher();
                hasher.write(parent.as_bytes());
                for at in 0..columns.len() {
                    hash_value(row.get_ref(at).map_err(Error::sqlite(&sql))?, &mut hasher);
                }
                told_apart += 1;
                if values.len() < MOST_TOLD_APART {
                    *values.entry(hasher.finish()).or_insert(0) += 1;
                }
                Ok(())
            })?;
        }
        self.by_value = (told_apart == self.count && values.len() < MOST_TOLD_APART).then_some(values);
        Ok(())
    }
}
