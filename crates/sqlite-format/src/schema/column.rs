//! The definition of one column in `CREATE TABLE`.

use super::affinity::{Affinity, may_be_number};
use super::table::{Key, Statement, collation};
use super::tokens::{Token, Tokens, unquoted};
use super::{Column, DefaultValue, Result, Unsupported};
use crate::compare::Collation;
use crate::record::Classes;

/// A column while it is read.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Its name.
    pub name: String,
    /// Its declared type, as it stands.
    pub declared: String,
    not_null: bool,
    /// Its collation, where it is known.
    pub collation: Option<Collation>,
    default: Option<Literal>,
}

/// The value or expression of a DEFAULT clause.
#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Other,
}

fn begins_column_constraint(token: Token<'_>) -> bool {
    const WORDS: [&str; 11] = [
        "CONSTRAINT",
        "PRIMARY",
        "NOT",
        "NULL",
        "UNIQUE",
        "CHECK",
        "DEFAULT",
        "COLLATE",
        "REFERENCES",
        "GENERATED",
        "AS",
    ];
    WORDS.iter().any(|word| token.is(word)) || token.is("DEFERRABLE")
}

impl Statement {
    /// A column with its type and constraints. Its key, if it is one, is the last of `keys`.
    pub(crate) fn column(&mut self, tokens: &mut Tokens<'_>, at: usize) -> Result<Draft> {
        let name = self.name_of(tokens)?;
        // A STRICT table takes no type in quotes.
        self.needs_sqlite |= matches!(tokens.peek(), Token::Quoted(_) | Token::Text(_));
        let mut draft = Draft {
            name,
            declared: declared_type(tokens)?,
            not_null: false,
            collation: Some(Collation::Binary),
            default: None,
        };
        loop {
            let token = tokens.peek();
            if token.is("CONSTRAINT") {
                tokens.take()?;
                self.name_of(tokens)?;
            } else if token.is("PRIMARY") {
                self.primary_key_of_column(tokens, at, &draft.declared)?;
            } else if token.is("UNIQUE") {
                tokens.take()?;
                self.conflict_clause(tokens)?;
                self.keys.push(Key::of_column(at, false, false));
            } else if token.is("NOT") {
                tokens.take()?;
                if tokens.skip("DEFERRABLE")? {
                    self.deferred(tokens)?;
                } else {
                    tokens.expect("NULL")?;
                    self.conflict_clause(tokens)?;
                    draft.not_null = true;
                }
            } else if token.is("NULL") {
                tokens.take()?;
                self.conflict_clause(tokens)?;
            } else if token.is("DEFAULT") {
                tokens.take()?;
                draft.default = Some(self.default_value(tokens)?);
            } else if token.is("COLLATE") {
                tokens.take()?;
                draft.collation = collation(&self.name_of(tokens)?);
                self.needs_sqlite |= draft.collation.is_none();
            } else if token.is("REFERENCES") {
                self.references(tokens, vec![at])?;
            } else if token.is("DEFERRABLE") {
                tokens.take()?;
                self.deferred(tokens)?;
            } else if token.is("CHECK") {
                tokens.take()?;
                self.check_constraint(tokens)?;
            } else if token.is("GENERATED") || token.is("AS") {
                if tokens.skip("GENERATED")? {
                    tokens.expect("ALWAYS")?;
                }
                tokens.expect("AS")?;
                tokens.skip_parentheses()?;
                let _ = tokens.skip("STORED")? || tokens.skip("VIRTUAL")?;
                self.rows_beyond = Some(Unsupported::GeneratedColumn);
                self.needs_sqlite = true;
            } else {
                return Ok(draft);
            }
        }
    }

    fn primary_key_of_column(&mut self, tokens: &mut Tokens<'_>, at: usize, declared: &str) -> Result<()> {
        tokens.take()?;
        tokens.expect("KEY")?;
        let descending = tokens.skip("DESC")?;
        if !descending {
            tokens.skip("ASC")?;
        }
        self.conflict_clause(tokens)?;
        let counted = tokens.skip("AUTOINCREMENT")?;
        self.only_primary_key()?;
        // By an old mistake that became a feature, INTEGER PRIMARY KEY DESC is no name of the rowid.
        if declared.eq_ignore_ascii_case("INTEGER") && !descending {
            self.rowid_alias = Some(at);
        } else if counted {
            return Err(Unsupported::Statement);
        } else {
            self.keys.push(Key::of_column(at, true, descending));
        }
        Ok(())
    }

