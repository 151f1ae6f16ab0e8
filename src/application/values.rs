//! The formats of values, judged by their bytes alone.

pub(crate) mod address;
pub(crate) mod json;
mod rules;
pub(crate) mod text;
pub(crate) mod timestamp;
