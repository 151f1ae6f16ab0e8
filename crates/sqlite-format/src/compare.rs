//! The order of index entries in SQLite: NULL, numbers, text by its collation, blobs.
//!
//! Source: "Datatypes In SQLite", sections 4.1 and 7, <https://www.sqlite.org/datatype3.html>.

use std::cmp::Ordering;

use super::damage::{Damage, Result};
use super::record::{Classes, Field};

/// A collation that every SQLite has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// Byte by byte.
    Binary,
    /// Byte by byte, with the letters A to Z as a to z.
    NoCase,
    /// Byte by byte, without spaces at the end.
    RTrim,
}

/// The order of a column of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its collation.
    pub collation: Collation,
    /// True if it descends.
    pub descending: bool,
}

impl Order {
    /// Byte by byte, ascending.
    pub const BINARY: Self = Self {
        collation: Collation::Binary,
        descending: false,
    };
}

/// An index entry: its whole payload, and its fields.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The payload.
    pub payload: &'a [u8],
    /// The columns of the key, then the rowid.
    pub fields: &'a [Field],
}

/// The order of two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The key of the second is the greater one.
    Key,
    /// The keys are equal, and the rowid of the second, or what names its row instead, is the greater one.
    Rowid,
}

/// Checks that an entry comes before the next one.
///
/// # Errors
/// Fails with [`Damage::EntryOrder`] if the second entry does not come after the first, or with the damage of a value that has no order.
#[inline]
pub fn check_order(first: Entry<'_>, second: Entry<'_>, orders: &[Order]) -> Result<Follows> {
    let mut both = first.fields.iter().zip(second.fields);
    for order in orders {
        let (a, b) = both.next().ok_or(Damage::FieldCount)?;
        let compared = compare((*a, first.payload), (*b, second.payload), order.collation)?;
        let compared = if order.descending { compared.reverse() } else { compared };
        match compared {
            Ordering::Less => return Ok(Follows::Key),
            Ordering::Equal => {}
            Ordering::Greater => return Err(Damage::EntryOrder),
        }
    }
    let (a, b) = both.next().ok_or(Damage::FieldCount)?;
    match a.integer(first.payload).cmp(&b.integer(second.payload)) {
        Ordering::Less => Ok(Follows::Rowid),
        _ => Err(Damage::EntryOrder),
    }
}

/// Compares an entry with the one behind it, where the last columns of the order, behind the first `key`, name the row.
///
/// # Errors
/// Fails as [`check_order`].
pub fn check_order_by_name(first: Entry<'_>, second: Entry<'_>, orders: &[Order], key: usize) -> Result<Follows> {
    let mut both = first.fields.iter().zip(second.fields);
    for (at, order) in orders.iter().enumerate() {
        let (a, b) = both.next().ok_or(Damage::FieldCount)?;
        let compared = compare((*a, first.payload), (*b, second.payload), order.collation)?;
        let compared = if order.descending { compared.reverse() } else { compared };
        match compared {
            Ordering::Less if at < key => return Ok(Follows::Key),
            Ordering::Less => return Ok(Follows::Rowid),
            Ordering::Equal => {}
            Ordering::Greater => return Err(Damage::EntryOrder),
        }
    }
    Err(Damage::EntryOrder)
}

#[inline]
fn compare(a: (Field, &[u8]), b: (Field, &[u8]), collation: Collation) -> Result<Ordering> {
    let (class_a, class_b) = (a.0.class, b.0.class);
    if class_a == Classes::TEXT && class_b == Classes::TEXT {
        return texts(slice(a)?, slice(b)?, collation);
    }
    let rank = |class: Classes| match class {
        Classes::NULL => 0,
        Classes::INTEGER | Classes::REAL => 1,
        Classes::TEXT => 2,
        _ => 3,
    };
    let ranks = rank(class_a).cmp(&rank(class_b));
    if ranks != Ordering::Equal {
        return Ok(ranks);
    }
    match (class_a, class_b) {
        (Classes::NULL, _) => Ok(Ordering::Equal),
        (Classes::BLOB, _) => Ok(slice(a)?.cmp(slice(b)?)),
        (Classes::INTEGER, Classes::INTEGER) => Ok(a.0.integer(a.1).cmp(&b.0.integer(b.1))),
        (Classes::INTEGER, _) => integer_and_real(integer(a)?, real(b)?),
        (_, Classes::INTEGER) => Ok(integer_and_real(integer(b)?, real(a)?)?.reverse()),
        _ => real(a)?.partial_cmp(&real(b)?).ok_or(Damage::NotANumber),
    }
}

/// Compares two texts.
///
/// # Errors
/// Fails with [`Damage::NulInText`] for a NUL in a text that is compared without regard to case.
#[inline]
pub(crate) fn texts(a: &[u8], b: &[u8], collation: Collation) -> Result<Ordering> {
    match collation {
        Collation::Binary => Ok(a.cmp(b)),
        Collation::RTrim => Ok(trim_trailing_spaces(a).cmp(trim_trailing_spaces(b))),
        Collation::NoCase => no_case(a, b),
    }
}

#[inline]
fn slice((field, payload): (Field, &[u8])) -> Result<&[u8]> {
    payload.get(field.range()).ok_or(Damage::Record)
}

