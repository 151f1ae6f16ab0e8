//! Makes the two stores in `samples/` anew: `cargo run --example make_samples`.
//!
//! `healthy.db` is what banger leaves when it closes a store. `damaged.db` is the same with an index that has lost an
//! entry, a VM whose image is gone, and an address that is none.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use banger_doctor::Store;
use rusqlite::{Connection, params};

const AT: &str = "2026-04-28T18:41:31Z";

const IMAGES: [(&str, &str); 2] = [
    ("6f9c2f0e-5a53-4d0b-9a55-0f6b1a3c7d10", "debian-13"),
    ("b7c1e1c4-0d4e-4a53-8d7a-2b9d6b0e4f21", "alpine-3.22"),
];

const VMS: [(&str, &str, usize, &str, &str); 4] = [
    ("0b6d2a56-9b1c-4c7e-8f43-51f0a3c9e801", "build-runner", 0, "10.77.0.2", "running"),
    ("2c8f4b7a-3d2e-4f60-a1b5-62c1b4d0f902", "web-preview", 1, "10.77.0.3", "running"),
    ("4e0a6d9c-5f40-4182-b3d7-84e3d6f2a103", "db-scratch", 0, "10.77.0.4", "stopped"),
    ("60c2f8be-7162-43a4-95f9-a605f814c304", "fuzz-01", 1, "10.77.0.5", "stopped"),
];

fn main() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let (healthy, damaged) = (folder.join("healthy.db"), folder.join("damaged.db"));
    for old in [&healthy, &damaged] {
        match fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("cannot remove the old one");
            }
            _ => {}
        }
    }
    make_healthy(&healthy)?;
    fs::copy(&healthy, &damaged)?;
    damage(&damaged)
}

#[expect(clippy::disallowed_methods, reason = "a sample is made, not examined")]
fn open(path: &Path) -> Result<Connection> {
    drop(Store::open(path)?);
    Ok(Connection::open(path)?)
}

fn make_healthy(path: &Path) -> Result<()> {
    let conn = open(path)?;
    conn.execute("UPDATE schema_migrations SET applied_at = ?1", [AT])?;
    for (id, name) in IMAGES {
        let folder = format!("/var/lib/banger/images/{id}");
        conn.execute(
            "INSERT INTO images (id, name, managed, artifact_dir, rootfs_path, kernel_path, build_size, created_at, updated_at)
             VALUES (?1, ?2, 1, ?3, ?3 || '/rootfs.ext4', '/var/lib/banger/kernels/generic-6.12/vmlinux', '8G', ?4, ?4)",
            params![id, name, folder, AT],
        )?;
    }
    for (id, name, image, ip, state) in VMS {
        conn.execute(
            "INSERT INTO vms (id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, '{\"vcpu_count\":2,\"memory_mib\":2048,\"disk\":\"8G\",\"nat\":true}', '{}')",
            params![id, name, IMAGES[image].0, ip, state, AT],
        )?;
    }
    Ok(())
}

fn damage(path: &Path) -> Result<()> {
    let conn = open(path)?;
    conn.execute_batch(
        "PRAGMA foreign_keys=OFF;
         UPDATE vms SET image_id = 'd2e3f4a5-0000-4000-8000-000000000000' WHERE name = 'fuzz-01';
         UPDATE vms SET guest_ip = '10.77.0.400' WHERE name = 'db-scratch';",
    )?;
    let page_size: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let root: u32 =
        conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_vms_2'", [], |row| {
            row.get(0)
        })?;
    drop(conn);
    let mut bytes = fs::read(path)?;
    let (begin, size) = ((root - 1) as usize * page_size as usize, page_size as usize);
    let page = &mut bytes[begin..begin + size];
    let name = b"web-preview";
    let at = page
        .windows(name.len())
        .position(|window| window == name)
        .context("the index holds the name")?;
    page[at + 4] ^= 0x01;
    fs::write(path, bytes)?;
    Ok(())
}
