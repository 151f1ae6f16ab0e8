//! What the key of a map tells apart, and how it is drawn: a letter, and a class of the style.

/// A kind of page that the key has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of the largest tables.
    Table(usize),
    /// Its indexes.
    IndexesOf(usize),
    FurtherTable,
    FurtherIndex,
    Free,
    PointerMap,
    LockByte,
    Unreached,
}

impl Kind {
    /// The letter in the cells.
    pub(super) fn letter(self) -> char {
        let letter = |first: char, n: usize| (first..).nth(n).unwrap_or(first);
        match self {
            Self::Table(n) => letter('A', n),
            Self::IndexesOf(n) => letter('a', n),
            Self::FurtherTable => 'Z',
            Self::FurtherIndex => 'z',
            Self::Free => '·',
            Self::PointerMap => '^',
            Self::LockByte => '#',
            Self::Unreached => '?',
        }
    }

    /// The class of the style.
    pub(super) fn class(self) -> String {
        match self {
            Self::Table(n) => format!("t{n}"),
            Self::IndexesOf(n) => format!("t{n} x"),
            Self::FurtherTable => "tz".to_owned(),
            Self::FurtherIndex => "tz x".to_owned(),
            Self::Free => "fr".to_owned(),
            Self::PointerMap => "pm".to_owned(),
            Self::LockByte => "lb".to_owned(),
            Self::Unreached => "un".to_owned(),
        }
    }
}
