//! The words of the statements in `sqlite_schema`, one after the other.
//!
//! Source: "SQLite Keywords", <https://www.sqlite.org/lang_keywords.html>, and the railroad diagrams of "CREATE TABLE".

use super::{Result, Unsupported};
use crate::sql::lexer::{Lexer, TokenKind};

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
    /// The first byte of an operator, or any other character.
    Mark(u8),
    /// The end.
    End,
}

impl Token<'_> {
    /// Returns `true` when it is this keyword.
    pub(crate) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Reads one word after the other.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    lexer: Lexer<'a>,
    /// The offset at which the next word begins, the word, and the offset at which it ends.
    next: (usize, Token<'a>, usize),
    /// The offset at which the last word that was taken ends.
    last_end: usize,
}

impl<'a> Tokens<'a> {
    /// The words of this statement.
    pub(crate) fn new(sql: &'a str) -> Result<Self> {
        let mut lexer = Lexer::new(sql);
        let next = read(&mut lexer)?;
        Ok(Self {
            sql,
            lexer,
            next,
            last_end: 0,
        })
    }

    /// The next word, which stays.
    pub(crate) fn peek(&self) -> Token<'a> {
        self.next.1
    }

    /// Returns the offset at which the next word begins.
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
        self.next = read(&mut self.lexer)?;
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
            Err(Unsupported::Statement)
        }
    }

    /// Takes this character.
    pub(crate) fn expect_mark(&mut self, mark: u8) -> Result<()> {
        if self.skip_mark(mark)? {
            Ok(())
        } else {
            Err(Unsupported::Statement)
        }
    }

    /// Takes a name. Returns it with `true` when every version of SQLite reads it as a name: it is neither a keyword nor a string in the
    /// place of a name.
    pub(crate) fn name(&mut self) -> Result<(String, bool)> {
        match self.take()? {
            Token::Word(word) => match keyword(word) {
                Some(Keyword::Reserved) => Err(Unsupported::Statement),
                keyword => Ok((word.to_owned(), keyword.is_none())),
            },
            Token::Quoted(quoted) => Ok((unquoted(quoted), true)),
            Token::Text(text) => Ok((unquoted(text), false)),
            _ => Err(Unsupported::Statement),
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
                Token::End => return Err(Unsupported::Statement),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The text within quotes.
pub(super) fn unquoted(quoted: &str) -> String {
    Lexer::new(quoted).next().map_or_else(String::new, |token| token.unquoted())
}

/// Reads the next token that is not blank. Refuses what SQLite does not take, and what no stored statement has.
fn read<'a>(lexer: &mut Lexer<'a>) -> Result<(usize, Token<'a>, usize)> {
    let found = loop {
        let Some(found) = lexer.next() else {
            return Ok((lexer.offset(), Token::End, lexer.offset()));
        };
        if !found.is_complete {
            return Err(Unsupported::Statement);
        }
        if !found.is_blank() {
            break found;
        }
    };
    let token = match (found.kind, found.text.as_bytes()) {
        (TokenKind::Word, _) => Token::Word(found.text),
        (TokenKind::QuotedName, _) => Token::Quoted(found.text),
        (TokenKind::Text, _) => Token::Text(found.text),
        (TokenKind::Number, _) => Token::Number(found.text),
        (TokenKind::Blob, _) => Token::Blob(found.text),
        (TokenKind::Operator, [mark, ..]) if !matches!(mark, b'$' | b'@' | b':' | b'#' | 0) => Token::Mark(*mark),
        _ => return Err(Unsupported::Statement),
    };
    Ok((found.start, token, lexer.offset()))
}

/// The kinds of keywords, by what SQLite does with one where a name is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    /// It can never be a name without quotes.
    Reserved,
    /// It depends on its place whether it is a name.
    Fallback,
}

/// Returns the kind of keyword that a word is, if it is one. A schema has many names, and a small run has little time: nothing is
/// searched or copied to the heap.
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
