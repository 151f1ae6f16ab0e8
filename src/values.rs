//! What values look like, judged by their bytes alone.

pub(crate) mod address;
pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod timestamp;
