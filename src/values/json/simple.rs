//! JSON as programs write it: printable ASCII, no escapes, not deep. It is told fast; what is not simple is the parser's to tell.

/// How deep simple JSON is at most below its object: a bit for each level.
const DEEPEST: u32 = 63;

/// Whether the bytes are exactly one JSON object (RFC 8259), and simple. `false`: the parser has to look.
pub(crate) fn is_simple_object(bytes: &[u8]) -> bool {
    let mut text = Text { bytes, at: 0 };
    text.skip_blanks();
    text.take(b'{') && text.is_rest_of_object() && text.at == bytes.len()
}

struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn peek(&self) -> u8 {
        // No JSON holds a zero.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == byte;
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// All behind the first brace, with the blanks at the end.
    fn is_rest_of_object(&mut self) -> bool {
        // The lowest bit says whether the innermost level is an object; those around it stand above.
        let (mut levels, mut depth) = (1_u64, 1);
        let mut is_first = true;
        loop {
            self.skip_blanks();
            let is_object = levels & 1 == 1;
            if self.take(if is_object { b'}' } else { b']' }) {
                levels >>= 1;
                depth -= 1;
                is_first = false;
                if depth == 0 {
                    self.skip_blanks();
                    return true;
                }
                continue;
            }
            if !is_first {
                if !self.take(b',') {
                    return false;
                }
                self.skip_blanks();
            }
            if is_object && !self.is_key() {
                return false;
            }
            let begins = self.peek();
            is_first = matches!(begins, b'{' | b'[');
            if is_first {
                if depth > DEEPEST {
                    return false;
                }
                self.at += 1;
                levels = levels << 1 | u64::from(begins == b'{');
                depth += 1;
            } else if !self.is_value() {
                return false;
            }
        }
    }

    fn is_key(&mut self) -> bool {
        if !self.is_string() {
            return false;
        }
        self.skip_blanks();
        let is_key = self.take(b':');
        self.skip_blanks();
        is_key
    }

    /// A string, a number, or a word.
    fn is_value(&mut self) -> bool {
        match self.peek() {
            b'"' => self.is_string(),
            b't' => self.is_word(b"true"),
            b'f' => self.is_word(b"false"),
            b'n' => self.is_word(b"null"),
            _ => self.is_number(),
        }
    }

    fn is_string(&mut self) -> bool {
        if !self.take(b'"') {
            return false;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, 0..b' ' | b'"' | b'\\' | 0x7f..);
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
        self.take(b'"')
    }

    fn is_word(&mut self, word: &[u8]) -> bool {
        let is_there = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        is_there
    }

    fn is_number(&mut self) -> bool {
        self.take(b'-');
        let is_whole = self.take(b'0') || self.has_digits();
        let has_fraction = !self.take(b'.') || self.has_digits();
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            return is_whole && has_fraction && self.has_digits();
        }
        is_whole && has_fraction
    }

    /// At least one digit.
    fn has_digits(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at > from
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn is_object(text: &str) -> bool {
        matches!(serde_json::from_str(text), Ok(Value::Object(_)))
    }

    #[test]
    fn what_programs_write_is_simple() {
        for text in [
            "{}",
            " { } \n",
            r#"{"a":1}"#,
            r#"{"a": -0.5e+10, "b": [], "c": [{}, [1, true], null, "x"], "d": {"e": false}}"#,
        ] {
            assert!(is_simple_object(text.as_bytes()) && is_object(text), "{text}");
        }
    }

    #[test]
    fn what_is_none_or_not_simple_is_not_called_simple() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "}",
            "{}}",
            "{} {}",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{,}",
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[}]"#,
            r#"{"a":+1}"#,
            r#"{"a" 1}"#,
            r#"{"a":"b}"#,
            "{a:1}",
            r#"{"a\n":1}"#,
            "{\"\u{e4}\":1}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":1}\0",
        ] {
            assert!(!is_simple_object(text.as_bytes()), "{text}");
        }
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_simple_object(deep(63).as_bytes()));
        assert!(!is_simple_object(deep(64).as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_simple_is_an_object(text in r#"[ {}\[\]:,"a0.e+-]{0,16}"#) {
            for text in [format!("{{\"a\":{text}}}"), text] {
                prop_assert!(!is_simple_object(text.as_bytes()) || is_object(&text), "{}", text);
            }
        }
    }
}
