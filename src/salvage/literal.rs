//! Writes a value as SQL that every SQLite reads back to the same bytes, on one line, whatever it holds.

use std::io::{self, Write};

use sqlite_format::encoding::Encoding;
use sqlite_format::record::{Classes, Field};

/// Writes a value, for a store with text in this encoding.
///
/// # Errors
/// Fails if the output cannot be written.
pub fn write(out: &mut dyn Write, field: Field, payload: &[u8], encoding: Encoding) -> io::Result<()> {
    let bytes = payload.get(field.range()).unwrap_or_default();
    match field.class {
        Classes::TEXT if is_plain(bytes) => quoted(out, bytes),
        Classes::TEXT => {
            out.write_all(b"CAST(")?;
            hex(out, &encoding.encode(bytes))?;
            out.write_all(b" AS TEXT)")
        }
        Classes::BLOB => hex(out, bytes),
        Classes::INTEGER => match field.integer(payload) {
            Some(value) => write!(out, "{value}"),
            None => out.write_all(b"NULL"),
        },
        Classes::REAL => match field.real(payload) {
            Some(value) => write_real(out, value),
            None => out.write_all(b"NULL"),
        },
        _ => out.write_all(b"NULL"),
    }
}

/// Returns true if text may stand between quotes: it is UTF-8, and nothing in it ends a line, ends a string, or turns the direction
/// in which it is read.
pub fn is_plain(bytes: &[u8]) -> bool {
    if bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return true;
    }
    let is_odd = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_odd))
}

fn quoted(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(b"'")?;
    for (at, part) in bytes.split(|byte| *byte == b'\'').enumerate() {
        if at > 0 {
            out.write_all(b"''")?;
        }
        out.write_all(part)?;
    }
    out.write_all(b"'")
}

fn hex(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.write_all(b"x'")?;
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut piece = Vec::with_capacity(2048);
    for part in bytes.chunks(1024) {
        piece.clear();
        piece.extend(part.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        out.write_all(&piece)?;
    }
    out.write_all(b"'")
}

/// Writes a floating point number. Not every SQLite reads seventeen digits to the last bit, so that only what is exact is written
/// as digits: integers, and other numbers as an integer divided by powers of two, where nothing is rounded.
///
/// # Errors
/// Fails if the output cannot be written.
pub fn write_real(out: &mut dyn Write, value: f64) -> io::Result<()> {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        return out.write_all(b"NULL");
    }
    if value.is_infinite() {
        return out.write_all(if value > 0.0 { b"9e999" } else { b"-9e999" });
    }
    if value.fract().abs().to_bits() == 0 && value.abs() < WHOLE {
        return write!(out, "{value:.1}");
    }
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mut whole, mut power) = if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, exponent - 1075)
    };
    let zeros = whole.trailing_zeros();
    whole >>= zeros;
    power += i32::try_from(zeros).unwrap_or(0);
    let sign = if value < 0.0 { "-" } else { "" };
    write!(out, "({sign}{whole}.0")?;
    let operator = if power < 0 { "/" } else { "*" };
    let mut left = power.unsigned_abs();
    while left > 0 {
        let step = left.min(30);
        write!(out, "{operator}{}.0", 1_u64 << step)?;
        left -= step;
    }
    out.write_all(b")")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    fn text(bytes: &[u8]) -> String {
        let mut field = Field::default();
        (field.to, field.class) = (u32::try_from(bytes.len()).unwrap(), Classes::TEXT);
        let mut out = Vec::new();
        write(&mut out, field, bytes, Encoding::Utf8).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_comes_back_byte_for_byte_and_on_one_line() {
        let connection = Connection::open_in_memory().unwrap();
        for bytes in [
            &b"plain"[..],
            b"it's",
            b"''",
            b"",
            b"a\0b",
            b"\n.shell touch x\n",
            b"\r",
            b"\x1b[31m",
            b"\xff\xfe",
            b"\xed\xa0\x80",
            "\u{202e}gnp.exe".as_bytes(),
            "\u{2028}".as_bytes(),
            "na\u{ef}ve \u{1f980}".as_bytes(),
        ] {
            let sql = text(bytes);
            assert!(!sql.bytes().any(|byte| byte < 0x20), "{sql:?}");
            let (kind, back): (String, Vec<u8>) = connection
                .query_row(&format!("SELECT typeof({sql}), CAST({sql} AS BLOB)"), [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!((kind.as_str(), back.as_slice()), ("text", bytes), "{sql}");
        }
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        let connection = Connection::open_in_memory().unwrap();
        let odd = [
            0.1,
            -1.0 / 3.0,
            1e300,
            -1e-300,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            0.0,
            3.0,
            9e15,
            1e16,
            123.456,
            f64::INFINITY,
        ];
        for value in odd {
            let mut out = Vec::new();
            write_real(&mut out, value).unwrap();
            let sql = String::from_utf8(out).unwrap();
            let back: Value = connection.query_row(&format!("SELECT {sql}"), [], |row| row.get(0)).unwrap();
            assert_eq!(back, Value::Real(value), "{sql}");
        }
    }
}
