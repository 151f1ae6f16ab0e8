//! SQL cut into words, as far as the statements in `sqlite_schema` need it.
//!
//! Source: "SQLite Keywords", <https://www.sqlite.org/lang_keywords.html>, and the railroad diagrams of "CREATE TABLE".

use super::{Beyond, Result};

/// A word of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword or a name without quotes.
    Word(&'a str),
    /// A name in quotes, with them.
    Quoted(&'a str),
    /// A text in apostrophes, with them.
    Text(&'a str),
    /// A number.
    Number(&'a str),
    /// A blob.
    Blob(&'a str),
    /// Anything else that is one character.
    Mark(u8),
    /// The end.
    End,
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Reads one word after the other.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    sql: &'a str,
    /// Where the next word begins, what it is, and where it ends.
    next: (usize, Token<'a>, usize),
    /// Where the last word ended.
    last_end: usize,
}

impl<'a> Tokens<'a> {
    /// The words of this statement.
    pub fn new(sql: &'a str) -> Result<Self> {
        Ok(Self {
            sql,
            next: read(sql, 0)?,
            last_end: 0,
        })
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Token<'a> {
        self.next.1
    }

    /// Where the next word begins.
    pub fn place(&self) -> usize {
        self.next.0
    }

    /// The text from a place up to the last word that was taken.
    pub fn since(&self, place: usize) -> &'a str {
        self.sql.get(place..self.last_end).unwrap_or_default()
    }

    /// Takes the next word.
    pub fn take(&mut self) -> Result<Token<'a>> {
        let (_, token, end) = self.next;
        self.last_end = end;
        self.next = read(self.sql, end)?;
        Ok(token)
    }

    /// Takes the next word if it is this keyword.
    pub fn skip(&mut self, keyword: &str) -> Result<bool> {
        let is = self.peek().is(keyword);
        if is {
            self.take()?;
        }
        Ok(is)
    }

    /// Takes the next word if it is this character.
    pub fn skip_mark(&mut self, mark: u8) -> Result<bool> {
        let is = self.peek() == Token::Mark(mark);
        if is {
            self.take()?;
        }
        Ok(is)
    }

    /// Takes this keyword.
    pub fn expect(&mut self, keyword: &str) -> Result<()> {
        if self.skip(keyword)? {
            Ok(())
        } else {
            Err(Beyond::Statement)
        }
    }

    /// Takes this character.
    pub fn expect_mark(&mut self, mark: u8) -> Result<()> {
        if self.skip_mark(mark)? {
            Ok(())
        } else {
            Err(Beyond::Statement)
        }
    }

    /// Takes a name, and says whether it is one whoever reads it: no keyword, no text that stands for a name.
    pub fn name(&mut self) -> Result<(String, bool)> {
        match self.take()? {
            Token::Word(word) if !is_reserved(word) => Ok((word.to_owned(), !is_keyword(word))),
            Token::Quoted(quoted) => Ok((unquoted(quoted), true)),
            Token::Text(text) => Ok((unquoted(text), false)),
            _ => Err(Beyond::Statement),
        }
    }

    /// Takes what stands in parentheses, with them.
    pub fn skip_parentheses(&mut self) -> Result<()> {
        self.expect_mark(b'(')?;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.take()? {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth -= 1,
                Token::End => return Err(Beyond::Statement),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The text within quotes.
pub fn unquoted(quoted: &str) -> String {
    let mut chars = quoted.chars();
    let (Some(quote), Some(_)) = (chars.next(), chars.next_back()) else {
        return String::new();
    };
    let inner = chars.as_str();
    match quote {
        '[' => inner.to_owned(),
        _ => inner.replace(&format!("{quote}{quote}"), &quote.to_string()),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The word that begins at or behind a place.
fn read(sql: &str, mut at: usize) -> Result<(usize, Token<'_>, usize)> {
    let bytes = sql.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    loop {
        match (byte(at), byte(at + 1)) {
            (Some(b' ' | b'\t' | b'\n' | b'\x0c' | b'\r'), _) => at += 1,
            (Some(b'-'), Some(b'-')) => {
                while byte(at).is_some_and(|byte| byte != b'\n') {
                    at += 1;
                }
            }
            (Some(b'/'), Some(b'*')) => {
                let end = sql.get(at + 2..).and_then(|rest| rest.find("*/")).ok_or(Beyond::Statement)?;
                at += 2 + end + 2;
            }
            _ => break,
        }
    }
    let Some(first) = byte(at) else {
        return Ok((at, Token::End, at));
    };
    let cut = |end: usize| sql.get(at..end).ok_or(Beyond::Statement);
    let word_end = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_word(**byte)).count()
    };
    match first {
        b'"' | b'`' | b'\'' => {
            let mut end = at + 1;
            loop {
                match (byte(end), byte(end + 1)) {
                    (Some(one), Some(two)) if one == first && two == first => end += 2,
                    (Some(one), _) if one == first => break,
                    (Some(_), _) => end += 1,
                    (None, _) => return Err(Beyond::Statement),
                }
            }
            let token = if first == b'\'' {
                Token::Text(cut(end + 1)?)
            } else {
                Token::Quoted(cut(end + 1)?)
            };
            Ok((at, token, end + 1))
        }
        b'[' => {
            let end = sql.get(at..).and_then(|rest| rest.find(']')).ok_or(Beyond::Statement)? + at + 1;
            Ok((at, Token::Quoted(cut(end)?), end))
        }
        b'x' | b'X' if byte(at + 1) == Some(b'\'') => {
            let end = sql.get(at + 2..).and_then(|rest| rest.find('\'')).ok_or(Beyond::Statement)? + at + 3;
            let digits = cut(end - 1)?.get(2..).unwrap_or_default();
            if digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                Ok((at, Token::Blob(cut(end)?), end))
            } else {
                Err(Beyond::Statement)
            }
        }
        b'0'..=b'9' => number(sql, at),
        b'.' if byte(at + 1).is_some_and(|byte| byte.is_ascii_digit()) => number(sql, at),
        // These begin parameters, which no stored statement has.
        b'$' | b'@' | b':' | b'?' | b'#' | 0 => Err(Beyond::Statement),
        byte if is_word(byte) => {
            let end = word_end(at);
            Ok((at, Token::Word(cut(end)?), end))
        }
        mark => Ok((at, Token::Mark(mark), at + 1)),
    }
}

fn number(sql: &str, at: usize) -> Result<(usize, Token<'_>, usize)> {
    let bytes = sql.as_bytes();
    let digits = |from: usize| {
        let all = bytes.get(from..).unwrap_or_default();
        from + all.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let byte = |at: usize| bytes.get(at).copied();
    let mut end = digits(at);
    if byte(end) == Some(b'.') {
        end = digits(end + 1);
    }
    if matches!(byte(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
        let exponent = digits(signed);
        if exponent == signed {
            return Err(Beyond::Statement);
        }
        end = exponent;
    }
    // Hexadecimal numbers and digits in groups are rare enough to be left alone.
    if byte(end).is_some_and(is_word) {
        return Err(Beyond::Statement);
    }
    Ok((at, Token::Number(sql.get(at..end).ok_or(Beyond::Statement)?), end))
}

/// Whether a keyword can never be a name without quotes.
fn is_reserved(word: &str) -> bool {
    const RESERVED: &str = " add all alter and as autoincrement between case check collate commit constraint create \
        default deferrable delete distinct drop else escape exists foreign from group having in index insert into is \
        isnull join limit not nothing notnull null on or order primary references returning select set table then to \
        transaction union unique update using values when where ";
    is_among(RESERVED, word)
}

/// Whether it is a keyword at all: then it depends on its place whether it is a name.
fn is_keyword(word: &str) -> bool {
    const OTHERS: &str = " abort action after always analyze asc attach before begin by cascade cast column conflict \
        cross current current_date current_time current_timestamp database deferred desc detach do each end except \
        exclude exclusive explain fail filter first following for full generated glob groups if ignore immediate \
        indexed initially inner instead intersect key last left like match materialized natural no nulls of offset \
        others outer over partition plan pragma preceding query raise range recursive regexp reindex release rename \
        replace restrict right rollback row rows savepoint temp temporary ties trigger unbounded vacuum view virtual \
        window with within without ";
    is_reserved(word) || is_among(OTHERS, word)
}

fn is_among(words: &str, word: &str) -> bool {
    words.contains(&format!(" {} ", word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_cut_into_words() {
        let sql = "CREATE/*x*/TABLE \"a\"\"b\"([c] -- d\n `e` 'f''g', 1.5e-3 x'0a' é$_)";
        let mut tokens = Tokens::new(sql).unwrap();
        let mut seen = Vec::new();
        while tokens.peek() != Token::End {
            seen.push(tokens.take().unwrap());
        }
        let wanted = [
            Token::Word("CREATE"),
            Token::Word("TABLE"),
            Token::Quoted("\"a\"\"b\""),
            Token::Mark(b'('),
            Token::Quoted("[c]"),
            Token::Quoted("`e`"),
            Token::Text("'f''g'"),
            Token::Mark(b','),
            Token::Number("1.5e-3"),
            Token::Blob("x'0a'"),
            Token::Word("é$_"),
            Token::Mark(b')'),
        ];
        assert_eq!(seen, wanted);
        assert_eq!(unquoted("\"a\"\"b\""), "a\"b");
        assert_eq!(unquoted("[c]"), "c");
    }

    #[test]
    fn what_is_no_word_is_beyond() {
        for sql in [
            "'a", "\"a", "[a", "/* a", "1a", "0x1f", "1e", "?1", ":a", "x'0'", "x'0g'",
        ] {
            assert!(Tokens::new(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn keywords_are_names_only_where_sqlite_takes_them() {
        let name = |sql| Tokens::new(sql).and_then(|mut tokens| tokens.name());
        assert_eq!(name("a"), Ok(("a".to_owned(), true)));
        assert_eq!(name("key"), Ok(("key".to_owned(), false)));
        assert_eq!(name("\"table\""), Ok(("table".to_owned(), true)));
        assert!(name("table").is_err());
    }
}
