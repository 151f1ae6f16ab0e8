//! Text as programs write it: UTF-8 without control characters.

use std::io::{self, Read};

/// A fault in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// It is not UTF-8.
    NotUtf8,
    /// A control character is in it.
    Control,
}

/// Returns the fault of a text, if it has one. Most text is printable ASCII and needs no decoding.
pub(crate) fn fault(bytes: &[u8]) -> Option<TextFault> {
    if is_printable_ascii(bytes) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Err(_) => Some(TextFault::NotUtf8),
        Ok(text) if text.chars().any(char::is_control) => Some(TextFault::Control),
        Ok(_) => None,
    }
}

/// Returns true if all bytes are ASCII that can be printed, or spaces: eight at a time, which short text needs as well.
fn is_printable_ascii(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    if let Some(last) = last.get_mut(..rest.len()) {
        last.copy_from_slice(rest);
    }
    eights.iter().chain([&last]).all(|eight| has_only_printable(u64::from_le_bytes(*eight)))
}

/// Returns true if eight bytes in a number are printable. A byte's highest bit is set in the result where the byte is below 0x20, is 0x7f, or has
/// that bit itself; a byte above one that is below may be marked as well, and then one is marked that ought to be.
fn has_only_printable(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    let is_delete = eight ^ (ONES * 0x7f);
    let below = eight.wrapping_sub(ONES * 0x20);
    let delete = is_delete.wrapping_sub(ONES) & !is_delete;
    (eight | below | delete) & HIGHEST == 0
}

/// Returns true if bytes are UTF-8; control characters are not looked at.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// Returns the [`fault`] of a text that is too long to hold in memory. If `controls` is false, control characters are ignored.
///
/// # Errors
/// Fails with the error of the reader.
pub(crate) fn fault_in(mut reader: impl Read, controls: bool) -> io::Result<Option<TextFault>> {
    let mut chunk = vec![0; 64 * 1024];
    let mut held = 0; // bytes at the chunk's beginning: a character that was cut at the last one's end
    loop {
        let read = reader.read(&mut chunk[held..])?;
        if read == 0 {
            return Ok((held > 0).then_some(TextFault::NotUtf8));
        }
        let bytes = &chunk[..held + read];
        let whole = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(Some(TextFault::NotUtf8)),
        };
        if controls && let Some(fault) = fault(&bytes[..whole]) {
            return Ok(Some(fault));
        }
        let end = held + read;
        chunk.copy_within(whole..end, 0);
        held = end - whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time, so that every character is cut.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn each_byte_at_each_place_is_told() {
        for length in 0..20 {
            let text = vec![b'~'; length];
            assert!(is_printable_ascii(&text));
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = text.clone();
                    text[at] = byte;
                    assert_eq!(is_printable_ascii(&text), (0x20..0x7f).contains(&byte), "{byte} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn text_is_judged_the_same_whole_and_in_pieces() {
        let cases: [(&[u8], Option<TextFault>); 10] = [
            (b"vm-1", None),
            (b"", None),
            ("na\u{ef}ve \u{1f980} \u{4e2d}".as_bytes(), None),
            (b"a\tb", Some(TextFault::Control)),
            (b"a\0b", Some(TextFault::Control)),
            (b"\x7f", Some(TextFault::Control)),
            ("a\u{9b}b".as_bytes(), Some(TextFault::Control)),
            (b"a\xff", Some(TextFault::NotUtf8)),
            (b"a\xe4\xb8", Some(TextFault::NotUtf8)),
            (b"\xed\xa0\x80", Some(TextFault::NotUtf8)),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(fault(bytes), wanted, "{bytes:?}");
            assert_eq!(fault_in(Slowly(bytes), true).unwrap(), wanted, "{bytes:?} in pieces");
        }
        assert_eq!(fault_in(Slowly(b"a\tb"), false).unwrap(), None);
    }
}
