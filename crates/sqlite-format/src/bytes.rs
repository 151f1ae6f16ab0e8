//! Numbers as SQLite's files hold them: varints of one to nine bytes, and big-endian numbers of two and four.
//!
//! Source: "B-tree Cell Format", <https://www.sqlite.org/fileformat2.html#varint>.

/// Reads the varint at the beginning of `bytes`. Returns its value and its length, or `None` when the bytes end before it does.
#[inline]
pub fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    match *bytes {
        [a, ..] if a < 0x80 => Some((u64::from(a), 1)),
        [a, b, ..] if b < 0x80 => Some((u64::from(a & 0x7f) << 7 | u64::from(b), 2)),
        [a, b, c, ..] if c < 0x80 => Some((u64::from(a & 0x7f) << 14 | u64::from(b & 0x7f) << 7 | u64::from(c), 3)),
        _ => longer(bytes),
    }
}

#[cold]
fn longer(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    let last = *bytes.get(8)?;
    Some((value << 8 | u64::from(last), 9))
}

/// Reads the big-endian number of two bytes at offset `at`.
#[inline]
pub fn read_u16(bytes: &[u8], at: usize) -> Option<usize> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_be_bytes(two.try_into().ok()?)))
}

/// Reads the big-endian number of four bytes at offset `at`.
#[inline]
pub fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// Reads the big-endian number of four bytes at offset `at` of a buffer that is known to be long enough; 0 when it is not.
#[inline]
pub fn read_u32_or_zero(bytes: &[u8], at: usize) -> u32 {
    read_u32(bytes, at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_and_cut_ones_are_not() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x81, 0x00], 128),
            (&[0xff, 0x7f], 16_383),
            (&[0x81, 0x80, 0x00], 16_384),
            (&[0xff; 9], u64::MAX),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 1),
        ] {
            assert_eq!(read_varint(bytes), Some((value, bytes.len())), "{bytes:x?}");
            assert_eq!(read_varint(&bytes[..bytes.len() - 1]), None, "{bytes:x?}");
        }
    }
}
