//! Expressions that are evaluated here, exactly as SQLite evaluates them: conditions of partial indexes, keys of indexes, CHECK
//! constraints. They hold columns, literals, comparisons, `AND`, `OR`, `NOT`, and a few functions; every other one is left to SQLite.
//!
//! Source: "SQL Language Expressions", <https://www.sqlite.org/lang_expr.html>, and "Datatypes In SQLite", section 4.

use super::affinity::{Affinity, may_be_number};
use super::table::ordered;
use super::tokens::{Token, Tokens, unquoted};
use super::{Column, Result, Unsupported};
use crate::compare::{Collation, Order};

/// The most parts of an expression, and the deepest nesting: each is evaluated for every row.
const MOST_NODES: usize = 200;
const MOST_DEPTH: usize = 20;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// A text.
    Text(String),
    /// A column of the table.
    Column(usize),
    /// `lower(x)`: the letters A to Z as a to z.
    Lower(Box<Self>),
    /// `upper(x)`.
    Upper(Box<Self>),
    /// `coalesce(x, y, …)`.
    FirstNotNull(Vec<Self>),
    /// `NOT x`.
    Not(Box<Self>),
    /// `x AND y`.
    And(Box<Self>, Box<Self>),
    /// `x OR y`.
    Or(Box<Self>, Box<Self>),
    /// `x IS NULL`.
    IsNull(Box<Self>),
    /// `x = y` and its like.
    Compare(Box<Comparison>),
}

/// A comparison of two values that need no conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The first value.
    pub left: Expression,
    /// The operator.
    pub operator: Operator,
    /// The second value.
    pub right: Expression,
    /// The collation by which two texts are compared.
    pub collation: Collation,
}

/// An operator of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`.
    Equal,
    /// `IS`: NULL equals NULL and nothing else.
    Is,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// The entries of an index over expressions or over some of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    /// The values of the key.
    pub keys: Vec<Expression>,
    /// The condition that holds of the rows that have an entry; `None` if each has one.
    pub condition: Option<Expression>,
}

impl Computed {
    /// Returns the number of parts, which is the effort for a row.
    pub(crate) fn effort(&self) -> usize {
        self.keys.iter().chain(&self.condition).map(Expression::effort).sum()
    }
}

impl Expression {
    /// Reads the expression of a CHECK constraint, in parentheses.
    pub(super) fn parse(sql: &str, columns: &[Column]) -> Result<Self> {
        let mut tokens = Tokens::new(sql)?;
        let expression = Parser::new(&mut tokens, columns).expression()?;
        if tokens.peek() == Token::End {
            Ok(expression)
        } else {
            Err(Unsupported::Expression)
        }
    }

    /// Returns the number of its parts.
    pub(crate) fn effort(&self) -> usize {
        1 + match self {
            Self::Null | Self::Integer(_) | Self::Real(_) | Self::Text(_) | Self::Column(_) => 0,
            Self::Lower(of) | Self::Upper(of) | Self::Not(of) | Self::IsNull(of) => of.effort(),
            Self::FirstNotNull(all) => all.iter().map(Self::effort).sum(),
            Self::And(left, right) | Self::Or(left, right) => left.effort() + right.effort(),
            Self::Compare(comparison) => comparison.left.effort() + comparison.right.effort(),
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self, Self::Null | Self::Integer(_) | Self::Real(_) | Self::Text(_))
    }
}

/// Reads the columns and the condition of an index, from the parenthesis on.
pub(super) fn computed(tokens: &mut Tokens<'_>, columns: &[Column]) -> Result<(Computed, Vec<Order>)> {
    let mut parser = Parser::new(tokens, columns);
    parser.tokens.expect_mark(b'(')?;
    let (mut keys, mut orders) = (Vec::new(), Vec::new());
    loop {
        let key = parser.expression()?;
        let own = match &key {
            Expression::Column(at) => columns.get(*at).and_then(|column| column.collation),
            // A text alone is the name of a column.
            key if key.is_literal() => return Err(Unsupported::Expression),
            _ => Some(Collation::Binary),
        };
        let (order, _) = ordered(parser.tokens, own)?;
        keys.push(key);
        orders.push(order.ok_or(Unsupported::Collation)?);
        if !parser.tokens.skip_mark(b',')? {
            break;
        }
    }
    parser.tokens.expect_mark(b')')?;
    let condition = if parser.tokens.skip("WHERE")? {
        Some(parser.expression()?)
    } else {
        None
    };
    if tokens.peek() != Token::End {
        return Err(Unsupported::Expression);
    }
    Ok((Computed { keys, condition }, orders))
}

