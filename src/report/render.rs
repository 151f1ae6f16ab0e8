//! A report → text. What is printed was made safe in [`crate::report`].

mod ending;
#[cfg(feature = "cli")]
pub(crate) mod explain;
pub(crate) mod html;
pub(crate) mod json;
mod layout;
pub(crate) mod markdown;
mod remedies;
#[cfg(feature = "cli")]
pub(crate) mod salvaged;
pub(crate) mod table;

use crate::report::Report;
use crate::text::escape::escape_untrusted;
use table::Style;

impl Report {
    /// Returns one JSON object in one line, with its end: format 1, as `docs/report.schema.json` has it. Within a format, fields are
    /// only ever added.
    pub fn to_json(&self) -> String {
        json::report(self)
    }

    /// Returns Markdown to paste into an issue. Nothing in the store becomes markup, a mention or a link.
    pub fn to_markdown(&self) -> String {
        markdown::report(self, &system())
    }

    /// Returns a self-contained HTML page: it runs nothing, loads nothing, and holds no value of the store. It has a map of the
    /// store's pages where [`Examination::page_map`](crate::Examination::page_map) asked for one.
    pub fn to_html(&self) -> String {
        html::report(self, &system())
    }

    /// Returns a table for a terminal, folded to `width` columns (`None`: not at all), with colours where `color` says so.
    pub fn to_table(&self, width: Option<u16>, color: bool) -> String {
        table::report(self, Style { width, color })
    }
}

/// Splits running text at the first word in backticks that is a plain name, as a check's. Other backticks are text, as in the names of a store.
fn split_at_code(text: &str) -> Option<(&str, &str, &str)> {
    let is_plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b"-_.".contains(&b));
    text.match_indices('`').find_map(|(open, _)| {
        let (name, after) = text[open + 1..].split_once('`')?;
        is_plain(name).then(|| (&text[..open], name, after))
    })
}

/// Returns the operating system, its release and the architecture.
fn system() -> String {
    let name = rustix::system::uname();
    let words = [name.sysname(), name.release(), name.machine()].map(|word| word.to_string_lossy());
    escape_untrusted(&words.join(" "), 200)
}
