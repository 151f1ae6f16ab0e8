//! Names a file by its first bytes: what it is that is no database.

/// The kinds of file that a few bytes at a fixed place tell.
const KINDS: &[(usize, &[u8], &str)] = &[
    (0, b"\x1f\x8b", "gzip data"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x28\xb5\x2f\xfd", "zstd data"),
    (0, b"\xfd7zXZ\0", "xz data"),
    (0, b"\x04\x22\x4d\x18", "LZ4 data"),
    (0, b"BZh", "bzip2 data"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (0, b"!<arch>\n", "an ar archive"),
    (0, b"MSCF\0\0\0\0", "a cabinet archive"),
    (0, b"\x1f\x9d", "compress data"),
    (0, b"LZIP", "lzip data"),
    (0, b"Salted__", "data that OpenSSL encrypted"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"RIFF", "a RIFF file (WebP, WAV or AVI)"),
    (4, b"ftyp", "a video or picture (MP4, HEIC)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska video"),
    (0, b"OggS", "Ogg data"),
    (0, b"ID3", "an MP3 file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"ARROW1\0\0", "an Arrow file"),
    (0, b"Obj\x01", "an Avro file"),
    (0, b"bplist00", "a binary property list"),
    (0, b"\xac\xed\x00\x05", "serialized Java objects"),
    (0, b"\xca\xfe\xba\xbe", "a Java class or a program (Mach-O)"),
    (0, b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (0, b"MZ\x90\0", "a program (Windows)"),
    (0, b"\0asm", "a program (WebAssembly)"),
    (0, b"REDIS0", "a Redis dump"),
    (0, b"PGDMP", "a dump of PostgreSQL"),
    (0, b"PACK\0\0\0", "a Git pack"),
    (0, b"DIRC\0\0\0", "a Git index"),
    (0, b"QFI\xfb", "a virtual disk (QCOW2)"),
    (0, b"KDMV", "a virtual disk (VMDK)"),
    (257, b"ustar", TAR),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "an SQLite rollback journal"),
    (0, b"\x37\x7f\x06\x82", "an SQLite write-ahead log"),
    (0, b"\x37\x7f\x06\x83", "an SQLite write-ahead log"),
    (0, b"** This file contains an SQLite 2", "an SQLite 2 database"),
    (0, b"version https://git-lfs.github.com/spec/", GIT_LFS),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document"),
    (12, b"\x62\x31\x05\x00", "a Berkeley DB file (b-tree)"),
    (12, b"\x00\x05\x31\x62", "a Berkeley DB file (b-tree)"),
    (12, b"\x61\x15\x06\x00", "a Berkeley DB file (hash)"),
    (12, b"\x00\x06\x15\x61", "a Berkeley DB file (hash)"),
    (0, b"\x62\x31\x05\x00", "a Berkeley DB file (b-tree, version 1.85)"),
    (0, b"\x00\x05\x31\x62", "a Berkeley DB file (b-tree, version 1.85)"),
    (0, b"\x00\x06\x15\x61", "a Berkeley DB file (hash, version 1.85)"),
    (0, b"\x61\x15\x06\x00", "a Berkeley DB file (hash, version 1.85)"),
    (16, b"\xed\xda\x0c\xed", "a BoltDB (bbolt) file"),
    (16, b"\xde\xc0\xef\xbe", "an LMDB file"),
    (0, b"RpmP", "an rpm package database (ndb)"),
    (0, b"RpmI", "an rpm package database (ndb)"),
    (0, b"RpmX", "an rpm package database (ndb)"),
    (4, b"\xef\xcd\xab\x89", "an ESE database"),
    (4, b"Standard Jet DB", "a Microsoft Access database"),
    (4, b"Standard ACE DB", "a Microsoft Access database"),
    (8, b"DUCK", "a DuckDB database"),
    (0, b"\x13\x57\x9a\xce", "a GNU dbm file"),
    (0, b"\xcd\x9a\x57\x13", "a GNU dbm file"),
    (0, b"\xce\x9a\x57\x13", "a GNU dbm file"),
    (0, b"\xcf\x9a\x57\x13", "a GNU dbm file"),
];

pub(crate) const GIT_LFS: &str = "a Git LFS pointer";
pub(super) const TAR: &str = "a tar archive";
pub(crate) const NOISE: &str = "random bytes, or an encrypted database";

/// Names what a file is whose first bytes are not a database's, where they tell. `head` is the whole file, or 4,096 bytes of it.
pub(super) fn recognise(head: &[u8], size: u64) -> Option<&'static str> {
    if let Some(what) = recognise_magic(head) {
        return Some(what);
    }
    if !head.is_empty() && head.len() as u64 == size && head.iter().all(|byte| *byte == 0) {
        return Some("only zero bytes");
    }
    if is_text(head) {
        return Some(recognise_text(head));
    }
    looks_encrypted(head).then_some(NOISE)
}

fn recognise_magic(head: &[u8]) -> Option<&'static str> {
    let has = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    KINDS.iter().find(|(at, magic, _)| has(*at, magic)).map(|(.., what)| *what)
}

fn recognise_text(head: &[u8]) -> &'static str {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let begins_with_any = |words: &[&str]| words.iter().any(|word| begins(word));
    if begins_with_any(&["<!doctype html", "<html", "<head"]) {
        "a web page (HTML)"
    } else if begins("<?xml") {
        "an XML document"
    } else if begins_with_any(&[
        "PRAGMA foreign_keys",
        "BEGIN TRANSACTION;",
        "-- MySQL dump",
        "--\n-- PostgreSQL",
    ]) {
        "text: an SQL dump"
    } else if text.starts_with(b"{") || text.starts_with(b"[") {
        "text: JSON"
    } else {
        "text"
    }
}

