//! The known history, in order. Append, never edit.

/// One step of the schema's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its id: the ledger's primary key.
    pub id: i64,
    /// Its name, as the ledger keeps it.
    pub name: &'static str,
    /// What it does, as SQL.
    pub sql: &'static str,
}

/// The table in which banger keeps which migrations were applied.
pub const LEDGER: &str = "schema_migrations";

/// How the ledger is made.
pub const LEDGER_SQL: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
 id INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 applied_at TEXT NOT NULL
)";

/// Every migration that this binary knows.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        id: 1,
        name: "baseline",
        sql: "CREATE TABLE IF NOT EXISTS images (
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
 docker INTEGER NOT NULL DEFAULT 0,
 created_at TEXT NOT NULL,
 updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS vms (
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
 stats_json TEXT NOT NULL DEFAULT '{}',
 FOREIGN KEY(image_id) REFERENCES images(id) ON DELETE RESTRICT
);",
    },
    Migration {
        id: 2,
        name: "drop_images_docker",
        sql: "ALTER TABLE images DROP COLUMN docker",
    },
    Migration {
        id: 3,
        name: "add_vm_workspace",
        sql: "ALTER TABLE vms ADD COLUMN workspace_json TEXT NOT NULL DEFAULT '{}'",
    },
];

/// A name that an id once had in development, before any release.
pub const FORMER_NAMES: &[(i64, &str)] = &[(2, "drop_dead_image_columns")];

/// The known migration with this id.
pub fn known(id: i64) -> Option<&'static Migration> {
    MIGRATIONS.iter().find(|migration| migration.id == id)
}

/// The highest id that this binary knows.
pub fn known_max() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.id).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_in_order_and_without_duplicates() {
        assert!(MIGRATIONS.windows(2).all(|two| two[0].id < two[1].id));
        assert_eq!(known_max(), 3);
        assert_eq!(known(2).map(|m| m.name), Some("drop_images_docker"));
        assert_eq!(known(4), None);
    }
}
