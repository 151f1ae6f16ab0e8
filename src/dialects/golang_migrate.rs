//! golang-migrate: one row, which holds the latest version alone, and a flag while it is at work.

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Reach, Rows, State};

pub(super) const GOLANG_MIGRATE: Dialect = Dialect {
    name: "golang-migrate",
    ledgers: &[Ledger {
        name: "schema_migrations",
        columns: &[
            Declared::new("version", &["UINT64"]).read(),
            Declared::new("dirty", &["BOOL"]).read(),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: Some("migrate force VERSION"),
};

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut read = rows.iter();
    let Some(row) = read.next() else {
        return Ok(Applied::nothing());
    };
    if read.next().is_some() {
        return Err(Malformed::whole(format!("it has {} rows, and golang-migrate keeps one", rows.len())));
    }
    let version = row.integer("version")?;
    let dirty = row.flag("dirty")?;
    // The way down from the first version ended half-way: -1 stands for "no version".
    if version < 0 && !(version == -1 && dirty) {
        return Err(row.wrong("version is below 0"));
    }
    let key = Key::number(version);
    let (keys, state) = if dirty {
        (Vec::new(), State::Dirty(key))
    } else {
        (vec![key], State::Clean)
    };
    Ok(Applied {
        keys,
        reach: Reach::UpTo,
        state,
        ..Applied::nothing()
    })
}
