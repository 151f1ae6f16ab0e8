//! A self-contained page: to be opened in any browser, attached to an issue, printed.
//!
//! It runs nothing and loads nothing, and its own policy forbids both. What comes from a store becomes text and nothing else:
//! every piece passes through [`text`], and the style is the same for every report.

mod map;

use super::table::{findings, verdict};
use crate::findings::check_id::CheckId;
use crate::page_map::MapResult;
use crate::report::{Report, Row, Status};

/// The style of the page. It is constant: nothing of a store gets into it.
const STYLE: &str = include_str!("html/style.css");

/// The longest name of a store in the page's title, in characters; the page itself has all of it.
const LONGEST_TITLE: usize = 80;

/// The longest word that is kept in one line, in bytes.
const LONGEST_OPTION: usize = 24;

/// Returns a report as a page, with a map of the store's pages where there is one; `system` says what it was run on.
pub(crate) fn report(report: &Report, system: &str) -> String {
    let verdict = verdict(report);
    let (word, rest) = verdict.split_once(": ").unwrap_or((&verdict, ""));
    let (first, more) = rest.split_at(rest.find(" (").unwrap_or(rest.len()));
    let rows: String = report.rows.iter().map(row).collect();
    let class = report.verdict();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{word}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header class=\"{class}\">\n<h1><strong>{word}</strong>: {}<small>{}</small></h1>\n{}</header>\n\
         <section>\n<h2>What was checked</h2>\n<ul class=\"rows\">\n{rows}</ul>\n</section>\n\
         <section>\n<h2>The store’s pages</h2>\n{}</section>\n\
         <footer>\n<p>This page names tables, columns, row numbers and pages of the store, and holds none of its values. \
         It loads nothing and runs nothing.</p>\n</footer>\n</main>\n</body>\n</html>\n",
        text(&cut(file_name(&report.store), LONGEST_TITLE)),
        text(first),
        text(more),
        facts(report, system),
        pages(report),
    )
}

/// Returns the map of the store's pages, or why there is none.
fn pages(report: &Report) -> String {
    match &report.map {
        MapResult::Map(map) => {
            let structure = report.row(CheckId::PageStructure).map(Row::status);
            map::draw(map, structure == Some(Status::Fail))
        }
        MapResult::Unavailable(why) => format!("<p>There is no map of this store’s pages: {}.</p>\n", text(why)),
        MapResult::NotRequested => "<p>No map of this store’s pages was asked for.</p>\n".to_owned(),
    }
}

/// Returns the list of what was examined, in which condition and by which versions.
fn facts(report: &Report, system: &str) -> String {
    let versions = format!("doctor {}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version());
    let facts = [
        ("store", report.store.as_str()),
        ("situation", report.situation),
        ("versions", &versions),
        ("system", system),
        ("sandbox", &report.sandbox),
    ];
    let fact = |(name, value): (&str, &str)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", text(value));
    format!("<dl>\n{}</dl>\n", facts.map(fact).concat())
}

/// Returns a check's answer: what it found, where, and what to do.
fn row(row: &Row) -> String {
    let word = match row.status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Skip => "skip",
    };
    let mut said = format!("<p>{}</p>\n", prose(&row.detail));
    let places: String = findings(row).iter().map(|place| format!("<li>{}</li>\n", prose(place))).collect();
    if !places.is_empty() {
        said += &format!("<ul>\n{places}</ul>\n");
    }
    if let Some(remedy) = row.remedy.as_ref().filter(|remedy| !remedy.is_empty()) {
        said += &format!("<p class=\"remedy\"><b>What to do:</b> {}</p>\n", prose(remedy));
    }
    format!(
        "<li class=\"{}\">\n<h3><span class=\"word\">{word}</span> <code>{}</code></h3>\n<div>\n{said}</div>\n</li>\n",
        row.status.name(),
        text(row.check.id()),
    )
}

/// Escapes running text. A browser would end a line within `-wal` or `--salvage`; such words are not broken.
fn prose(words: &str) -> String {
    let word = |word: &str| {
        if word.starts_with('-') && word.len() <= LONGEST_OPTION {
            format!("<span class=\"whole\">{}</span>", text(word))
        } else {
            text(word)
        }
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Text that shows as itself, also within a quoted attribute.
///
/// Characters that HTML forbids in any form (control characters, and those that Unicode does not assign) are written as
/// [`escape_untrusted`](crate::text::escape::escape_untrusted) writes them. No text from a store still has control characters.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || is_noncharacter(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Returns true if Unicode promises that this is never a character (section 23.7, "Noncharacters").
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Text of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the part of a path after its last slash.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
