//! A report → text. Renderers are pure functions; what they print was made safe in [`crate::report`].

pub mod json;
pub mod table;
