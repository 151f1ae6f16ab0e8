//! A migration's key in its tool: a version or a name, ordered as the tool orders it.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The version or the name of a migration. Two keys of one tool are ordered as the tool orders them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum MigrationKey {
    /// A version, without memory of its own: a ledger may hold a million of them.
    Number(i64),
    /// Any other key.
    Text(Box<TextKey>),
}

/// A key that is not its number alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TextKey {
    /// The number that orders it before its text.
    number: Option<i128>,
    text: String,
}

impl MigrationKey {
    /// Creates the key of a version that is a number: leading zeros do not count.
    pub(super) fn number(number: impl Into<i128>) -> Self {
        let number = number.into();
        Self::new(Some(number), number.to_string())
    }

    /// Creates the key of a name that is ordered by its bytes.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(None, text.into())
    }

    /// Creates the key of a name that is ordered by the number that it begins with, and then by its bytes.
    pub(super) fn numbered(text: &str) -> Self {
        Self::new(digits(text).parse().ok(), text.to_owned())
    }

    /// Creates the key of a name that is ordered by its place among the others.
    pub(super) fn placed(place: i128, text: &str) -> Self {
        Self::new(Some(place), text.to_owned())
    }

    /// Creates a key. One that is its number is always a [`Self::Number`], so that equal keys have one form.
    fn new(number: Option<i128>, text: String) -> Self {
        match number.and_then(|number| i64::try_from(number).ok()) {
            Some(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(Box::new(TextKey { number, text })),
        }
    }

    /// Returns the key as it is in the folder or the ledger. A key that only a ledger has is a cell's value: see [`Self::redacted`].
    pub(crate) fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(key) => Cow::Borrowed(&key.text),
        }
    }

    /// Returns the number that orders it, where it has one.
    pub(super) fn as_number(&self) -> Option<i128> {
        match self {
            Self::Number(number) => Some((*number).into()),
            Self::Text(key) => key.number,
        }
    }

    /// Returns it as the id of a compiled-in migration.
    pub(crate) fn id(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }

    /// Returns the part of it that a report may show: a number whole, and of a name only the number that it begins with. The rest of a
    /// name is a cell's value, which a report never holds. Alembic's revisions are random numbers, in 12 hexadecimal digits.
    pub(crate) fn redacted(&self) -> Option<String> {
        const MOST_DIGITS: usize = 40;
        const REVISION: usize = 12;
        let text = self.as_text();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == REVISION && text.bytes().all(is_hex) {
            return Some(text.into_owned());
        }
        let unsigned = text.strip_prefix('-').unwrap_or(&text);
        let digits = digits(unsigned);
        if digits.is_empty() || digits.len() > MOST_DIGITS {
            return None;
        }
        if digits.len() == unsigned.len() {
            return Some(text.into_owned());
        }
        Some(format!("{digits}…"))
    }
}

impl Ord for MigrationKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            _ => (self.as_number(), self.as_text()).cmp(&(other.as_number(), other.as_text())),
        }
    }
}

impl PartialOrd for MigrationKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Returns the digits that a name begins with.
pub(super) fn digits(name: &str) -> &str {
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_as_numbers_and_names_by_their_bytes() {
        assert!(MigrationKey::number(9) < MigrationKey::number(10));
        assert!(MigrationKey::number(-1) < MigrationKey::number(0));
        assert!(MigrationKey::number(u64::MAX) > MigrationKey::number(i64::MAX));
        assert!(MigrationKey::text("10") < MigrationKey::text("9"));
        assert!(MigrationKey::text("B") < MigrationKey::text("a"));
        assert!(MigrationKey::numbered("0002_b.sql") < MigrationKey::numbered("0010_a.sql"));
        assert!(MigrationKey::numbered("0006_a.sql") < MigrationKey::numbered("0006_b.sql"));
    }

    #[test]
    fn of_a_name_no_more_is_shown_than_its_number() {
        let shown = |key: MigrationKey| key.redacted();
        assert_eq!(shown(MigrationKey::number(-1)).as_deref(), Some("-1"));
        assert_eq!(shown(MigrationKey::text("20240101000004")).as_deref(), Some("20240101000004"));
        assert_eq!(shown(MigrationKey::text("20240101_for_alice")).as_deref(), Some("20240101…"));
        assert_eq!(shown(MigrationKey::numbered("0010_secret.sql")).as_deref(), Some("0010…"));
        assert_eq!(shown(MigrationKey::text("e78a722c2835")).as_deref(), Some("e78a722c2835"));
        for name in ["", "init", "-", "é1", &"7".repeat(41)] {
            assert_eq!(shown(MigrationKey::text(name)), None, "{name}");
        }
    }
}
