//! One JSON object, and nothing else.

use std::io::{self, Read};

use serde::de::IgnoredAny;

/// Returns true if the bytes are exactly one JSON object (RFC 8259), however deeply nested.
///
/// Skipped values are not recursed into, so that depth costs no stack. The bytes must be known to be UTF-8.
pub(crate) fn is_object(bytes: &[u8]) -> bool {
    begins_object(bytes) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Returns true if a reader yields exactly one JSON object, for text that is too long to hold in memory.
///
/// # Errors
/// Fails with the error of the reader, which proves nothing about the text.
pub(crate) fn is_object_in(mut reader: impl Read) -> io::Result<bool> {
    let mut first = [0];
    loop {
        match reader.read_exact(&mut first) {
            Ok(()) if is_blank(first[0]) => {}
            Ok(()) if first[0] == b'{' => break,
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
    match serde_json::from_reader::<_, IgnoredAny>(first.as_slice().chain(reader)) {
        Ok(_) => Ok(true),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

fn begins_object(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !is_blank(**byte)) == Some(&b'{')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_one_and_nothing_else_is() {
        for good in [
            "{}",
            " {\"a\": [1, -2.5e3, true, null, \"\\u00e9\\ud83d\"]}\n",
            "{\"a\":{\"a\":{}}}",
        ] {
            assert!(is_object(good.as_bytes()), "{good}");
            assert!(is_object_in(good.as_bytes()).unwrap(), "{good}");
        }
        for bad in [
            "",
            "[]",
            "null",
            "{",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":\"\n\"}",
            "{\"a\":1,}",
            "\"{}\"",
        ] {
            assert!(!is_object(bad.as_bytes()), "{bad}");
            assert!(!is_object_in(bad.as_bytes()).unwrap(), "{bad}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_read_to_its_end_is_not_called_wrong() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk"))
            }
        }
        for begun in ["", " ", "{\"a\":"] {
            assert!(is_object_in(begun.as_bytes().chain(Broken)).is_err(), "{begun}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_object(nested(9_000).as_bytes()));
        assert!(is_object(nested(1_000_000).as_bytes()));
        assert!(!is_object(format!("{{\"a\":{}", "[".repeat(1_000_000)).as_bytes()));
    }
}
