//! Bytes that are reserved at the end of each page: as many as the pages show, whatever the header says.

use std::path::Path;

use super::freed::{fill, store};
use super::random::Random;
use super::saved::save;
use super::stores::{open, rows};

/// A store with so many reserved bytes, and how many rows it has.
fn made(path: &Path, reserved: u8) -> Vec<u8> {
    let connection = open(path);
    connection
        .execute_batch("PRAGMA page_size=4096; PRAGMA user_version=1; PRAGMA user_version=0")
        .unwrap();
    drop(connection);
    // SQLite reserves what the header of the empty file says.
    let mut bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len(), 4096);
    bytes[20] = reserved;
    bytes[105..107].copy_from_slice(&(4096 - u16::from(reserved)).to_be_bytes());
    std::fs::write(path, bytes).unwrap();
    let connection = store(path);
    fill(&connection, &mut Random(7), 1..200);
    drop(connection);
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes[20], reserved);
    bytes
}

#[test]
fn the_pages_say_how_many_bytes_are_reserved() {
    for reserved in [0, 8, 32] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let healthy = made(&path, reserved);
        let live = rows(&open(&path));
        let damaged = [0, 1, 16, 255].map(|byte| {
            let mut bytes = healthy.clone();
            bytes[20] = byte;
            bytes
        });
        let mut gone = healthy.clone();
        gone[..4096].fill(0);
        for bytes in damaged.iter().chain([&gone]) {
            let saved = save(bytes, None);
            assert_eq!(saved.of_vms().flagged.count, 0);
            assert!(saved.vms() == live, "{reserved}: {} of {}", saved.vms().len(), live.len());
        }
    }
}
