//! Stores of any size, made once and kept below the target folder.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use banger_doctor::Store;
use rusqlite::{Connection, params};

const AT: &str = "2026-04-28T18:41:31Z";

/// The path of a closed store with so many VMs; made where it is not there yet.
#[expect(clippy::disallowed_methods, reason = "stores are made here, not examined")]
pub fn store(vms: u64) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-stores").join(vms.to_string());
    let path = folder.join("state.db");
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(&folder)?;
    let making = folder.join("making.db");
    let _ = fs::remove_file(&making);
    drop(Store::open(&making)?);
    let mut conn = Connection::open(&making)?;
    conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA cache_size=-500000;")?;
    fill(&mut conn, vms)?;
    // The shell leaves sidecar files beside a store in WAL mode, which would make it another situation.
    conn.execute_batch("PRAGMA journal_mode=DELETE")?;
    drop(conn);
    fs::rename(&making, &path)?;
    Ok(path)
}

fn fill(conn: &mut Connection, vms: u64) -> Result<(), Box<dyn Error>> {
    let mut random = Random(7);
    let images: Vec<String> = (0..3).map(|_| random.uuid()).collect();
    let transaction = conn.transaction()?;
    for (n, id) in images.iter().enumerate() {
        let folder = format!("/var/lib/banger/images/{id}");
        transaction.execute(
            "INSERT INTO images (id, name, managed, artifact_dir, rootfs_path, kernel_path, build_size, created_at, updated_at)
             VALUES (?1, ?2, 1, ?3, ?3 || '/rootfs.ext4', '/var/lib/banger/kernels/generic-6.12/vmlinux', '8G', ?4, ?4)",
            params![id, format!("image-{n}"), folder, AT],
        )?;
    }
    let mut insert = transaction.prepare(
        "INSERT INTO vms (id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json,
                          runtime_json, stats_json, workspace_json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for n in 0..vms {
        let id = random.uuid();
        let ip = n + 2;
        insert.execute(params![
            id,
            format!("vm-{n}"),
            images[(random.next() % 3) as usize],
            format!("10.{}.{}.{}", ip >> 16, (ip >> 8) & 255, ip & 255),
            if random.next().is_multiple_of(2) { "running" } else { "stopped" },
            AT,
            r#"{"vcpu_count": 2, "memory_mib": 2048, "disk": "8G", "nat": true}"#,
            format!(r#"{{"tap_device": "tap{n}", "pid": {}, "api_sock_path": "/run/banger/{id}/firecracker.sock"}}"#, 1000 + n),
            format!(r#"{{"cpu_seconds": {}.{}, "rss_bytes": {}}}"#, n % 1000, n % 997, random.next() >> 34),
            format!(
                r#"{{"guest_path": "/srv/app", "source_path": "/home/op/src/app", "head_commit": "{:040x}", "prepared_at": "{AT}"}}"#,
                random.next()
            ),
        ])?;
    }
    drop(insert);
    Ok(transaction.commit()?)
}

/// A small generator of numbers, the same in every run (`splitmix64`, public domain).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}
