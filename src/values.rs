//! What banger's values look like, told from their bytes alone.

pub mod timestamp;
