//! What values look like, told from their bytes alone.

pub(crate) mod address;
pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod timestamp;
