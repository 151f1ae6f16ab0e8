//! For pasting into an issue: a heading, what was run where, and the rows as a table.
//!
//! Nothing in a store can become markup, a mention or a link: what could is written so that it shows as itself.

use super::ending::conclusion;
use super::remedies::{RowAdvice, remedies};
use super::split_at_code;
use super::table::{CAUSE_HEADING, findings, verdict};
use crate::application::Step;
use crate::cause::Cause;
use crate::report::{Report, Row, Status};

/// Returns a report as Markdown that GitHub renders; `system` says what it was run on.
pub(crate) fn report(report: &Report, system: &str) -> String {
    let rows: String = report.rows.iter().map(table_row).collect();
    let advice: String = remedies(&report.rows).iter().map(advice).collect();
    format!(
        "### doctor: {}\n\n{}- store: {}\n- examined: {}\n- situation: {}\n- versions: doctor {}, SQLite {}\n- system: {}; sandbox: {}\n\n\
         | status | check | what it found |\n|---|---|---|\n{rows}\n{advice}{}",
        shown(&verdict(report)),
        conclusion(report).map_or_else(String::new, |words| format!("{}\n\n", shown(&words))),
        code(&report.store),
        report.examined_at,
        report.situation,
        env!("CARGO_PKG_VERSION"),
        rusqlite::version(),
        shown(system),
        shown(&report.sandbox),
        cause(report),
    )
}

/// Returns the signs of how the store came to harm as a list, where there are any.
fn cause(report: &Report) -> String {
    if report.cause().is_empty() {
        return String::new();
    }
    let sign = |cause: &Cause| format!("- {}: `{}`: {}\n", cause.certainty.name(), cause.sign, shown(&cause.detail));
    let signs: String = report.cause().iter().map(sign).collect();
    format!("{CAUSE_HEADING}:\n\n{signs}\n")
}

fn table_row(row: &Row) -> String {
    let status = match row.status {
        Status::Pass => "pass",
        Status::Fail => "**FAIL**",
        Status::Skip => "skip",
    };
    let mut text = vec![prose(&row.detail)];
    text.extend(findings(row).iter().map(|finding| format!("· {}", prose(finding))));
    format!("| {status} | `{}` | {} |\n", row.check, text.join("<br>"))
}

/// Returns what to do about some rows: a list, with the commands in blocks of code.
fn advice(advice: &RowAdvice<'_>) -> String {
    let checks: Vec<String> = advice.checks.iter().map(|check| format!("`{check}`")).collect();
    let step = |(n, step): (usize, &&Step)| {
        let text = format!("{}. {}\n", n + 1, prose(&step.text));
        if step.commands.is_empty() {
            return text;
        }
        let fence = "`".repeat(3.max(longest_run(&step.commands.concat()) + 1));
        let lines: String = step.commands.iter().map(|command| format!("   {command}\n")).collect();
        format!("{text}\n   {fence}sh\n{lines}   {fence}\n\n")
    };
    let steps: String = advice.steps.iter().enumerate().map(step).collect();
    format!("**What to do** ({}):\n\n{}\n\n", checks.join(", "), steps.trim_end())
}

/// Returns the number of backticks in the longest row of them.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Escapes running text. The name of a check, in backticks, is a code span.
fn prose(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some((before, name, after)) = split_at_code(rest) {
        out += &format!("{}`{name}`", shown(before));
        rest = after;
    }
    out + &shown(rest)
}

