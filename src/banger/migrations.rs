//! Banger's history, in order. Append, never edit what was released.

use std::borrow::Cow;

use crate::application::{FormerName, Migration};

/// Every migration that this binary knows.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        id: 1,
        name: Cow::Borrowed("baseline"),
        sql: Cow::Borrowed(
            "CREATE TABLE IF NOT EXISTS images (
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
        ),
    },
    Migration {
        id: 2,
        name: Cow::Borrowed("drop_images_docker"),
        sql: Cow::Borrowed("ALTER TABLE images DROP COLUMN docker"),
    },
    Migration {
        id: 3,
        name: Cow::Borrowed("add_vm_workspace"),
        sql: Cow::Borrowed("ALTER TABLE vms ADD COLUMN workspace_json TEXT NOT NULL DEFAULT '{}'"),
    },
];

/// A name that an id once had in development, before any release.
pub(super) const FORMER_NAMES: &[FormerName] = &[FormerName {
    id: 2,
    name: Cow::Borrowed("drop_dead_image_columns"),
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_in_order_and_without_duplicates() {
        assert!(MIGRATIONS.windows(2).all(|two| two[0].id < two[1].id));
        let names: Vec<(i64, &str)> = MIGRATIONS.iter().map(|migration| (migration.id, &*migration.name)).collect();
        assert_eq!(names, [(1, "baseline"), (2, "drop_images_docker"), (3, "add_vm_workspace")]);
    }
}
