//! SQL cut into tokens as SQLite cuts it, without an error: what SQLite refuses is a token that is not complete.
//!
//! Source: "The SQLite Tokenizer", `tokenize.c`, and "SQLite Keywords", <https://www.sqlite.org/lang_keywords.html>.

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// White space; also a byte order mark between two tokens.
    Space,
    /// A comment, of either form. It is complete when it ends before the text does, or with its line.
    Comment,
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes, backquotes or brackets.
    QuotedName,
    /// A string in apostrophes.
    Text,
    /// A blob, `x'…'`. It is complete when it holds an even number of hexadecimal digits.
    Blob,
    /// A number. It is complete when it is a decimal one and nothing of a word follows it; hexadecimal numbers and digits in
    /// groups are rare enough to be left to SQLite.
    Number,
    /// A parameter: `?`, `?1`, `:name`, `@name`, `$name`.
    Parameter,
    /// An operator, or any other single character.
    Operator,
}

/// A token, with its text as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Its kind.
    pub kind: TokenKind,
    /// Its text, with quotes.
    pub text: &'a str,
    /// The offset at which it begins, in bytes.
    pub start: usize,
    /// `false` when its end is missing or it is malformed.
    pub is_complete: bool,
}

impl Token<'_> {
    /// Returns `true` for white space and comments, which separate tokens and mean nothing.
    pub fn is_blank(&self) -> bool {
        matches!(self.kind, TokenKind::Space | TokenKind::Comment)
    }

    /// Returns the content of a quoted name or a string: without its quotes, and with each doubled quote once.
    pub fn unquoted(&self) -> String {
        let mut chars = self.text.chars();
        let quote = chars.next().unwrap_or_default();
        if self.is_complete {
            chars.next_back();
        }
        match quote {
            '[' => chars.as_str().to_owned(),
            _ => chars.as_str().replace(&format!("{quote}{quote}"), &quote.to_string()),
        }
    }
}

/// The operators of more than one character, each before those that it begins with.
const OPERATORS: &[&str] = &["->>", "->", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>"];

/// White space to SQLite, where a token may begin.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Returns `true` for a byte of a name without quotes: a letter, a digit, `_`, `$`, or a part of any character beyond ASCII.
pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The tokens of a text, in order: all of them, so that their texts put together are the text again.
///
/// ```
/// use sqlite_format::sql::lexer::{Lexer, TokenKind};
///
/// let tokens: Vec<_> = Lexer::new("SELECT \"a b\" -- why").filter(|token| !token.is_blank()).collect();
/// assert_eq!(tokens.len(), 2);
/// assert_eq!((tokens[1].kind, tokens[1].unquoted()), (TokenKind::QuotedName, "a b".to_owned()));
/// ```
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Begins at the beginning of a text.
    pub fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    /// Returns the offset at which the next token begins, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.sql.get(self.at..)?;
        let first = *rest.as_bytes().first()?;
        let (kind, len, is_complete) = scan(rest, first);
        let token = Token {
            kind,
            text: rest.get(..len)?,
            start: self.at,
            is_complete,
        };
        self.at += len;
        Some(token)
    }
}

/// Returns the kind of the token with which a text begins, its length in bytes, and `false` when it is not complete. Each token
/// begins and ends between two characters: only words and what is quoted hold any beyond ASCII.
fn scan(rest: &str, first: u8) -> (TokenKind, usize, bool) {
    let bytes = rest.as_bytes();
    let second = bytes.get(1).copied();
    // The length of what ends with `end`, looked for behind the first bytes; all of the rest where it does not end.
    let until = |from: usize, end: &str| {
        let found = rest.get(from..).and_then(|rest| rest.find(end));
        (found.map_or(rest.len(), |at| from + at + end.len()), found.is_some())
    };
    match first {
        b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' => (TokenKind::Space, 1, true),
        b'-' if second == Some(b'-') => (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len()), true),
        b'/' if second == Some(b'*') => {
            let (len, is_complete) = until(2, "*/");
            (TokenKind::Comment, len, is_complete)
        }
        b'\'' | b'"' | b'`' => {
            let kind = if first == b'\'' {
                TokenKind::Text
            } else {
                TokenKind::QuotedName
            };
            let (len, is_complete) = quoted_len(bytes, first);
            (kind, len, is_complete)
        }
        b'[' => {
            let (len, is_complete) = until(1, "]");
            (TokenKind::QuotedName, len, is_complete)
        }
        b'x' | b'X' if second == Some(b'\'') => {
            let (len, is_ended) = until(2, "'");
            let digits = rest.get(2..len.saturating_sub(1)).unwrap_or_default();
            let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            (TokenKind::Blob, len, is_ended && is_hex)
        }
        b'0'..=b'9' => number_len(bytes),
        b'.' if second.is_some_and(|second| second.is_ascii_digit()) => number_len(bytes),
        b'?' => (TokenKind::Parameter, 1 + digits_len(bytes, 1), true),
        b':' | b'@' | b'$' if second.is_some_and(is_word_byte) => (TokenKind::Parameter, 1 + word_len(bytes, 1), true),
        _ if rest.starts_with(BYTE_ORDER_MARK) => (TokenKind::Space, BYTE_ORDER_MARK.len(), true),
        b'$' => (TokenKind::Operator, 1, false),
        _ if is_word_byte(first) => (TokenKind::Word, word_len(bytes, 0), true),
        _ => {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            (TokenKind::Operator, operator.map_or(1, |operator| operator.len()), true)
        }
    }
}

