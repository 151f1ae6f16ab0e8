//! A self-contained page: to be opened in any browser, attached to an issue, printed.
//!
//! It runs nothing and loads nothing, and its own policy forbids both. What comes from a store becomes text and nothing else:
//! every piece passes through [`text`], and the style is the same for every report.

mod map;

use super::ending::conclusion;
use super::remedies::{RowAdvice, remedies};
use super::split_at_code;
use super::table::{CAUSE_HEADING, SHOWN_FINDINGS, first_findings, verdict};
use crate::application::Step;
use crate::cause::Cause;
use crate::findings::MOST_FINDINGS;
use crate::findings::check_id::CheckId;
use crate::page_map::MapResult;
use crate::report::{Report, Row, Status};
use crate::text::escape::is_noncharacter;

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
    let advice: String = remedies(&report.rows).iter().map(advice).collect();
    let advice = if advice.is_empty() {
        String::new()
    } else {
        format!("<section>\n<h2>What to do</h2>\n{advice}</section>\n")
    };
    let class = report.verdict();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{word}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header class=\"{class}\">\n<h1><strong>{word}</strong>: {}<small>{}</small></h1>\n{}{}</header>\n\
         <section>\n<h2>What was checked</h2>\n<ul class=\"rows\">\n{rows}</ul>\n</section>\n{advice}{}\
         <section>\n<h2>The store’s pages</h2>\n{}</section>\n\
         <footer>\n<p>This page names tables, columns, row numbers and pages of the store, and holds none of its values. \
         It loads nothing and runs nothing.</p>\n</footer>\n</main>\n</body>\n</html>\n",
        text(&cut(file_name(&report.store), LONGEST_TITLE)),
        text(first),
        text(more),
        conclusion(report).map_or_else(String::new, |words| format!("<p>{}</p>\n", text(&words))),
        facts(report, system),
        cause(report),
        pages(report),
    )
}

/// Returns the map of the store's pages, or why there is none.
fn pages(report: &Report) -> String {
    match &report.map {
        MapResult::Map(map) => {
            let structure = report.row(CheckId::PageStructure).map(Row::status);
            map::draw(map, structure == Some(Status::Fail), report.cause())
        }
        MapResult::Unavailable(why) => format!("<p>There is no map of this store’s pages: {}.</p>\n", text(why)),
        MapResult::NotRequested => "<p>No map of this store’s pages was asked for.</p>\n".to_owned(),
    }
}

/// Returns the signs of how the store came to harm, where there are any.
fn cause(report: &Report) -> String {
    if report.cause().is_empty() {
        return String::new();
    }
    let sign = |cause: &Cause| {
        format!(
            "<li class=\"sign\">\n<h3><span class=\"word\">{}</span> <code>{}</code></h3>\n<div>\n<p>{}</p>\n</div>\n</li>\n",
            cause.certainty.name(),
            text(cause.sign),
            prose(&cause.detail)
        )
    };
    let signs: String = report.cause().iter().map(sign).collect();
    format!("<section>\n<h2>{CAUSE_HEADING}</h2>\n<ul class=\"rows\">\n{signs}</ul>\n</section>\n")
}

/// Returns the list of what was examined, in which condition and by which versions.
fn facts(report: &Report, system: &str) -> String {
    let versions = format!("doctor {}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version());
    let facts = [
        ("store", report.store.as_str()),
        ("examined", &report.examined_at),
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
    let list = |places: &[String]| {
        let items: String = places.iter().map(|place| format!("<li>{}</li>\n", prose(place))).collect();
        format!("<ul>\n{items}</ul>\n")
    };
    let places = first_findings(row, MOST_FINDINGS);
    match places.split_at_checked(SHOWN_FINDINGS) {
        _ if places.is_empty() => {}
        Some((first, more)) if more.len() > 1 => {
            said += &list(first);
            said += &format!("<details>\n<summary>more of them</summary>\n{}</details>\n", list(more));
        }
        _ => said += &list(&places),
    }
    format!(
        "<li class=\"{}\">\n<h3><span class=\"word\">{word}</span> <code>{}</code></h3>\n<div>\n{said}</div>\n</li>\n",
        row.status.name(),
        text(row.check.id()),
    )
}

/// Returns what to do about some rows: a list, with the commands in blocks of their own.
fn advice(advice: &RowAdvice<'_>) -> String {
    let checks: Vec<String> = advice.checks.iter().map(|check| format!("<code>{}</code>", text(check))).collect();
    let step = |step: &&Step| {
        let commands = if step.commands.is_empty() {
            String::new()
        } else {
            format!(
                "<pre>{}</pre>\n",
                step.commands.iter().map(|command| text(command)).collect::<Vec<_>>().join("\n")
            )
        };
        format!("<li><p>{}</p>\n{commands}</li>\n", prose(&step.text))
    };
    let steps: String = advice.steps.iter().map(step).collect();
    format!("<h3 class=\"for\">{}</h3>\n<ol class=\"steps\">\n{steps}</ol>\n", checks.join(", "))
}

/// Escapes running text. A browser would end a line within `-wal` or `--salvage`; such words are not broken. The name of a check, in
/// backticks, is shown as code.
fn prose(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some((before, name, after)) = split_at_code(rest) {
        out += &unbroken(before);
        out += &format!("<code>{}</code>", text(name));
        rest = after;
    }
    out + &unbroken(rest)
}

/// Escapes running text, without a break in words that begin with a dash.
fn unbroken(words: &str) -> String {
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
