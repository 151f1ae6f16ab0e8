//! How a value of a column looks.

use rusqlite::types::ValueRef;

use crate::application;
use sqlite_format::record::{Classes, Field};

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub struct Rule(pub(in crate::salvage) application::Rule);

impl Rule {
    /// Whether a value of this class can be one at all.
    pub fn takes(self, class: Classes) -> bool {
        match self.0 {
            application::Rule::Flag => class == Classes::INTEGER,
            application::Rule::Optional => class == Classes::TEXT || class == Classes::NULL,
            _ => class == Classes::TEXT,
        }
    }

    /// What is wrong with a value, if anything.
    pub fn fault(self, field: Field, payload: &[u8]) -> Option<&'static str> {
        let bytes = payload.get(field.range()).unwrap_or_default();
        self.0.fault(match field.class {
            Classes::TEXT => ValueRef::Text(bytes),
            Classes::BLOB => ValueRef::Blob(bytes),
            Classes::INTEGER => field.integer(payload).map_or(ValueRef::Null, ValueRef::Integer),
            Classes::REAL => field.real(payload).map_or(ValueRef::Null, ValueRef::Real),
            _ => ValueRef::Null,
        })
    }

    /// A time as a number that grows with it, where the column holds times: to tell an older copy of a row from a newer one.
    pub fn time(self, field: Field, payload: &[u8]) -> Option<u64> {
        if !matches!(self.0, application::Rule::Time) {
            return None;
        }
        let digits = payload.get(field.range())?.iter().filter(|byte| byte.is_ascii_digit()).take(17);
        let mut out = 0;
        let mut count = 0;
        for digit in digits {
            out = out * 10 + u64::from(digit - b'0');
            count += 1;
        }
        Some(out * 10_u64.pow(17 - count))
    }
}
