//! Recognises a file that is not a database.

/// Returns the kind of file that the first bytes announce, if it is known.
pub(crate) fn recognise(head: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip data"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"BZh", "bzip2 data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"\x7fELF", "a program (ELF)"),
        (b"%PDF-", "a PDF document"),
        (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "an SQLite rollback journal"),
        (b"\x37\x7f\x06\x82", "an SQLite write-ahead log"),
        (b"\x37\x7f\x06\x83", "an SQLite write-ahead log"),
        (b"** This file contains an SQLite 2", "an SQLite 2 database"),
    ];
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(what);
    }
    if head.len() > 262 && &head[257..262] == b"ustar" {
        return Some("a tar archive");
    }
    if head.iter().all(|byte| *byte == 0) {
        return Some("only zero bytes");
    }
    if is_text(head) {
        let sql = head.starts_with(b"PRAGMA foreign_keys=") || head.starts_with(b"BEGIN TRANSACTION");
        return Some(if sql { "text: an SQL dump" } else { "text" });
    }
    None
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
    fn what_is_not_a_database_is_named() {
        assert_eq!(recognise(b"\x1f\x8b\x08\0"), Some("gzip data"));
        assert_eq!(recognise(b"PK\x03\x04rest"), Some("a zip archive"));
        assert_eq!(recognise("h\u{e9}llo\nworld".as_bytes()), Some("text"));
        assert_eq!(recognise(b"PRAGMA foreign_keys=OFF;\n"), Some("text: an SQL dump"));
        assert_eq!(recognise(&[0; 64]), Some("only zero bytes"));
        assert_eq!(recognise(&[1, 2, 3, 0xff]), None);
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
