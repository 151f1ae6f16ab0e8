//! Fills a store with images and VMs as banger writes them.

use rusqlite::Connection;

use super::history::T;

/// How many rows to write, and what they are like. Images and VMs have the rowids from 1 on.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub images: u32,
    pub vms: u32,
    pub ids: Ids,
    /// So many bytes more in each VM.
    pub padding: usize,
}

/// What the primary keys are like.
#[derive(Debug, Clone, Copy)]
pub enum Ids {
    /// In the order of the rows, so that a test can name them: [`uuid`].
    InOrder,
    /// In no order, as banger's are: every page of an index over them is filled, and split, now and again.
    Scattered,
}

impl Rows {
    pub fn of(images: u32, vms: u32) -> Self {
        Self {
            images,
            vms,
            ids: Ids::InOrder,
            padding: 0,
        }
    }
}

/// The primary key of the image (table 1) or the VM (table 2) with this rowid.
pub fn uuid(table: u32, rowid: u32) -> String {
    format!("6f9c2f0e-5a53-4d0b-{:04x}-{rowid:012x}", 0x9000 + table)
}

impl Ids {
    fn id(self, table: u32, rowid: u32) -> String {
        match self {
            Self::InOrder => uuid(table, rowid),
            Self::Scattered => {
                let mixed = u64::from(table << 24 | rowid).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let (first, second) = (mixed >> 32, mixed & 0xffff);
                let (third, fourth) = (mixed >> 16 & 0xfff, mixed >> 28 & 0xfff);
                format!("{first:08x}-{second:04x}-4{third:03x}-8{fourth:03x}-{rowid:012x}")
            }
        }
    }
}

/// Writes the rows, in one transaction. Each VM is made of one of the images in turn; without images there are none.
pub fn fill(conn: &mut Connection, rows: Rows) {
    if rows.images == 0 {
        return;
    }
    let id = |table, rowid| rows.ids.id(table, rowid);
    let transaction = conn.transaction().unwrap();
    let image = "INSERT INTO images(id, name, managed, artifact_dir, rootfs_path, kernel_path, created_at, updated_at)
                 VALUES (?1, ?2, 1, ?3, ?3 || '/rootfs.ext4', '/var/lib/banger/kernels/generic-6.12/vmlinux', ?4, ?4)";
    for n in 1..=rows.images {
        let folder = format!("/var/lib/banger/images/{}", id(1, n));
        transaction.execute(image, (id(1, n), format!("image-{n}"), folder, T)).unwrap();
    }
    let vm = "INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json, runtime_json)
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, ?7, '{\"tap_device\":\"tap0\"}')";
    let spec = match rows.padding {
        0 => r#"{"vcpu_count":2,"memory_mib":2048}"#.to_owned(),
        length => format!(r#"{{"vcpu_count":2,"memory_mib":2048,"pad":"{}"}}"#, "0".repeat(length)),
    };
    let mut insert = transaction.prepare(vm).unwrap();
    for n in 1..=rows.vms {
        let image = id(1, 1 + n % rows.images);
        let ip = format!("10.{}.{}.{}", 77 + (n >> 16), n >> 8 & 255, n & 255);
        let state = ["stopped", "running"][n as usize % 2];
        insert.execute((id(2, n), format!("vm-{n}"), image, ip, state, T, &spec)).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}
