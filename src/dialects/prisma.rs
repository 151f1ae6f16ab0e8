//! Prisma Migrate: one row for each attempt at a migration.

use std::collections::BTreeMap;

use super::Dialect;
use super::key::Key;
use super::ledger::{Applied, Declared, Ledger, Malformed, Note, Rows, State};

pub(super) const PRISMA: Dialect = Dialect {
    name: "Prisma",
    ledgers: &[Ledger {
        name: "_prisma_migrations",
        columns: &[
            Declared::new("id", &["TEXT"]).not_null().key(),
            Declared::new("checksum", &["TEXT"]).not_null(),
            Declared::new("finished_at", &["DATETIME"]).read(),
            Declared::new("migration_name", &["TEXT"]).not_null().read(),
            Declared::new("logs", &["TEXT"]),
            Declared::new("rolled_back_at", &["DATETIME"]).read(),
            Declared::new("started_at", &["DATETIME"]).not_null(),
            Declared::new("applied_steps_count", &["INTEGER UNSIGNED"]).not_null(),
        ],
        known_by_columns: true,
    }],
    reader: applied,
    settled_by: Some("prisma migrate resolve"),
};

/// What the attempts at one migration came to.
#[derive(Default)]
struct Attempts {
    applied: bool,
    failed: bool,
}

fn applied(rows: &Rows<'_>) -> Result<Applied, Malformed> {
    let mut attempts: BTreeMap<Key, Attempts> = BTreeMap::new();
    for row in rows.iter() {
        let attempts = attempts.entry(Key::text(row.name("migration_name")?)).or_default();
        match (row.is_null("finished_at"), row.is_null("rolled_back_at")) {
            (false, true) => attempts.applied = true,
            (true, true) => attempts.failed = true,
            // Somebody said that it was rolled back: it is as if it had never been tried.
            (_, false) => {}
        }
    }
    let mut keys = Vec::new();
    let mut rolled_back = 0;
    let mut state = State::Clean;
    for (key, attempts) in attempts {
        if attempts.failed && state == State::Clean {
            state = State::Failed(key.clone());
        }
        rolled_back += usize::from(!attempts.applied && !attempts.failed);
        if attempts.applied && !attempts.failed {
            keys.push(key);
        }
    }
    let notes = if rolled_back > 0 {
        vec![Note::RolledBack(rolled_back)]
    } else {
        Vec::new()
    };
    Ok(Applied {
        state,
        notes,
        ..Applied::each(keys)
    })
}
