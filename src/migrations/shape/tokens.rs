//! SQL as words: without comments, white space, letter case and ways of quoting, so that text can be compared by meaning.

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

    /// The name that this token is, where it can be one; in lower case, as SQLite compares names.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Word(name) | Self::Name(name) | Self::Text(name) => Some(name.to_ascii_lowercase()),
            Self::Symbol(_) => None,
        }
    }
}

/// Splits SQL into its words ("The SQLite Tokenizer", `tokenize.c`).
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            _ if c.is_ascii_whitespace() => c.len_utf8(),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |at| at + 4),
            '\'' | '"' | '`' => {
                let (length, text) = quoted(rest, c);
                out.push(if c == '\'' {
                    Token::Text(text)
                } else {
                    Token::Name(text)
                });
                length
            }
            '[' => {
                let end = rest.find(']').unwrap_or(rest.len());
                out.push(Token::Name(rest[1..end].to_owned()));
                (end + 1).min(rest.len())
            }
            'x' | 'X' if rest[1..].starts_with('\'') => {
                let (length, text) = quoted(&rest[1..], '\'');
                out.push(Token::Symbol(format!("x'{}'", text.to_ascii_lowercase())));
                length + 1
            }
            _ if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let word = rest[..length].to_ascii_lowercase();
                let number = c.is_ascii_digit();
                out.push(if number { Token::Symbol(word) } else { Token::Word(word) });
                length
            }
            _ => {
                let symbol = symbol(rest).unwrap_or(&rest[..c.len_utf8()]);
                out.push(Token::Symbol(
                    match symbol {
                        "==" => "=",
                        "<>" => "!=",
                        other => other,
                    }
                    .to_owned(),
                ));
                symbol.len()
            }
        };
        rest = &rest[length..];
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The operators of more than one character.
fn symbol(rest: &str) -> Option<&str> {
    const LONG: &[&str] = &["->>", "->", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>"];
    LONG.iter().find(|long| rest.starts_with(**long)).map(|long| &rest[..long.len()])
}

/// Something between quotes, in which the quote is written twice: its length with the quotes, and what it says.
fn quoted(rest: &str, quote: char) -> (usize, String) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            text.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            text.push(c);
        } else {
            return (at + 1, text);
        }
    }
    (rest.len(), text)
}

/// What is between the parenthesis that opens at `open` and the one that closes it; and the place behind that.
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

/// The parts between the commas that are outside all parentheses.
pub(super) fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i64;
    tokens
        .split(|token| {
            depth += i64::from(token.is_symbol("(")) - i64::from(token.is_symbol(")"));
            depth == 0 && token.is_symbol(",")
        })
        .collect()
}

/// The words written in one way: equal for SQL that means the same.
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

/// A quoted name, quoted only where it must be.
fn as_name(name: &str) -> String {
    if name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The words without the parentheses that enclose all of them.
pub(super) fn unwrapped(mut tokens: &[Token]) -> &[Token] {
    while let Some((inner, end)) = group(tokens, 0) {
        if end != tokens.len() {
            break;
        }
        tokens = inner;
    }
    tokens
}

/// A default's expression in one way; `None` for none, which is what `NULL` means.
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
