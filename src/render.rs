//! A report → text. Renderers are pure functions; what they print was made safe in [`crate::report`].

pub mod explain;
pub mod html;
pub mod json;
mod layout;
pub mod markdown;
pub mod table;
