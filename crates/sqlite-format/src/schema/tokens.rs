//! SQL cut into words, as far as the statements in `sqlite_schema` need it.
//!
//! Source: "SQLite Keywords", <https://www.sqlite.org/lang_keywords.html>, and the railroad diagrams of "CREATE TABLE".

use super::{Beyond, Result};

/// A word of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
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
    pub(crate) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Reads one word after the other.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    /// Where the next word begins, what it is, and where it ends.
    next: (usize, Token<'a>, usize),
    /// Where the last word ended.
    last_end: usize,
}

impl<'a> Tokens<'a> {
    /// The words of this statement.
    pub(crate) fn new(sql: &'a str) -> Result<Self> {
        Ok(Self {
            sql,
            next: read(sql, 0)?,
            last_end: 0,
        })
    }

    /// The next word, which stays.
    pub(crate) fn peek(&self) -> Token<'a> {
        self.next.1
    }

    /// Where the next word begins.
    pub(crate) fn place(&self) -> usize {
        self.next.0
    }

    /// The text from a place up to the last word that was taken.
    pub(crate) fn since(&self, place: usize) -> &'a str {
        self.sql.get(place..self.last_end).unwrap_or_default()
    }

    /// Takes the next word.
    pub(crate) fn take(&mut self) -> Result<Token<'a>> {
        let (_, token, end) = self.next;
        self.last_end = end;
        self.next = read(self.sql, end)?;
        Ok(token)
    }

    /// Takes the next word if it is this keyword.
    pub(crate) fn skip(&mut self, keyword: &str) -> Result<bool> {
        let is = self.peek().is(keyword);
        if is {
            self.take()?;
        }
        Ok(is)
    }

    /// Takes the next word if it is this character.
    pub(crate) fn skip_mark(&mut self, mark: u8) -> Result<bool> {
        let is = self.peek() == Token::Mark(mark);
        if is {
            self.take()?;
        }
        Ok(is)
    }

    /// Takes this keyword.
    pub(crate) fn expect(&mut self, keyword: &str) -> Result<()> {
        if self.skip(keyword)? {
            Ok(())
        } else {
            Err(Beyond::Statement)
        }
    }

    /// Takes this character.
    pub(crate) fn expect_mark(&mut self, mark: u8) -> Result<()> {
        if self.skip_mark(mark)? {
            Ok(())
        } else {
            Err(Beyond::Statement)
        }
    }

    /// Takes a name, and says whether it is one whoever reads it: no keyword, no text that stands for a name.
    pub(crate) fn name(&mut self) -> Result<(String, bool)> {
        match self.take()? {
            Token::Word(word) => match keyword(word) {
                Some(Keyword::Reserved) => Err(Beyond::Statement),
                keyword => Ok((word.to_owned(), keyword.is_none())),
            },
            Token::Quoted(quoted) => Ok((unquoted(quoted), true)),
            Token::Text(text) => Ok((unquoted(text), false)),
            _ => Err(Beyond::Statement),
        }
    }

    /// Takes what stands in parentheses, with them.
    pub(crate) fn skip_parentheses(&mut self) -> Result<()> {
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
pub(super) fn unquoted(quoted: &str) -> String {
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

/// What a word is to SQLite where a name is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    /// It can never be a name without quotes.
    Reserved,
    /// It depends on its place whether it is a name.
    Fallback,
}

/// Whether a word is a keyword. A schema has many names, and a small run little time: nothing is searched or copied to the heap.
fn keyword(word: &str) -> Option<Keyword> {
    const LONGEST: usize = "current_timestamp".len();
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"add" | b"all" | b"alter" | b"and" | b"as" | b"autoincrement" | b"between" | b"case" | b"check"
        | b"collate" | b"commit" | b"constraint" | b"create" | b"default" | b"deferrable" | b"delete" | b"distinct"
        | b"drop" | b"else" | b"escape" | b"exists" | b"foreign" | b"from" | b"group" | b"having" | b"in"
        | b"index" | b"insert" | b"into" | b"is" | b"isnull" | b"join" | b"limit" | b"not" | b"nothing"
        | b"notnull" | b"null" | b"on" | b"or" | b"order" | b"primary" | b"references" | b"returning" | b"select"
        | b"set" | b"table" | b"then" | b"to" | b"transaction" | b"union" | b"unique" | b"update" | b"using"
        | b"values" | b"when" | b"where" => Some(Keyword::Reserved),
        b"abort" | b"action" | b"after" | b"always" | b"analyze" | b"asc" | b"attach" | b"before" | b"begin"
        | b"by" | b"cascade" | b"cast" | b"column" | b"conflict" | b"cross" | b"current" | b"current_date"
        | b"current_time" | b"current_timestamp" | b"database" | b"deferred" | b"desc" | b"detach" | b"do"
        | b"each" | b"end" | b"except" | b"exclude" | b"exclusive" | b"explain" | b"fail" | b"filter" | b"first"
        | b"following" | b"for" | b"full" | b"generated" | b"glob" | b"groups" | b"if" | b"ignore" | b"immediate"
        | b"indexed" | b"initially" | b"inner" | b"instead" | b"intersect" | b"key" | b"last" | b"left" | b"like"
        | b"match" | b"materialized" | b"natural" | b"no" | b"nulls" | b"of" | b"offset" | b"others" | b"outer"
        | b"over" | b"partition" | b"plan" | b"pragma" | b"preceding" | b"query" | b"raise" | b"range"
        | b"recursive" | b"regexp" | b"reindex" | b"release" | b"rename" | b"replace" | b"restrict" | b"right"
        | b"rollback" | b"row" | b"rows" | b"savepoint" | b"temp" | b"temporary" | b"ties" | b"trigger"
        | b"unbounded" | b"vacuum" | b"view" | b"virtual" | b"window" | b"with" | b"within" | b"without" => {
            Some(Keyword::Fallback)
        }
        _ => None,
    }
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
        assert_eq!(name("CURRENT_TIMESTAMP"), Ok(("CURRENT_TIMESTAMP".to_owned(), false)));
        assert_eq!(name("current_timestamps"), Ok(("current_timestamps".to_owned(), true)));
        assert_eq!(name("\"table\""), Ok(("table".to_owned(), true)));
        assert!(name("table").is_err() && name("TaBLe").is_err());
    }
}
