//! Untrusted text made safe to print: the one place for reports, the gate's line and the program's own messages.

use crate::text::words::plural;

/// Returns text without control and invisible characters, each of which is written `\u{1b}`. At most `most` characters of that
/// are kept; the others are counted.
pub(crate) fn escape_untrusted(text: &str, most: usize) -> String {
    // Most text is ASCII that can be printed up to its end, and then no character is looked at by itself.
    let plain = text.bytes().take(most).take_while(|byte| matches!(byte, b' '..=b'~')).count();
    let (plain, rest) = text.split_at(plain);
    let mut out = String::with_capacity(text.len().min(most));
    out.push_str(plain);
    let mut room = most - plain.len();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        let before = out.len();
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if !is_printable(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        let Some(left) = room.checked_sub(out[before..].chars().count()) else {
            out.truncate(before);
            let rest = plural(chars.count() as u64 + 1, "character", "characters");
            out += &format!("… (and {rest} more)");
            break;
        };
        room = left;
    }
    out
}

/// Returns true if a character shows as itself.
pub(crate) fn is_printable(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Returns true if Unicode promises that this is never a character (section 23.7, "Noncharacters").
pub(crate) fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Characters that change how others are shown or that show nothing: line separators, annotation marks, and all that Unicode
/// calls `Default_Ignorable_Code_Point`: bidirectional controls, zero-width characters, fillers, variation selectors, tags
/// (Unicode Technical Report 36, "Unicode Security Considerations"; `DerivedCoreProperties.txt`).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_or_bidirectional_character_gets_through() {
        let hostile = "a\x1b[2J\u{7}\u{9b}b\u{202e}c\u{2066}\nd\u{feff}";
        assert_eq!(
            escape_untrusted(hostile, 100),
            "a\\u{1b}[2J\\u{7}\\u{9b}b\\u{202e}c\\u{2066}\\nd\\u{feff}"
        );
    }

    #[test]
    fn nothing_gets_through_that_shows_as_nothing() {
        // The ranges of Default_Ignorable_Code_Point in Unicode 17, by their ends.
        let ranges = [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ];
        for c in ranges.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32) {
            assert_eq!(escape_untrusted(&format!("a{c}b"), 100), format!("a{}b", c.escape_unicode()));
        }
        // Letters, accents and pictures stay.
        let seen = "na\u{ef}ve e\u{301} \u{4e2d} \u{1f980} \u{3163} \u{ff9f}";
        assert_eq!(escape_untrusted(seen, 100), seen);
    }

    #[test]
    fn long_text_is_cut_and_says_by_how_much() {
        assert_eq!(escape_untrusted(&"x".repeat(1_503), 3), "xxx… (and 1,500 characters more)");
        assert_eq!(escape_untrusted("xxx", 3), "xxx");
        // What is printed is counted, and an escape is printed whole or not at all.
        assert_eq!(escape_untrusted("a\u{1b}bc", 8), "a\\u{1b}b… (and 1 character more)");
        assert_eq!(escape_untrusted("a\u{1b}bc", 6), "a… (and 3 characters more)");
        assert_eq!(escape_untrusted(&"\n".repeat(1_200), 1_200).matches("\\n").count(), 600);
    }
}
