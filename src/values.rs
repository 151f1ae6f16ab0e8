//! What values look like, told from their bytes alone.

pub mod address;
pub mod json;
pub mod text;
pub mod timestamp;
