//! What a tool calls a migration: its version or its name, as text that is ordered as the tool orders it.

/// The version or the name of a migration. Two keys of one tool are ordered as the tool orders them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// What it is ordered by before its text.
    number: Option<i128>,
    text: String,
}

impl Key {
    /// A version that is a number: leading zeros do not count.
    pub(super) fn number(number: impl Into<i128>) -> Self {
        let number = number.into();
        Self {
            number: Some(number),
            text: number.to_string(),
        }
    }

    /// A name, ordered by its bytes.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            number: None,
            text: text.into(),
        }
    }

    /// A name that is ordered by the number that it begins with, and then by its bytes.
    pub(super) fn numbered(text: &str) -> Self {
        Self {
            number: digits(text).parse().ok(),
            text: text.to_owned(),
        }
    }

    /// The key as it stands in the folder or the ledger. What stands in a ledger alone is a cell's value: see [`Self::shown`].
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its number, where it has one.
    pub(super) fn as_number(&self) -> Option<i128> {
        self.number
    }

    /// What a report may show of it: a number whole, of a name the number that it begins with. The rest of a name is a cell's
    /// value, and tells what its owner may not want to tell.
    pub(crate) fn shown(&self) -> Option<String> {
        const MOST_DIGITS: usize = 40;
        let unsigned = self.text.strip_prefix('-').unwrap_or(&self.text);
        let digits = digits(unsigned);
        if digits.is_empty() || digits.len() > MOST_DIGITS {
            return None;
        }
        if digits.len() == unsigned.len() {
            return Some(self.text.clone());
        }
        Some(format!("{digits}…"))
    }
}

/// The digits that a name begins with.
fn digits(name: &str) -> &str {
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
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
        assert!(Key::numbered("0002_b.sql") < Key::numbered("0010_a.sql"));
        assert!(Key::numbered("0006_a.sql") < Key::numbered("0006_b.sql"));
    }

    #[test]
    fn of_a_name_no_more_is_shown_than_its_number() {
        let shown = |key: Key| key.shown();
        assert_eq!(shown(Key::number(-1)).as_deref(), Some("-1"));
        assert_eq!(shown(Key::text("20240101000004")).as_deref(), Some("20240101000004"));
        assert_eq!(shown(Key::text("20240101_for_alice")).as_deref(), Some("20240101…"));
        assert_eq!(shown(Key::numbered("0010_secret.sql")).as_deref(), Some("0010…"));
        for name in ["", "init", "-", "é1", &"7".repeat(41)] {
            assert_eq!(shown(Key::text(name)), None, "{name}");
        }
    }
}
