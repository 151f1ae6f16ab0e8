//! Words in double quotes that name no column. SQLite takes them for texts, unless a driver was built or configured otherwise (`DQS=0`,
//! <https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted>): drizzle-kit writes columns so that the same migration
//! adds, into the copy of a table that it makes anew, and every row then gets the column's name for a value.

use std::ops::Range;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sqlite_format::sql::lexer::{Lexer, Token, TokenKind};

use crate::error::{Error, Result};
use crate::findings::LONGEST_NAME;
use crate::store::introspect;
use crate::text::words::cut;

/// The most such words that are looked for in one statement.
const MOST: usize = 32;

/// A word in double quotes that names no column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::migrations) struct DoubleQuoted {
    /// The word; empty where it must not be repeated.
    pub(in crate::migrations) word: String,
    /// The table and column into which a copy from another table writes it.
    pub(in crate::migrations) copied_to: Option<(String, String)>,
    /// True if it was surely meant for a column's name.
    pub(in crate::migrations) is_meant_as_name: bool,
}

impl DoubleQuoted {
    /// Hides the word: it stands in a file of which nothing may be repeated.
    pub(super) fn hide_word(&mut self) {
        self.word.clear();
    }

    /// Returns the word as it is written, for a message.
    pub(in crate::migrations) fn label(&self) -> String {
        if self.word.is_empty() {
            "a word in double quotes".to_owned()
        } else {
            format!("\"{}\"", self.word)
        }
    }

    /// Returns the sentence for drivers of these names, all of which refuse it.
    pub(super) fn words_of_refusal(&self, drivers: &str) -> String {
        let otherwise = match &self.copied_to {
            Some((_, column)) if !self.word.is_empty() => format!("writes '{}' into {column} of every row", self.word),
            _ => "goes on".to_owned(),
        };
        let word = self.label();
        format!("{word} is no column there: {drivers} refuse it; a driver that takes it for a text {otherwise}")
    }
}

/// Returns true if a statement may hold such a word.
pub(super) fn may_hold_one(sql: &str) -> bool {
    sql.contains('"')
}

/// Returns the words in double quotes of a statement that SQLite takes for texts because they name no column. The statement can be
/// prepared as it is.
///
/// # Errors
/// Fails if SQLite cannot be configured.
pub(super) fn find(conn: &Connection, sql: &str) -> Result<Vec<DoubleQuoted>> {
    let tokens = significant_tokens(sql);
    let places = without_double_quoted_text(conn, || find_tokens(conn, sql, &tokens))?;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let copy = CopyStatement::parse(&tokens);
    let found = places.iter().filter_map(|at| {
        let token = tokens.get(*at)?;
        let word = token.unquoted();
        let item = copy.as_ref().and_then(|copy| copy.item(*at));
        let copied_to = copy.as_ref().zip(item).map(|(copy, item)| copy.written_to(conn, item));
        let is_meant_as_name = copy.as_ref().zip(copied_to.as_ref()).is_some_and(|(copy, (_, column))| {
            copy.names_columns_in_double_quotes(&tokens, &places) || copy.knows_column(conn, &word, column)
        });
        Some(DoubleQuoted {
            word: cut(&word, LONGEST_NAME),
            copied_to,
            is_meant_as_name,
        })
    });
    Ok(found.collect())
}

/// Runs something while no word in double quotes is a text to SQLite.
fn without_double_quoted_text<T>(conn: &Connection, work: impl FnOnce() -> T) -> Result<T> {
    let set = |on: bool| -> Result<()> {
        for setting in [DbConfig::SQLITE_DBCONFIG_DQS_DML, DbConfig::SQLITE_DBCONFIG_DQS_DDL] {
            conn.set_db_config(setting, on).map_err(Error::sqlite("sqlite3_db_config"))?;
        }
        Ok(())
    };
    set(false)?;
    let made = work();
    set(true)?;
    Ok(made)
}

fn significant_tokens(sql: &str) -> Vec<Token<'_>> {
    Lexer::new(sql).filter(|token| !token.is_blank()).collect()
}

