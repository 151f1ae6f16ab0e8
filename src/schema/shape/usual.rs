//! The whole history's schema to the letter, as banger's own runner leaves it. A store that has it needs no replay.

/// The migrations that leave this schema. Migrations are never edited, so this stays true; a test holds it to the runner.
pub(super) const APPLIED: &[i64] = &[1, 2, 3];

/// Each table's name and definition.
pub(super) const TABLES: &[(&str, &str)] = &[
    (
        "schema_migrations",
        "CREATE TABLE schema_migrations (
 id INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 applied_at TEXT NOT NULL
)",
    ),
    (
        "images",
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
    (
        "vms",
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
];
