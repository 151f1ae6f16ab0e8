//! Stores of every version of the schema, and of others.

use rusqlite::Connection;

use super::saved::save;
use super::stores::{begin, open};

fn made(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    begin(&path);
    let connection = open(&path);
    connection.execute_batch("PRAGMA journal_mode=delete").unwrap();
    connection
        .execute_batch(
            "INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at)
             VALUES ('11111111-2222-4333-8444-555555555555', 'image', '/r', '/k', '2026-04-28T18:41:31Z', '2026-05-28T18:41:31Z')",
        )
        .unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    std::fs::read(&path).unwrap()
}

fn image(connection: &Connection) -> Vec<String> {
    let sql = "SELECT id, name, rootfs_path, kernel_path, created_at, updated_at FROM images";
    connection.query_row(sql, [], |row| (0..6).map(|at| row.get(at)).collect()).unwrap()
}

const IMAGE: [&str; 6] = [
    "11111111-2222-4333-8444-555555555555",
    "image",
    "/r",
    "/k",
    "2026-04-28T18:41:31Z",
    "2026-05-28T18:41:31Z",
];

#[test]
fn a_column_of_nobody_moves_no_other() {
    let bytes = made(
        "ALTER TABLE images ADD COLUMN packages_path TEXT; UPDATE images SET packages_path = '2026-06-28T18:41:31Z';",
    );
    let saved = save(&bytes, None);
    assert_eq!(image(&saved.load()), IMAGE);
    assert!(!saved.account.is_complete());
    assert_eq!(saved.account.tables.iter().map(|table| table.missing_a_column).sum::<u64>(), 1);
}

#[test]
fn columns_in_another_order_come_back_under_their_names() {
    // The longer statement goes on in overflow pages.
    for comment in [String::new(), format!("/* {} */", "x".repeat(9_000))] {
        let saved = save(&made(&in_another_order(&comment)), None);
        assert_eq!(image(&saved.load()), IMAGE, "{} bytes of comment", comment.len());
    }
}

/// Makes the images again, with their columns in another order and a comment in the definition.
fn in_another_order(comment: &str) -> String {
    format!(
        "CREATE TABLE new({comment} updated_at TEXT NOT NULL, created_at TEXT NOT NULL, kernel_path TEXT NOT NULL, name TEXT NOT NULL UNIQUE,
          rootfs_path TEXT NOT NULL, id TEXT PRIMARY KEY, managed INTEGER NOT NULL DEFAULT 0, artifact_dir TEXT, work_seed_path TEXT,
          initrd_path TEXT, modules_dir TEXT, build_size TEXT, seeded_ssh_public_key_fingerprint TEXT);
         INSERT INTO new(id, name, rootfs_path, kernel_path, created_at, updated_at)
          SELECT id, name, rootfs_path, kernel_path, created_at, updated_at FROM images;
         DROP TABLE images; ALTER TABLE new RENAME TO images;"
    )
}

#[test]
fn the_ledger_says_which_version_the_new_store_has() {
    let bytes = made("DELETE FROM schema_migrations WHERE id = 3; ALTER TABLE vms DROP COLUMN workspace_json;");
    let saved = save(&bytes, None);
    assert!(saved.account.is_complete(), "{:?}", saved.account);
    let count = "SELECT count(*) FROM pragma_table_info('vms')";
    assert_eq!(saved.load().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 11);
}

#[test]
fn a_ledger_that_is_lost_is_made_anew_and_said() {
    let mut bytes = made("");
    let at = bytes.windows(8).position(|eight| eight == b"baseline").unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 4096].fill(0xff);
    let saved = save(&bytes, None);
    assert_eq!(saved.account.restored_ledger_rows, [1, 2, 3]);
    assert_eq!(image(&saved.load()), IMAGE);
}

#[test]
fn a_store_of_a_newer_program_is_said_to_be_one() {
    let saved = save(
        &made("INSERT INTO schema_migrations VALUES (99, 'from_the_future', '2026-04-28T18:41:31Z')"),
        None,
    );
    assert_eq!(saved.account.nothing, Some(banger_doctor::salvage::summary::NothingSaved::Newer));
    assert_eq!(saved.sql, "");
}

/// The same store without its first page.
fn without_page_1(sql: &str) -> super::saved::Saved {
    let mut bytes = made(sql);
    bytes[..4096].fill(0);
    save(&bytes, None)
}

#[test]
fn a_store_of_a_newer_program_is_said_to_be_one_without_its_first_page() {
    let saved = without_page_1("INSERT INTO schema_migrations VALUES (99, 'from_the_future', '2026-04-28T18:41:31Z')");
    assert_eq!(saved.account.nothing, Some(banger_doctor::salvage::summary::NothingSaved::Newer));
    assert_eq!(saved.sql, "");
}

#[test]
fn migrations_that_were_never_applied_are_not_written_anew_without_the_first_page() {
    let saved = without_page_1(
        "DELETE FROM schema_migrations WHERE id > 1; ALTER TABLE vms DROP COLUMN workspace_json;
         CREATE TABLE new(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, managed INTEGER NOT NULL DEFAULT 0, artifact_dir TEXT,
          rootfs_path TEXT NOT NULL, work_seed_path TEXT, kernel_path TEXT NOT NULL, initrd_path TEXT, modules_dir TEXT, build_size TEXT,
          seeded_ssh_public_key_fingerprint TEXT, docker INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
         INSERT INTO new(id, name, rootfs_path, kernel_path, docker, created_at, updated_at)
          SELECT id, name, rootfs_path, kernel_path, 1, created_at, updated_at FROM images;
         DROP TABLE images; ALTER TABLE new RENAME TO images; VACUUM",
    );
    assert_eq!(saved.account.restored_ledger_rows, [0; 0]);
    assert_eq!(saved.account.tables.iter().map(|table| table.missing_a_column).sum::<u64>(), 0);
    let loaded = saved.load();
    let ids = "SELECT group_concat(id) FROM schema_migrations";
    assert_eq!(loaded.query_row(ids, [], |row| row.get::<_, String>(0)).unwrap(), "1");
    assert_eq!(loaded.query_row("SELECT docker FROM images", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}
