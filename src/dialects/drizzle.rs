//! drizzle: one row for each migration. Up to 0.4x it goes by the time in `created_at`, from 1.0 on by the name.

use std::collections::HashSet;

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Note, Rows, Value};

/// Not the rowid's alias: in every row that was written with the first of these types, it is NULL.
const ID: Declared = Declared::new("id", &["SERIAL"]).key();
const ID_SINCE_1: Declared = Declared::new("id", &["SERIAL", "INTEGER"]).key();
const HASH: Declared = Declared::new("hash", &["TEXT"]).not_null();
const CREATED_AT: Declared = Declared::new("created_at", &["NUMERIC"]).read();

pub(super) const DRIZZLE: Dialect = Dialect {
    name: "drizzle",
    ledgers: &[
        Ledger {
            name: "__drizzle_migrations",
            columns: &[ID, HASH, CREATED_AT],
            known_by_columns: true,
        },
        Ledger {
            name: "__drizzle_migrations",
            columns: &[
                ID_SINCE_1,
                HASH,
                CREATED_AT,
                Declared::new("name", &["TEXT"]).read(),
                Declared::new("applied_at", &["TEXT"]),
            ],
            known_by_columns: true,
        },
    ],
    reader: applied,
    settled_by: None,
};

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut keys = Vec::new();
    let mut nameless = 0;
    for row in rows.iter() {
        // A number in JavaScript may be stored as either kind.
        let when = match row.value("created_at") {
            Value::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => whole(*real),
            _ => row.integer("created_at")?,
        };
        nameless += usize::from(row.is_null("name"));
        keys.push(if row.is_null("name") {
            Key::number(when)
        } else {
            Key::text(row.name("name")?)
        });
    }
    // All rows are nameless in the old layout; in the new one, none should be.
    let notes = if nameless > 0 && nameless < keys.len() {
        vec![Note::Nameless(nameless)]
    } else {
        Vec::new()
    };
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    Ok(Applied {
        notes,
        ..Applied::each(keys)
    })
}

/// A whole number that a floating-point value holds exactly.
fn whole(real: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the caller saw that it is whole and small enough"
    )]
    let whole = real as i64;
    whole
}
