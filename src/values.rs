//! What values look like, told from their bytes alone.

pub(crate) mod address;
pub(crate) mod json;
mod rules;
pub(crate) mod text;
pub(crate) mod timestamp;
