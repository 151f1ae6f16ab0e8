//! Evaluates expressions on rows. What cannot be evaluated exactly is an error, and left to SQLite.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::compare::{self, Collation};
use super::damage::{Damage, Result};
use super::hash::{Hash, Keys};
use super::row::{Row, Value};
use super::schema::{Comparison, Computed, Expression, Operator, Unsupported};

/// The value of an expression.
enum Evaluated<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'r, [u8]>),
    Blob(&'r [u8]),
}

const LEFT_TO_SQLITE: Damage = Damage::Unsupported(Unsupported::Expression);

impl Expression {
    /// Returns the truth of a condition for a row; `None` for NULL.
    ///
    /// # Errors
    /// Fails if only SQLite can tell.
    pub(crate) fn is_true(&self, row: &Row<'_>) -> Result<Option<bool>> {
        match self {
            Self::Not(of) => Ok(of.is_true(row)?.map(|truth| !truth)),
            Self::And(left, right) => match (left.is_true(row)?, right.is_true(row)?) {
                (Some(false), _) | (_, Some(false)) => Ok(Some(false)),
                (Some(true), Some(true)) => Ok(Some(true)),
                _ => Ok(None),
            },
            Self::Or(left, right) => match (left.is_true(row)?, right.is_true(row)?) {
                (Some(true), _) | (_, Some(true)) => Ok(Some(true)),
                (Some(false), Some(false)) => Ok(Some(false)),
                _ => Ok(None),
            },
            Self::IsNull(of) => match of.as_ref() {
                // A long value is none, and is not read.
                Self::Column(at) => Ok(Some(matches!(row.value(*at)?, Value::Null))),
                of => Ok(Some(matches!(of.evaluate(row)?, Evaluated::Null))),
            },
            Self::Compare(comparison) => comparison.is_true(row),
            _ => match self.evaluate(row)? {
                Evaluated::Null => Ok(None),
                Evaluated::Integer(value) => Ok(Some(value != 0)),
                Evaluated::Real(value) => Ok(Some(value != 0.0)),
                // The number with which it begins.
                Evaluated::Text(_) | Evaluated::Blob(_) => Err(LEFT_TO_SQLITE),
            },
        }
    }

    fn evaluate<'r>(&'r self, row: &'r Row<'_>) -> Result<Evaluated<'r>> {
        match self {
            Self::Null => Ok(Evaluated::Null),
            Self::Integer(value) => Ok(Evaluated::Integer(*value)),
            Self::Real(value) => Ok(Evaluated::Real(*value)),
            Self::Text(text) => Ok(Evaluated::Text(Cow::Borrowed(text.as_bytes()))),
            Self::Column(at) => match row.value(*at)? {
                Value::Null => Ok(Evaluated::Null),
                Value::Integer(value) => Ok(Evaluated::Integer(value)),
                Value::Real(value) => Ok(Evaluated::Real(value)),
                Value::Text(text) => Ok(Evaluated::Text(Cow::Borrowed(text))),
                Value::Blob(blob) => Ok(Evaluated::Blob(blob)),
                Value::Long(_) => Err(LEFT_TO_SQLITE),
            },
            Self::Lower(of) => of.evaluate(row)?.in_letters(<[u8]>::to_ascii_lowercase),
            Self::Upper(of) => of.evaluate(row)?.in_letters(<[u8]>::to_ascii_uppercase),
            Self::FirstNotNull(all) => {
                for of in all {
                    match of.evaluate(row)? {
                        Evaluated::Null => {}
                        value => return Ok(value),
                    }
                }
                Ok(Evaluated::Null)
            }
            Self::Not(_) | Self::And(..) | Self::Or(..) | Self::IsNull(_) | Self::Compare(_) => {
                Ok(self.is_true(row)?.map_or(Evaluated::Null, |truth| Evaluated::Integer(truth.into())))
            }
        }
    }
}

impl Evaluated<'_> {
    fn in_letters(self, put: fn(&[u8]) -> Vec<u8>) -> Result<Self> {
        match self {
            Self::Null => Ok(Self::Null),
            Self::Integer(value) => Ok(Self::Text(Cow::Owned(value.to_string().into_bytes()))),
            Self::Text(text) => Ok(Self::Text(Cow::Owned(put(&text)))),
            // How SQLite writes a number is its own; and a blob is text here only up to a NUL.
            Self::Real(_) | Self::Blob(_) => Err(LEFT_TO_SQLITE),
        }
    }

    /// Compares two values, neither of which is NULL.
    fn compare(&self, other: &Self, collation: Collation) -> Result<Ordering> {
        let rank = |value: &Self| match value {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Blob(_) => 3,
        };
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Ok(a.cmp(b)),
            (Self::Integer(a), Self::Real(b)) => compare::integer_and_real(*a, *b),
            (Self::Real(a), Self::Integer(b)) => Ok(compare::integer_and_real(*b, *a)?.reverse()),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b).ok_or(Damage::NotANumber),
            (Self::Text(a), Self::Text(b)) => compare::texts(a, b, collation),
            (Self::Blob(a), Self::Blob(b)) => Ok(a.cmp(b)),
            (a, b) => Ok(rank(a).cmp(&rank(b))),
        }
    }

    fn hash(&self, hash: &mut Hash<'_>) {
        match self {
            Self::Null => hash.null(),
            Self::Integer(value) => hash.integer(*value),
            Self::Real(value) => hash.real(*value),
            Self::Text(text) => hash.text(text),
            Self::Blob(blob) => hash.blob(blob),
        }
    }
}

impl Comparison {
    fn is_true(&self, row: &Row<'_>) -> Result<Option<bool>> {
        let (left, right) = (self.left.evaluate(row)?, self.right.evaluate(row)?);
        match (&left, &right, self.operator) {
            (Evaluated::Null, Evaluated::Null, Operator::Is) => return Ok(Some(true)),
            (Evaluated::Null, _, Operator::Is) | (_, Evaluated::Null, Operator::Is) => return Ok(Some(false)),
            (Evaluated::Null, _, _) | (_, Evaluated::Null, _) => return Ok(None),
            _ => {}
        }
        let ordering = left.compare(&right, self.collation)?;
        Ok(Some(match self.operator {
            Operator::Equal | Operator::Is => ordering.is_eq(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
        }))
    }
}

impl Computed {
    /// Returns the hash of the entry that an index has for a row with this rowid; `None` if it has none.
    ///
    /// # Errors
    /// Fails if only SQLite can tell.
    pub(crate) fn entry(&self, row: &Row<'_>, keys: &Keys) -> Result<Option<u64>> {
        if let Some(condition) = &self.condition
            && condition.is_true(row)? != Some(true)
        {
            return Ok(None);
        }
        let mut hash = Hash::new(keys);
        for key in &self.keys {
            key.evaluate(row)?.hash(&mut hash);
        }
        hash.integer(row.rowid);
        Ok(Some(hash.finish()))
    }
}
