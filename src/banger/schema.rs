//! The rows that the runner leaves in `sqlite_schema` when every migration is applied, to the letter. A store that has it needs no replay.
//!
//! A test holds it to the runner, and says what to write here when it differs.

use std::borrow::Cow;

use crate::application::Definition;

/// Each table's name and definition.
pub(super) const TABLES: &[Definition] = &[
    Definition {
        name: Cow::Borrowed("schema_migrations"),
        sql: Cow::Borrowed(
            "CREATE TABLE schema_migrations (
 id INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 applied_at TEXT NOT NULL
)",
        ),
    },
    Definition {
        name: Cow::Borrowed("images"),
        sql: Cow::Borrowed(
            "CREATE TABLE images (
 id TEXT PRIMARY KEY,
 name TEXT NOT NULL UNIQUE,
 managed INTEGER NOT NULL DEFAULT 0,
 artifact_dir TEXT,
 rootfs_path TEXT NOT NULL,
 work_seed_path TEXT,
 kernel_path TEXT NOT NULL,
 initrd_path TEXT,
 modules_dir TEXT,
 build_size TEXT,
 seeded_ssh_public_key_fingerprint TEXT,
 created_at TEXT NOT NULL,
 updated_at TEXT NOT NULL
)",
        ),
    },
    Definition {
        name: Cow::Borrowed("vms"),
        sql: Cow::Borrowed(
            "CREATE TABLE vms (
 id TEXT PRIMARY KEY,
 name TEXT NOT NULL UNIQUE,
 image_id TEXT NOT NULL,
 guest_ip TEXT NOT NULL UNIQUE,
 state TEXT NOT NULL,
 created_at TEXT NOT NULL,
 updated_at TEXT NOT NULL,
 last_touched_at TEXT NOT NULL,
 spec_json TEXT NOT NULL,
 runtime_json TEXT NOT NULL,
 stats_json TEXT NOT NULL DEFAULT '{}', workspace_json TEXT NOT NULL DEFAULT '{}',
 FOREIGN KEY(image_id) REFERENCES images(id) ON DELETE RESTRICT
)",
        ),
    },
];

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::banger::APPLICATION;
    use crate::migrations::runner;

    #[test]
    fn the_schema_to_the_letter_is_the_one_that_the_runner_leaves() {
        let mut memory = Connection::open_in_memory().unwrap();
        runner::migrate(&mut memory, &APPLICATION.ledger, &APPLICATION.migrations).unwrap();
        let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
        let mut statement = memory.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let left: Vec<(String, String)> = rows.map(Result::unwrap).collect();
        for (name, sql) in &left {
            let written = TABLES.iter().find(|table| table.name == *name).map(|table| &*table.sql);
            assert_eq!(
                written,
                Some(&**sql),
                "what src/banger/schema.rs says of {name}, and what the runner leaves"
            );
        }
        assert_eq!(TABLES.len(), left.len(), "src/banger/schema.rs names a table that no migration makes");
    }
}
