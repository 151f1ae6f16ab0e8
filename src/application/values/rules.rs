//! The faults of a value, by the rule of its column.

use std::io::{self, Read};

use rusqlite::types::ValueRef;

use crate::application::Rule;
use crate::application::values::text::{self, TextFault};
use crate::application::values::{address, json, timestamp};

impl Rule {
    /// Returns the fault of a value, if it has one.
    pub(crate) fn fault(self, value: ValueRef<'_>) -> Option<&'static str> {
        match (self, value) {
            (Self::Unknown, ValueRef::Text(bytes)) => (!text::is_utf8(bytes)).then_some(NOT_UTF8),
            (Self::Unknown, _) | (Self::Optional, ValueRef::Null) | (Self::Flag, ValueRef::Integer(0 | 1)) => None,
            (Self::Flag, ValueRef::Integer(_)) => Some("a flag that is neither 0 nor 1"),
            (Self::Flag, ValueRef::Null) => Some("NULL where a flag belongs"),
            (Self::Flag, _) => Some("not an integer where a flag belongs"),
            (_, ValueRef::Text(bytes)) => self.text_fault(bytes),
            (_, ValueRef::Null) => Some("NULL where text belongs"),
            (_, ValueRef::Blob(_)) => Some("a blob where text belongs"),
            (_, ValueRef::Integer(_) | ValueRef::Real(_)) => Some("a number where text belongs"),
        }
    }

    fn text_fault(self, bytes: &[u8]) -> Option<&'static str> {
        match self {
            Self::Word if bytes.is_empty() => Some("empty text where a value is required"),
            Self::Time if !timestamp::is_rfc3339(bytes) => Some("not a time in RFC 3339 format"),
            Self::Address if !address::is_ip(bytes) => Some("not an IP address"),
            // White space is blank in JSON, and any other control character is no JSON.
            Self::Json if !text::is_utf8(bytes) => words(Some(TextFault::NotUtf8)),
            Self::Json => (!json::is_object(bytes)).then_some(NOT_AN_OBJECT),
            _ => words(text::fault(bytes)),
        }
    }

    /// Returns the fault of a text that is too long to hold in memory. `open` yields the text from its beginning.
    pub(crate) fn fault_in<R: Read>(self, mut open: impl FnMut() -> io::Result<R>) -> io::Result<Option<&'static str>> {
        Ok(match self {
            Self::Flag => Some("not an integer where a flag belongs"),
            Self::Time => Some("not a time in RFC 3339 format"),
            Self::Address => Some("not an IP address"),
            Self::Json => match text::fault_in(open()?, false)? {
                None => (!json::is_object_in(io::BufReader::new(open()?))?).then_some(NOT_AN_OBJECT),
                fault => words(fault),
            },
            Self::Unknown => words(text::fault_in(open()?, false)?),
            Self::Word | Self::Text | Self::Optional => words(text::fault_in(open()?, true)?),
        })
    }
}

const NOT_AN_OBJECT: &str = "not one JSON object";

const NOT_UTF8: &str = "text that is not UTF-8";

fn words(fault: Option<TextFault>) -> Option<&'static str> {
    fault.map(|fault| match fault {
        TextFault::NotUtf8 => NOT_UTF8,
        TextFault::Control => "a control character in text",
    })
}