fn integer((field, payload): (Field, &[u8])) -> Result<i64> {
    field.integer(payload).ok_or(Damage::Record)
}

fn real((field, payload): (Field, &[u8])) -> Result<f64> {
    field.real(payload).ok_or(Damage::NotANumber)
}

fn trim_trailing_spaces(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Fails for text with a NUL: SQLite's own comparison ends there, so that the order of such text is not reliable.
fn no_case(a: &[u8], b: &[u8]) -> Result<Ordering> {
    if a.contains(&0) || b.contains(&0) {
        return Err(Damage::NulInText);
    }
    let differing = a
        .iter()
        .zip(b)
        .map(|(a, b)| a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()))
        .find(|order| order.is_ne());
    Ok(differing.unwrap_or_else(|| a.len().cmp(&b.len())))
}

/// Compares exactly, also if no floating point number equals the integer.
pub(crate) fn integer_and_real(integer: i64, real: f64) -> Result<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        return Err(Damage::NotANumber);
    }
    if real < -TWO_TO_63 {
        return Ok(Ordering::Greater);
    }
    if real >= TWO_TO_63 {
        return Ok(Ordering::Less);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is in range; what is behind the point is compared below"
    )]
    let whole = real as i64;
    match integer.cmp(&whole) {
        Ordering::Equal => {
            let behind = real - real.trunc();
            0.0_f64.partial_cmp(&behind).ok_or(Damage::NotANumber)
        }
        differ => Ok(differ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Fields;
    use super::*;

    /// Creates a record of one column and a rowid.
    fn entry(serial: u8, value: &[u8], rowid: u8) -> Vec<u8> {
        [&[3, serial, 1][..], value, &[rowid]].concat()
    }

    fn judged(a: &[u8], b: &[u8], order: Order) -> Result<Follows> {
        let (mut fields_a, mut fields_b) = (Fields::default(), Fields::default());
        fields_a.read(a, a.len()).unwrap();
        fields_b.read(b, b.len()).unwrap();
        let (first, second) = (
            Entry {
                payload: a,
                fields: fields_a.all(),
            },
            Entry {
                payload: b,
                fields: fields_b.all(),
            },
        );
        check_order(first, second, &[order])
    }

    fn text(text: &[u8], rowid: u8) -> Vec<u8> {
        entry(13 + 2 * u8::try_from(text.len()).unwrap(), text, rowid)
    }

    fn real(value: f64) -> Vec<u8> {
        entry(7, &value.to_be_bytes(), 1)
    }

    #[test]
    fn values_stand_in_sqlites_order() {
        let ascending = [
            entry(0, &[], 1),
            real(f64::NEG_INFINITY),
            real(-9.3e18),
            entry(6, &i64::MIN.to_be_bytes(), 1),
            entry(1, &[0xff], 1),
            real(-0.5),
            entry(8, &[], 1),
            real(0.5),
            entry(9, &[], 1),
            real(1.5),
            entry(6, &(i64::MAX - 1).to_be_bytes(), 1),
            entry(6, &i64::MAX.to_be_bytes(), 1),
            real(9_223_372_036_854_775_808.0),
            real(f64::INFINITY),
            text(b"", 1),
            text(b"\0", 1),
            text(b"A", 1),
            text(b"a", 1),
            text(b"ab", 1),
            entry(12, b"", 1),
            entry(14, b"\xff", 1),
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                let wanted = if at < other {
                    Ok(Follows::Key)
                } else {
                    Err(Damage::EntryOrder)
                };
                assert_eq!(judged(a, b, Order::BINARY), wanted, "{at} and {other}");
            }
        }
        assert_eq!(judged(&real(0.0), &real(-0.0), Order::BINARY), Err(Damage::EntryOrder));
        assert_eq!(judged(&real(f64::NAN), &real(1.0), Order::BINARY), Err(Damage::NotANumber));
    }

    #[test]
    fn collations_and_directions_are_obeyed() {
        let order = |collation, descending| Order { collation, descending };
        let no_case = order(Collation::NoCase, false);
        assert_eq!(judged(&text(b"ab", 1), &text(b"AB", 2), no_case), Ok(Follows::Rowid));
        assert_eq!(judged(&text(b"Z", 1), &text(b"a", 2), no_case), Err(Damage::EntryOrder));
        assert_eq!(judged(&text(b"Z", 1), &text(b"_", 2), no_case), Err(Damage::EntryOrder));
        assert_eq!(judged(&text(b"a\0", 1), &text(b"b", 2), no_case), Err(Damage::NulInText));
        let trimming = order(Collation::RTrim, false);
        assert_eq!(judged(&text(b"a  ", 1), &text(b"a", 2), trimming), Ok(Follows::Rowid));
        assert_eq!(judged(&text(b"a", 2), &text(b"a ", 1), trimming), Err(Damage::EntryOrder));
        let descending = order(Collation::Binary, true);
        assert_eq!(judged(&text(b"b", 1), &text(b"a", 2), descending), Ok(Follows::Key));
        assert_eq!(judged(&text(b"a", 1), &entry(0, &[], 2), descending), Ok(Follows::Key));
        assert_eq!(judged(&text(b"a", 1), &text(b"a", 2), descending), Ok(Follows::Rowid));
    }
}
