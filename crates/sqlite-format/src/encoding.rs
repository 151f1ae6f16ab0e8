//! The encoding of a store's text: UTF-16 is decoded where a record is read, and encoded again where its bytes are written.
//!
//! A salvage must give back every byte, also of text that is not valid UTF-16. So what is invalid becomes bytes that are not
//! valid UTF-8 and can be turned back: an unpaired surrogate its three bytes, as WTF-8 has it
//! (<https://simonsapin.github.io/wtf-8/>), and a last byte without a second one the byte 0xff and two half bytes.

use std::borrow::Cow;

use super::record::{Classes, Field};

/// The encoding of a store's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-16 with the lower byte first.
    Utf16Le,
    /// UTF-16 with the higher byte first.
    Utf16Be,
}

/// Stands before the halves of a last byte without a second one.
const ODD: u8 = 0xff;

impl Encoding {
    /// Returns the encoding that a database header numbers so; 0 stands for one that is not set yet, which is UTF-8.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 | 1 => Self::Utf8,
            2 => Self::Utf16Le,
            3 => Self::Utf16Be,
            _ => return None,
        })
    }

    /// Returns the number that stands for it in a database header.
    pub fn number(self) -> u32 {
        match self {
            Self::Utf8 => 1,
            Self::Utf16Le => 2,
            Self::Utf16Be => 3,
        }
    }

    /// Returns its name in `PRAGMA encoding`; `None` for UTF-8, which every new database has.
    pub fn pragma_name(self) -> Option<&'static str> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some("UTF-16le"),
            Self::Utf16Be => Some("UTF-16be"),
        }
    }

    /// Encodes text as a store of this encoding holds it.
    pub fn encode(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Utf8 {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(2 * text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let (good, len) = match std::str::from_utf8(rest) {
                Ok(good) => (good, good.len()),
                Err(error) => {
                    let len = error.valid_up_to();
                    (rest.get(..len).map_or("", |good| std::str::from_utf8(good).unwrap_or_default()), len)
                }
            };
            good.encode_utf16().for_each(|unit| self.push_unit(&mut out, unit));
            rest = rest.get(len..).unwrap_or_default();
            rest = match *rest {
                [ODD, high, low, ref behind @ ..] => {
                    out.push(high << 4 | low);
                    behind
                }
                [a, b, c, ref behind @ ..] => {
                    let unit = u16::from(a & 15) << 12 | u16::from(b & 63) << 6 | u16::from(c & 63);
                    self.push_unit(&mut out, unit);
                    behind
                }
                _ => &[],
            };
        }
        Cow::Owned(out)
    }

    fn push_unit(self, into: &mut Vec<u8>, unit: u16) {
        into.extend(match self {
            Self::Utf16Be => unit.to_be_bytes(),
            _ => unit.to_le_bytes(),
        });
    }

    /// Decodes stored text for people to read: what is invalid becomes U+FFFD.
    pub fn decode_lossy(self, stored: &[u8]) -> String {
        if self == Self::Utf8 {
            return String::from_utf8_lossy(stored).into_owned();
        }
        let (pairs, _) = stored.as_chunks::<2>();
        let units = pairs.iter().map(|pair| self.unit(*pair));
        char::decode_utf16(units)
            .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    }

    /// Decodes stored text; `None` where it is invalid.
    pub fn decode_valid(self, stored: &[u8]) -> Option<String> {
        if self == Self::Utf8 {
            return std::str::from_utf8(stored).ok().map(str::to_owned);
        }
        let (pairs, []) = stored.as_chunks::<2>() else {
            return None;
        };
        let units = pairs.iter().map(|pair| self.unit(*pair));
        char::decode_utf16(units).collect::<Result<_, _>>().ok()
    }

    fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            Self::Utf16Be => u16::from_be_bytes(pair),
            _ => u16::from_le_bytes(pair),
        }
    }

    /// Appends stored UTF-16 as UTF-8.
    fn decode(self, stored: &[u8], into: &mut Vec<u8>) {
        let (pairs, odd) = stored.as_chunks::<2>();
        let units = pairs.iter().map(|pair| self.unit(*pair));
        for char in char::decode_utf16(units) {
            match char {
                Ok(char) => into.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half) => {
                    let unit = half.unpaired_surrogate();
                    let low = |shift: u32| (unit >> shift & 63).to_le_bytes()[0] | 0x80;
                    into.extend([(unit >> 12).to_le_bytes()[0] | 0xe0, low(6), low(0)]);
                }
            }
        }
        into.extend(odd.iter().flat_map(|byte| [ODD, byte >> 4, byte & 15]));
    }
}

/// Decodes records; the buffers are used again.
#[derive(Debug)]
pub struct Decoder {
    encoding: Encoding,
    payload: Vec<u8>,
    fields: Vec<Field>,
}

impl Decoder {
    /// Creates a decoder of this encoding.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            payload: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Returns a record with its text in UTF-8. A field that ends behind the payload's end does so afterwards.
    pub fn decode_record<'r>(&'r mut self, payload: &'r [u8], fields: &'r [Field]) -> (&'r [u8], &'r [Field]) {
        if self.encoding == Encoding::Utf8 {
            return (payload, fields);
        }
        self.payload.clear();
        self.fields.clear();
        for field in fields {
            let mut now = *field;
            match payload.get(field.range()) {
                None => (now.from, now.to) = (u32::MAX - 1, u32::MAX),
                Some(bytes) => {
                    now.from = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
                    if field.class == Classes::TEXT {
                        self.encoding.decode(bytes, &mut self.payload);
                    } else {
                        self.payload.extend_from_slice(bytes);
                    }
                    now.to = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
                }
            }
            self.fields.push(now);
        }
        (&self.payload, &self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_stored_comes_back() {
        let le = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let mut stored = vec![le(""), le("vm-1"), le("na\u{ef}ve \u{1f980}\u{feff}"), le("a\0b\n")];
        stored.extend([
            vec![0x3d, 0xd8],
            vec![0, 0xdc, 0x41, 0],
            vec![0x41],
            vec![0x41, 0, 0xff],
        ]);
        for stored in stored {
            let mut text = Vec::new();
            Encoding::Utf16Le.decode(&stored, &mut text);
            assert_eq!(Encoding::Utf16Le.encode(&text), stored, "{text:x?}");
            let is_good = stored.len() % 2 == 0
                && char::decode_utf16(stored.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
                    .all(|char| char.is_ok());
            assert_eq!(std::str::from_utf8(&text).is_ok(), is_good, "{text:x?}");
        }
        let mut text = Vec::new();
        Encoding::Utf16Be.decode(&[0, 0x76, 0, 0x6d], &mut text);
        assert_eq!(text, b"vm");
    }
}
