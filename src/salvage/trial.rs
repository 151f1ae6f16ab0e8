//! Tries rows against the schema of the new store, in memory: an expression of it may fail on a row, and then nothing of the output would be
//! loaded.

use std::collections::HashMap;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension};

/// The longest row that is tried, in bytes.
const LONGEST: usize = 32 << 20;

/// The tables in which rows are tried, each in a database of its own.
#[derive(Debug, Default)]
pub struct Trials(HashMap<usize, Option<Connection>>);

impl Trials {
    /// Tries a row; returns `None` if its table does not take it, and otherwise the text that each query gives. `statements` make the
    /// table, `insert` inserts the row, and each query has a number.
    pub fn takes(
        &mut self,
        table: usize,
        statements: &[String],
        insert: &[u8],
        queries: &[(usize, &str)],
    ) -> Option<Vec<(usize, Vec<u8>)>> {
        let connection = self.0.entry(table).or_insert_with(|| open(statements).ok());
        let insert = std::str::from_utf8(insert).ok().filter(|insert| insert.len() <= LONGEST);
        let (connection, insert) = connection.as_ref().zip(insert)?;
        let mut found = Vec::new();
        let takes = connection.execute_batch("SAVEPOINT tried").is_ok()
            && connection.execute_batch(insert).is_ok()
            && queries.iter().all(|(number, query)| {
                let text = connection.prepare(query).and_then(|mut query| {
                    query
                        .query_row([], |row| Ok(row.get_ref(0)?.as_bytes_or_null().ok().flatten().map(<[u8]>::to_vec)))
                        .optional()
                });
                text.map(|text| found.extend(text.flatten().map(|text| (*number, text)))).is_ok()
            });
        let is_back = connection.execute_batch("ROLLBACK TO tried; RELEASE tried").is_ok();
        (takes && is_back).then_some(found)
    }
}

fn open(statements: &[String]) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch("PRAGMA ignore_check_constraints=ON; PRAGMA foreign_keys=OFF")?;
    for statement in statements {
        connection.execute(statement, [])?;
    }
    Ok(connection)
}