    fn default_value(&mut self, tokens: &mut Tokens<'_>) -> Result<Literal> {
        if tokens.peek() == Token::Mark(b'(') {
            tokens.skip_parentheses()?;
            self.needs_sqlite = true;
            return Ok(Literal::Other);
        }
        let negative = tokens.skip_mark(b'-')?;
        let signed = negative || tokens.skip_mark(b'+')?;
        let literal = match tokens.take()? {
            Token::Number(number) => {
                let number = format!("{}{number}", if negative { "-" } else { "" });
                let real = number.parse().ok().filter(|_| number.len() <= 16).map(Literal::Real);
                number.parse().map(Literal::Integer).ok().or(real).unwrap_or(Literal::Other)
            }
            Token::Text(text) if !signed => Literal::Text(unquoted(text)),
            Token::Blob(_) if !signed => Literal::Other,
            token if token.is("NULL") && !signed => Literal::Null,
            token if ["CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"].iter().any(|word| token.is(word)) => {
                Literal::Other
            }
            // A name is a text here.
            Token::Quoted(text) if !signed && text.starts_with('"') => {
                self.needs_sqlite = true;
                Literal::Text(unquoted(text))
            }
            Token::Word(_) | Token::Quoted(_) | Token::Text(_) | Token::Blob(_) => {
                self.needs_sqlite = true;
                Literal::Other
            }
            _ => return Err(Unsupported::Statement),
        };
        Ok(literal)
    }
}

impl Draft {
    /// The column; `None` where a STRICT table has one of a type that it cannot have.
    pub(crate) fn finish(self, strict: bool, in_primary_key: bool) -> Option<Column> {
        let mut affinity = Affinity::of(&self.declared);
        let mut allowed = affinity.allowed();
        if strict {
            let classes = match self.declared.to_ascii_lowercase().as_str() {
                "int" | "integer" => Classes::INTEGER,
                "real" => Classes::INTEGER.with(Classes::REAL),
                "text" => Classes::TEXT,
                "blob" => Classes::BLOB,
                "any" => Classes::ALL,
                _ => return None,
            };
            allowed = classes.with(Classes::NULL);
            if classes == Classes::ALL {
                affinity = Affinity::Blob;
            }
        }
        if self.not_null || in_primary_key {
            allowed = allowed.without(Classes::NULL);
        }
        Some(Column {
            default: default_of(self.default, affinity),
            name: self.name,
            allowed,
            numbers_as_text: !strict && !affinity.allowed().holds(Classes::TEXT),
            affinity,
            collation: self.collation,
        })
    }
}

/// Returns the value that a row has when it was written before its column was added.
fn default_of(literal: Option<Literal>, affinity: Affinity) -> DefaultValue {
    match (literal, affinity) {
        (None | Some(Literal::Null), _) => DefaultValue::Null,
        (Some(Literal::Integer(value)), Affinity::Text) if i32::try_from(value).is_ok() => {
            DefaultValue::Text(value.to_string())
        }
        (Some(Literal::Integer(value)), Affinity::Integer | Affinity::Numeric | Affinity::Blob | Affinity::Real) => {
            DefaultValue::Integer(value)
        }
        (Some(Literal::Real(value)), Affinity::Integer | Affinity::Numeric | Affinity::Blob | Affinity::Real)
            if value.fract() != 0.0 =>
        {
            DefaultValue::Real(value)
        }
        (Some(Literal::Text(text)), _)
            if matches!(affinity, Affinity::Text | Affinity::Blob) || !may_be_number(text.as_bytes()) =>
        {
            DefaultValue::Text(text)
        }
        _ => DefaultValue::NotUnderstood,
    }
}

/// Reads a column's type. One word in quotes is the type without them (`build.c`, `sqlite3AddColumn`).
fn declared_type(tokens: &mut Tokens<'_>) -> Result<String> {
    if let Token::Quoted(quoted) | Token::Text(quoted) = tokens.peek() {
        tokens.take()?;
        let ends = match tokens.peek() {
            Token::Quoted(_) | Token::Text(_) | Token::Mark(b'(') => false,
            Token::Word(_) => begins_column_constraint(tokens.peek()),
            _ => true,
        };
        return if ends {
            Ok(unquoted(quoted))
        } else {
            Err(Unsupported::Statement)
        };
    }
    let begin = tokens.place();
    let mut any = false;
    while let Token::Word(_) = tokens.peek() {
        if begins_column_constraint(tokens.peek()) {
            break;
        }
        tokens.take()?;
        any = true;
    }
    if any && tokens.skip_mark(b'(')? {
        loop {
            let _ = tokens.skip_mark(b'+')? || tokens.skip_mark(b'-')?;
            match tokens.take()? {
                Token::Number(_) => {}
                _ => return Err(Unsupported::Statement),
            }
            if !tokens.skip_mark(b',')? {
                break;
            }
        }
        tokens.expect_mark(b')')?;
    }
    match tokens.peek() {
        Token::Quoted(_) | Token::Text(_) => Err(Unsupported::Statement),
        _ if any => Ok(tokens.since(begin).to_owned()),
        _ => Ok(String::new()),
    }
}
