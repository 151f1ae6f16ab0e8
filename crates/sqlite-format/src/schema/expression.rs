//! Expressions, as far as it is told whether one is plain.

use super::Result;
use super::tokens::{Token, Tokens, unquoted};

/// The words that are operators or constants wherever they stand in an expression.
const OPERATORS: [&str; 17] = [
    "AND", "BETWEEN", "CASE", "ELSE", "END", "ESCAPE", "GLOB", "IN", "IS", "ISNULL", "LIKE", "NOT", "NOTNULL", "NULL",
    "OR", "THEN", "WHEN",
];

/// Functions that depend on their arguments alone, and that every SQLite has.
const FUNCTIONS: [&str; 18] = [
    "abs", "char", "coalesce", "glob", "hex", "ifnull", "instr", "length", "like", "lower", "ltrim", "nullif", "quote",
    "replace", "rtrim", "substr", "trim", "typeof",
];

/// Returns `true` when an expression holds nothing but columns, literals, operators, and calls of well-known functions.
pub(super) fn is_plain_expression(sql: &str, is_column: impl Fn(&str) -> bool) -> bool {
    is_plain(sql, is_column).unwrap_or(false)
}

fn is_plain(sql: &str, is_column: impl Fn(&str) -> bool) -> Result<bool> {
    let is_one_of = |words: &[&str], word: &str| words.iter().any(|of| of.eq_ignore_ascii_case(word));
    let mut tokens = Tokens::new(sql)?;
    loop {
        let token = tokens.take()?;
        let is_plain = match token {
            Token::End => return Ok(true),
            Token::Word(word) if is_one_of(&OPERATORS, word) => true,
            Token::Word(word) if tokens.peek() == Token::Mark(b'(') => is_one_of(&FUNCTIONS, word),
            Token::Word(word) => is_column(word),
            // One that is no column would be a text.
            Token::Quoted(name) => is_column(&unquoted(name)),
            Token::Text(_) | Token::Number(_) | Token::Blob(_) => true,
            Token::Mark(mark) => b"(),+-*/%<>=!|&~".contains(&mark),
        };
        if !is_plain {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_literals_operators_and_known_functions_are_plain() {
        let is_column = |name: &str| ["a", "b c"].contains(&name);
        for plain in [
            "(a >= 0)",
            "(a IN ('x', 'y') OR \"b c\" IS NOT NULL)",
            "(length(a) BETWEEN 1 AND 2.5 -- a comment\n)",
            "(CASE WHEN a LIKE 'x%' ESCAPE '!' THEN x'00' ELSE NULL END)",
            "(a || [b c] <> 'x' AND a->>'$.b' = 1)",
        ] {
            assert!(is_plain_expression(plain, is_column), "{plain}");
        }
        for other in [
            "(a IN (SELECT 1))",
            "(EXISTS (SELECT 1))",
            "(\"d\" = 1)",
            "(rowid > 1)",
            "(random() > 1)",
            "(own(a))",
            "(t.a > 1)",
            "(a = CURRENT_TIME)",
            "(a COLLATE own = 1)",
            "(CAST(a AS TEXT) = 1)",
            "(a = ?1)",
            "(a MATCH 'x')",
            "(max(a) > 1)",
        ] {
            assert!(!is_plain_expression(other, is_column), "{other}");
        }
    }
}