/// Returns the positions of the tokens that SQLite names as missing columns: each is made a text, until the statement can be prepared.
fn find_tokens(conn: &Connection, sql: &str, tokens: &[Token<'_>]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut text = sql.to_owned();
    while places.len() < MOST {
        let Err(rusqlite::Error::SqlInputError { msg, offset, .. }) = conn.prepare(&text) else {
            break;
        };
        if !msg.starts_with("no such column: ") {
            break;
        }
        // Each token that was replaced is still one token.
        let at = significant_tokens(&text)
            .iter()
            .position(|token| Ok(token.start) == usize::try_from(offset));
        let Some((at, token)) = at.and_then(|at| Some((at, tokens.get(at)?))) else {
            break;
        };
        if !token.text.starts_with('"') || places.contains(&at) {
            break;
        }
        places.push(at);
        text = tokens_with_texts(sql, tokens, &places);
    }
    places.sort_unstable();
    places
}

/// Returns the statement with the tokens at these positions as texts in apostrophes.
fn tokens_with_texts(sql: &str, tokens: &[Token<'_>], places: &[usize]) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut from = 0;
    for (_, token) in tokens.iter().enumerate().filter(|(at, _)| places.contains(at)) {
        out.push_str(sql.get(from..token.start).unwrap_or_default());
        out.push('\'');
        out.push_str(&token.unquoted().replace('\'', "''"));
        out.push('\'');
        from = token.start + token.text.len();
    }
    out.push_str(sql.get(from..).unwrap_or_default());
    out
}

/// `INSERT INTO target(columns) SELECT items FROM source`, by the positions of its tokens.
#[derive(Debug)]
struct CopyStatement {
    target: String,
    columns: Vec<String>,
    items: Vec<Range<usize>>,
    source: Option<String>,
}

impl CopyStatement {
    /// Reads a statement; `None` where it copies nothing from a table.
    fn parse(tokens: &[Token<'_>]) -> Option<Self> {
        let is = |at: usize, word: &str| {
            tokens
                .get(at)
                .is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
        };
        let sign = |at: usize, sign: &str| tokens.get(at).is_some_and(|token| token.text == sign);
        let insert = (0..tokens.len()).find(|at| is(*at, "INSERT") || is(*at, "REPLACE"))?;
        let mut at = (insert..tokens.len()).find(|at| is(*at, "INTO"))? + 1;
        if sign(at + 1, ".") {
            at += 2;
        }
        let target = name(tokens.get(at)?);
        at += 1;
        if is(at, "AS") {
            at += 2;
        }
        let mut columns = Vec::new();
        if sign(at, "(") {
            let end = (at..tokens.len()).find(|at| sign(*at, ")"))?;
            let names = tokens.get(at + 1..end)?.iter().filter(|token| token.text != ",");
            columns = names.map(name).collect();
            at = end + 1;
        }
        if !is(at, "SELECT") {
            return None;
        }
        at += 1;
        if is(at, "DISTINCT") || is(at, "ALL") {
            at += 1;
        }
        let (mut items, mut begin, mut depth) = (Vec::new(), at, 0_usize);
        for at in at..tokens.len() {
            match tokens.get(at)?.text {
                "(" => depth += 1,
                ")" => depth = depth.checked_sub(1)?,
                "," if depth == 0 => {
                    items.push(begin..at);
                    begin = at + 1;
                }
                _ if depth == 0 && is(at, "FROM") => {
                    items.push(begin..at);
                    let source = tokens.get(at + 1).filter(|token| token.text != "(").map(name);
                    return Some(Self {
                        target,
                        columns,
                        items,
                        source,
                    });
                }
                _ => {}
            }
        }
        None
    }

    /// Returns the position of the item in which a token stands.
    fn item(&self, token: usize) -> Option<usize> {
        self.items.iter().position(|item| item.contains(&token))
    }

    /// Returns the table and the column into which an item is written.
    fn written_to(&self, conn: &Connection, item: usize) -> (String, String) {
        let column = match self.columns.get(item) {
            Some(column) => column.clone(),
            None => columns_of(conn, &self.target).into_iter().nth(item).unwrap_or_default(),
        };
        (cut(&self.target, LONGEST_NAME), cut(&column, LONGEST_NAME))
    }

    /// Returns true if other items are names in double quotes.
    fn names_columns_in_double_quotes(&self, tokens: &[Token<'_>], places: &[usize]) -> bool {
        let is_name =
            |at: usize| !places.contains(&at) && tokens.get(at).is_some_and(|token| token.text.starts_with('"'));
        self.items.iter().any(|item| is_name(item.start))
    }

    /// Returns true if the word is the name of a column of the target, or if what it is written over is a column of the source.
    fn knows_column(&self, conn: &Connection, word: &str, written_to: &str) -> bool {
        let has =
            |table: &str, column: &str| columns_of(conn, table).iter().any(|own| own.eq_ignore_ascii_case(column));
        has(&self.target, word) || self.source.as_ref().is_some_and(|source| has(source, written_to))
    }
}

/// Returns a name without its quotes.
fn name(token: &Token<'_>) -> String {
    if token.kind == TokenKind::Word {
        token.text.to_owned()
    } else {
        token.unquoted()
    }
}

/// Returns the columns of a table; none where it cannot be asked.
fn columns_of(conn: &Connection, table: &str) -> Vec<String> {
    let mut columns = Vec::new();
    let asked = introspect::each_column(conn, table, |column| {
        if column.hidden == 0 {
            columns.push(String::from_utf8_lossy(column.name).into_owned());
        }
    });
    if asked.is_ok() { columns } else { Vec::new() }
}