fn count_while(bytes: &[u8], from: usize, is_in: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|byte| is_in(**byte)).count()
}

fn word_len(bytes: &[u8], from: usize) -> usize {
    count_while(bytes, from, is_word_byte)
}

fn digits_len(bytes: &[u8], from: usize) -> usize {
    count_while(bytes, from, |byte| byte.is_ascii_digit())
}

/// Returns the length of what begins with this quote, within which the quote is written twice, and `true` when it ends.
fn quoted_len(bytes: &[u8], quote: u8) -> (usize, bool) {
    let mut end = 1;
    loop {
        match (bytes.get(end), bytes.get(end + 1)) {
            (Some(one), Some(two)) if *one == quote && *two == quote => end += 2,
            (Some(one), _) if *one == quote => return (end + 1, true),
            (Some(_), _) => end += 1,
            (None, _) => return (bytes.len(), false),
        }
    }
}

fn number_len(bytes: &[u8]) -> (TokenKind, usize, bool) {
    let byte = |at: usize| bytes.get(at).copied();
    let mut end = digits_len(bytes, 0);
    if byte(end) == Some(b'.') {
        end += 1;
        end += digits_len(bytes, end);
    }
    if matches!(byte(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
        let exponent = digits_len(bytes, end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let rest = word_len(bytes, end);
    (TokenKind::Number, end + rest, rest == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(sql: &str) -> Vec<(TokenKind, &str, bool)> {
        let tokens = Lexer::new(sql).filter(|token| token.kind != TokenKind::Space);
        tokens.map(|token| (token.kind, token.text, token.is_complete)).collect()
    }

    #[test]
    fn a_text_is_cut_into_tokens() {
        use TokenKind::{Blob, Comment, Number, Operator, Parameter, QuotedName, Text, Word};
        let sql =
            "CREATE/*x*/TABLE \"a\"\"b\"([c] -- d\n `e` 'f''g', 1.5e-3 .5 x'0a' é$_ :n ?1 $n)->>x\u{feff}y \u{feff}z";
        let wanted = [
            (Word, "CREATE"),
            (Comment, "/*x*/"),
            (Word, "TABLE"),
            (QuotedName, "\"a\"\"b\""),
            (Operator, "("),
            (QuotedName, "[c]"),
            (Comment, "-- d"),
            (QuotedName, "`e`"),
            (Text, "'f''g'"),
            (Operator, ","),
            (Number, "1.5e-3"),
            (Number, ".5"),
            (Blob, "x'0a'"),
            (Word, "é$_"),
            (Parameter, ":n"),
            (Parameter, "?1"),
            (Parameter, "$n"),
            (Operator, ")"),
            (Operator, "->>"),
            (Word, "x\u{feff}y"),
            (Word, "z"),
        ];
        assert_eq!(kinds(sql), wanted.map(|(kind, text)| (kind, text, true)));
        assert_eq!(Lexer::new(sql).map(|token| token.text).collect::<String>(), sql);
    }

    #[test]
    fn a_token_without_its_end_reaches_to_the_end_of_the_text() {
        for sql in [
            "'a b''", "\"a b", "[a b", "/* a b", "x'0a", "x'0'", "x'0g'", "1a", "0x1f", "1e", "1_0", "$",
        ] {
            let tokens: Vec<_> = Lexer::new(sql).collect();
            assert!(tokens.len() == 1 && tokens[0].text == sql && !tokens[0].is_complete, "{sql}: {tokens:?}");
        }
    }

    #[test]
    fn quotes_are_taken_off() {
        let unquoted = |sql| Lexer::new(sql).next().unwrap().unquoted();
        assert_eq!(
            ["\"a\"\"b\"", "[c\"\"]", "'it''s'", "'it''s", "'a''"].map(unquoted),
            ["a\"b", "c\"\"", "it's", "it's", "a'"]
        );
    }

    #[test]
    fn nothing_cut_off_makes_it_panic_or_lose_text() {
        let sql =
            "CREATE TABLE \"ä\"\"b\" ([c d], 'e' x'00' /* f */ -- g\n, `h` CHECK ((i) || 'ü' >= 1.5e+3 \u{feff}))";
        for (end, _) in sql.char_indices() {
            let cut = &sql[..end];
            assert_eq!(Lexer::new(cut).map(|token| token.text).collect::<String>(), cut);
        }
    }
}