/// Returns true when the bytes are text: UTF-8, perhaps cut in a character, without control characters but white space.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// Returns true when the bytes look random, as those of an encrypted database do, in which no byte is more common than another.
///
/// `head` should be a whole page or more: of fewer bytes the entropy says too little, and they are never called random.
pub(crate) fn looks_encrypted(head: &[u8]) -> bool {
    if head.len() < 1024 {
        return false;
    }
    let mut counts = [0u32; 256];
    for byte in head {
        counts[usize::from(*byte)] += 1;
    }
    // Shannon entropy in bits a byte; 1,024 random bytes have about 7.8.
    let n = f64::from(u32::try_from(head.len()).unwrap_or(u32::MAX));
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / n)
        .map(|p| -p * p.log2())
        .sum();
    entropy > 7.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_named() {
        let mut bolt = vec![0; 64];
        bolt[16..20].copy_from_slice(&0xed0c_daed_u32.to_le_bytes());
        let mut berkeley = vec![0; 64];
        berkeley[12..16].copy_from_slice(&0x0005_3162_u32.to_le_bytes());
        for (head, what) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..],
                Some("a Git LFS pointer"),
            ),
            (b"\n<!DOCTYPE html>\n<html>", Some("a web page (HTML)")),
            (b"{\"error\": 404}", Some("text: JSON")),
            (&bolt, Some("a BoltDB (bbolt) file")),
            (&berkeley, Some("a Berkeley DB file (b-tree)")),
            (b"[\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(recognise(head, head.len() as u64), what);
        }
        assert_eq!(recognise(b"\x1f\x8b\x08\0", 4), Some("gzip data"));
        assert_eq!(recognise("h\u{e9}llo\nworld".as_bytes(), 12), Some("text"));
        assert_eq!(recognise(b"PRAGMA foreign_keys=OFF;\n", 25), Some("text: an SQL dump"));
        // Of the rest of the file nothing is known.
        assert_eq!((recognise(&[0; 64], 64), recognise(&[0; 64], 65)), (Some("only zero bytes"), None));
    }

    #[test]
    fn noise_looks_encrypted_and_pages_do_not() {
        let noise: Vec<u8> = (0u32..4096).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        assert!(looks_encrypted(&noise));
        let mut page = vec![0u8; 4096];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        assert!(!looks_encrypted(&page));
        assert!(!looks_encrypted(&noise[..512]));
    }
}
