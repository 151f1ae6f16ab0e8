//! Lines that fit: words are kept whole where they can be, and what follows the first line is indented.

use textwrap::{Options, WordSeparator, WordSplitter};

/// Folds `text` into `width` columns (`None`: not at all). Its first line begins with `first`, the others with `rest`.
pub(super) fn folded(text: &str, width: Option<usize>, first: &str, rest: &str) -> String {
    let Some(width) = width else {
        return format!("{first}{text}\n");
    };
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options)
        .into_iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// How many columns a text takes on a terminal.
#[cfg(test)]
pub(super) fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_later_lines_hang() {
        assert_eq!(
            folded("copy state.db-wal and it", Some(14), "→ ", "  "),
            "→ copy\n  state.db-wal\n  and it\n"
        );
        assert_eq!(folded("one two", None, "· ", "  "), "· one two\n");
        // What is longer than a line is broken: nothing runs over the edge.
        assert_eq!(folded("abcdefgh", Some(6), "", "  "), "abcd\n  efgh\n");
    }
}
