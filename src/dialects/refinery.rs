//! refinery: one row for each migration, with a date that refinery itself must be able to read.

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Note, Rows, once};
use crate::values::timestamp;

pub(super) const REFINERY: Dialect = Dialect {
    name: "refinery",
    ledgers: &[Ledger {
        name: "refinery_schema_history",
        columns: &[
            Declared::new("version", &["INT4", "INT8", "INTEGER"]).key().read(),
            Declared::new("name", &["VARCHAR(255)"]),
            Declared::new("applied_on", &["VARCHAR(255)"]).read(),
            Declared::new("checksum", &["VARCHAR(255)"]),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: None,
};

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut keys = Vec::new();
    let mut bad_dates = 0;
    for row in rows.iter() {
        keys.push(Key::number(row.integer("version")?));
        bad_dates += usize::from(!timestamp::is_rfc3339(row.text("applied_on")?.as_bytes()));
    }
    once(&keys)?;
    let notes = if bad_dates > 0 {
        vec![Note::BadDates(bad_dates)]
    } else {
        Vec::new()
    };
    Ok(Applied {
        notes,
        ..Applied::each(keys)
    })
}
