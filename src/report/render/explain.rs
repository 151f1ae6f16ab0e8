//! A check's section of `docs/checks.md` as plain text: the page is the one place where it is written.

use super::layout::fold;
use crate::cause::SignName;
use crate::findings::check_id::CheckId;

/// The page.
const PAGE: &str = include_str!("../../../docs/checks.md");

/// The indent of a code block.
const INDENT: &str = "       ";

/// The page on signs.
const PAGE_ON_SIGNS: &str = include_str!("../../../docs/causes.md");

/// Returns the section about a check, without Markdown's marks, folded into `width` columns.
pub(crate) fn section(check: CheckId, width: u16) -> Option<String> {
    section_of(PAGE, check.id(), width)
}

/// Returns the section about a sign of how a store came to harm.
pub(crate) fn section_of_sign(sign: SignName, width: u16) -> Option<String> {
    section_of(PAGE_ON_SIGNS, sign.0, width)
}

fn section_of(page: &str, name: &str, width: u16) -> Option<String> {
    let heading = format!("## `{name}`");
    let mut lines = page.lines().skip_while(|line| line.trim_end() != heading);
    lines.next()?;
    // What the page says about all of them together comes last, under a heading of its own.
    let body: Vec<&str> = lines.take_while(|line| !line.starts_with("## ") && !line.starts_with("# ")).collect();
    Some(format!("{name}\n\n{}", strip_markdown(&body, usize::from(width))))
}

/// Lines of Markdown as plain text: paragraphs and list items are joined and folded anew, code stays as it is.
fn strip_markdown(lines: &[&str], width: usize) -> String {
    let mut out = String::new();
    let mut block = String::new();
    let mut code = false;
    for line in lines.iter().chain([&""]) {
        let text = line.trim();
        let item = is_list_item(text);
        if text.starts_with("```") || text.is_empty() || item || code {
            out += &fold_block(&block, width);
            block.clear();
        }
        if text.starts_with("```") {
            code = !code;
        } else if code {
            // Within a list, code is set in by three.
            out += &format!("{INDENT}{}\n", line.strip_prefix("   ").unwrap_or(line).trim_end());
        } else if text.is_empty() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else {
            if !block.is_empty() {
                block.push(' ');
            }
            block.push_str(text);
        }
    }
    out.trim_end().to_owned() + "\n"
}

/// Returns true if a line begins an item of a list: `- ` or `1. `.
fn is_list_item(line: &str) -> bool {
    marker_length(line) > 0
}

/// Returns the length of the item's marker, 0 where there is none.
fn marker_length(line: &str) -> usize {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && line[digits..].starts_with(". ") {
        digits + 2
    } else if line.starts_with("- ") {
        2
    } else {
        0
    }
}

fn fold_block(block: &str, width: usize) -> String {
    if block.is_empty() {
        return String::new();
    }
    let text = block.replace("**", "").replace('`', "");
    let marker = marker_length(&text);
    if marker == 0 {
        return fold(&text, Some(width), "");
    }
    let (mark, rest) = text.split_at(marker);
    fold(rest, Some(width), &format!("  {mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_section_with_its_parts_in_the_registrys_order() {
        let headings: Vec<&str> =
            PAGE.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
        let ids: Vec<&str> = CheckId::ALL.iter().map(|check| check.id()).collect();
        assert_eq!(headings, ids, "docs/checks.md has the registry's checks in its order");
        for &id in CheckId::ALL {
            let text = section(id, 80).unwrap();
            for part in ["Cannot see:", "A failure means:", "What to do:"] {
                assert!(
                    text.contains(&format!("\n{part} ")) || text.contains(&format!("\n{part}\n")),
                    "{id}: {part}\n{text}"
                );
            }
            assert!(!text.contains("**") && !text.contains('`'), "{id}: {text}");
            assert!(!text.contains("How much damage"), "{id}: what is said of all checks together: {text}");
            assert!(
                text.lines().all(|line| line.chars().count() <= 80 || line.starts_with(INDENT)),
                "{id}: {text}"
            );
        }
    }

    #[test]
    fn paragraphs_are_folded_and_lists_hang() {
        let lines = [
            "",
            "One `two`",
            "three four.",
            "",
            "**What to do:**",
            "",
            "1. Copy it",
            "   whole.",
            "2. Run",
            "```sh",
            "ls  -l",
            "```",
        ];
        insta::assert_snapshot!(strip_markdown(&lines, 14), @r"
        One two three
        four.

        What to do:

          1. Copy it
             whole.
          2. Run
               ls  -l
        ");
    }
}