/// Escapes text so that it shows as itself anywhere in a line.
///
/// A backslash takes markup away, but not GitHub's links: it looks for `@name`, `#1`, `GH-1`, `:emoji:` and addresses
/// in the text that is left. An empty comment cuts these in two and shows as nothing.
pub(crate) fn shown(text: &str) -> String {
    const CUT: &str = "<!-- -->";
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Written as themselves, these could end a cell or begin a code span whatever stands before them.
            '|' => out.push_str("&#124;"),
            '\\' => out.push_str("&#92;"),
            '`' => out.push_str("&#96;"),
            '*' | '[' | ']' | '~' | '$' | '!' => out.extend(['\\', c]),
            // Within a word, as in a column's name, it is no markup.
            '_' if before.is_alphanumeric() && next.is_alphanumeric() => out.push(c),
            '_' => out.push_str("\\_"),
            '@' => out.extend(["@", CUT]),
            '#' => out.extend(["\\#", CUT]),
            ':' if !next.is_whitespace() => out.extend([":", CUT]),
            '-' if before.eq_ignore_ascii_case(&'h') && next.is_ascii_digit() => out.extend(["-", CUT]),
            '.' if before.eq_ignore_ascii_case(&'w') => out.extend([".", CUT]),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Returns a code span, fenced by more backticks than the text has in a row.
fn code(text: &str) -> String {
    let longest = longest_run(text);
    let fence = "`".repeat(longest + 1);
    let room = if longest > 0 || text.starts_with(' ') { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Application, Problem, StoreFiles, keep_a_copy};
    use crate::findings::check_id::CheckId;
    use crate::findings::{Finding, Findings};
    use crate::report::outcome::Outcome;
    use std::path::Path;
    use std::time::Duration;

    fn application() -> Application {
        Application {
            advice: |_, _, files| keep_a_copy(&Application::any(), files).step("Restore what is missing."),
            ..Application::new("another", Vec::new())
        }
    }

    fn files() -> StoreFiles {
        application().files_of(Path::new("a ```b`/state.db"))
    }

    #[test]
    fn a_report_is_a_heading_a_list_and_a_table() {
        let mut findings = Findings::default();
        findings.add(|| Finding {
            row: Some(5),
            ..Finding::new("refers to a row of images that is not there").table("vms")
        });
        let row = |check, outcome| Row::new(check, outcome, Duration::ZERO, &application(), &files());
        let sample = Report {
            index: 0,
            store: "~/state.db".to_owned(),
            application: "another".to_owned(),
            situation: "closed",
            sandbox: "landlock 7".to_owned(),
            examined_at: "2026-11-20T09:00:00Z".to_owned(),
            tables: Vec::new(),
            rows: vec![
                row(CheckId::File, Outcome::pass("an SQLite database")),
                row(
                    CheckId::ForeignKeys,
                    Outcome::found("1 row refers to nothing", Problem::Dangling { rows: 1 }, findings),
                ),
            ],
            cause: Vec::new(),
            map: crate::page_map::MapResult::NotRequested,
            short_of_memory: false,
        };
        let text = report(&sample, "Linux 6.1.0 x86_64").replace(rusqlite::version(), "SQLITE");
        insta::assert_snapshot!(text, @"
        ### doctor: FAIL: 1 of 2 checks failed (foreign-keys)

        It is not known whether data is lost.

        - store: `~/state.db`
        - examined: 2026-11-20T09:00:00Z
        - situation: closed
        - versions: doctor 0.1.0, SQLite SQLITE
        - system: Linux 6.1.0 x86_64; sandbox: landlock 7

        | status | check | what it found |
        |---|---|---|
        | pass | `file` | an SQLite database |
        | **FAIL** | `foreign-keys` | 1 row refers to nothing<br>· vms row 5: refers to a row of images that is not there |

        **What to do** (`foreign-keys`):

        1. Stop the application, and keep a copy of all files of the store:

           ````sh
           umask 077 && mkdir kept && cp -a 'a ```b`/state.db'* kept
           ````

        2. Restore what is missing.
        ");
    }

    #[test]
    fn nothing_in_a_text_becomes_markup_a_mention_or_a_link() {
        assert_eq!(
            shown("a|b `c` <img src=x> \\| *d* [e](f)"),
            "a&#124;b &#96;c&#96; &lt;img src=x&gt; &#92;&#124; \\*d\\* \\[e\\](f)"
        );
        assert_eq!(
            shown("@team #123 GH-4 o/r#5"),
            "@<!-- -->team \\#<!-- -->123 GH-<!-- -->4 o/r\\#<!-- -->5"
        );
        assert_eq!(
            shown("https://x.y www.z :+1: &amp;"),
            "https:<!-- -->//x.y www.<!-- -->z :<!-- -->+1: &amp;amp;"
        );
        assert_eq!(
            shown("schema_migrations _em_ $x$ ~~s~~"),
            "schema_migrations \\_em\\_ \\$x\\$ \\~\\~s\\~\\~"
        );
    }

    #[test]
    fn a_code_span_holds_backticks() {
        assert_eq!(code("a/b"), "`a/b`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
    }

    /// Returns the visible text of a table's cell, and true if anything in it is markup.
    fn rendered(cell: &str) -> (String, bool) {
        use pulldown_cmark::{Event, Options, Parser, Tag};
        let (mut seen, mut markup, mut within) = (String::new(), false, false);
        let table = format!("| a | b |\n|---|---|\n| x | {cell} |\n");
        let mut cells = 0;
        for event in
            Parser::new_ext(&table, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH)
        {
            match event {
                Event::Start(Tag::TableCell) => {
                    cells += 1;
                    within = cells == 4;
                }
                Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow) | Event::End(_) => {}
                Event::Text(text) if within => seen += &text,
                Event::InlineHtml(html) if &*html == "<!-- -->" => {}
                _ => markup |= within,
            }
        }
        (seen, markup)
    }

    proptest::proptest! {
        #[test]
        fn any_text_shows_as_itself(text in r"[a-z0-9 |`*_~#@:.<>&!\\$\[\](){}'/+=-]{0,24}") {
            let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            let (seen, markup) = rendered(&shown(&text));
            proptest::prop_assert_eq!(&seen, &text);
            proptest::prop_assert!(!markup, "{}", shown(&text));
        }
    }
}