struct Parser<'t, 's> {
    tokens: &'t mut Tokens<'s>,
    columns: &'t [Column],
    nodes: usize,
    depth: usize,
}

impl<'t, 's> Parser<'t, 's> {
    fn new(tokens: &'t mut Tokens<'s>, columns: &'t [Column]) -> Self {
        Self {
            tokens,
            columns,
            nodes: 0,
            depth: 0,
        }
    }

    fn expression(&mut self) -> Result<Expression> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Unsupported::TooMuch);
        }
        let mut left = self.conjunction()?;
        while self.tokens.skip("OR")? {
            left = Expression::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression> {
        let mut left = self.negation()?;
        while self.tokens.skip("AND")? {
            left = Expression::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression> {
        if !self.tokens.skip("NOT")? {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Unsupported::TooMuch);
        }
        let of = self.negation()?;
        self.depth -= 1;
        Ok(negated(of, true))
    }

    /// Reads one comparison. With a second operator behind it the words are left to SQLite, so that no precedence matters.
    fn comparison(&mut self) -> Result<Expression> {
        let left = self.operand()?;
        let begin = self.tokens.place();
        if let Token::Mark(b'=' | b'<' | b'>' | b'!') = self.tokens.peek() {
            self.tokens.take()?;
            let (operator, is_negated) = match self.tokens.since(begin) {
                "=" | "==" => (Operator::Equal, false),
                "<>" | "!=" => (Operator::Equal, true),
                "<" => (Operator::Less, false),
                "<=" => (Operator::LessOrEqual, false),
                ">" => (Operator::Greater, false),
                ">=" => (Operator::GreaterOrEqual, false),
                _ => return Err(Unsupported::Expression),
            };
            let right = self.operand()?;
            return Ok(negated(self.compare(left, operator, right)?, is_negated));
        }
        if self.tokens.skip("ISNULL")? {
            return Ok(Expression::IsNull(Box::new(left)));
        }
        if self.tokens.skip("NOTNULL")? {
            return Ok(negated(Expression::IsNull(Box::new(left)), true));
        }
        if self.tokens.skip("IS")? {
            let is_negated = self.tokens.skip("NOT")?;
            if self.tokens.skip("NULL")? {
                return Ok(negated(Expression::IsNull(Box::new(left)), is_negated));
            }
            if ["TRUE", "FALSE"].iter().any(|word| self.tokens.peek().is(word)) {
                // It asks for the truth of the left side.
                return Err(Unsupported::Expression);
            }
            let right = self.operand()?;
            return Ok(negated(self.compare(left, Operator::Is, right)?, is_negated));
        }
        let is_negated = self.tokens.skip("NOT")?;
        let of = if is_negated && self.tokens.skip("NULL")? {
            Expression::IsNull(Box::new(left))
        } else if self.tokens.skip("IN")? {
            self.one_of(&left)?
        } else if self.tokens.skip("BETWEEN")? {
            let low = self.operand()?;
            self.tokens.expect("AND")?;
            let high = self.operand()?;
            let above = self.compare(left.clone(), Operator::GreaterOrEqual, low)?;
            let below = self.compare(left, Operator::LessOrEqual, high)?;
            Expression::And(Box::new(above), Box::new(below))
        } else if is_negated {
            return Err(Unsupported::Expression);
        } else {
            left
        };
        Ok(negated(of, is_negated))
    }

    /// Reads the list behind IN.
    fn one_of(&mut self, left: &Expression) -> Result<Expression> {
        self.tokens.expect_mark(b'(')?;
        let mut any: Option<Expression> = None;
        loop {
            let right = self.operand()?;
            if !right.is_literal() {
                return Err(Unsupported::Expression);
            }
            let equal = self.compare(left.clone(), Operator::Equal, right)?;
            any = Some(match any {
                Some(any) => Expression::Or(Box::new(any), Box::new(equal)),
                None => equal,
            });
            if !self.tokens.skip_mark(b',')? {
                break;
            }
        }
        self.tokens.expect_mark(b')')?;
        any.ok_or(Unsupported::Expression)
    }

    fn operand(&mut self) -> Result<Expression> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(Unsupported::TooMuch);
        }
        match self.tokens.peek() {
            Token::Mark(b'(') => {
                self.tokens.take()?;
                let of = self.expression()?;
                self.tokens.expect_mark(b')')?;
                Ok(of)
            }
            Token::Mark(b'-') => {
                self.tokens.take()?;
                self.number("-")
            }
            Token::Number(_) => self.number(""),
            Token::Text(text) => {
                self.tokens.take()?;
                Ok(Expression::Text(unquoted(text)))
            }
            Token::Word(_) if self.tokens.skip("NULL")? => Ok(Expression::Null),
            Token::Word(_) | Token::Quoted(_) => self.name(),
            _ => Err(Unsupported::Expression),
        }
    }

    fn number(&mut self, sign: &str) -> Result<Expression> {
        let Token::Number(number) = self.tokens.take()? else {
            return Err(Unsupported::Expression);
        };
        let number = format!("{sign}{number}");
        if let Ok(value) = number.parse() {
            return Ok(Expression::Integer(value));
        }
        // With so few digits every reader of numbers comes to the same one.
        let is_short = number.len() <= 16 && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'));
        let value = number.parse().ok().filter(|_| is_short);
        value.map(Expression::Real).ok_or(Unsupported::Expression)
    }

    /// Reads a column, a function, or TRUE and FALSE.
    fn name(&mut self) -> Result<Expression> {
        let is_quoted = matches!(self.tokens.peek(), Token::Quoted(_));
        let (name, is_certain) = self.tokens.name()?;
        if !is_certain {
            return Err(Unsupported::Expression);
        }
        if !is_quoted && self.tokens.peek() == Token::Mark(b'(') {
            return self.call(&name);
        }
        if let Some(at) = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(&name)) {
            return Ok(Expression::Column(at));
        }
        match name.to_ascii_lowercase().as_str() {
            "true" if !is_quoted => Ok(Expression::Integer(1)),
            "false" if !is_quoted => Ok(Expression::Integer(0)),
            _ => Err(Unsupported::Expression),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression> {
        self.tokens.expect_mark(b'(')?;
        let mut all = vec![self.expression()?];
        while self.tokens.skip_mark(b',')? {
            all.push(self.expression()?);
        }
        self.tokens.expect_mark(b')')?;
        match (name.to_ascii_lowercase().as_str(), &mut all[..]) {
            ("lower", [of]) => Ok(Expression::Lower(Box::new(of.clone()))),
            ("upper", [of]) => Ok(Expression::Upper(Box::new(of.clone()))),
            ("ifnull", [_, _]) | ("coalesce", [_, _, ..]) => Ok(Expression::FirstNotNull(all)),
            _ => Err(Unsupported::Expression),
        }
    }

    /// Makes a comparison of which no side has to be converted when it is evaluated.
    fn compare(&self, left: Expression, operator: Operator, right: Expression) -> Result<Expression> {
        let affinity = |side: &Expression| match side {
            Expression::Column(at) => self.columns.get(*at).map(|column| column.affinity),
            _ => None,
        };
        let collation = match (&left, &right) {
            (Expression::Column(at), _) | (_, Expression::Column(at)) => {
                self.columns.get(*at).and_then(|column| column.collation).ok_or(Unsupported::Collation)?
            }
            _ => Collation::Binary,
        };
        let (left, right) = match (affinity(&left), affinity(&right)) {
            (Some(a), Some(b)) if a.compares_as() == b.compares_as() => (left, right),
            (Some(affinity), None) => (left, converted(right, affinity)?),
            (None, Some(affinity)) => (converted(left, affinity)?, right),
            (None, None) if !left.is_literal() || !right.is_literal() => (left, right),
            _ => return Err(Unsupported::Expression),
        };
        let comparison = Comparison {
            left,
            operator,
            right,
            collation,
        };
        Ok(Expression::Compare(Box::new(comparison)))
    }
}

fn negated(of: Expression, is_negated: bool) -> Expression {
    if is_negated { Expression::Not(Box::new(of)) } else { of }
}

/// Returns the value with which a column of this affinity is compared.
fn converted(value: Expression, affinity: Affinity) -> Result<Expression> {
    match (affinity.compares_as(), value) {
        (_, Expression::Null) => Ok(Expression::Null),
        (Affinity::Text, Expression::Integer(value)) => Ok(Expression::Text(value.to_string())),
        (Affinity::Blob, value) if value.is_literal() => Ok(value),
        (Affinity::Numeric, Expression::Text(text)) if !may_be_number(text.as_bytes()) => Ok(Expression::Text(text)),
        (Affinity::Text, value @ Expression::Text(_))
        | (Affinity::Numeric, value @ (Expression::Integer(_) | Expression::Real(_))) => Ok(value),
        _ => Err(Unsupported::Expression),
    }
}
