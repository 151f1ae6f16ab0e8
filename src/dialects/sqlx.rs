//! sqlx: one row for each migration, and a flag whether it succeeded.

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Rows, State, once};

pub(super) const SQLX: Dialect = Dialect {
    name: "sqlx",
    ledgers: &[Ledger {
        name: "_sqlx_migrations",
        columns: &[
            Declared::new("version", &["BIGINT"]).key().read(),
            Declared::new("description", &["TEXT"]).not_null(),
            Declared::new("installed_on", &["TIMESTAMP"]).not_null(),
            Declared::new("success", &["BOOLEAN"]).not_null().read(),
            Declared::new("checksum", &["BLOB"]).not_null(),
            Declared::new("execution_time", &["BIGINT"]).not_null(),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: None,
};

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut keys = Vec::new();
    let mut failed: Option<Key> = None;
    for row in rows.iter() {
        let key = Key::number(row.integer("version")?);
        if row.flag("success")? {
            keys.push(key);
        } else if failed.as_ref().is_none_or(|lowest| key < *lowest) {
            failed = Some(key);
        }
    }
    once(&keys)?;
    Ok(Applied {
        state: failed.map_or(State::Clean, State::Failed),
        ..Applied::each(keys)
    })
}
