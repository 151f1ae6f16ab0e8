//! What a tool calls a migration: its version or its name, as text that is ordered as the tool orders it.

use std::fmt;

/// The version or the name of a migration.
///
/// Two keys of one tool are ordered as the tool orders them. It is text from a folder or a ledger: whoever prints it
/// escapes it first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is ordered by before its text.
    number: Option<i128>,
    text: String,
}

impl Key {
    /// A version that is a number: leading zeros do not count.
    pub fn number(number: impl Into<i128>) -> Self {
        let number = number.into();
        Self {
            number: Some(number),
            text: number.to_string(),
        }
    }

    /// A name, ordered by its bytes.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            number: None,
            text: text.into(),
        }
    }

    /// A name that is ordered by a number in it first.
    pub(super) fn numbered(number: Option<i128>, text: impl Into<String>) -> Self {
        Self {
            number,
            text: text.into(),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its number, where it has one.
    pub fn as_number(&self) -> Option<i128> {
        self.number
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_as_numbers_and_names_by_their_bytes() {
        assert!(Key::number(9) < Key::number(10));
        assert!(Key::number(-1) < Key::number(0));
        assert!(Key::number(u64::MAX) > Key::number(i64::MAX));
        assert!(Key::text("10") < Key::text("9"));
        assert!(Key::text("B") < Key::text("a"));
        assert!(Key::numbered(Some(2), "0002_b.sql") < Key::numbered(Some(10), "0010_a.sql"));
        assert!(Key::numbered(Some(6), "0006_a.sql") < Key::numbered(Some(6), "0006_b.sql"));
        assert_eq!(Key::number(7).to_string(), "7");
    }
}
