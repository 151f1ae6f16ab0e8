//! The affinity of a column, which its declared type decides and which converts the values that are stored in it.
//!
//! Source: "Determination Of Column Affinity", <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>.

use crate::record::Classes;

/// A column's affinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Values stay what they are.
    Blob,
    /// Numbers become text.
    Text,
    /// Text that is a number becomes one.
    Numeric,
    /// Text that is a number becomes one, as with `Numeric`.
    Integer,
    /// Text that is a number becomes one, and every number is read as a floating point number.
    Real,
}

impl Affinity {
    /// Returns the affinity of a declared type; an empty one declares none.
    pub fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_lowercase();
        let has = |part: &str| declared.contains(part);
        if declared.is_empty() {
            Self::Blob
        } else if has("int") {
            Self::Integer
        } else if has("char") || has("clob") || has("text") {
            Self::Text
        } else if has("blob") {
            Self::Blob
        } else if has("real") || has("floa") || has("doub") {
            Self::Real
        } else {
            // Also "any", which means more only in a STRICT table.
            Self::Numeric
        }
    }

    /// Returns the affinity as which a column is compared: all those of numbers are one.
    pub(super) fn compares_as(self) -> Self {
        match self {
            Self::Blob | Self::Text => self,
            Self::Numeric | Self::Integer | Self::Real => Self::Numeric,
        }
    }

    /// The storage classes that SQLite's check lets pass without a second look.
    pub fn allowed(self) -> Classes {
        match self {
            Self::Blob => Classes::ALL,
            Self::Text => Classes::ALL.without(Classes::INTEGER).without(Classes::REAL),
            Self::Numeric | Self::Integer | Self::Real => Classes::ALL.without(Classes::TEXT),
        }
    }
}

/// Returns `true` when text could be a number to SQLite: a column with a numeric affinity then never stores it as text.
///
/// This says yes too often rather than too seldom.
pub fn may_be_number(text: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    // SQLite reads up to a NUL.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (Some(first), Some(last)) = (
        text.iter().position(|byte| !is_space(byte)),
        text.iter().rposition(|byte| !is_space(byte)),
    ) else {
        return false;
    };
    let text = text.get(first..=last).unwrap_or_default();
    let mut before = b'e';
    let mut digits = false;
    for byte in text {
        // A sign stands at the beginning or behind an exponent's letter, which a date's does not.
        match byte {
            b'0'..=b'9' => digits = true,
            b'.' | b'e' | b'E' => {}
            b'+' | b'-' if matches!(before, b'e' | b'E') => {}
            _ => return false,
        }
        before = *byte;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_type_has_the_affinity_that_sqlite_gives_it() {
        for (declared, affinity) in [
            ("", Affinity::Blob),
            ("INTEGER", Affinity::Integer),
            ("UNSIGNED BIG INT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("VARCHAR(255)", Affinity::Text),
            ("CLOB", Affinity::Text),
            ("BLOBTEXT", Affinity::Text),
            ("BLOB", Affinity::Blob),
            ("REALBLOB", Affinity::Blob),
            ("DOUBLE PRECISION", Affinity::Real),
            ("FLOAT", Affinity::Real),
            ("DATETIME", Affinity::Numeric),
            ("any", Affinity::Numeric),
            ("BOOLEAN", Affinity::Numeric),
        ] {
            assert_eq!(Affinity::of(declared), affinity, "{declared}");
        }
    }

    #[test]
    fn text_that_could_be_a_number_is_told_from_text_that_is_none() {
        for number in ["1", " -1.5e+7 ", "+.5", "007", "1e5\0x", "\x0b1\x0b", "1..2"] {
            assert!(may_be_number(number.as_bytes()), "{number:?}");
        }
        for none in [
            "",
            " ",
            "abc",
            "2026-04-28",
            "10:30",
            "2026-04-28T18:41:31Z",
            "{}",
            "0x1f",
            "1,5",
            "- 1",
            "1 2",
            ".",
        ] {
            assert!(!may_be_number(none.as_bytes()), "{none:?}");
        }
    }
}
