//! A record: a header of serial types, then the values, each borrowed where it lies.
//!
//! Source: "Record Format", <https://www.sqlite.org/fileformat2.html#record_format>.

use super::bytes::read_varint;
use super::damage::{Damage, Result};

/// One value of a record: its storage class, and its place in the payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Field {
    /// The offset at which it begins in the payload.
    pub from: u32,
    /// The offset at which it ends.
    pub to: u32,
    /// Its storage class.
    pub class: Classes,
    /// An integer that takes no room.
    pub(super) constant: u8,
}

/// The storage class of a value, as a set of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Classes(u8);

impl Classes {
    /// NULL.
    pub const NULL: Self = Self(1);
    /// An integer.
    pub const INTEGER: Self = Self(2);
    /// A floating point number.
    pub const REAL: Self = Self(4);
    /// Text.
    pub const TEXT: Self = Self(8);
    /// A blob.
    pub const BLOB: Self = Self(16);
    /// All of them.
    pub const ALL: Self = Self(31);

    /// Returns the union.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the difference.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns true if this set contains the other.
    #[inline]
    pub const fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Field {
    /// Returns the range of its bytes in the payload.
    #[inline]
    pub fn range(self) -> std::ops::Range<usize> {
        self.from as usize..self.to as usize
    }

    /// Returns the integer, read from the payload.
    #[inline]
    pub fn integer(self, payload: &[u8]) -> Option<i64> {
        if self.from == self.to {
            return Some(i64::from(self.constant));
        }
        let bytes = payload.get(self.range())?;
        let mut value = i64::from(bytes.first()?.cast_signed());
        for byte in bytes.get(1..8.min(bytes.len()))? {
            value = value << 8 | i64::from(*byte);
        }
        Some(value)
    }

    /// Returns the floating point number; `None` for NaN, which SQLite reads as NULL.
    #[inline]
    pub fn real(self, payload: &[u8]) -> Option<f64> {
        let bytes = payload.get(self.range())?.try_into().ok()?;
        Some(f64::from_be_bytes(bytes)).filter(|value| !value.is_nan())
    }
}

/// The maximum number of fields of a record: SQLite makes no table of more columns than 2,000, and an index entry ends with a rowid.
const MOST_FIELDS: usize = 2001;

/// The fields of a record. Its memory is reused for the next record.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    slots: Vec<Field>,
    count: usize,
}

/// The meanings of the serial types below 12: the size, the class and the constant.
const NUMBERS: [(u8, Classes, u8); 12] = [
    (0, Classes::NULL, 0),
    (1, Classes::INTEGER, 0),
    (2, Classes::INTEGER, 0),
    (3, Classes::INTEGER, 0),
    (4, Classes::INTEGER, 0),
    (6, Classes::INTEGER, 0),
    (8, Classes::INTEGER, 0),
    (8, Classes::REAL, 0),
    (0, Classes::INTEGER, 0),
    (0, Classes::INTEGER, 1),
    // These two are reserved.
    (0, Classes(0), 0),
    (0, Classes(0), 0),
];

impl Fields {
    /// Returns the fields.
    #[inline]
    pub fn all(&self) -> &[Field] {
        self.slots.get(..self.count).unwrap_or_default()
    }

    /// Replaces the fields by others: those of the same record with its text in another encoding.
    pub fn replace(&mut self, fields: &[Field]) {
        self.slots.clear();
        self.slots.extend_from_slice(fields);
        self.count = fields.len();
    }

    /// Reads a record's header, and checks that the values fill the payload exactly.
    ///
    /// `payload` is the payload's beginning, at least as long as the header.
    ///
    /// # Errors
    /// Fails with the damage of the record.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no value ends behind `len`, which is checked at the end"
    )]
    pub fn read(&mut self, payload: &[u8], len: usize) -> Result<()> {
        let (header_len, begin) = read_varint(payload).ok_or(Damage::Record)?;
        let header_len = usize::try_from(header_len).map_err(|_| Damage::Record)?;
        let mut header = payload.get(begin..header_len).ok_or(Damage::Record)?;
        if self.slots.len() < header.len().min(MOST_FIELDS) {
            self.slots.resize(header.len().min(MOST_FIELDS), Field::default());
        }
        let mut to = header_len as u64;
        let mut count = 0;
        for slot in &mut self.slots {
            let serial = match *header {
                [] => break,
                [serial, ref rest @ ..] if serial < 0x80 => {
                    header = rest;
                    u32::from(serial)
                }
                [high, low, ref rest @ ..] if low < 0x80 => {
                    header = rest;
                    u32::from(high & 0x7f) << 7 | u32::from(low)
                }
                _ => {
                    let (serial, used) = read_varint(header).ok_or(Damage::Record)?;
                    header = header.get(used..).unwrap_or_default();
                    u32::try_from(serial).map_err(|_| Damage::Record)?
                }
            };
            slot.from = to as u32;
            if let Some(size) = serial.checked_sub(12) {
                slot.class = if size % 2 == 0 { Classes::BLOB } else { Classes::TEXT };
                to += u64::from(size / 2);
            } else {
                let (size, class, constant) = NUMBERS.get(serial as usize).copied().unwrap_or_default();
                if class == Classes(0) {
                    return Err(Damage::SerialType);
                }
                slot.class = class;
                slot.constant = constant;
                to += u64::from(size);
            }
            slot.to = to as u32;
            count += 1;
        }
        self.count = count;
        if header.is_empty() && to == len as u64 {
            Ok(())
        } else {
            Err(Damage::Record)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(payload: &[u8]) -> Result<Vec<Field>> {
        let mut out = Fields::default();
        out.read(payload, payload.len())?;
        Ok(out.all().to_vec())
    }

    #[test]
    fn values_are_borrowed_where_they_lie() {
        let payload = [6, 0, 9, 1, 17, 5, 0xfe, b'h', b'i', 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd];
        let out = parsed(&payload).unwrap();
        assert_eq!(out[0].class, Classes::NULL);
        assert_eq!(out[1].integer(&payload), Some(1));
        assert_eq!(out[2].integer(&payload), Some(-2));
        assert_eq!(&payload[out[3].range()], b"hi");
        assert_eq!(out[3].class, Classes::TEXT);
        assert_eq!(out[4].integer(&payload), Some(-3));
    }

    #[test]
    fn a_header_that_does_not_fill_its_payload_is_odd() {
        assert_eq!(parsed(&[2, 1]), Err(Damage::Record));
        assert_eq!(parsed(&[2, 1, 5, 6]), Err(Damage::Record));
        assert_eq!(parsed(&[2, 10]), Err(Damage::SerialType));
        assert_eq!(parsed(&[3, 1]), Err(Damage::Record));
        assert_eq!(parsed(&[2, 0x81, 0x00]), Err(Damage::Record));
        assert_eq!(parsed(&[]), Err(Damage::Record));
        assert_eq!(parsed(&[0]), Err(Damage::Record));
        assert_eq!(parsed(&[1]), Ok(vec![]));
    }

    #[test]
    fn not_a_number_is_none() {
        let nan = [&[2, 7][..], &[0xff; 8]].concat();
        assert_eq!(parsed(&nan).unwrap()[0].real(&nan), None);
        let half = [&[2, 7][..], &0.5_f64.to_be_bytes()].concat();
        assert_eq!(parsed(&half).unwrap()[0].real(&half), Some(0.5));
    }
}
