//! goose: one row for each time something was applied, or, in old versions, taken back.

use std::collections::BTreeMap;

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Note, Rows};

pub(super) const GOOSE: Dialect = Dialect {
    name: "goose",
    ledgers: &[Ledger {
        name: "goose_db_version",
        columns: &[
            Declared::new("id", &["INTEGER"]).key().read(),
            Declared::new("version_id", &["INTEGER"]).not_null().read(),
            Declared::new("is_applied", &["INTEGER"]).not_null().read(),
            Declared::new("tstamp", &["TIMESTAMP"]),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: None,
};

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    // Of a version's rows, the newest says whether it is applied.
    let mut newest: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
    for row in rows.iter() {
        let (id, version) = (row.integer("id")?, row.integer("version_id")?);
        let is_applied = row.flag("is_applied")?;
        let seen = newest.entry(version).or_insert((id, is_applied));
        if seen.0 < id {
            *seen = (id, is_applied);
        }
    }
    // The row that goose makes with the table: no migration.
    let mut notes = Vec::new();
    if newest.remove(&0).is_none() && rows.len() > 0 {
        notes.push(Note::NoZeroRow);
    }
    let all = newest.len();
    let applied = newest.into_iter().filter(|(_, (_, is_applied))| *is_applied);
    let keys: Vec<Key> = applied.map(|(version, _)| Key::number(version)).collect();
    if all > keys.len() {
        notes.push(Note::RolledBack(all - keys.len()));
    }
    Ok(Applied {
        notes,
        ..Applied::each(keys)
    })
}
