//! SQL as words: without comments, white space, letter case and ways of quoting, so that text can be compared by meaning.

use sqlite_format::sql::lexer::{Lexer, TokenKind, is_word_byte};

/// One word of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name, in lower case.
    Word(String),
    /// A quoted name, without its quotes.
    Name(String),
    /// A string, without its quotes.
    Text(String),
    /// A number or an operator, as written, in lower case.
    Symbol(String),
}

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(own) if own == symbol)
    }

    /// Returns the name that this token is, where it can be one; in lower case, as SQLite compares names.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Word(name) | Self::Name(name) | Self::Text(name) => Some(name.to_ascii_lowercase()),
            Self::Symbol(_) => None,
        }
    }
}

/// Splits SQL into its words.
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut out = Vec::new();
    for token in Lexer::new(sql) {
        match token.kind {
            TokenKind::Space | TokenKind::Comment => {}
            TokenKind::Text => out.push(Token::Text(token.unquoted())),
            TokenKind::QuotedName => out.push(Token::Name(token.unquoted())),
            TokenKind::Blob => {
                let digits = token.text.get(2..).unwrap_or_default().trim_end_matches('\'');
                out.push(Token::Symbol(format!("x'{}'", digits.to_ascii_lowercase())));
            }
            TokenKind::Operator if !is_word_start(token.text) => out.push(Token::Symbol(
                match token.text {
                    "==" => "=",
                    "<>" => "!=",
                    other => other,
                }
                .to_owned(),
            )),
            TokenKind::Word | TokenKind::Number | TokenKind::Parameter | TokenKind::Operator => {
                push_parts(token.text, &mut out);
            }
        }
    }
    out
}

/// Splits a word, a number or a parameter into runs of letters and digits and what stands between them.
fn push_parts(mut text: &str, out: &mut Vec<Token>) {
    while let Some(first) = text.bytes().next() {
        let length = text.bytes().take_while(|byte| is_word_byte(*byte)).count().max(1);
        let (part, rest) = text.split_at(length);
        let part = part.to_ascii_lowercase();
        out.push(if is_word_byte(first) && !first.is_ascii_digit() {
            Token::Word(part)
        } else {
            Token::Symbol(part)
        });
        text = rest;
    }
}

fn is_word_start(text: &str) -> bool {
    text.bytes().next().is_some_and(is_word_byte)
}

/// Returns the tokens between the parenthesis at `open` and the one that closes it, with the position after it.
pub(super) fn group(tokens: &[Token], open: usize) -> Option<(&[Token], usize)> {
    if !tokens.get(open)?.is_symbol("(") {
        return None;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
            if depth == 0 {
                return Some((&tokens[open + 1..at], at + 1));
            }
        }
    }
    None
}

/// Returns the parts between the commas that are outside all parentheses.
pub(super) fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i64;
    tokens
        .split(|token| {
            depth += i64::from(token.is_symbol("(")) - i64::from(token.is_symbol(")"));
            depth == 0 && token.is_symbol(",")
        })
        .collect()
}

/// Returns the canonical text of tokens: equal for SQL that means the same.
pub(super) fn canonical(tokens: &[Token]) -> String {
    let words: Vec<String> = tokens
        .iter()
        .map(|token| match token {
            Token::Word(text) | Token::Symbol(text) => text.clone(),
            Token::Name(name) => as_name(&name.to_ascii_lowercase()),
            Token::Text(text) => format!("'{}'", text.replace('\'', "''")),
        })
        .collect();
    words.join(" ")
}

/// Returns a name in quotes only where it needs them.
fn as_name(name: &str) -> String {
    if name.bytes().all(is_word_byte) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Removes the parentheses that enclose all tokens.
pub(super) fn unwrapped(mut tokens: &[Token]) -> &[Token] {
    while let Some((inner, end)) = group(tokens, 0) {
        if end != tokens.len() {
            break;
        }
        tokens = inner;
    }
    tokens
}

/// Returns the canonical text of a default's expression; `None` for none and for `NULL`, which mean the same.
pub(super) fn default(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    match unwrapped(&tokens) {
        [Token::Word(word)] if word == "null" => None,
        [Token::Word(word)] if word == "true" => Some("1".to_owned()),
        [Token::Word(word)] if word == "false" => Some("0".to_owned()),
        // A default cannot refer to a column: SQLite takes a quoted name for a string.
        [Token::Name(name)] => Some(canonical(&[Token::Text(name.clone())])),
        [Token::Symbol(plus), number] if plus == "+" => Some(canonical(std::slice::from_ref(number))),
        tokens => Some(canonical(tokens)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(sql: &str) -> String {
        canonical(&tokens(sql))
    }

    #[test]
    fn comments_white_space_case_and_quotes_mean_nothing() {
        let plain = same("CHECK (state IN ('a', 'B') AND n <> 1)");
        assert_eq!(plain, "check ( state in ( 'a' , 'B' ) and n != 1 )");
        for other in [
            "check(\"State\" in('a','B')and n!=1)",
            "check -- why\n ( [state] /* ; */ in ('a',\t'B') and `n`<>1 )",
        ] {
            assert_eq!(same(other), plain, "{other}");
        }
        assert_ne!(same("CHECK (state IN ('A', 'B') AND n <> 1)"), plain);
    }

    #[test]
    fn what_is_quoted_stays_whole() {
        assert_eq!(tokens("'it''s -- no /* comment'"), [Token::Text("it's -- no /* comment".to_owned())]);
        assert_eq!(same("\"a b\" \"c\"\"d\" x'AB' 0X1F 1.5e3"), "\"a b\" \"c\"\"d\" x'ab' 0x1f 1 . 5e3");
        assert_eq!(same("a->>'$.b'||c"), "a ->> '$.b' || c");
    }

    #[test]
    fn a_default_is_what_it_evaluates_to() {
        assert_eq!(default("'{}'"), default("(( '{}' ))"));
        assert_eq!(default("'{}'"), default("\"{}\""));
        assert_eq!(default("NULL"), None);
        assert_eq!(default("TRUE"), default("+1"));
        assert_eq!(default("(a) + (b)").as_deref(), Some("( a ) + ( b )"));
        assert_ne!(default("'0'"), default("0"));
    }

    #[test]
    fn nothing_cut_off_makes_it_panic() {
        let sql = "CREATE TABLE \"ä\"\"b\" ([c d], 'e' x'00' /* f */ -- g\n, `h` CHECK ((i) || 'ü'))";
        for (end, _) in sql.char_indices() {
            let cut = tokens(&sql[..end]);
            let _ = (group(&cut, 0), parts(&cut), canonical(&cut), unwrapped(&cut));
        }
    }
}
