//! What people touch: screens, paths, formats and the pages of `docs/`, held against the real binary.

mod arguments;
mod docs;
mod homes;
mod html;
mod many;
mod paths;
mod safe_to_paste;
mod screens;
