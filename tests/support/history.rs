//! The history of banger's schema as it was released, in the tests' own words: what a store of each age looks like does not
//! follow from the code under test. `library` holds that the binary's history is this one.

use rusqlite::Connection;

/// When everything in a test's store was written.
pub const T: &str = "2026-04-28T18:41:31Z";

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
 id INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 applied_at TEXT NOT NULL
)";

/// Each migration's name, and what it does. The first has id 1, and so on.
pub const HISTORY: [(&str, &str); 3] = [
    (
        "baseline",
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
    ("drop_images_docker", "ALTER TABLE images DROP COLUMN docker"),
    ("add_vm_workspace", "ALTER TABLE vms ADD COLUMN workspace_json TEXT NOT NULL DEFAULT '{}'"),
];

/// Makes a store of this age: with the ledger, and the first so many migrations applied.
pub fn apply_history(conn: &mut Connection, migrations: usize) {
    let transaction = conn.transaction().unwrap();
    transaction.execute_batch(LEDGER).unwrap();
    for (id, (name, sql)) in (1..).zip(&HISTORY[..migrations]) {
        transaction.execute_batch(sql).unwrap();
        transaction
            .execute("INSERT INTO schema_migrations VALUES (?1, ?2, ?3)", (id, name, T))
            .unwrap();
    }
    transaction.commit().unwrap();
}
